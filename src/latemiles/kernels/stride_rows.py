"""Rows of the stride table: what events say of a stride beside what its samples say, and its quality bits."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from latemiles.kernels.jit import njit
from latemiles.kernels.stride_events import (
    DISTANCE,
    LANE,
    QUALITY,
    SPEED,
    T_END,
    T_IC,
    T_OTHER,
    T_TO,
)
from latemiles.kernels.strides import fill_ring, measure_strides
from latemiles.signals.quality import SampleQuality, StrideQuality

__all__ = ["finish_strides", "stride_bits", "take_samples", "time_columns"]

BITS: Final = np.array(
    [
        (int(sample_bit), int(stride_bit))
        for sample_bit, stride_bit in (
            (SampleQuality.GAP, StrideQuality.GAP),
            (SampleQuality.BRIDGED, StrideQuality.BRIDGED),
            (SampleQuality.ACC_CLIPPED, StrideQuality.CLIPPED),
            (SampleQuality.GYR_CLIPPED, StrideQuality.CLIPPED),
            (SampleQuality.SETTLING, StrideQuality.SETTLING),
            (SampleQuality.UNCALIBRATED, StrideQuality.UNCALIBRATED),
            (SampleQuality.HEADING_UNCERTAIN, StrideQuality.HEADING_UNCERTAIN),
            (SampleQuality.BEND, StrideQuality.TURN),
            (SampleQuality.SLIPPED, StrideQuality.SLIPPED),
        )
    ]
)
"""Bit of a sample to bit of its stride."""
_BEND: Final = int(SampleQuality.BEND)
_GAP: Final = int(StrideQuality.GAP)
_NOT_OFFERED: Final = int(StrideQuality.NOT_OFFERED)


@njit(cache=True)
def take_samples(rings, rate, tools, index, waiting, begin, head, piece, samples, waves, rows):
    """Put samples into the ring, a piece at a time, and finish the strides that have all of theirs by then.

    Parameters
    ----------
    rings, rate, tools, index, waiting
        As for ``finish_strides``; ``waiting`` has all strides that wait.
    begin, head : int
        First sample there ever was, and the one that comes next.
    piece : int
        Samples; with the longest stride well below the ring's length.
    samples : tuple of arrays
        pelvis, hip, force_up, force_horizontal and quality as for ``strides.fill_ring``; possibly none.
    waves, rows
        As for ``finish_strides``, with room for all that wait.

    Returns
    -------
    tuple of int
        Strides that were finished, and how many of them are used.
    """
    pelvis, hip, force_up, force_horizontal, bits = samples
    out, lanes, quality, steady = rows
    capacity, n, most = rings[0].shape[1], pelvis.shape[0], tools[6].shape[0]
    done, used, taken = 0, 0, 0
    while True:
        ready = done
        while ready < min(waiting.shape[0], done + most) and _is_over(waiting[ready], rate, head):
            ready += 1
        if ready > done:
            more = finish_strides(
                rings,
                rate,
                max(begin, head - capacity),
                tools,
                index + done,
                waiting[done:ready],
                waves[used:],
                (out[done:ready], lanes[done:ready], quality[done:ready], steady[used:]),
            )
            for k in range(used, used + more):
                steady[k] += done
            done, used = ready, used + more
        elif taken < n:
            stop = min(n, taken + piece)
            fill_ring(
                rings[0],
                rings[1],
                head,
                pelvis[taken:stop],
                hip[:, taken:stop],
                force_up[:, taken:stop],
                force_horizontal[taken:stop],
                bits[:, taken:stop],
            )
            taken, head = stop, head + stop - taken
        else:
            return done, used


@njit(cache=True)
def _is_over(waiting, rate, head):
    return math.ceil(waiting[T_END] * rate) < head


@njit(cache=True)
def finish_strides(rings, rate, oldest, tools, index, waiting, waves, rows):
    """Rows and bits of strides whose samples are all there.

    Parameters
    ----------
    rings, rate, oldest
        As for ``strides.measure_strides``.
    tools : tuple
        What all strides are measured with: plans, times, columns, first, trig, scratch and seen, as for
        ``strides.measure_strides``; columns that the sensors cannot give, int64 array; and the bits of
        strides that are not used, int.
    index : int
        Running number of the first stride.
    waiting : float64 array, shape (n, WAITING)
        The strides, see ``stride_events``.
    waves : float64 array, shape (m, 6, 101)
        Out: waveforms of the steady strides, one after the other; m is n at least.
    rows : tuple of arrays
        Out: the rows, float64 (n, c), NaN before; and int64 (n,) foot of each stride, its bits, and which
        ones are used, as far as there are any.

    Returns
    -------
    int
        How many are used.
    """
    plans, times, columns, first, trig, scratch, seen, blank, excluding = tools
    out, lanes, quality, steady = rows
    n = waiting.shape[0]
    for k in range(n):
        lanes[k] = int(waiting[k, LANE])
    events = waiting[:, T_IC : T_END + 1]
    measure_strides(
        rings, rate, oldest, lanes, events, plans, times, columns, first, trig, scratch, seen, waves, out
    )
    used = 0
    for k in range(n):
        bits = int(waiting[k, QUALITY]) | stride_bits(seen[k, 0], seen[k, 1])
        if seen[k, 2] == 0:
            # Began before the first sample that is still there: nothing to measure.
            bits |= _GAP
        elif bits & excluding == 0:
            if used < k:
                for row in range(waves.shape[1]):
                    for point in range(waves.shape[2]):
                        waves[used, row, point] = waves[k, row, point]
            steady[used] = k
            used += 1
        time_columns(index + k, waiting[k], out[k])
        for column in blank:
            out[k, column] = math.nan
        quality[k] = bits | _NOT_OFFERED if blank.shape[0] > 0 else bits
    return used


@njit(cache=True)
def stride_bits(pelvis, thigh):
    """Bits of a stride from those of its samples."""
    # A bend is a matter of the pelvis; a thigh turns in every stride.
    seen = pelvis | (thigh & ~_BEND)
    bits = 0
    for k in range(BITS.shape[0]):
        if seen & BITS[k, 0]:
            bits |= BITS[k, 1]
    return bits


@njit(cache=True)
def time_columns(index, waiting, out):
    """The first columns of a row: those that come from events and from the speed source.

    In order: running number; initial contact and toe-off; stride time, s; steps of both feet a minute;
    contact time; flight time, from toe-off to the other foot's contact, NaN where the feet overlap as in
    walking; contact time as a share of stride time; distance, m, and speed, m/s.
    """
    t_ic, t_to = waiting[T_IC], waiting[T_TO]
    stride, contact = waiting[T_END] - t_ic, t_to - t_ic
    flight = (waiting[T_OTHER] - t_ic) - contact
    out[0], out[1], out[2], out[3] = index, t_ic, t_to, stride
    out[4] = 120.0 / stride if stride > 0.0 else math.nan
    out[5] = contact
    out[6] = flight if flight >= 0.0 else math.nan
    out[7] = contact / stride if stride > 0.0 else math.nan
    out[8], out[9] = waiting[DISTANCE], waiting[SPEED]
