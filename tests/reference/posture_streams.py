"""Streams for the tests of the posture stage: real running kinematics, with the orientation worked out."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from latemiles.estimators.orientation import OrientationStage
from latemiles.estimators.posture import Calibration, PostureStage
from latemiles.signals.blocks import AngleBlock, GridBlock, OrientationBlock
from latemiles.signals.events import Event
from latemiles.signals.frames import SEGMENTS, Segment, quat_conj, quat_rotate
from reference.rbds import Session, rbds_session

RATE_HZ = 100.0


@dataclass(frozen=True)
class Stream:
    grid: GridBlock
    orient: OrientationBlock

    def cut(self, first: int, stop: int) -> tuple[GridBlock, OrientationBlock]:
        g, o = self.grid, self.orient
        here = slice(first - g.first, stop - g.first)
        return (
            GridBlock(first, g.rate_hz, *[x[:, here] for x in g[2:]]),
            OrientationBlock(first, o.rate_hz, *[x[:, here] for x in o[2:]]),
        )

    def __len__(self) -> int:
        return self.grid.quality.shape[1]


@dataclass(frozen=True)
class Result:
    pelvis: np.ndarray
    hip: np.ndarray
    force_up: np.ndarray
    force_horizontal: np.ndarray
    quality: np.ndarray
    events: tuple[Event, ...]
    firsts: tuple[int, ...]
    calibration: Calibration | None
    state: bytes

    def of(self, kind: type) -> list:
        return [e for e in self.events if isinstance(e, kind)]

    def tobytes(self) -> bytes:
        arrays = (self.pelvis, self.hip, self.force_up, self.force_horizontal, self.quality)
        return b"".join(a.tobytes() for a in arrays) + repr(self.events).encode()


@cache
def session(trial: str = "3.5ms", seed: int = 2, squats: int = 3) -> Session:
    return rbds_session(trial, seed=seed, rate_hz=RATE_HZ, squats=squats)


def stream_of(acc: np.ndarray, gyr: np.ndarray, basis: str = "causal", rate_hz: float = RATE_HZ) -> Stream:
    grid = GridBlock(0, rate_hz, acc, gyr, np.zeros(acc.shape[:2], dtype=np.int64))
    stage = OrientationStage(rate_hz, basis=basis)
    parts = stage.push(grid)[1], stage.finish()[1]
    joined = [np.concatenate([p[k] for p in parts], axis=1) for k in range(2, 6)]
    return Stream(grid, OrientationBlock(0, rate_hz, *joined))


@cache
def stream(trial: str = "3.5ms", seed: int = 2, squats: int = 3, basis: str = "causal") -> Stream:
    s = session(trial, seed, squats)
    acc = np.stack([s.streams[x].acc for x in SEGMENTS])
    gyr = np.stack([s.streams[x].gyr for x in SEGMENTS])
    return stream_of(acc, gyr, basis)


def without(whole: Stream, lane: int, first: int = 0, stop: int | None = None) -> Stream:
    """The stream with one sensor silent between two samples; orientation worked out anew."""
    acc, gyr = whole.grid.acc.copy(), whole.grid.gyr.copy()
    acc[lane, first:stop] = np.nan
    gyr[lane, first:stop] = np.nan
    return stream_of(acc, gyr)


def drive(stage: PostureStage, whole: Stream, cuts: Sequence[int] = ()) -> Result:
    parts: list[AngleBlock] = []
    events: list[Event] = []
    edges = [0, *sorted(cuts), len(whole)]
    for a, b in itertools.pairwise(edges):
        block, found = stage.push(*whole.cut(a, b))
        parts.append(block)
        events += found
    state = stage.save()
    block, found = stage.finish()
    parts.append(block)
    events += found
    return Result(
        np.concatenate([p.pelvis for p in parts]),
        np.concatenate([p.hip for p in parts], axis=1),
        np.concatenate([p.force_up for p in parts], axis=1),
        np.concatenate([p.force_horizontal for p in parts]),
        np.concatenate([p.quality for p in parts], axis=1),
        tuple(events),
        tuple(p.first for p in parts),
        stage.calibration,
        state,
    )


def two_passes(trial: str = "3.5ms", seed: int = 2, squats: int = 3) -> Result:
    first = drive(PostureStage(RATE_HZ), stream(trial, seed, squats))
    second = PostureStage(RATE_HZ, basis="smoothed", known=first.calibration)
    return drive(second, stream(trial, seed, squats, "smoothed"))


def turned(whole: Stream, quats: np.ndarray) -> Stream:
    """The stream with each sensor remounted: ``quats`` (lanes, 4) take old sensor axes to new ones."""
    from latemiles.signals.frames import quat_conj, quat_multiply, quat_rotate

    g, o = whole.grid, whole.orient
    q = quats[:, None]
    return replace(
        whole,
        grid=g._replace(acc=quat_rotate(q, g.acc), gyr=quat_rotate(q, g.gyr)),
        orient=o._replace(quat=quat_multiply(o.quat, quat_conj(q)), gyr_bias=quat_rotate(q, o.gyr_bias)),
    )


@cache
def long_stream() -> Stream:
    """The session with its running part played five times, joined where all segments match best."""
    s = session()
    truth = np.stack([s.quat_earth_sensor[x] for x in SEGMENTS])
    first = round(s.running[0] * RATE_HZ) + 50
    last = len(s.t) - 30
    starts, ends = np.arange(first, first + 160), np.arange(last - 160, last)
    alike = np.einsum("lik,ljk->lij", truth[:, starts], truth[:, ends])
    miss = np.arccos(np.clip(abs(alike), 0.0, 1.0)).sum(axis=0)
    i, j = np.unravel_index(np.argmin(miss), miss.shape)
    a, b = starts[i], ends[j]
    g = stream().grid
    acc, gyr = (np.concatenate([x[:, :b], *[x[:, a:b]] * 4], axis=1) for x in (g.acc, g.gyr))
    return stream_of(acc, gyr)


def slipping(at: int) -> Stream:
    """The same with the pelvis's sensor tilted by three degrees from a sample on."""
    s, whole = session(), long_stream()
    axis = quat_rotate(quat_conj(s.mounting[Segment.PELVIS]), np.array([0.0, 1.0, 0.0]))
    half = np.radians(1.5)
    turn = np.concatenate([[np.cos(half)], np.sin(half) * axis])
    acc, gyr = whole.grid.acc.copy(), whole.grid.gyr.copy()
    acc[0, at:], gyr[0, at:] = quat_rotate(turn, acc[0, at:]), quat_rotate(turn, gyr[0, at:])
    return stream_of(acc, gyr)
