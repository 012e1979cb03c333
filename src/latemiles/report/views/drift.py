"""Pelvic tilt along the run: points, band, raw and adjusted line, change point, gaps, slips."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latemiles.report import ground
from latemiles.report.numbers import MINUS, listed, magnitude, signed
from latemiles.report.page import Page, window_mean
from latemiles.report.svg import (
    Scale,
    band,
    disc,
    dots,
    hline,
    path,
    pieces,
    rect,
    segment,
    smooth,
    svg,
    text,
    vline,
)
from latemiles.report.views import strips
from latemiles.report.words import adjusted_for, chart_sentence, start_words, what_would_fill
from latemiles.signals.results import FormDrift

__all__ = ["Series", "render", "tilt_series", "value_range"]

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

_RANGE = (-1.6, 3.1)
"""Degrees shown, fixed by the metric; widened in whole degrees when a run needs it."""


@dataclass(frozen=True, slots=True)
class Series:
    """The tilt along the run, against the start."""

    x: F8
    piece: I8
    points: F8
    """What is read: adjusted where possible, else raw."""
    line: F8
    raw_line: F8
    adjusted: bool
    is_relative: bool
    """False where the start was not measured; the points are then against their own middle."""


def render(page: Page) -> str:
    """The chart, drawn once for a wide and once for a narrow page."""
    series = tilt_series(page)
    wide, narrow = _draw(page, series, narrow=False), _draw(page, series, narrow=True)
    return f'<figure class="fig">{wide}{narrow}</figure>'


def tilt_series(page: Page) -> Series | None:
    """The points and lines of the chart; None without a single point."""
    tilt = page.tilt
    if tilt is None or not np.isfinite(tilt.medians).any():
        return None
    breaks = [g[0] for g in page.pelvis_gaps_s() if g[1] - g[0] > 2.0] + page.pelvis_slips_s()
    piece = pieces(tilt.medians_t_s, breaks)
    x = page.axis.at(tilt.medians_t_s)
    zero = tilt.baseline if math.isfinite(tilt.baseline) else float(np.nanmedian(tilt.medians))
    raw = tilt.medians - zero
    width = page.axis.smoother(tilt.medians_t_s)
    raw_line = smooth(x, raw, width, piece)
    adjusted = _adjusted_points(page, tilt)
    if adjusted is None:
        return Series(x, piece, raw, raw_line, raw_line, False, page.measured)
    line = smooth(x, adjusted, width, piece)
    return Series(x, piece, adjusted, line, raw_line, True, page.measured)


def _adjusted_points(page: Page, tilt: FormDrift) -> F8 | None:
    if page.shown is None or not page.shown.adjusted or tilt.adjusted is None:
        return None
    points = tilt.adjusted.adjusted_medians
    zero = window_mean(tilt.medians_t_s, points, tilt.baseline_window_s)
    out: F8 = points - (zero if math.isfinite(zero) else tilt.baseline)
    return out


def value_range(page: Page, series: Series | None) -> tuple[float, float]:
    """The fixed range, widened in whole degrees for lines, interval and all but the rarest points."""
    values = [0.0]
    if series is not None:
        known = series.points[np.isfinite(series.points)]
        for line in (series.line, series.raw_line):
            values += [float(np.nanmin(line)), float(np.nanmax(line))] if np.isfinite(line).any() else []
        values += [float(v) for v in np.percentile(known, [0.5, 99.5])] if len(known) else []
    if page.shown is not None and page.measured:
        edge = page.band_after_slip()
        values += [v for v in (page.shown.low, page.shown.high, edge, -edge) if math.isfinite(v)]
    low, high = _RANGE
    low -= max(0.0, math.ceil(low - min(values)))
    high += max(0.0, math.ceil(max(values) - high))
    return low, high


def _draw(page: Page, series: Series | None, *, narrow: bool) -> str:
    width = 320.0 if narrow else 820.0
    left, right = (34.0, 314.0) if narrow else (38.0, 712.0)
    top, bottom = (64.0, 330.0) if narrow else (50.0, 338.0)
    f = ground.frame(page.axis, left, right, (top, bottom), narrow=narrow, name="h-n" if narrow else "h-w")
    y = Scale(*value_range(page, series), bottom, top)
    strip_body, end = strips.draw(page, f, bottom + 34.0)
    body = ground.mile_lines(f, end) + _band(page, f, y) + hline(left, right, y(0.0), "c-zero")
    body += ground.gap_hatching(f, page.pelvis_gaps_s()) + ground.slip_lines(f, page.pelvis_slips_s())
    body += _marks(page, f)
    if series is not None:
        body += _curves(page, series, f, y)
    body += _axis_words(f, y) + ground.mile_words(f, bottom + 20.0)
    marks = () if narrow else page.analysis.quality.marks
    body += ground.gap_labels(f, page.pelvis_gaps_s(), page.pelvis_slips_s(), marks)
    if page.measured:
        body += _change_point(page, f, y) + _band_words(page, series, f, y)
    else:
        body += _missing_words(page, series, f)
    body += strip_body
    return svg(width, end + 4.0, body, chart_sentence(page), "narrow" if narrow else "wide")


def _missing_words(page: Page, series: Series | None, f: ground.Frame) -> str:
    middle = 0.5 * (f.left + f.right)
    body = text(middle, f.top + 28.0, what_would_fill(page, narrow=f.narrow), "t-2 s13 halo", "middle")
    if series is not None:
        body += text(middle, f.top + 46.0, "points against their own middle", "s13 halo", "middle")
    return body


def _band(page: Page, f: ground.Frame, y: Scale) -> str:
    if not page.measured or page.shown is None or not math.isfinite(page.shown.detectable):
        return ""
    half, after = page.shown.detectable, page.band_after_slip()
    slips = page.pelvis_slips_s()
    if not slips:
        return band(f.left, f.right, y, -half, half)
    at = f.at(slips[0])
    return band(f.left, at, y, -half, half) + band(at, f.right, y, -after, after)


def _marks(page: Page, f: ground.Frame) -> str:
    if f.narrow:
        return ""
    return "".join(
        vline(f.at(m.t_s), f.top - 5.0, f.top + 5.0, "c-mark") for m in page.analysis.quality.marks
    )


def _curves(page: Page, series: Series, f: ground.Frame, y: Scale) -> str:
    x = f.x.many(series.x)
    inside = (series.points >= y.d0) & (series.points <= y.d1)
    body = dots(x, y.many(np.where(inside, series.points, np.nan)))
    if series.adjusted:
        body += path(x, y.many(series.raw_line), "c-raw", series.piece)
    quiet, loud = _split_line(page, series)
    alone = "c-line" if series.adjusted else "c-raw-alone"
    body += _late_interval(page, f, y) + path(x, y.many(quiet), alone, series.piece)
    body += path(x, y.many(loud), "c-change" if series.adjusted else "c-change dashed", series.piece)
    outside = int(np.count_nonzero(np.isfinite(series.points) & ~inside))
    if outside:
        body += text(f.right, f.bottom - 6.0, f"{outside} points outside", "halo", "end")
    return body + (_end_words(page, series, f, y) if page.measured else "")


def _split_line(page: Page, series: Series) -> tuple[F8, F8]:
    """The line before and after the change; the second is all NaN where nothing is beyond the band."""
    tilt, nothing = page.tilt, np.full(len(series.line), np.nan)
    if tilt is None or page.shown is None or not (page.measured and page.shown.is_change):
        return series.line, nothing
    since = tilt.change_point_s if tilt.change_point_s is not None else tilt.late_window_s[0]
    after = tilt.medians_t_s >= since
    first = int(np.argmax(after)) if after.any() else len(after)
    joined = after.copy()
    joined[max(0, first - 1) :] = True
    return np.where(after, np.nan, series.line), np.where(joined, series.line, np.nan)


def _late_interval(page: Page, f: ground.Frame, y: Scale) -> str:
    """The 95 % interval of the late level, over the part of the run that it was measured in."""
    if not page.measured or page.shown is None or page.tilt is None:
        return ""
    low, high = page.tilt.late_window_s
    cls = "c-interval" if page.shown.is_change else "c-interval quiet"
    box = rect(f.at(low), y(page.shown.low), f.at(high), y(page.shown.high), cls)
    words = "late, 95%" if f.narrow else "late part, 95% interval"
    up = page.shown.change >= 0.0
    at = y(page.shown.high) - 7.0 if up else y(page.shown.low) + 16.0
    if up and at < f.top + 8.0:
        at = y(page.shown.high) + 14.0
    return box + text(f.at(high), at, words, "halo", "end")


def _end_words(page: Page, series: Series, f: ground.Frame, y: Scale) -> str:
    shown = page.shown
    last = np.flatnonzero(np.isfinite(series.line))
    if shown is None or len(last) == 0:
        return ""
    k = last[-1]
    here = y(float(series.line[k]))
    tone, weight = ("change", "b") if shown.is_change else ("ink", "")
    value = f"{signed(shown.change)}\u00b0"
    body = disc(f.x(float(series.x[k])), here, 5.0, f"f-{tone}")
    raw = f"raw {signed(shown.raw_change)}\u00b0"
    names = [n for n in adjusted_for(page) if n != "cadence"] or adjusted_for(page)
    if f.narrow:
        body += text(f.right, 24.0, value, f"t-{tone} {weight} big-n", "end")
        beside = f"after {listed(names)}, {raw}" if series.adjusted else "late against start, raw"
        return body + text(f.right - 15.0 * len(value) - 4.0, 24.0, beside, "t-2", "end")
    x0 = f.right + 14.0
    at = min(max(here - 12.0, f.top + 20.0), f.bottom - 60.0)
    body += text(x0, at, value, f"t-{tone} {weight} big")
    if not series.adjusted:
        return body + text(x0, at + 18.0, "late, raw", "t-2 s13")
    body += text(x0, at + 18.0, f"after {names[0]}" if names else "adjusted", "t-2 s13")
    body += text(x0, at + 34.0, f"and {names[1]}", "t-2 s13") if len(names) > 1 else ""
    return body + text(x0, at + 56.0, raw, "t-2 s13")


def _change_point(page: Page, f: ground.Frame, y: Scale) -> str:
    tilt, shown = page.tilt, page.shown
    if tilt is None or shown is None or tilt.change_point_s is None or not shown.is_change:
        return ""
    at = f.at(tilt.change_point_s)
    up = shown.change >= 0.0
    head = f.top + 28.0 if up else f.bottom - 34.0
    body = vline(at, min(head - 12.0, f.bottom), f.bottom, "c-since")
    number, room = f.axis.number(tilt.change_point_s), max(at - f.left, f.right - at) - 12.0
    long = f"begins at {f.axis.unit.one} {number}"
    words = long if 8.0 * len(long) < room else f"begins at {f.axis.unit.short} {number}"
    right = at - f.left < 8.0 * len(words) + 12.0 and f.right - at > at - f.left
    x, anchor = (at + 8.0, "start") if right else (at - 8.0, "end")
    body += text(x, head, words, "t-change b s15 halo", anchor)
    if tilt.change_point_interval_s is None:
        return body
    low, high = tilt.change_point_interval_s
    between = f"between {f.axis.number(low)} and {f.axis.number(high)}"
    return (
        body
        + segment(f.at(low), f.bottom, f.at(high), f.bottom, "c-since-bar")
        + text(x, head + 17.0, between, "s13 halo", anchor)
    )


def _band_words(page: Page, series: Series | None, f: ground.Frame, y: Scale) -> str:
    tilt, shown = page.tilt, page.shown
    if tilt is None or shown is None or not math.isfinite(shown.detectable):
        return ""
    low, high = (f.at(t) for t in tilt.baseline_window_s)
    zero, under = y(0.0), y(-shown.detectable)
    body = hline(low, high, zero, "c-window") + vline(low, zero - 5, zero + 5, "c-window")
    body += vline(high, zero - 5, zero + 5, "c-window")
    body += _start_words(page, f, 0.5 * (low + high), under)
    size = f"{magnitude(shown.detectable)}\u00b0"
    words = f"under {size}" if f.narrow else f"too small to tell, under {size}"
    foot = y(shown.detectable) - 8.0
    x = _clear_of_lines(page, f, f.left + (12.0 if f.narrow else 30.0), words, _line_at(series, f, y, foot))
    body += text(x, foot, words, "t-2 s13 halo")
    slips = page.pelvis_slips_s()
    after = page.band_after_slip()
    if slips and after - shown.detectable >= 0.05:
        words = f"{magnitude(after)}\u00b0" if f.narrow else f"wider after it: {magnitude(after)}\u00b0"
        body += text(f.at(slips[0]) + 6.0, y(-after) + 17.0, words, "t-2 s13 halo")
    return body


def _start_words(page: Page, f: ground.Frame, middle: float, under: float) -> str:
    """Names the bracket of the start: below the band, or in its foot where a wide band leaves no room."""
    if under + 37.0 > f.bottom or f.narrow:
        words = "your start" if f.narrow else f"your start, {start_words(page)}"
        x = _clear_of_lines(page, f, max(middle - 3.3 * len(words), f.left + 4.0), words)
        is_below = under + 21.0 <= f.bottom
        y, halo = (under + 17.0, " halo") if is_below else (under - 8.0, "")
        return text(x, y, words, f"t-2 s13{halo}")
    words = start_words(page)
    half = 3.4 * len(words)
    x = _clear_of_lines(page, f, max(middle, f.left + 50.0) - half, words) + half
    first = text(x, under + 17.0, "your start,", "t-2 s13 halo", "middle")
    return first + text(x, under + 33.0, words, "s13 halo", "middle")


def _line_at(series: Series | None, f: ground.Frame, y: Scale, foot: float) -> F8:
    """Where across the chart the drawn line passes the height of words that stand on ``foot``, pixels."""
    if series is None:
        return np.empty(0)
    height = y.many(series.line)
    with np.errstate(invalid="ignore"):
        return f.x.many(series.x)[(height > foot - 14.0) & (height < foot + 6.0)]


def _clear_of_lines(page: Page, f: ground.Frame, x: float, words: str, passed: F8 | tuple[()] = ()) -> float:
    """Where words that would begin at ``x`` stand clear of the lines that run down and of ``passed``, pixels.

    ``x`` if nowhere.
    """
    width = 6.9 * len(words)
    times = page.pelvis_slips_s()
    if page.tilt is not None and page.tilt.change_point_s is not None:
        times = [*times, page.tilt.change_point_s]
    lines = np.array([*(f.at(t) for t in times), *passed])

    def is_clear(at: float) -> bool:
        # Words may begin a little left of the axis, as those of a start at the very beginning do.
        fits = f.left - 12.0 <= at and at + width < f.right
        return fits and not bool(np.any((at - 3.0 < lines) & (lines < at + width + 3.0)))

    sides = [float(side) for v in lines for side in (v - width - 6.0, v + 6.0)]
    places = [x, *sorted(sides, key=lambda at: abs(at - x))]
    return next((at for at in places if is_clear(at)), x)


def _axis_words(f: ground.Frame, y: Scale) -> str:
    step = 1 if y.d1 - y.d0 <= 8.0 else 2 if y.d1 - y.d0 <= 16.0 else 5
    ticks = [v for v in range(math.ceil(y.d0), math.floor(y.d1) + 1) if v % step == 0]
    body = ""
    for v in ticks:
        words = "0" if v == 0 else f"+{v}" if v > 0 else f"{MINUS}{abs(v)}"
        body += text(
            f.left - 8.0,
            y(v) + 4.0,
            words + ("\u00b0" if v == ticks[-1] else ""),
            "t-ink" if v == 0 else "",
            "end",
        )
    return (
        body
        + text(0.0, f.top - 10.0, "forward", "t-2")
        + text(0.0, f.bottom + 4.0, "" if f.narrow else "back", "t-2")
    )
