"""Which orientations lean, second by second, and what that says of the seconds around."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.estimators.thinned import Thinned
from latemiles.kernels.lean import find_leans
from latemiles.signals.frames import SEGMENTS
from latemiles.signals.quality import SampleQuality

__all__ = ["Leans"]

I8 = NDArray[np.int64]

_KEPT: Final = 128
"""Seconds that are remembered; more than any lag."""
_SPEAK: Final = np.array([1, 2, 3])
"""Windows that speak for a second, in seconds after it; the first has its middle there."""
_SETTLING: Final = int(SampleQuality.SETTLING)


class Leans:
    """Remembers who leaned in the windows of the last two minutes.

    Parameters
    ----------
    thinned : Thinned
        With its parameters.
    """

    def __init__(self, thinned: Thinned) -> None:
        self._thinned = thinned
        self.masks: I8 = np.zeros(_KEPT, dtype=np.int64)
        """Of the window that ends with second k in row ``k % 128``: see ``kernels.lean.find_leans``."""
        self._level: NDArray[np.float64] = np.empty((len(SEGMENTS), 2))

    def judge(self, number: int, gaits: I8) -> None:
        """Judge the windows that end with seconds ``number`` on, which have these gaits."""
        t = self._thinned
        limit = t.params.lean_m_s2
        find_leans(t.ring, number, len(gaits), t.second, t.window, gaits, limit, self._level, self.masks)

    def flags(self, numbers: I8, newest: int) -> I8:
        """Quality bits (n, lanes) of seconds ``numbers`` (n,); ``newest`` is the last one that was judged."""
        if not self.masks.any():
            return np.zeros((len(numbers), len(SEGMENTS)), dtype=np.int64)
        speak = np.minimum(numbers[:, None] + _SPEAK, newest)
        masks = np.bitwise_or.reduce(self.masks[speak % _KEPT], axis=1)
        bits: I8 = _SETTLING * (masks[:, None] >> np.arange(len(SEGMENTS)) & 1)
        return bits
