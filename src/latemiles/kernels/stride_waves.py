"""Running mean and spread of the waveforms of strides."""

from __future__ import annotations

import math

from latemiles.kernels.jit import njit

__all__ = ["add_strides", "add_waves"]


@njit(cache=True)
def add_waves(count, mean, squares, waves, first):
    """Welford's update (1962) of rows ``first ...`` with one waveform each; one with NaN is left out."""
    for k in range(waves.shape[0]):
        row = first + k
        total = 0.0
        for j in range(waves.shape[1]):
            total += waves[k, j]
        if not math.isfinite(total):
            continue
        count[row] += 1.0
        for j in range(waves.shape[1]):
            step = waves[k, j] - mean[row, j]
            mean[row, j] += step / count[row]
            squares[row, j] += step * (waves[k, j] - mean[row, j])


@njit(cache=True)
def add_strides(count, mean, squares, toe_off, toe_offs, waves, lanes, percent):
    """``add_waves`` of strides (n,) one after the other, each to the rows of its side.

    Parameters
    ----------
    count : float64 array, shape (9,)
        Changed in place, as are the next two.
    mean, squares : float64 arrays, shape (9, 101)
        The pelvis, over right strides; the left hip; the right hip.
    toe_off, toe_offs : float64 arrays, shape (2,)
        Sums and numbers of the toe-offs of either foot; changed in place.
    waves : float64 array, shape (n, 6, 101)
        The pelvis and the own hip.
    lanes : int64 array, shape (n,)
        0 left, 1 right.
    percent : float64 array, shape (n,)
        Toe-off of each, % of the stride; NaN where unknown.
    """
    for k in range(lanes.shape[0]):
        if math.isfinite(percent[k]):
            toe_off[lanes[k]] += percent[k]
            toe_offs[lanes[k]] += 1.0
        # The pelvis is kept over right strides only: left ones hold the same samples half a stride later.
        if lanes[k] == 1:
            add_waves(count, mean, squares, waves[k, :3], 0)
        add_waves(count, mean, squares, waves[k, 3:], 3 + 3 * lanes[k])
