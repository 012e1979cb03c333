"""Kernel that turns sensor orientations into pelvis and hip angles, in the orders of signals.frames."""

from __future__ import annotations

import math

from latemiles.kernels.jit import njit
from latemiles.kernels.quaternion import apply_heading, conj_multiply, multiply, rotate

__all__ = ["joint_angles"]


@njit(cache=True)
def cardan_pelvis(w, x, y, z):
    """Tilt, obliquity, rotation of a pelvis in the progression frame (Baker 2001)."""
    r01 = 2.0 * (x * y - w * z)
    r11 = 1.0 - 2.0 * (x * x + z * z)
    r21 = 2.0 * (y * z + w * x)
    r20 = 2.0 * (x * z - w * y)
    r22 = 1.0 - 2.0 * (x * x + y * y)
    return math.atan2(-r20, r22), -math.asin(min(1.0, max(-1.0, r21))), math.atan2(-r01, r11)


@njit(cache=True)
def cardan_hip(w, x, y, z, mirror):
    """Flexion, adduction, internal rotation of a thigh in the pelvis (Grood and Suntay 1983)."""
    r02 = 2.0 * (x * z + w * y)
    r12 = 2.0 * (y * z - w * x)
    r22 = 1.0 - 2.0 * (x * x + y * y)
    r10 = 2.0 * (x * y + w * z)
    r11 = 1.0 - 2.0 * (x * x + z * z)
    adduction = -math.asin(min(1.0, max(-1.0, r12)))
    return math.atan2(-r02, r22), mirror * adduction, mirror * math.atan2(r10, r11)


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
    for k in range(heading.shape[0]):
        i = start + k
        o = at + k
        # A missing lane is NaN in `quat`, and NaN runs through by itself, except through the clamp of asin.
        pw, px, py, pz = multiply(
            quat[0, i, 0],
            quat[0, i, 1],
            quat[0, i, 2],
            quat[0, i, 3],
            mounts[0, 0],
            -mounts[0, 1],
            -mounts[0, 2],
            -mounts[0, 3],
        )
        fx, fy, fz = rotate(
            quat[0, i, 0],
            quat[0, i, 1],
            quat[0, i, 2],
            quat[0, i, 3],
            acc[0, i, 0],
            acc[0, i, 1],
            acc[0, i, 2],
        )
        c = math.cos(heading[k])
        s = math.sin(heading[k])
        force_up[0, o] = fz
        force_horizontal[o, 0] = c * fx + s * fy
        force_horizontal[o, 1] = c * fy - s * fx
        if math.isnan(pw):
            pelvis[o, 0] = pelvis[o, 1] = pelvis[o, 2] = math.nan
        else:
            hw, hx, hy, hz = apply_heading(-heading[k] if math.isfinite(heading[k]) else 0.0, pw, px, py, pz)
            pelvis[o, 0], pelvis[o, 1], rotation = cardan_pelvis(hw, hx, hy, hz)
            pelvis[o, 2] = rotation if math.isfinite(heading[k]) else math.nan
        for side in range(2):
            lane = 1 + side
            qw, qx, qy, qz = quat[lane, i, 0], quat[lane, i, 1], quat[lane, i, 2], quat[lane, i, 3]
            fx, fy, fz = rotate(qw, qx, qy, qz, acc[lane, i, 0], acc[lane, i, 1], acc[lane, i, 2])
            force_up[lane, o] = fz
            tw, tx, ty, tz = multiply(
                qw, qx, qy, qz, mounts[lane, 0], -mounts[lane, 1], -mounts[lane, 2], -mounts[lane, 3]
            )
            tw, tx, ty, tz = apply_heading(delta[side, k], tw, tx, ty, tz)
            tw, tx, ty, tz = conj_multiply(pw, px, py, pz, tw, tx, ty, tz)
            if math.isnan(tw):
                hip[side, o, 0] = hip[side, o, 1] = hip[side, o, 2] = math.nan
            else:
                hip[side, o, 0], hip[side, o, 1], hip[side, o, 2] = cardan_hip(
                    tw, tx, ty, tz, -1.0 if side == 0 else 1.0
                )
