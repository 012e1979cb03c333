"""From numbers to one of the agreed words, by one rule for the report and the live page."""

from __future__ import annotations

import math
from dataclasses import dataclass

from latemiles.trends.params import DriftParams, change_floor, is_headline

__all__ = ["Judged", "call_level", "is_called", "judge"]


@dataclass(frozen=True, slots=True)
class Judged:
    """A change with what it means."""

    interval: tuple[float, float]
    detectable_change: float
    verdict: str


def call_level(key: str, params: DriftParams) -> float:
    """Level of the interval that a change must lie outside of: stricter for what was not named in advance."""
    return params.headline_level if is_headline(key) else params.secondary_level


def judge(
    change: float, half_width_95: float, half_width_call: float, key: str, params: DriftParams
) -> Judged:
    """Put a change into words.

    - *no change*: the 95 % interval holds zero, or the change is under half of what could be detected;
    - *small, inside noise*: outside of that, but under the detectable change;
    - *likely change*: at least the detectable change, which is the half width of the stricter interval
      (98 % for the headline, 99.9 % for the many others) and never under the metric's floor;
    - *clear change*: at least one and a half times that;
    - *too short*: there is no number.

    Parameters
    ----------
    change : float
        Late minus baseline, metric's unit.
    half_width_95, half_width_call : float
        Half widths of the 95 % interval and of the interval that decides.
    key : str
        The metric.
    params : DriftParams
        How strict.
    """
    detectable = max(half_width_call, change_floor(key))
    size = abs(change)
    if not math.isfinite(change):
        verdict = "too short"
    elif size >= params.clear_ratio * detectable:
        verdict = "clear change"
    elif size >= detectable:
        verdict = "likely change"
    elif size <= half_width_95 or size < 0.5 * detectable:
        verdict = "no change"
    else:
        verdict = "small, inside noise"
    return Judged((change - half_width_95, change + half_width_95), detectable, verdict)


def is_called(verdict: str) -> bool:
    """Whether the word says that something changed."""
    return verdict in ("likely change", "clear change")
