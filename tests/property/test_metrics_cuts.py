"""Cutting angles and events anywhere, saving and restoring included, changes no stride and no state byte."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from latemiles.metrics.strides import StrideStage
from latemiles.signals.events import Slip, Stride, event_bytes
from latemiles.signals.frames import Segment
from latemiles.signals.records import Speed
from latemiles.trends.monitor import TrendMonitor
from reference.made_up_strides import RATE_HZ, Hour, hour_of_strides, steady_run, strides_of

RUN = steady_run(16.0)
N = RUN.angles.pelvis.shape[0]
EVENTS = sorted(
    [*RUN.events, *(Speed(0, float(k), speed_m_s=3.0) for k in range(14))], key=lambda event: event.t_s
)
LATENCY = 90
"""Samples by which an event comes after the moment that it tells of."""


def strides_when_cut(cuts: list[int], restore: bool) -> tuple[list[Stride], bytes]:
    stage = StrideStage(RATE_HZ)
    strides: list[Stride] = []
    edges = [0, *sorted(cuts), N, N + 10_000]
    told = 0
    for start, stop in itertools.pairwise(edges):
        due = [e for e in EVENTS[told:] if e.t_s * RATE_HZ + LATENCY < stop]
        told += len(due)
        strides += stage.push(RUN.piece(start, min(stop, N)) if start < N else None, due)
        if restore:
            state = stage.save()
            stage = StrideStage(RATE_HZ)
            stage.load(state)
    return strides, stage.save()


WHOLE = strides_when_cut([], False)


@settings(max_examples=12, deadline=None)
@given(cuts=st.lists(st.integers(0, N), max_size=25), restore=st.booleans())
def test_cutting_the_stream_changes_no_stride_and_no_state(cuts: list[int], restore: bool) -> None:
    strides, state = strides_when_cut(cuts, restore)
    assert event_bytes(strides) == event_bytes(WHOLE[0])
    assert state == WHOLE[1]


HOUR = strides_of(hour_of_strides(Hour(minutes=14.0), 3))
SLIP = Slip(HOUR[1900].t_s, Segment.PELVIS, 0.05)


def monitor_when_saved_at(at: set[int]) -> tuple[bytes, bytes]:
    monitor = TrendMonitor()
    out = []
    for k, stride in enumerate(HOUR):
        if k == 1900:
            out += monitor.push(SLIP)
        out += monitor.push(stride)
        if k in at:
            state = monitor.save()
            monitor = TrendMonitor()
            monitor.load(state)
    state = monitor.save()
    return event_bytes(out + monitor.finish()), state


UNSAVED = monitor_when_saved_at(set())


@settings(max_examples=4, deadline=None)
@given(at=st.sets(st.integers(0, len(HOUR) - 1), max_size=10))
def test_saving_and_restoring_the_monitor_changes_nothing(at: set[int]) -> None:
    assert monitor_when_saved_at(at) == UNSAVED
