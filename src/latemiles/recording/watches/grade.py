"""Grade from elevation: the slope of the ground over a stretch that the source of the elevation can bear."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["STRETCH_M", "grade_of"]

F8 = NDArray[np.float64]

STRETCH_M: Final = {"barometer": 80.0, "not stated": 300.0}
"""Length of the stretch whose slope is taken, m. A barometer errs by decimetres from moment to moment; the
elevation of a receiver wanders by metres over minutes, which over a short stretch looks like a hill."""
LEAST_SHARE: Final = 0.5
"""The points must span this share of the stretch."""
LEAST_POINTS: Final = 5
STEEPEST: Final = 0.5
"""Nobody runs on steeper ground; what is above is an error of the elevation."""


def grade_of(distance_m: F8, elevation_m: F8, stretch_m: float) -> F8:
    """Rise over run at each point: least-squares line of elevation on distance over a stretch around it.

    Parameters
    ----------
    distance_m : float64 array, shape (n,)
        Distance covered, not decreasing; NaN where not known.
    elevation_m : float64 array, shape (n,)
        Elevation, m; NaN where not known.
    stretch_m : float
        Length of the stretch, m.

    Returns
    -------
    float64 array, shape (n,)
        A fraction; NaN where distance or elevation is not known or the points around are too few.
    """
    out = np.full(len(distance_m), np.nan)
    known = np.flatnonzero(np.isfinite(distance_m) & np.isfinite(elevation_m))
    if known.size < LEAST_POINTS:
        return out
    x = distance_m[known] - distance_m[known[0]]
    z = elevation_m[known] - elevation_m[known[0]]
    low = np.searchsorted(x, x - 0.5 * stretch_m)
    high = np.searchsorted(x, x + 0.5 * stretch_m, side="right")

    def total(values: F8) -> F8:
        sums = np.concatenate([[0.0], np.cumsum(values)])
        return np.asarray(sums[high] - sums[low])

    n = (high - low).astype(np.float64)
    mean_x, mean_z = total(x) / n, total(z) / n
    spread = total(x * x) / n - mean_x**2
    common = total(x * z) / n - mean_x * mean_z
    enough = (n >= LEAST_POINTS) & (x[high - 1] - x[low] >= LEAST_SHARE * stretch_m)
    slope = np.where(enough, common / np.where(spread > 0.0, spread, np.nan), np.nan)
    out[known] = np.where(np.abs(slope) <= STEEPEST, slope, np.nan)
    return out
