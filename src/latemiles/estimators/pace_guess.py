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

from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import ConfigError
from latemiles.kernels.pace_guess import STATE, guess_pace, no_pieces
from latemiles.signals.blocks import GridBlock
from latemiles.signals.frames import Segment

__all__ = ["PaceGuess"]

F8 = NDArray[np.float64]

PIECE_S: Final = 0.5
"""Samples are judged in pieces this long."""


class PaceGuess:
    """Speed to go by at each sample, from what was before it.

    Parameters
    ----------
    rate_hz : float
        Rate of the grid.
    """

    def __init__(self, rate_hz: float) -> None:
        self._piece = max(2, round(PIECE_S * rate_hz))
        self._state = np.zeros(STATE)
        no_pieces(self._state)

    def push(self, grid: GridBlock) -> F8:
        """Take the next samples; return the speed (k,) to go by, m/s: NaN where nobody runs round a bend."""
        lane = Segment.PELVIS.lane
        pace = np.empty(grid.quality.shape[1])
        guess_pace(self._state, grid.first, self._piece, grid.gyr[lane], grid.acc[lane], pace)
        return pace

    def save(self) -> bytes:
        """Return the state as bytes."""
        return self._state.tobytes()

    def load(self, state: bytes) -> None:
        """Continue from bytes of ``save``.

        Raises
        ------
        ConfigError
            If the bytes are not such a state.
        """
        if len(state) != self._state.nbytes:
            raise ConfigError("state", "is not one of the guessed speed. Start from the recording instead.")
        self._state[:] = np.frombuffer(state)
