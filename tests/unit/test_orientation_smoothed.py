"""The smoothed basis: equal to a textbook smoother, at least as good as the published one, without seams."""

from __future__ import annotations

import numpy as np
import pytest
import vqf

from latemiles.estimators.orientation import OrientationStage, orientation
from latemiles.estimators.orientation_smoothed import LOOKAHEAD_S, SEGMENT_S
from latemiles.signals.blocks import GridBlock
from latemiles.signals.frames import Segment, quat_conj, quat_multiply, quat_rotate
from reference.broad import TRIALS, broad_trial
from reference.orientation import inclination_error, inclination_rmse_deg, smoothed
from reference.rbds import has_rbds, rbds_session


@pytest.mark.parametrize("part", [slice(0, 9000), slice(21000, 27123)])
def test_equals_the_slow_twin(data_dir, part):
    trial = broad_trial(data_dir, TRIALS[2])
    quat, bias = smoothed(trial.gyr[part], trial.acc[part], trial.rate_hz)
    ours = orientation(trial.gyr[part], trial.acc[part], trial.rate_hz, basis="smoothed")
    sign = np.sign(np.sum(ours.quat * quat, axis=1))[:, None]
    assert np.abs(sign * ours.quat - quat).max() < 1e-12
    assert np.abs(ours.gyr_bias - bias).max() < 1e-13


@pytest.mark.parametrize("name", TRIALS)
def test_inclination_on_broad_is_at_least_as_good_as_offline_vqf(data_dir, name):
    trial = broad_trial(data_dir, name)
    ours = orientation(trial.gyr, trial.acc, trial.rate_hz, basis="smoothed").quat
    theirs = vqf.offlineVQF(trial.gyr, trial.acc, None, 1.0 / trial.rate_hz)["quat6D"]
    assert inclination_rmse_deg(ours, trial.truth, trial.moves) <= inclination_rmse_deg(
        theirs, trial.truth, trial.moves
    )


def swinging(seconds: float, rate_hz: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A long swing with a biased gyroscope: gyr, acc, true quat; the sensor's velocity returns to zero."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    rate = np.stack([0.8 * np.cos(6.0 * t), 2.0 * np.sin(8.8 * t), 0.3 * np.cos(0.21 * t)], axis=1)
    half = 0.5 * rate / rate_hz
    size = np.linalg.norm(half, axis=1, keepdims=True)
    steps = np.concatenate([np.cos(size), np.sinc(size / np.pi) * half], axis=1)
    quat = np.empty((t.size, 4))
    q = np.array([1.0, 0.0, 0.0, 0.0])
    for k, step in enumerate(steps):
        q = quat_multiply(q, step)
        q /= np.linalg.norm(q)
        quat[k] = q
    shake = np.stack([3.0 * np.sin(17.6 * t), 2.0 * np.cos(8.8 * t), 7.0 * np.sin(17.6 * t + 1.0)], axis=1)
    acc = quat_rotate(quat_conj(quat), shake + np.array([0.0, 0.0, 9.81]))
    gyr = rate + np.radians([0.4, -0.3, 0.2]) + 0.002 * rng.standard_normal(rate.shape)
    return gyr, acc + 0.02 * rng.standard_normal(acc.shape), quat


def stopped(gyr: np.ndarray, acc: np.ndarray, quat: np.ndarray, rate_hz: float) -> np.ndarray:
    """The same swing at 4 m/s, from 10 s on and until 50 s, with a second to start and one to stop."""
    t = np.arange(len(acc)) / rate_hz
    push = np.zeros((len(acc), 3))
    push[(t >= 10.0) & (t < 11.0), 0] = 4.0
    push[(t >= 50.0) & (t < 51.0), 0] = -4.0
    return acc + quat_rotate(quat_conj(quat), push)


def test_a_sudden_start_or_stop_does_not_tilt_the_time_about_it():
    gyr, acc, quat = swinging(80.0, 40.0, seed=5)
    plain = orientation(gyr, acc, 40.0, basis="smoothed").quat
    moved = orientation(gyr, stopped(gyr, acc, quat, 40.0), 40.0, basis="smoothed").quat
    extra = np.degrees(inclination_error(moved, plain))
    t = np.arange(len(acc)) / 40.0
    away = (np.abs(t - 10.5) > 1.5) & (np.abs(t - 50.5) > 1.5)
    # It used to be 2.9 degrees, and 1.5 still two seconds before it began.
    assert extra[away].max() < 0.4


def turned_unseen(degrees: float, seconds: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The swing at 40 Hz with a hole of 0.1 s after 30 s, in which the sensor turns and no one sees it."""
    gyr, acc, quat = swinging(seconds, 40.0, seed=5)
    half = 0.5 * np.radians(degrees)
    turn = np.tile([np.cos(half), np.sin(half), 0.0, 0.0], (len(quat), 1))
    turn[:1200] = [1.0, 0.0, 0.0, 0.0]
    gyr, acc = quat_rotate(quat_conj(turn), gyr), quat_rotate(quat_conj(turn), acc)
    gyr[1200:1204] = acc[1200:1204] = np.nan
    return gyr, acc, quat_multiply(quat, turn)


@pytest.mark.parametrize(("degrees", "after_s"), [(10.0, 8.0), (16.0, 5.0), (25.0, 4.0)])
def test_a_lean_that_a_hole_hid_is_no_runner_who_gains_speed_for_ever(degrees, after_s):
    gyr, acc, quat = turned_unseen(degrees, 90.0)
    got = orientation(gyr, acc, 40.0, basis="smoothed").quat
    error = np.degrees(inclination_error(got[1204:], quat[1204:]))
    later = np.arange(len(error)) / 40.0 > after_s
    # It used to be the lean itself for a minute: each second its gravity was taken for another start.
    assert error[later].max() < 1.5
    before = np.degrees(inclination_error(got[:1200], quat[:1200]))
    assert before[400:].max() < 1.5


def test_bridged_holes_are_known_to_cost_tilt():
    gyr, acc, quat = swinging(120.0, 40.0, seed=5)
    n = np.arange(len(acc))
    hole = (n % 60 < 4) & (n > 400)
    gyr[hole], acc[hole] = np.nan, np.nan
    got = orientation(gyr, acc, 40.0, basis="smoothed").quat
    used = (n > 600) & np.isfinite(got[:, 0])
    error = np.degrees(inclination_error(got[used], quat[used]))
    # It used to be 1.08 degrees: the holes' errors were held against what came after.
    assert np.sqrt(np.mean(error**2)) < 0.9


@pytest.mark.interpreted
def test_the_slow_twin_starts_and_stops_as_well():
    gyr, acc, quat = swinging(60.0, 40.0, seed=5)
    acc = stopped(gyr, acc, quat, 40.0)
    slow, bias = smoothed(gyr, acc, 40.0)
    ours = orientation(gyr, acc, 40.0, basis="smoothed")
    sign = np.sign(np.sum(ours.quat * slow, axis=1))[:, None]
    assert np.abs(sign * ours.quat - slow).max() < 1e-9
    assert np.abs(ours.gyr_bias - bias).max() < 1e-11


@pytest.mark.interpreted
def test_the_slow_twin_opens_a_tilt_that_leans_as_well():
    gyr, acc, quat = swinging(60.0, 40.0, seed=5)
    # A push of a sixth of gravity for half a minute: nobody can.
    push = np.zeros((len(acc), 3))
    push[800:, 1] = 2.5
    acc = acc + quat_rotate(quat_conj(quat), push)
    slow, bias = smoothed(gyr, acc, 40.0)
    ours = orientation(gyr, acc, 40.0, basis="smoothed")
    sign = np.sign(np.sum(ours.quat * slow, axis=1))[:, None]
    assert np.abs(sign * ours.quat - slow).max() < 1e-9
    assert np.abs(ours.gyr_bias - bias).max() < 1e-11
    assert np.degrees(inclination_error(ours.quat[2000:], quat[2000:])).min() > 10.0


@pytest.mark.interpreted
def test_equals_the_slow_twin_on_a_swing():
    gyr, acc, _ = swinging(15.3, 40.0, seed=4)
    quat, bias = smoothed(gyr, acc, 40.0)
    ours = orientation(gyr, acc, 40.0, basis="smoothed")
    sign = np.sign(np.sum(ours.quat * quat, axis=1))[:, None]
    assert np.abs(sign * ours.quat - quat).max() < 1e-12
    assert np.abs(ours.gyr_bias - bias).max() < 1e-13


def test_a_long_stream_stays_level_and_shows_no_seam_where_segments_meet():
    rate_hz = 40.0
    gyr, acc, truth = swinging(4.0 * SEGMENT_S, rate_hz, seed=5)
    got = orientation(gyr, acc, rate_hz, basis="smoothed")
    assert np.degrees(inclination_error(got.quat, truth)).max() < 0.3
    error = quat_multiply(got.quat, quat_conj(truth))
    steps = np.degrees(2.0 * np.linalg.norm(np.diff(error, axis=0), axis=1))
    border = round(SEGMENT_S * rate_hz)
    at_borders = steps[[k * border - 1 for k in (1, 2, 3)]]
    # White gyroscope noise makes 0.003 degrees a sample; a seam must not stand out of it.
    assert at_borders.max() < 0.01
    # The bias about the vertical is seen through the changes of inclination only.
    assert np.degrees(np.abs(got.gyr_bias[-1] - np.radians([0.4, -0.3, 0.2]))).max() < 0.1


def test_knowing_the_future_is_worth_it_from_the_first_second():
    rate_hz = 40.0
    gyr, acc, truth = swinging(60.0, rate_hz, seed=6)
    start = slice(0, 120)
    errors = [
        np.degrees(inclination_error(orientation(gyr, acc, rate_hz, basis=basis).quat, truth)[start]).max()
        for basis in ("causal", "smoothed")
    ]
    assert errors[1] < 0.3 * errors[0]


@pytest.mark.interpreted
def test_both_sides_of_a_long_hole_are_level_from_their_first_sample():
    rate_hz = 40.0
    gyr, acc, truth = swinging(60.0, rate_hz, seed=7)
    gyr[1000:1200] = np.nan
    got = orientation(gyr, acc, rate_hz, basis="smoothed")
    good = np.isfinite(got.quat[:, 0])
    assert np.flatnonzero(~good).tolist() == list(range(1000, 1200))
    assert np.degrees(inclination_error(got.quat[good], truth[good])).max() < 0.5


@pytest.mark.interpreted
def test_rest_is_told_from_its_start():
    rng = np.random.default_rng(8)
    rate_hz = 50.0
    gyr = 0.002 * rng.standard_normal((1000, 3))
    acc = 0.02 * rng.standard_normal((1000, 3)) + np.array([0.0, 0.0, 9.81])
    gyr[:500] += np.sin(np.arange(500) / 5.0)[:, None]
    causal = orientation(gyr, acc, rate_hz).rest
    smooth = orientation(gyr, acc, rate_hz, basis="smoothed").rest
    assert np.argmax(causal) - np.argmax(smooth) == 1.5 * rate_hz - 1
    assert smooth[np.argmax(smooth) :].all()


@pytest.mark.parametrize("start_s", [20.0, 59.0, 60.4, 61.0, 75.0, 119.5, 130.0])
def test_rest_begins_where_it_does_wherever_segments_meet(start_s):
    rng = np.random.default_rng(8)
    rate_hz = 50.0
    n, start = round(4 * SEGMENT_S * rate_hz), round(start_s * rate_hz)
    gyr = 0.002 * rng.standard_normal((n, 3))
    acc = 0.02 * rng.standard_normal((n, 3)) + np.array([0.0, 0.0, 9.81])
    gyr[:start] += np.sin(np.arange(start) / 5.0)[:, None]
    gyr[start + 1000 :] += np.sin(np.arange(n - start - 1000) / 5.0)[:, None]
    noticed = orientation(gyr, acc, rate_hz).rest
    told = np.flatnonzero(orientation(gyr, acc, rate_hz, basis="smoothed").rest)
    assert told[0] == np.argmax(noticed) - (1.5 * rate_hz - 1)
    assert told[-1] == np.flatnonzero(noticed)[-1]
    assert told.size == told[-1] - told[0] + 1


def test_what_is_final_lags_by_one_to_two_minutes_and_nothing_is_lost():
    rate_hz = 20.0
    gyr, acc, _ = swinging(200.0, rate_hz, seed=9)
    stage = OrientationStage(rate_hz, lanes=1, basis="smoothed")
    pushed = final = 0
    for k in range(0, len(gyr), 50):
        part = slice(k, k + 50)
        flags = np.zeros((1, 50), dtype=np.int64)
        grid, out = stage.push(GridBlock(k, rate_hz, acc[None, part], gyr[None, part], flags))
        assert grid.first == out.first == final
        assert np.array_equal(grid.gyr[0], gyr[final : final + grid.gyr.shape[1]])
        pushed, final = pushed + 50, final + grid.gyr.shape[1]
        assert pushed - final <= (SEGMENT_S + LOOKAHEAD_S) * rate_hz
    grid, out = stage.finish()
    assert final + out.quat.shape[1] == len(gyr)


def test_a_whole_segment_is_held_as_it_lies_and_gives_the_bytes_of_its_pieces():
    rate_hz = 20.0
    gyr, acc, _ = swinging(3.0 * SEGMENT_S + 7.0, rate_hz, seed=9)
    gyr[700:705] = np.nan
    outs = []
    for step in (round(SEGMENT_S * rate_hz), 50):
        stage = OrientationStage(rate_hz, lanes=1, basis="smoothed")
        pairs = []
        for k in range(0, len(gyr), step):
            part = slice(k, min(k + step, len(gyr)))
            flags = np.zeros((1, part.stop - k), dtype=np.int64)
            pairs.append(stage.push(GridBlock(k, rate_hz, acc[None, part], gyr[None, part], flags)))
        pairs += stage.drain()
        is_held = [np.shares_memory(grid.gyr, gyr) for grid, _ in pairs if grid.gyr.size]
        assert is_held == ([True, True, True, False] if step == stage.piece else [False] * len(is_held))
        blocks = [np.concatenate([x[k] for _, x in pairs], axis=1) for k in range(2, 6)]
        outs.append([x.tobytes() for x in blocks])
    assert outs[0] == outs[1]
    assert np.isnan(blocks[0]).any()


@pytest.mark.skipif(not has_rbds(), reason="real running poses are not here; set LATEMILES_DATA")
def test_real_running_is_at_least_as_level_as_with_offline_vqf():
    session = rbds_session("2.5ms", seed=1)
    ours, theirs = [], []
    for segment in (Segment.PELVIS, Segment.LEFT_THIGH, Segment.RIGHT_THIGH):
        s = session.streams[segment]
        truth = session.quat_earth_sensor[segment]
        quat = orientation(s.gyr, s.acc, session.rate_hz, basis="smoothed").quat
        ours.append(inclination_rmse_deg(quat, truth, session.is_running))
        offline = vqf.offlineVQF(s.gyr, s.acc, None, 1.0 / session.rate_hz)["quat6D"]
        theirs.append(inclination_rmse_deg(offline, truth, session.is_running))
    assert np.mean(ours) <= np.mean(theirs) + 0.01
