"""A standing check in words: each value with what it may be off by, and what cannot be known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from latemiles.report.numbers import DASH, magnitude, signed

__all__ = ["LIMITS", "Line", "lines", "number", "sentence", "usual"]

NAN = math.nan

LIMITS: Final = (
    "Zero is the level floor; both feet must stand on it. Obliquity is the line about which the hips hinge.",
    "Thigh turn is how far each leg points out against the way its knee lifts in the march.",
    "Leg length, weight in each foot and the shape of bones cannot be known from three sensors.",
)
"""What the numbers mean, and what they cannot say."""

Line = tuple[str, str, str]
"""Name, value, what stands beside it."""


def number(result: Mapping[str, Any], *path: str) -> float:
    """A number of a stored check; NaN where it is not known."""
    value: Any = result
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return float(value) if value is not None else NAN


def sentence(result: Mapping[str, Any]) -> str:
    """The answer in one sentence, never more than was measured."""
    value, half = number(result, "obliquity", "mean_deg"), number(result, "obliquity", "half_width_deg")
    if not math.isfinite(value):
        problem = str(result.get("problem") or "too little was recorded")
        return f"No standing values: {problem}."
    if abs(value) <= half:
        return (
            f"No side of the pelvis stands higher beyond what this check can tell, {magnitude(half)} degrees."
        )
    side = "right" if value > 0.0 else "left"
    low, high = sorted((abs(value) - half, abs(value) + half))
    return (
        f"The {side} side of the pelvis stood {magnitude(value)} degrees higher "
        f"(95% interval {magnitude(low)} to {magnitude(high)})."
    )


def lines(result: Mapping[str, Any]) -> list[Line]:
    """Every value of a check."""
    found = [
        _measured("obliquity, right side up +", result, "obliquity"),
        _measured("thigh turn, right minus left, outward +", result, "thigh_difference"),
    ]
    tilt = number(result, "tilt_deg")
    if math.isfinite(tilt):
        offset = signed(number(result, "sensor_offset_deg"))
        found.append(
            ("back of the pelvis, top forward +", f"{signed(tilt)}°", f"sensor adds {offset}°, taken off")
        )
    else:
        found.append(("pelvic tilt", DASH, "only a flip test tells it from how the sensor sits"))
    moved = [float(v) for v in result.get("tilt_change_deg") or [] if v is not None]
    if len(moved) > 1:
        each = ", ".join(signed(v) for v in moved[1:])
        names = ", ".join((result.get("conditions") or [])[1:])
        found.append(("tilt against the first stance", f"{each}°", names))
    sway = [float(v) for v in result.get("sway_deg") or [] if v is not None]
    if sway:
        each = ", ".join(f"{v:.2f}" for v in sway)
        found.append(("sway of the pelvis, rms", f"{each}°", ", ".join(result.get("conditions") or [])))
    return found


def _measured(name: str, result: Mapping[str, Any], key: str) -> Line:
    value, half = number(result, key, "mean_deg"), number(result, key, "half_width_deg")
    if not math.isfinite(value):
        return name, DASH, "not measured: hinges and a march after each stance fill this"
    sd, least = number(result, key, "repeat_sd_deg"), number(result, key, "detectable_deg")
    spread = f"repeats differ by {magnitude(sd)}° (SD)" if math.isfinite(sd) else "one repeat"
    beside = f"{spread}; a change of {magnitude(least)}° or more between two checks can be told"
    return name, f"{signed(value)}° ± {magnitude(half)}", beside


def usual(results: Sequence[Mapping[str, Any]], key: str) -> tuple[float, float]:
    """Middle and half width of earlier values: a person's usual range; NaN of fewer than five."""
    known = [v for r in results if math.isfinite(v := number(r, key, "mean_deg"))]
    if len(known) < 5:
        return NAN, NAN
    mean = sum(known) / len(known)
    sd = math.sqrt(sum((v - mean) ** 2 for v in known) / (len(known) - 1))
    return mean, 2.0 * sd
