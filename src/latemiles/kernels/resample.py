"""From samples at any times to samples on the common grid, lane by lane.

Samples wait in one array of shape (lanes, capacity, 8), a row a sample: time, specific force, angular rate,
quality bits; those of a lane lie from ``head`` to ``tail`` in order of time. Grid sample k is at k / rate.
"""

from __future__ import annotations

import math
from typing import Final

from latemiles.kernels.jit import njit
from latemiles.signals.quality import SampleQuality

__all__ = ["COLUMNS", "TOUCH_S", "insert_many", "insert_samples", "ready_count", "resample", "trim"]

COLUMNS: Final = 8
TOUCH_S: Final = 1e-6
"""A sample this near to an instant, s, is taken to be at it: session time is not known better."""
FAST: Final = 0.67
"""Sensors with more than 1.5 samples a grid step are averaged over the step, so nothing aliases."""
USUAL: Final = 1.5
"""A step longer than so many sample periods is a hole that was bridged."""
_GAP: Final = int(SampleQuality.GAP)
_BRIDGED: Final = int(SampleQuality.BRIDGED)


@njit(cache=True)
def insert_samples(rows, head, tail, t, acc, gyr, flags, oldest):
    """Put a block's samples into one lane's rows, in order of time.

    Samples with a component that is not finite are holes and are left out, as are those at a time that is
    taken and those before ``oldest`` (s), which the grid has passed. There must be room for all of them.

    Returns
    -------
    tuple
        New tail, number of samples that came too late, number that were inserted before others.
    """
    late = 0
    moved = 0
    for i in range(t.shape[0]):
        total = t[i] + (acc[i, 0] + acc[i, 1] + acc[i, 2]) + (gyr[i, 0] + gyr[i, 1] + gyr[i, 2])
        if not math.isfinite(total):
            continue
        if t[i] < oldest:
            late += 1
            continue
        at = tail
        while at > head and rows[at - 1, 0] > t[i]:
            at -= 1
        if at > head and rows[at - 1, 0] == t[i]:
            continue
        for j in range(tail, at, -1):
            for c in range(COLUMNS):
                rows[j, c] = rows[j - 1, c]
        moved += 1 if at < tail else 0
        rows[at, 0] = t[i]
        for c in range(3):
            rows[at, 1 + c] = acc[i, c]
            rows[at, 4 + c] = gyr[i, c]
        rows[at, 7] = flags[i]
        tail += 1
    return tail, late, moved


@njit(cache=True)
def _insert_kept(rows, head, tail, t, acc, gyr, flags, keep, a, b, oldest):
    """Put the samples a to b that are kept into one lane's rows; new tail and those that came too late."""
    late = 0
    while a < b:
        end = a
        while end < b and keep[end] == 1:
            end += 1
        if end > a:
            tail, missed, _ = insert_samples(
                rows, head, tail, t[a:end], acc[a:end], gyr[a:end], flags[a:end], oldest
            )
            late += missed
        a = end + 1
    return tail, late


@njit(cache=True)
def insert_many(
    buffers,
    heads,
    tails,
    ends_s,
    late,
    newest_s,
    packets,
    keep,
    samples,
    at,
    stop,
    is_due,
    grid,
    limits,
    marks,
    reached,
    mark,
    place,
):
    """Put packets ``at`` to ``stop`` into their lanes' rows, in order of arrival.

    Parameters
    ----------
    buffers, heads, tails : arrays
        Samples waiting, see the head of this file; there must be room for all.
    ends_s : float64 array, shape (lanes,)
        Time of the last sample of each lane, s.
    late : int64 array, shape (lanes,)
        Samples of each lane that came too late.
    newest_s : float64 array, shape (1,)
        Newest time heard of any lane, s.
    packets : int64 array, shape (m, 3)
        Lane, first sample and end of each packet; of a lane that is not there it is passed over.
    keep : int64 array, shape (N,)
        1 for a sample that counts.
    samples : tuple of arrays
        Time (N,), force (N, 3), rate (N, 3), quality bits (N,).
    at, stop : int
        Packets to take.
    is_due : bool
        Whether the grid has gone on as far as it could before packet ``at``.
    grid : tuple
        Whether it has begun, next index, rate (Hz), longest wait (s).
    limits : float64 array, shape (lanes,)
        Longest step that is bridged, s.
    marks, reached : int64 arrays, shape (n,)
        Packets before which it is asked how far the grid can go, rising, and the answer to each.
    mark : int
        First of them that has no answer yet.
    place : int64 array, shape (lanes,)
        Scratch.

    Returns
    -------
    at : int
        First packet that is not in.
    is_due : bool
        True: the grid has to go on before that packet, which comes late. False: after the last one taken.
    mark : int
        As above, now.
    """
    t, acc, gyr, flags = samples
    started, following, rate_hz, wait_s = grid
    place[:] = heads
    # Once more after the last packet: marks may lie there.
    for p in range(at, stop + 1):
        while mark < marks.shape[0] and marks[mark] <= p:
            if started:
                newest = newest_s[0]
                overdue_s = math.floor(10.0 * newest) / 10.0 - wait_s
                following += _ready_from(
                    buffers, heads, tails, following, rate_hz, limits, newest, overdue_s, place
                )
            reached[mark] = following
            mark += 1
        if p == stop:
            break
        lane, a, b = packets[p, 0], packets[p, 1], packets[p, 2]
        while a < b and keep[a] == 0:
            a += 1
        while b > a and keep[b - 1] == 0:
            b -= 1
        if lane >= buffers.shape[0] or a == b:
            continue
        rows, head, tail = buffers[lane], heads[lane], tails[lane]
        if started and tail > head and t[a] <= rows[tail - 1, 0] and not (is_due and p == at):
            # What is certain before a late packet comes must not depend on how the records are cut.
            return p, True, mark
        # The step before the next grid sample may still begin inside a segment that starts this early.
        oldest = (following - 1) / rate_hz - limits[lane] if started else -math.inf
        tail, missed = _insert_kept(rows, head, tail, t, acc, gyr, flags, keep, a, b, oldest)
        tails[lane] = tail
        late[lane] += missed
        if t[b - 1] > newest_s[0]:
            newest_s[0] = t[b - 1]
        if tail > head:
            ends_s[lane] = rows[tail - 1, 0]
        if not started or following / rate_hz < math.floor(10.0 * newest_s[0]) / 10.0 - wait_s:
            return p + 1, False, mark
    return stop, False, mark


@njit(cache=True, forceinline=True)
def _last_until(rows, start, tail, instant):
    """Index of the last sample at or before the instant, searched from ``start``; start - 1 if none."""
    i = start
    while i < tail and rows[i, 0] <= instant + TOUCH_S:
        i += 1
    return i - 1


@njit(cache=True, forceinline=True)
def _is_covered(rows, head, tail, i, instant, limit):
    """Whether sample i (the last until the instant) and its neighbour say what happens at the instant."""
    if i < head:
        return False
    if instant - rows[i, 0] <= TOUCH_S:
        return True
    return i + 1 < tail and rows[i + 1, 0] - rows[i, 0] <= limit


@njit(cache=True)
def ready_count(buffers, heads, tails, first, rate_hz, limits, newest_s, overdue_s, at):
    """How many grid samples from ``first`` on can be put out.

    A sample can when every lane covers it with half a step to spare, or when it lies before ``overdue_s``,
    but none after ``newest_s``, the newest time heard of any lane. ``at`` (lanes,) is scratch.
    """
    at[:] = heads
    return _ready_from(buffers, heads, tails, first, rate_hz, limits, newest_s, overdue_s, at)


@njit(cache=True)
def _ready_from(buffers, heads, tails, first, rate_hz, limits, newest_s, overdue_s, at):
    """As ``ready_count``, with each lane looked at from place ``at`` on, which is moved on."""
    k = first
    while True:
        instant = k / rate_hz
        if instant > newest_s + TOUCH_S:
            break
        is_overdue = instant < overdue_s
        for lane in range(buffers.shape[0]):
            rows, head, tail = buffers[lane], heads[lane], tails[lane]
            i = _last_until(rows, at[lane], tail, instant)
            at[lane] = max(i, head)
            if is_overdue:
                continue
            if tail == head or rows[tail - 1, 0] < instant + 0.5 / rate_hz:
                return k - first
            if not _is_covered(rows, head, tail, i, instant, limits[lane]):
                return k - first
        k += 1
    return k - first


@njit(cache=True, forceinline=True)
def _mean_between(rows, head, tail, start, low, high, column, limit, usual, out):
    """Mean of the linear interpolant of three columns over [low, high], as far as it is known.

    Walks back from the segment that begins at sample ``start`` (the last until ``high``) and stops at a
    hole. Writes the mean to ``out`` and returns the quality bits of the samples touched.
    """
    s0, s1, s2, length = 0.0, 0.0, 0.0, 0.0
    bits = int(rows[start, 7])
    j = start
    if j + 1 >= tail or rows[j, 0] >= high or rows[j + 1, 0] - rows[j, 0] > limit:
        j -= 1
    while j >= head and rows[j + 1, 0] > low:
        step = rows[j + 1, 0] - rows[j, 0]
        if step > limit:
            break
        a = max(low, rows[j, 0])
        b = min(high, rows[j + 1, 0])
        if b - a > TOUCH_S:
            # The mean of a straight line is its value in the middle.
            w = (0.5 * (a + b) - rows[j, 0]) / step
            s0 += (b - a) * (rows[j, column] + w * (rows[j + 1, column] - rows[j, column]))
            s1 += (b - a) * (rows[j, column + 1] + w * (rows[j + 1, column + 1] - rows[j, column + 1]))
            s2 += (b - a) * (rows[j, column + 2] + w * (rows[j + 1, column + 2] - rows[j, column + 2]))
            length += b - a
            bits |= int(rows[j, 7]) | int(rows[j + 1, 7])
            if step > usual:
                bits |= _BRIDGED
        j -= 1
    if length > 0.0:
        out[0], out[1], out[2] = s0 / length, s1 / length, s2 / length
    else:
        for c in range(3):
            out[c] = rows[start, column + c]
    return bits


@njit(cache=True, forceinline=True)
def _force_at(rows, head, tail, i, instant, half, limit, usual, out):
    """Specific force at the instant: interpolated, or averaged over a grid step for a fast sensor."""
    has_next = i + 1 < tail and rows[i + 1, 0] - rows[i, 0] <= limit
    if has_next and rows[i + 1, 0] - rows[i, 0] < FAST * 2.0 * half:
        low, high = instant - half, instant + half
        end = i
        while end + 1 < tail and rows[end + 1, 0] < high and rows[end + 1, 0] - rows[end, 0] <= limit:
            end += 1
        return _mean_between(rows, head, tail, end, low, high, 1, limit, usual, out)
    bits = int(rows[i, 7])
    w = 0.0
    if has_next and instant - rows[i, 0] > TOUCH_S:
        w = (instant - rows[i, 0]) / (rows[i + 1, 0] - rows[i, 0])
        bits |= int(rows[i + 1, 7])
        if rows[i + 1, 0] - rows[i, 0] > usual:
            bits |= _BRIDGED
    for c in range(3):
        out[c] = rows[i, 1 + c] if w == 0.0 else rows[i, 1 + c] + w * (rows[i + 1, 1 + c] - rows[i, 1 + c])
    return bits


@njit(cache=True)
def resample(buffers, heads, tails, first, rate_hz, limits, periods, acc, gyr, quality):
    """Fill grid samples ``first``, ``first + 1``, ... of all lanes.

    Parameters
    ----------
    buffers : float64 array, shape (lanes, capacity, 8)
        Samples waiting, see the head of this file.
    heads, tails : int64 arrays, shape (lanes,)
        Where each lane's samples begin and end.
    first : int
        Grid index of the first sample to fill.
    rate_hz : float
        Of the grid.
    limits : float64 array, shape (lanes,)
        Longest step between samples that is still bridged, s.
    periods : float64 array, shape (lanes,)
        Usual step between a lane's samples, s; longer ones (by half) give the BRIDGED bit.
    acc, gyr : float64 arrays, shape (lanes, k, 3)
        Get the specific force at the instant, m/s^2, and the mean rate over the step that ends there, rad/s
        (of the linear interpolant, exactly; after a hole, over the part that was heard). NaN in a gap.
    quality : int64 array, shape (lanes, k)
        Gets SampleQuality bits: GAP, BRIDGED, and those of every sample touched.
    """
    half = 0.5 / rate_hz
    for lane in range(buffers.shape[0]):
        rows, head, tail = buffers[lane], heads[lane], tails[lane]
        limit, usual = limits[lane], USUAL * periods[lane]
        i = head
        instant = (first - 1) / rate_hz
        for k in range(acc.shape[1]):
            before, instant = instant, (first + k) / rate_hz
            i = _last_until(rows, max(i, head), tail, instant)
            if not _is_covered(rows, head, tail, i, instant, limit):
                quality[lane, k] = _GAP
                for c in range(3):
                    acc[lane, k, c] = math.nan
                    gyr[lane, k, c] = math.nan
                continue
            bits = _force_at(rows, head, tail, i, instant, half, limit, usual, acc[lane, k])
            bits |= _mean_between(rows, head, tail, i, before, instant, 4, limit, usual, gyr[lane, k])
            quality[lane, k] = bits


@njit(cache=True)
def trim(buffers, heads, tails, instant):
    """Move the heads on to the last sample at or before the instant; what lies before is not needed."""
    for lane in range(buffers.shape[0]):
        i = heads[lane]
        while i + 1 < tails[lane] and buffers[lane, i + 1, 0] <= instant:
            i += 1
        heads[lane] = i
