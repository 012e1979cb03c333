"""What is known of the posture at some samples: which mounts hold, and how far headings are to be trusted."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from latemiles.estimators.heading import RelativeHeading
from latemiles.estimators.posture_params import PostureParams
from latemiles.signals.frames import SEGMENTS
from latemiles.signals.quality import SampleQuality

__all__ = ["Anchors", "Known", "bends", "doubts", "flags_of", "flags_of_each"]

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

_LANES: Final = len(SEGMENTS)
_UNCALIBRATED: Final = int(SampleQuality.UNCALIBRATED)
_HEADING_UNCERTAIN: Final = int(SampleQuality.HEADING_UNCERTAIN)
_BEND: Final = int(SampleQuality.BEND)
_SLIPPED: Final = int(SampleQuality.SLIPPED)
_BITS: Final = (0, _UNCALIBRATED, _HEADING_UNCERTAIN)
"""What a doubt says of a thigh; hips that disagree say nothing of a heading that is unknown."""
_KEPT: Final = 8
"""Slips whose mounts are remembered."""

Known = tuple[F8, F8, F8, I8]
"""Mounts (lanes, 4), progression heading (k,), relative headings (2, k), flags (lanes,)."""


class Anchors:
    """From which grid sample on which mounts hold; the first hold before their sample too.

    Parameters
    ----------
    near : float
        Samples on either side of a slip that are marked.
    """

    def __init__(self, near: float) -> None:
        self._near = near
        self._since: list[tuple[int, F8]] = []
        self.mounts: F8 = np.full((_LANES, 4), np.nan)
        """Those now known, (lanes, 4); NaN while unknown."""

    def start(self, mounts: F8, sample: int) -> None:
        """Begin with mounts that hold for all samples."""
        self.mounts = mounts
        self._since = [(sample, mounts)]

    def add(self, mounts: F8, sample: int) -> None:
        """After a slip at a sample."""
        self.mounts = mounts
        self._since = [*self._since[-_KEPT:], (sample, mounts.copy())]

    def at(self, first: int, count: int) -> tuple[F8, bool]:
        """Mounts of samples ``first`` on, and whether a slip is near."""
        mounts, slips = self.mounts, False
        for k, (sample, anchored) in enumerate(self._since):
            if k == 0 or sample <= first:
                mounts = anchored
            slips = slips or (k > 0 and abs(first + 0.5 * count - sample) < self._near)
        return mounts, slips

    def at_each(self, firsts: I8, count: int) -> tuple[F8, NDArray[np.bool_]]:
        """``at`` of stretches that begin at samples ``firsts`` (n,): (n, lanes, 4) and (n,)."""
        if len(self._since) < 2:
            mounts = self._since[0][1] if self._since else self.mounts
            return np.broadcast_to(mounts, (len(firsts), *mounts.shape)), np.zeros(len(firsts), dtype=bool)
        known = [self.at(first, count) for first in firsts.tolist()]
        return np.array([mounts for mounts, _ in known]), np.array([slips for _, slips in known])

    def save(self) -> list[Any]:
        """State as plain values, but for ``mounts``."""
        return [(k, m.tolist()) for k, m in self._since]

    def load(self, state: list[Any]) -> None:
        """Continue from ``save``."""
        self._since = [(k, np.array(m)) for k, m in state]


def bends(p: PostureParams, turning: F8, pace: Callable[[F8], F8], t_s: F8) -> NDArray[np.bool_]:
    """Whether the runner turns (rad/s) at rising times (n,) more than speed accounts for, (n,)."""
    rate = np.abs(turning)
    turns = rate > p.bend_rad_s
    if turns.any():
        rate = rate[turns]
        turns[turns] = ~((rate * pace(t_s[turns]) <= p.sharp_m_s2) & (rate <= p.sharp_rad_s))
    return turns


def doubts(relative: RelativeHeading, uncertain_rad: float) -> list[int]:
    """Of each side 0 where the relative heading is sound, 1 unknown, 2 uncertain."""
    known = relative.known.tolist()
    return [2 * (relative.sd(side) > uncertain_rad) if known[side] else 1 for side in (0, 1)]


def flags_of(
    mounts: F8, doubt: list[int], disagrees: tuple[bool, bool], *, turns: bool, slips: bool = False
) -> list[int]:
    """Quality bits of each lane; ``disagrees`` is what the hips' second opinion says of each side."""
    flags = [0 if isfinite(w) else _UNCALIBRATED for w in mounts[:, 0].tolist()]
    for side, how in enumerate(doubt):
        flags[1 + side] |= _BITS[how or 2 * disagrees[side]]
    more = (_BEND if turns else 0) | (_SLIPPED if slips else 0)
    return [bits | more for bits in flags]


def flags_of_each(
    mounts: F8, doubt: I8, disagrees: tuple[bool, bool], turns: NDArray[np.bool_], slips: NDArray[np.bool_]
) -> I8:
    """``flags_of`` many times over: (n, lanes) of (n, lanes, 4), (n, 2), (n,) and (n,)."""
    flags: I8 = np.where(np.isfinite(mounts[:, :, 0]), 0, _UNCALIBRATED)
    flags[:, 1:] |= np.array(_BITS)[np.where(doubt == 0, 2 * np.array(disagrees), doubt)]
    flags |= (_BEND * turns + _SLIPPED * slips)[:, None]
    return flags
