"""Two runs side by side: each figure of both, and how far apart they are against what they may be off by."""

from __future__ import annotations

import math
from dataclasses import dataclass

from latemiles.report.library.shown import ShownRun, interval_words, kind, share
from latemiles.report.numbers import DASH, clock, magnitude, percent, signed
from latemiles.trends.donning import PRIOR_SD_DEG
from latemiles.trends.run_figures import RunFigures

__all__ = ["ComparedRow", "compared_rows"]


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One figure of two runs."""

    name: str
    first: str
    second: str
    difference: str
    """Second minus first; with what it may be off by where that is known."""
    is_beyond: bool = False
    """Whether the difference lies outside what it may be off by."""


def compared_rows(a: ShownRun, b: ShownRun) -> list[ComparedRow]:
    """Every figure of two runs; a dash where one is not known."""
    rows = [
        ComparedRow("distance", a.distance, b.distance, ""),
        ComparedRow("time", a.time, b.time, ""),
        ComparedRow("pace, start", a.pace, b.pace, _pace_difference(a, b)),
        ComparedRow("shoes", a.shoes or DASH, b.shoes or DASH, _same(a.shoes, b.shoes)),
        ComparedRow("route", a.route or DASH, b.route or DASH, _same(a.route, b.route)),
    ]
    fa, fb = a.figures, b.figures
    if fa is None or fb is None:
        return rows
    faster = signed(fb.cadence_spm - fa.cadence_spm, 0)
    rows += [
        ComparedRow("cadence, steps/min", magnitude(fa.cadence_spm, 0), magnitude(fb.cadence_spm, 0), faster),
        _start(a, b, fa, fb),
        _change(a, b, fa, fb),
        _per_distance(fa, fb),
        ComparedRow("verdict", a.verdict, b.verdict, ""),
        _asymmetry(a, b, fa, fb),
        ComparedRow("strides used", percent(share(fa)), percent(share(fb)), ""),
    ]
    return rows


def _same(first: str, second: str) -> str:
    if not first or not second:
        return ""
    return "the same" if first == second else "not the same"


def _pace_difference(a: ShownRun, b: ShownRun) -> str:
    if a.figures is None or b.figures is None or DASH in (a.pace, b.pace):
        return ""
    first, second = (a.unit.size / f.start_speed_m_s for f in (a.figures, b.figures))
    seconds = second - first
    return (
        f"{clock(abs(seconds))} {'slower' if seconds > 0.0 else 'faster'}"
        if abs(seconds) >= 1.0
        else "the same"
    )


def _row(name: str, first: str, second: str, values: tuple[float, float], half: float) -> ComparedRow:
    difference = values[1] - values[0]
    if not math.isfinite(difference):
        return ComparedRow(name, first, second, "")
    if not math.isfinite(half):
        return ComparedRow(name, first, second, f"{signed(difference)}°")
    words = f"{signed(difference)}° ({interval_words(difference - half, difference + half)})"
    return ComparedRow(name, first, second, words, abs(difference) > half)


def _start(a: ShownRun, b: ShownRun, fa: RunFigures, fb: RunFigures) -> ComparedRow:
    values = tuple(f.tilt_start_deg if f.has_standing else math.nan for f in (fa, fb))
    half = 1.96 * math.sqrt(2.0) * PRIOR_SD_DEG["start"]
    return _row("tilt at the start, against standing", a.start, b.start, (values[0], values[1]), half)


def _change(a: ShownRun, b: ShownRun, fa: RunFigures, fb: RunFigures) -> ComparedRow:
    words = [
        f"{s.change} ({interval_words(f.tilt_change_low_deg, f.tilt_change_high_deg)}), {kind(f)}"
        if s.change != DASH
        else DASH
        for s, f in ((a, fa), (b, fb))
    ]
    halves = [0.5 * (f.tilt_change_high_deg - f.tilt_change_low_deg) for f in (fa, fb)]
    values = (fa.tilt_change_deg, fb.tilt_change_deg)
    return _row("tilt, late minus start", words[0], words[1], values, math.hypot(*halves))


def _per_distance(fa: RunFigures, fb: RunFigures) -> ComparedRow:
    found = [f.tilt_drift(by_distance=True) for f in (fa, fb)]
    words = [f"{signed(v)}°" if math.isfinite(v) else DASH for v, _, _ in found]
    half = math.hypot(*(0.5 * (high - low) for _, low, high in found))
    return _row("tilt drift per 10 km", words[0], words[1], (found[0][0], found[1][0]), half)


def _asymmetry(a: ShownRun, b: ShownRun, fa: RunFigures, fb: RunFigures) -> ComparedRow:
    own = [0.5 * (f.drop_asymmetry_high_deg - f.drop_asymmetry_low_deg) for f in (fa, fb)]
    half = math.hypot(*own, 1.96 * math.sqrt(2.0) * PRIOR_SD_DEG["asymmetry"])
    values = (fa.drop_asymmetry_deg, fb.drop_asymmetry_deg)
    return _row("drop, right leg minus left, offset-free", a.asymmetry, b.asymmetry, values, half)
