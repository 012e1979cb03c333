"""Saving and restoring the clock anywhere changes no byte."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from latemiles.estimators.clock import ClockStage
from latemiles.signals.frames import Segment
from reference.clocks import CAPABILITIES, Sent, sensor

ONE = sensor(8.0, epoch=0)
TWO = sensor(8.0, epoch=1, start_s=15.0, first_tick=5, seed=2)
BACK, AHEAD = (
    [replace(s, packet=s.packet._replace(tick=s.packet.tick + step)) for s in TWO[at:stop]]
    for at, stop, step in ((50, 90, -3000), (90, 200, 2500))
)
STREAM = ONE[:40] + ONE[43:80] + ONE[40:42] + ONE[80:] + TWO[:48] + BACK[2:] + BACK[:2] + AHEAD


def fresh() -> ClockStage:
    return ClockStage(Segment.PELVIS, 208.0, CAPABILITIES)


def run(stream: list[Sent], cuts: list[int]) -> tuple[bytes, bytes]:
    clock = fresh()
    out = []
    for k, item in enumerate(stream):
        if k in cuts:
            saved = clock.save()
            clock = fresh()
            clock.load(saved)
            assert clock.save() == saved
        timed = clock.push(item.packet, item.arrival_ns)
        out.append(b"" if timed.block is None else timed.block.t_s.tobytes() + timed.block.acc.tobytes())
    return b"".join(out), clock.save()


WHOLE = run(STREAM, [])


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=6))
def test_saving_and_restoring_the_clock_changes_no_byte(cuts):
    assert run(STREAM, cuts) == WHOLE


@settings(max_examples=30, deadline=None)
@given(order=st.permutations(range(12)), seed=st.integers(0, 3))
def test_any_order_of_arrival_keeps_every_sample_once(order, seed):
    stream = sensor(1.0, seed=seed)[:12]
    clock = fresh()
    kept = []
    for k in order:
        block = clock.push(stream[k].packet, stream[k].arrival_ns).block
        kept += [] if block is None else block.acc[:, 0].tolist()
    assert len(kept) == len(set(kept))
    # What lies before the first packet heard belongs to nobody's hole and may be left out.
    first = stream[order[0]].packet.first_index
    assert set(range(first, 120)) <= set(kept)
