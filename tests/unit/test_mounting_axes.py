"""Axes of the segments from standing, movement and running, on motion made up for the purpose."""

from __future__ import annotations

import numpy as np
import pytest

from latemiles.estimators.calibration_windows import (
    StillFinder,
    bridged,
    find_movement,
    stance_of,
    told_movement,
)
from latemiles.estimators.mounting import (
    Axis,
    Calibration,
    calibration_of,
    combine,
    movement_axis,
    segment_quat,
)
from latemiles.estimators.posture_params import PostureParams
from latemiles.estimators.running_axes import thigh_running_axis
from latemiles.signals.frames import pelvis_quat, quat_conj, quat_multiply, quat_rotate

PARAMS = PostureParams()
HZ = PARAMS.bin_hz
LEFT, UP = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def bins(tilts, mounts, bias=0.0, yaw=0.0):
    """Bins (n, 3, 10) of segments that tip forward by ``tilts`` (n, 3) rad under sensors at ``mounts``."""
    n = len(tilts)
    rows = np.empty((n, 3, 10))
    for lane in range(3):
        angles = np.stack([tilts[:, lane], np.zeros(n), np.full(n, 1.0) * yaw * np.arange(n) / HZ], axis=1)
        quat = pelvis_quat(angles)
        rate = np.stack([np.zeros(n), np.gradient(tilts[:, lane]) * HZ, np.full(n, yaw)], axis=1)
        back = quat_conj(mounts[lane])
        rows[:, lane, :4] = quat_multiply(quat, mounts[lane])
        rows[:, lane, 4:7] = quat_rotate(back, rate) + bias
        rows[:, lane, 7:] = quat_rotate(quat_conj(rows[:, lane, :4]), 9.81 * UP)
    return rows


def mountings(rng):
    q = rng.standard_normal((3, 4))
    return q / np.linalg.norm(q, axis=1, keepdims=True)


def bends(count, still_s=4.0, depth=1.2, period_s=3.0):
    """Depth (n,) 0..depth: standing, bends, standing."""
    t = np.arange(round((2 * still_s + count * period_s) * HZ)) / HZ - still_s
    inside = (t > 0) & (t < count * period_s)
    return np.where(inside, depth * np.sin(np.pi * t / period_s) ** 2, 0.0)


def squats(count=3, **kwargs):
    depth = bends(count, **kwargs)
    return np.stack([0.3 * depth, -depth, -depth], axis=1)


def found_in(rows):
    stance = stance_of(rows[:75], 0)
    return stance, find_movement(rows[75:], 75, stance, PARAMS)


def yaw_error(axis, mount):
    true = quat_rotate(quat_conj(mount), LEFT)
    return np.degrees(np.arccos(np.clip(axis @ true, -1.0, 1.0)))


def test_the_mount_of_true_axes_is_the_true_mount(rng):
    for mount in mountings(rng):
        back = quat_conj(mount)
        found = segment_quat(quat_rotate(back, UP), quat_rotate(back, LEFT + 0.3 * UP))
        assert abs(found @ mount) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("bias", [0.0, 0.02])
def test_squats_give_the_axes_of_any_mounting_with_their_signs(rng, bias):
    mounts = mountings(rng)
    rows = bins(squats(), mounts, bias=bias)
    stance, movement = found_in(rows)
    assert movement is not None
    assert movement.kind == "squat"
    assert len(movement.repeats) == 3
    for lane in range(3):
        axis = movement_axis(rows, 0, lane, stance, movement, PARAMS)
        assert yaw_error(axis.left, mounts[lane]) < 0.1
        assert np.degrees(axis.residual_rad) < 0.1


def test_a_march_is_told_from_squats(rng):
    depth = bends(6, period_s=1.5)
    t = np.arange(len(depth)) / HZ - 4.0
    is_left = (t // 1.5) % 2 == 0
    tilts = np.stack([0.0 * depth, -depth * is_left, -depth * ~is_left], axis=1)
    _, movement = found_in(bins(tilts, mountings(rng)))
    assert movement is not None
    assert movement.kind == "march"


def test_sitting_down_and_walking_are_no_calibration_movement(rng):
    mounts = mountings(rng)
    sat = bends(1, period_s=6.0)
    _, movement = found_in(bins(np.stack([-0.3 * sat, -sat, -sat], axis=1), mounts))
    assert movement is None
    t = np.arange(400) / HZ
    swing = 0.5 * np.sin(2 * np.pi * 0.9 * t) * (t > 4.0) * (t < 12.0)
    _, movement = found_in(bins(np.stack([0.05 * swing, swing, -swing], axis=1), mounts))
    assert movement is None


def test_a_movement_that_may_go_on_is_waited_for(rng):
    rows = bins(squats(), mountings(rng))
    stance = stance_of(rows[:75], 0)
    end = round((4.0 + 9.0 + 0.8) * HZ)
    assert find_movement(rows[75:end], 75, stance, PARAMS) is None
    assert find_movement(rows[75:end], 75, stance, PARAMS, is_over=True) is not None


def test_a_told_movement_is_named_and_keeps_its_times(rng):
    rows = bins(squats(2), mountings(rng))
    movement = told_movement(rows[100:250], 100, stance_of(rows[:75], 0), PARAMS)
    assert (movement.start, movement.end, movement.kind) == (100, 250, "squat")
    assert len(movement.repeats) == 2


def test_stillness_is_found_and_restlessness_is_not(rng):
    rows = bins(np.zeros((200, 3)), mountings(rng))
    rows[..., 4:7] += 0.02 * rng.standard_normal((200, 3, 3))
    calm, shaken = StillFinder(PARAMS), StillFinder(PARAMS)
    restless = rows.copy()
    restless[..., 4:7] += 0.5 * rng.standard_normal((200, 3, 3))
    for a in range(0, 192, 12):
        calm.push(rows[a : a + 12], a, rows[: a + 12], 0)
        shaken.push(restless[a : a + 12], a, restless[: a + 12], 0)
    assert [(s.start, s.end) for s in calm.stances] == [(0, 192)]
    assert shaken.stances == []


def test_a_thigh_knows_forward_from_backward_while_its_runner_turns(rng):
    mounts = mountings(rng)
    t = np.arange(500) / HZ
    for cadence in (0.9, 1.4):
        phase = 2 * np.pi * cadence * t
        flexion = 0.2 + 0.5 * np.cos(phase + 0.3 * np.sin(phase))
        rows = bins(np.stack([0.0 * t, -flexion, -flexion], axis=1), mounts, yaw=1.0)
        for lane in (1, 2):
            up = quat_rotate(quat_conj(mounts[lane]), UP)
            axis = thigh_running_axis(rows, lane, up, np.zeros(3), PARAMS, is_standing=True)
            assert axis is not None
            assert yaw_error(axis.left, mounts[lane]) < 1.0


def test_two_axes_are_combined_by_their_variances():
    def at(angle, sd):
        return Axis(np.array([np.cos(angle), np.sin(angle), 0.0]), sd, np.nan)

    both = combine(at(0.0, 0.1), at(0.3, 0.2), UP)
    assert np.arctan2(both.left[1], both.left[0]) == pytest.approx(0.06)
    assert both.sd_rad == pytest.approx(np.sqrt(1.0 / (100.0 + 25.0)))


def test_an_axis_that_cannot_be_the_other_is_left_out_and_its_end_does_not_matter():
    sure = Axis(LEFT, np.radians(2.0), np.radians(1.0))
    near = np.array([-np.sin(np.radians(10.0)), np.cos(np.radians(10.0)), 0.0])
    other_end = combine(sure, Axis(-near, np.radians(5.0), np.nan), UP)
    assert other_end.left == pytest.approx(combine(sure, Axis(near, np.radians(5.0), np.nan), UP).left)
    far = np.array([-np.sin(np.radians(30.0)), np.cos(np.radians(30.0)), 0.0])
    assert combine(sure, Axis(far, np.radians(5.0), np.nan), UP) is sure


@pytest.mark.parametrize("tips_deg", [0.0, 8.0, 16.0])
def test_a_thigh_knows_forward_even_if_running_tips_the_whole_body(rng, tips_deg):
    t = np.arange(round(20.0 * HZ)) / HZ
    turn = 2.0 * np.pi * 1.4 * t
    # Forward faster than back and longer in front: the first two harmonics of a running thigh.
    swing = np.radians(18.0) * np.sin(turn) + np.radians(4.0) * np.sin(2.0 * turn + np.radians(45.0))
    mounts = mountings(rng)
    tilts = np.stack([0.0 * t, -swing, -swing], axis=1) + np.radians(tips_deg)
    rows = bins(tilts, mounts)
    up = quat_rotate(quat_conj(mounts[1]), UP)
    axis = thigh_running_axis(rows, 1, up, np.zeros(3), PARAMS, is_standing=True)
    assert yaw_error(axis.left, mounts[1]) < 1.0


def test_a_calibration_survives_being_written_down(rng):
    rows = bins(squats(), mountings(rng))
    stance, movement = found_in(rows)
    axes = [movement_axis(rows, 0, lane, stance, movement, PARAMS) for lane in range(3)]
    axes[1] = None
    whole = calibration_of(axes, np.array(stance.up), stance, movement, None, PARAMS)
    from dataclasses import asdict
    from json import dumps, loads

    assert repr(Calibration.from_dict(loads(dumps(asdict(whole))))) == repr(whole)
    assert np.isnan(whole.quat_segment_sensor[1]).all()
    assert whole.axes()[1] is None
    assert np.degrees(whole.obliquity_uncertainty_rad) < 1.0


def test_short_holes_of_bins_are_filled_in_a_straight_line_and_long_ones_stay(rng):
    rows = bins(np.linspace(0.0, 0.4, 40)[:, None] * np.ones(3), [np.array([1.0, 0.0, 0.0, 0.0])] * 3)
    holed = rows.copy()
    holed[5:8, 0] = holed[10:15, 1] = holed[38:, 1] = holed[:, 2] = np.nan
    filled = bridged(holed, 3)
    assert np.isfinite(filled[:, 0]).all()
    np.testing.assert_allclose(filled[5:8, 0], rows[5:8, 0], atol=3e-3)
    np.testing.assert_allclose(np.linalg.norm(filled[5:8, 0, :4], axis=1), 1.0, atol=1e-15)
    heard = np.isfinite(holed[..., 0])
    np.testing.assert_array_equal(filled[heard], holed[heard])
    assert np.isnan(filled[10:15, 1]).all()
    assert np.isnan(filled[38:, 1]).all()
    assert np.isnan(filled[:, 2]).all()
    assert np.isnan(holed[5:8, 0]).all(), "the bins that were handed in stay as they are"
