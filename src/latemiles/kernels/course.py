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

__all__ = [
    "COURSE_COEFFICIENTS",
    "COURSE_FIELDS",
    "SMALLEST_LEVEL",
    "aim",
    "facing",
    "follow_course",
    "turn_course",
]

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


@njit(cache=True, forceinline=True)
def facing(st, w, x, y, z):
    """Level direction of the forward axis, x and y in the earth frame, and its level part before scaling.

    Parameters
    ----------
    st : record with ``COURSE_FIELDS``, or a group of them
    w, x, y, z : float
        Sensor to earth.
    """
    hx, hy, _ = rotate(w, x, y, z, st.ahead[0], st.ahead[1], st.ahead[2])
    level = math.sqrt(hx * hx + hy * hy)
    size = max(level, SMALLEST_LEVEL)
    return hx / size, hy / size, level


@njit(cache=True, forceinline=True)
def turn_course(co, follows, course, hx, hy):
    """Take the three low-passes on by a direction.

    Parameters
    ----------
    co : record with ``COURSE_COEFFICIENTS``, or a group of them
    follows : bool
        Whether they have seen a direction before; else they begin with this one.
    course : tuple of float
        x and y of the first, the second and the third.
    hx, hy : float
        The direction.

    Returns
    -------
    course : tuple of float
    change, now : tuple of float
        x and y of the change of the direction of progression since the last sample, and of the direction.
    """
    f0, f1, s0, s1, t0, t1 = course
    gain, slow, lead = co.course_gain, co.course_slow, co.course_lead
    fx = select(follows, f0 + gain * (hx - f0), hx)
    fy = select(follows, f1 + gain * (hy - f1), hy)
    dx = select(follows, gain * (fx - s0), 0.0)
    dy = select(follows, gain * (fy - s1), 0.0)
    sx = select(follows, s0 + dx, hx)
    sy = select(follows, s1 + dy, hy)
    ex = select(follows, slow * (sx - t0), 0.0)
    ey = select(follows, slow * (sy - t1), 0.0)
    tx = select(follows, t0 + ex, hx)
    ty = select(follows, t1 + ey, hy)
    # The direction of now, and by how much it turned.
    change = dx + lead * (dx - ex), dy + lead * (dy - ey)
    return (fx, fy, sx, sy, tx, ty), change, (sx + lead * (sx - tx), sy + lead * (sy - ty))


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
    hx, hy, level = facing(st, w, x, y, z)
    if not math.isfinite(pace):
        st.on_course = 0.0
        return 0.0 * hx, 0.0 * hy
    is_seen = level > SMALLEST_LEVEL
    first, second, third = st.course_1, st.course_2, st.course_3
    course = first[0], first[1], second[0], second[1], third[0], third[1]
    course, change, now = turn_course(co, st.on_course > 0.0, course, hx, hy)
    first[0] = select(is_seen, course[0], first[0])
    first[1] = select(is_seen, course[1], first[1])
    second[0] = select(is_seen, course[2], second[0])
    second[1] = select(is_seen, course[3], second[1])
    third[0] = select(is_seen, course[4], third[0])
    third[1] = select(is_seen, course[5], third[1])
    st.on_course = select(is_seen, 1.0, st.on_course)
    ux, uy = pace * change[0] + gained * now[0], pace * change[1] + gained * now[1]
    return select(is_seen, ux, 0.0), select(is_seen, uy, 0.0)
