"""Room for what a run of seconds says of each of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from latemiles.kernels.heading import FEATURES
from latemiles.signals.frames import SEGMENTS

__all__ = ["SecondsRun", "blank_run"]

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]


class SecondsRun(NamedTuple):
    """What a run of m seconds says of each, see ``kernels.seconds.run_seconds``."""

    features: F8
    """(m, lanes, 7)."""
    gait: I8
    """(m,)."""
    heading: F8
    """(m, k) rad; this and what follows of the second that is released with it."""
    delta: F8
    """(m, 2, k) rad."""
    doubt: I8
    """(m, 2)."""
    turning: F8
    """(m,) rad/s."""


def blank_run(most: int, samples: int) -> SecondsRun:
    """Room for up to ``most`` seconds of ``samples`` samples, not filled in."""
    return SecondsRun(
        np.empty((most, len(SEGMENTS), FEATURES)),
        np.empty(most, dtype=np.int64),
        np.empty((most, samples)),
        np.empty((most, 2, samples)),
        np.empty((most, 2), dtype=np.int64),
        np.empty(most),
    )
