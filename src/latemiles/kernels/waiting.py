"""Samples that wait for the grid: how packets come in, and how far the grid can go.

The arrays are those of ``kernels.resample``.
"""

from __future__ import annotations

import math

from latemiles.kernels.jit import njit
from latemiles.kernels.resample import TOUCH_S

__all__ = ["take_packets"]


@njit(cache=True)
def take_packets(
    buffers,
    heads,
    tails,
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

    Samples with a component that is not finite are holes and are left out, as are those at a time that is
    taken and those that the grid has passed.

    Parameters
    ----------
    buffers, heads, tails : arrays
        Samples waiting, see ``kernels.resample``; there must be room for all.
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
    place : int64 array, shape (2, lanes)
        Scratch.

    Returns
    -------
    at : int
        First packet that is not in.
    is_due : bool
        True: the grid has to go on before that packet, which comes late. False: after the last one taken.
    mark : int
        As above, now.
    count : int
        Grid samples that can be put out now.
    """
    started, first, rate_hz, wait_s = grid
    following = first
    for lane in range(heads.shape[0]):
        place[0, lane] = place[1, lane] = heads[lane]
    # Once more after the last packet: marks may lie there.
    for p in range(at, stop + 1):
        # What will be the same whenever it is put out waits for the end; what a packet to come could change,
        # but for which nobody waits any longer, is to be put out before it, and before a mark is answered.
        if started and p > at:
            overdue_s = _overdue(newest_s[0], wait_s)
            if following / rate_hz < overdue_s:
                following = _reach(
                    buffers, heads, tails, following, rate_hz, limits, newest_s[0], overdue_s, True, place
                )
                if following / rate_hz < overdue_s:
                    at, is_due = p, False
                    break
        while mark < marks.shape[0] and marks[mark] <= p:
            if started:
                overdue_s = _overdue(newest_s[0], wait_s)
                following = _reach(
                    buffers, heads, tails, following, rate_hz, limits, newest_s[0], overdue_s, True, place
                )
            reached[mark] = following
            mark += 1
        if p == stop:
            at, is_due = p, False
            break
        lane, a, b = packets[p, 0], packets[p, 1], packets[p, 2]
        while a < b and keep[a] == 0:
            a += 1
        while b > a and keep[b - 1] == 0:
            b -= 1
        if lane >= buffers.shape[0] or a == b:
            continue
        t = samples[0]
        tail = tails[lane]
        if started and tail > heads[lane] and t[a] <= buffers[lane, tail - 1, 0] and not (is_due and p == at):
            # What is certain before a late packet comes must not depend on how the records are cut.
            at, is_due = p, True
            break
        # The step before the next grid sample may still begin inside a segment that starts this early.
        oldest = (following - 1) / rate_hz - limits[lane] if started else -math.inf
        late[lane] += _put(buffers, heads, tails, lane, keep, samples, a, b, oldest)
        if is_due and p == at:
            # Rows may have moved.
            place[0, lane] = place[1, lane] = heads[lane]
        if t[b - 1] > newest_s[0]:
            newest_s[0] = t[b - 1]
        if not started:
            return p + 1, False, mark, 0
    if not started:
        return at, is_due, mark, 0
    overdue_s = _overdue(newest_s[0], wait_s)
    end = _reach(buffers, heads, tails, following, rate_hz, limits, newest_s[0], overdue_s, False, place)
    return at, is_due, mark, end - first


@njit(cache=True, forceinline=True)
def _overdue(newest_s, wait_s):
    """Grid samples before this are waited for no longer; it moves in tenths of a second, to save work."""
    return math.floor(10.0 * newest_s) / 10.0 - wait_s


@njit(cache=True)
def _put(buffers, heads, tails, lane, keep, samples, a, b, oldest):
    """Put the samples a to b that are kept into one lane's rows; how many came before ``oldest`` (s)."""
    t, acc, gyr, flags = samples
    rows, head, tail, late = buffers[lane], heads[lane], tails[lane], 0
    last = rows[tail - 1, 0] if tail > head else -math.inf
    for i in range(a, b):
        total = t[i] + (acc[i, 0] + acc[i, 1] + acc[i, 2]) + (gyr[i, 0] + gyr[i, 1] + gyr[i, 2])
        if keep[i] == 0 or not math.isfinite(total):
            continue
        if t[i] < oldest:
            late += 1
            continue
        at = tail
        if t[i] > last:
            last = t[i]
        else:
            at = _place_for(rows, head, tail, t[i])
            if at < 0:
                continue
        row = rows[at]
        row[0] = t[i]
        row[1], row[2], row[3] = acc[i, 0], acc[i, 1], acc[i, 2]
        row[4], row[5], row[6] = gyr[i, 0], gyr[i, 1], gyr[i, 2]
        row[7] = flags[i]
        tail += 1
    tails[lane] = tail
    return late


@njit(cache=True)
def _place_for(rows, head, tail, time):
    """Make room for a sample that came late; -1 if there is one of its time."""
    at = tail
    while at > head and rows[at - 1, 0] > time:
        at -= 1
    if at > head and rows[at - 1, 0] == time:
        return -1
    for j in range(tail, at, -1):
        for c in range(rows.shape[1]):
            rows[j, c] = rows[j - 1, c]
    return at


@njit(cache=True)
def _reach(buffers, heads, tails, first, rate_hz, limits, newest_s, overdue_s, is_sure, place):
    """How far from ``first`` on the grid can go: index of the first sample that has to wait.

    A sample need not when every lane covers it with half a step to spare, or when it lies before
    ``overdue_s``, but none after ``newest_s``, the newest time heard of any lane. With ``is_sure`` only as
    far as every lane has samples that come later: what follows in order then changes none.

    ``place`` (2, lanes) are rows of each lane between which there is no hole; they are moved on.
    """
    half = 0.5 / rate_hz
    begun = first
    end = _first_after(newest_s + TOUCH_S, 0.0, rate_hz, first)
    while first < end and first / rate_hz < overdue_s:
        first = max(first + 1, math.floor(overdue_s * rate_hz) - 1)
    for lane in range(buffers.shape[0]):
        if tails[lane] == heads[lane]:
            end = begun
        else:
            end = min(end, _first_after(buffers[lane, tails[lane] - 1, 0], half, rate_hz, begun))
    if end <= first:
        return end if is_sure else first
    for lane in range(buffers.shape[0]):
        covered_s = _covered_until(buffers, tails, lane, first / rate_hz, limits[lane], place)
        end = min(end, _first_after(covered_s, 0.0, rate_hz, first))
    return end


@njit(cache=True, forceinline=True)
def _first_after(time_s, lead_s, rate_hz, first):
    """Index of the first grid sample, from ``first`` on, that is less than ``lead_s`` before a time."""
    k = max(first, math.floor((time_s - lead_s) * rate_hz) - 1)
    while k / rate_hz + lead_s <= time_s:
        k += 1
    return k


@njit(cache=True)
def _covered_until(buffers, tails, lane, instant, limit, place):
    """Up to what time one lane covers every instant from this one on; one before it if not even this one."""
    i, h, tail = place[0, lane], place[1, lane], tails[lane]
    if buffers[lane, h, 0] <= instant + TOUCH_S:
        while h + 1 < tail and buffers[lane, h + 1, 0] <= instant + TOUCH_S:
            h += 1
        i = h
    while h + 1 < tail and buffers[lane, h + 1, 0] - buffers[lane, h, 0] <= limit:
        h += 1
    place[0, lane], place[1, lane] = i, h
    if buffers[lane, i, 0] > instant + TOUCH_S:
        return instant - TOUCH_S
    return buffers[lane, h, 0] + TOUCH_S
