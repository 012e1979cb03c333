"""Samples on their way through the posture stage, and those that wait for the smoothed basis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latemiles.kernels.angles import joint_angles
from latemiles.signals.blocks import AngleBlock

__all__ = ["Held", "Samples", "angles_of", "hann", "joined"]

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]


def hann(count: int) -> F8:
    """Hann weights (count,) without the zeros at the ends, sum 1."""
    weights: F8 = np.hanning(count + 2)[1:-1]
    weights /= weights.sum()
    return weights


@dataclass(frozen=True, slots=True)
class Samples:
    """Consecutive samples of all lanes within one second."""

    first: int
    quat: F8
    """(lanes, k, 4)."""
    acc: F8
    """(lanes, k, 3)."""
    quality: I8
    """(lanes, k)."""

    def __len__(self) -> int:
        return int(self.quality.shape[1])


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
        here = slice(at, at + len(samples))
        self.quat[row, :, here] = samples.quat
        self.acc[row, :, here] = samples.acc
        self.quality[row, :, here] = samples.quality

    def get(self, first: int, stop: int) -> Samples:
        """Return samples ``first`` to ``stop`` of one second."""
        row = first // self.size % len(self.quat)
        here = slice(first % self.size, first % self.size + stop - first)
        return Samples(
            first,
            np.ascontiguousarray(self.quat[row, :, here]),
            np.ascontiguousarray(self.acc[row, :, here]),
            np.ascontiguousarray(self.quality[row, :, here]),
        )


def angles_of(samples: Samples, rate_hz: float, mounts: F8, heading: F8, delta: F8, flags: I8) -> AngleBlock:
    """Angles of samples, see ``kernels.angles.joint_angles``; ``flags`` (lanes,) are added to the quality."""
    lanes, n = samples.quality.shape
    out = AngleBlock(
        samples.first,
        rate_hz,
        np.empty((n, 3)),
        np.empty((2, n, 3)),
        np.empty((lanes, n)),
        np.empty((n, 2)),
        samples.quality | flags[:, None],
    )
    joint_angles(samples.quat, samples.acc, mounts, heading, delta, *out[2:6])
    return out


def joined(parts: list[AngleBlock], first: int, rate_hz: float, lanes: int = 3) -> AngleBlock:
    """One block of several that follow on each other; empty, at ``first``, if there are none."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        none = np.empty((lanes, 0))
        return AngleBlock(
            first,
            rate_hz,
            np.empty((0, 3)),
            np.empty((2, 0, 3)),
            none,
            np.empty((0, 2)),
            np.empty((lanes, 0), dtype=np.int64),
        )
    return AngleBlock(
        parts[0].first,
        rate_hz,
        np.concatenate([p.pelvis for p in parts]),
        np.concatenate([p.hip for p in parts], axis=1),
        np.concatenate([p.force_up for p in parts], axis=1),
        np.concatenate([p.force_horizontal for p in parts]),
        np.concatenate([p.quality for p in parts], axis=1),
    )
