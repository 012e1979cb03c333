"""Run time, distance, pace and the present split, from strides and splits."""

from __future__ import annotations

import math
from collections import deque
from statistics import median
from typing import Any

from latemiles.signals.events import Split, Stride

__all__ = ["UNITS", "RunClock"]

UNITS = {"mile": 1609.344, "km": 1000.0}
"""Length of a unit of distance, m."""

_PACE_STRIDES = 15
_PACE_DEAD_BAND_S = 3.0
_SLOWEST_M_S = 0.5
"""Below this there is no pace to speak of."""
_STALE_S = 20.0


class RunClock:
    """Where the run is.

    Parameters
    ----------
    unit : str
        ``mile`` or ``km``.
    """

    __slots__ = (
        "_pace_s",
        "_places",
        "_speeds",
        "_split_index",
        "_split_start_s",
        "distance_m",
        "start_s",
        "unit",
    )

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.start_s = math.nan
        """Session time at which the run began; NaN before."""
        self.distance_m = math.nan
        self._places: deque[tuple[float, float]] = deque(maxlen=2048)
        self._speeds: deque[tuple[float, float]] = deque(maxlen=_PACE_STRIDES)
        self._split_index = 0
        self._split_start_s = math.nan
        self._pace_s = math.nan

    def begin(self, t_s: float) -> None:
        """The run begins here, unless it did already."""
        if math.isnan(self.start_s):
            self.start_s = self._split_start_s = t_s

    def stride(self, stride: Stride, distance_m: float, speed_m_s: float) -> None:
        """Take a stride with its distance since the start and its speed; NaN where not known."""
        if math.isfinite(speed_m_s):
            self._speeds.append((stride.t_s, speed_m_s))
        if not math.isfinite(distance_m):
            return
        index = int(distance_m / UNITS[self.unit])
        if index > self._split_index:
            self._split_start_s = self._crossing_s(index * UNITS[self.unit], stride.t_s, distance_m)
            self._split_index = index
        self.distance_m = distance_m
        self._places.append((stride.t_s, distance_m))

    def split(self, split: Split) -> None:
        """Without distance, splits are of a fixed time."""
        if math.isnan(self.distance_m):
            self._split_index, self._split_start_s = split.index + 1, split.t_s

    def _crossing_s(self, mark_m: float, t_s: float, distance_m: float) -> float:
        if not self._places:
            return t_s
        before_s, before_m = self._places[-1]
        share = (mark_m - before_m) / (distance_m - before_m) if distance_m > before_m else 1.0
        return before_s + min(max(share, 0.0), 1.0) * (t_s - before_s)

    def place(self, t_s: float) -> float | None:
        """Distance at an earlier time, m; None where it is not known."""
        for place_s, distance_m in reversed(self._places):
            if place_s <= t_s:
                return distance_m
        return self._places[0][1] if self._places else None

    def _pace(self, t_s: float) -> float | None:
        """Seconds a unit, moved only past its dead-band; None without a recent speed."""
        if not self._speeds or t_s - self._speeds[-1][0] > _STALE_S:
            return None
        speed = median(v for _, v in self._speeds)
        if speed < _SLOWEST_M_S:
            return None
        pace_s = UNITS[self.unit] / speed
        if math.isnan(self._pace_s) or abs(pace_s - self._pace_s) >= _PACE_DEAD_BAND_S:
            self._pace_s = pace_s
        return self._pace_s

    def state(self, t_s: float) -> dict[str, Any]:
        """What the page shows at a time; missing is None."""
        running = math.isfinite(self.start_s)
        known = math.isfinite(self.distance_m)
        return {
            "unit": self.unit,
            "run_s": t_s - self.start_s if running else None,
            "distance": self.distance_m / UNITS[self.unit] if known else None,
            "pace_s": self._pace(t_s),
            "split": {
                "number": self._split_index + 1,
                "by_distance": known,
                "elapsed_s": t_s - self._split_start_s if running else None,
            },
        }
