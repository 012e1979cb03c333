"""Which foot lands: one odd impact, hips calibrated backwards and missed steps must not swap the sides."""

from __future__ import annotations

import numpy as np
import pytest

from latemiles.kernels.foot import (
    COUNT_DOUBT,
    HIPS_LOG,
    RIGHTING,
    TURN_DOUBT,
    TURNING,
    believe,
    doubt_feet,
    impact_ratio,
)
from latemiles.kernels.gait_follow import contact_due, learn_rise
from latemiles.kernels.gait_state import new_gait_state

pytestmark = pytest.mark.interpreted

FIRST = 0.5 * np.array([[0.95, 0.05], [0.95, 0.05]])


def slow_believe(which, steps, is_odd, impact, hips):
    """The forward step of the hidden Markov model over its four states, as matrices."""
    stay = np.array([[1.0, 0.0], [0.0, 1.0]])
    doubt = 0.5 if steps == 0 else COUNT_DOUBT if is_odd or steps > 1 else TURN_DOUBT
    turn = np.linalg.matrix_power(1.0 - stay, steps)
    feet = (1.0 - doubt) * turn + doubt * (1.0 - turn)
    facing = np.array([[1.0 - TURNING, RIGHTING], [TURNING, 1.0 - RIGHTING]])
    before = np.kron(feet, facing) @ which.ravel()
    foot, way = np.array([1.0, 1.0, -1.0, -1.0]), np.array([1.0, -1.0, 1.0, -1.0])
    says = 0.5 * np.nan_to_num(impact) * foot
    says += 0.5 * np.clip(np.nan_to_num(hips), -HIPS_LOG, HIPS_LOG) * foot * way
    after = before * np.exp(says)
    return (after / after.sum()).reshape(2, 2)


def test_a_belief_equals_its_slow_twin():
    rng = np.random.default_rng(0)
    which, slow = FIRST.copy(), FIRST.copy()
    for _ in range(200):
        steps, is_odd = int(rng.integers(0, 3)), bool(rng.integers(0, 2))
        impact, hips = rng.normal(0.0, 2.0, 2) + np.where(rng.random(2) < 0.1, np.nan, 0.0)
        left = believe(which, steps, is_odd, impact, hips)
        slow = slow_believe(slow, steps, is_odd, impact, hips)
        np.testing.assert_allclose(which, slow, atol=1e-12)
        assert left == pytest.approx(slow[0].sum() - slow[1].sum(), abs=1e-12)
        assert which.sum() == pytest.approx(1.0)


def told(impacts, hips, steps=None) -> np.ndarray:
    """The foot of every step, 1 left, -1 right."""
    which = FIRST.copy()
    steps = np.ones(len(impacts), dtype=int) if steps is None else steps
    return np.sign([believe(which, n, False, i, h) for n, i, h in zip(steps, impacts, hips, strict=True)])


def turns(count: int) -> np.ndarray:
    return np.where(np.arange(count) % 2 == 0, 1.0, -1.0)


def test_impacts_that_are_often_wrong_never_swap_feet_that_swing_as_they_should():
    rng = np.random.default_rng(1)
    foot = turns(2000)
    impacts = foot * rng.normal(1.0, 1.2, 2000)
    assert np.mean(impacts * foot < 0.0) > 0.15
    np.testing.assert_array_equal(told(impacts, 3.0 * foot), foot)


def test_hips_calibrated_backwards_are_turned_round_by_the_impacts():
    rng = np.random.default_rng(2)
    foot = turns(300)
    got = told(foot * rng.normal(1.0, 0.7, 300), -3.0 * foot)
    np.testing.assert_array_equal(got[30:], foot[30:])


def shaken(energies: np.ndarray) -> np.ndarray:
    """What the impacts say, step by step, of thighs that are shaken with these energies (n, 2)."""
    state = new_gait_state(100.0, 0)
    state["n"], state["scissors"] = 60, 0.0
    said = []
    for left, right in energies:
        state["force"] = 9.81
        state["force"][0, 1:, 50] += np.sqrt([left / 6.0, right / 6.0])
        state["bent"][0, :, 2:] = np.diff(state["force"][0], 2) ** 2
        said.append(impact_ratio(state[0], 50, 1))
    return np.array(said)


def test_impacts_that_tell_nothing_do_not_turn_the_hips_round():
    rng = np.random.default_rng(4)
    foot = turns(3000)
    np.testing.assert_array_equal(told(shaken(rng.uniform(0.0, 20.0, (3000, 2))), 3.0 * foot), foot)


def test_impacts_that_take_turns_do():
    foot = turns(200)
    rng = np.random.default_rng(5)
    energies = rng.uniform(5.0, 20.0, (200, 2)) * np.stack([1.5 + foot, 1.5 - foot], axis=1)
    np.testing.assert_array_equal(told(shaken(energies), -3.0 * foot)[30:], foot[30:])


def test_a_new_calibration_that_turns_the_hips_round_is_noticed():
    foot = turns(200)
    way = np.where(np.arange(200) < 100, -1.0, 1.0)
    got = told(1.0 * foot, 3.0 * foot * way)
    assert np.mean(got != foot) < 0.1
    np.testing.assert_array_equal(got[-80:], foot[-80:])


def test_a_missed_step_leaves_the_same_foot_to_land():
    foot = turns(101)[np.arange(101) != 50]
    steps = np.ones(100, dtype=int)
    steps[50] = 2
    # Nothing is known of the hips, and the impacts about the hole say nothing either.
    impacts = 1.5 * foot
    impacts[48:53] = 0.0
    np.testing.assert_array_equal(told(impacts, np.full(100, np.nan), steps), foot)


def test_what_is_known_of_the_hips_outlives_a_pause():
    which = FIRST.copy()
    for foot in turns(40):
        believe(which, 1, False, 1.5 * foot, -3.0 * foot)
    turned = which[:, 1].sum()
    doubt_feet(which)
    np.testing.assert_allclose(which[0], which[1])
    assert turned > 0.9
    assert which[:, 1].sum() == pytest.approx(turned)


def test_picks_that_go_astray_do_not_move_where_contacts_are_looked_for():
    rng = np.random.default_rng(3)
    state = new_gait_state(100.0, 0)
    astray = rng.random(200) < 0.35
    lags = np.where(astray, rng.uniform(0.06, 0.2, 200), rng.normal(0.03, 0.005, 200))
    for lag in lags:
        learn_rise(state[0], lag, 0.7)
    assert state["rise_lag"][0] == pytest.approx(0.03, abs=0.01)
    state["low"][0, 10] = 20.0
    assert contact_due(state[0], 10)[0] == pytest.approx(6.6, abs=1.0)
    # A new pace is followed.
    for _ in range(12):
        learn_rise(state[0], 0.08, 1.0)
    assert state["rise_lag"][0] == pytest.approx(0.08, abs=0.001)
