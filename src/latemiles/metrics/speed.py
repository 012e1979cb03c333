"""Speed and distance at any moment, from a watch, a foot pod or a treadmill that speaks once a second."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.kernels.pace import speed_at
from latemiles.signals.records import Speed

__all__ = ["SpeedTrack"]

NAN = math.nan

BRIDGE_S: Final = 30.0
"""Longest silence of the source that is bridged by a straight line, s."""

HOLD_S: Final = 10.0
"""How long the last word of the source holds, s."""

SLOPE_S: Final = 5.0
"""Speed from a source of distance alone is taken over at least this long: its steps are a metre, s."""

KEPT_S: Final = 512.0
"""How far back words of the source are kept, s: a smoothed stride asks for its speed a minute or two late."""


class SpeedTrack:
    """The last minutes of a speed source; distance is integrated where the source gives none."""

    def __init__(self) -> None:
        self._rows: NDArray[np.float64] = np.empty((64, 3))
        self._first = self._stop = 0
        """Words that are kept, as rows of it."""

    @property
    def words(self) -> NDArray[np.float64]:
        """Time, s, speed, m/s (NaN where a distance has none yet), and distance, m, (n, 3); a view."""
        return self._rows[self._first : self._stop]

    def tell(self, record: Speed) -> tuple[float, float] | None:
        """Take in one word of the source; one out of order, or without a number, is left out.

        Returns
        -------
        tuple of float, or None
            Its time (s) and speed (m/s; NaN where a distance has none yet) if it was taken.
        """
        t = record.t_s
        if not math.isfinite(t) or (self._stop > self._first and t <= self._rows[self._stop - 1, 0]):
            return None
        speed, distance = record.speed_m_s, record.distance_m
        if math.isnan(speed) and math.isnan(distance):
            return None
        if math.isnan(speed):
            speed = self._slope(t, distance)
        if math.isnan(distance):
            distance = self._integrated(t, speed)
        self._append(t, speed, distance)
        while t - self._rows[self._first, 0] > KEPT_S:
            self._first += 1
        return t, speed

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
        self._rows = np.array([*words, [NAN] * 3])
        self._first, self._stop = 0, len(words)

    def _append(self, *word: float) -> None:
        if self._stop == len(self._rows):
            kept = self.words
            self._rows = np.concatenate([kept, np.empty((max(64, len(kept)), 3))])
            self._first, self._stop = 0, len(kept)
        self._rows[self._stop] = word
        self._stop += 1

    def _slope(self, t: float, distance: float) -> float:
        for t0, _, d0 in reversed(self.words):
            if t - t0 >= SLOPE_S:
                return float((distance - d0) / (t - t0))
        return NAN

    def _integrated(self, t: float, speed: float) -> float:
        if self._stop == self._first:
            return 0.0
        t0, v0, d0 = map(float, self._rows[self._stop - 1])
        return d0 + 0.5 * (speed + (v0 if math.isfinite(v0) else speed)) * (t - t0)
