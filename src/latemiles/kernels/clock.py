"""From a sensor's own clock to session time: one packet at a time, everything in one flat record.

Two things are estimated. Within the sensor: when each sample was taken in its own time, from the index and
tick of its packet (the converter's oscillator may be some per cent off its nominal rate, the tick has a
crystal). Between sensor and host: the offset ``arrival - device time``, whose *lower* edge is the clock
relation, since a packet can come late but never early. The lower edge is the edge of the lower convex hull
below the middle of a window of ten minutes (block minima, so memory and work are constant).

What is put out follows that edge through knots that are never changed once used, so time only moves
forward, does not jump, and a packet that is resent later gets the time it would have had.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from latemiles.kernels.clock_device import track, unwrap
from latemiles.kernels.clock_steps import STEP_FIELDS, forget_steps, is_restart, shift_at, step_of, take_step
from latemiles.kernels.envelope import line_slope, lower_line, offset_at, segment_at
from latemiles.kernels.holes import HOLES, fill_hole, note_hole
from latemiles.kernels.jit import njit
from latemiles.kernels.record import as_state

__all__ = [
    "BLOCKS",
    "CLOCK_STATE",
    "FIT_KNOT",
    "LATE",
    "RESTARTED",
    "clock_push",
    "new_clock_state",
]

BLOCK_S: Final = 5.0
"""Length of a block of which only the lowest point is kept, s."""
BLOCKS: Final = 120
"""Blocks in the window: ten minutes, short enough for a crystal that warms up."""
KNOTS: Final = 1024
"""Knots of the mapping in use that are remembered for packets which come late (eight minutes or more)."""
BINS: Final = 400
"""Histogram of the delay above the fit, half a millisecond a bin."""
BIN_S: Final = 0.0005
KNOT_STEP_S: Final = 0.5
FIT_EVERY: Final = 12
"""Blocks between two knots of the two-sided fit: a minute."""


LATE: Final = 1
"""Status bit: the packet is older than others already heard."""
RESTARTED: Final = 2
"""Status bit: the sensor's clock started over with this packet."""
FIT_KNOT: Final = 4
"""Status bit: ``fit_x``, ``fit_y`` hold a new knot of the two-sided fit."""

CLOCK_STATE: Final = np.dtype(
    [
        ("nominal_period", "f8"),
        ("tick_s", "f8"),
        ("wrap", "i8"),
        ("epoch", "i8"),
        ("restarts", "i8"),
        ("packets", "i8"),
        ("samples", "i8"),
        ("duplicates", "i8"),
        ("late_samples", "i8"),
        ("stale", "i8"),
        ("tick", "i8"),
        ("next_index", "i8"),
        ("first_index", "i8"),
        ("period", "f8"),
        ("taken", "f8"),
        ("device_index", "i8"),
        ("newest", "f8"),
        ("start", "f8"),
        ("last_t", "f8"),
        ("line_x", "f8"),
        ("line_y", "f8"),
        ("slope", "f8"),
        ("open_x", "f8"),
        ("open_y", "f8"),
        ("open_end", "f8"),
        ("block_n", "i8"),
        ("knot_n", "i8"),
        ("hole_n", "i8"),
        ("since_fit", "i8"),
        ("fit_x", "f8"),
        ("fit_y", "f8"),
        ("closed", "f8", (4,)),
        ("closed_samples", "i8"),
        ("block_x", "f8", (BLOCKS,)),
        ("block_y", "f8", (BLOCKS,)),
        ("stack", "i8", (BLOCKS,)),
        ("knot_x", "f8", (KNOTS,)),
        ("knot_y", "f8", (KNOTS,)),
        ("hole_first", "i8", (HOLES,)),
        ("hole_stop", "i8", (HOLES,)),
        ("delay_bins", "i8", (BINS,)),
        *STEP_FIELDS,
    ]
)


def new_clock_state(rate_hz: float) -> np.ndarray:
    """Fresh state of one sensor's clock, shape (1,), for a nominal sample rate in Hz."""
    state = as_state(np.zeros(1, dtype=CLOCK_STATE))
    state["nominal_period"] = 1.0 / rate_hz
    state["period"] = 1.0 / rate_hz
    state["epoch"] = -1
    state["last_t"] = -math.inf
    return state


@njit(cache=True, forceinline=True)
def _known_knots(s, known, known_first):
    """Knots of the fit that is known for the clock as it runs since its last restart; empty for none."""
    k = s.restarts
    if k + 1 >= known_first.shape[0]:
        return known[0, :0], known[1, :0]
    return known[0, known_first[k] : known_first[k + 1]], known[1, known_first[k] : known_first[k + 1]]


@njit(cache=True)
def _restart(s):
    """Forget all that belonged to the sensor's old clock, but for the ends of its last line."""
    s.closed[0] = s.start
    s.closed[1] = s.line_y + s.slope * (s.start - s.line_x)
    s.closed[2] = s.newest
    s.closed[3] = s.line_y + s.slope * (s.newest - s.line_x)
    s.closed_samples = s.next_index - s.first_index
    s.packets = 0
    s.stale = 0
    s.block_n = 0
    s.knot_n = 0
    s.hole_n = 0
    s.since_fit = 0
    s.slope = 0.0
    s.restarts += 1
    forget_steps(s)


@njit(cache=True)
def _refit(s, has_tick):
    """New lower edge from the block minima; careful about the slope while the window is short."""
    n = min(s.block_n, BLOCKS)
    first = s.block_n - n
    mean, height, slope = lower_line(s.block_x, s.block_y, first, n, s.stack)
    span = s.block_x[(s.block_n - 1) % BLOCKS] - s.block_x[first % BLOCKS]
    # A crystal is within 200 ppm, and a short window cannot say better; a count of samples in place of a
    # tick carries the oscillator's own per cents.
    limit = 2e-4 if has_tick and span < 60.0 else 0.05
    shrink = min(1.0, span / 60.0) if has_tick else 1.0
    wanted = min(limit, max(-limit, slope)) * shrink
    if wanted != slope:
        height = math.inf
        for k in range(n):
            j = (first + k) % BLOCKS
            height = min(height, s.block_y[j] - wanted * (s.block_x[j] - mean))
    s.line_x = mean
    s.line_y = height
    s.slope = wanted


@njit(cache=True, forceinline=True)
def _observe(s, x, y, has_tick):
    """Take in one delay: y = arrival - device time of the packet's last sample, at device time x.

    Returns 1 when a knot of the two-sided fit is ready in ``fit_x``, ``fit_y``.
    """
    ready = 0
    if s.packets == 0:
        s.line_x, s.line_y, s.slope = x, y, 0.0
        s.open_x, s.open_y, s.open_end = x, y, x + BLOCK_S
        return ready
    if x >= s.open_end:
        s.block_x[s.block_n % BLOCKS] = s.open_x
        s.block_y[s.block_n % BLOCKS] = s.open_y
        s.block_n += 1
        _refit(s, has_tick)
        s.open_x, s.open_y, s.open_end = x, y, x + BLOCK_S
        s.since_fit += 1
        if s.block_n >= BLOCKS and s.since_fit >= FIT_EVERY:
            s.since_fit = 0
            s.fit_x, s.fit_y = s.line_x, s.line_y
            ready = 1
    elif y - s.open_y < s.slope * (x - s.open_x):
        s.open_x, s.open_y = x, y
    below = s.line_y + s.slope * (x - s.line_x) - y
    if below > 0.0:
        s.line_y -= below
    return ready


@njit(cache=True, forceinline=True)
def _extend(s, first_x, last_x):
    """Put knots up to the packet's last sample: towards the line, but never faster than time allows."""
    if s.knot_n == 0:
        s.knot_x[0] = first_x
        s.knot_y[0] = s.line_y + s.slope * (first_x - s.line_x)
        s.knot_n = 1
    head = (s.knot_n - 1) % KNOTS
    if last_x <= s.knot_x[head]:
        return
    age = last_x - s.start
    ahead = 0.0 if age < 5.0 else KNOT_STEP_S
    slew = 0.5 if age < 3.0 else (0.02 if age < 30.0 else 0.002)
    x = last_x + ahead
    dx = x - s.knot_x[head]
    y = s.knot_y[head] + s.slope * dx
    correction = s.line_y + s.slope * (x - s.line_x) - y
    y += min(slew * dx, max(-slew * dx, correction))
    s.knot_x[s.knot_n % KNOTS] = x
    s.knot_y[s.knot_n % KNOTS] = y
    s.knot_n += 1


@njit(cache=True, forceinline=True)
def _slope(x, y, k):
    """Slope from knot k to the next."""
    run = x[k + 1] - x[k]
    return (y[k + 1] - y[k]) / run if run > 0.0 else 0.0


@njit(cache=True, forceinline=True)
def _offset(s, x, known_x, known_y):
    """Offset in use at device time x: of the known fit, else of the live one."""
    n = known_x.shape[0]
    if n < 2:
        n = min(s.knot_n, KNOTS)
        return offset_at(x, s.knot_x, s.knot_y, s.knot_n - n, n, s.slope)
    slope = _slope(known_x, known_y, 0 if x < known_x[0] else n - 2)
    return offset_at(x, known_x, known_y, 0, n, slope)


@njit(cache=True)
def _late(s, index, device, n, known_x, known_y, t_out, keep_out):
    """Times of a packet older than the newest; only samples that were missing are kept."""
    kept = 0
    for i in range(n):
        keep_out[i] = 0
        if index + i >= s.next_index or not fill_hole(s, index + i):
            continue
        x = device + i * s.period
        t_out[i] = x + _offset(s, x, known_x, known_y)
        keep_out[i] = 1
        kept += 1
    s.duplicates += n - kept
    s.late_samples += kept
    s.samples += kept
    return kept


@njit(cache=True, forceinline=True)
def _times(s, device, n, knot_x, knot_y, first, knots, before, after, t_out, keep_out):
    """Times of n samples on some knots, past whose ends the offset goes on by two slopes."""
    low = knot_x[first % knot_x.shape[0]]
    least = 0.01 * s.nominal_period
    period, last = s.period, s.last_t
    start, height, slope, end = 0.0, 0.0, 0.0, -math.inf
    for i in range(n):
        x = device + i * period
        # A packet is short: its samples mostly lie between the same two knots.
        if x >= end:
            a, b = segment_at(x, knot_x, first, knots)
            start, height = knot_x[a], knot_y[a]
            slope = line_slope(knot_x, knot_y, a, b, before if x < low else after)
            end = knot_x[b] if a != b else -math.inf
        t = x + (height + slope * (x - start))
        last = t if t > last else last + least
        t_out[i] = last
        keep_out[i] = 1
    s.last_t = last


@njit(cache=True, forceinline=True)
def _in_order(s, device, n, known_x, known_y, t_out, keep_out):
    """Times of a packet that continues the stream, strictly after all that went before."""
    knots = known_x.shape[0]
    if knots < 2:
        knots = min(s.knot_n, KNOTS)
        first = s.knot_n - knots
        _times(s, device, n, s.knot_x, s.knot_y, first, knots, s.slope, s.slope, t_out, keep_out)
    else:
        before = _slope(known_x, known_y, 0)
        after = _slope(known_x, known_y, knots - 2)
        _times(s, device, n, known_x, known_y, 0, knots, before, after, t_out, keep_out)
    s.samples += n


@njit(cache=True, forceinline=True)
def clock_push(state, epoch, index, tick, n, is_resent, arrival, known, known_first, t_out, keep_out):
    """Session times of one packet's samples.

    Parameters
    ----------
    state : array of CLOCK_STATE, shape (1,)
        Changed in place.
    epoch : int
        Counts restarts of the sensor, where it tells them.
    index, tick : int
        Of the packet's first sample; -1 where the sensor does not tell.
    n : int
        Samples in the packet, at least 1.
    is_resent : bool
        The packet was sent again on request: its arrival says nothing, and it never restarts the clock.
    arrival : float
        Host time of arrival, s of the session.
    known : float64 array, shape (2, k)
        Knots (device time, offset) of a fit that is known beforehand, all restarts in a row.
    known_first : int64 array, shape (r + 1,)
        Where the knots of each restart begin, and the end; of length 1 for nothing known.
    t_out : float64 array
        Gets n session times, s; those of an in-order packet increase strictly from packet to packet.
    keep_out : int64 array
        Gets 1 for a new sample, 0 for one that was heard before.

    Returns
    -------
    tuple of int
        Samples kept, and the status bits LATE, RESTARTED, FIT_KNOT.
    """
    s = state[0]
    status = 0
    has_index = index >= 0
    has_tick = tick >= 0
    if not has_index and not has_tick:
        index = s.next_index
    count = unwrap(s, tick)
    raw = index * s.nominal_period
    if has_tick:
        raw = count * s.tick_s + shift_at(s, index, count * s.tick_s)
    if is_resent and s.packets > 0 and epoch != s.epoch:
        s.duplicates += n
        return 0, status | LATE
    if not is_resent and is_restart(s, epoch, index, raw, has_tick, has_index, arrival):
        _restart(s)
        status |= RESTARTED
        count = tick
        raw = count * s.tick_s if has_tick else index * s.nominal_period
    known_x, known_y = _known_knots(s, known, known_first)
    if not has_index and has_tick and s.packets > 0:
        if raw < s.newest - 0.5 * s.period:
            s.duplicates += n
            return 0, status | LATE
        # No counter: a loss is of whole packets, anything less is the oscillator being off its rate.
        missing = round((raw - s.taken) / s.period) - (s.next_index - s.device_index)
        index = s.next_index + (missing if missing > n // 2 else 0)
    s.epoch = epoch
    if s.packets > 0 and index < s.next_index:
        kept = _late(s, index, raw, n, known_x, known_y, t_out, keep_out)
        s.stale = 0 if kept > 0 or is_resent else s.stale + 1
        return kept, status | LATE
    if s.packets > 0 and index > s.next_index:
        note_hole(s, s.next_index, index)
    if s.packets > 0 and has_tick and has_index:
        step = step_of(s, index, raw, n, arrival, is_resent)
        if step != 0.0:
            take_step(s, index, step)
            raw -= step
    device = track(s, index, raw, has_tick)
    if s.packets == 0:
        s.start = device
        s.first_index = index
    s.tick = count
    s.taken = device
    s.device_index = index
    s.next_index = index + n
    s.stale = 0
    last = device + (n - 1) * s.period
    if _observe(s, last, arrival - last, has_tick):
        status |= FIT_KNOT
    _extend(s, device, last)
    s.newest = last
    s.packets += 1
    _in_order(s, device, n, known_x, known_y, t_out, keep_out)
    if not is_resent:
        delay = arrival - last - _offset(s, last, known_x, known_y)
        s.delay_bins[min(BINS - 1, max(0, int(delay / BIN_S)))] += 1
    return n, status
