"""A standing check put together: three repeats to one value each, with what it may be off by."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from latemiles.estimators.standing_check import (
    Repeat,
    find_repeats,
    measure_repeat,
    sensor_offset,
    surface_inclination,
    tilt_between,
)
from latemiles.signals.blocks import ImuStream
from latemiles.signals.frames import Segment
from latemiles.trends.student import student_quantile

__all__ = ["CONDITIONS", "Measure", "StandingCheck", "as_result", "check_standing"]

NAN = math.nan

CONDITIONS: Final = ("eyes open", "eyes closed", "after a march")
"""What the repeats are, in their order."""

REPEAT_SD_DEG: Final = {"obliquity": 1.0, "thigh": 2.0}
"""Spread of repeats that is assumed beforehand, deg; counts for as many degrees of freedom as below."""
ASSUMED_WEIGHT: Final = 4.0

SYSTEMATIC_SD_DEG: Final = {"obliquity": 1.0, "thigh": 2.0}
"""What repeats cannot show, one SD, deg: how the hips really turn in a hinge, the skin under the sensor, an
accelerometer's offset of 5 mg (0.3 deg)."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One angle of a standing check, deg."""

    values: tuple[float, ...]
    """One a repeat; NaN where it could not be measured."""
    mean: float
    repeat_sd: float
    """Spread of the repeats as measured; NaN of fewer than two."""
    half_width: float
    """Half width of the 95 % interval of the mean, what repeats cannot show included."""
    detectable: float
    """Smallest change between two checks that is told from chance."""


@dataclass(frozen=True, slots=True)
class StandingCheck:
    """What a standing check found. Angles in deg; NaN is not known."""

    repeats: tuple[Repeat, ...]
    obliquity: Measure
    """Right side up +."""
    thigh_difference: Measure
    """Right minus left thigh, outwards +."""
    tilt_deg: float
    """Inclination of the surface under the pelvis sensor, top forward +; only from a flip test."""
    sensor_offset_deg: float
    """What the sensor itself adds to the obliquity; only from a flip test, and then taken off."""
    tilt_change_deg: tuple[float, ...]
    """Tilt of each stance against the first, forward +; known without a flip test, for the sensor stays."""
    sway_deg: tuple[float, ...]
    """Rms sway of the pelvis in each repeat, fore and aft with sideways."""
    problem: str
    """Why the obliquity cannot be used; empty where it can."""


def check_standing(
    streams: Mapping[Segment, ImuStream], turned: Mapping[Segment, ImuStream] | None = None
) -> StandingCheck:
    """Measure a standing check.

    Parameters
    ----------
    streams : mapping of Segment to ImuStream
        Pelvis and both thighs: stances of 12 s or more, each followed by hip hinges and a march.
    turned : mapping of Segment to ImuStream, optional
        The flip test: the same with the pelvis sensor turned by half a turn on the skin.
    """
    repeats = _repeats(streams)
    offset = tilt = NAN
    obliquities = [math.degrees(r.obliquity) for r in repeats]
    if turned is not None and (others := _repeats(turned)) and repeats:
        offset = math.degrees(_mean([sensor_offset(a, b) for a in repeats for b in others]))
        tilt = math.degrees(_mean([surface_inclination(a, b) for a in repeats for b in others]))
        if math.isfinite(offset):
            obliquities = [value - offset for value in obliquities]
    obliquity = _measure(obliquities, "obliquity")
    return StandingCheck(
        repeats=tuple(repeats),
        obliquity=obliquity,
        thigh_difference=_measure([math.degrees(r.thigh_difference) for r in repeats], "thigh"),
        tilt_deg=tilt,
        sensor_offset_deg=offset,
        tilt_change_deg=tuple(math.degrees(tilt_between(repeats[0], r)) for r in repeats),
        sway_deg=tuple(math.degrees(math.hypot(r.sway_fore, r.sway_side)) for r in repeats),
        problem=_problem(repeats, obliquity),
    )


def _repeats(streams: Mapping[Segment, ImuStream]) -> list[Repeat]:
    return [measure_repeat(streams, windows) for windows in find_repeats(streams)[: len(CONDITIONS)]]


def _problem(repeats: Sequence[Repeat], obliquity: Measure) -> str:
    if not repeats:
        return "no quiet stance found"
    known = sum(math.isfinite(v) for v in obliquity.values)
    if known == 0:
        return "no hip hinges found"
    return "" if known >= 2 else "one repeat only"


def _mean(values: Sequence[float]) -> float:
    known = [v for v in values if math.isfinite(v)]
    return sum(known) / len(known) if known else NAN


def _measure(values: Sequence[float], kind: str) -> Measure:
    known = [v for v in values if math.isfinite(v)]
    if not known:
        return Measure(tuple(values), NAN, NAN, NAN, NAN)
    mean = _mean(known)
    squares = sum((v - mean) ** 2 for v in known)
    freedom = ASSUMED_WEIGHT + len(known) - 1
    # Three repeats say little of their own spread: it is drawn towards what is assumed.
    sd = math.sqrt((ASSUMED_WEIGHT * REPEAT_SD_DEG[kind] ** 2 + squares) / freedom)
    by_chance = student_quantile(0.975, freedom) * sd / math.sqrt(len(known))
    half = math.hypot(by_chance, 1.96 * SYSTEMATIC_SD_DEG[kind])
    own = math.sqrt(squares / (len(known) - 1)) if len(known) > 1 else NAN
    return Measure(tuple(values), mean, own, half, math.sqrt(2.0) * half)


def as_result(check: StandingCheck) -> dict[str, Any]:
    """The check as plain values, as the store keeps it; NaN stays NaN."""

    def told(measure: Measure) -> dict[str, Any]:
        return {
            "values_deg": list(measure.values),
            "mean_deg": measure.mean,
            "repeat_sd_deg": measure.repeat_sd,
            "half_width_deg": measure.half_width,
            "detectable_deg": measure.detectable,
        }

    return {
        "schema": "latemiles/standing/1",
        "conditions": list(CONDITIONS[: len(check.repeats)]),
        "obliquity_deg": check.obliquity.mean,
        "obliquity": told(check.obliquity),
        "thigh_difference": told(check.thigh_difference),
        "tilt_deg": check.tilt_deg,
        "sensor_offset_deg": check.sensor_offset_deg,
        "tilt_change_deg": list(check.tilt_change_deg),
        "sway_deg": list(check.sway_deg),
        "problem": check.problem,
    }
