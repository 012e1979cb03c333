"""Medians over 25 strides of each leg: the points that every trend is made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latemiles.kernels import trends as kernel
from latemiles.metrics.table import StrideTable
from latemiles.trends.params import DriftParams

__all__ = ["Blocks", "Series", "column_medians", "make_blocks", "make_series", "running_time"]

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

LONGEST_STEP_S = 3.0
"""Two used strides further apart than this have a pause (or strides left out) between them, s."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """Rows of a stride table in blocks of 25 strides of each leg, the same blocks for every metric."""

    table: StrideTable
    rows: tuple[I8, I8]
    """Used rows of the left and of the right leg, in order of time."""
    starts: tuple[I8, I8]
    """(m,) first place of each block in ``rows``, left and right."""
    ends: tuple[I8, I8]
    """(m,) one past the last."""
    t_s: F8
    """(m,) middle of each block, session seconds."""
    running_s: F8
    """(m,) the same in running time."""
    stride_t_s: F8
    """(k,) initial contact of each used row, both legs."""
    stride_running_s: F8
    """(k,) the same in running time."""
    sides: int
    """How many legs have strides."""
    fewest: int
    """Strides that a median needs."""


@dataclass(frozen=True, slots=True)
class Series:
    """Medians of one metric."""

    t_s: F8
    running_s: F8
    values: F8


def running_time(t_s: F8) -> F8:
    """Seconds spent running at each of the increasing times, pauses left out; starts at 0."""
    steps = np.minimum(np.diff(t_s, prepend=t_s[:1]), LONGEST_STEP_S)
    return np.cumsum(steps)


def make_blocks(table: StrideTable, params: DriftParams) -> Blocks:
    """Cut the used strides of a table into blocks.

    Parameters
    ----------
    table : StrideTable
        All strides of a run.
    params : DriftParams
        Length of a block and what ends one.

    Returns
    -------
    Blocks
        Blocks of fewer than 60 % of the full count are left out.
    """
    t_all = table["t_ic_s"]
    rows = np.flatnonzero(table.used & np.isfinite(t_all))
    rows = rows[np.argsort(t_all[rows], kind="stable")]
    t, lanes = t_all[rows], table.lanes[rows]
    running = running_time(t)
    sides = max(1, len(set(lanes.tolist())))
    full = params.block_strides * sides
    block = _block_numbers(t, full, params.block_gap_s)
    counts = np.bincount(block) if block.size else np.zeros(0, dtype=np.int64)
    kept = np.flatnonzero(counts >= 0.6 * full)
    first, last = np.searchsorted(block, kept, "left"), np.searchsorted(block, kept, "right") - 1
    centre = 0.5 * (t[first] + t[last])
    running_centre = 0.5 * (running[first] + running[last])
    per_lane = [np.flatnonzero(lanes == lane) for lane in (0, 1)]
    edges = [
        (np.searchsorted(block[at], kept, "left"), np.searchsorted(block[at], kept, "right"))
        for at in per_lane
    ]
    return Blocks(
        table,
        (rows[per_lane[0]], rows[per_lane[1]]),
        (edges[0][0], edges[1][0]),
        (edges[0][1], edges[1][1]),
        centre,
        running_centre,
        t,
        running,
        sides,
        params.fewest_in_block,
    )


def make_series(blocks: Blocks, column: str, side: str) -> Series:
    """Medians of one column.

    Parameters
    ----------
    blocks : Blocks
        Where each median begins and ends.
    column : str
        Column of the stride table.
    side : str
        ``left``, ``right``, ``both`` (mean of the two legs' medians, so that a median never hops between
        two legs that differ; the one leg's where only one was heard) or ``right_minus_left``.

    Returns
    -------
    Series
        Without the blocks that have no median.
    """
    left, right = (_lane_medians(blocks, column, lane) for lane in (0, 1))
    if side == "left":
        values = left
    elif side == "right":
        values = right
    elif side == "right_minus_left":
        values = right - left
    elif np.isfinite(left).any() and np.isfinite(right).any():
        values = 0.5 * (left + right)
    else:
        values = np.where(np.isfinite(left), left, right)
    keep = np.isfinite(values)
    return Series(blocks.t_s[keep], blocks.running_s[keep], values[keep])


def _block_numbers(t: F8, full: int, gap_s: float) -> I8:
    """Block of each row: every ``full`` rows a new one, and a new count after each pause."""
    part = np.cumsum(np.diff(t, prepend=t[:1]) > gap_s)
    first = np.searchsorted(part, part, "left")
    inside = (np.arange(t.size) - first) // full
    is_new = (np.diff(part, prepend=part[:1]) != 0) | (np.diff(inside, prepend=inside[:1]) != 0)
    return np.cumsum(is_new).astype(np.int64)


def _lane_medians(blocks: Blocks, column: str, lane: int) -> F8:
    values = np.ascontiguousarray(blocks.table[column][blocks.rows[lane]], dtype=np.float64)
    starts, ends = blocks.starts[lane], blocks.ends[lane]
    longest = int(np.max(ends - starts, initial=1))
    out = np.empty(starts.shape[0])
    kernel.block_medians(values, starts, ends, blocks.fewest, np.empty(longest), out)
    return out


def column_medians(rows: F8) -> F8:
    """Median of the finite values of each column; NaN for a column without any."""
    ordered = np.sort(rows, axis=0)  # NaN goes last
    n = np.count_nonzero(np.isfinite(rows), axis=0)
    columns = np.arange(rows.shape[1])
    if rows.shape[0] == 0:
        return np.full(rows.shape[1], np.nan)
    low, high = np.maximum(n - 1, 0) // 2, np.minimum(n // 2, rows.shape[0] - 1)
    return np.where(n > 0, 0.5 * (ordered[low, columns] + ordered[high, columns]), np.nan)
