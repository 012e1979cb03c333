"""The speed that is guessed in bends when nobody tells it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latemiles.errors import ConfigError
from latemiles.estimators.course import Course, no_course
from latemiles.estimators.pace_guess import PaceGuess
from latemiles.signals.blocks import GridBlock
from latemiles.signals.frames import SEGMENTS
from reference import slow_pace_guess

RATE_HZ = 104.0
BEND_RAD_S = 3.3 / 36.8


def moving(seconds: float, turn_rad_s: float, bounce_m_s2: float, first: int = 0) -> GridBlock:
    """A pelvis that goes up and down, swings with the stride and turns."""
    n = round(seconds * RATE_HZ)
    t = np.arange(n) / RATE_HZ
    acc, gyr = np.zeros((2, len(SEGMENTS), n, 3))
    acc[..., 2] = 9.81 + np.sqrt(2.0) * bounce_m_s2 * np.sin(2.0 * np.pi * 2.8 * t)
    gyr[..., 2] = turn_rad_s + 1.0 * np.sin(2.0 * np.pi * 1.4 * t + 0.4)
    return GridBlock(first, RATE_HZ, acc, gyr, np.zeros((len(SEGMENTS), n), dtype=np.int64))


def running(seconds: float, turn_rad_s: float, contact: float, first: int = 0) -> GridBlock:
    """The same with half-sines of force that last this share of a step, and flight between them."""
    block = moving(seconds, turn_rad_s, 0.0, first)
    phase = (2.8 * np.arange(block.quality.shape[1]) / RATE_HZ) % 1.0 / contact
    block.acc[..., 2] = np.where(phase < 1.0, 9.81 * np.pi / (2.0 * contact) * np.sin(np.pi * phase), 0.0)
    return block


@pytest.mark.parametrize(("contact", "least", "most"), [(0.78, 2.2, 2.8), (0.65, 2.7, 3.2), (0.55, 3.1, 3.7)])
def test_a_runner_in_a_bend_is_taken_to_run_at_a_usual_speed(contact, least, most):
    guess = PaceGuess(RATE_HZ).push(running(20.0, BEND_RAD_S, contact))[round(6.0 * RATE_HZ) :]
    assert least < guess.min() <= guess.max() < most


@pytest.mark.parametrize(
    ("turn", "bounce"),
    [(0.0, 6.5), (np.radians(0.5), 6.5), (BEND_RAD_S, 2.0), (1.5, 2.0), (1.5, 0.1), (0.0, 0.0)],
    ids=["straight", "biased", "walks", "turns on the spot", "stands", "nothing moves"],
)
def test_nobody_else_is_guessed_at(turn, bounce):
    assert np.isnan(PaceGuess(RATE_HZ).push(moving(20.0, turn, bounce))).all()


def test_what_is_not_known_for_four_seconds_is_not_guessed():
    block = running(20.0, BEND_RAD_S, 0.65)
    block.acc[0, 1040] = np.nan
    guess = PaceGuess(RATE_HZ).push(block)
    missing = np.isnan(guess)
    # The piece with the hole is whole at 10.5 s, eight pieces later it is forgotten, and three more even out.
    assert missing[round(10.5 * RATE_HZ) : round(14.5 * RATE_HZ)].all()
    assert not missing[round(7.0 * RATE_HZ) : round(10.4 * RATE_HZ)].any()
    assert not missing[round(16.6 * RATE_HZ) :].any()


def test_without_a_hole_in_the_other_sensors_or_an_end_nothing_is_invented():
    guess = PaceGuess(RATE_HZ)
    assert guess.push(running(0.0, BEND_RAD_S, 0.65)).shape == (0,)
    block = running(20.0, BEND_RAD_S, 0.65)
    block.acc[1:] = np.nan
    assert np.isfinite(guess.push(block)[-1])


@given(cuts=st.lists(st.integers(0, 2080), max_size=8), first=st.integers(0, 200))
def test_cut_anywhere_the_guess_is_the_same(cuts, first):
    block = running(20.0, BEND_RAD_S, 0.65, first)
    whole = PaceGuess(RATE_HZ)
    expected = whole.push(block)
    ends = [0, *sorted(cuts), block.quality.shape[1]]
    stage, parts = PaceGuess(RATE_HZ), []
    for start, stop in pairwise(ends):
        if stop > start:
            parts.append(stage.push(block.part(start, stop)))
        other = PaceGuess(RATE_HZ)
        other.load(stage.save())
        stage = other
    assert np.concatenate(parts).tobytes() == expected.tobytes()
    assert stage.save() == whole.save()


@pytest.mark.interpreted
@pytest.mark.parametrize(("first", "hole"), [(0, None), (17, None), (52, 900)])
def test_the_kernel_guesses_what_its_twin_does(first, hole):
    stood, ran = moving(3.0, np.radians(2.0), 0.0, first), running(14.0, -BEND_RAD_S, 0.6)
    stood.gyr[..., 2] = np.radians(2.0)
    gyr, acc = (np.concatenate(pair, axis=1) for pair in ((stood.gyr, ran.gyr), (stood.acc, ran.acc)))
    if hole is not None:
        acc[0, hole, 1] = np.nan
    guess = PaceGuess(RATE_HZ).push(GridBlock(first, RATE_HZ, acc, gyr, np.zeros(acc.shape[:2], np.int64)))
    assert np.nanmax(guess) > 2.0
    np.testing.assert_allclose(guess, slow_pace_guess.guess_pace(first, 52, gyr[0], acc[0]), rtol=1e-9)


def test_a_state_of_another_kind_is_refused():
    with pytest.raises(ConfigError, match="guessed speed"):
        PaceGuess(RATE_HZ).load(b"other")


@pytest.mark.parametrize("off_deg_s", [4.0, -5.0])
def test_a_gyro_whose_zero_is_far_off_turns_nobody_who_stood_before(off_deg_s):
    stood, ran = moving(5.0, np.radians(off_deg_s), 0.0), running(20.0, np.radians(off_deg_s), 0.65, 520)
    stood.gyr[..., 2] = np.radians(off_deg_s)
    guess = PaceGuess(RATE_HZ)
    guess.push(stood)
    # Until eight pieces and the three that even out are of running, its first swing shows.
    assert np.isnan(guess.push(ran)[round(6.0 * RATE_HZ) :]).all()


def test_the_guess_does_not_come_and_go_with_the_stride():
    # As near to the limit as a bend can be, where what is left of the swing would open and close it.
    guess = PaceGuess(RATE_HZ).push(running(60.0, np.radians(1.6), 0.65))
    pace = np.nan_to_num(guess[round(8.0 * RATE_HZ) :])
    swing = np.exp(2j * np.pi * 1.4 * np.arange(len(pace)) / RATE_HZ)
    assert 2.0 * abs(np.mean((pace - pace.mean()) * swing)) < 0.03


def test_what_is_told_goes_before_what_is_guessed():
    told = Course(np.array([3.0, np.nan, 0.0]), np.array([0.1, 0.0, 0.2]))
    course = told.or_else(np.array([2.0, 2.5, np.nan]))
    np.testing.assert_array_equal(course.pace_m_s, [3.0, 2.5, 0.0])
    np.testing.assert_array_equal(course.gained_m_s, told.gained_m_s)
    assert np.isnan(no_course(2).or_else(np.full(2, np.nan)).pace_m_s).all()
