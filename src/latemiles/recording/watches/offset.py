"""The watch's clock against the recording's, from the cadence that both of them saw."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["ClockOffset", "find_offset"]

F8 = NDArray[np.float64]

GRID_S: Final = 1.0
"""Both cadences are compared once a second, s."""
SMOOTH_S: Final = 5
"""Both are averaged over this long, s: single strides scatter by 2 steps/min, and a watch averages anyway."""
SLOW_S: Final = 181
"""What changes slower than this is taken off, s: a cadence that falls for an hour fits at any shift."""
RUNNING_SPM: Final = 100.0
"""Slower steps are walking, or a watch that saw the arm stop, steps/min; only running is compared: the stops
of two runs fit each other by chance far more often than their cadence does."""
STEADY_SPM: Final = 10.0
"""What is further from the usual than this is a start or a stop, which a watch sees late, steps/min."""
BOUND_SPM: Final = 4.0
"""Changes beyond this count as this, steps/min: what is left of a stop must not outweigh the running."""
HOLD_S: Final = 3.0
"""Where no stride begins for this long the runner did not run, s."""
HOLDS_WATCH_S: Final = 10.0
"""The same for a watch: smart recording is silent for seconds."""
LEAST_OVERLAP_S: Final = 60.0
LEAST_SHARE: Final = 0.5
"""Share of the shorter of the two that must overlap."""
MEMORY_S: Final = 20.0
"""Cadence is a new number after about this long, s: so many independent values are in an overlap."""
CLEAR: Final = 4.5
CLEAR_NEAR: Final = 3.0
"""How many standard errors the correlation must be from none: over all shifts, of which there are hundreds;
and among the few within ``NEAR_S`` of what both clocks say."""
NEAR_S: Final = 120.0
ELSEWHERE_S: Final = 10.0
"""Shifts within this of the best are the same answer, s."""


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """How the two clocks lie to each other."""

    offset_s: float
    """Session time minus the watch's time, s."""
    correlation: float
    """Of the two cadences at this offset."""
    next_best: float
    """Correlation at the best shift elsewhere."""
    residual_spm: float
    """RMS difference of the two cadences while running, steps/min."""
    overlap_s: float
    """Time in which both saw the runner run, s."""
    is_near: bool
    """Whether it was looked for only near what both clocks say."""

    @property
    def certainty(self) -> float:
        """Standard errors of the correlation from none, by Fisher's transform."""
        values = max(self.overlap_s / MEMORY_S - 3.0, 0.0)
        return math.atanh(min(self.correlation, 0.999)) * math.sqrt(values)

    @property
    def is_clear(self) -> bool:
        """Whether it is hardly chance."""
        return self.certainty >= (CLEAR_NEAR if self.is_near else CLEAR)


def find_offset(
    stride_t_s: F8,
    stride_cadence_spm: F8,
    watch_s: F8,
    watch_cadence_spm: F8,
    *,
    expected_s: float | None = None,
) -> ClockOffset | None:
    """Shift a watch's cadence along the strides' until the two agree.

    Parameters
    ----------
    stride_t_s, stride_cadence_spm : float64 array, shape (k,)
        Initial contacts (session s, increasing) and cadence of each stride.
    watch_s, watch_cadence_spm : float64 array, shape (n,)
        The watch's own time (s, increasing) and cadence.
    expected_s : float, optional
        The offset that both clocks say; a clear answer near it is preferred to any elsewhere.

    Returns
    -------
    ClockOffset or None
        The best shift, clear or not; None where there is no running to compare.
    """
    if len(stride_t_s) < 2 or len(watch_s) < 2:
        return None
    mine = _on_grid(stride_t_s, stride_cadence_spm, HOLD_S)
    theirs = _on_grid(watch_s, watch_cadence_spm, HOLDS_WATCH_S)
    if min(np.isfinite(mine).sum(), np.isfinite(theirs).sum()) < LEAST_OVERLAP_S:
        return None
    r, overlap = _correlations(_shaped(mine), _shaped(theirs))
    offsets = stride_t_s[0] - watch_s[0] + (np.arange(len(r)) - (len(theirs) - 1)) * GRID_S
    near = np.zeros(len(r), dtype=bool) if expected_s is None else np.abs(offsets - expected_s) <= NEAR_S
    for allowed, is_near in ((near, True), (np.ones(len(r), dtype=bool), False)):
        looked_at = np.where(allowed, r, np.nan)
        if not np.isfinite(looked_at).any():
            continue
        best = int(np.nanargmax(looked_at))
        others = looked_at[(np.abs(np.arange(len(r)) - best) > ELSEWHERE_S) & np.isfinite(looked_at)]
        offset = float(offsets[best] + _between(r, best) * GRID_S)
        found = ClockOffset(
            offset_s=offset,
            correlation=float(r[best]),
            next_best=float(others.max()) if others.size else 0.0,
            residual_spm=_residual(stride_t_s, stride_cadence_spm, watch_s + offset, watch_cadence_spm),
            overlap_s=float(overlap[best]) * GRID_S,
            is_near=is_near,
        )
        if found.is_clear or not is_near:
            return found
    return None


def _on_grid(t: F8, cadence: F8, hold_s: float) -> F8:
    """Cadence while running once a second from the first time on, averaged; NaN elsewhere."""
    running = np.isfinite(cadence) & (cadence > RUNNING_SPM)
    usual = float(np.median(cadence[running])) if running.any() else math.nan
    running &= np.abs(cadence - usual) <= STEADY_SPM
    t, cadence = t - t[0], cadence[running]
    n = int(t[-1] / GRID_S) + 1
    t = t[running]
    second = np.floor(t / GRID_S + 0.5).astype(np.int64)
    second = np.minimum(second, n - 1)
    box = np.ones(SMOOTH_S)
    total = np.convolve(np.bincount(second, cadence, n), box, "same")
    count = np.convolve(np.bincount(second, minlength=n), box, "same")
    on_grid = np.where(count > 0.0, total / np.maximum(count, 1.0), np.nan)
    # Bridges what a source that speaks seldom leaves open, not a stop.
    known = np.flatnonzero(np.isfinite(on_grid))
    if known.size < 2:
        return on_grid
    grid = np.arange(n)
    after = np.clip(np.searchsorted(known, grid), 1, known.size - 1)
    bridged = (known[after] - known[after - 1]) * GRID_S <= hold_s
    filled = np.interp(grid, known, on_grid[known], left=np.nan, right=np.nan)
    return np.where(np.isfinite(on_grid) | ~bridged, on_grid, filled)


def _shaped(cadence: F8) -> F8:
    """Cadence without what is slow."""
    known = np.isfinite(cadence)
    usual = float(np.median(cadence[known]))
    x = np.where(known, cadence - usual, 0.0)
    box = np.ones(SLOW_S)
    count = np.convolve(known.astype(np.float64), box)[SLOW_S // 2 :][: len(x)]
    slow = np.convolve(x, box)[SLOW_S // 2 :][: len(x)] / np.maximum(count, 1.0)
    return np.where(known, np.clip(x - slow, -BOUND_SPM, BOUND_SPM), np.nan)


def _correlations(mine: F8, theirs: F8) -> tuple[F8, F8]:
    """Pearson's r over what both know, at every shift, and how much that is (Padfield 2012, eq. 10 to 12)."""
    n = len(mine) + len(theirs) - 1
    size = 1 << (n - 1).bit_length()
    masks, values, squares = [], [], []
    for x, flip in ((mine, False), (theirs, True)):
        known = np.isfinite(x)
        y = np.where(known, x, 0.0)
        parts = [known.astype(np.float64), y, y * y]
        m, v, s = (np.fft.rfft(p[::-1] if flip else p, size) for p in parts)
        masks.append(m)
        values.append(v)
        squares.append(s)

    def both(a: NDArray[np.complex128], b: NDArray[np.complex128]) -> F8:
        return np.fft.irfft(a * b, size)[:n]

    overlap = np.round(both(masks[0], masks[1]))
    count = np.maximum(overlap, 1.0)
    sum_a, sum_b = both(values[0], masks[1]), both(masks[0], values[1])
    cross = both(values[0], values[1]) - sum_a * sum_b / count
    var_a = both(squares[0], masks[1]) - sum_a**2 / count
    var_b = both(masks[0], squares[1]) - sum_b**2 / count
    least = max(LEAST_OVERLAP_S, LEAST_SHARE * min(np.isfinite(mine).sum(), np.isfinite(theirs).sum()))
    # Less than a tenth of a step a minute is no change to compare.
    varied = (var_a > 0.01 * count) & (var_b > 0.01 * count) & (overlap >= least)
    power = np.sqrt(np.where(varied, var_a * var_b, 1.0))
    return np.where(varied, cross / power, np.nan), overlap


def _between(r: F8, best: int) -> float:
    """Where between the seconds the parabola through the best and its neighbours peaks."""
    if not 0 < best < len(r) - 1:
        return 0.0
    left, middle, right = r[best - 1 : best + 2]
    curve = left - 2.0 * middle + right
    return float(0.5 * (left - right) / curve) if math.isfinite(curve) and curve < 0.0 else 0.0


def _residual(t: F8, cadence: F8, watch_t: F8, watch: F8) -> float:
    known = np.isfinite(watch)
    there = np.interp(t, watch_t[known], watch[known], left=np.nan, right=np.nan)
    running = (cadence > RUNNING_SPM) & (there > RUNNING_SPM)
    if not running.any():
        return math.nan
    return float(np.sqrt(np.mean((cadence[running] - there[running]) ** 2)))
