"""Clipping of raw counts, the same for every family with 16-bit samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from latemiles.signals.quality import SampleQuality

__all__ = ["clipping"]


def clipping(acc: NDArray[Any], gyr: NDArray[Any]) -> NDArray[np.int64]:
    """SampleQuality bits of (k, 3) int16 counts: those at either end of the scale."""
    flags = np.zeros(len(acc), dtype=np.int64)
    for counts, bit in ((acc, SampleQuality.ACC_CLIPPED), (gyr, SampleQuality.GYR_CLIPPED)):
        flags[((counts >= 32767) | (counts <= -32768)).any(axis=1)] |= int(bit)
    return flags
