"""What a runner is told to do over ground, sample by sample: input of the orientation stage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latemiles.signals.frames import quat_conj, quat_rotate

__all__ = ["Course", "ahead_of", "no_course"]

F8 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Course:
    """Speed of the runner at k samples of the grid."""

    pace_m_s: F8
    """(k,) speed over ground, m/s; NaN while unknown."""
    gained_m_s: F8
    """(k,) what of it was gained since the sample before, m/s."""

    def part(self, start: int, stop: int) -> Course:
        """Samples ``start`` to ``stop``."""
        return Course(self.pace_m_s[start:stop], self.gained_m_s[start:stop])

    def or_else(self, guess_m_s: F8) -> Course:
        """The same with a guess (k,), m/s, where nothing is known."""
        return Course(np.where(np.isnan(self.pace_m_s), guess_m_s, self.pace_m_s), self.gained_m_s)


def no_course(k: int) -> Course:
    """Nothing known about speed at k samples."""
    return Course(np.full(k, np.nan), np.zeros(k))


def ahead_of(mounts: F8) -> F8:
    """Forward axes (lanes, 3) of segments in their sensors' axes, from mounts (lanes, 4); NaN stays NaN."""
    axes: F8 = quat_rotate(quat_conj(mounts), np.array([1.0, 0.0, 0.0]))
    return axes
