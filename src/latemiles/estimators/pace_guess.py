"""Speed of a runner in a bend when no watch, pod or treadmill tells it: a guess, and nothing but in bends.

A bend at a runner's speed pushes what any filter takes for up by 2 degrees (``kernels.course``), and a guess
that is a third off leaves a third of that. On a straight there is nothing to gain, and a gyroscope's bias
about the vertical would look like a bend: the guess is weighed by how surely the pelvis turns.

How hard a runner bounces says roughly how fast: with half-sines of force and a contact that fills the share c
of a step, the force varies by ``g sqrt(pi^2 / (8 c) - 1)`` about its mean, from 7 m/s^2 in a jog to 11 at
4.5 m/s. Clothes and clips bounce along, so most of the guess is the speed that most people run at. Walkers
are left alone: they turn on the spot.

The guess changes slowly. Were it to come and go within a stride, the pelvis, which swings to and fro in it,
would be given a speed more often when it turns to one side than when it turns back: a push to one side.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.estimators.snapshot import pack, unpack
from latemiles.signals.blocks import GridBlock
from latemiles.signals.frames import Segment

__all__ = ["PaceGuess"]

F8 = NDArray[np.float64]

PIECE_S: Final = 0.5
"""Samples are judged in pieces this long."""
TURN_WEIGHTS: Final = np.array([1.0, 2.0, 3.0, 4.0, 4.0, 3.0, 2.0, 1.0]) / 20.0
"""Of the pieces behind a sample, for the rate of turning: a pelvis swings by 60 deg/s to and fro in each
stride, and of that 0.3 are left."""
BOUNCE_PIECES: Final = 4
"""Pieces behind a sample by which it is judged how hard the runner bounces."""
EVEN_PIECES: Final = 3
"""The guess is the mean of as many, and goes straight from each to the next."""
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

_FEATURES: Final = 3
"""Of a piece: rate of turning, rad/s; mean size of the force, m/s^2; mean of its square."""
_HELD: Final = len(TURN_WEIGHTS) - 1
"""Pieces before a new one that are judged along with it."""


class PaceGuess:
    """Speed to go by at each sample, from what was before it.

    Parameters
    ----------
    rate_hz : float
        Rate of the grid.
    """

    def __init__(self, rate_hz: float) -> None:
        self._piece = max(2, round(PIECE_S * rate_hz))
        self._open = np.empty((0, 6))
        """Samples of the piece that is not whole: rate and force."""
        self._features = np.full((_HELD, _FEATURES), np.nan)
        self._zero = np.zeros(3)
        """Rate of the pelvis's gyroscope when the runner last stood, rad/s."""
        self._guesses = np.zeros(EVEN_PIECES + 1)
        """Of the last pieces, m/s; 0 where nobody runs round a bend."""

    def push(self, grid: GridBlock) -> F8:
        """Take the next samples; return the speed (k,) to go by, m/s: NaN where nobody runs round a bend."""
        k = grid.quality.shape[1]
        lane = Segment.PELVIS.lane
        if grid.first % self._piece and not len(self._open):
            # Pieces begin at fixed indices of the grid, wherever it begins.
            self._open = np.full((grid.first % self._piece, 6), np.nan)
        begun = len(self._open)
        rows = np.concatenate([self._open, np.concatenate([grid.gyr[lane], grid.acc[lane]], axis=1)])
        whole = len(rows) // self._piece
        self._open = rows[whole * self._piece :].copy()
        pieces = rows[: whole * self._piece].reshape(whole, self._piece, 6)
        features = np.concatenate([self._features, self._judged(pieces)])
        self._features = features[whole:].copy()
        guesses = np.concatenate([self._guesses, _speeds(features)])
        self._guesses = guesses[whole:].copy()
        even = np.lib.stride_tricks.sliding_window_view(guesses, EVEN_PIECES).sum(axis=1) / EVEN_PIECES
        share = np.arange(1, self._piece + 1) / self._piece
        speed = (even[:-1, None] + share * np.diff(even)[:, None]).reshape(-1)[begun : begun + k]
        return np.where(speed > 0.0, speed, np.nan)

    def _judged(self, pieces: F8) -> F8:
        """Features (m, 3) of pieces (m, n, 6) of n samples; NaN with a hole in it."""
        mean = pieces.mean(axis=1)
        gyr, acc = mean[:, :3], mean[:, 3:]
        squares = (pieces[:, :, 3:] ** 2).sum(axis=2)
        size, square = np.sqrt(squares).mean(axis=1), squares.mean(axis=1)
        stands = (square - size**2 < QUIET_M_S2**2) & ((gyr**2).sum(axis=1) < ZERO_RAD_S**2)
        zeros = np.concatenate([self._zero[None], gyr])
        last = np.maximum.accumulate(np.concatenate([[0], np.where(stands, np.arange(1, len(gyr) + 1), 0)]))
        zeros = zeros[last]
        self._zero = zeros[-1].copy()
        # Over half a second the mean force of a runner is nearly up.
        length = np.maximum(np.sqrt((acc**2).sum(axis=1)), SMALLEST_M_S2)
        turns = ((gyr - zeros[1:]) * acc).sum(axis=1) / length
        return np.stack([turns, size, square], axis=1)

    def save(self) -> bytes:
        """Return the state as bytes."""
        return pack(
            {},
            {
                "open": self._open,
                "features": self._features,
                "zero": self._zero,
                "guesses": self._guesses,
            },
        )

    def load(self, state: bytes) -> None:
        """Continue from bytes of ``save``.

        Raises
        ------
        InputError
            If the bytes are not such a state.
        """
        _, arrays = unpack(state)
        self._open, self._features = arrays["open"].copy(), arrays["features"].copy()
        self._zero, self._guesses = arrays["zero"].copy(), arrays["guesses"].copy()


def _speeds(features: F8) -> F8:
    """Speed (m,), m/s, after each of (_HELD + m, 3) pieces but the first; 0 where nobody is in a bend."""
    if len(features) == _HELD:
        return np.empty(0)
    windows = np.lib.stride_tricks.sliding_window_view(features, len(TURN_WEIGHTS), axis=0)
    # A product of matrices would round by how many there are.
    turns = (windows[:, 0] * TURN_WEIGHTS).sum(axis=1)
    mean, square = windows[:, 1:, -BOUNCE_PIECES:].mean(axis=2).T
    bounce = np.sqrt(np.maximum(square - mean**2, 0.0))
    beyond = np.maximum(turns**2 - IDLE_RAD_S**2, 0.0)
    trust = beyond / (beyond + IDLE_RAD_S**2)
    runs = np.clip((bounce - WALK_M_S2) / (RUN_M_S2 - WALK_M_S2), 0.0, 1.0)
    speed = np.clip(USUAL_M_S + GAIN_PER_S * (bounce - USUAL_M_S2), LEAST_M_S, MOST_M_S)
    guess: F8 = trust * runs * speed
    return guess
