"""The simulated sensor obeys physics: its readings integrate back to the motion they came from."""

import numpy as np
import pytest

from latemiles.errors import ShapeError
from latemiles.signals.frames import GRAVITY_M_S2, quat_conj, quat_multiply, quat_rotate
from latemiles.signals.quality import SampleQuality
from latemiles.sim.imu import (
    ImuErrors,
    apply_errors,
    ideal_imu,
    quat_from_rotvec,
    random_quat,
)
from latemiles.sim.spline import UniformSpline
from latemiles.sim.tissue import Impacts, SoftTissue, knocked, soft_tissue_motion


def poses(rate_hz=150.0, seconds=6.0):
    t = np.arange(int(seconds * rate_hz)) / rate_hz
    rotvec = np.stack([0.4 * np.sin(9 * t), 0.9 * np.sin(11 * t + 1), 0.3 * np.cos(20 * t)], axis=1)
    position = np.stack([0.1 * np.sin(12 * t), 0.05 * np.cos(7 * t), 0.06 * np.sin(22 * t)], axis=1)
    return t, quat_from_rotvec(rotvec), position


def angle_between(p, q):
    d = quat_multiply(quat_conj(p), q)
    return 2.0 * np.arctan2(np.linalg.norm(d[:, 1:], axis=1), np.abs(d[:, 0]))


def test_integrated_rates_give_the_orientation_back():
    t, quat, position = poses()
    mounting = random_quat(np.random.default_rng(1))
    out_t, _, gyr, truth = ideal_imu(t, quat, position, 1000.0, quat_segment_sensor=mounting)
    q = truth[0]
    path = [q]
    # Fourth-order Magnus step from three neighbouring instants.
    for k in range(0, len(out_t) - 2, 2):
        h = 2.0 / 1000.0
        mean = (gyr[k] + 4.0 * gyr[k + 1] + gyr[k + 2]) / 6.0 * h
        turn = h * h / 12.0 * np.cross(gyr[k], gyr[k + 2])
        q = quat_multiply(q, quat_from_rotvec(mean + turn))
        path.append(q)
    assert np.max(angle_between(np.array(path), truth[0 : 2 * len(path) : 2])) < np.radians(0.001)


def test_integrated_specific_force_gives_the_sensor_path_back():
    t, quat, position = poses()
    mounting, lever = random_quat(np.random.default_rng(2)), np.array([0.05, -0.1, 0.2])
    out_t, acc, _, truth = ideal_imu(t, quat, position, 1000.0, lever_m=lever, quat_segment_sensor=mounting)
    acceleration = quat_rotate(truth, acc) - [0.0, 0.0, GRAVITY_M_S2]
    segment = quat_multiply(truth, quat_conj(mounting))
    path = UniformSpline.through(position, rate_hz=150.0).at(out_t) + quat_rotate(segment, lever)
    velocity = np.concatenate(
        [np.zeros((1, 3)), np.cumsum((acceleration[1:] + acceleration[:-1]) / 2000.0, axis=0)]
    )
    walked = np.concatenate([np.zeros((1, 3)), np.cumsum((velocity[1:] + velocity[:-1]) / 2000.0, axis=0)])
    # What integration cannot know is a start point and a start velocity: a straight line.
    line = np.stack([np.ones_like(out_t), out_t], axis=1)
    left = (path - walked) - line @ np.linalg.lstsq(line, path - walked, rcond=None)[0]
    assert np.max(np.abs(left)) < 1e-3


def test_a_resting_sensor_reads_gravity_up():
    t = np.arange(300) / 150.0
    quat = np.tile(random_quat(np.random.default_rng(3)), (300, 1))
    _, acc, gyr, truth = ideal_imu(t, quat, np.zeros((300, 3)), 208.0)
    np.testing.assert_allclose(
        quat_rotate(truth, acc), np.tile([0, 0, GRAVITY_M_S2], (len(acc), 1)), atol=1e-9
    )
    np.testing.assert_allclose(gyr, 0.0, atol=1e-9)


def test_readings_at_another_rate_are_the_motion_at_those_instants():
    t, quat, position = poses()
    out_t, _, gyr, truth = ideal_imu(t, quat, position, 208.0)
    exact = quat_from_rotvec(
        np.stack([0.4 * np.sin(9 * out_t), 0.9 * np.sin(11 * out_t + 1), 0.3 * np.cos(20 * out_t)], axis=1)
    )
    inner = slice(20, -20)
    assert np.max(angle_between(truth[inner], exact[inner])) < np.radians(0.001)
    assert out_t[1] - out_t[0] == pytest.approx(1 / 208.0)
    assert np.all(np.isfinite(gyr))


def test_low_pass_removes_marker_jitter_and_keeps_the_motion():
    t, quat, position = poses()
    rng = np.random.default_rng(4)
    clean = ideal_imu(t, quat, position, 208.0)[1]
    jittered = ideal_imu(
        t, quat, position + 2e-4 * rng.standard_normal(position.shape), 208.0, low_pass_hz=18.0
    )[1]
    inner = slice(60, -60)
    assert np.sqrt(np.mean((jittered[inner] - clean[inner]) ** 2)) < 1.5


def test_perfect_errors_change_nothing():
    t, quat, position = poses()
    out_t, acc, gyr, truth = ideal_imu(t, quat, position, 208.0)
    a, g, flags = apply_errors(
        out_t, acc, gyr, truth, ImuErrors.none(), np.random.default_rng(0), rate_hz=208.0
    )
    np.testing.assert_array_equal(a, acc)
    np.testing.assert_array_equal(g, gyr)
    assert not flags.any()


def test_same_seed_same_flaws():
    t, quat, position = poses()
    out_t, acc, gyr, truth = ideal_imu(t, quat, position, 208.0)
    hits = Impacts(np.array([1.0, 2.0]), np.array([1.0, 0.3]))
    one, two = (
        apply_errors(
            out_t, acc, gyr, truth, ImuErrors(), np.random.default_rng(7), rate_hz=208.0, impacts=hits
        )
        for _ in range(2)
    )
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


def test_noise_has_the_density_of_the_data_sheet():
    n = 20000
    t = np.arange(n) / 208.0
    errors = ImuErrors(
        acc_bias=0, gyr_bias=0, acc_bias_per_k=0, gyr_bias_per_k=0, scale=0, cross_axis=0, is_quantised=False
    )
    still = np.tile([0.0, 0.0, 9.81], (n, 1))
    identity = np.tile([1.0, 0, 0, 0], (n, 1))
    acc, gyr, _ = apply_errors(t, still, 0 * still, identity, errors, np.random.default_rng(0), rate_hz=208.0)
    assert np.std(gyr) == pytest.approx(np.radians(0.005) * np.sqrt(104.0), rel=0.02)
    assert np.std(acc - still) == pytest.approx(120e-6 * 9.80665 * np.sqrt(104.0), rel=0.02)


def test_readings_beyond_full_scale_are_clipped_and_flagged():
    n = 100
    t = np.arange(n) / 208.0
    acc = np.zeros((n, 3))
    acc[50, 1] = 200.0
    gyr = np.zeros((n, 3))
    gyr[60, 2] = -40.0
    a, g, flags = apply_errors(
        t, acc, gyr, np.tile([1.0, 0, 0, 0], (n, 1)), ImuErrors(), np.random.default_rng(0), rate_hz=208.0
    )
    assert flags[50] == SampleQuality.ACC_CLIPPED
    assert flags[60] == SampleQuality.GYR_CLIPPED
    assert np.count_nonzero(flags) == 2
    assert a[50, 1] == pytest.approx(16 * 9.80665, rel=1e-4)
    assert g[60, 2] == pytest.approx(-np.radians(2000.0), rel=1e-4)


def test_impacts_ring_after_the_contact_and_not_before():
    n = 208
    t = np.arange(n) / 208.0
    still = np.tile([0.0, 0.0, 9.81], (n, 1))
    identity = np.tile([1.0, 0, 0, 0], (n, 1))
    quiet = ImuErrors.none()
    loud = ImuErrors(0, 0, 0, 0, 0, 0, 0, 600.0, 0, 0, np.inf, np.inf, is_quantised=False, ringing=15.0)
    hits = Impacts(np.array([0.5]), np.array([1.0]))
    a = apply_errors(
        t, still, 0 * still, identity, loud, np.random.default_rng(0), rate_hz=208.0, impacts=hits
    )[0]
    b = apply_errors(t, still, 0 * still, identity, quiet, np.random.default_rng(0), rate_hz=208.0)[0]
    np.testing.assert_array_equal(a[t < 0.5], b[t < 0.5])
    assert 4.0 < np.max(np.abs(a - b)) < 16.0


def test_what_rang_has_no_velocity_left_so_that_a_mean_force_is_no_lean():
    t = np.arange(0.0, 2.0, 1.0 / 2000.0)
    hits = Impacts(np.array([0.3, 0.65, 1.0]), np.array([1.0, 0.4, 1.0]))
    ring = knocked(t, hits, 30.0, 0.025)
    assert abs(np.trapezoid(ring, t)) < 1e-5 < 0.01 * np.trapezoid(np.abs(ring), t)
    assert 0.6 < ring.max() < 1.0


def test_soft_tissue_is_at_rest_while_the_runner_stands():
    t = np.arange(600) / 150.0
    rotvec, shift = soft_tissue_motion(
        t,
        Impacts(np.empty(0), np.empty(0)),
        np.zeros(600),
        np.zeros(600),
        SoftTissue(),
        np.random.default_rng(0),
    )
    assert not rotvec.any()
    assert not shift.any()


def test_poses_of_uneven_time_are_refused():
    t, quat, position = poses()
    t = t.copy()
    t[100:] += 0.5
    with pytest.raises(ShapeError, match="Resample"):
        ideal_imu(t, quat, position, 208.0)
