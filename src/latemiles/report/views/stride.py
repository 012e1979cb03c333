"""One stride: the first part of the run against the last, nine angles, mean and one SD."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from latemiles.report.markup import table
from latemiles.report.numbers import DASH, MINUS, count, listed, magnitude, percent, plural, signed
from latemiles.report.page import Page
from latemiles.report.panels import PANELS, Difference, Panel, differences
from latemiles.report.svg import Scale, area, diamond, disc, esc, hline, path, rect, svg, text, vline
from latemiles.report.words import MOSTLY_HEARD, filler, part_words
from latemiles.signals.frames import SEGMENTS, Segment
from latemiles.signals.results import Ensemble

__all__ = ["render"]

F8 = NDArray[np.float64]

_LEFT, _PANEL, _GAP, _HEIGHT, _ROW = 98.0, 210.0, 44.0, 132.0, 178.0
_TOP = 26.0


def render(page: Page) -> str:
    """Nine panels and the table beside them; an unknown panel keeps its size and says what is missing."""
    found = differences(page)
    width = _LEFT + 3 * _PANEL + 2 * _GAP + 4.0
    height = _TOP + 3 * _ROW
    body = "".join(_panel(page, panel, found[panel.angle]) for panel in PANELS)
    body += "".join(_row_name(row) for row in range(3)) + _event_words(page)
    label = "Nine joint angles over one stride, " + _compared(page) + "."
    return (
        f'<section><h2>{esc(_title(page))}</h2><p class="sub">{esc(_explained(page))}</p>'
        f'<div class="fig keep" tabindex="0" role="region" aria-label="Stride panel">'
        f"{svg(width, height, body, label)}</div>{_table(page, found)}</section>"
    )


def _parts(page: Page) -> tuple[Ensemble | None, Ensemble | None]:
    parts = page.parts
    if not parts:
        return None, None
    return parts[0], parts[-1] if len(parts) > 1 else None


def _compared(page: Page) -> str:
    first, last = _parts(page)
    if first is None:
        return "not measured"
    if last is None:
        return f"{part_words(page, first)} only"
    return f"{part_words(page, first)} against {part_words(page, last)}"


def _title(page: Page) -> str:
    first, last = _parts(page)
    if first is None:
        return "One stride"
    return "One stride, first part against last" if last is not None else "One stride"


def _explained(page: Page) -> str:
    first, last = _parts(page)
    zero = f"Zero is {page.reference_words}; not adjusted for speed."
    if first is None:
        if page.analysis.quality.calibration is None or page.running_strides == 0:
            return f"Nothing to average. {filler(page)}"
        return f"No stretch of good strides was long enough to average; 25 strides of a leg fill this. {zero}"
    if last is None:
        return (
            f"Mean with one standard deviation between strides, {_compared(page)}, "
            f"{plural(first.strides, 'stride')}. A longer run adds the late part. {zero}"
        )
    return (
        f"Mean with one standard deviation between strides: {part_words(page, first)} dashed, "
        f"{part_words(page, last)} solid. A thick foot marks where they differ by more than this run "
        "can detect at a moment of the stride. "
        f"Pelvis and right hip over the right stride, left hip over the left. "
        f"Shaded while the foot is down. {zero}"
    )


def _row_name(row: int) -> str:
    y = _TOP + row * _ROW + 0.5 * _HEIGHT
    name = ("pelvis", "left hip", "right hip")[row]
    mark = ("", disc(5.0, y + 17.0, 5.0, "f-left"), diamond(6.0, y + 17.0, 6.0, "f-right"))[row]
    return text(0.0, y, name, "t-ink b s14") + mark


def _origin(panel: Panel) -> tuple[float, float]:
    return _LEFT + panel.column * (_PANEL + _GAP), _TOP + panel.row * _ROW


def _panel(page: Page, panel: Panel, found: Difference) -> str:
    x0, y0 = _origin(panel)
    first, last = _parts(page)
    x = Scale(0.0, 100.0, x0, x0 + _PANEL)
    y = Scale(*_range(panel, found), y0 + _HEIGHT, y0)
    body = _panel_ground(panel, found, last or first, x, y)
    body += text(x0, y0 - 8.0, panel.name, "t-ink b s13") + text(x0 + _PANEL, y0 - 8.0, panel.sign, "", "end")
    if not found.known:
        return body + text(
            x0 + 0.5 * _PANEL, y0 + 0.5 * _HEIGHT - 8.0, _why_empty(page, panel), "t-2 s13 halo", "middle"
        )
    tone = panel.tone if panel.tone != "ink" or not found.beyond.any() else "change"
    percents = np.linspace(0.0, 100.0, len(found.first))
    px = x.many(percents)
    if first is not None:
        body += area(
            px, y.many(found.first - found.first_sd), y.many(found.first + found.first_sd), "f-first"
        )
    if last is not None:
        body += area(
            px, y.many(found.last - found.last_sd), y.many(found.last + found.last_sd), f"f-{tone} sd"
        )
        body += path(px, y.many(found.first), "c-first")
        body += path(px, y.many(found.last), "c-line" if tone == "ink" else f"c-{tone}")
    else:
        body += path(px, y.many(found.first), "c-line" if panel.tone == "ink" else f"c-{panel.tone}")
    if last is not None and not np.isfinite(found.last).any():
        words = f"last part: {_why_empty(page, panel, late=True)}"
        body += text(x0 + 0.5 * _PANEL, y0 + 12.0, words, "t-2 halo", "middle")
    return body + _foot(found, x, y0 + _HEIGHT + 4.0, tone) + _names(panel, found, x, y, tone)


def _range(panel: Panel, found: Difference) -> tuple[float, float]:
    """The panel's fixed range, widened in steps of 2 degrees when a run needs it."""
    low, high = panel.low, panel.high
    for mean, sd in ((found.first, found.first_sd), (found.last, found.last_sd)):
        known = np.isfinite(mean) & np.isfinite(sd)
        if known.any():
            low = min(low, 2.0 * math.floor(float(np.min((mean - sd)[known])) / 2.0))
            high = max(high, 2.0 * math.ceil(float(np.max((mean + sd)[known])) / 2.0))
    return low, high


def _panel_ground(panel: Panel, found: Difference, part: Ensemble | None, x: Scale, y: Scale) -> str:
    top, bottom = y.r1, y.r0
    toe_off = part.toe_off_percent.get(panel.side, math.nan) if part is not None else math.nan
    body = ""
    if math.isfinite(toe_off):
        body += rect(x(0.0), top, x(toe_off), bottom, "f-wash") + vline(x(toe_off), top, bottom, "c-tick")
    body += hline(x(0.0), x(100.0), y(0.0), "c-mile") + vline(x(0.0), top, bottom, "c-tick")
    unit = "\u00b0" if panel.row == 0 and panel.column == 0 else ""
    high = f"+{y.d1:.0f}" if y.d1 > 0.0 else f"{y.d1:.0f}"
    low = f"{MINUS}{abs(y.d0):.0f}" if y.d0 < 0.0 else f"{y.d0:.0f}"
    body += text(x(0.0) - 8.0, top + 9.0, high + unit, "", "end") + text(
        x(0.0) - 8.0, bottom + 1.0, low, "", "end"
    )
    return body + text(x(0.0) - 8.0, y(0.0) + 4.0, "0", "", "end")


def _why_empty(page: Page, panel: Panel, *, late: bool = False) -> str:
    segment = {"left": Segment.LEFT_THIGH, "right": Segment.RIGHT_THIGH}.get(panel.of, Segment.PELVIS)
    if not page.heard(segment) or (late and page.heard_share(segment) < MOSTLY_HEARD):
        return f"{segment.label} not heard"
    if not page.heard(Segment.PELVIS):
        return "pelvis not heard"
    return "too few good strides"


def _foot(found: Difference, x: Scale, y: float, tone: str) -> str:
    step = 100.0 / max(len(found.first) - 1, 1)
    d, k, n = "", 0, len(found.beyond)
    while k < n:
        if not found.beyond[k]:
            k += 1
            continue
        start = k
        while k < n and found.beyond[k]:
            k += 1
        d += f"M{x(start * step):.1f} {y:.1f}H{x(min((k - 1) * step + 0.5 * step, 100.0)):.1f}"
    return f'<path d="{d}" class="c-foot {tone}"/>' if d else ""


def _names(panel: Panel, found: Difference, x: Scale, y: Scale, tone: str) -> str:
    """First and last are named once, in the first panel."""
    if panel.row or panel.column or not np.isfinite(found.last).any():
        return ""
    n = len(found.first)
    high = found.last if np.nanmean(found.last) >= np.nanmean(found.first) else found.first
    low = found.first if high is found.last else found.last
    above = int(0.45 * n)
    below = int(0.12 * n)
    over = y(float(np.nanmax(high[above - 3 : above + 25]))) - 22.0
    under = y(float(np.nanmin(low[max(0, below - 8) : below + 12]))) + 24.0
    names = (("last", f"t-{tone if tone != 'ink' else 'ink'} b halo"), ("first", "t-2 halo"))
    upper, lower = names if high is found.last else names[::-1]
    top = text(x(45.0), max(over, y.r1 + 12.0), upper[0], upper[1])
    return top + text(x(12.0), min(under, y.r0 - 6.0), lower[0], lower[1])


def _event_words(page: Page) -> str:
    """Initial contact and toe-off, under the lowest row."""
    first, last = _parts(page)
    part = last or first
    y = _TOP + 2 * _ROW + _HEIGHT + 22.0
    body = ""
    for column in range(3):
        x0 = _LEFT + column * (_PANEL + _GAP)
        body += text(x0, y, "lands", "t-2") + text(x0 + _PANEL, y, "lands", "t-2", "end")
        toe_off = part.toe_off_percent.get("right", math.nan) if part is not None else math.nan
        if math.isfinite(toe_off):
            body += text(x0 + _PANEL * toe_off / 100.0, y, "toe off", "t-2", "middle")
    return body


def _table(page: Page, found: dict[str, Difference]) -> str:
    first, last = _parts(page)
    if first is None or last is None:
        return ""
    rows = []
    for panel in PANELS:
        d = found[panel.angle]
        if not (math.isfinite(d.first_mean) or math.isfinite(d.last_mean)):
            continue
        share = percent(float(np.mean(d.beyond))) if d.known and math.isfinite(d.detectable) else DASH
        change = d.last_mean - d.first_mean
        detectable = magnitude(d.detectable) if math.isfinite(change) else DASH
        rows.append(
            [panel.words, signed(d.first_mean), signed(d.last_mean), signed(change), detectable, share]
        )
    heads = ("angle", "mean, first", "mean, last", "difference", "detectable", "share of stride beyond")
    caption = f"Degrees, raw. {count(first.strides)} strides in the first part, {count(last.strides)} last."
    silent = [s.label for s in SEGMENTS if not page.heard(s)]
    absent = f'<p class="missing">Without {listed(silent)}: not heard.</p>' if silent else ""
    return table("Nine angles", [(h, "") for h in heads], rows, caption) + absent
