"""Strides, their rows and their quality bits."""

from __future__ import annotations

import math

import numpy as np
import pytest

from latemiles.errors import InputError
from latemiles.metrics.rows import StrideRows
from latemiles.metrics.strides import StrideStage
from latemiles.metrics.table import StrideTable
from latemiles.signals.events import Activity, GaitEvent, Slip
from latemiles.signals.frames import Segment, Side
from latemiles.signals.quality import SampleQuality, StrideQuality
from latemiles.signals.records import Speed
from reference.made_up_strides import CONTACT_S, HEIGHT_M, RATE_HZ, STRIDE_S, MadeUp, steady_run


def table_of(run: MadeUp, events: list[object] | None = None) -> StrideTable:
    stage = StrideStage(RATE_HZ)
    return StrideTable.from_strides(stage.push(run.angles, events if events is not None else run.events))


def test_a_steady_run_gives_every_stride_once_in_order_with_its_times() -> None:
    table = table_of(steady_run(30.0))
    assert len(table) == pytest.approx(2 * 30.0 / STRIDE_S, abs=4)
    np.testing.assert_array_equal(table["index"], np.arange(len(table)))
    np.testing.assert_allclose(table["stride_time_s"], STRIDE_S, atol=1e-9)
    np.testing.assert_allclose(table["contact_time_s"], CONTACT_S, atol=1e-9)
    np.testing.assert_allclose(table["cadence_spm"], 120 / STRIDE_S)
    early = np.where(table["side"] == "right", 0.006, -0.006)
    np.testing.assert_allclose(table["flight_time_s"], 0.5 * STRIDE_S - CONTACT_S + early, atol=1e-9)


def test_oscillation_of_the_pelvis_is_the_height_that_was_put_in() -> None:
    np.testing.assert_allclose(table_of(steady_run(10.0))["pelvis_vo_m"], 2 * HEIGHT_M, rtol=0.01)


def test_strides_are_used_once_the_run_has_three_neighbours() -> None:
    table = table_of(steady_run(20.0))
    assert not table.used[:6].any()
    assert table.used[6:].all()
    assert (table["quality"][:6] == StrideQuality.UNSTEADY).all()


def test_drop_is_obliquity_signed_by_the_stance_leg() -> None:
    table = table_of(steady_run(10.0))
    sign = np.where(table["side"] == "right", 1.0, -1.0)
    for feature in ("mean", "ic", "midstance", "to", "stance_peak"):
        drop, obliquity = table[f"pelvic_drop_{feature}_deg"], table[f"pelvic_obliquity_{feature}_deg"]
        np.testing.assert_allclose(drop, sign * obliquity, atol=1e-12)
    assert (table["pelvic_drop_excursion_deg"] >= 0.0).all()


def test_a_gap_in_one_thigh_leaves_the_pelvis_and_the_other_hip_alone() -> None:
    run = steady_run(20.0)
    run.angles.hip[0, 2000:2050] = np.nan
    run.angles.quality[1, 2000:2050] = SampleQuality.GAP
    table = table_of(run)
    inside = (table["t_ic_s"] < 10.25) & (table["t_ic_s"] + table["stride_time_s"] > 10.0)
    left = table["side"] == "left"
    assert np.isnan(table["hip_flexion_mean_deg"][inside & left]).all()
    assert np.isfinite(table["hip_flexion_mean_deg"][~inside | ~left]).all()
    assert np.isfinite(table["pelvic_tilt_mean_deg"]).all()
    assert (table["quality"][inside & left] & StrideQuality.GAP).all()
    assert not (table["quality"][inside & ~left] & StrideQuality.GAP).any()


@pytest.mark.parametrize(
    ("lane", "bit", "want"),
    [
        (0, SampleQuality.BEND, StrideQuality.TURN),
        (1, SampleQuality.BEND, StrideQuality.GOOD),
        (1, SampleQuality.GYR_CLIPPED, StrideQuality.CLIPPED),
        (2, SampleQuality.ACC_CLIPPED, StrideQuality.GOOD),
        (0, SampleQuality.BRIDGED, StrideQuality.BRIDGED),
        (0, SampleQuality.UNCALIBRATED, StrideQuality.UNCALIBRATED),
        (1, SampleQuality.HEADING_UNCERTAIN, StrideQuality.HEADING_UNCERTAIN),
        (0, SampleQuality.SLIPPED, StrideQuality.SLIPPED),
    ],
)
def test_quality_of_samples_comes_through_to_left_strides(
    lane: int, bit: SampleQuality, want: StrideQuality
) -> None:
    run = steady_run(12.0)
    run.angles.quality[lane, 1400:1410] = bit
    table = table_of(run)
    left = (table["side"] == "left") & (table["t_ic_s"] < 7.0) & (table["t_ic_s"] + STRIDE_S > 7.05)
    assert left.any()
    assert (table["quality"][left] == want).all()


def test_without_toe_off_the_stance_features_are_nan_and_say_why() -> None:
    run = steady_run(10.0)
    table = table_of(run, [e for e in run.events if not (isinstance(e, GaitEvent) and e.kind == "toe_off")])
    for name in ("t_to_s", "contact_time_s", "flight_time_s", "duty_factor", "hip_flexion_stance_peak_deg"):
        assert np.isnan(table[name]).all(), name
    assert np.isfinite(table["hip_flexion_ic_deg"]).all()
    assert (table["quality"] & StrideQuality.NO_TOE_OFF).all()


def test_walking_strides_are_kept_and_not_used_and_standing_has_none() -> None:
    run = steady_run(20.0)
    events = [Activity(0.0, "walking"), *run.events[1:]]
    table = table_of(run, events)
    assert len(table)
    assert (table["quality"] & StrideQuality.NOT_RUNNING).all()
    assert len(table_of(run, [Activity(0.0, "still"), *run.events[1:]])) == 0


def test_a_missed_contact_makes_no_double_stride() -> None:
    run = steady_run(20.0)
    drop = next(
        e for e in run.events if isinstance(e, GaitEvent) and e.t_s > 10 and e.kind == "initial_contact"
    )
    table = table_of(run, [e for e in run.events if e is not drop])
    assert table["stride_time_s"].max() < 1.1 * STRIDE_S


def test_a_stride_out_of_step_and_an_uncertain_contact_are_marked() -> None:
    events = []
    for k in range(16):
        t = 0.5 + 0.7 * k + (0.1 if k >= 8 else 0.0)
        events.append(GaitEvent(t, "initial_contact", Side.LEFT, 0.3 if k == 12 else 0.9))
    table = table_of(steady_run(14.0), events)
    bits = table["quality"]
    assert bits[7] & StrideQuality.UNSTEADY
    assert not bits[6] & StrideQuality.UNSTEADY
    assert bits[11] & bits[12] & StrideQuality.LOW_CONFIDENCE
    assert not bits[13] & StrideQuality.LOW_CONFIDENCE


def test_a_slip_marks_the_strides_that_the_sensor_feeds() -> None:
    run = steady_run(15.0)
    table = table_of(run, [Slip(10.0, Segment.RIGHT_THIGH, 0.05), *run.events])
    hit = (table["quality"] & StrideQuality.SLIPPED) != 0
    assert hit.sum() == 1
    assert table["side"][hit] == "right"


def test_speed_and_distance_are_read_between_the_words_of_the_source() -> None:
    run = steady_run(20.0)
    stage = StrideStage(RATE_HZ)
    for k in range(21):
        stage.tell_speed(Speed(k * 1_000_000_000, float(k), speed_m_s=2.0 + 0.1 * k))
    table = StrideTable.from_strides(stage.push(run.angles, run.events))
    middle = table["t_ic_s"] + 0.5 * table["stride_time_s"]
    np.testing.assert_allclose(table["speed_m_s"], 2.0 + 0.1 * middle, atol=1e-9)
    t = table["t_ic_s"]
    np.testing.assert_allclose(table["distance_m"], 2.0 * t + 0.05 * t**2, atol=0.02)


def test_without_a_speed_source_speed_and_distance_are_nan() -> None:
    table = table_of(steady_run(8.0))
    assert np.isnan(table["speed_m_s"]).all()
    assert np.isnan(table["distance_m"]).all()


def test_left_out_samples_are_refused() -> None:
    run = steady_run(5.0)
    stage = StrideStage(RATE_HZ)
    stage.push(run.piece(0, 100))
    with pytest.raises(InputError, match="samples from 100 on"):
        stage.push(run.piece(200, 300))


def test_waveforms_are_the_mean_over_the_used_strides() -> None:
    run = steady_run(130.0)
    stage = StrideStage(RATE_HZ)
    table = StrideTable.from_strides(stage.push(run.angles, run.events))
    whole = stage.waveforms.ensemble("run", 0.0, 200.0)
    right = table.used & (table["side"] == "right")
    assert whole.strides == right.sum()
    assert whole.mean_deg["right_hip_flexion"][0] == pytest.approx(table["hip_flexion_ic_deg"][right].mean())
    assert whole.sd_deg["right_hip_flexion"][0] == pytest.approx(
        table["hip_flexion_ic_deg"][right].std(ddof=1)
    )
    assert whole.toe_off_percent["left"] == pytest.approx(100 * CONTACT_S / STRIDE_S)
    first, rest = stage.waveforms.ensembles([("first", 0.0, 60.0), ("rest", 60.0, 200.0)])
    assert first.strides + rest.strides == pytest.approx(whole.strides, abs=1)
    empty = stage.waveforms.ensemble("none", 900.0, 1000.0)
    assert empty.strides == 0
    assert np.isnan(empty.mean_deg["pelvic_tilt"]).all()


def test_table_gives_columns_csv_and_pandas() -> None:
    table = table_of(steady_run(6.0))
    lines = list(table.csv_lines())
    assert lines[0].startswith("side,index,t_ic_s,")
    assert lines[0].rstrip().endswith(",quality")
    assert len(lines) == len(table) + 1
    assert all(line.count(",") == lines[0].count(",") for line in lines)
    assert "nan" not in "".join(lines)
    frame = table.to_pandas()
    assert tuple(frame.columns) == table.columns
    assert math.isclose(frame["cadence_spm"][0], table["cadence_spm"][0])
    with pytest.raises(InputError, match=r"metrics\.md"):
        table["hip_tilt_deg"]


def test_strides_kept_in_rows_give_the_table_of_their_events():
    strides = StrideStage(RATE_HZ).push(steady_run(70.0).angles, steady_run(70.0).events)
    rows = StrideRows()
    for stride in strides:
        rows.append(stride)
    table, moved = StrideTable.from_strides(strides), rows.table()
    assert len(rows) == len(table) > 64
    assert moved.values.tobytes() == table.values.tobytes()
    assert (moved.lanes == table.lanes).all()
    assert (moved["quality"] == table["quality"]).all()
    rows.move(100.0)
    np.testing.assert_allclose(rows.table()["t_ic_s"], table["t_ic_s"] + 100.0)
    np.testing.assert_allclose(rows.table()["stride_time_s"], table["stride_time_s"])
