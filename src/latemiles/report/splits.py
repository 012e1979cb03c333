"""Numbers of one split, as the table and the summary show them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latemiles.metrics.catalogue import COLUMN_INDEX
from latemiles.report.axis import KM, MILE, MINUTE, AxisUnit
from latemiles.report.page import DROP, TILT, Page, window_mean
from latemiles.signals.events import Split

__all__ = ["SplitRow", "split_rows", "split_unit"]

F8 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SplitRow:
    """One row; NaN where not known."""

    label: str
    start_s: float
    end_s: float
    distance_m: float
    speed_m_s: float
    climb_m: float
    heart_rate_bpm: float
    cadence_spm: float
    contact_time_s: float
    """An estimate."""
    tilt_level_deg: float
    """Median, relative to the run's reference."""
    tilt_change_deg: float
    """Against the start, as the page states it: adjusted where possible."""
    drop_left_deg: float
    drop_right_deg: float
    drop_change_deg: float
    """Right minus left, against the start."""
    strides: int
    strides_used: int

    @property
    def share_used(self) -> float:
        """Share of the strides that were used; NaN without strides."""
        return self.strides_used / self.strides if self.strides else math.nan


def split_unit(page: Page) -> AxisUnit:
    """What the splits count in: found from their length, because the run chose it, not the page."""
    lengths = [s.distance_m for s in page.analysis.splits if math.isfinite(s.distance_m)]
    if not lengths:
        return MINUTE
    longest = max(lengths)
    near = min((MILE, KM), key=lambda unit: abs(unit.size - longest))
    # One unfinished split does not tell which it is.
    unfinished = longest < 0.95 * near.size and page.axis.has_distance
    return page.axis.unit if unfinished else near


def split_rows(page: Page) -> list[SplitRow]:
    """The rows, in order."""
    unit = split_unit(page)
    return [_row(page, split, unit) for split in page.analysis.splits]


def _row(page: Page, split: Split, unit: AxisUnit) -> SplitRow:
    window = (split.start_s, split.t_s)
    context = page.context
    left, right = (_side_drop(page, side, window) for side in ("left", "right"))
    start = page.drop.start if page.drop else math.nan
    duration = split.t_s - split.start_s
    speed = split.distance_m / duration if duration > 0.0 else math.nan
    if not math.isfinite(speed):
        speed = _value(page, split, "speed_m_s")
    return SplitRow(
        label=_label(split, unit),
        start_s=split.start_s,
        end_s=split.t_s,
        distance_m=split.distance_m,
        speed_m_s=speed,
        climb_m=_climb(page, window),
        heart_rate_bpm=window_mean(context.t_s, context.heart_rate_bpm, window),
        cadence_spm=_value(page, split, "cadence_spm"),
        contact_time_s=_value(page, split, "contact_time_s"),
        tilt_level_deg=_value(page, split, TILT),
        tilt_change_deg=_tilt_change(page, split, window),
        drop_left_deg=left,
        drop_right_deg=right,
        drop_change_deg=right - left - start,
        strides=split.strides,
        strides_used=split.strides_used,
    )


def _value(page: Page, split: Split, column: str) -> float:
    """The split's median; where none of its strides was used (a walk), that of all of them."""
    if split.strides_used or split.t_s <= split.start_s:
        return split.values[COLUMN_INDEX[column]]
    strides = page.analysis.strides
    inside = (strides["t_ic_s"] >= split.start_s) & (strides["t_ic_s"] < split.t_s)
    known = strides[column][inside]
    known = known[np.isfinite(known)]
    return float(np.median(known)) if len(known) else math.nan


def _label(split: Split, unit: AxisUnit) -> str:
    if unit is MINUTE:
        return f"{split.start_s / 60.0:.0f} to {split.t_s / 60.0:.0f}"
    if split.distance_m < 0.95 * unit.size:
        return f"to {split.index + split.distance_m / unit.size:.1f}"
    return str(split.index + 1)


def _tilt_change(page: Page, split: Split, window: tuple[float, float]) -> float:
    tilt, shown = page.tilt, page.shown
    if tilt is None or shown is None or not page.measured:
        return math.nan
    points = tilt.medians
    zero = tilt.baseline
    if shown.adjusted and tilt.adjusted is not None:
        points = tilt.adjusted.adjusted_medians
        zero = window_mean(tilt.medians_t_s, points, tilt.baseline_window_s)
        zero = zero if math.isfinite(zero) else tilt.baseline
    inside = (tilt.medians_t_s >= window[0]) & (tilt.medians_t_s < window[1]) & np.isfinite(points)
    if inside.any():
        return float(np.median(points[inside])) - zero
    return math.nan if shown.adjusted else _value(page, split, TILT) - zero


def _side_drop(page: Page, side: str, window: tuple[float, float]) -> float:
    strides = page.analysis.strides
    t_s, drop = strides["t_ic_s"], strides[DROP]
    inside = (t_s >= window[0]) & (t_s < window[1]) & (strides["side"] == side) & np.isfinite(drop)
    # A split without one good stride (a walk) still shows what its strides were.
    good = inside & strides.used
    chosen = good if good.any() else inside
    return float(np.median(drop[chosen])) if chosen.any() else math.nan


def _climb(page: Page, window: tuple[float, float]) -> float:
    climb = page.elevation()
    if climb is None:
        return math.nan
    start, end = np.interp(window, *climb)
    return float(end - start)
