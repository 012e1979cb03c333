"""Pace and elevation under the tilt, on the same axis; one line of words where no source was heard."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from latemiles.report.ground import Frame
from latemiles.report.numbers import pace
from latemiles.report.page import Page
from latemiles.report.svg import Scale, area, path, text

__all__ = ["draw"]

F8 = NDArray[np.float64]

_HEIGHT = 44.0
_STEP = 54.0
_BINS = 160
_LEAST_SPEED_SPAN = 0.6
"""A strip never shows less than this from bottom to top, m/s, or standing still would look like effort."""
_LEAST_CLIMB_M = 60.0
_STILL_M_S = 0.5
"""Slower than this nobody walks; a stop is not part of a mean pace."""


def draw(page: Page, f: Frame, top: float) -> tuple[str, float]:
    """SVG of both strips and the pixel at which they end."""
    end = top + _STEP + _HEIGHT
    if not page.has_speed:
        words = (
            "No speed source."
            if f.narrow
            else "No speed source. A watch, a foot pod or a treadmill fills this strip."
        )
        return text(f.left, top + 0.5 * _HEIGHT, words, "t-2 s13 halo"), top + _HEIGHT
    body = _speed(page, f, top)
    climb = page.elevation()
    if climb is None:
        words = (
            "No grade or elevation source."
            if f.narrow
            else "No grade source. A watch file or a treadmill fills this strip."
        )
        return body + text(f.left, top + _STEP + 0.5 * _HEIGHT, words, "t-2 s13 halo"), end
    return body + _elevation(f, top + _STEP, *climb), end


def _binned(x: F8, values: F8, end: float) -> tuple[F8, F8]:
    known = np.isfinite(x) & np.isfinite(values)
    # Bins that most values miss would leave a line of holes.
    bins = int(np.clip(np.count_nonzero(known) // 2, 2, _BINS))
    edges = np.linspace(0.0, max(end, 1e-6), bins + 1)
    total, _ = np.histogram(x[known], edges, weights=values[known])
    heard, _ = np.histogram(x[known], edges)
    mean = np.where(heard > 0, total / np.maximum(heard, 1), np.nan)
    return 0.5 * (edges[1:] + edges[:-1]), mean


def _speed(page: Page, f: Frame, top: float) -> str:
    context, strides = page.context, page.analysis.strides
    t_s, speed = context.t_s, context.speed_m_s
    if not np.isfinite(speed).any():
        t_s, speed = strides["t_ic_s"], strides["speed_m_s"]
    x, mean = _binned(page.axis.at(t_s), speed, page.axis.end)
    low, high = (float(v) for v in np.nanpercentile(mean, [2.0, 98.0]))
    middle, half = 0.5 * (low + high), 0.5 * max(high - low, _LEAST_SPEED_SPAN)
    y = Scale(middle - 1.2 * half, middle + 1.2 * half, top + _HEIGHT, top)
    body = path(f.x.many(x), y.many(np.clip(mean, y.d0, y.d1)), "c-strip")
    return body + _speed_words(page, f, top, _mean_moving(speed))


def _mean_moving(speed: F8) -> float:
    moving = speed[speed > _STILL_M_S]
    return float(np.mean(moving)) if len(moving) else math.nan


def _speed_words(page: Page, f: Frame, top: float, mean: float) -> str:
    metres = page.axis.unit.size if page.axis.has_distance else 1000.0
    late, start = (pace(v, metres) for v in (page.speed_late, page.speed_start))
    known = math.isfinite(page.speed_late) and math.isfinite(page.speed_start)
    if f.narrow:
        words = f"pace {late}, from {start}" if known else f"pace {pace(mean, metres)} in the mean"
        return text(f.right, top + 2.0, words, "t-2 halo", "end")
    if not known:
        return text(f.right + 14.0, top + 17.0, f"pace {pace(mean, metres)}", "t-2 s13") + text(
            f.right + 14.0, top + 33.0, "in the mean", "s13"
        )
    return text(f.right + 14.0, top + 17.0, f"pace {late}", "t-2 s13") + text(
        f.right + 14.0, top + 33.0, f"from {start}", "s13"
    )


def _elevation(f: Frame, top: float, t_s: F8, metres: F8) -> str:
    x, mean = _binned(f.axis.at(t_s), metres, f.axis.end)
    low, high = float(np.nanmin(mean)), float(np.nanmax(mean))
    y = Scale(low - 4.0, low + max(high - low, _LEAST_CLIMB_M), top + _HEIGHT, top + 4.0)
    px, py = f.x.many(x), y.many(mean)
    body = area(px, np.full(len(px), top + _HEIGHT), py, "f-band") + path(px, py, "c-strip")
    span = f"{high - low:.0f} m"
    if f.narrow:
        return body + text(f.right, top + 10.0, f"elevation, range {span}", "t-2 halo", "end")
    return (
        body
        + text(f.right + 14.0, top + 17.0, "elevation", "t-2 s13")
        + text(f.right + 14.0, top + 33.0, f"range {span}", "s13")
    )
