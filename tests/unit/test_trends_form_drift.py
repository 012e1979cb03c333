"""Form drift of simulated hours: what is called, what is not, and what else it could be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from latemiles.errors import InputError
from latemiles.metrics.catalogue import COLUMN_INDEX
from latemiles.metrics.table import StrideTable
from latemiles.signals.events import Slip
from latemiles.signals.frames import Segment
from latemiles.signals.quality import StrideQuality
from latemiles.signals.results import VERDICTS, FormDrift
from latemiles.trends.form_drift import FormDrifts, form_drift
from latemiles.trends.params import HEADLINE, DriftParams, key_parts
from latemiles.trends.verdict import is_called
from reference.made_up_strides import Hour, hour_of_strides, true_change

F8 = NDArray[np.float64]
TILT = "pelvic_tilt_mean_deg"


def ramp(total: float, start_s: float = 0.0, end_s: float = 3600.0):
    return lambda t: total * np.clip((t - start_s) / (end_s - start_s), 0.0, 1.0)


def verdict_of(hour: Hour, seed: int, total: float = 0.0) -> tuple[FormDrift, float]:
    table = hour_of_strides(hour, seed, ramp(total))
    found = form_drift(table, TILT)
    imposed = ramp(total)(table["t_ic_s"])
    return found, true_change(table, imposed, found.baseline_window_s, found.late_window_s)


@pytest.mark.parametrize("wander_sd", [0.0, 0.2, 0.4])
def test_an_hour_without_drift_is_called_at_most_once_in_twenty(wander_sd: float) -> None:
    found = [verdict_of(Hour(wander_sd=wander_sd), seed)[0] for seed in range(20)]
    assert sum(is_called(f.verdict) for f in found) <= 1
    assert sum(f.verdict != "no change" for f in found) <= 2


@pytest.mark.parametrize("wander_sd", [0.0, 0.2, 0.3])
def test_two_degrees_over_an_hour_are_called_and_the_interval_holds_the_truth(wander_sd: float) -> None:
    results = [verdict_of(Hour(wander_sd=wander_sd), seed, 2.0) for seed in range(20)]
    assert sum(is_called(f.verdict) for f, _ in results) >= 19
    assert sum(f.interval[0] <= truth <= f.interval[1] for f, truth in results) >= 19


def test_a_change_backwards_is_called_with_its_sign() -> None:
    found, _ = verdict_of(Hour(wander_sd=0.2), 3, -2.0)
    assert is_called(found.verdict)
    assert found.interval[1] < 0.0
    assert found.slope_per_hour == pytest.approx(-2.0, abs=0.6)
    assert found.slope_interval[0] <= -2.0 <= found.slope_interval[1]


def test_the_change_point_is_found_where_the_change_begins() -> None:
    table = hour_of_strides(Hour(wander_sd=0.15), 5, ramp(2.0, 1800.0, 2400.0))
    found = form_drift(table, TILT)
    assert found.change_point_s == pytest.approx(1800.0, abs=360.0)
    low, high = found.change_point_interval_s or (0.0, 0.0)
    assert low <= 1800.0 <= high


def test_a_steady_hour_has_no_change_point() -> None:
    found, _ = verdict_of(Hour(wander_sd=0.3), 2)
    assert found.change_point_s is None
    assert found.change_point_interval_s is None


@pytest.mark.parametrize("minutes", [0.2, 5.0, 12.0])
def test_a_short_run_says_so_and_gives_no_number(minutes: float) -> None:
    table = hour_of_strides(Hour(minutes=minutes), 1, ramp(4.0))
    found = form_drift(table, TILT)
    assert found.verdict == "too short"
    assert np.isnan(found.change)
    assert "300" in FormDrifts(table).windows.needed


def test_an_empty_table_is_too_short() -> None:
    table = hour_of_strides(Hour(minutes=5.0), 1).select(np.zeros(0, dtype=np.int64))
    assert form_drift(table, TILT).verdict == "too short"


def test_twenty_minutes_are_enough_and_the_two_parts_do_not_touch() -> None:
    found, _ = verdict_of(Hour(minutes=20.0, wander_sd=0.1), 1)
    assert found.verdict == "no change"
    assert found.baseline_window_s[1] < found.late_window_s[0]
    assert min(found.strides_baseline, found.strides_late) >= 300


def test_a_baseline_that_the_user_marked_is_taken() -> None:
    table = hour_of_strides(Hour(wander_sd=0.1), 1, ramp(2.0))
    found = form_drift(table, TILT, params=DriftParams(baseline_window_s=(1200.0, 1800.0)))
    assert found.baseline_window_s == (1200.0, 1800.0)
    assert found.baseline == pytest.approx(15.0 + 2.0 * 1500.0 / 3600.0, abs=0.2)


def test_strides_that_are_not_steady_running_are_left_out() -> None:
    table = hour_of_strides(Hour(wander_sd=0.1), 4)
    values, quality = table.values.copy(), table["quality"].copy()
    late = (table["t_ic_s"] > 3200.0) & (np.arange(len(table)) % 3 == 0)
    values[late, COLUMN_INDEX[TILT]] += 9.0
    quality[late] = int(StrideQuality.TURN)
    assert form_drift(StrideTable(table.lanes, values, quality), TILT).verdict == "no change"


def test_legs_that_differ_do_not_shake_the_medians() -> None:
    same = form_drift(hour_of_strides(Hour(), 7), TILT)
    apart = form_drift(hour_of_strides(Hour(), 7, right_extra=6.0), TILT)
    np.testing.assert_allclose(apart.medians, same.medians + 3.0, atol=1e-9)
    assert apart.change == pytest.approx(same.change, abs=1e-9)


def test_keys_choose_a_leg_or_the_difference() -> None:
    table = hour_of_strides(Hour(), 7, right_extra=6.0)
    assert form_drift(table, TILT + "_right").baseline - form_drift(table, TILT + "_left").baseline == (
        pytest.approx(6.0, abs=0.1)
    )
    assert form_drift(table, TILT + "_right_minus_left").baseline == pytest.approx(6.0, abs=0.1)
    assert key_parts("pelvic_drop_excursion_deg_left") == ("pelvic_drop_excursion_deg", "left")
    with pytest.raises(InputError):
        form_drift(table, "pelvic_tilt_left")


class TestSpeed:
    """Speed moves tilt by 2.5 degrees per m/s in these hours."""

    def test_slowing_at_random_is_taken_off(self) -> None:
        hour = Hour(wander_sd=0.1, speed=lambda t: 3.2 + 0.25 * np.sin(t / 240.0) - 0.25 * (t > 2400.0))
        found = form_drift(hour_of_strides(hour, 3), TILT)
        assert found.adjusted is not None
        assert abs(found.adjusted.change) < abs(found.change)
        assert found.adjusted.coefficients[0] == pytest.approx(2.5, abs=0.6)
        assert not is_called(found.verdict)
        assert any(r.name == "speed" and r.share < -0.3 for r in found.rivals)

    def test_speed_that_hides_a_change_is_seen_through(self) -> None:
        hour = Hour(wander_sd=0.1, speed=lambda t: 3.2 + 0.2 * np.sin(t / 240.0) - 0.5 * t / 3600.0)
        found = form_drift(hour_of_strides(hour, 3, ramp(1.5)), TILT)
        assert found.adjusted is not None
        assert found.adjusted.change > found.change + 0.5
        assert is_called(found.verdict)

    def test_the_beginning_is_that_of_the_change_and_not_of_a_surge(self) -> None:
        # A surge in minutes 15 to 25 tips the raw tilt long before the change begins.
        surge = lambda t: 3.2 + 0.1 * np.sin(t / 150.0) + 0.5 * ((t > 900.0) & (t < 1500.0))  # noqa: E731
        table = hour_of_strides(Hour(wander_sd=0.1, speed=surge), 6, ramp(1.6, 2100.0, 2700.0))
        found = form_drift(table, TILT)
        assert is_called(found.verdict)
        assert found.change_point_s == pytest.approx(2100.0, abs=300.0)
        low, high = found.change_point_interval_s or (0.0, 0.0)
        assert low - 30.0 <= 2100.0 <= high + 30.0

    def test_speed_in_step_with_time_cannot_be_separated(self) -> None:
        hour = Hour(wander_sd=0.1, speed=lambda t: 3.5 - 0.6 * t / 3600.0)
        found = form_drift(hour_of_strides(hour, 3), TILT)
        assert found.verdict == "cannot separate"

    def test_a_steady_speed_leaves_a_change_called(self) -> None:
        hour = Hour(wander_sd=0.2, speed=lambda t: 3.2 + 0.03 * np.sin(t / 100.0))
        found = form_drift(hour_of_strides(hour, 3, ramp(2.0)), TILT)
        assert is_called(found.verdict)

    def test_grade_is_taken_off(self) -> None:
        hour = Hour(wander_sd=0.1, speed=lambda t: 3.2 + 0.02 * np.sin(t / 100.0))
        t_grade = np.arange(0.0, 3700.0, 10.0)
        grade = 0.03 * np.sin(t_grade / 300.0) + 0.03 * (t_grade > 2700.0)
        table = hour_of_strides(hour, 3, lambda t: 30.0 * np.interp(t, t_grade, grade))
        found = form_drift(table, TILT, grade=(t_grade, grade))
        assert found.adjusted is not None
        assert abs(found.adjusted.change) < 0.4
        assert any(r.name == "grade" for r in found.rivals)

    def test_a_source_that_never_says_a_grade_is_no_obstacle(self) -> None:
        hour = Hour(wander_sd=0.1, speed=lambda t: 3.2 + 0.02 * np.sin(t / 100.0))
        silent = (np.arange(0.0, 3600.0), np.full(3600, np.nan))
        found = form_drift(hour_of_strides(hour, 3), TILT, grade=silent)
        assert found.adjusted is not None
        assert "grade" not in found.adjusted.covariates
        assert found.verdict == "no change"

    def test_without_a_source_there_is_nothing_adjusted(self) -> None:
        assert verdict_of(Hour(), 1)[0].adjusted is None


class TestSlip:
    """A sensor that moves on the body by a step that stays."""

    SLIP = Slip(2000.0, Segment.PELVIS, 0.05)

    def test_a_step_at_a_slip_is_a_slip(self) -> None:
        table = hour_of_strides(Hour(wander_sd=0.2), 5, lambda t: 2.5 * (t > 2000.0))
        found = form_drift(table, TILT, slips=[self.SLIP])
        assert found.verdict == "slip"
        assert any(r.name == "slip" and r.share == pytest.approx(2.5, abs=0.6) for r in found.rivals)

    def test_a_slip_that_was_re_anchored_leaves_a_real_change_called(self) -> None:
        table = hour_of_strides(Hour(wander_sd=0.15), 5, ramp(2.0))
        assert is_called(form_drift(table, TILT, slips=[self.SLIP]).verdict)

    def test_a_slip_of_a_thigh_does_not_touch_the_pelvis(self) -> None:
        table = hour_of_strides(Hour(wander_sd=0.2), 5, lambda t: 2.5 * (t > 2000.0))
        found = form_drift(table, TILT, slips=[replace(self.SLIP, segment=Segment.LEFT_THIGH)])
        assert is_called(found.verdict)

    def test_a_steady_hour_with_a_harmless_slip_is_no_change(self) -> None:
        table = hour_of_strides(Hour(wander_sd=0.1), 5)
        assert form_drift(table, TILT, slips=[self.SLIP]).verdict == "no change"


def test_a_warm_up_is_named_as_a_rival() -> None:
    table = hour_of_strides(Hour(wander_sd=0.1), 5, lambda t: 2.0 * np.clip((t - 300.0) / 900.0, 0.0, 1.0))
    found = form_drift(table, TILT)
    assert is_called(found.verdict)
    assert any(r.name == "warm-up" for r in found.rivals)


def test_hip_rotation_with_uncertain_heading_cannot_be_separated() -> None:
    metric = "hip_internal_rotation_mean_deg"
    table = hour_of_strides(Hour(metric=metric, wander_sd=0.2), 5, ramp(5.0))
    assert is_called(form_drift(table, metric).verdict)
    quality = np.where(np.arange(len(table)) % 2, int(StrideQuality.HEADING_UNCERTAIN), 0)
    weak = StrideTable(table.lanes, table.values, quality)
    found = form_drift(weak, metric)
    assert found.verdict == "cannot separate"
    assert any(r.name == "heading" for r in found.rivals)


def test_metrics_not_named_in_advance_must_pass_a_stricter_rule() -> None:
    hour = Hour(metric="hip_flexion_mean_deg", stride_sd=1.02)
    secondary = form_drift(hour_of_strides(hour, 3), "hip_flexion_mean_deg")
    headline = form_drift(hour_of_strides(Hour(), 3), TILT)
    assert secondary.detectable_change / (secondary.interval[1] - secondary.change) > 1.5
    assert headline.detectable_change / (headline.interval[1] - headline.change) < 1.35


def test_the_mapping_of_a_run_gives_each_metric_in_agreed_words() -> None:
    drifts = FormDrifts(hour_of_strides(Hour(minutes=25.0), 1))
    assert list(drifts)[: len(HEADLINE)] == list(HEADLINE)
    assert len(list(drifts)) == len(drifts)
    assert all(drifts[key].verdict in VERDICTS for key in drifts)
    assert drifts[TILT].verdict != "too short"
    assert drifts["hip_flexion_rom_deg"].verdict == "too short"
