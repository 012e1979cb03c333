"""Kernels that turn sensor orientations into pelvis and hip angles, in the orders of signals.frames.

Samples that follow one another lie in the lanes (``kernels.lanes``): four are worked out at once.
"""

from __future__ import annotations

import math

from latemiles.kernels.circular import arc_of, cos_sin_of
from latemiles.kernels.jit import njit
from latemiles.kernels.lanes import LANES, gather, gather_four, gather_three, scatter, select
from latemiles.kernels.quaternion import conj_multiply, multiply, rotate

__all__ = ["joint_angles", "release_seconds"]


@njit(cache=True, forceinline=True)
def _pelvis_points(w, x, y, z):
    """Tilt, obliquity and rotation of a pelvis in the progression frame (Baker 2001), as points.

    For each y and x; of the second the sine and nothing, which is the negative of the angle's own.
    """
    r01 = 2.0 * (x * y - w * z)
    r11 = 1.0 - 2.0 * (x * x + z * z)
    r21 = 2.0 * (y * z + w * x)
    r20 = 2.0 * (x * z - w * y)
    r22 = 1.0 - 2.0 * (x * x + y * y)
    return -r20, r22, -r21, -r01, r11


@njit(cache=True, forceinline=True)
def _hip_points(w, x, y, z, mirror):
    """Flexion, adduction, internal rotation of a thigh in the pelvis (Grood and Suntay 1983), as points."""
    r02 = 2.0 * (x * z + w * y)
    r12 = 2.0 * (y * z - w * x)
    r22 = 1.0 - 2.0 * (x * x + y * y)
    r10 = 2.0 * (x * y + w * z)
    r11 = 1.0 - 2.0 * (x * x + z * z)
    return -r02, r22, mirror * -r12, mirror * r10, r11


@njit(cache=True, forceinline=True)
def _turned(c, s, w, x, y, z):
    """Turn q about the earth's z axis by the angle of whose half c and s are cosine and sine."""
    return c * w - s * z, c * x - s * y, c * y + s * x, c * z + s * w


@njit(cache=True, forceinline=True)
def _angles(y, x, sine, last_y, last_x):
    """The angles of three points; the one of which only the sine is known lies on the circle."""
    # Rounding may carry it beyond; NaN stays.
    sine = select(sine > 1.0, 1.0, sine)
    sine = select(sine < -1.0, -1.0, sine)
    return arc_of(y, x), arc_of(sine, math.sqrt((1.0 - sine) * (1.0 + sine))), arc_of(last_y, last_x)


@njit(cache=True)
def _put(out, group, first, second, third):
    scatter(out, group, 0, 0, first)
    scatter(out, group, 0, 1, second)
    scatter(out, group, 0, 2, third)


@njit(cache=True)
def _hip(group, pelvis, quat, acc, mount, delta, mirror, hip, force_up):
    """Angles of one hip, whose pelvis is turned as ``pelvis`` says, and the force at the thigh."""
    q = gather_four(quat, group, 0)
    _, _, up = rotate(*q, *gather_three(acc, group, 0))
    scatter(force_up, group, 0, 0, up)
    c, s = cos_sin_of(0.5 * gather(delta, group, 0, 0))
    thigh = _turned(c, s, *multiply(*q, mount[0], -mount[1], -mount[2], -mount[3]))
    flexion, adduction, rotation = _angles(*_hip_points(*conj_multiply(*pelvis, *thigh), mirror))
    _put(hip, group, flexion, adduction, rotation)


@njit(cache=True)
def joint_angles(quat, acc, start, mounts, heading, delta, at, pelvis, hip, force_up, force_horizontal):
    """Angles and earth-frame forces of consecutive samples.

    Parameters
    ----------
    quat : float64 array, shape (3, n, 4)
        Sensor to earth, each lane with its own heading; NaN in a gap.
    acc : float64 array, shape (3, n, 3)
        Specific force, m/s^2, sensor axes; NaN in a gap.
    start : int
        Column of both to begin at.
    mounts : float64 array, shape (3, 4)
        ``quat_segment_sensor`` of each lane; NaN while unknown.
    heading : float64 array, shape (k,)
        Heading of progression in the pelvis lane's earth frame, rad.
    delta : float64 array, shape (2, k)
        Angle about the vertical that takes the earth frame of the left and the right thigh to that of the
        pelvis, rad.
    at : int
        Row of what comes out to begin at; it has m rows.
    pelvis : float64 array, shape (m, 3)
        Out: tilt, obliquity, rotation, rad.
    hip : float64 array, shape (2, m, 3)
        Out: flexion, adduction, internal rotation, rad.
    force_up : float64 array, shape (3, m)
        Out: vertical specific force, m/s^2.
    force_horizontal : float64 array, shape (m, 2)
        Out: pelvis specific force forward and to the left, m/s^2.
    """
    k = heading.shape[0]
    here, there = slice(start, start + k), slice(at, at + k)
    pelvis_quat, pelvis_acc = quat[0, here].reshape(k, 1, 4), acc[0, here].reshape(k, 1, 3)
    left_quat, left_acc = quat[1, here].reshape(k, 1, 4), acc[1, here].reshape(k, 1, 3)
    right_quat, right_acc = quat[2, here].reshape(k, 1, 4), acc[2, here].reshape(k, 1, 3)
    turns, left_delta, right_delta = (
        heading.reshape(k, 1, 1),
        delta[0].reshape(k, 1, 1),
        delta[1].reshape(k, 1, 1),
    )
    tilts, left_hip, right_hip = (
        pelvis[there].reshape(k, 1, 3),
        hip[0, there].reshape(k, 1, 3),
        hip[1, there].reshape(k, 1, 3),
    )
    level = force_horizontal[there].reshape(k, 1, 2)
    up, left_up, right_up = (
        force_up[0, there].reshape(k, 1, 1),
        force_up[1, there].reshape(k, 1, 1),
        force_up[2, there].reshape(k, 1, 1),
    )
    for group in range(-(-k // LANES)):
        # A missing lane is NaN in `quat`, and NaN runs through by itself.
        turn = gather(turns, group, 0, 0)
        is_known = abs(turn) < math.inf
        # An unknown heading leaves tilt and obliquity as they are.
        c, s = cos_sin_of(0.5 * select(is_known, turn, 0.0))
        q = gather_four(pelvis_quat, group, 0)
        fx, fy, fz = rotate(*q, *gather_three(pelvis_acc, group, 0))
        cosine = select(is_known, c * c - s * s, math.nan)
        sine = select(is_known, 2.0 * s * c, math.nan)
        scatter(up, group, 0, 0, fz)
        scatter(level, group, 0, 0, cosine * fx + sine * fy)
        scatter(level, group, 0, 1, cosine * fy - sine * fx)
        p = multiply(*q, mounts[0, 0], -mounts[0, 1], -mounts[0, 2], -mounts[0, 3])
        tilt, obliquity, rotation = _angles(*_pelvis_points(*_turned(c, -s, *p)))
        _put(tilts, group, tilt, obliquity, select(is_known, rotation, math.nan))
        _hip(group, p, left_quat, left_acc, mounts[1], left_delta, -1.0, left_hip, left_up)
        _hip(group, p, right_quat, right_acc, mounts[2], right_delta, 1.0, right_hip, right_up)


@njit(cache=True)
def release_seconds(held, second, mounts, heading, delta, flags, at, out):
    """Angles of whole seconds that were held back.

    Parameters
    ----------
    held : tuple of arrays
        quat (m, lanes, k, 4), acc (m, lanes, k, 3) and quality (m, lanes, k): second j in row ``j % m``.
    second : int
        The first one.
    mounts, heading, delta : float64 arrays, shapes (n, lanes, 4), (n, k), (n, 2, k)
        Of each second, see ``joint_angles``.
    flags : int64 array, shape (n, lanes)
        Added to the quality of its samples.
    at : int
        Row of what comes out to begin at.
    out : tuple of arrays
        pelvis, hip, force_up, force_horizontal as for ``joint_angles``, and quality (lanes, m).
    """
    quat, acc, quality = held
    pelvis, hip, force_up, force_horizontal, said = out
    size = quat.shape[2]
    for k in range(mounts.shape[0]):
        row = (second + k) % quat.shape[0]
        place = at + k * size
        joint_angles(
            quat[row],
            acc[row],
            0,
            mounts[k],
            heading[k],
            delta[k],
            place,
            pelvis,
            hip,
            force_up,
            force_horizontal,
        )
        for lane in range(quat.shape[1]):
            kept, told, more = quality[row, lane], said[lane, place : place + size], flags[k, lane]
            for i in range(size):
                told[i] = kept[i] | more
