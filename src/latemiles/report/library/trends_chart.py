"""The chart of run-to-run trends: four rows on one date axis, blocks as ground, B minus A at the right."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import Final

from latemiles.report.library.trends_words import ROW_NAMES, beyond_words, day_of, headline, row_about
from latemiles.report.numbers import MINUS, plural, signed
from latemiles.report.svg import Scale, band, diamond, disc, hline, rect, segment, svg, text, vline
from latemiles.trends.across import Across, Block, Point, Row

__all__ = ["Event", "draw"]

_RANGES: Final = {
    "start": (1.4, 7.4),
    "drift": (-0.5, 3.1),
    "asymmetry": (-0.5, 3.0),
    "standing": (-0.5, 4.6),
}
"""Fixed by the metric; widened in whole degrees where runs need it."""
_DIFFERENCE: Final = 1.8
"""Half width of the scale of differences, deg; the same for every row."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something on a day that is named above the chart, such as new shoes."""

    day: float
    words: str


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where everything lies in one picture."""

    across: Across
    events: tuple[Event, ...]
    x: Scale
    left: float
    right: float
    top: float
    row_height: float
    step: float
    """From the top of a row to the top of the next."""
    width: float
    side: float
    """Left edge of the differences; 0 where they lie under each row."""
    reach: float
    narrow: bool

    @property
    def bottom(self) -> float:
        return self.top + (len(self.across.rows) - 1) * self.step + self.row_height

    @property
    def below(self) -> float:
        """From the last row to the names of the months: on a phone its difference lies between."""
        return 46.0 if self.narrow and self.across.compared is not None else 2.0


def draw(across: Across, events: tuple[Event, ...] = (), *, narrow: bool) -> str:
    """The chart, for a wide or a narrow page."""
    f = _frame(across, events, narrow=narrow)
    body = "".join(_ground(f, block) for block in across.blocks)
    body += "".join(_event(f, event) for event in events)
    for k, row in enumerate(across.rows):
        y0 = f.top + k * f.step
        body += _row(f, row, y0)
        if k:
            hair = y0 - (42.0 if narrow else 0.5 * (f.step - f.row_height))
            body += hline(0.0 if narrow else f.left, f.right, hair, "c-hair")
    body += _months(f)
    if not narrow and across.compared is not None:
        body += text(f.side, f.top - 35.0, "B minus A", "t-2 s13")
    cls = "narrow" if narrow else "wide"
    return svg(f.width, f.bottom + f.below + 28.0, body, f"{headline(across)} Four rows over the days.", cls)


def _frame(across: Across, events: tuple[Event, ...], *, narrow: bool) -> _Frame:
    days = [p.day for row in across.rows for p in row.points]
    first, last = (min(days), max(days)) if days else (0.0, 1.0)
    margin = max(1.0, 0.025 * (last - first))
    left, right = (26.0, 352.0) if narrow else (196.0, 930.0)
    width = 358.0 if narrow else 1180.0
    step = 214.0 if narrow else 134.0
    reach = _DIFFERENCE
    for row in across.rows:
        if row.difference is not None:
            ends = [abs(v) for v in (*row.difference.interval, row.difference.detectable)]
            reach = max(reach, 0.5 * math.ceil(2.1 * max(ends)))
    x = Scale(first - margin, last + margin, left, right)
    return _Frame(
        across,
        events,
        x,
        left,
        right,
        130.0 if narrow else 54.0,
        112.0,
        step,
        width,
        right + 26.0,
        min(reach, 6.0),
        narrow,
    )


def _ground(f: _Frame, block: Block) -> str:
    """A block of exercises as pale ground, with its name."""
    first, end = max(block.first_day, f.x.d0), min(block.end_day, f.x.d1)
    if end <= first:
        return ""
    x0, x1 = f.x(first), f.x(end)
    is_compared = block is f.across.compared
    name = f"B  {block.name}" if is_compared else block.name
    top = f.top - (78.0 if f.narrow else 52.0)
    body = rect(x0, top, x1, f.bottom + 4.0, "f-phase")
    room = max(4, int((f.width - x0 - 10.0) / 6.9) if f.narrow else int((x1 - x0 - 10.0) / 6.9))
    shown = name if len(name) <= room else f"{name[: room - 1].rstrip()}…"
    body += text(x0 + (5.0 if f.narrow else 10.0), top + 17.0, shown, "t-phase s13")
    if is_compared and f.across.row("drift").points and x0 > f.left + 60.0:
        body += text(f.left, top + 17.0, "A  before", "t-2 s13")
    return body


def _event(f: _Frame, event: Event) -> str:
    """New shoes and the like: a dotted line through all rows, named once."""
    if not f.x.d0 < event.day < f.x.d1:
        return ""
    x = f.x(event.day)
    y = f.top - (44.0 if f.narrow else 18.0)
    return vline(x, y + 4.0, f.bottom, "c-event") + text(x, y, event.words, "t-2 s13 halo", "middle")


def _span(row: Row) -> tuple[float, float]:
    low, high = _RANGES[row.key]
    ends = [v for p in row.points for v in (p.low, p.high) if math.isfinite(v)]
    if row.difference is not None:
        d = row.difference
        ends += [d.before - d.detectable, d.before + d.detectable, d.during]
    if ends:
        # A single wide interval may be cut; the axis serves the many.
        low = min(low, math.floor(max(min(ends), low - 6.0)))
        high = max(high, math.ceil(min(max(ends), high + 6.0)))
    return low, high


def _row(f: _Frame, row: Row, y0: float) -> str:
    y = Scale(*_span(row), y0 + f.row_height - 4.0, y0 + 4.0)
    first, second = row_about(row.key, f.across)
    if f.narrow:
        body = text(0.0, y0 - 22.0, ROW_NAMES[row.key], "t-ink b s15 halo")
        body += text(0.0, y0 - 6.0, f"{first} {second}".strip(), "halo")
    else:
        body = text(0.0, y0 + 46.0, ROW_NAMES[row.key], "t-ink b s15")
        body += text(0.0, y0 + 65.0, first) + text(0.0, y0 + 81.0, second)
    body += _levels_ground(f, row, y) + _ticks(f, y)
    body += "".join(_point(f, row, point, y) for point in row.points) + _levels(f, row, y)
    if not row.points:
        body += text(0.5 * (f.left + f.right), y0 + 60.0, row.needed, "t-2 s13 halo", "middle")
        return body
    return body + _problems(f, row, y) + _difference(f, row, y0)


def _levels_ground(f: _Frame, row: Row, y: Scale) -> str:
    """The band of what cannot be told apart around the level before, and zero."""
    body = ""
    if row.difference is not None:
        d = row.difference
        low, high = max(d.before - d.detectable, y.d0), min(d.before + d.detectable, y.d1)
        body += f'<g opacity=".75">{band(f.left, f.right, y, low, high)}</g>'
    return body + (hline(f.left, f.right, y(0.0), "c-zero") if y.d0 <= 0.0 <= y.d1 else "")


def _levels(f: _Frame, row: Row, y: Scale) -> str:
    block = f.across.compared
    if row.difference is None or block is None:
        return ""
    cls = "c-level right" if row.key == "asymmetry" else "c-level"
    edge = f.x(max(block.first_day, f.x.d0))
    begin = f.x(max(f.across.before_from, f.x.d0))
    end = f.x(min(block.end_day, f.x.d1))
    body = hline(begin, edge - 5.0, y(row.difference.before), cls) if edge - 5.0 > begin else ""
    return body + hline(edge, end, y(row.difference.during), cls)


def _ticks(f: _Frame, y: Scale) -> str:
    span = y.d1 - y.d0
    step = 1 if span <= 4.5 else 2 if span <= 9.0 else 4
    ticks = [v for v in range(math.ceil(y.d0), math.floor(y.d1) + 1) if v % step == 0]
    body = ""
    for v in ticks:
        words = f"{MINUS}{abs(v)}" if v < 0 else f"{v}"
        body += text(f.left - 9.0, y(v) + 4.0, words + ("°" if v == ticks[-1] else ""), "", "end")
    return body


def _point(f: _Frame, row: Row, point: Point, y: Scale) -> str:
    x = f.x(point.day)
    low, high = max(point.low, y.d0), min(point.high, y.d1)
    body = vline(x, y(low), y(high), "c-bar" if point.is_used else "c-bar out")
    if not y.d0 <= point.value <= y.d1:
        return body
    at = y(point.value)
    is_last = point is row.points[-1]
    small = 0.75 if f.narrow else 1.0
    if not point.is_used:
        return body + disc(x, at, 4.0 * small, "f-hollow")
    if row.key == "asymmetry":
        mark = diamond if point.value >= 0.0 else disc
        return body + mark(
            x, at, (6.5 if is_last else 5.0) * small, "f-right" if point.value >= 0.0 else "f-left"
        )
    return body + disc(x, at, (5.5 if is_last else 4.0) * small, "f-ink")


def _problems(f: _Frame, row: Row, y: Scale) -> str:
    """Why points are hollow: named at the first row, counted where there are several."""
    out = [p for p in row.points if not p.is_used]
    if not out:
        return ""
    one = out[0]
    same = {p.problem for p in out}
    if row.key != "start" and same == {"clip slipped"}:
        # The first row has said it; the table says it of each.
        return ""
    words = (
        f"{one.problem}, not used"
        if len(out) == 1
        else f"{plural(len(out), 'run')} not used: {', '.join(sorted(same))}"
    )
    x = f.x(one.day)
    low = y(max(one.low, y.d0)) + 14.0
    at = min(low, y.r0 + 8.0)
    limit = 6.4 * len(words)
    to_the_right = x + limit < f.right
    # Words keep off a line that names something else, where the other side of the point is free.
    if to_the_right and x - limit > f.left and _is_crossed(f, x, x + limit):
        to_the_right = _is_crossed(f, x - limit, x)
    if to_the_right:
        return text(x + 8.0, at, words, "halo")
    return text(min(x - 8.0, f.right), at, words, "halo", "end")


def _is_crossed(f: _Frame, x0: float, x1: float) -> bool:
    """Whether a line of an event, or the edge of a block, runs down between two places."""
    lines = [f.x(event.day) for event in f.events] + [f.x(block.first_day) for block in f.across.blocks]
    return any(x0 - 4.0 < x < x1 + 4.0 for x in lines)


def _difference(f: _Frame, row: Row, y0: float) -> str:
    """B minus A on one scale of degrees, against the smallest difference that can be told apart."""
    if f.across.compared is None:
        return ""
    cx, w = (170.0, 128.0) if f.narrow else (f.side, 128.0)
    middle = y0 + f.row_height + 20.0 if f.narrow else y0 + 70.0
    if row.difference is None:
        where = (f.left, middle + 4.0) if f.narrow else (f.side, y0 + 56.0)
        return text(*where, _fold(row.needed), "t-2 s13")
    d = row.difference
    q = Scale(-f.reach, f.reach, cx, cx + w)
    value, words = f"{signed(d.difference)}°", beyond_words(row)
    if f.narrow:
        body = text(f.left, middle + 6.0, value, "t-ink b s19") + text(
            f.left + 72.0, middle + 5.0, _short(words), "t-2"
        )
    else:
        body = text(cx, y0 + 49.0, value, "t-ink b s22") + text(cx + 78.0, y0 + 48.0, words, "t-2 s13")
    low, high = (q(max(-f.reach, min(f.reach, v))) for v in (-d.detectable, d.detectable))
    body += rect(low, middle - 8.0, high, middle + 8.0, "c-band")
    body += vline(low, middle - 8.0, middle + 8.0, "c-side") + vline(
        high, middle - 8.0, middle + 8.0, "c-side"
    )
    body += vline(q(0.0), middle - 8.0, middle + 8.0, "c-zero")
    ends = [q(max(-f.reach, min(f.reach, v))) for v in d.interval]
    body += segment(ends[0], middle, ends[1], middle, "c-known")
    body += disc(
        q(max(-f.reach, min(f.reach, d.difference))), middle, 5.0, "f-change" if d.is_beyond else "f-ink"
    )
    return body + _difference_ticks(f, q, middle, words=row.key == "start")


def _difference_ticks(f: _Frame, q: Scale, middle: float, *, words: bool) -> str:
    body = ""
    one = 1 if f.reach < 4.0 else 2
    for v in (-one, 0, one):
        if words:
            name = "0" if v == 0 else f"+{v}°" if v > 0 else f"{MINUS}{-v}"
            body += text(q(v), middle + 24.0, name, "", "middle")
        elif v:
            body += vline(q(v), middle + 9.0, middle + 13.0, "c-side")
    return body


def _short(words: str) -> str:
    return words.removesuffix(" the band")


def _fold(words: str) -> str:
    return words[:1].upper() + words[1:]


def _months(f: _Frame) -> str:
    """A tick and a name at each first of a month; the first name stands at the left edge."""
    first, last = day_of(f.x.d0), day_of(f.x.d1)
    y = f.bottom + f.below
    months: list[date] = []
    at = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    while at <= last:
        months.append(at)
        at = date(at.year + at.month // 12, at.month % 12 + 1, 1)
    every = max(1, math.ceil(len(months) / (4 if f.narrow else 9)))
    body, edges = "", [f.x(float((m - date(1970, 1, 1)).days)) for m in months[::every]]
    form = "%b" if f.narrow or len(months) > 6 else "%B"
    for m, x in zip(months[::every], edges, strict=True):
        year = f" {m.year}" if m.month == 1 else ""
        body += vline(x, y, y + 7.0, "c-side") + text(x + 5.0, y + 18.0, f"{m:{form}}{year}", "t-2 s13")
    if not edges or edges[0] - f.left > 62.0:
        body += text(f.left, y + 18.0, f"{first:{form}}", "t-2 s13")
    return body
