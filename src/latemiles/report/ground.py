"""The ground that every chart along the run shares: mile lines, gaps, slips and their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from latemiles.report.axis import RunAxis
from latemiles.report.numbers import lasting
from latemiles.report.svg import LabelRows, Scale, hatch, rect, text, vline
from latemiles.signals.events import Marked

__all__ = ["Frame", "frame", "gap_hatching", "gap_labels", "merged", "mile_lines", "mile_words", "slip_lines"]

_LABELLED_GAP_S = 10.0
"""Shorter gaps are hatched and counted, not named."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Where one chart lies in its picture."""

    axis: RunAxis
    x: Scale
    left: float
    right: float
    top: float
    bottom: float
    narrow: bool
    name: str
    """Makes the hatching of each picture its own."""

    def at(self, t_s: float) -> float:
        """Pixel of a session time."""
        return self.x(float(self.axis.at(t_s)))

    @property
    def most_ticks(self) -> int:
        """How many axis words fit."""
        return 8 if self.narrow else 15


def frame(
    axis: RunAxis, left: float, right: float, rows: tuple[float, float], *, narrow: bool, name: str
) -> Frame:
    """A frame over the whole run between two pixels."""
    x = Scale(0.0, max(axis.end, 1e-6), left, right)
    return Frame(axis, x, left, right, rows[0], rows[1], narrow, name)


def mile_lines(f: Frame, bottom: float) -> str:
    """A hairline at each tick, through every strip."""
    return "".join(vline(f.x(tick), f.top, bottom, "c-mile") for tick in f.axis.ticks(f.most_ticks))


def mile_words(f: Frame, y: float) -> str:
    """Numbers under the axis; the first carries the unit."""
    ticks = f.axis.ticks(f.most_ticks)
    room = f.x(ticks[1]) - f.left - 12.0 if len(ticks) > 1 else f.right - f.left
    names = [f" {f.axis.unit.many}", f" {f.axis.unit.short}", ""]
    unit = next(name for name in names[int(f.narrow) :] if not name or 6.6 * (1 + len(name)) < room)
    out = []
    for k, tick in enumerate(ticks):
        words = f"{tick:g}" if k else f"0{unit}"
        out.append(text(f.x(tick), y, words, "t-2", "middle" if k else "start"))
    if not unit:
        out.append(text(f.left - 4.0, y, f.axis.unit.short, "t-2", "end"))
    return "".join(out)


def merged(spans: list[tuple[float, float]], least_px: float) -> list[tuple[float, float]]:
    """Spans in pixels, in order, with those closer than ``least_px`` joined."""
    out: list[tuple[float, float]] = []
    for low, high in sorted(spans):
        if out and low - out[-1][1] < least_px:
            out[-1] = (out[-1][0], max(high, out[-1][1]))
        else:
            out.append((low, high))
    return out


def gap_hatching(f: Frame, gaps_s: list[tuple[float, float]]) -> str:
    """Each gap hatched over its true width."""
    if not gaps_s:
        return ""
    spans = merged([(f.at(a), f.at(b)) for a, b in gaps_s], 0.5)
    boxes = [rect(a, f.top, b, f.bottom, "", f"url(#{f.name})") for a, b in spans if b - a >= 0.2]
    return hatch(f.name) + "".join(boxes)


def slip_lines(f: Frame, slips_s: list[float]) -> str:
    """A dashed vertical where the sensor moved on the body."""
    return "".join(vline(f.at(t), f.top, f.bottom, "c-slip") for t in slips_s)


def gap_labels(
    f: Frame,
    gaps_s: list[tuple[float, float]],
    slips_s: list[float],
    marks: Sequence[Marked] = (),
) -> str:
    """Names of the long gaps, the slips and the marks, above the chart."""
    labels = [(f.at(t), "clip moved") for t in slips_s]
    labels += [(f.at(m.t_s), m.label) for m in marks]
    for a, b in gaps_s:
        if b - a >= _LABELLED_GAP_S:
            labels.append((0.5 * (f.at(a) + f.at(b)), "gap" if f.narrow else f"gap, {lasting(b - a)}"))
    right = f.right if f.narrow else f.right + 60.0
    return LabelRows(f.left, right, f.top - 8.0).place(labels, 1 if f.narrow else 2)
