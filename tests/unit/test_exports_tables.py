"""CSV and Parquet are read back by pandas and pyarrow as what was found."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from latemiles.exports import ANGLES, FORMATS, STRIDES
from latemiles.metrics.catalogue import COLUMNS
from latemiles.metrics.table import DECIMALS
from latemiles.report.files import ANGLE_COLUMNS
from reference.made_up_analysis import Plan
from reference.made_up_angles import with_angles

RUN = with_angles()
WITHOUT_SPEED = with_angles(Plan(duration_s=60.0, speed=False, grade=False, verdict="too short"))


@pytest.mark.parametrize("run", [RUN, WITHOUT_SPEED], ids=["with speed", "without speed"])
@pytest.mark.parametrize("name", ["csv", "parquet"])
def test_a_table_of_strides_reads_back_as_the_strides(tmp_path, name, run):
    path = tmp_path / f"run.{name}"
    FORMATS[name].write(run, path, STRIDES)
    back = pd.read_csv(path) if name == "csv" else pd.read_parquet(path)
    assert tuple(back.columns) == COLUMNS
    assert list(back["side"]) == list(run.strides["side"])
    coarsest = 0.5 * 10.0 ** -min(DECIMALS.values())
    for column in COLUMNS[1:]:
        got, want = back[column].to_numpy(dtype=float), run.strides[column].astype(float)
        np.testing.assert_allclose(got, want, rtol=0.0, atol=coarsest if name == "csv" else 0.0)


def test_parquet_says_units_signs_and_what_zero_means(tmp_path):
    FORMATS["parquet"].write(RUN, tmp_path / "run.parquet", STRIDES)
    schema = pq.read_schema(tmp_path / "run.parquet")
    about = schema.field("pelvic_tilt_mean_deg").metadata
    assert about[b"unit"] == b"deg"
    assert b"forward" in about[b"sign"]
    facts = json.loads(schema.metadata[b"latemiles"])
    assert facts["run"] == "half-marathon"
    assert (facts["basis"], facts["reference"]) == ("smoothed", "standing")


def test_a_missing_number_is_a_null_in_parquet_and_an_empty_cell_in_csv(tmp_path):
    for name in ("csv", "parquet"):
        FORMATS[name].write(WITHOUT_SPEED, tmp_path / f"run.{name}", STRIDES)
    assert pq.read_table(tmp_path / "run.parquet")["speed_m_s"].null_count == len(WITHOUT_SPEED.strides)
    header, first, *_ = (tmp_path / "run.csv").read_text().splitlines()
    assert first.split(",")[header.split(",").index("speed_m_s")] == ""


@pytest.mark.parametrize("name", ["csv", "parquet"])
def test_a_table_of_samples_reads_back_as_the_angles(tmp_path, name):
    path = tmp_path / f"run.{name}"
    FORMATS[name].write(RUN, path, ANGLES)
    back = pd.read_csv(path) if name == "csv" else pd.read_parquet(path)
    assert tuple(back.columns) == ANGLE_COLUMNS
    want = np.column_stack([RUN.t, np.degrees(np.column_stack([RUN.pelvis, RUN.hip_left, RUN.hip_right]))])
    np.testing.assert_allclose(back.to_numpy(dtype=float), want, atol=5.1e-4)
    assert np.isnan(back["pelvic_tilt_deg"][900])
