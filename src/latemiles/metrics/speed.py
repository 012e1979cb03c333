"""Speed and distance at any moment, from a watch, a foot pod or a treadmill that speaks once a second."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.kernels.pace import speed_at, take_words
from latemiles.signals.records import Speed

__all__ = ["SpeedTrack", "words_of"]

F8 = NDArray[np.float64]

BRIDGE_S: Final = 30.0
"""Longest silence of the source that is bridged by a straight line, s."""

HOLD_S: Final = 10.0
"""How long the last word of the source holds, s."""

SLOPE_S: Final = 5.0
"""Speed from a source of distance alone is taken over at least this long: its steps are a metre, s."""

KEPT_S: Final = 512.0
"""How far back words of the source are kept, s: a smoothed stride asks for its speed a minute or two late."""


def words_of(records: Iterable[Speed]) -> F8:
    """Time, s, speed, m/s, and distance, m, of what a source said, (m, 3)."""
    return np.array([(r.t_s, r.speed_m_s, r.distance_m) for r in records], dtype=np.float64).reshape(-1, 3)


class SpeedTrack:
    """The last minutes of a speed source; distance is integrated where the source gives none."""

    def __init__(self) -> None:
        self._rows: F8 = np.empty((64, 3))
        self._first = self._stop = 0
        """Words that are kept, as rows of it."""

    @property
    def words(self) -> F8:
        """Time, s, speed, m/s (NaN where a distance has none yet), and distance, m, (n, 3); a view."""
        return self._rows[self._first : self._stop]

    def tell(self, record: Speed) -> None:
        """Take in one word of the source; one out of order, or without a number, is left out."""
        self.tell_many(words_of([record]))

    def tell_many(self, words: F8) -> F8:
        """The same for words (m, 3) as ``words_of`` gives them.

        Returns
        -------
        float64 array, shape (m, 2)
            Time (s) and speed (m/s) of each; NaN where it was left out, or where a distance has no speed yet.
        """
        if self._stop + len(words) > len(self._rows):
            kept = self.words
            self._rows = np.concatenate([kept, np.empty((max(64, len(kept), len(words)), 3))])
            self._first, self._stop = 0, len(kept)
        taken = np.empty((len(words), 2))
        self._first, self._stop = take_words(
            words, self._rows, self._first, self._stop, SLOPE_S, KEPT_S, taken
        )
        return taken

    def at(self, t: float) -> tuple[float, float]:
        """Speed (m/s) and distance (m) at session time ``t``; NaN where the source is silent."""
        speed, distance = speed_at(self.words, float(t), BRIDGE_S, HOLD_S)
        return speed, distance

    def save(self) -> list[list[float]]:
        """The words that are kept."""
        saved: list[list[float]] = self.words.tolist()
        return saved

    def load(self, words: list[list[float]]) -> None:
        """Go on from what ``save`` gave."""
        self._rows = np.array([*words, [math.nan] * 3])
        self._first, self._stop = 0, len(words)
