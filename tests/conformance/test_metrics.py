"""What every metric of the catalogue must do: finite or NaN, mirror, offset, documentation."""

from __future__ import annotations

import numpy as np
import pytest

from latemiles.metrics.catalogue import CATALOGUE, COLUMNS, NUMERIC_COLUMNS
from latemiles.metrics.metric import Metric
from latemiles.metrics.strides import StrideStage
from latemiles.metrics.table import StrideTable
from reference.made_up_strides import RATE_HZ, MadeUp, steady_run

ANGLES = (
    "pelvic_tilt",
    "pelvic_obliquity",
    "pelvic_rotation",
    "pelvic_drop",
    "hip_flexion",
    "hip_adduction",
    "hip_internal_rotation",
)
FEATURES = ("mean", "rom", "ic", "midstance", "to", "stance_peak")
CONTRACT = (
    *[
        "side",
        "index",
        "t_ic_s",
        "t_to_s",
        "stride_time_s",
        "cadence_spm",
        "contact_time_s",
        "flight_time_s",
        "duty_factor",
    ],
    *["distance_m", "speed_m_s"],
    *(f"{angle}_{feature}_deg" for angle in ANGLES for feature in FEATURES),
    "pelvic_drop_excursion_deg",
    *(f"{angle}_harmonic_asymmetry_deg" for angle in ANGLES[:3]),
    *["pelvis_vo_m", "pelvis_shock_m_s2", "quality"],
)
BY_SOURCE = ("distance_m", "speed_m_s")


def table_of(run: MadeUp) -> StrideTable:
    return StrideTable.from_strides(StrideStage(RATE_HZ).push(run.angles, run.events))


@pytest.fixture(scope="module")
def plain() -> StrideTable:
    return table_of(steady_run(12.0))


@pytest.fixture(scope="module")
def mirrored() -> StrideTable:
    return table_of(steady_run(12.0, mirrored=True))


@pytest.fixture(scope="module")
def shifted() -> StrideTable:
    return table_of(steady_run(12.0, offset_deg=3.0))


@pytest.fixture(scope="module")
def torn() -> StrideTable:
    run = steady_run(12.0)
    run.angles.pelvis[1000:1300] = np.nan
    run.angles.hip[:, 1200:1500] = np.nan
    run.angles.force_up[:, 1000:1300] = np.nan
    return table_of(run)


def test_columns_are_those_of_the_contract_in_its_order() -> None:
    assert COLUMNS == CONTRACT
    assert len(set(NUMERIC_COLUMNS)) == len(NUMERIC_COLUMNS)


@pytest.mark.parametrize("metric", CATALOGUE, ids=NUMERIC_COLUMNS)
class TestMetric:
    def test_it_is_documented(self, metric: Metric) -> None:
        assert metric.label
        assert metric.definition.endswith(".")
        assert metric.sign == "" or metric.sign.endswith(".")
        suffix = {"deg": "_deg", "s": "_s", "m": "_m", "m/s": "_m_s", "m/s^2": "_m_s2", "steps/min": "_spm"}
        if metric.unit:
            assert metric.name.endswith(suffix[metric.unit])
        if metric.name in ("contact_time_s", "flight_time_s", "duty_factor"):
            assert metric.estimate
            assert "estimate" in metric.full_label

    def test_it_is_finite_in_a_clean_run(self, metric: Metric, plain: StrideTable) -> None:
        if metric.name not in BY_SOURCE:
            assert np.isfinite(plain[metric.name]).all()

    def test_it_is_finite_or_nan_where_samples_are_missing(self, metric: Metric, torn: StrideTable) -> None:
        assert not np.isinf(torn[metric.name]).any()
        if metric.family != "temporal":
            assert np.isnan(torn[metric.name]).any()

    def test_swapping_left_and_right_mirrors_it(
        self, metric: Metric, plain: StrideTable, mirrored: StrideTable
    ) -> None:
        assert (plain["side"] != mirrored["side"]).all()
        np.testing.assert_allclose(mirrored[metric.name], metric.mirror * plain[metric.name], atol=1e-9)

    def test_a_constant_offset_does_what_the_catalogue_says(
        self, metric: Metric, plain: StrideTable, shifted: StrideTable
    ) -> None:
        change = shifted[metric.name] - plain[metric.name]
        if metric.offset_free:
            np.testing.assert_allclose(change[np.isfinite(change)], 0.0, atol=1e-9)
        elif metric.angle == "pelvic_drop":
            np.testing.assert_allclose(change, np.where(plain["side"] == "right", 3.0, -3.0), atol=1e-9)
        else:
            np.testing.assert_allclose(change, 3.0, atol=1e-9)
