"""Posture kernels against their slow twins, and what they do with missing samples."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from latemiles.kernels.angles import joint_angles
from latemiles.kernels.heading import (
    FEATURES,
    kalman_predict,
    kalman_update,
    smooth_back,
    swing_plane,
    window_features,
)
from latemiles.kernels.posture_bins import SUMS, fill_bins, follow_heading, heading_at_samples
from latemiles.kernels.slip import STEP_COLUMNS, keep_window, step_statistic, watch_windows, without_lean
from latemiles.signals.frames import pelvis_quat
from latemiles.signals.quality import SampleQuality
from reference import posture_twins as twins

BRIDGED = int(SampleQuality.BRIDGED)


def unit(rng, *shape):
    q = rng.standard_normal((*shape, 4))
    return q / np.linalg.norm(q, axis=-1, keepdims=True)


def hann(n):
    w = np.hanning(n + 2)[1:-1]
    return w / w.sum()


def run_angles(quat, acc, mounts, heading, delta):
    n = quat.shape[1]
    out = np.empty((n, 3)), np.empty((2, n, 3)), np.empty((3, n)), np.empty((n, 2))
    joint_angles(quat, acc, 0, mounts, heading, delta, 0, *out)
    return out


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def rows(rng):
    """Bins (80, 3, 10) of something that turns and swings smoothly."""
    t = np.arange(80) / 25.0
    angles = np.stack(
        [0.5 * np.sin(8.0 * t), 0.2 * np.sin(9.0 * t + 1.0), 0.4 * t + 0.1 * np.sin(7.0 * t)], axis=1
    )
    out = rng.standard_normal((80, 3, 10))
    out[..., :4] = pelvis_quat(angles)[:, None]
    return out


def test_joint_angles_match_the_frames_module(rng):
    args = unit(rng, 3, 50), rng.standard_normal((3, 50, 3)), unit(rng, 3), rng.uniform(-9, 9, 50)
    delta = rng.uniform(-3, 3, (2, 50))
    for found, wanted in zip(run_angles(*args, delta), twins.joint_angles(*args, delta), strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-11)


@pytest.mark.interpreted
@pytest.mark.parametrize("cut", [1, 6, 23])
def test_angles_are_the_same_bytes_wherever_the_samples_are_cut(rng, cut):
    quat, acc, mounts = unit(rng, 3, 27), rng.standard_normal((3, 27, 3)), unit(rng, 3)
    heading, delta = rng.uniform(-9, 9, 27), rng.uniform(-3, 3, (2, 27))
    heading[11] = np.nan
    whole = run_angles(quat, acc, mounts, heading, delta)
    out = tuple(np.full_like(part, -7.0) for part in whole)
    for start, stop in ((0, cut), (cut, 27)):
        part = slice(start, stop)
        joint_angles(quat, acc, start, mounts, heading[part], delta[:, part].copy(), start, *out)
    for mine, its in zip(out, whole, strict=True):
        np.testing.assert_array_equal(mine, its)


def test_a_missing_thigh_leaves_the_pelvis_and_the_other_hip(rng):
    quat = unit(rng, 3, 5)
    quat[1] = np.nan
    pelvis, hip, up, _ = run_angles(quat, np.ones((3, 5, 3)), unit(rng, 3), np.zeros(5), np.zeros((2, 5)))
    assert np.isfinite(pelvis).all()
    assert np.isnan(hip[0]).all()
    assert np.isfinite(hip[1]).all()
    assert np.isnan(up[1]).all()


def test_a_missing_pelvis_or_heading_is_nan_and_not_zero(rng):
    quat = unit(rng, 3, 4)
    quat[0] = np.nan
    pelvis, hip, up, ahead = run_angles(quat, np.ones((3, 4, 3)), unit(rng, 3), np.zeros(4), np.zeros((2, 4)))
    assert np.isnan(pelvis).all()
    assert np.isnan(hip).all()
    assert np.isnan(ahead).all()
    assert np.isfinite(up[1:]).all()
    lost = np.full(4, np.nan)
    pelvis, hip, *_ = run_angles(unit(rng, 3, 4), np.ones((3, 4, 3)), unit(rng, 3), lost, np.zeros((2, 4)))
    assert np.isfinite(pelvis[:, :2]).all()
    assert np.isnan(pelvis[:, 2]).all()


@pytest.mark.parametrize("cuts", [[], [1, 2, 3], [7, 8, 30, 31]])
def test_bins_are_means_of_whole_bins_however_they_are_filled(rng, cuts):
    acc, gyr, quat = rng.standard_normal((3, 64, 3)), rng.standard_normal((3, 64, 3)), unit(rng, 3, 64)
    acc[1, 8:13] = np.nan
    quat[2, 23] = np.nan
    gyr[0, 3, 1] = np.inf
    ring, sums = np.full((8, 3, 10), np.nan), np.zeros((3, SUMS))
    quality = np.zeros((3, 64), dtype=np.int64)
    quality[1, 8:11] = BRIDGED
    quality[2, 30:34] = int(SampleQuality.GYR_CLIPPED)
    quality[1, 9:15] |= int(SampleQuality.GYR_CLIPPED)
    edges = [0, *cuts, 64]
    for a, b in itertools.pairwise(edges):
        fill_bins(acc, gyr, quat, quality, a, b, a, 8, sums, ring)
    wanted = twins.bins(acc, gyr, quat, 8)
    np.testing.assert_allclose(ring, wanted, atol=1e-14)
    assert np.isnan(wanted[1, 1]).all()
    assert sums[:, 7:].tolist() == [[0.0, 1.0, 0.0], [3.0, 2.0, 2.0], [0.0, 0.0, 4.0]]


def test_the_heading_is_followed_over_full_turns_and_gaps(rows):
    rows[30:36] = np.nan
    weights = hann(21)
    out = np.full((3, 80), np.nan)
    forward = np.array([1.0, 0.0, 0.0])
    follow_heading(rows, 0, 80, forward, weights, out)
    np.testing.assert_allclose(out[:2].T, twins.headings(rows, forward, weights), atol=1e-12)


def test_the_causal_heading_catches_up_in_a_steady_turn():
    n, per_bin, half = 400, 4, 75
    out = np.full((3, n), np.nan)
    turn = 0.01 * np.arange(n)
    out[0] = turn
    out[1] = turn - 0.01 * half
    found = np.empty(40)
    heading_at_samples(out, 1200, per_bin, half, 37, 1e-4, found)
    wanted = 0.01 * ((1200 + np.arange(40) + 1) / per_bin - 1)
    np.testing.assert_allclose(found, wanted, atol=1e-3)


def test_the_symmetric_heading_has_no_lag():
    n, per_bin, half = 400, 4, 75
    out = np.full((3, n), np.nan)
    out[1] = 0.01 * (np.arange(n) - half)
    found = np.empty(40)
    heading_at_samples(out, 800, per_bin, 0, half, 1.0, found)
    np.testing.assert_allclose(found, 0.01 * ((801 + np.arange(40)) / per_bin - 1), atol=1e-9)


def test_window_features_match_the_twin(rows):
    weights = hann(75)
    out = np.empty((3, FEATURES))
    window_features(rows, 80, weights, out)
    np.testing.assert_allclose(out[:, :6], twins.features(rows[5:], weights), atol=1e-12)


def test_a_window_that_is_mostly_missing_has_no_features(rows):
    rows[20:, 1] = np.nan
    out = np.empty((3, FEATURES))
    window_features(rows, 80, hann(75), out)
    assert np.isnan(out[1, :5]).all()
    assert np.isnan(out[1, 6])
    assert np.isfinite(out[[0, 2]]).all()


def test_swings_are_counted_in_cycles():
    t = np.arange(75) / 25.0
    ring = np.zeros((75, 1, 10))
    ring[:, 0, 0] = 1.0
    ring[:, 0, 5] = 3.0 * np.sin(2 * np.pi * 1.4 * t) + 0.5
    out = np.empty((1, FEATURES))
    window_features(ring, 75, hann(75), out)
    assert out[0, 6] * 25.0 == pytest.approx(1.4, abs=0.2)


def test_the_swing_plane_matches_the_twin(rows, rng):
    weights = hann(75)
    psi = 0.3 + 0.02 * np.arange(80) + 0.05 * np.sin(np.arange(80))
    headings = np.stack([psi, psi, psi])
    up, forward = np.array([0.1, 0.2, 0.97]), np.array([0.99, 0.0, -0.1])
    out = np.empty(4)
    swing_plane(rows, headings, 80, weights, 2, up, forward, out)
    wanted = twins.swing_plane(rows[5:, 2, :4], psi[5:], weights, up, forward)
    np.testing.assert_allclose(out, wanted, atol=1e-11)


def test_the_swing_plane_of_a_runner_who_turns_is_the_plane_before_the_turn(rows):
    t = np.arange(80) / 25.0
    zero = np.zeros(80)
    swing = 0.5 * np.sin(9.0 * t)
    for rate in (0.0, 0.3, -0.5):
        rows[:, 1, :4] = pelvis_quat(np.stack([swing, zero, 0.2 + rate * t], axis=1))
        psi = rate * t
        out = np.empty(4)
        axes = np.array([0.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0])
        swing_plane(rows, np.stack([psi] * 3), 80, hann(75), 1, *axes, out)
        assert out[0] == pytest.approx(-0.2, abs=0.01)


def test_the_filter_and_its_smoother_match_the_book(rng):
    steps = []
    for k in range(30):
        moving = float(k % 7 != 0)
        z, variance = 0.4 + 0.01 * k + 0.02 * rng.standard_normal(), 4e-4 if k > 2 else np.nan
        steps.append((moving, 1.0, z, k // 3 % 3, variance, 1e-4 if k == 17 else 0.0))
    x0, P0 = np.array([0.0, 0.0, 0.1, 0.1]), np.diag([9.0, 1e-6, 0.01, 0.0])
    P0[2:, 2:] += 0.01
    noise = np.array([1e-6, 1e-9, 1e-8])
    _predicted, updated, smoothed = twins.kalman(steps, x0, P0, noise)
    x, P, history = x0.copy(), P0.copy(), np.zeros((32, 41))
    for k, (h, dt, z, gait, variance, more) in enumerate(steps):
        kalman_predict(x, P, dt, h, noise)
        P[3, 3] += more
        history[k, 0], history[k, 1:5], history[k, 5:21] = h, x, P.ravel()
        if np.isfinite(variance):
            kalman_update(x, P, z, gait, variance, np.inf)
        history[k, 21:25], history[k, 25:41] = x, P.ravel()
        np.testing.assert_allclose(x, updated[k][0], atol=1e-12)
        np.testing.assert_allclose(P, updated[k][1], atol=1e-12)
    out = np.full((32, 4), np.nan)
    smooth_back(history, 29, 0, out)
    np.testing.assert_allclose(out[:30], smoothed, atol=1e-8)


def test_the_filter_takes_angles_round_the_circle_and_refuses_outliers():
    x, P = np.array([3.1, 0.0, 0.0, 0.0]), np.diag([0.01, 0.0, 0.0, 0.0])
    assert kalman_update(x, P, -3.1, 0, 0.01, 5.0) == 1
    assert x[0] == pytest.approx(np.pi, abs=1e-9)
    assert kalman_update(x, P, 0.0, 0, 0.01, 5.0) == 0
    assert kalman_update(x, P, np.nan, 0, 0.01, 5.0) == 0


def test_the_step_statistic_matches_the_twin(rng):
    windows = rng.standard_normal((27, 4, 3))
    out = np.empty((4, STEP_COLUMNS))
    step_statistic(windows, 12, 4, np.empty((2, 12)), out)
    np.testing.assert_allclose(out, twins.step_statistic(windows, 12, 4), atol=1e-14)
    windows[3, 1, 0] = np.nan
    step_statistic(windows, 12, 4, np.empty((2, 12)), out)
    assert np.isnan(out[1, 6])
    assert np.isfinite(out[0]).all()


def test_taking_off_the_shared_lean_matches_the_twin(rng):
    windows, mounts = rng.standard_normal((27, 4, 3)), unit(rng, 3)
    out = np.empty_like(windows)
    for lane in (-1, 0, 1, 2):
        without_lean(windows, mounts, 12, lane, np.empty((27, 3, 2)), out)
        np.testing.assert_allclose(out, twins.without_lean(windows, mounts, 12, lane), atol=1e-12)
    # Without one of the sensors, or before it is known how they sit, nothing is shared.
    mounts[1] = np.nan
    without_lean(windows, mounts, 12, -1, np.empty((27, 3, 2)), out)
    np.testing.assert_array_equal(out, windows)


def test_a_window_is_kept_as_the_twin_keeps_it(rng):
    windows, features = rng.standard_normal((27, 4, 3)), rng.standard_normal((3, 7))
    features[1, 3] = np.nan
    wanted = twins.keep_window(windows, features)
    keep_window(windows, features)
    np.testing.assert_allclose(windows, wanted, atol=1e-15)
    features[2], features[0, 4] = np.nan, np.nan
    wanted = twins.keep_window(windows, features)
    keep_window(windows, features)
    np.testing.assert_allclose(windows, wanted, atol=1e-15)


LIMITS = (0.03, 0.04, 6.0, 0.5, 0.45, 0.08)


def slow_watch(windows, last, features, gaits, mounts, forgets, side, near):
    """What ``watch_windows`` finds, window after window; windows, last, how many were taken, and the lane."""
    least = np.array([LIMITS[0], LIMITS[1], LIMITS[1]])
    for k, (feature, gait) in enumerate(zip(features, gaits, strict=True)):
        if gait == 0:
            if forgets:
                windows, last = np.full_like(windows, np.nan), np.zeros(3)
            windows = windows + np.array([0.0, 0.0, 1.0]) * (np.arange(4) == 3)[:, None]
            continue
        windows = twins.keep_window(windows, feature)
        if np.isnan(windows[0, 3, 0]):
            continue
        step = twins.step_statistic(twins.without_lean(windows, mounts, side, -1), side, near)
        size, peak = np.nan_to_num(step[:3, 6]), int(np.argmax(last))
        lane = int(np.argmax(size))
        is_slip = (
            size[lane] > max(least[lane], LIMITS[2] * step[lane, 8] / np.sqrt(side))
            and np.delete(size, lane).max() < LIMITS[3] * size[lane]
            and step[lane, 7] > LIMITS[4] * size[lane]
            and (abs(step[3, 3:5] - step[3, :2]) <= LIMITS[5] * step[3, :2]).all()
        )
        if last[peak] > 0.0 and not (is_slip and lane == peak and size[lane] > last[peak]):
            return windows, last, k + 1, peak
        last = np.zeros(3)
        last[lane] = size[lane] if is_slip else 0.0
    return windows, last, len(gaits), -1


def test_windows_are_watched_for_slips_as_the_twin_watches_them(rng):
    side, near = 12, 4
    scratch = np.empty((27, 3, 2)), np.empty((27, 4, 3)), np.empty((2, side)), np.empty((4, STEP_COLUMNS))
    slips = 0
    for run in range(12):
        mounts = unit(rng, 3)
        features = np.zeros((120, 3, 7))
        features[..., :3] = unit(rng, 3)[:, :3] + rng.normal(0.0, 0.004, (120, 3, 3))
        features[60:, run % 3, :3] += 0.05 * (run % 4) * unit(rng)[:3]
        features[..., 3], features[..., 4] = 4.0, 6.0 + rng.normal(0.0, 0.02, (120, 3))
        features[rng.integers(0, 120, run % 2), 1] = np.nan
        gaits = np.where(np.arange(120) == 17, 0, 2)
        windows, last = np.full((27, 4, 3), np.nan), np.zeros(3)
        wanted = slow_watch(windows, last, features, gaits, mounts, run % 2 == 0, side, near)
        told = LIMITS, run % 2 == 0, side, near
        found = watch_windows(windows, last, features, gaits, mounts, *told, *scratch)
        assert found == wanted[2:]
        np.testing.assert_allclose(windows, wanted[0], atol=1e-12)
        np.testing.assert_allclose(last, wanted[1], atol=1e-12)
        slips += found[1] >= 0
    assert 3 <= slips <= 9
