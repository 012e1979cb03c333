"""How a pelvis turns and bounces, piece by piece, and the speed that is guessed from it.

State is one array of ``STATE`` numbers: sums over the samples of the open piece, the gyroscope's zero, the
features of the last ``HELD`` pieces and the guesses of the last ``EVEN + 1``.
"""

from __future__ import annotations

import math
from typing import Final

from latemiles.kernels.jit import njit

__all__ = ["BOUNCE", "EVEN", "HELD", "STATE", "TURN_WEIGHTS", "guess_pace", "no_pieces"]

TURN_WEIGHTS: Final = (0.05, 0.1, 0.15, 0.2, 0.2, 0.15, 0.1, 0.05)
"""Of the pieces behind a sample, for the rate of turning: a pelvis swings by 60 deg/s to and fro in each
stride, and of that 0.3 are left."""
BOUNCE: Final = 4
"""Pieces behind a sample by which it is judged how hard the runner bounces."""
EVEN: Final = 3
"""The guess is the mean of as many, and goes straight from each to the next."""
HELD: Final = len(TURN_WEIGHTS)
QUIET_M_S2: Final = 0.3
"""A piece whose force varies less is one of standing: its mean rate is the gyroscope's zero,"""
ZERO_RAD_S: Final = math.radians(6.0)
"""if it is no more than that of a small gyroscope may be."""
IDLE_RAD_S: Final = math.radians(1.5)
"""Turning that is none: a bias, or what is left of the swing. At 3 m/s a bend of 115 m."""
WALK_M_S2: Final = 4.0
"""Walkers stay below, at 2;"""
RUN_M_S2: Final = 6.0
"""and runners above."""
USUAL_M_S2: Final = 9.0
"""So hard bounces who runs at"""
USUAL_M_S: Final = 3.2
"""this speed;"""
GAIN_PER_S: Final = 0.3
"""and who bounces harder is by so much faster, m/s per m/s^2; half of what the half-sines say."""
LEAST_M_S: Final = 2.0
MOST_M_S: Final = 4.0
SMALLEST_M_S2: Final = 1.0
"""A mean force that has a direction."""

_SUMS: Final = 9
"""Samples heard, rate x y z, force x y z, its size, its square."""
_ZERO: Final = _SUMS
_FEATURES: Final = _ZERO + 3
"""Of a piece: rate of turning, rad/s; mean size of the force, m/s^2; mean of its square."""
_GUESSES: Final = _FEATURES + 3 * HELD
STATE: Final = _GUESSES + EVEN + 1


@njit(cache=True)
def guess_pace(state, first, piece, gyr, acc, pace):
    """Guess the speed at k samples, from what was before each.

    Parameters
    ----------
    state : float64 array, shape (STATE,)
        Changed in place; at first as ``no_pieces`` leaves it.
    first : int
        Number of the first sample; pieces begin at multiples of ``piece``.
    piece : int
        Samples in a piece.
    gyr, acc : float64 arrays, shape (k, 3)
        Angular rate, rad/s, and specific force, m/s^2, of the pelvis.
    pace : float64 array, shape (k,)
        Out: m/s; NaN where nobody is known to run round a bend.
    """
    at, i = first % piece, 0
    while i < gyr.shape[0]:
        stop = min(gyr.shape[0], i + piece - at)
        before, after = _even(state, 0), _even(state, 1)
        for k in range(i, stop):
            speed = before + (at + 1 + k - i) / piece * (after - before)
            pace[k] = speed if speed > 0.0 else math.nan
        _add(state, gyr[i:stop], acc[i:stop])
        at += stop - i
        i = stop
        if at == piece:
            _close(state, piece)
            at = 0


@njit(cache=True)
def no_pieces(state):
    """Begin: nothing was heard, and the gyroscope's zero is zero. ``state`` as of ``guess_pace``."""
    for k in range(STATE):
        state[k] = math.nan if _FEATURES <= k < _GUESSES else 0.0


@njit(cache=True)
def _even(state, start):
    """Mean of ``EVEN`` guesses, from one of the oldest on."""
    total = 0.0
    for k in range(EVEN):
        total += state[_GUESSES + start + k]
    return total / EVEN


@njit(cache=True)
def _add(state, gyr, acc):
    """Add samples to the open piece."""
    gx, gy, gz, ax, ay, az = state[1], state[2], state[3], state[4], state[5], state[6]
    size, square = state[7], state[8]
    for k in range(gyr.shape[0]):
        x, y, z = acc[k, 0], acc[k, 1], acc[k, 2]
        gx += gyr[k, 0]
        gy += gyr[k, 1]
        gz += gyr[k, 2]
        ax += x
        ay += y
        az += z
        length = x * x + y * y + z * z
        size += math.sqrt(length)
        square += length
    state[0] += gyr.shape[0]
    state[1], state[2], state[3], state[4], state[5], state[6] = gx, gy, gz, ax, ay, az
    state[7], state[8] = size, square


@njit(cache=True)
def _close(state, piece):
    """Judge the piece that is whole now, and guess anew."""
    # Of a piece that was heard in part nothing is known.
    n = piece if state[0] == piece else math.nan
    gx, gy, gz = state[1] / n, state[2] / n, state[3] / n
    ax, ay, az = state[4] / n, state[5] / n, state[6] / n
    size, square = state[7] / n, state[8] / n
    for k in range(_SUMS):
        state[k] = 0.0
    if square - size * size < QUIET_M_S2**2 and gx * gx + gy * gy + gz * gz < ZERO_RAD_S**2:
        state[_ZERO], state[_ZERO + 1], state[_ZERO + 2] = gx, gy, gz
    # Over half a second the mean force of a runner is nearly up.
    length = math.sqrt(ax * ax + ay * ay + az * az)
    turn = (gx - state[_ZERO]) * ax + (gy - state[_ZERO + 1]) * ay + (gz - state[_ZERO + 2]) * az
    for k in range(_FEATURES, _GUESSES - 3):
        state[k] = state[k + 3]
    state[_GUESSES - 3] = turn / (SMALLEST_M_S2 if length < SMALLEST_M_S2 else length)
    state[_GUESSES - 2] = size
    state[_GUESSES - 1] = square
    for k in range(EVEN):
        state[_GUESSES + k] = state[_GUESSES + k + 1]
    state[_GUESSES + EVEN] = _guess(state[_FEATURES:_GUESSES])


@njit(cache=True)
def _guess(features):
    """Speed by the features of the last pieces, m/s; 0 where nobody is in a bend, NaN if that is unknown."""
    turn = size = square = 0.0
    for k in range(HELD):
        turn += TURN_WEIGHTS[k] * features[3 * k]
    for k in range(HELD - BOUNCE, HELD):
        size += features[3 * k + 1] / BOUNCE
        square += features[3 * k + 2] / BOUNCE
    if math.isnan(turn + size + square):
        return math.nan
    bounce = math.sqrt(max(square - size * size, 0.0))
    beyond = max(turn * turn - IDLE_RAD_S**2, 0.0)
    trust = beyond / (beyond + IDLE_RAD_S**2)
    runs = min(max((bounce - WALK_M_S2) / (RUN_M_S2 - WALK_M_S2), 0.0), 1.0)
    speed = min(max(USUAL_M_S + GAIN_PER_S * (bounce - USUAL_M_S2), LEAST_M_S), MOST_M_S)
    return trust * runs * speed
