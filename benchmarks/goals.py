"""What the benchmarks are to show: the table at the head of results.md, filled from what they print.

A benchmark prints a line ``=> NAME NUMBER NOTE`` (``tell``) for every figure that is a goal here; ``table``
finds those lines again in the text of results.md, so that one benchmark can be run anew without the others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isfinite

__all__ = ["GOALS", "Goal", "figures", "table", "tell"]


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure with its limit; what is reached for is better still, NaN where nothing more is asked."""

    name: str
    measure: str
    unit: str
    limit: float
    reach: float
    is_more_better: bool = False

    def verdict(self, value: float) -> str:
        """How a measured figure compares."""
        sign = -1.0 if self.is_more_better else 1.0
        if not isfinite(value):
            return "not measured"
        if isfinite(self.reach) and sign * value <= sign * self.reach:
            return "reached for"
        return "within" if sign * value <= sign * self.limit else "**falls short**"


_NONE = float("nan")
GOALS = (
    Goal("broad_causal", "BROAD inclination, real time, against vqf", "x", 1.0, 0.9),
    Goal("broad_smoothed", "BROAD inclination, smoothed, against offlineVQF", "x", 1.0, 0.9),
    Goal("rbds_shape_tilt", "real running kinematics, shape: tilt", "deg", 0.4, 0.2),
    Goal("rbds_shape_obliquity", "the same: obliquity", "deg", 0.4, 0.2),
    Goal("rbds_mean_tilt", "mean error of running against standing: tilt", "deg", 0.6, 0.25),
    Goal("rbds_mean_obliquity", "the same: obliquity", "deg", 0.6, 0.25),
    Goal("rbds_shape_flexion", "shape: hip flexion", "deg", 1.3, 0.9),
    Goal("rbds_shape_adduction", "shape: hip adduction", "deg", 1.6, 1.0),
    Goal("rbds_shape_rotation", "shape: hip internal rotation", "deg", 1.6, 1.2),
    Goal("rbds_mean_flexion", "mean error: hip flexion", "deg", 1.0, 0.5),
    Goal("rbds_mean_adduction", "mean error: hip adduction", "deg", 1.3, 0.6),
    Goal("rbds_mean_rotation", "mean error: hip internal rotation", "deg", 2.0, 1.2),
    Goal("no_squats_covered", "no squats: mean obliquity inside its stated interval", "%", 95.0, _NONE, True),
    Goal("no_squats_error", "no squats: largest error of mean obliquity", "deg", 2.0, _NONE),
    Goal("track_known", "400 m track, pelvis inclination, speed known", "deg", 0.10, 0.05),
    Goal("track_wrong", "the same, speed 10 % wrong", "deg", 0.25, 0.15),
    Goal("track_unknown", "the same, speed unknown, against vqf", "x", 1.0, _NONE),
    Goal("long_drift_tilt", "error of tilt drift over 3 h of warming", "deg", 0.3, 0.15),
    Goal("slips_found_causal", "slips of 3 deg found, live", "%", 95.0, 99.0, True),
    Goal("slips_found_smoothed", "slips of 3 deg found, afterwards", "%", 95.0, 99.0, True),
    Goal("slips_false_causal", "slips invented in the clean hours, live", "", 0.0, _NONE),
    Goal("slips_false_smoothed", "slips invented in the clean hours, afterwards", "", 0.0, _NONE),
    Goal("sync_p95", "sensors against each other, live, p95", "ms", 2.0, 1.0),
    Goal("contact_p95_simulated", "initial contact, simulated, worst p95", "ms", 15.0, 8.0),
    Goal("contact_p95_real", "initial contact, real kinematics, worst p95", "ms", 15.0, 8.0),
    Goal("contact_p95_simulated_slow", "the same of sensors of 52 Hz, simulated", "ms", 15.0, _NONE),
    Goal("contact_p95_real_slow", "the same of sensors of 52 Hz, real kinematics", "ms", 15.0, _NONE),
    Goal("contact_wrong_side", "contacts of the wrong side", "", 0.0, _NONE),
    Goal("false_alarms", "drift alarms in 20 steady hours, wander 0.2 deg over 5 min", "", 1.0, _NONE),
    Goal("clipped_angles", "what clipping adds to the errors of tilt and obliquity", "deg", 0.1, 0.05),
    Goal("speed_batch", "full filter with bias, one stream, against vqf", "x", 0.5, 0.3),
    Goal("speed_tick", "live tick, 3 sensors x 10 samples, against vqf in blocks of 10", "x", 0.2, 0.1),
    Goal("speed_smoothed", "smoothed whole run, against offlineVQF", "x", 0.05, 0.02),
    Goal("speed_analysis", "whole analysis of 4 h x 3 sensors, against offlineVQF alone", "x", 0.5, 0.1),
    Goal("speed_first_result", "first result after start, warm cache", "s", 1.5, 0.8),
)

_FIGURE = re.compile(r"^=> (\w+) (\S+) ?(.*)$", re.MULTILINE)


def tell(name: str, value: float, note: str = "") -> None:
    """Print a figure that is a goal."""
    if name not in {goal.name for goal in GOALS}:
        raise KeyError(f"{name} is no goal. Add it to GOALS.")
    print(f"=> {name} {value:.4g} {note}".rstrip(), flush=True)


def figures(text: str) -> dict[str, tuple[float, str]]:
    """Figures and notes by name among the lines of a text; the last one counts."""
    return {name: (float(value), note) for name, value, note in _FIGURE.findall(text)}


def table(text: str) -> list[str]:
    """Lines of the table of goals, with what ``text`` says of each."""
    said = figures(text)
    lines = ["| measure | must reach | reach for | measured | |", "|---|---|---|---|---|"]
    for goal in GOALS:
        value, note = said.get(goal.name, (_NONE, ""))
        sign = ">=" if goal.is_more_better else "<="
        limit, reach = (
            f"{sign} {x:g} {goal.unit}".rstrip() if isfinite(x) else "" for x in (goal.limit, goal.reach)
        )
        measured = f"{value:g} {goal.unit}".rstrip() if isfinite(value) else ""
        measured += f" ({note})" if note else ""
        lines.append(f"| {goal.measure} | {limit} | {reach} | {measured} | {goal.verdict(value)} |")
    return lines
