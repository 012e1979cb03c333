"""Speed and distance at any moment, from a watch, a foot pod or a treadmill that speaks once a second."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import Final

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
        self._words: list[tuple[float, float, float]] = []

    def tell(self, record: Speed) -> tuple[float, float] | None:
        """Take in one word of the source; one out of order, or without a number, is left out.

        Returns
        -------
        tuple of float, or None
            Its time (s) and speed (m/s; NaN where a distance has none yet) if it was taken.
        """
        t = record.t_s
        if not math.isfinite(t) or (self._words and t <= self._words[-1][0]):
            return None
        speed, distance = record.speed_m_s, record.distance_m
        if math.isnan(speed) and math.isnan(distance):
            return None
        if math.isnan(speed):
            speed = self._slope(t, distance)
        if math.isnan(distance):
            distance = self._integrated(t, speed)
        self._words.append((t, speed, distance))
        while t - self._words[0][0] > KEPT_S:
            del self._words[0]
        return t, speed

    def at(self, t: float) -> tuple[float, float]:
        """Speed (m/s) and distance (m) at session time ``t``; NaN where the source is silent."""
        words = self._words
        if not words or t < words[0][0]:
            return NAN, NAN
        after = bisect_right(words, (t, math.inf, math.inf))
        t0, v0, d0 = words[after - 1]
        held = (v0, d0 + v0 * (t - t0)) if t - t0 <= HOLD_S else (NAN, NAN)
        if after == len(words):
            return held
        t1, v1, d1 = words[after]
        if t1 - t0 > BRIDGE_S:
            # As if the next word had not come yet: what is known later changes nothing.
            return held
        part = (t - t0) / (t1 - t0)
        return v0 + part * (v1 - v0), d0 + part * (d1 - d0)

    def save(self) -> list[list[float]]:
        """The words that are kept."""
        return [list(word) for word in self._words]

    def load(self, words: list[list[float]]) -> None:
        """Go on from what ``save`` gave."""
        self._words = [(w[0], w[1], w[2]) for w in words]

    def _slope(self, t: float, distance: float) -> float:
        for t0, _, d0 in reversed(self._words):
            if t - t0 >= SLOPE_S:
                return (distance - d0) / (t - t0)
        return NAN

    def _integrated(self, t: float, speed: float) -> float:
        if not self._words:
            return 0.0
        t0, v0, d0 = self._words[-1]
        return d0 + 0.5 * (speed + (v0 if math.isfinite(v0) else speed)) * (t - t0)
