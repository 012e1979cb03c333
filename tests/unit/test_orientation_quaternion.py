"""The scalar quaternion helpers against scipy and the array versions in signals.frames."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from latemiles.kernels import quaternion
from latemiles.signals import frames

pytestmark = pytest.mark.interpreted
RNG = np.random.default_rng(7)
TOLERANCE = 1e-14


def random_quats(n: int) -> np.ndarray:
    q = RNG.normal(size=(n, 4))
    return q / np.linalg.norm(q, axis=1, keepdims=True)


def test_product_and_rotation_equal_the_array_versions():
    for p, q, v in zip(random_quats(50), random_quats(50), RNG.normal(size=(50, 3)), strict=True):
        assert quaternion.multiply(*p, *q) == pytest.approx(frames.quat_multiply(p, q), abs=TOLERANCE)
        assert quaternion.conj_multiply(*p, *q) == pytest.approx(
            frames.quat_multiply(frames.quat_conj(p), q), abs=TOLERANCE
        )
        assert quaternion.rotate(*p, *v) == pytest.approx(frames.quat_rotate(p, v), abs=TOLERANCE)
        assert quaternion.rotate_inverse(*p, *quaternion.rotate(*p, *v)) == pytest.approx(v, abs=TOLERANCE)
        matrix = np.reshape(quaternion.rotation_matrix(*p), (3, 3))
        assert matrix @ v == pytest.approx(frames.quat_rotate(p, v), abs=TOLERANCE)


@pytest.mark.parametrize("size", [0.0, 1e-200, 1e-9, 0.1, 0.63, 0.64, 3.0, 12.0])
def test_exponential_equals_scipy_at_any_angle(size):
    for axis in RNG.normal(size=(20, 3)):
        r = size * axis / np.linalg.norm(axis)
        want = Rotation.from_rotvec(r)
        got = Rotation.from_quat(np.roll(quaternion.exp_rotation(*r), -1))
        assert (want.inv() * got).magnitude() < 1e-14
        assert np.linalg.norm(quaternion.exp_rotation(*r)) == pytest.approx(1.0, abs=1e-14)


def test_logarithm_undoes_the_exponential_and_takes_the_short_way():
    for r in RNG.uniform(-1.7, 1.7, size=(50, 3)):
        q = quaternion.exp_rotation(*r)
        assert quaternion.log_rotation(*q) == pytest.approx(r, abs=1e-13)
        assert quaternion.log_rotation(*(-np.array(q))) == pytest.approx(r, abs=1e-13)
    assert quaternion.log_rotation(1.0, 0.0, 0.0, 0.0) == (0.0, 0.0, 0.0)


def test_slerp_moves_evenly_along_the_short_arc():
    for p, q in zip(random_quats(30), random_quats(30), strict=True):
        whole = Rotation.from_quat(np.roll(p, -1)).inv() * Rotation.from_quat(np.roll(q, -1))
        for u in (0.0, 0.3, 1.0):
            s = np.array(quaternion.slerp(*p, *q, u))
            part = Rotation.from_quat(np.roll(p, -1)).inv() * Rotation.from_quat(np.roll(s, -1))
            assert part.magnitude() == pytest.approx(u * whole.magnitude(), abs=1e-12)
    assert np.isnan(quaternion.slerp(1.0, 0.0, 0.0, 0.0, math.nan, 0.0, 0.0, 0.0, 0.5)).all()


def test_smallest_rotation_takes_one_direction_to_the_other():
    for a, b in zip(RNG.normal(size=(50, 3)), RNG.normal(size=(50, 3)), strict=True):
        q = quaternion.min_rotation(*a, *b)
        turned = np.array(quaternion.rotate(*q, *a)) / np.linalg.norm(a)
        assert turned == pytest.approx(b / np.linalg.norm(b), abs=1e-13)
        angle = math.acos(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1, 1))
        assert np.linalg.norm(quaternion.log_rotation(*q)) == pytest.approx(angle, abs=1e-7)


@pytest.mark.parametrize("axis", np.concatenate([np.eye(3), [[1.0, 2.0, -3.0]]]))
def test_smallest_rotation_of_opposite_directions_is_a_half_turn(axis):
    q = quaternion.min_rotation(*axis, *(-axis))
    assert quaternion.rotate(*q, *axis) == pytest.approx(-axis, abs=1e-13)


def test_what_has_no_direction_gives_nan():
    assert np.isnan(quaternion.min_rotation(0.0, 0.0, 0.0, 0.0, 0.0, 1.0)).all()
    assert np.isnan(quaternion.normalize(0.0, 0.0, 0.0, 0.0)).all()
    assert np.isnan(quaternion.exp_rotation(math.nan, 0.0, 0.0)[:1]).all()


def test_heading_offset_is_found_again():
    for q, angle in zip(random_quats(50), RNG.uniform(-math.pi, math.pi, 50), strict=True):
        turned = quaternion.apply_heading(angle, *q)
        assert turned == pytest.approx(
            frames.quat_multiply(np.array([math.cos(angle / 2), 0, 0, math.sin(angle / 2)]), q), abs=TOLERANCE
        )
        assert quaternion.heading_between(*q, *turned) == pytest.approx(angle, abs=1e-12)
