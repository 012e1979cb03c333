"""Four key figures."""

from __future__ import annotations

import numpy as np

from latemiles.report.numbers import DASH, clock, count, magnitude, pace, percent, signed
from latemiles.report.page import Page
from latemiles.report.svg import esc

__all__ = ["figures", "render"]


def figures(page: Page) -> list[tuple[str, str, str]]:
    """(name, figure, what to compare it with) of each; an unknown figure is a dash and says why."""
    return [_length(page), _tilt(page), _began(page), _used(page)]


def render(page: Page) -> str:
    """The four figures in a row."""
    # Inside the band nothing is bold.
    inside = page.measured and page.shown is not None and not page.shown.is_change
    rows = [
        f"<div{' class=quiet' if inside and name.startswith('tilt') else ''}><dt>{esc(name)}</dt>"
        f"<dd><b>{esc(figure)}</b>{esc(beside)}</dd></div>"
        for name, figure, beside in figures(page)
    ]
    return f'<dl class="facts">{"".join(rows)}</dl>'


def _length(page: Page) -> tuple[str, str, str]:
    duration_s = page.analysis.quality.duration_s
    axis = page.axis
    if not axis.has_distance:
        # A way too short to be an axis was told all the same.
        is_told = bool(np.isfinite(page.context.distance_m).any())
        return "time", clock(duration_s), "too short a way" if is_told else "no distance source"
    mean = axis.end * axis.unit.size / max(duration_s, 1.0)
    beside = f"{clock(duration_s)}, {pace(mean, axis.unit.size)} a {axis.unit.one}"
    return "distance and time", f"{magnitude(axis.end)} {axis.unit.short}", beside


def _tilt(page: Page) -> tuple[str, str, str]:
    name = "tilt, late against start"
    shown = page.shown
    if shown is None or not page.measured:
        return name, DASH, "not measured"
    figure = f"{signed(shown.change)}\u00b0"
    if shown.verdict == "cannot separate":
        raw = f"{signed(shown.raw_change)}\u00b0"
        return (
            name,
            raw,
            f"raw; adjusted {figure}; cannot separate" if shown.adjusted else "raw; cannot separate",
        )
    if shown.adjusted:
        return name, figure, f"speed-adjusted; raw {signed(shown.raw_change)}\u00b0"
    return name, figure, "raw, no speed source" if not page.has_speed else "raw, not adjusted"


def _began(page: Page) -> tuple[str, str, str]:
    tilt = page.tilt
    if tilt is None or not page.measured or tilt.change_point_s is None:
        return "began at", DASH, "no change point found" if page.measured else "not measured"
    axis = page.axis
    beside = f"at {tilt.change_point_s / 60.0:.0f} minutes"
    if tilt.change_point_interval_s is not None:
        low, high = tilt.change_point_interval_s
        span = f"{axis.number(low)} to {axis.number(high)}"
        beside = f"{span}; {beside}" if axis.has_distance else f"{span} minutes"
    place = axis.place(tilt.change_point_s)
    return "began at", place.replace("kilometre", "km").replace("minute", "min"), beside


def _used(page: Page) -> tuple[str, str, str]:
    quality = page.analysis.quality
    beside = f"{count(quality.strides_used)} of {count(quality.strides)}"
    return "strides used", percent(quality.share_used), beside
