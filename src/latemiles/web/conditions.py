"""Grade and heart rate along the run, as a watch tells them; what the pipeline's events do not carry."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from latemiles.signals.records import Speed

__all__ = ["Conditions"]

_POINT_S = 20.0
"""Told time that a point stands for, about as long as a point of the angles."""
_STALE_S = 30.0
"""After this long without a word there is no value now."""


@dataclass(slots=True)
class _Track:
    """One quantity: what was told since the last point."""

    waiting: list[tuple[float, float]] = field(default_factory=list)
    now: float = math.nan
    told_s: float = -math.inf

    def tell(self, t_s: float, value: float) -> tuple[float, float] | None:
        """Take a told value; a finished point as (time s, median), else None."""
        if not math.isfinite(value):
            return None
        if self.waiting and t_s - self.told_s > _STALE_S:
            self.waiting.clear()
        self.waiting.append((t_s, value))
        self.told_s = t_s
        self.now = median(v for _, v in self.waiting[-10:])
        if t_s - self.waiting[0][0] < _POINT_S:
            return None
        point = self.waiting[len(self.waiting) // 2][0], median(v for _, v in self.waiting)
        self.waiting.clear()
        return point


class Conditions:
    """What was told of the road and the heart."""

    __slots__ = ("_tracks",)

    def __init__(self) -> None:
        self._tracks = {"grade": _Track(), "heart_rate": _Track()}

    def tell(self, record: Speed) -> list[tuple[str, float, float]]:
        """Take what a source told; finished points as (name, time s, value).

        Grade is in percent, heart rate in beats a minute.
        """
        told = {"grade": 100.0 * record.grade, "heart_rate": record.heart_rate_bpm}
        found = []
        for name, value in told.items():
            point = self._tracks[name].tell(record.t_s, value)
            if point is not None:
                found.append((name, *point))
        return found

    def state(self, t_s: float) -> dict[str, Any]:
        """Values now; None where nothing fresh was told."""
        return {
            name: track.now if t_s - track.told_s <= _STALE_S and math.isfinite(track.now) else None
            for name, track in self._tracks.items()
        }
