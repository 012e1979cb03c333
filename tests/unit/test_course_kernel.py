"""The acceleration of a runner who is told to move: kernel against its twin, and what it must not do."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from latemiles.kernels.course import COURSE_COEFFICIENTS, COURSE_FIELDS, aim, follow_course
from latemiles.kernels.record import as_state
from reference.course import velocity_changes

GAINS = (0.09, 0.01)


def state(ahead=(1.0, 0.0, 0.0), lanes=1):
    """States of ``lanes`` sensors that face ``ahead``."""
    made = as_state(np.zeros(lanes, dtype=np.dtype((np.record, COURSE_FIELDS))))
    aim(made, np.tile(np.array(ahead, dtype=np.float64), (lanes, 1)))
    return made


def coefficients():
    """Those of ``GAINS``: the lead is the lag of the two quick low-passes in that of the slow one."""
    quick, slow = GAINS
    made = as_state(np.zeros(1, dtype=np.dtype((np.record, COURSE_COEFFICIENTS))))
    made[0] = (quick, slow, 2.0 * (1.0 / quick - 1.0) / (1.0 / slow - 1.0))
    return made[0]


def walked(st, quat, pace, gained):
    """``follow_course`` over all samples."""
    co = coefficients()
    rows = [
        follow_course(st, co, *map(float, q), float(v), float(dv))
        for q, v, dv in zip(quat, pace, gained, strict=True)
    ]
    return np.array(rows)


def swaying(n=400, seed=3):
    """Orientations of a pelvis that turns steadily and sways."""
    rng = np.random.default_rng(seed)
    t = np.arange(n) / 100.0
    angles = np.stack(
        [0.3 * t + 0.1 * np.sin(9.0 * t), 0.1 * np.sin(18.0 * t), 0.08 * rng.standard_normal(n)], axis=1
    )
    return np.roll(Rotation.from_euler("ZYX", angles).as_quat(), 1, axis=1)


def test_the_kernel_says_what_its_twin_says():
    quat = swaying()
    pace = 3.0 + 0.5 * np.sin(np.arange(len(quat)) / 60.0)
    gained = np.diff(pace, prepend=pace[:1])
    ahead = np.array([0.8, -0.6, 0.0])
    said = walked(state(ahead)[0], quat, pace, gained)
    np.testing.assert_allclose(said, velocity_changes(quat, ahead, GAINS, pace, gained), atol=1e-13)


@pytest.mark.parametrize(("turn", "change"), [(2.0 * np.pi, [0.0, 0.0]), (np.pi, [-8.0, 0.0])])
def test_turns_at_constant_speed_sum_up_to_the_change_of_velocity(turn, change):
    psi = np.concatenate([np.linspace(0.0, turn, 2000), np.full(4000, turn)])
    quat = np.stack([np.cos(psi / 2), 0.0 * psi, 0.0 * psi, np.sin(psi / 2)], axis=1)
    said = walked(state()[0], quat, np.full(len(psi), 4.0), np.zeros(len(psi)))
    np.testing.assert_allclose(said.sum(axis=0), change, atol=1e-9)


@pytest.mark.parametrize("ahead", [(np.nan, np.nan, np.nan), (np.inf, 0.0, 0.0), (0.0, 0.0, 1.0)])
def test_a_sensor_that_does_not_know_where_it_faces_is_left_alone(ahead):
    quat = swaying(50)
    assert np.all(walked(state(ahead)[0], quat * [1, 0, 0, 1], np.full(50, 3.0), np.zeros(50)) == 0.0)


@pytest.mark.parametrize("pace", [np.nan, np.inf, -np.inf])
def test_without_a_speed_there_is_no_change(pace):
    quat = swaying(50)
    assert np.all(walked(state()[0], quat, np.full(50, pace), np.ones(50)) == 0.0)


def test_another_mounting_or_a_pause_of_the_source_is_no_turn():
    still = np.tile([1.0, 0.0, 0.0, 0.0], (5, 1))
    turned = np.tile([np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)], (5, 1))
    states = state()
    walked(states[0], still, np.full(5, 3.0), np.zeros(5))
    aim(states, np.array([[0.0, 1.0, 0.0]]))
    assert np.all(walked(states[0], still, np.full(5, 3.0), np.zeros(5)) == 0.0)
    walked(states[0], still[:1], np.full(1, np.nan), np.zeros(1))
    assert np.all(walked(states[0], turned, np.full(5, 3.0), np.zeros(5)) == 0.0)


def test_in_a_steady_bend_the_acceleration_points_to_its_centre_and_not_to_where_that_was():
    n, turn, speed = 4000, 0.001, 4.0
    psi = turn * np.arange(n)
    quat = np.stack([np.cos(psi / 2), 0.0 * psi, 0.0 * psi, np.sin(psi / 2)], axis=1)
    said = walked(state()[0], quat, np.full(n, speed), np.zeros(n))[-1]
    # The change is that over the last sample: half of it ago.
    now = psi[-1] - 0.5 * turn
    np.testing.assert_allclose(
        said, speed * turn * np.array([-np.sin(now), np.cos(now)]), rtol=0.0, atol=1e-5
    )
