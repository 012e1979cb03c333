"""Where in the run something happened: in miles, kilometres, or minutes when no distance is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import ConfigError
from latemiles.report.numbers import magnitude

if TYPE_CHECKING:
    from latemiles.analysis_result import Analysis, ContextTrack

__all__ = ["KM", "MILE", "MINUTE", "AxisUnit", "RunAxis", "run_axis", "unit_of"]

F8 = NDArray[np.float64]

_LEAST_COVER = 0.9
"""Share of the run's time that a distance source must cover, or the axis is in minutes."""

_LEAST_M = 200.0
"""A shorter way is told in minutes: it would read as mile 0.0 from end to end."""

_HEAD_START_M = 200.0
"""A first distance beyond this belongs to what came before the recording, m."""


@dataclass(frozen=True, slots=True)
class AxisUnit:
    """What one step of the horizontal axis is."""

    one: str
    many: str
    short: str
    size: float
    """Metres, or seconds for minutes."""
    smoother: float
    """Width of the smoother, in this unit: about 0.3 mile or 2.5 minutes."""


MILE = AxisUnit("mile", "miles", "mi", 1609.344, 0.3)
KM = AxisUnit("kilometre", "kilometres", "km", 1000.0, 0.48)
MINUTE = AxisUnit("minute", "minutes", "min", 60.0, 2.5)


def unit_of(units: str) -> AxisUnit:
    """The length that ``units`` (``metric`` or ``mile``) counts in.

    Raises
    ------
    ConfigError
        If it is neither.
    """
    if units not in ("metric", "mile"):
        raise ConfigError("units", f"'{units}' is not known; choose 'metric' or 'mile'.")
    return MILE if units == "mile" else KM


@dataclass(frozen=True, slots=True)
class RunAxis:
    """Session time to place."""

    unit: AxisUnit
    t_s: F8
    place_units: F8
    """Place at ``t_s``, in the axis unit, never falling."""
    end: float
    """Length of the run, in the axis unit."""

    @property
    def has_distance(self) -> bool:
        """Whether places are distances."""
        return self.unit is not MINUTE

    def smoother(self, t_s: F8) -> float:
        """Width of the smoother for points at these times: less on a short run, never under two points."""
        steps = np.diff(self.at(t_s))
        usual = float(np.median(steps)) if len(steps) else 0.0
        return max(1e-6, 2.0 * usual, min(self.unit.smoother, 0.04 * self.end))

    def at(self, t_s: F8 | float) -> F8:
        """Place at the times, in the axis unit; NaN stays NaN."""
        out: F8 = np.interp(np.asarray(t_s, dtype=np.float64), self.t_s, self.place_units)
        return np.where(np.isnan(t_s), np.nan, out)

    def number(self, t_s: float) -> str:
        """``7.4``, or whole minutes."""
        return magnitude(float(self.at(t_s)), 1 if self.has_distance else 0)

    def place(self, t_s: float) -> str:
        """``mile 7.4``, ``kilometre 11.9`` or ``minute 59``."""
        return f"{self.unit.one} {self.number(t_s)}"

    @property
    def length(self) -> str:
        """``13.1 miles`` or ``31 minutes``; seconds under two minutes."""
        if self.has_distance:
            return f"{magnitude(self.end)} {self.unit.many}"
        if self.end < 2.0:
            return f"{magnitude(60.0 * self.end, 0)} seconds"
        return f"{magnitude(self.end, 0)} minutes"

    def ticks(self, most: int) -> list[float]:
        """Round places from 0 to the end, at most ``most`` of them."""
        step = next(
            (
                s
                for s in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0)
                if self.end / s + 1 <= most
            ),
            240.0,
        )
        return [round(k * step, 6) for k in range(math.floor(self.end / step + 1e-9) + 1)]


def run_axis(analysis: Analysis, context: ContextTrack, units: str) -> RunAxis:
    """The axis of a run: distance where a source covers it, else minutes."""
    unit = unit_of(units)
    duration_s = max(analysis.quality.duration_s, 1.0)
    strides = analysis.strides
    for t_s, distance_m in (
        (context.t_s, context.distance_m),
        (strides["t_ic_s"], strides["distance_m"]),
    ):
        axis = _distance_axis(np.asarray(t_s), np.asarray(distance_m), unit, duration_s)
        if axis is not None:
            return axis
    ends = np.array([0.0, duration_s])
    return RunAxis(MINUTE, ends, ends / 60.0, duration_s / 60.0)


def _distance_axis(t_s: F8, distance_m: F8, unit: AxisUnit, duration_s: float) -> RunAxis | None:
    known = np.isfinite(t_s) & np.isfinite(distance_m)
    if np.count_nonzero(known) < 2:
        return None
    t, d = t_s[known], distance_m[known]
    if t[-1] - t[0] < _LEAST_COVER * duration_s or d[-1] - d[0] < _LEAST_M:
        return None
    # A watch may correct its distance downwards; a place on the axis never goes back. One that was started
    # long before the sensors counts from there.
    d = np.maximum.accumulate(d - (d[0] if d[0] > _HEAD_START_M else 0.0))
    return RunAxis(unit, t, d / unit.size, float(d[-1]) / unit.size)
