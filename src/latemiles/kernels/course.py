"""Acceleration of a runner who is told to move at some speed: what bends and changes of speed add to gravity.

A runner of speed ``v`` who faces ``h`` (a horizontal unit vector) has the velocity ``v h``. Its change

    a = v dh/dt + dv/dt h

is the centripetal and the longitudinal acceleration; taken off the specific force before it is averaged, what
remains is gravity and motion that averages out. Each sensor knows its own ``h`` from its mounting, in its own
earth frame, so no heading is shared. ``h`` is taken whole, not its rate: it swings to and fro with every
stride, and what a rate sums up to wrongly a difference of two directions does not.

Two low-passes take most of that swing out, and come late: by 0.2 s, in which a bend of the track turns by one
degree, and ``a`` would lean that much forward. A third, slower one behind them says how fast the direction
turns on average, and the direction is carried on by that for as long as it is late.
"""

from __future__ import annotations

import math

import numpy as np

from latemiles.kernels.jit import njit
from latemiles.kernels.lanes import select
from latemiles.kernels.quaternion import rotate

__all__ = ["COURSE_COEFFICIENTS", "COURSE_FIELDS", "aim", "follow_course"]

COURSE_FIELDS = [
    ("ahead", np.float64, (3,)),  # forward axis of the segment in sensor axes; zero while unknown
    ("course_1", np.float64, (2,)),  # direction of progression, first and second low-pass, earth frame
    ("course_2", np.float64, (2,)),
    ("course_3", np.float64, (2,)),  # that, followed slowly: what it turned by on average
    ("on_course", np.float64),  # 1 once the low-passes have seen a direction
]
"""Fields that every orientation state has for ``follow_course``."""

COURSE_COEFFICIENTS = [
    ("course_gain", np.float64),  # of the two low-passes of the direction of progression, 0 to 1
    ("course_slow", np.float64),  # of the third one
    ("course_lead", np.float64),  # lag of the two in that of the third
]
"""And the coefficients for it."""

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
                st.on_course = 0.0
            st.ahead[j] = axis


@njit(cache=True)
def follow_course(st, co, w, x, y, z, pace, gained):
    """Change of the runner's velocity since the last sample, x and y in the earth frame, m/s.

    Parameters
    ----------
    st : record with ``COURSE_FIELDS``, or a group of them
        Changed in place.
    co : record with ``COURSE_COEFFICIENTS``, or a group of them
    w, x, y, z : float
        Sensor to earth.
    pace : float
        Speed over ground, m/s; NaN while unknown, then there is no change.
    gained : float
        Speed gained since the last sample, m/s.
    """
    hx, hy, _ = rotate(w, x, y, z, st.ahead[0], st.ahead[1], st.ahead[2])
    if not math.isfinite(pace):
        st.on_course = 0.0
        return 0.0 * hx, 0.0 * hy
    level = math.sqrt(hx * hx + hy * hy)
    is_seen = level > SMALLEST_LEVEL
    level = max(level, SMALLEST_LEVEL)
    hx = hx / level
    hy = hy / level
    follows = st.on_course > 0.0
    first, second, third = st.course_1, st.course_2, st.course_3
    gain, slow, lead = co.course_gain, co.course_slow, co.course_lead
    fx = select(follows, first[0] + gain * (hx - first[0]), hx)
    fy = select(follows, first[1] + gain * (hy - first[1]), hy)
    dx = select(follows, gain * (fx - second[0]), 0.0)
    dy = select(follows, gain * (fy - second[1]), 0.0)
    sx = select(follows, second[0] + dx, hx)
    sy = select(follows, second[1] + dy, hy)
    ex = select(follows, slow * (sx - third[0]), 0.0)
    ey = select(follows, slow * (sy - third[1]), 0.0)
    tx = select(follows, third[0] + ex, hx)
    ty = select(follows, third[1] + ey, hy)
    first[0] = select(is_seen, fx, first[0])
    first[1] = select(is_seen, fy, first[1])
    second[0] = select(is_seen, sx, second[0])
    second[1] = select(is_seen, sy, second[1])
    third[0] = select(is_seen, tx, third[0])
    third[1] = select(is_seen, ty, third[1])
    st.on_course = select(is_seen, 1.0, st.on_course)
    # The direction of now, and by how much it turned.
    hx = sx + lead * (sx - tx)
    hy = sy + lead * (sy - ty)
    dx = dx + lead * (dx - ex)
    dy = dy + lead * (dy - ey)
    return select(is_seen, pace * dx + gained * hx, 0.0), select(is_seen, pace * dy + gained * hy, 0.0)
