"""What clipping the sensors on again can do by itself, from the runner's own repeats and what is assumed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from latemiles.trends.student import student_quantile

__all__ = ["PRIOR_SD_DEG", "Donning", "donning_of"]

PRIOR_SD_DEG: Final[Mapping[str, float]] = {"start": 0.7, "asymmetry": 0.3, "standing": 0.8}
"""One SD between donnings on one day that is assumed beforehand, deg."""

PRIOR_WEIGHT: Final = 6.0
"""How many degrees of freedom the assumption counts for: own repeats outweigh it after about seven."""


@dataclass(frozen=True, slots=True)
class Donning:
    """How far one value may be off because the sensors were clipped on again."""

    sd: float
    """One SD, deg."""
    weight: float
    """Degrees of freedom behind it, the assumption's included."""
    repeats: int
    """Donnings of the runner's own that went into it; 0: only what is assumed."""

    @property
    def half_width(self) -> float:
        """Half width of the 95 % interval of one value."""
        return student_quantile(0.975, self.weight) * self.sd

    @property
    def detectable(self) -> float:
        """Smallest difference of two single values that is told from donning (MDC95)."""
        return math.sqrt(2.0) * self.half_width


def donning_of(days: Sequence[int], values: Sequence[float], prior_sd: float) -> Donning:
    """Spread of values of one day, pooled over days, drawn towards what is assumed.

    The posterior of a variance under a scaled inverse chi-square prior: sums of squares and degrees of
    freedom add up (Gelman et al., Bayesian Data Analysis, 3rd ed., 2013, section 2.6).

    Parameters
    ----------
    days : sequence of int
        Day of each value; values of one day are repeats.
    values : sequence of float
        Deg; NaN is passed over.
    prior_sd : float
        One SD that is assumed, deg.
    """
    by_day: dict[int, list[float]] = {}
    for day, value in zip(days, values, strict=True):
        if math.isfinite(value):
            by_day.setdefault(day, []).append(value)
    squares, freedom, repeats = PRIOR_WEIGHT * prior_sd**2, PRIOR_WEIGHT, 0
    for same_day in by_day.values():
        if len(same_day) < 2:
            continue
        mean = sum(same_day) / len(same_day)
        squares += sum((value - mean) ** 2 for value in same_day)
        freedom += len(same_day) - 1
        repeats += len(same_day)
    return Donning(math.sqrt(squares / freedom), freedom, repeats)
