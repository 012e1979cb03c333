"""Which sensors' orientations lean: over whole strides the mean force of each must point straight up.

Whoever walks or runs speeds up with the whole body, and not for long. A mean level force that one sensor has
and another has not is gravity, seen by an orientation that leans: g times the sine of the lean. Lost packets
may leave such a one, which the filter then takes for a change of speed.
"""

from __future__ import annotations

import math
from typing import Final

from latemiles.kernels.jit import njit
from latemiles.kernels.quaternion import rotate

__all__ = ["find_leans"]

WHOLE: Final = 0.99
"""Share of a window that has to be heard: a stride without one of its quarters has a mean of its own."""


@njit(cache=True)
def _level_force(ring, end, weights, lane):
    """Mean level part of a lane's force in its earth frame, m/s^2, and the share of the window heard."""
    n, w = ring.shape[0], weights.shape[0]
    total = x = y = 0.0
    row = (end - w - 1) % n
    for j in range(w):
        row = row + 1 if row + 1 < n else 0
        b = ring[row, lane]
        if math.isfinite(b[0]):
            fx, fy, _ = rotate(b[0], b[1], b[2], b[3], b[7], b[8], b[9])
            total += weights[j]
            x += weights[j] * fx
            y += weights[j] * fy
    return math.sqrt(x * x + y * y), total


@njit(cache=True)
def find_leans(ring, number, count, second, weights, gaits, limit, level, leans):
    """Judge the windows that end with each of ``count`` seconds.

    Parameters
    ----------
    ring : float64 array, shape (n, lanes, 10)
        Bins, see ``posture_bins``; those of the windows are all there.
    number, count : int
        Number of the first second since the stream began, and how many there are.
    second : int
        Bins in a second.
    weights : float64 array, shape (w,)
        Of a window, sum 1.
    gaits : int64 array, shape (count,)
        Gait of each second, 0 for none.
    limit : float
        Level force beyond that of the steadiest sensor from which a lane leans, m/s^2.
    level : float64 array, shape (lanes, 2)
        Scratch.
    leans : int64 array, shape (m,)
        Second k in row ``k % m``: bit ``1 << lane`` where a lane leans; changed in place. A window with holes
        says what the one before it said.
    """
    lanes = ring.shape[1]
    for k in range(count):
        mask = 0
        if gaits[k] > 0:
            before = leans[(number + k - 1) % leans.shape[0]]
            end = (number + k + 1) * second
            least, heard = math.inf, 0
            for lane in range(lanes):
                level[lane, 0], level[lane, 1] = _level_force(ring, end, weights, lane)
                if level[lane, 1] > WHOLE:
                    least = min(least, level[lane, 0])
                    heard += 1
            for lane in range(lanes):
                if level[lane, 1] > WHOLE and heard > 1:
                    mask |= (1 << lane) if level[lane, 0] - least > limit else 0
                else:
                    mask |= before & (1 << lane)
        leans[(number + k) % leans.shape[0]] = mask
