"""Samples on their way through the posture stage, and those that wait for the smoothed basis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from latemiles.kernels.angles import joint_angles, release_seconds
from latemiles.signals.blocks import AngleBlock
from latemiles.signals.events import LiveState

__all__ = ["Held", "KnownSeconds", "Samples", "blank_angles", "fill_angles", "hann", "still_of"]

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]


def hann(count: int) -> F8:
    """Hann weights (count,) without the zeros at the ends, sum 1."""
    weights: F8 = np.hanning(count + 2)[1:-1]
    weights /= weights.sum()
    return weights


@dataclass(frozen=True, slots=True)
class Samples:
    """Consecutive samples of all lanes within one second: some columns of a block."""

    first: int
    """Grid index of the first one."""
    quat: F8
    """(lanes, n, 4) of the block."""
    acc: F8
    """(lanes, n, 3)."""
    quality: I8
    """(lanes, n)."""
    start: int
    """Their columns,"""
    stop: int
    """up to this one."""

    def __len__(self) -> int:
        return self.stop - self.start


class KnownSeconds(NamedTuple):
    """What is known of n whole seconds of k samples."""

    mounts: F8
    """(n, lanes, 4)."""
    heading: F8
    """(n, k)."""
    delta: F8
    """(n, 2, k)."""
    flags: I8
    """(n, lanes)."""


class Held:
    """A ring of seconds of samples.

    Parameters
    ----------
    seconds : int
        How many it holds.
    size : int
        Samples in a second.
    lanes : int
        Rows of the grid.
    """

    def __init__(self, seconds: int, size: int, lanes: int = 3) -> None:
        self.size = size
        self.quat: F8 = np.full((seconds, lanes, size, 4), np.nan)
        self.acc: F8 = np.full((seconds, lanes, size, 3), np.nan)
        self.quality: I8 = np.zeros((seconds, lanes, size), dtype=np.int64)

    def put(self, samples: Samples) -> None:
        """Keep samples of one second; those of long ago are written over."""
        row = samples.first // self.size % len(self.quat)
        at = samples.first % self.size
        here, there = slice(at, at + len(samples)), slice(samples.start, samples.stop)
        self.quat[row, :, here] = samples.quat[:, there]
        self.acc[row, :, here] = samples.acc[:, there]
        self.quality[row, :, here] = samples.quality[:, there]

    def put_seconds(self, first: int, at: int, count: int, quat: F8, acc: F8, quality: I8) -> None:
        """Keep ``count`` whole seconds from grid sample ``first`` on, columns ``at`` on of a block."""
        rows = (first // self.size + np.arange(count)) % len(self.quat)
        here = slice(at, at + count * self.size)
        for kept, whole in ((self.quat, quat), (self.acc, acc), (self.quality, quality)):
            part = whole[:, here]
            kept[rows] = part.reshape(len(part), count, self.size, *part.shape[2:]).swapaxes(0, 1)

    def get(self, first: int, stop: int) -> Samples:
        """Return samples ``first`` to ``stop`` of one second."""
        row = first // self.size % len(self.quat)
        at = first % self.size
        return Samples(first, self.quat[row], self.acc[row], self.quality[row], at, at + stop - first)

    def release(self, first: int, known: KnownSeconds, out: AngleBlock) -> None:
        """Write angles of whole seconds from grid sample ``first`` on."""
        release_seconds(
            (self.quat, self.acc, self.quality),
            first // self.size,
            *known,
            first - out.first,
            (out.pelvis, out.hip, out.force_up, out.force_horizontal, out.quality),
        )


def blank_angles(first: int, count: int, rate_hz: float, lanes: int = 3) -> AngleBlock:
    """A block of angles to be filled in, from grid sample ``first`` on."""
    return AngleBlock(
        first,
        rate_hz,
        np.empty((count, 3)),
        np.empty((lanes - 1, count, 3)),
        np.empty((lanes, count)),
        np.empty((count, 2)),
        np.empty((lanes, count), dtype=np.int64),
    )


def fill_angles(out: AngleBlock, samples: Samples, mounts: F8, heading: F8, delta: F8, flags: I8) -> None:
    """Write angles of samples, see ``kernels.angles``; ``flags`` (lanes,) are added to their quality."""
    at = samples.first - out.first
    joint_angles(
        np.ascontiguousarray(samples.quat),
        np.ascontiguousarray(samples.acc),
        samples.start,
        mounts,
        heading,
        delta,
        at,
        out.pelvis,
        out.hip,
        out.force_up,
        out.force_horizontal,
    )
    said = samples.quality[:, samples.start : samples.stop]
    np.bitwise_or(said, flags[:, None], out=out.quality[:, at : at + len(samples)])


def still_of(angles: AngleBlock) -> LiveState:
    """The newest posture of a block."""
    last = angles.pelvis.shape[0] - 1

    def three(row: F8) -> tuple[float, float, float]:
        return float(row[0]), float(row[1]), float(row[2])

    return LiveState(
        (angles.first + last) / angles.rate_hz,
        three(angles.pelvis[last]),
        three(angles.hip[0, last]),
        three(angles.hip[1, last]),
    )
