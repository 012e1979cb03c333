"""The online monitor, the splits and the asymmetry."""

from __future__ import annotations

import numpy as np
import pytest

from latemiles.errors import InputError
from latemiles.metrics.catalogue import COLUMN_INDEX
from latemiles.metrics.strides import StrideStage
from latemiles.metrics.table import StrideTable
from latemiles.signals.events import DriftUpdate, Slip, Split, Stride
from latemiles.signals.frames import Segment
from latemiles.trends.asymmetry import ASYMMETRY_METRICS, Asymmetries, asymmetry
from latemiles.trends.monitor import MonitorParams, TrendMonitor
from latemiles.trends.splits import KILOMETRE_M, SplitParams
from reference.made_up_strides import RATE_HZ, Hour, hour_of_strides, steady_run, strides_of

TILT = "pelvic_tilt_mean_deg"
ONLY_TILT = MonitorParams(metrics=(TILT,))


def updates(strides: list[Stride], slip: Slip | None = None) -> list[DriftUpdate]:
    monitor = TrendMonitor(ONLY_TILT)
    out: list[DriftUpdate | Split] = []
    for stride in strides:
        if slip is not None and stride.t_s >= slip.t_s:
            out += monitor.push(slip)
            slip = None
        out += monitor.push(stride)
    return [event for event in out if isinstance(event, DriftUpdate)]


def test_before_the_baseline_there_is_no_number() -> None:
    seen = updates(strides_of(hour_of_strides(Hour(minutes=9.5), 1)))
    assert seen
    assert all(u.verdict == "too short" and np.isnan(u.change) and u.alarm == 0 for u in seen)


def test_an_update_comes_every_25_strides_of_each_leg() -> None:
    seen = updates(strides_of(hour_of_strides(Hour(minutes=20.0), 1)))
    steps = np.diff([u.t_s for u in seen])
    np.testing.assert_allclose(steps, 50 * 60.0 / 166.0, atol=0.5)


def test_steady_hours_raise_no_alarm() -> None:
    for seed in range(6):
        seen = updates(strides_of(hour_of_strides(Hour(wander_sd=0.2), seed)))
        assert all(u.alarm == 0 for u in seen)


def test_two_degrees_over_forty_minutes_raise_the_alarm_in_time_and_with_the_right_sign() -> None:
    for total in (2.0, -2.0):
        table = hour_of_strides(
            Hour(wander_sd=0.2), 3, lambda t, total=total: total * np.clip((t - 600.0) / 2400.0, 0, 1)
        )
        seen = updates(strides_of(table))
        alarms = [u for u in seen if u.alarm]
        assert 600.0 + 600.0 < alarms[0].t_s < 600.0 + 1900.0
        assert all(u.alarm == np.sign(total) for u in alarms)
        assert seen[-1].low <= total <= seen[-1].high
        assert seen[-1].verdict in ("likely change", "clear change")


def test_a_slip_is_said_and_then_tied_to_the_level_before() -> None:
    table = hour_of_strides(Hour(wander_sd=0.1), 3, lambda t: 3.0 * (t > 2000.0))
    seen = updates(strides_of(table), Slip(2000.0, Segment.PELVIS, 0.05))
    slips = [u for u in seen if u.verdict == "slip"]
    assert slips[0].t_s == 2000.0
    assert len(slips) == 4
    assert all(u.alarm == 0 for u in seen)
    before = next(u for u in reversed(seen) if u.t_s < 2000.0)
    assert abs(seen[-1].change) < 0.6
    assert seen[-1].detectable_change > before.detectable_change


def test_a_slip_of_a_thigh_leaves_tilt_alone() -> None:
    strides = strides_of(hour_of_strides(Hour(minutes=20.0), 1))
    assert updates(strides, Slip(900.0, Segment.LEFT_THIGH, 0.05)) == updates(strides)


def test_the_monitor_holds_no_more_after_four_hours_than_after_one() -> None:
    sizes = []
    for minutes in (61.0, 240.5):
        monitor = TrendMonitor()
        for stride in strides_of(hour_of_strides(Hour(minutes=minutes), 1)):
            monitor.push(stride)
        sizes.append(len(monitor.save()))
    assert sizes[1] < 1.5 * sizes[0]


def splits_of(strides: list[Stride], params: SplitParams) -> list[Split]:
    monitor = TrendMonitor(MonitorParams(metrics=(), splits=params))
    out = [event for stride in strides for event in monitor.push(stride)]
    return [event for event in [*out, *monitor.finish()] if isinstance(event, Split)]


def test_splits_are_miles_or_kilometres_where_there_is_a_distance() -> None:
    strides = strides_of(hour_of_strides(Hour(minutes=30.0, speed=lambda t: 3.0 + 0.0 * t), 1))
    splits = splits_of(strides, SplitParams(length_m=KILOMETRE_M))
    assert [s.index for s in splits] == list(range(6))
    np.testing.assert_allclose([s.t_s for s in splits[:5]], 1000.0 / 3.0 * np.arange(1, 6), atol=0.4)
    np.testing.assert_allclose([s.distance_m for s in splits[:5]], 1000.0, atol=2.5)
    assert sum(s.strides for s in splits) == len(strides)


def test_splits_are_five_minutes_without_distance_and_hold_medians() -> None:
    table = hour_of_strides(Hour(minutes=21.0, wander_sd=0.0), 1, lambda t: t / 300.0 // 1.0, right_extra=4.0)
    splits = splits_of(strides_of(table), SplitParams())
    assert len(splits) == 5
    tilt = [s.values[COLUMN_INDEX[TILT]] for s in splits]
    np.testing.assert_allclose(tilt, 17.0 + np.arange(5), atol=0.3)
    assert np.isnan(splits[0].values[COLUMN_INDEX["hip_flexion_mean_deg"]])
    assert np.isnan(splits[0].distance_m)


@pytest.fixture(scope="module")
def run_table() -> StrideTable:
    run = steady_run(120.0)
    return StrideTable.from_strides(StrideStage(RATE_HZ).push(run.angles, run.events))


def test_a_crooked_pelvis_sensor_shows_in_the_offset_part_only(run_table: StrideTable) -> None:
    run = steady_run(120.0, offset_deg=2.6)
    crooked = StrideTable.from_strides(StrideStage(RATE_HZ).push(run.angles, run.events))
    name = "pelvic_drop_stance_peak_deg"
    straight, tilted = asymmetry(run_table, name), asymmetry(crooked, name)
    assert tilted.right_minus_left - straight.right_minus_left == pytest.approx(5.2, abs=1e-6)
    assert tilted.offset_part - straight.offset_part == pytest.approx(5.2, abs=1e-6)
    assert tilted.offset_free == pytest.approx(straight.offset_free, abs=1e-6)
    excursions = [asymmetry(t, "pelvic_drop_excursion_deg").right_minus_left for t in (run_table, crooked)]
    assert excursions[0] == pytest.approx(excursions[1], abs=1e-6)


def test_swapping_left_and_right_turns_the_difference_round(run_table: StrideTable) -> None:
    run = steady_run(120.0, mirrored=True)
    other = StrideTable.from_strides(StrideStage(RATE_HZ).push(run.angles, run.events))
    one, two = Asymmetries(run_table), Asymmetries(other)
    for name in ASYMMETRY_METRICS:
        if "harmonic" in name:
            assert two[name].offset_free == pytest.approx(one[name].offset_free, abs=1e-6)
            assert np.isnan(one[name].right_minus_left)
        else:
            assert two[name].right_minus_left == pytest.approx(-one[name].right_minus_left, abs=1e-6)
            assert one[name].interval[0] <= one[name].right_minus_left <= one[name].interval[1]


def test_without_calibration_the_alignment_is_wide_and_a_mean_has_no_offset_free_part(
    run_table: StrideTable,
) -> None:
    found = asymmetry(run_table, "hip_internal_rotation_mean_deg")
    assert np.isnan(found.offset_free)
    assert found.alignment_uncertainty > 5.0
    assert asymmetry(run_table, "contact_time_s").alignment_uncertainty == 0.0


def test_a_metric_without_sides_is_refused(run_table: StrideTable) -> None:
    with pytest.raises(InputError, match="stance leg"):
        asymmetry(run_table, "pelvic_tilt_mean_deg")


def test_one_leg_alone_has_no_asymmetry(run_table: StrideTable) -> None:
    right = run_table.select(run_table.lanes == 1)
    assert np.isnan(asymmetry(right, "pelvic_drop_excursion_deg").right_minus_left)
