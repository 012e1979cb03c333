"""Cutting what arrives anywhere, saving and restoring included, changes no byte of the grid."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from latemiles.estimators.align import AlignParams, AlignStage
from latemiles.signals.blocks import SampleBlock
from latemiles.signals.frames import SEGMENTS

PARAMS = AlignParams(max_wait_s=0.6)


def stream() -> list[SampleBlock]:
    """Three sensors with jitter, a short and a long hole, NaN, a resent packet, one far behind."""
    rng = np.random.default_rng(5)
    timed = []
    for lane, segment in enumerate(SEGMENTS):
        t = 0.02 * lane + np.arange(800) / (207.0 + lane)
        acc, gyr = rng.normal(size=(2, 800, 3))
        flags = rng.integers(0, 2, 800) * 4
        acc[300:305] = np.nan
        for k in range(0, 800, 8):
            s = slice(k, k + 8)
            arrival = t[s][-1] + rng.uniform(0.0, 0.05)
            if lane == 1 and 400 <= k < 440:
                arrival += 0.4
            if lane == 2 and 300 <= k < 500:
                arrival += 0.9
            if lane == 0 and 600 <= k < 608:
                continue
            timed.append((arrival, SampleBlock(segment, t[s], acc[s], gyr[s], flags[s])))
    return [block for _, block in sorted(timed, key=lambda x: x[0])]


STREAM = stream()


def fresh(piece: int) -> AlignStage:
    return AlignStage(200.0, (207.0, 208.0, 209.0), PARAMS, piece)


def run(
    blocks: list[SampleBlock], cuts: list[int], restore: bool, piece: int = 0
) -> tuple[bytes, bytes, bytes]:
    stage = fresh(piece)
    pieces, gaps = [], []
    edges = [0, *sorted(cuts), len(blocks)]
    for a, b in itertools.pairwise(edges):
        if restore:
            saved = stage.save()
            stage = fresh(piece)
            stage.load(saved)
        block, found = stage.push(blocks[a:b])
        pieces.append(block)
        gaps += found
    state = stage.save()
    block, found = stage.finish()
    pieces.append(block)
    arrays = [np.concatenate([p[c] for p in pieces], axis=1).tobytes() for c in (2, 3, 4)]
    return b"".join(arrays), repr(gaps + found).encode(), state


WHOLE = run(STREAM, list(range(len(STREAM))), restore=False)


@settings(max_examples=40, deadline=None)
@given(
    cuts=st.lists(st.integers(0, len(STREAM)), max_size=12),
    restore=st.booleans(),
    piece=st.sampled_from([0, 1, 50, 333]),
)
def test_cutting_what_arrives_changes_no_byte(cuts, restore, piece):
    assert run(STREAM, cuts, restore, piece) == WHOLE


@settings(max_examples=20, deadline=None)
@given(at=st.lists(st.integers(1, 7), min_size=len(STREAM), max_size=len(STREAM)))
def test_cutting_the_packets_themselves_changes_no_byte(at):
    halves = []
    for block, k in zip(STREAM, at, strict=True):
        for s in (slice(0, k), slice(k, None)):
            halves.append(
                SampleBlock(block.segment, block.t_s[s], block.acc[s], block.gyr[s], block.flags[s])
            )
    assert run(halves, list(range(len(halves))), restore=False)[:2] == WHOLE[:2]
