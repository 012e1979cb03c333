"""Speed of a runner in a bend when no watch, pod or treadmill tells it: a guess, and nothing but in bends.

A bend at a runner's speed pushes what any filter takes for up by 2 degrees (``kernels.course``), and a guess
that is a third off leaves a third of that. On a straight there is nothing to gain, and a gyroscope's bias
about the vertical would look like a bend: the guess is weighed by how surely the pelvis turns.

How hard a runner bounces says roughly how fast: with half-sines of force and a contact that fills the share c
of a step, the force varies by ``g sqrt(pi^2 / (8 c) - 1)`` about its mean, from 7 m/s^2 in a jog to 11 at
4.5 m/s. Clothes and clips bounce along, so most of the guess is the speed that most people run at. Walkers
are left alone: they turn on the spot.
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
        self._features = np.full((len(TURN_WEIGHTS), _FEATURES), np.nan)

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
        features = np.concatenate([self._features, _features(pieces)])
        self._features = features[whole:].copy()
        return np.repeat(_speeds(features), self._piece)[begun : begun + k]

    def save(self) -> bytes:
        """Return the state as bytes."""
        return pack({}, {"open": self._open, "features": self._features})

    def load(self, state: bytes) -> None:
        """Continue from bytes of ``save``.

        Raises
        ------
        InputError
            If the bytes are not such a state.
        """
        _, arrays = unpack(state)
        self._open, self._features = arrays["open"].copy(), arrays["features"].copy()


def _features(pieces: F8) -> F8:
    """Of pieces (m, n, 6) of n samples: (m, 3); NaN with a hole in it."""
    mean = pieces.mean(axis=1)
    gyr, acc = mean[:, :3], mean[:, 3:]
    # Over half a second the mean force of a runner is nearly up.
    length = np.maximum(np.sqrt((acc**2).sum(axis=1)), SMALLEST_M_S2)
    turns = (gyr * acc).sum(axis=1) / length
    squares = (pieces[:, :, 3:] ** 2).sum(axis=2)
    return np.stack([turns, np.sqrt(squares).mean(axis=1), squares.mean(axis=1)], axis=1)


def _speeds(features: F8) -> F8:
    """Speed (m + 1,) to go by after each of the pieces (m + len(TURN_WEIGHTS), 3) from the first that can."""
    windows = np.lib.stride_tricks.sliding_window_view(features, len(TURN_WEIGHTS), axis=0)
    # A product of matrices would round by how many there are.
    turns = (windows[:, 0] * TURN_WEIGHTS).sum(axis=1)
    mean, square = windows[:, 1:, -BOUNCE_PIECES:].mean(axis=2).T
    bounce = np.sqrt(np.maximum(square - mean**2, 0.0))
    beyond = np.maximum(turns**2 - IDLE_RAD_S**2, 0.0)
    trust = beyond / (beyond + IDLE_RAD_S**2)
    runs = np.clip((bounce - WALK_M_S2) / (RUN_M_S2 - WALK_M_S2), 0.0, 1.0)
    speed = np.clip(USUAL_M_S + GAIN_PER_S * (bounce - USUAL_M_S2), LEAST_M_S, MOST_M_S)
    guess = trust * runs * speed
    return np.where(guess > 0.0, guess, np.nan)
