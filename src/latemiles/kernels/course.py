"""Acceleration of a runner who is told to move at some speed: what bends and changes of speed add to gravity.

A runner of speed ``v`` who faces ``h`` (a horizontal unit vector) has the velocity ``v h``. Its change

    a = v dh/dt + dv/dt h

is the centripetal and the longitudinal acceleration; taken off the specific force before it is averaged, what
remains is gravity and motion that averages out. Each sensor knows its own ``h`` from its mounting, in its own
earth frame, so no heading is shared. ``h`` is taken whole, not its rate: it swings to and fro with every
stride, and what a rate sums up to wrongly a difference of two directions does not.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from latemiles.kernels.quaternion import rotate

__all__ = ["COURSE_FIELDS", "aim", "follow_course"]

COURSE_FIELDS = [
    ("ahead", np.float64, (3,)),  # forward axis of the segment in sensor axes; zero while unknown
    ("course_1", np.float64, (2,)),  # direction of progression, first and second low-pass, earth frame
    ("course_2", np.float64, (2,)),
    ("on_course", np.int64),  # 1 once the low-passes have seen a direction
]
"""Fields that every orientation state has for ``follow_course``."""

SMALLEST_LEVEL = 0.3
"""Level part of the forward axis below which it has no heading: a runner who bows by 72 degrees."""


@njit(cache=True)
def aim(states, ahead):
    """Take over the forward axes (lanes, 3), sensor frame, NaN while unknown.

    A lane whose axis is another than before starts its direction anew.
    """
    for lane in range(ahead.shape[0]):
        st = states[lane]
        known = math.isfinite(ahead[lane, 0] + ahead[lane, 1] + ahead[lane, 2])
        for j in range(3):
            axis = ahead[lane, j] if known else 0.0
            if axis != st.ahead[j]:
                st.on_course = 0
            st.ahead[j] = axis


@njit(cache=True)
def follow_course(st, gain, w, x, y, z, pace, gained):
    """Change of the runner's velocity since the last sample, x and y in the earth frame, m/s.

    Parameters
    ----------
    st : record with ``COURSE_FIELDS``
        Changed in place.
    gain : float
        Of the two low-passes of the direction, 0 to 1.
    w, x, y, z : float
        Sensor to earth.
    pace : float
        Speed over ground, m/s; NaN while unknown, then there is no change.
    gained : float
        Speed gained since the last sample, m/s.
    """
    if not math.isfinite(pace):
        st.on_course = 0
        return 0.0, 0.0
    hx, hy, _ = rotate(w, x, y, z, st.ahead[0], st.ahead[1], st.ahead[2])
    level = math.sqrt(hx * hx + hy * hy)
    if not level > SMALLEST_LEVEL:
        return 0.0, 0.0
    hx /= level
    hy /= level
    first, second = st.course_1, st.course_2
    if st.on_course == 0:
        st.on_course = 1
        first[0] = second[0] = hx
        first[1] = second[1] = hy
        return gained * hx, gained * hy
    first[0] += gain * (hx - first[0])
    first[1] += gain * (hy - first[1])
    dx = gain * (first[0] - second[0])
    dy = gain * (first[1] - second[1])
    second[0] += dx
    second[1] += dy
    return pace * dx + gained * second[0], pace * dy + gained * second[1]
