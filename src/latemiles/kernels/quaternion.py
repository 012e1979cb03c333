"""Quaternion arithmetic for the inside of loops: numbers in, tuples of numbers out, nothing allocated.

Hamilton, scalar first, ``v_earth = q v q*``, as in ``signals.frames``, which holds the same operations on
whole arrays. A NaN that goes in comes out; nothing raises. LLVM inlines these into their callers. What has no
choice in it, and ``exp_rotation``, works on lanes too (``kernels.lanes``). Sums are bracketed in pairs: a
filter waits for them, and a processor works out two terms at once.
"""

from __future__ import annotations

import math

from latemiles.kernels.jit import njit
from latemiles.kernels.lanes import all_of, select

__all__ = [
    "apply_heading",
    "conj_multiply",
    "exp_rotation",
    "heading_between",
    "log_rotation",
    "min_rotation",
    "multiply",
    "normalize",
    "of_half",
    "rotate",
    "rotate_inverse",
    "rotation_matrix",
    "slerp",
    "wrap_angle",
]

_POLYNOMIAL_LIMIT = 0.4
"""Largest square of an angle, rad^2, for which the series below are exact to 2e-15 (36 degrees)."""


@njit(cache=True, forceinline=True)
def multiply(pw, px, py, pz, qw, qx, qy, qz):
    """Hamilton product p q."""
    return (
        (pw * qw - px * qx) - (py * qy + pz * qz),
        (pw * qx + px * qw) + (py * qz - pz * qy),
        (pw * qy - px * qz) + (py * qw + pz * qx),
        (pw * qz + px * qy) + (pz * qw - py * qx),
    )


@njit(cache=True)
def conj_multiply(pw, px, py, pz, qw, qx, qy, qz):
    """p* q: orientation q as seen from p."""
    return multiply(pw, -px, -py, -pz, qw, qx, qy, qz)


@njit(cache=True, forceinline=True)
def rotate(w, x, y, z, vx, vy, vz):
    """Vector v turned by the unit quaternion: q v q*."""
    tx = 2.0 * (y * vz - z * vy)
    ty = 2.0 * (z * vx - x * vz)
    tz = 2.0 * (x * vy - y * vx)
    return (
        (vx + w * tx) + (y * tz - z * ty),
        (vy + w * ty) + (z * tx - x * tz),
        (vz + w * tz) + (x * ty - y * tx),
    )


@njit(cache=True, forceinline=True)
def rotate_inverse(w, x, y, z, vx, vy, vz):
    """Vector v turned back by the unit quaternion: q* v q."""
    return rotate(w, -x, -y, -z, vx, vy, vz)


@njit(cache=True)
def normalize(w, x, y, z):
    """Scale q to unit length; NaN where q is zero, since then no rotation is meant."""
    squared = w * w + x * x + y * y + z * z
    scale = 1.0 / math.sqrt(squared) if squared > 0.0 else math.nan
    return w * scale, x * scale, y * scale, z * scale


@njit(cache=True, forceinline=True)
def rotation_matrix(w, x, y, z):
    """Nine numbers of the rotation matrix of a unit quaternion, row by row."""
    x2, y2, z2 = 2.0 * x, 2.0 * y, 2.0 * z
    xx, yy, zz = x * x2, y * y2, z * z2
    xy, xz, yz = x * y2, x * z2, y * z2
    wx, wy, wz = w * x2, w * y2, w * z2
    return (
        1.0 - (yy + zz),
        xy - wz,
        wy + xz,
        wz + xy,
        1.0 - (xx + zz),
        yz - wx,
        xz - wy,
        wx + yz,
        1.0 - (xx + yy),
    )


@njit(cache=True, forceinline=True)
def of_half(s):
    """cos(a / 2) and sin(a / 2) / a of the square s of an angle a, rad, of any size."""
    # Series in s spare libm's range reduction and a division by a. Estrin's scheme: terms in pairs.
    t = s * s
    w = (1.0 - s * (1 / 8)) + t * ((1 / 384 - s * (1 / 46080)) + t * (1 / 10321920 - s * (1 / 3715891200)))
    k = (1 / 2 - s * (1 / 48)) + t * (
        (1 / 3840 - s * (1 / 645120)) + t * (1 / 185794560 - s * (1 / 81749606400))
    )
    is_small = s < _POLYNOMIAL_LIMIT
    if not all_of(is_small):
        a = math.sqrt(s)
        w = select(is_small, w, math.cos(0.5 * a))
        k = select(is_small, k, math.sin(0.5 * a) / a)
    return w, k


@njit(cache=True)
def exp_rotation(rx, ry, rz):
    """Turn a rotation vector r (axis times angle, rad, any size) into a unit quaternion."""
    w, k = of_half(rx * rx + ry * ry + rz * rz)
    return w, k * rx, k * ry, k * rz


@njit(cache=True)
def log_rotation(w, x, y, z):
    """Rotation vector, rad, of the shorter of the two turns that the unit quaternion stands for."""
    if w < 0.0:
        w, x, y, z = -w, -x, -y, -z
    n = math.sqrt(x * x + y * y + z * z)
    k = 2.0 * math.atan2(n, w) / n if n > 1e-150 else 2.0
    return k * x, k * y, k * z


@njit(cache=True)
def slerp(pw, px, py, pz, qw, qx, qy, qz, u):
    """Point at fraction u of the shorter great arc from p to q; u outside 0..1 extrapolates."""
    dw, dx, dy, dz = conj_multiply(pw, px, py, pz, qw, qx, qy, qz)
    rx, ry, rz = log_rotation(dw, dx, dy, dz)
    ew, ex, ey, ez = exp_rotation(u * rx, u * ry, u * rz)
    return multiply(pw, px, py, pz, ew, ex, ey, ez)


@njit(cache=True)
def min_rotation(ax, ay, az, bx, by, bz):
    """Smallest rotation that takes direction a to direction b; lengths do not matter.

    NaN if one has no length. Opposite directions have no smallest rotation; a half turn about an axis
    normal to a is given then.
    """
    n = math.sqrt((ax * ax + ay * ay + az * az) * (bx * bx + by * by + bz * bz))
    if not n > 0.0:
        return math.nan, math.nan, math.nan, math.nan
    w = n + ax * bx + ay * by + az * bz
    x = ay * bz - az * by
    y = az * bx - ax * bz
    z = ax * by - ay * bx
    if w < 1e-12 * n:
        w = 0.0
        # Any axis normal to a: cross it with the coordinate axis it is least along.
        if abs(ax) <= abs(ay) and abs(ax) <= abs(az):
            x, y, z = 0.0, az, -ay
        elif abs(ay) <= abs(az):
            x, y, z = -az, 0.0, ax
        else:
            x, y, z = ay, -ax, 0.0
    return normalize(w, x, y, z)


@njit(cache=True)
def apply_heading(angle, w, x, y, z):
    """Turn q about the earth's z axis by an angle in rad: Rz(angle) q."""
    c = math.cos(0.5 * angle)
    s = math.sin(0.5 * angle)
    return c * w - s * z, c * x - s * y, c * y + s * x, c * z + s * w


@njit(cache=True)
def heading_between(pw, px, py, pz, qw, qx, qy, qz):
    """Angle, rad, about the earth's z axis that takes p nearest to q: the z part of q p*."""
    w = qw * pw + qx * px + qy * py + qz * pz
    z = qz * pw - qw * pz + qy * px - qx * py
    angle = 2.0 * math.atan2(z, w)
    if angle > math.pi:
        angle -= 2.0 * math.pi
    elif angle < -math.pi:
        angle += 2.0 * math.pi
    return angle


@njit(cache=True)
def wrap_angle(angle):
    """Return the same angle, rad, between -pi and pi."""
    return angle - 2.0 * math.pi * math.floor((angle + math.pi) / (2.0 * math.pi))
