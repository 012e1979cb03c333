"""Axes, signs and orders: each movement of docs/conventions.md moves the angle it names, the way it says."""

from __future__ import annotations

import numpy as np
import pytest

from latemiles.signals.frames import (
    Side,
    hip_angles,
    hip_quat,
    pelvis_angles,
    pelvis_quat,
    quat_conj,
    quat_from_matrix,
    quat_multiply,
    quat_rotate,
)

FORWARD, LEFT, UP = np.eye(3)
SMALL = np.radians(5.0)


def turn(axis: np.ndarray, angle: float) -> np.ndarray:
    """Quaternion of a right-handed turn about an axis."""
    return np.concatenate([[np.cos(angle / 2)], np.sin(angle / 2) * axis])


@pytest.mark.parametrize(
    ("axis", "angle", "column"),
    [(LEFT, SMALL, 0), (FORWARD, -SMALL, 1), (UP, SMALL, 2)],
    ids=["tips forward", "right side rises", "right side comes forward"],
)
def test_each_pelvis_movement_is_positive_in_its_own_angle_only(axis, angle, column):
    angles = pelvis_angles(turn(axis, angle))
    assert angles[column] == pytest.approx(SMALL)
    assert np.delete(angles, column) == pytest.approx([0.0, 0.0], abs=1e-12)


def test_a_forward_tipped_pelvis_points_its_front_down():
    assert quat_rotate(pelvis_quat(np.array([SMALL, 0.0, 0.0])), FORWARD)[2] < 0.0


def test_obliquity_is_the_elevation_of_the_right_side_whatever_tilt_and_rotation_are():
    rng = np.random.default_rng(1)
    angles = rng.uniform(-1.0, 1.0, (200, 3))
    right = quat_rotate(pelvis_quat(angles), -LEFT)
    assert np.arcsin(right[:, 2]) == pytest.approx(angles[:, 1], abs=1e-12)


def test_flexion_brings_the_knee_forward_on_both_sides():
    for side in Side:
        knee = quat_rotate(hip_quat(np.array([SMALL, 0.0, 0.0]), side), -UP)
        assert knee[0] > 0.0


def test_adduction_brings_the_knee_to_the_midline_on_both_sides():
    for side in Side:
        knee = quat_rotate(hip_quat(np.array([0.0, SMALL, 0.0]), side), -UP)
        # The midline lies to the left (+y) of the right hip.
        assert side.sign * knee[1] > 0.0


def test_internal_rotation_turns_the_front_of_the_thigh_to_the_midline_on_both_sides():
    for side in Side:
        front = quat_rotate(hip_quat(np.array([0.0, 0.0, SMALL]), side), FORWARD)
        assert side.sign * front[1] > 0.0


def test_angles_and_quaternions_are_inverse_of_each_other():
    angles = np.random.default_rng(2).uniform(-1.2, 1.2, (500, 3))
    assert pelvis_angles(pelvis_quat(angles)) == pytest.approx(angles, abs=1e-12)
    for side in Side:
        assert hip_angles(hip_quat(angles, side), side) == pytest.approx(angles, abs=1e-12)


def test_mirroring_the_body_mirrors_obliquity_and_rotation_and_keeps_tilt():
    angles = np.random.default_rng(3).uniform(-1.0, 1.0, (100, 3))
    w, x, y, z = pelvis_quat(angles).T
    mirrored = np.stack([w, -x, y, -z], axis=1)
    assert pelvis_angles(mirrored) == pytest.approx(angles * [1.0, -1.0, -1.0], abs=1e-12)


def test_a_left_hip_seen_in_the_mirror_is_a_right_hip_with_the_same_angles():
    angles = np.random.default_rng(4).uniform(-1.0, 1.0, (100, 3))
    w, x, y, z = hip_quat(angles, Side.LEFT).T
    assert hip_angles(np.stack([w, -x, y, -z], axis=1), Side.RIGHT) == pytest.approx(angles, abs=1e-12)


def test_a_matrix_and_its_quaternion_turn_vectors_alike():
    rng = np.random.default_rng(5)
    q = rng.normal(size=(300, 4))
    q /= np.linalg.norm(q, axis=1, keepdims=True)
    matrix = np.stack([quat_rotate(q, np.tile(e, (300, 1))) for e in np.eye(3)], axis=-1)
    back = quat_from_matrix(matrix)
    assert np.abs(np.sum(back * q, axis=1)) == pytest.approx(np.ones(300), abs=1e-12)
    assert quat_multiply(back, quat_conj(back)) == pytest.approx(np.tile([1.0, 0, 0, 0], (300, 1)), abs=1e-12)


def test_a_missing_orientation_gives_missing_angles():
    nothing = np.full((3, 4), np.nan)
    assert np.isnan(pelvis_angles(nothing)).all()
    assert np.isnan(hip_angles(nothing, Side.LEFT)).all()
