"""Thigh sensors on each other's legs: nearly everything is of the wrong side, and the run says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from latemiles.analysis import analyze, driver_for
from latemiles.analysis_inputs import OTHER_THIGH, Run, records_with_thighs_swapped, run_of_streams
from latemiles.estimators.mounting import Calibration
from latemiles.metrics.catalogue import COLUMN_INDEX, NUMERIC_COLUMNS
from latemiles.metrics.sides import EXCHANGED_WORDS, FEWEST, SidesWatch, may_be_exchanged
from latemiles.metrics.table import StrideTable
from latemiles.pipeline import GIVEN, Pipeline
from latemiles.signals.events import ThighsDoubted
from latemiles.signals.frames import Segment
from latemiles.signals.records import Gone, Link, Packet, RunHeader, SensorInfo
from latemiles.signals.stretches import stretches_of
from reference.damage import damaged
from reference.rbds import has_rbds, rbds_session

USUAL = {"hip_adduction": (5.0, 11.0), "pelvic_drop": (1.0, 3.0)}
"""Usual angles at contact and at mid-stance, deg."""


def crossed(streams):
    """The same streams with the thighs' names exchanged."""
    return {OTHER_THIGH.get(Segment(name), name): stream for name, stream in streams.items()}


def test_a_run_with_exchanged_thighs_says_so_and_is_put_right():
    _, streams = damaged("nothing", 3)
    right, wrong = analyze(streams), analyze(crossed(streams))
    assert EXCHANGED_WORDS not in right.quality.notes
    assert EXCHANGED_WORDS in wrong.quality.notes
    again = analyze(crossed(streams), swap_thighs=True)
    assert again.strides.values.tobytes() == right.strides.values.tobytes()
    assert again.strides.lanes.tobytes() == right.strides.lanes.tobytes()
    assert again.pelvis.tobytes() == right.pelvis.tobytes()
    assert again.hip_left.tobytes() == right.hip_left.tobytes()
    assert EXCHANGED_WORDS not in again.quality.notes
    assert again.provenance["thighs"] == "swapped"


@pytest.mark.skipif(not has_rbds(), reason="real running poses not found; set LATEMILES_DATA")
@pytest.mark.parametrize("trial", ["2.5ms", "3.5ms"])
def test_a_real_runner_with_exchanged_thighs_is_told_from_one_without(trial):
    streams = rbds_session(trial, seed=41).streams
    assert EXCHANGED_WORDS not in analyze(streams).quality.notes
    assert EXCHANGED_WORDS in analyze(crossed(streams)).quality.notes


def live(streams, cut=None):
    """When a run that goes on says it, s; it may be saved and gone on with after ``cut`` stretches."""
    run = run_of_streams(streams)
    pipeline, told = Pipeline(run.header, driver_for), []
    for heard, stretch in enumerate(run.stretches(), 1):
        told += [e.t_s for e in pipeline.push_stretch(stretch) if isinstance(e, ThighsDoubted)]
        if heard == cut:
            saved, pipeline = pipeline.checkpoint(), Pipeline(run.header, driver_for)
            pipeline.restore(saved)
    return told


@pytest.mark.parametrize("seed", [3, 4])
def test_a_run_that_goes_on_says_it_once_within_its_first_minute(seed):
    _, streams = damaged("nothing", seed)
    assert live(streams) == []
    (said_s,) = live(crossed(streams))
    # Running begins at 22 s.
    assert said_s < 22.0 + 60.0
    assert live(crossed(streams), cut=2) == [said_s]


def test_two_blocks_of_strides_in_a_row_must_say_so():
    def said(watch, signs, blocks=1):
        strides = [(-signs[0] * 6.0, signs[1] * -2.0)] * FEWEST * blocks
        return sum(watch.push(lane, change) for change in strides for lane in (0, 1))

    wrong, right = (1.0, 1.0), (-1.0, -1.0)
    watch = SidesWatch()
    assert said(watch, wrong) == 0
    assert said(watch, right) == 0
    assert said(watch, wrong) == 0
    again = SidesWatch()
    again.load(watch.save())
    assert said(again, wrong) == 1
    assert said(again, wrong, blocks=4) == 0
    # One angle alone says nothing, one leg neither.
    assert said(SidesWatch(), (1.0, -1.0), blocks=4) == 0
    assert not any(SidesWatch().push(0, (-6.0, -2.0)) for _ in range(200))
    assert not SidesWatch().push(0, (np.nan, -2.0))


def table(change, count=FEWEST, missing=0):
    """Strides of both legs; ``change`` gives the sign of what happens after landing, by angle and side."""
    values = np.full((2 * count, len(NUMERIC_COLUMNS)), np.nan)
    sides = np.arange(2 * count) % 2
    for angle, (contact, middle) in USUAL.items():
        sign = np.where(sides == 0, *change[angle])
        values[:, COLUMN_INDEX[f"{angle}_ic_deg"]] = contact
        values[:, COLUMN_INDEX[f"{angle}_midstance_deg"]] = contact + sign * (middle - contact)
    values[:missing] = np.nan
    return StrideTable(sides, values, np.zeros(2 * count, dtype=np.int64))


BOTH = {"hip_adduction": (-1.0, -1.0), "pelvic_drop": (-1.0, -1.0)}


def test_only_all_four_signs_together_mean_an_exchange():
    assert may_be_exchanged(table(BOTH))
    assert not may_be_exchanged(table(BOTH, count=FEWEST - 1))
    assert not may_be_exchanged(table(BOTH, missing=1))
    for angle in BOTH:
        for signs in ((1.0, -1.0), (-1.0, 1.0), (1.0, 1.0), (0.0, 0.0)):
            assert not may_be_exchanged(table({**BOTH, angle: signs}))


def test_records_of_exchanged_sensors_change_their_places_and_nothing_else():
    nan = float("nan")
    given = Calibration(
        "standing",
        "movement",
        ((1.0, 0.0, 0.0, 0.0), (0.6, 0.8, 0.0, 0.0), (nan,) * 4),
        (0.01, 0.02, nan),
        0.03,
        (0.04, 0.05, nan),
        *(nan,) * 4,
        (0.1, 0.2),
        (0.3, 0.4),
        (1.0, 1.0, 0.0),
    )
    sensors = tuple(SensorInfo(segment, "samples", 100.0, serial=segment.value) for segment in Segment)
    records = [
        Packet(1, Segment.LEFT_THIGH, b"left"),
        Link(2, Segment.RIGHT_THIGH, "down", ""),
        Packet(3, Segment.PELVIS, b"pelvis"),
        Gone(4, Segment.LEFT_THIGH, 2, "full"),
        Packet(5, Segment.RIGHT_THIGH, b"right"),
    ]
    header = RunHeader("run", sensors=sensors, extra={GIVEN: given.to_text(), "other": "kept"})
    run = Run(header, lambda: stretches_of(records), 1.0)
    swapped = run.with_thighs_swapped()
    assert [(s.segment, s.serial) for s in swapped.header.sensors] == [
        ("pelvis", "pelvis"),
        ("right_thigh", "left_thigh"),
        ("left_thigh", "right_thigh"),
        ("trunk", "trunk"),
    ]
    (stretch,) = swapped.stretches()
    one_by_one = list(records_with_thighs_swapped([header, *records]))
    assert repr(one_by_one[0]) == repr(swapped.header)
    assert [record.segment.value for record in one_by_one[1:]] == [
        "right_thigh",
        "left_thigh",
        "pelvis",
        "right_thigh",
        "left_thigh",
    ]
    assert stretch.lane.tolist() == [2, 0, 1]
    assert [(at, record.segment) for at, record in stretch.others] == [(1, "left_thigh"), (2, "right_thigh")]
    moved = Calibration.from_text(swapped.header.extra[GIVEN])
    assert moved.quat_segment_sensor[2] == (0.6, 0.8, 0.0, 0.0)
    assert (moved.swing_offset_rad, moved.zero_standing) == ((0.2, 0.1), (1.0, 0.0, 1.0))
    back = swapped.with_thighs_swapped()
    assert repr(back.header) == repr(replace(header, extra=dict(header.extra)))
