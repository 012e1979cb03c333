"""Axes, signs and rotation orders: the one truth. docs/conventions.md quotes this file.

Frames
------
earth
    z up, x and y horizontal, heading arbitrary (no magnetometer).
segment (pelvis, thigh, trunk)
    x anterior, y left, z up (proximal), right-handed, attached to the body part.
sensor
    Whatever way the sensor was clipped on.

Quaternions are Hamilton, scalar first (w, x, y, z). ``quat_earth_pelvis`` takes pelvis vectors to earth:
``v_earth = q v q*``.

Movement to sign
----------------
=============================  =====  ==========================================================
movement                       sign   in segment axes
=============================  =====  ==========================================================
pelvis tips forward            tilt + (anterior)         + about y (left axis)
right side of pelvis rises     obliquity +               - about x (anterior axis)
right side of pelvis forward   rotation +                + about z (up axis)
left (swing) side drops over   drop of the right leg +   obliquity +
the standing right leg
right side drops over the      drop of the left leg +    obliquity -
standing left leg
thigh forward                  hip flexion + both sides  - about y
thigh towards the midline      hip adduction + both      right + about x, left - about x
front of thigh turns inwards   internal rotation + both  right + about z, left - about z
=============================  =====  ==========================================================

Orders
------
Pelvis in the moving progression frame: rotation, obliquity, tilt (Baker 2001, Gait & Posture 13:1-6):
``R = Rz(rotation) Rx(-obliquity) Ry(tilt)``; obliquity is then exactly the elevation of the medio-lateral
axis, right side up. Hip (Grood & Suntay 1983; ISB, Wu 2002): thigh in pelvis
``R = Ry(-flexion) Rx(s adduction) Rz(s internal_rotation)`` with s = +1 right, -1 left.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ANGLES",
    "GRAVITY_M_S2",
    "SEGMENTS",
    "SIDES",
    "Segment",
    "Side",
    "hip_angles",
    "hip_quat",
    "pelvis_angles",
    "pelvis_quat",
    "quat_conj",
    "quat_from_matrix",
    "quat_multiply",
    "quat_rotate",
]

GRAVITY_M_S2: Final = 9.81
"""Standard gravity as the estimators use it, m/s^2; its direction is measured, only its size is taken."""


class Segment(StrEnum):
    """A part of the body that carries a sensor."""

    PELVIS = "pelvis"
    LEFT_THIGH = "left_thigh"
    RIGHT_THIGH = "right_thigh"
    TRUNK = "trunk"

    @property
    def label(self) -> str:
        """Name as shown to a person."""
        return self.value.replace("_", " ")

    @property
    def lane(self) -> int:
        """Lane of this segment in every array that holds one row a segment."""
        return _LANE[self]


class Side(StrEnum):
    """A side of the body."""

    LEFT = "left"
    RIGHT = "right"

    @property
    def sign(self) -> int:
        """+1 right, -1 left: the mirror factor of adduction and internal rotation."""
        return 1 if self is Side.RIGHT else -1

    @property
    def lane(self) -> int:
        """0 left, 1 right."""
        return _SIDE_LANE[self]


SEGMENTS: Final = (Segment.PELVIS, Segment.LEFT_THIGH, Segment.RIGHT_THIGH)
"""The three segments every run has, in lane order."""

_LANE: Final = {Segment.PELVIS: 0, Segment.LEFT_THIGH: 1, Segment.RIGHT_THIGH: 2, Segment.TRUNK: 3}

SIDES: Final = (Side.LEFT, Side.RIGHT)

_SIDE_LANE: Final = {Side.LEFT: 0, Side.RIGHT: 1}

ANGLES: Final = (
    "pelvic_tilt",
    "pelvic_obliquity",
    "pelvic_rotation",
    "hip_flexion",
    "hip_adduction",
    "hip_internal_rotation",
)
"""Names of the six angles, in column order of the pelvis and hip arrays."""

F8 = NDArray[np.float64]


def quat_multiply(p: F8, q: F8) -> F8:
    """Hamilton product p q, shape (..., 4), scalar first."""
    p = np.asarray(p, dtype=np.float64)
    q = np.asarray(q, dtype=np.float64)
    pw, px, py, pz = (p[..., k] for k in range(4))
    qw, qx, qy, qz = (q[..., k] for k in range(4))
    return np.stack(
        [
            pw * qw - px * qx - py * qy - pz * qz,
            pw * qx + px * qw + py * qz - pz * qy,
            pw * qy - px * qz + py * qw + pz * qx,
            pw * qz + px * qy - py * qx + pz * qw,
        ],
        axis=-1,
    )


def quat_conj(q: F8) -> F8:
    """Conjugate, the inverse rotation of a unit quaternion; shape (..., 4)."""
    out: F8 = np.asarray(q, dtype=np.float64) * np.array([1.0, -1.0, -1.0, -1.0])
    return out


def quat_rotate(q: F8, v: F8) -> F8:
    """Rotate vectors v (..., 3) by unit quaternions q (..., 4): ``q v q*``."""
    q = np.asarray(q, dtype=np.float64)
    v = np.asarray(v, dtype=np.float64)
    w, x, y, z = (q[..., k] for k in range(4))
    a, b, c = (v[..., k] for k in range(3))
    # v + w t + u x t with t = 2 u x v; spelled out, since np.cross costs ten times the arithmetic.
    ta, tb, tc = 2.0 * (y * c - z * b), 2.0 * (z * a - x * c), 2.0 * (x * b - y * a)
    return np.stack(
        [
            a + w * ta + (y * tc - z * tb),
            b + w * tb + (z * ta - x * tc),
            c + w * tc + (x * tb - y * ta),
        ],
        axis=-1,
    )


def quat_from_matrix(matrix: F8) -> F8:
    """Unit quaternions (..., 4), w >= 0, of rotation matrices (..., 3, 3) (columns are the rotated axes)."""
    m = np.asarray(matrix, dtype=np.float64)
    # Bar-Itzhack 2000 without the eigenproblem: each squared component from the diagonal, then the signs
    # from the antisymmetric part through the largest component, which is never near zero.
    d = np.stack([m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]], axis=-1)
    trace = d.sum(axis=-1)
    q = np.empty((*m.shape[:-2], 4))
    candidates = np.concatenate([trace[..., None], d], axis=-1)
    largest = np.argmax(candidates, axis=-1)
    for k in range(4):
        here = largest == k
        if not np.any(here):
            continue
        a = m[here]
        if k == 0:
            s = 2.0 * np.sqrt(1.0 + np.trace(a, axis1=-2, axis2=-1))
            parts = [
                0.25 * s,
                (a[:, 2, 1] - a[:, 1, 2]) / s,
                (a[:, 0, 2] - a[:, 2, 0]) / s,
                (a[:, 1, 0] - a[:, 0, 1]) / s,
            ]
        else:
            i = k - 1
            j, n = (i + 1) % 3, (i + 2) % 3
            s = 2.0 * np.sqrt(1.0 + a[:, i, i] - a[:, j, j] - a[:, n, n])
            parts = [np.empty(0)] * 4
            parts[0] = (a[:, n, j] - a[:, j, n]) / s
            parts[1 + i] = 0.25 * s
            parts[1 + j] = (a[:, j, i] + a[:, i, j]) / s
            parts[1 + n] = (a[:, n, i] + a[:, i, n]) / s
        q[here] = np.stack(parts, axis=-1)
    q *= np.where(q[..., :1] < 0.0, -1.0, 1.0)
    unit: F8 = q / np.linalg.norm(q, axis=-1, keepdims=True)
    return unit


def _axis_quat(axis: int, angle: F8) -> F8:
    q = np.zeros((*np.shape(angle), 4))
    q[..., 0] = np.cos(np.asarray(angle) / 2.0)
    q[..., 1 + axis] = np.sin(np.asarray(angle) / 2.0)
    return q


def pelvis_quat(angles: F8) -> F8:
    """Pelvis in the progression frame (..., 4) from tilt, obliquity, rotation (..., 3) in rad."""
    tilt, obliquity, rotation = np.moveaxis(np.asarray(angles, dtype=np.float64), -1, 0)
    return quat_multiply(
        quat_multiply(_axis_quat(2, rotation), _axis_quat(0, -obliquity)), _axis_quat(1, tilt)
    )


def pelvis_angles(quat_progression_pelvis: F8) -> F8:
    """Tilt, obliquity, rotation of the pelvis in the progression frame.

    Parameters
    ----------
    quat_progression_pelvis : float64 array, shape (..., 4)
        Takes pelvis vectors to the progression frame (x forward, y left, z up).

    Returns
    -------
    float64 array, shape (..., 3)
        tilt (anterior +), obliquity (right side up +), rotation (right side forward +), rad.
        NaN where the quaternion is NaN.

    References
    ----------
    .. [1] R. Baker, Pelvic angles: a mathematically rigorous definition which is consistent with a
       conventional clinical understanding of the terms, Gait & Posture 13 (2001) 1-6.
    """
    w, x, y, z = np.moveaxis(np.asarray(quat_progression_pelvis, dtype=np.float64), -1, 0)
    # R = Rz(r) Rx(-o) Ry(t): the pelvis y (left) axis in the progression frame is
    # (-sin r cos o, cos r cos o, -sin o); its last row is (-cos o sin t, -sin o, cos o cos t).
    r01 = 2.0 * (x * y - w * z)
    r11 = 1.0 - 2.0 * (x * x + z * z)
    r21 = 2.0 * (y * z + w * x)
    r20 = 2.0 * (x * z - w * y)
    r22 = 1.0 - 2.0 * (x * x + y * y)
    tilt = np.arctan2(-r20, r22)
    obliquity = -np.arcsin(np.clip(r21, -1.0, 1.0))
    rotation = np.arctan2(-r01, r11)
    return np.stack([tilt, obliquity, rotation], axis=-1)


def hip_quat(angles: F8, side: Side) -> F8:
    """Thigh in the pelvis (..., 4) from flexion, adduction, internal rotation (..., 3) in rad."""
    flexion, adduction, rotation = np.moveaxis(np.asarray(angles, dtype=np.float64), -1, 0)
    s = side.sign
    return quat_multiply(
        quat_multiply(_axis_quat(1, -flexion), _axis_quat(0, s * adduction)), _axis_quat(2, s * rotation)
    )


def hip_angles(quat_pelvis_thigh: F8, side: Side) -> F8:
    """Hip flexion, adduction and internal rotation.

    Parameters
    ----------
    quat_pelvis_thigh : float64 array, shape (..., 4)
        Takes thigh vectors to the pelvis frame.
    side : Side
        Which hip; adduction and internal rotation are positive as named on both sides.

    Returns
    -------
    float64 array, shape (..., 3)
        flexion, adduction, internal rotation, rad. NaN where the quaternion is NaN.

    References
    ----------
    .. [1] E. S. Grood, W. J. Suntay, A joint coordinate system for the clinical description of
       three-dimensional motions, J Biomech Eng 105 (1983) 136-144.
    """
    w, x, y, z = np.moveaxis(np.asarray(quat_pelvis_thigh, dtype=np.float64), -1, 0)
    # R = Ry(-f) Rx(a) Rz(r): row 1 is (cos a sin r, cos a cos r, -sin a), column 2 is
    # (-sin f cos a, -sin a, cos f cos a).
    r02 = 2.0 * (x * z + w * y)
    r12 = 2.0 * (y * z - w * x)
    r22 = 1.0 - 2.0 * (x * x + y * y)
    r10 = 2.0 * (x * y + w * z)
    r11 = 1.0 - 2.0 * (x * x + z * z)
    flexion = np.arctan2(-r02, r22)
    adduction = -np.arcsin(np.clip(r12, -1.0, 1.0))
    rotation = np.arctan2(r10, r11)
    return np.stack([flexion, side.sign * adduction, side.sign * rotation], axis=-1)
