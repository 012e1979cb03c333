"""Kernel that turns sensor orientations into pelvis and hip angles, in the orders of signals.frames."""

from __future__ import annotations

import math
from typing import Final

from latemiles.kernels.circular import arc_of, cos_sin_of
from latemiles.kernels.jit import njit
from latemiles.kernels.quaternion import conj_multiply, multiply, rotate

__all__ = ["SCRATCH", "joint_angles"]


BLOCK: Final = 64
"""Samples that are worked on at once: what is between two loops stays near the processor."""
SCRATCH: Final = (24, BLOCK)
"""Shape of the room for them. Rows 0-5: cosines and sines of half the heading and of half the two relative
ones. Then each angle: its point's y and x, and in place of y in the end the angle."""
_PELVIS: Final = 6
"""First row of the pelvis's three angles; the left hip's and the right one's follow."""


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


@njit(cache=True)
def _half_turns(heading, delta, first, count, scratch):
    """Cosines and sines of half of ``count`` headings and relative headings from ``first`` on."""
    for k in range(count):
        psi = heading[first + k]
        # An unknown heading leaves tilt and obliquity as they are.
        scratch[0, k], scratch[1, k] = cos_sin_of(0.5 * (psi if math.isfinite(psi) else 0.0))
    for side in range(2):
        for k in range(count):
            c, s = cos_sin_of(0.5 * delta[side, first + k])
            scratch[2 + 2 * side, k], scratch[3 + 2 * side, k] = c, s


@njit(cache=True)
def _arcs(count, scratch):
    """The angles of the points of ``count`` samples."""
    for segment in range(3):
        row = _PELVIS + 6 * segment
        # An angle from its sine alone: the point on the circle. Rounding may carry it beyond, NaN stays.
        for k in range(count):
            sine = scratch[row + 2, k]
            sine = 1.0 if sine > 1.0 else sine
            sine = -1.0 if sine < -1.0 else sine
            scratch[row + 2, k], scratch[row + 3, k] = sine, math.sqrt((1.0 - sine) * (1.0 + sine))
        for angle in range(3):
            for k in range(count):
                at = row + 2 * angle
                scratch[at, k] = arc_of(scratch[at, k], scratch[at + 1, k])


@njit(cache=True)
def joint_angles(
    quat, acc, start, mounts, heading, delta, at, pelvis, hip, force_up, force_horizontal, scratch
):
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
    scratch : float64 array, shape SCRATCH
    """
    for first in range(0, heading.shape[0], BLOCK):
        count = min(BLOCK, heading.shape[0] - first)
        _half_turns(heading, delta, first, count, scratch)
        for k in range(count):
            # A missing lane is NaN in `quat`, and NaN runs through by itself.
            i, o = start + first + k, at + first + k
            c, s = scratch[0, k], scratch[1, k]
            q = quat[0, i, 0], quat[0, i, 1], quat[0, i, 2], quat[0, i, 3]
            fx, fy, force_up[0, o] = rotate(*q, acc[0, i, 0], acc[0, i, 1], acc[0, i, 2])
            cosine, sine = c * c - s * s, 2.0 * s * c
            if not math.isfinite(heading[first + k]):
                cosine = sine = math.nan
            force_horizontal[o, 0] = cosine * fx + sine * fy
            force_horizontal[o, 1] = cosine * fy - sine * fx
            pw, px, py, pz = multiply(*q, mounts[0, 0], -mounts[0, 1], -mounts[0, 2], -mounts[0, 3])
            hw, hx, hy, hz = _turned(c, -s, pw, px, py, pz)
            a = scratch[_PELVIS : _PELVIS + 6]
            a[0, k], a[1, k], a[2, k], a[4, k], a[5, k] = _pelvis_points(hw, hx, hy, hz)
            for side in range(2):
                lane, a = 1 + side, scratch[_PELVIS + 6 + 6 * side : _PELVIS + 12 + 6 * side]
                q = quat[lane, i, 0], quat[lane, i, 1], quat[lane, i, 2], quat[lane, i, 3]
                _, _, force_up[lane, o] = rotate(*q, acc[lane, i, 0], acc[lane, i, 1], acc[lane, i, 2])
                tw, tx, ty, tz = multiply(
                    *q, mounts[lane, 0], -mounts[lane, 1], -mounts[lane, 2], -mounts[lane, 3]
                )
                tw, tx, ty, tz = _turned(scratch[2 + 2 * side, k], scratch[3 + 2 * side, k], tw, tx, ty, tz)
                tw, tx, ty, tz = conj_multiply(pw, px, py, pz, tw, tx, ty, tz)
                mirror = -1.0 if side == 0 else 1.0
                a[0, k], a[1, k], a[2, k], a[4, k], a[5, k] = _hip_points(tw, tx, ty, tz, mirror)
        _arcs(count, scratch)
        for k in range(count):
            o = at + first + k
            for angle in range(3):
                pelvis[o, angle] = scratch[_PELVIS + 2 * angle, k]
                hip[0, o, angle] = scratch[_PELVIS + 6 + 2 * angle, k]
                hip[1, o, angle] = scratch[_PELVIS + 12 + 2 * angle, k]
            if not math.isfinite(heading[first + k]):
                pelvis[o, 2] = math.nan
