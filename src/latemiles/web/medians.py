"""The rows of the coach's page: 25-stride medians, and where each row began."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from latemiles.metrics.catalogue import COLUMN_INDEX
from latemiles.metrics.table import EXCLUDING
from latemiles.signals.events import Stride
from latemiles.signals.frames import Side
from latemiles.signals.quality import StrideQuality
from latemiles.trends.params import change_floor, wander_prior

__all__ = ["BLOCK", "ROWS", "Row", "RowTracker", "usable"]

BLOCK = 25
"""Strides a point stands for."""

SMOOTHED = 100
"""Strides that a row's value rests on: one point alone would jump by its own noise."""

_LONGEST_PAUSE_S = 15.0
"""A hole in a row's strides that ends a block, so that no point spans a gap."""

_STALE_S = 45.0
"""After this long without a stride a row has no value."""

_LEAST_POINTS = 4
"""Points of the start without which there is no spread to make a band of."""

_UNUSABLE = EXCLUDING & ~StrideQuality.WARM_UP
"""What form drift leaves out; warming up is drawn all the same, since the chart shows the whole run."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the coach's chart."""

    name: str
    column: str
    side: Side | None
    """None: strides of both sides."""
    angle: bool = True
    """Whether it is read against its own start."""

    @property
    def key(self) -> str:
        """Its name among form drift's metrics."""
        return self.column if self.side is None else f"{self.column}_{self.side}"


def _both_sides(name: str, column: str) -> tuple[Row, Row]:
    return Row(f"{name}_left", column, Side.LEFT), Row(f"{name}_right", column, Side.RIGHT)


ROWS: tuple[Row, ...] = (
    Row("tilt", "pelvic_tilt_mean_deg", None),
    *_both_sides("drop", "pelvic_drop_excursion_deg"),
    Row("rotation", "pelvic_rotation_rom_deg", None),
    *_both_sides("flexion", "hip_flexion_ic_deg"),
    *_both_sides("adduction", "hip_adduction_midstance_deg"),
    *_both_sides("internal_rotation", "hip_internal_rotation_midstance_deg"),
    Row("cadence", "cadence_spm", None, angle=False),
    Row("speed", "speed_m_s", None, angle=False),
)


def usable(stride: Stride) -> bool:
    """Whether a stride may stand in a row; a value that is missing is left out by itself."""
    return not stride.quality & _UNUSABLE


class RowTracker:
    """One row as strides come: its points, its start, its band, its value now. Bounded memory.

    Parameters
    ----------
    row : Row
        What it follows.
    """

    __slots__ = ("_baseline", "_block", "_medians", "_points", "_recent", "band", "row", "start")

    def __init__(self, row: Row) -> None:
        self.row = row
        self.start = math.nan
        """Level at the start of the run; NaN until ``freeze``."""
        self.band = math.nan
        self._block: list[tuple[float, float, float]] = []
        self._recent: deque[tuple[float, float]] = deque(maxlen=SMOOTHED)
        self._baseline: list[float] = []
        self._medians: dict[int, float] = {}
        self._points: deque[float] = deque(maxlen=60)

    def push(self, stride: Stride, distance_m: float, in_baseline: bool) -> tuple[float, float, float] | None:
        """Take a usable stride; a finished point as (time s, distance m, median), else None."""
        if self.row.side is not None and stride.side is not self.row.side:
            return None
        value = stride.values[COLUMN_INDEX[self.row.column]]
        if not math.isfinite(value):
            return None
        if self._block and stride.t_s - self._block[-1][0] > _LONGEST_PAUSE_S:
            self._block.clear()
            self._recent.clear()
        self._block.append((stride.t_s, distance_m, value))
        self._recent.append((stride.t_s, value))
        self._medians.clear()
        if in_baseline and math.isnan(self.start):
            self._baseline.append(value)
        if len(self._block) < BLOCK:
            return None
        point = _middle(self._block)
        self._block.clear()
        if math.isnan(self.start):
            self._points.append(point[2])
        return point

    def freeze(self) -> None:
        """Take the strides of the baseline window, or all so far if it had none, as the start."""
        level = self._baseline or list(self._points) or [v for _, v in self._recent]
        if not self.row.angle or not level or math.isfinite(self.start):
            return
        self.start = median(level)
        self.band = self._own_band(level)
        self._baseline.clear()
        self._points.clear()

    def _own_band(self, level: Sequence[float]) -> float:
        # MDC95 = 1.96 sqrt(2) SEM (Weir 2005), with the spread of the start's points and the slow wander
        # that form drift expects before it has measured it. Where form drift gives a band, that one counts.
        medians = [median(level[k : k + BLOCK]) for k in range(0, len(level) - BLOCK + 1, BLOCK)]
        if len(medians) < _LEAST_POINTS:
            return math.nan
        spread = 1.4826 * median(abs(m - self.start) for m in medians)
        sem = math.hypot(spread, wander_prior(self.row.column))
        return max(1.96 * math.sqrt(2.0) * sem, change_floor(self.row.column))

    def now(self, t_s: float, strides: int = SMOOTHED) -> float:
        """Median of the last strides, absolute; NaN when the last is too old."""
        if not self._recent or t_s - self._recent[-1][0] > _STALE_S:
            return math.nan
        if strides not in self._medians:
            self._medians[strides] = median([v for _, v in self._recent][-strides:])
        return self._medians[strides]

    def change(self, t_s: float) -> float:
        """Value now minus the start; NaN where either is missing."""
        return self.now(t_s) - self.start


def _middle(block: Sequence[tuple[float, float, float]]) -> tuple[float, float, float]:
    t_s, distance_m, _ = block[len(block) // 2]
    return t_s, distance_m, median(v for _, _, v in block)
