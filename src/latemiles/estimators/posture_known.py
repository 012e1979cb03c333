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

__all__ = ["Anchors", "Known", "bends", "doubts", "either", "flags_of", "flags_of_each"]

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
        self._since: list[tuple[int, F8, tuple[bool, bool]]] = []
        self.mounts: F8 = np.full((_LANES, 4), np.nan)
        """Those now known, (lanes, 4); NaN while unknown."""

    def start(self, mounts: F8, sample: int) -> None:
        """Begin with mounts that hold for all samples."""
        self.mounts = mounts
        self._since = [(sample, mounts, (False, False))]

    def add(self, mounts: F8, sample: int, turned: tuple[bool, bool] = (False, False)) -> None:
        """After a slip at a sample; ``turned`` says of each hip whether it may have lost its rotation."""
        was = self._since[-1][2] if self._since else (False, False)
        self.mounts = mounts
        lost = either(was, turned)
        self._since = [*self._since[-_KEPT:], (sample, mounts.copy(), lost)]

    @property
    def turned(self) -> tuple[bool, bool]:
        """Whether each hip may have lost its rotation by now."""
        return self._since[-1][2] if self._since else (False, False)

    def at(self, first: int, count: int) -> tuple[F8, bool, tuple[bool, bool]]:
        """Mounts of samples ``first`` on, whether a slip is near, and ``turned`` as it was then."""
        mounts, slips, turned = self.mounts, False, (False, False)
        for k, (sample, anchored, lost) in enumerate(self._since):
            if k == 0 or sample <= first:
                mounts, turned = anchored, lost
            slips = slips or (k > 0 and abs(first + 0.5 * count - sample) < self._near)
        return mounts, slips, turned

    def at_each(self, firsts: I8, count: int) -> tuple[F8, NDArray[np.bool_], NDArray[np.bool_]]:
        """``at`` of stretches that begin at samples ``firsts`` (n,): (n, lanes, 4), (n,) and (n, 2)."""
        n = len(firsts)
        if len(self._since) < 2:
            mounts, turned = self._since[0][1:] if self._since else (self.mounts, (False, False))
            each, lost = np.empty((n, *mounts.shape)), np.empty((n, 2), dtype=bool)
            each[:], lost[:] = mounts, turned
            return each, np.zeros(n, dtype=bool), lost
        known = [self.at(first, count) for first in firsts.tolist()]
        mounts_of, slips_of, turned_of = zip(*known, strict=True)
        return np.array(mounts_of), np.array(slips_of), np.array(turned_of)

    def save(self) -> list[Any]:
        """State as plain values, but for ``mounts``."""
        return [(k, m.tolist(), list(lost)) for k, m, lost in self._since]

    def load(self, state: list[Any]) -> None:
        """Continue from ``save``."""
        self._since = [(k, np.array(m), (bool(a), bool(b))) for k, m, (a, b) in state]


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


def either(one: tuple[bool, bool], other: tuple[bool, bool]) -> tuple[bool, bool]:
    """Of each side whether one of two holds."""
    return one[0] or other[0], one[1] or other[1]


def flags_of(
    mounts: F8, doubt: list[int], disagrees: tuple[bool, bool], *, turns: bool, slips: bool = False
) -> list[int]:
    """Quality bits of each lane; ``disagrees`` is what else makes each side's rotation uncertain."""
    flags = [0 if isfinite(w) else _UNCALIBRATED for w in mounts[:, 0].tolist()]
    for side, how in enumerate(doubt):
        flags[1 + side] |= _BITS[how or 2 * disagrees[side]]
    more = (_BEND if turns else 0) | (_SLIPPED if slips else 0)
    return [bits | more for bits in flags]


def flags_of_each(
    mounts: F8,
    doubt: I8,
    disagrees: tuple[bool, bool] | NDArray[np.bool_],
    turns: NDArray[np.bool_],
    slips: NDArray[np.bool_],
) -> I8:
    """``flags_of`` many times over: (n, lanes) of (n, lanes, 4), (n, 2), (2,) or (n, 2), (n,) and (n,)."""
    flags: I8 = np.where(np.isfinite(mounts[:, :, 0]), 0, _UNCALIBRATED)
    flags[:, 1:] |= np.array(_BITS)[np.where(doubt == 0, 2 * np.array(disagrees), doubt)]
    flags |= (_BEND * turns + _SLIPPED * slips)[:, None]
    return flags
