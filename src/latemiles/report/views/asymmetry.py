"""Right against left: the drop without the sensor's offset, and the offset kept apart."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from latemiles.report import ground
from latemiles.report.markup import section, table
from latemiles.report.numbers import DASH, MINUS, magnitude, signed
from latemiles.report.page import DROP, Page
from latemiles.report.svg import (
    Scale,
    band,
    diamond,
    disc,
    dots,
    esc,
    hline,
    path,
    pieces,
    smooth,
    svg,
    text,
)
from latemiles.report.words import filler, late_words, metric_words
from latemiles.signals.frames import Segment
from latemiles.signals.results import Asymmetry

__all__ = ["render"]

F8 = NDArray[np.float64]

_RANGE = (-1.5, 5.6)
_OFFSET_FROM = ("pelvic_drop_stance_peak_deg", "pelvic_drop_mean_deg")
_LEAST_POINTS = 3
"""A line of fewer medians says nothing; the table still does."""
_TABLED = (
    DROP,
    "pelvic_drop_stance_peak_deg",
    "hip_flexion_ic_deg",
    "hip_flexion_rom_deg",
    "hip_adduction_midstance_deg",
    "hip_adduction_stance_peak_deg",
    "hip_internal_rotation_rom_deg",
    "contact_time_s",
)


def render(page: Page) -> str:
    """Chart and table; the chart keeps its axes when there is nothing to draw."""
    wide, narrow = _draw(page, narrow=False), _draw(page, narrow=True)
    body = f'<figure class="fig">{wide}{narrow}</figure>{_table(page)}'
    return section(_title(page), _explained(page), body)


def _title(page: Page) -> str:
    drop = page.drop
    if drop is None:
        return "Right against left"
    if not drop.beyond:
        return "Right and left kept their usual difference"
    leg = "right" if drop.shown.change > 0.0 else "left"
    by = magnitude(drop.shown.change)
    return f"The pelvis drops more over the {leg} leg {late_words(page)}, by {by}\u00b0"


def _explained(page: Page) -> str:
    words = (
        "Drop over the right leg minus drop over the left. The offset is mostly how the pelvis sensor sits; "
        "it says little about the body and is kept apart."
    )
    if page.drop is None:
        return words
    kind = "adjusted for speed" if page.drop.shown.adjusted else "raw"
    return f"{words} Grey is what this run cannot tell from your start. The line is {kind}."


def _offset(page: Page) -> Asymmetry | None:
    """Where the offset line comes from: the first form of the drop that has one."""
    for metric in _OFFSET_FROM:
        found = page.analysis.asymmetry.get(metric)
        if found is not None and np.isfinite(found.offset_medians).any():
            return found
    return None


def _value_range(lines: list[F8], edges: list[float]) -> tuple[float, float]:
    known = [line[np.isfinite(line)] for line in lines]
    values = [float(v) for line in known if len(line) for v in (line.min(), line.max())]
    values += [v for v in edges if math.isfinite(v)] + [0.0]
    low, high = _RANGE
    low -= max(0.0, math.ceil(low - min(values)))
    high += max(0.0, math.ceil(max(values) - high))
    return low, high


def _draw(page: Page, *, narrow: bool) -> str:
    width = 320.0 if narrow else 820.0
    left, right = (34.0, 314.0) if narrow else (38.0, 690.0)
    top = 50.0 if narrow else 26.0
    f = ground.frame(
        page.axis, left, right, (top, top + 194.0), narrow=narrow, name="a-n" if narrow else "a-w"
    )
    offset, drop = _offset(page), page.drop
    breaks = [g[0] for g in page.pelvis_gaps_s() if g[1] - g[0] > 2.0] + page.pelvis_slips_s()
    times, points = _points(page)
    piece = pieces(times, breaks)
    line = smooth(page.axis.at(times), points, page.axis.smoother(times), piece)
    lines = [line] + ([offset.offset_medians] if offset is not None else [])
    y = Scale(*_value_range(lines, _band_edges(page)), f.bottom, f.top)
    body = ground.mile_lines(f, f.bottom)
    if drop is not None:
        body += band(left, right, y, *_band_edges(page))
    body += hline(left, right, y(0.0), "c-zero")
    body += ground.gap_hatching(f, page.pelvis_gaps_s()) + ground.slip_lines(f, page.pelvis_slips_s())
    body += ground.gap_labels(f, page.pelvis_gaps_s(), page.pelvis_slips_s())
    body += _axis_words(f, y) + ground.mile_words(f, f.bottom + 18.0)
    if np.count_nonzero(np.isfinite(line)) < _LEAST_POINTS:
        middle = 0.5 * (left + right)
        body += text(middle, f.top + 28.0, _missing(page, narrow=narrow), "t-2 s13 halo", "middle")
        return svg(
            width,
            f.bottom + 40.0,
            body,
            "Right minus left pelvic drop: too few strides for a line.",
            _cls(narrow),
        )
    inside = (points >= y.d0) & (points <= y.d1)
    body += dots(f.x.many(page.axis.at(times)), y.many(np.where(inside, points, np.nan)))
    body += path(f.x.many(page.axis.at(times)), y.many(line), _line_class(page), piece)
    if offset is not None:
        body += _offset_line(page, f, y, offset, breaks)
    body += _end_words(page, f, y, line, float(page.axis.at(times[np.isfinite(line)][-1])), offset)
    return svg(width, f.bottom + 40.0, body, _sentence(page), _cls(narrow))


def _points(page: Page) -> tuple[F8, F8]:
    """Times and right minus left: as compared, or plain medians where nothing could be compared."""
    drop, plain = page.drop, page.analysis.asymmetry.get(DROP)
    if drop is not None:
        adjusted = drop.drift.adjusted if drop.shown.adjusted else None
        return drop.drift.medians_t_s, adjusted.adjusted_medians if adjusted else drop.drift.medians
    if plain is not None:
        return plain.medians_t_s, plain.right_minus_left_medians
    return np.zeros(0), np.zeros(0)


def _band_edges(page: Page) -> list[float]:
    drop = page.drop
    if drop is None:
        return []
    return [drop.start - drop.shown.detectable, drop.start + drop.shown.detectable]


def _cls(narrow: bool) -> str:
    return "narrow" if narrow else "wide"


def _missing(page: Page, *, narrow: bool) -> str:
    words = "Too few good strides of both legs for a line"
    if not page.heard(Segment.PELVIS):
        words = "Pelvis not heard"
    elif page.running_strides == 0:
        words = "No running strides"
    return words if narrow else f"{words}. {filler(page)}"


def _line_class(page: Page) -> str:
    if page.drop is None or not page.drop.beyond:
        return "c-line"
    return "c-right" if page.drop.shown.change > 0.0 else "c-left"


def _offset_line(page: Page, f: ground.Frame, y: Scale, offset: Asymmetry, breaks: list[float]) -> str:
    at, piece = page.axis.at(offset.medians_t_s), pieces(offset.medians_t_s, breaks)
    line = smooth(at, offset.offset_medians, page.axis.smoother(offset.medians_t_s), piece)
    return path(f.x.many(at), y.many(line), "c-offset", piece)


def _end_words(page: Page, f: ground.Frame, y: Scale, line: F8, end: float, offset: Asymmetry | None) -> str:
    last = float(line[np.isfinite(line)][-1])
    drop = page.drop
    level = drop.late if drop is not None else last
    leg = "right" if level >= 0.0 else "left"
    tone, weight = (leg, "b") if drop is not None and drop.beyond else ("ink", "")
    mark = diamond if leg == "right" else disc
    here = y(last)
    body = mark(f.x(end), here, 6.0, f"f-{tone}")
    value = f"{leg} leg, {magnitude(level)}\u00b0"
    when = "more, late" if drop is not None else "more, at the end"
    known = offset.offset_medians[np.isfinite(offset.offset_medians)] if offset is not None else np.zeros(0)
    if f.narrow:
        body += text(f.right, 14.0, f"{value} more, late", f"t-{tone} {weight} s13", "end")
        return body + (
            text(
                f.right,
                31.0,
                f"dashed: offset {signed(float(known[-1]))}\u00b0",
                "t-2",
                "end",
            )
            if len(known)
            else ""
        )
    x0 = f.right + 14.0
    body += text(x0, here, value, f"t-{tone} {weight} s13") + text(x0, here + 16.0, when, "t-2 s13")
    if len(known) == 0:
        return body
    at = y(float(known[-1]))
    # Two labels of two lines need 36 px; the offset gives way, being context.
    if abs(at - here) < 36.0:
        at = here - 36.0 if at < here else here + 36.0
    body += text(x0, at, f"offset {signed(float(known[-1]))}\u00b0", "t-2 s13")
    return body + text(x0, at + 16.0, f"{signed(float(known[0]))} at first", "s13")


def _axis_words(f: ground.Frame, y: Scale) -> str:
    step = 1 if y.d1 - y.d0 <= 10.0 else 2 if y.d1 - y.d0 <= 20.0 else 5
    ticks = [v for v in range(math.ceil(y.d0), math.floor(y.d1) + 1) if v % step == 0]
    body = ""
    for v in ticks:
        words = "0" if v == 0 else f"+{v}" if v > 0 else f"{MINUS}{abs(v)}"
        unit = "\u00b0" if v == ticks[-1] else ""
        body += text(f.left - 8.0, y(v) + 4.0, words + unit, "t-ink" if v == 0 else "", "end")
    return (
        body + text(0.0, f.top - 10.0, "right more", "t-2") + text(0.0, f.bottom + 34.0, "left more", "t-2")
    )


def _sentence(page: Page) -> str:
    drop = page.drop
    start = f"Right minus left pelvic drop, by {page.axis.unit.one}."
    if drop is None:
        return start
    return f"{start} {signed(drop.start)} degrees at the start, {signed(drop.late)} late."


def _table(page: Page) -> str:
    rows = []
    for metric in _TABLED:
        found = page.analysis.asymmetry.get(metric)
        if found is None or not math.isfinite(found.right_minus_left):
            continue
        scale, unit, decimals = (1000.0, "ms", 0) if found.unit == "s" else (1.0, found.unit, 1)

        def show(value: float, scale: float = scale, decimals: int = decimals) -> str:
            return signed(scale * value, decimals)

        low, high = found.interval
        spread = scale * found.alignment_uncertainty
        rows.append(
            [
                f"{esc(metric_words(metric))}, {esc(unit)}",
                show(found.right_minus_left),
                f"{show(low)} to {show(high)}",
                show(found.offset_part),
                show(found.offset_free),
                f"\u00b1{spread:.{decimals}f}" if math.isfinite(spread) else DASH,
            ]
        )
    if not rows:
        return ""
    heads = (
        "whole run",
        "right minus left",
        "95% interval",
        "from offset",
        "free of offset",
        "mounting, 1 SD",
    )
    return table("Right minus left", [(h, "") for h in heads], rows)
