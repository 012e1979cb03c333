"""Heart rate and climb of a part of the run, from what the speed source said."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

from latemiles.signals.records import Speed

__all__ = ["GroundTrack"]

KEPT: Final = 10_800
"""Words that are kept: three hours at one a second; longer parts count what is left of them."""
BRIDGE_S: Final = 30.0
"""A longer silence of the source climbs nothing, s."""


class GroundTrack:
    """The last words of the source; those of parts that are over are forgotten."""

    def __init__(self) -> None:
        self._words: deque[tuple[float, float, float]] = deque(maxlen=KEPT)
        self._height = 0.0
        self._last = (math.nan, math.nan)

    def tell(self, record: Speed) -> None:
        """Take in one word, in order of arrival; one without heart rate and grade says nothing here."""
        if not math.isfinite(record.t_s):
            return
        height = self._climbed(record)
        if math.isfinite(record.heart_rate_bpm) or math.isfinite(height):
            self._words.append((record.t_s, record.heart_rate_bpm, height))

    def over(self, start_s: float, end_s: float) -> tuple[float, float]:
        """Mean heart rate (bpm) and climb (m) from one time to another; NaN where nothing was said.

        Words from before the start are forgotten.
        """
        while self._words and self._words[0][0] < start_s:
            self._words.popleft()
        here = [word for word in self._words if word[0] <= end_s]
        hearts = [heart for _, heart, _ in here if math.isfinite(heart)]
        heights = [height for _, _, height in here if math.isfinite(height)]
        return (
            math.fsum(hearts) / len(hearts) if hearts else math.nan,
            heights[-1] - heights[0] if len(heights) > 1 else math.nan,
        )

    def save(self) -> list[list[float]]:
        """The words that are kept, and where the climb stands."""
        return [[self._height, *self._last], *(list(word) for word in self._words)]

    def load(self, rows: list[list[float]]) -> None:
        """Go on from what ``save`` gave."""
        self._height, *last = rows[0]
        self._last = (last[0], last[1])
        self._words = deque(((row[0], row[1], row[2]) for row in rows[1:]), maxlen=KEPT)

    def _climbed(self, record: Speed) -> float:
        """Height above the first word, m: grade times the way since the word before; NaN without a grade."""
        if not math.isfinite(record.grade):
            return math.nan
        t, distance = self._last
        step = record.t_s - t
        if 0.0 < step <= BRIDGE_S:
            way = record.distance_m - distance
            if not math.isfinite(way):
                way = record.speed_m_s * step
            if math.isfinite(way) and way > 0.0:
                self._height += record.grade * way
        if not step <= 0.0:
            self._last = (record.t_s, record.distance_m)
        return self._height
