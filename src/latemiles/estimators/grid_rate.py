"""The rate of the common grid, by those of the sensors."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, isfinite

from latemiles.signals.frames import SEGMENTS
from latemiles.signals.records import SensorInfo

__all__ = ["grid_rate_hz", "slowest_hz"]


def grid_rate_hz(sensors: Iterable[SensorInfo]) -> float:
    """Rate of the common grid: 200 Hz where every sensor gives 150 Hz or more, else 100 Hz."""
    return 200.0 if 150.0 <= slowest_hz(sensors) < inf else 100.0


def slowest_hz(sensors: Iterable[SensorInfo]) -> float:
    """Rate of the slowest sensor; infinite where none is known."""
    rates = [s.rate_hz for s in sensors if s.segment in SEGMENTS and isfinite(s.rate_hz)]
    return min([rate for rate in rates if rate > 0.0], default=inf)
