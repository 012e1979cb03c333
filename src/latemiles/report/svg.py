"""Small parts of static charts: scales, marks, bands, hatching, and a smoother that stops at gaps.

Everything returns SVG text. Colours and weights are classes of ``static/report.css``, so that one file
holds the palette and print can change it.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "LabelRows",
    "Scale",
    "area",
    "arrow",
    "band",
    "diamond",
    "disc",
    "dots",
    "esc",
    "hatch",
    "hline",
    "path",
    "pieces",
    "rect",
    "segment",
    "smooth",
    "svg",
    "text",
    "triangle",
    "vline",
]

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

_SLOPE_WIDTHS = 2.5
"""Reach of the smoother's slope, in its widths."""

_CHAR_PX = 6.6
"""Mean width of a 13 px character, for labels that must not meet."""


def esc(value: str) -> str:
    """Text that came from outside, safe in markup and attributes."""
    return html.escape(value, quote=True)


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear map of data (d0, d1) to pixels (r0, r1)."""

    d0: float
    d1: float
    r0: float
    r1: float

    def __call__(self, value: float) -> float:
        """Pixel of a value."""
        return self.r0 + (value - self.d0) / (self.d1 - self.d0) * (self.r1 - self.r0)

    def many(self, values: F8) -> F8:
        """Pixels of values; NaN stays NaN."""
        out: F8 = self.r0 + (np.asarray(values, dtype=np.float64) - self.d0) / (self.d1 - self.d0) * (
            self.r1 - self.r0
        )
        return out


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _placed(*pixels: float) -> bool:
    """Whether all are known: what has no place is not drawn."""
    return all(math.isfinite(p) for p in pixels)


def text(x: float, y: float, words: str, cls: str = "", anchor: str = "start") -> str:
    """Words at a place; ``words`` is escaped here."""
    if not _placed(x, y):
        return ""
    return f'<text x="{_n(x)}" y="{_n(y)}" class="{cls}" text-anchor="{anchor}">{esc(words)}</text>'


def rect(x0: float, y0: float, x1: float, y1: float, cls: str, fill: str = "") -> str:
    """A box between two corners in any order."""
    if not _placed(x0, y0, x1, y1):
        return ""
    extra = f' fill="{fill}"' if fill else ""
    return (
        f'<rect x="{_n(min(x0, x1))}" y="{_n(min(y0, y1))}" width="{_n(abs(x1 - x0))}" '
        f'height="{_n(abs(y1 - y0))}" class="{cls}"{extra}/>'
    )


def segment(x0: float, y0: float, x1: float, y1: float, cls: str) -> str:
    """A straight line."""
    if not _placed(x0, y0, x1, y1):
        return ""
    return f'<path d="M{_n(x0)} {_n(y0)}L{_n(x1)} {_n(y1)}" class="{cls}"/>'


def vline(x: float, y0: float, y1: float, cls: str) -> str:
    """A vertical line."""
    if not _placed(x, y0, y1):
        return ""
    return f'<path d="M{_n(x)} {_n(y0)}V{_n(y1)}" class="{cls}"/>'


def hline(x0: float, x1: float, y: float, cls: str) -> str:
    """A horizontal line."""
    if not _placed(x0, x1, y):
        return ""
    return f'<path d="M{_n(x0)} {_n(y)}H{_n(x1)}" class="{cls}"/>'


def path(x: F8, y: F8, cls: str, piece: I8 | None = None) -> str:
    """A line through points in pixels; it stops at NaN and between pieces."""
    parts: list[str] = []
    pen_down = False
    for k in range(len(x)):
        if not (math.isfinite(x[k]) and math.isfinite(y[k])):
            pen_down = False
            continue
        if piece is not None and k > 0 and piece[k] != piece[k - 1]:
            pen_down = False
        parts.append(f"{'L' if pen_down else 'M'}{_n(x[k])} {_n(y[k])}")
        pen_down = True
    return f'<path d="{"".join(parts)}" class="{cls}"/>' if parts else ""


def area(x: F8, low: F8, high: F8, cls: str) -> str:
    """A filled ribbon between two curves in pixels, over the points where all is known."""
    known = np.isfinite(x) & np.isfinite(low) & np.isfinite(high)
    if np.count_nonzero(known) < 2:
        return ""
    x, low, high = x[known], low[known], high[known]
    there = "L".join(f"{_n(a)} {_n(b)}" for a, b in zip(x, high, strict=True))
    back = "L".join(f"{_n(a)} {_n(b)}" for a, b in zip(x[::-1], low[::-1], strict=True))
    return f'<path d="M{there}L{back}Z" class="{cls}"/>'


def dots(x: F8, y: F8, cls: str = "c-dots") -> str:
    """Points as zero-length strokes with round caps: one element for thousands."""
    known = np.isfinite(x) & np.isfinite(y)
    d = "".join(f"M{_n(a)} {_n(b)}h0" for a, b in zip(x[known], y[known], strict=True))
    return f'<path d="{d}" class="{cls}"/>' if d else ""


def band(x0: float, x1: float, y: Scale, low: float, high: float) -> str:
    """The grey of what cannot be told from noise, with its two edges."""
    return (
        rect(x0, y(low), x1, y(high), "c-band")
        + hline(x0, x1, y(low), "c-edge")
        + hline(x0, x1, y(high), "c-edge")
    )


def hatch(name: str) -> str:
    """Definition of the hatching of gaps; the name is unique on the page."""
    return (
        f'<defs><pattern id="{name}" width="6" height="6" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><path d="M0 0V6" class="c-hatch"/></pattern></defs>'
    )


def disc(x: float, y: float, r: float, cls: str) -> str:
    """The mark of the left side, and the end of a line."""
    if not _placed(x, y):
        return ""
    return f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(r)}" class="{cls}"/>'


def diamond(x: float, y: float, r: float, cls: str) -> str:
    """The mark of the right side."""
    if not _placed(x, y):
        return ""
    return (
        f'<path d="M{_n(x)} {_n(y - r)}l{_n(r)} {_n(r)}l{_n(-r)} {_n(r)}l{_n(-r)} {_n(-r)}z" class="{cls}"/>'
    )


def triangle(cls: str) -> str:
    """The mark of a likely change, 14 x 12."""
    return (
        '<svg width="14" height="12" viewBox="-7 -6 14 12" aria-hidden="true">'
        f'<path d="M0 -4.6L4.8 3.9H-4.8Z" class="{cls}"/></svg>'
    )


def arrow(cls: str) -> str:
    """The mark of a clear change, 14 x 12."""
    return (
        '<svg width="14" height="12" viewBox="-7 -6 14 12" aria-hidden="true">'
        f'<path d="M-4.4 -4.2H.4L4.8 0L.4 4.2H-4.4Z" class="{cls}"/></svg>'
    )


def svg(width: float, height: float, body: str, label: str, cls: str = "") -> str:
    """A whole chart: an image with a sentence as its label."""
    w, h = _n(width), _n(height)
    return (
        f'<svg class="{cls}" width="{w}" height="{h}" viewBox="0 0 {w} {h}" role="img" '
        f'aria-label="{esc(label)}">{body}</svg>'
    )


@dataclass(slots=True)
class LabelRows:
    """Puts labels above a chart in rows, so that no two of them meet."""

    left: float
    right: float
    top: float
    step: float = 17.0

    def place(self, labels: Sequence[tuple[float, str]], most: int = 3) -> str:
        """Labels at their pixel, first row lowest; what fits in no row is left to the tables."""
        ends = [-math.inf] * most
        out: list[str] = []
        for x, words in sorted(labels):
            half = 0.5 * _CHAR_PX * len(words)
            centre = min(max(x, self.left + half), self.right - half)
            for row, end in enumerate(ends):
                if centre - half > end + 8.0:
                    ends[row] = centre + half
                    out.append(text(centre, self.top - row * self.step, words, "t-2 s13 halo", "middle"))
                    break
        return "".join(out)


def pieces(t_s: F8, breaks_s: Sequence[float]) -> I8:
    """Number of the unbroken piece each point belongs to.

    Parameters
    ----------
    t_s : float64 array, shape (n,)
        Times of the points, rising.
    breaks_s : sequence of float
        Times at which a line must stop: gaps and slips.

    Returns
    -------
    int64 array, shape (n,)
        Rises by one over each break, and where the next point is missing for over half a minute.
    """
    if len(t_s) == 0:
        return np.zeros(0, dtype=np.int64)
    number: I8 = np.searchsorted(np.sort(np.asarray(breaks_s, dtype=np.float64)), t_s, side="right").astype(
        np.int64
    )
    steps = np.diff(t_s, prepend=t_s[0])
    usual = float(np.median(steps[1:])) if len(steps) > 1 else 0.0
    out: I8 = number + np.cumsum(steps > max(30.0, 4.0 * usual)).astype(np.int64)
    return out


def smooth(x: F8, y: F8, width: float, piece: I8) -> F8:
    """Local straight lines with Gaussian weights, which never look across a gap.

    A weighted mean would lag behind a slope at each end of a piece; a line does not.

    Parameters
    ----------
    x, y : float64 arrays, shape (n,)
        Place and value; NaN values carry no weight and stay NaN.
    width : float
        Distance at which the weight has fallen to 1/e, in units of x.
    piece : int64 array, shape (n,)
        Points of other pieces carry no weight.

    Returns
    -------
    float64 array, shape (n,)
    """
    out = np.full(len(x), np.nan)
    for number in np.unique(piece):
        here = np.flatnonzero((piece == number) & np.isfinite(y) & np.isfinite(x))
        for k in here:
            near = here[np.abs(x[here] - x[k]) < 3.0 * _SLOPE_WIDTHS * width]
            out[k] = _local(x[near] - x[k], y[near], width)
    return out


def _local(offset: F8, y: F8, width: float) -> float:
    """Weighted mean near offset zero, carried from the points' centre to zero along a slope of wider reach.

    Inside a piece the centre is zero and this is the mean; at its ends the slope of a few points would swing.
    """
    weight = np.exp(-((offset / width) ** 2))
    weight /= weight.sum()
    wide = np.exp(-((offset / (_SLOPE_WIDTHS * width)) ** 2))
    wide /= wide.sum()
    middle, level = float(wide @ offset), float(wide @ y)
    spread = float(wide @ (offset - middle) ** 2)
    # Points at one place, or a single one, have no slope.
    slope = float(wide @ ((offset - middle) * (y - level))) / spread if spread > 1e-9 * width**2 else 0.0
    return float(weight @ y) - slope * float(weight @ offset)
