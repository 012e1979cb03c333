"""The hip's acceleration as a second opinion on the relative heading, on rigid segments of known motion."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from latemiles.estimators.hip_check import HipCheck
from latemiles.estimators.mounting import Axis, calibration_of
from latemiles.estimators.posture import PostureStage
from latemiles.estimators.posture_buffers import hann
from latemiles.estimators.posture_params import PostureParams
from latemiles.kernels.hip_centre import (
    HIP_COLUMNS,
    HIP_HARMONICS,
    hip_blocks,
    hip_harmonics,
    hip_heading,
    hip_scratch,
    stride_rate,
)
from latemiles.signals.frames import pelvis_quat, quat_conj, quat_multiply, quat_rotate
from latemiles.signals.quality import SampleQuality
from reference import posture_twins as twins
from reference.posture_streams import drive, stream_of

HZ, BIN_HZ, STRIDE_HZ = 100.0, 25.0, 1.37
LEVERS = np.array([[0.12, 0.13, -0.08], [0.05, 0.02, 0.28], [0.04, -0.03, 0.27]])
DELTA = np.radians([35.0, -80.0])
SECONDS = 480.0


def sensor(angles: np.ndarray, hip: np.ndarray, lever: np.ndarray, heading: float):
    """acc, gyr and quat of a sensor from which the hip lies at ``lever``; its earth frame turned back."""
    quat = quat_multiply(twins.about_z(-heading)[None], pelvis_quat(angles))
    step = quat_multiply(quat_conj(quat[:-1]), quat[1:])
    gyr = np.concatenate([[np.zeros(3)], 2.0 * HZ * step[:, 1:] * np.sign(step[:, :1])])
    arm = quat_rotate(quat, lever)
    hip = quat_rotate(twins.about_z(-heading)[None], hip)
    place = np.gradient(np.gradient(arm, 1.0 / HZ, axis=0), 1.0 / HZ, axis=0)
    return quat_rotate(quat_conj(quat), hip - place + [0.0, 0.0, 9.81]), gyr, quat


@cache
def motion(left_plane_turns_deg: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """acc, gyr and quat of three sensors in eight minutes of running, in which a hip moves as it is told.

    From minute six to minute seven the plane in which the left thigh swings may turn against the pelvis.
    """
    rng = np.random.default_rng(5)
    t = np.arange(round(SECONDS * HZ)) / HZ
    w = 2.0 * np.pi * STRIDE_HZ * t
    hip = np.stack([1.5 * np.cos(2 * w), 1.2 * np.sin(w), 7.0 * np.cos(2 * w + 0.4)], axis=1)
    pelvis = np.stack([0.05 * np.sin(2 * w), 0.08 * np.sin(w + 0.5), 0.12 * np.cos(w)], axis=1)
    lanes = [sensor(pelvis, hip, LEVERS[0], 0.0)]
    turned = np.radians(left_plane_turns_deg) * np.clip((t - 360.0) / 60.0, 0.0, 1.0)
    for side, sign in ((0, 1.0), (1, -1.0)):
        swing = np.stack([-0.15 + 0.5 * sign * np.sin(w), 0.07 * np.cos(w), 0.1 * np.sin(2 * w)], axis=1)
        swing[:, 2] += turned * (side == 0)
        lanes.append(sensor(swing, hip, LEVERS[1 + side], DELTA[side]))
    acc, gyr, quat = (np.stack([lane[k] for lane in lanes]) for k in range(3))
    acc = acc + 0.1 * rng.standard_normal(acc.shape)
    return acc, gyr + 0.005 * rng.standard_normal(gyr.shape), quat


@cache
def rows() -> np.ndarray:
    """Bins (n, 3, 10) of the same."""
    return twins.bins(*motion(), round(HZ / BIN_HZ))


def watched(offset_rad=lambda t: 0.0, forget_at=None) -> tuple[HipCheck, list[float]]:
    """The check after eight minutes in which the filter's left heading is off by ``offset_rad(t)``."""
    check, seen = HipCheck(BIN_HZ, 1.0), []
    for second in range(1, round(SECONDS)):
        delta = DELTA + np.array([offset_rad(float(second)), 0.0])
        check.step(rows(), second * 25, second > 4, delta, np.zeros(2))
        if second == forget_at:
            check.forget(1)
        seen.append(check.change(0))
    return check, seen


def test_harmonics_equal_the_slow_twin_and_the_stride_rate_is_found():
    weights, out = hann(125), np.empty((3, HIP_HARMONICS, HIP_COLUMNS, 2))
    scratch = hip_scratch(len(weights))
    f = stride_rate(rows(), 700, weights, BIN_HZ, scratch)
    assert f == pytest.approx(STRIDE_HZ, abs=0.011)
    hip_harmonics(rows(), 700, weights, BIN_HZ, f, scratch, out)
    slow = twins.hip_harmonics(rows()[700 - 126 : 700], weights, BIN_HZ, f)
    np.testing.assert_allclose(out[..., 0] + 1j * out[..., 1], slow, atol=1e-11)


@pytest.mark.interpreted
def test_blocks_are_harmonics_one_after_the_other_and_the_heading_equals_the_slow_twin():
    weights, scratch = hann(125), hip_scratch(125)
    blocks, one = (
        np.empty((4, 3, HIP_HARMONICS, HIP_COLUMNS, 2)),
        np.empty((3, HIP_HARMONICS, HIP_COLUMNS, 2)),
    )
    hip_blocks(rows(), 1000, weights, BIN_HZ, scratch, blocks)
    for k, end in enumerate((625, 750, 875, 1000)):
        f = stride_rate(rows(), end, weights, BIN_HZ, scratch)
        hip_harmonics(rows(), end, weights, BIN_HZ, f, scratch, one)
        np.testing.assert_array_equal(blocks[k], one)
    slow = blocks[..., 0] + 1j * blocks[..., 1]
    for lane in (1, 2):
        levers = np.concatenate([LEVERS[0], LEVERS[lane]])
        found = hip_heading(blocks, lane, levers, 3)
        assert found == pytest.approx(twins.hip_heading(slow, lane, levers, 3), abs=1e-12)
        assert found == pytest.approx(DELTA[lane - 1], abs=0.05)
    blocks[1, 1, 2, 4, 0] = np.nan
    slow = blocks[..., 0] + 1j * blocks[..., 1]
    levers = np.concatenate([LEVERS[0], LEVERS[1]])
    found = hip_heading(blocks, 1, levers, 3)
    assert found == pytest.approx(twins.hip_heading(slow, 1, levers, 3), abs=1e-12)
    assert np.isnan(hip_heading(blocks, 1, levers, 4))


def test_levers_are_found_and_true_headings_do_not_come_apart():
    check, _ = watched()
    for side in (0, 1):
        assert np.linalg.norm(check.levers[side, :3] - LEVERS[0]) < 0.04
        assert np.linalg.norm(check.levers[side, 3:] - LEVERS[1 + side]) < 0.04
        assert abs(np.degrees(check.change(side))) < 0.3
        assert not check.disagrees(side)


def test_a_heading_that_follows_a_turning_swing_plane_is_caught_on_its_side():
    check, seen = watched(lambda t: np.radians(4.0) * np.clip((t - 340.0) / 60.0, 0.0, 1.0))
    # The filter's heading grows, so the hip's lags behind it.
    assert np.degrees(check.change(0)) == pytest.approx(-4.0, abs=0.4)
    assert check.disagrees(0)
    assert not check.disagrees(1)
    assert np.isnan(seen[:299]).all()


def test_a_constant_error_of_the_heading_is_not_a_change():
    check, _ = watched(lambda t: np.radians(8.0))
    assert abs(np.degrees(check.change(0))) < 0.5


def test_after_a_slip_the_levers_are_learnt_anew_and_nothing_is_said_until_then():
    check, seen = watched(lambda t: np.radians(3.0) * (t > 430.0), forget_at=430)
    assert np.isnan(check.change(0))
    assert np.isfinite(check.change(1))
    assert np.isfinite(seen[420])


def test_a_thigh_that_is_not_heard_has_no_second_opinion():
    check = HipCheck(BIN_HZ, 1.0)
    broken = rows().copy()
    broken[:, 1] = np.nan
    for second in range(1, 400):
        check.step(broken, second * 25, True, DELTA, np.zeros(2))
    assert np.isnan(check.change(0))
    assert np.isfinite(check.change(1))


def uncertain(left_plane_turns_deg: float) -> tuple[np.ndarray, np.ndarray]:
    """Where the posture stage marks each lane's heading as uncertain, and the left hip's rotation, deg."""
    params = PostureParams()
    left, up = np.array([0.0, 1.0, 0.0]), np.tile([0.0, 0.0, 1.0], (3, 1))
    axes = [Axis(left, np.radians(2.0), float("nan"))] * 3
    known = calibration_of(axes, up, None, None, None, params)
    # As after squats: an offset known to 2 degrees, so that the filter has no doubts of its own.
    known = replace(known, swing_offset_sd_rad=(np.radians(2.0),) * 2)
    acc, gyr, _ = motion(left_plane_turns_deg)
    result = drive(PostureStage(HZ, known=known), stream_of(acc, gyr))
    is_marked = (result.quality & int(SampleQuality.HEADING_UNCERTAIN)) != 0
    return is_marked, np.degrees(result.hip[0, :, 2])


def test_a_turning_swing_plane_marks_the_hip_that_it_misleads_and_no_other():
    steady, before = uncertain(0.0)
    marked, after = uncertain(6.0)
    late = slice(round(470.0 * HZ), None)
    # The filter took the plane's turning for one of the earth frames: rotation misses the six degrees.
    assert abs(after[late].mean() - before[late].mean()) < 3.0
    assert marked[1, late].all()
    assert not marked[[0, 2]][:, late].any()
    # Nothing is said before the plane turns, and nothing where it does not.
    calm = slice(round(60.0 * HZ), round(360.0 * HZ))
    assert not marked[:, calm].any()
    assert not steady[:, round(60.0 * HZ) :].any()
