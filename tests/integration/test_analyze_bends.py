"""Bends through the whole pipeline: with speed their strides count, sharp turns do not."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from latemiles.pipeline import Pipeline
from latemiles.recording.reader import Recording
from latemiles.sensors.registry import driver_for
from latemiles.signals.events import Event, Stride
from latemiles.signals.quality import StrideQuality
from latemiles.signals.records import Speed

RECORDINGS = Path(__file__).resolve().parents[2] / "recordings"


def turned(events: list[Event]) -> np.ndarray:
    """Whether each running stride is marked as turning."""
    strides = [e for e in events if isinstance(e, Stride)]
    bits = np.array([s.quality for s in strides])
    return bits[(bits & StrideQuality.NOT_RUNNING) == 0] & StrideQuality.TURN != 0


def said(name: str, *, has_speed: bool) -> list[Event]:
    """Events of a recording, heard with or without its watch."""
    return played(name, has_speed=has_speed)[0]


@cache
def played(name: str, *, has_speed: bool) -> tuple[list[Event], bool]:
    """Events, and whether the runner was seen to move over ground."""
    with Recording.open(RECORDINGS / f"{name}.mcap") as recording:
        pipeline = Pipeline(recording.header, driver_for)
        kept = (r for r in recording.records() if has_speed or not isinstance(r, Speed))
        events = [e for record in kept for e in pipeline.push(record)]
    return events + pipeline.finish(), pipeline.first_pass.is_over_ground


def test_strides_in_the_bends_of_a_track_count_when_speed_is_known():
    assert not turned(said("track_tiring", has_speed=True)).any()
    assert turned(said("track_tiring", has_speed=False)).mean() > 0.3


@pytest.mark.parametrize("has_speed", [False, True])
def test_turning_about_is_marked_whether_speed_is_known_or_not(has_speed):
    assert turned(said("stop_and_turn", has_speed=has_speed)).sum() >= 2


def test_who_runs_through_a_bend_is_over_ground_and_who_runs_straight_may_be_on_a_treadmill():
    assert played("track_tiring", has_speed=True)[1]
    assert not played("easy_run", has_speed=True)[1]
