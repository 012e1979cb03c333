"""Features of one stride from its window of samples, and the ring that the window is cut from.

Ring rows: 0-2 pelvis tilt, obliquity, rotation; 3-5 left hip; 6-8 right hip (rad); 9 vertical specific
force of the pelvis, 10-11 its horizontal force (m/s^2). A window holds nine rows: the pelvis, the hip of
the stride's own side, the force. Places in a window are fractions of samples, so that events between
samples are met exactly: a value between samples is read on the straight line between its neighbours.
"""

from __future__ import annotations

import math

import numpy as np

from latemiles.kernels.jit import njit
from latemiles.kernels.lanes import LANES, along, ladder, least_of, most_of, select, sum_of

__all__ = [
    "N_PHASES",
    "RING_ROWS",
    "WINDOW_ROWS",
    "all_angle_features",
    "all_waves",
    "angle_features",
    "fill_ring",
    "gather",
    "harmonic_rms",
    "measure_stride",
    "measure_strides",
    "or_quality",
    "peak_dynamic_force",
    "resample",
    "trig_table",
    "vertical_oscillation",
]

RING_ROWS = 12
WINDOW_ROWS = 9
FORCE_ROW = 6
"""Row of the window with vertical specific force; the two horizontal rows follow."""
DEGREES = 180.0 / math.pi
N_PHASES = 101
"""Points of a stride-normalised waveform, 0 to 100 % of the stride."""


def trig_table(n_harmonics):
    """Cosine and sine of the stride harmonics 1..n at phases 0..99 %: (2, n, 100)."""
    phase = 2.0 * np.pi * np.arange(N_PHASES - 1) / (N_PHASES - 1)
    angle = np.arange(1, n_harmonics + 1)[:, None] * phase[None, :]
    return np.stack([np.cos(angle), np.sin(angle)])


@njit(cache=True)
def _put(row, at, source, start, count):
    """Copy numbers; an assignment of slices takes numba ten times as long to compile."""
    for k in range(count):
        row[at + k] = source[start + k]


@njit(cache=True)
def fill_ring(ring, quality_ring, first, pelvis, hip, force_up, force_horizontal, quality):
    """Write samples ``first ...`` into the ring, each at its grid index modulo the ring's length."""
    capacity, n = ring.shape[1], pelvis.shape[0]
    done = 0
    while done < n:
        at = (first + done) % capacity
        count = min(n - done, capacity - at)
        # Row by row: one stream is read and one written at a time.
        for c in range(3):
            _put(ring[c], at, pelvis[:, c], done, count)
            _put(ring[3 + c], at, hip[0, :, c], done, count)
            _put(ring[6 + c], at, hip[1, :, c], done, count)
        _put(ring[9], at, force_up[0], done, count)
        _put(ring[10], at, force_horizontal[:, 0], done, count)
        _put(ring[11], at, force_horizontal[:, 1], done, count)
        for row in range(quality_ring.shape[0]):
            _put(quality_ring[row], at, quality[row], done, count)
        done += count


@njit(cache=True)
def gather(ring, start, n, lane, window):
    """Copy samples ``start ... start + n - 1`` of the pelvis and of hip ``lane`` (0 left, 1 right)."""
    at = start % ring.shape[1]
    count = min(n, ring.shape[1] - at)
    for group in range(3):
        source = 3 * (1 + lane) if group == 1 else 9 if group == 2 else 0
        for c in range(3):
            here, there = ring[source + c], window[3 * group + c]
            newer = here[at:]
            for k in range(count):
                there[k] = newer[k]
            for k in range(n - count):
                there[count + k] = here[k]


@njit(cache=True)
def or_quality(quality_ring, lane, start, n):
    """All quality bits that the pelvis and one lane showed over ``start ... start + n - 1``."""
    at = start % quality_ring.shape[1]
    count = min(n, quality_ring.shape[1] - at)
    pelvis, thigh = quality_ring[0], quality_ring[lane]
    return (
        _any_bits(pelvis[at : at + count]) | _any_bits(pelvis[: n - count]),
        _any_bits(thigh[at : at + count]) | _any_bits(thigh[: n - count]),
    )


@njit(cache=True)
def _any_bits(bits):
    seen = 0
    for value in bits:
        seen |= value
    return seen


@njit(cache=True)
def _read(window, row, at):
    """Value at a fractional place, on the line between its neighbours."""
    i = int(at)
    part = at - i
    if part == 0.0:
        return window[row, i]
    return window[row, i] + part * (window[row, i + 1] - window[row, i])


@njit(cache=True)
def _extent(values):
    """Sum, lowest and highest value; without one 0, inf and -inf."""
    sums, lows, highs = 0.0 * ladder(), math.inf + ladder(), -math.inf - ladder()
    whole = values.shape[0] - values.shape[0] % LANES
    for k in range(0, whole, LANES):
        here = along(values, k)
        sums, lows, highs = sums + here, min(lows, here), max(highs, here)
    low, high, is_first = least_of(lows), most_of(highs), ladder() == 0.0
    for k in range(whole, values.shape[0]):
        sums = sums + select(is_first, values[k], 0.0)
        low, high = min(low, values[k]), max(high, values[k])
    return sum_of(sums), low, high


@njit(cache=True)
def angle_features(window, row, begin, toe_off, end, factor, peak_sign, out):
    """Six features of one angle into ``out``: mean, rom, ic, midstance, to, stance_peak.

    ``begin``, ``toe_off`` and ``end`` are fractional places in the window (``toe_off`` NaN where there was
    none: the last three are NaN then). ``factor`` goes onto every value (unit and sign of the angle);
    ``peak_sign`` is +1 where the peak is the maximum of the factored angle, -1 where it is the minimum. A
    NaN anywhere in the stride makes all six NaN.
    """
    for k in range(6):
        out[k] = math.nan
    i, j = math.ceil(begin), int(end)
    total, low, high = _extent(window[row, i : j + 1])
    if math.isnan(total + window[row, int(begin)] + window[row, math.ceil(end)]):
        return
    head, tail = _read(window, row, begin), _read(window, row, end)
    out[0] = factor * 0.5 * (head + tail)
    if j >= i:
        # The trapezoid rule: half of what is at either end, and what lies between samples there.
        first, last = window[row, i], window[row, j]
        area = 0.5 * ((head + first) * (i - begin) + (last + tail) * (end - j) - (first + last))
        out[0] = factor * (area + total) / (end - begin)
    out[1] = abs(factor) * (max(high, max(head, tail)) - min(low, min(head, tail)))
    out[2] = factor * head
    if not math.isnan(toe_off):
        then = _read(window, row, toe_off)
        _, low, high = _extent(window[row, i : int(toe_off) + 1])
        out[3] = factor * _read(window, row, 0.5 * (begin + toe_off))
        out[4] = factor * then
        is_high = (factor > 0.0) == (peak_sign > 0.0)
        out[5] = factor * (max(high, max(head, then)) if is_high else min(low, min(head, then)))


@njit(cache=True)
def all_angle_features(window, places, signs, begin, toe_off, end, out):
    """``angle_features`` of several angles into one row.

    ``places`` (a, 2) holds the window's row of each angle and the first of its columns in ``out``; ``signs``
    (a, 2) its factor and the sign of its peak.
    """
    for k in range(places.shape[0]):
        at = places[k, 1]
        angle_features(window, places[k, 0], begin, toe_off, end, signs[k, 0], signs[k, 1], out[at : at + 6])


@njit(cache=True)
def measure_stride(ring, start, n, lane, places, signs, times, columns, first, trig, scratch, waves, out):
    """Everything that the samples of one stride say, in one call.

    Parameters
    ----------
    ring : float64 array, shape (12, m)
    start, n : int
        First sample of the stride and how many there are, with a neighbour on either side.
    lane : int
        0 left, 1 right.
    places, signs : arrays, shape (a, 2)
        As for ``all_angle_features``.
    times : float64 array, shape (6,)
        Initial contact, toe-off (NaN: none), end and end of the shock, places in the window; stride time, s;
        gravity, m/s^2.
    columns : int64 array, shape (8,)
        Where in ``out`` stand drop at contact and its peak, and go its excursion, the three harmonic scores,
        vertical oscillation and shock.
    first : int64 array, shape (3,)
        First forbidden stride harmonic of the pelvis angles.
    trig : float64 array, shape (2, h, 100)
    scratch : float64 array, shape (9 + 2, w)
        The window, and two waveforms.
    waves : float64 array, shape (6, 101)
        Out: waveforms of the pelvis and the own hip, deg.
    out : float64 array, shape (c,)
        Out: the row of the stride.
    """
    window, up, height = scratch[:WINDOW_ROWS], scratch[WINDOW_ROWS], scratch[WINDOW_ROWS + 1]
    begin, toe_off, end = times[0], times[1], times[2]
    gather(ring, start, n, lane, window)
    all_angle_features(window, places, signs, begin, toe_off, end, out)
    out[columns[2]] = out[columns[1]] - out[columns[0]]
    all_waves(window, begin, end, DEGREES, waves)
    for k in range(3):
        out[columns[3 + k]] = harmonic_rms(waves[k], first[k], trig)
    resample(window, FORCE_ROW, begin, end, up)
    out[columns[6]] = vertical_oscillation(up, times[4], trig, height)
    out[columns[7]] = peak_dynamic_force(window, FORCE_ROW, begin, times[3], times[5])


@njit(cache=True)
def measure_strides(
    rings, rate, oldest, lanes, events, plans, times, columns, first, trig, scratch, seen, waves, out
):
    """``measure_stride`` of many, each from its events.

    Parameters
    ----------
    rings : tuple of arrays
        Ring of samples, and that of their quality bits, (3, m).
    rate : float
        Of the grid, Hz.
    oldest : int
        First sample that is still in the ring; a stride that began before is left alone.
    lanes : int64 array, shape (n,)
        0 left, 1 right.
    events : float64 array, shape (n, 3)
        Initial contact, toe-off (NaN: none) and end, session s.
    plans : tuple of arrays
        Places and signs for left strides and for right ones.
    times : float64 array, shape (6,)
        As for ``measure_stride``; the last but two holds the length of the shock, in samples, and the last
        gravity.
    columns, first, trig, scratch
        As for ``measure_stride``.
    seen : int64 array, shape (n, 3)
        Out: quality bits of pelvis and own thigh, and 1 where the stride was measured.
    waves : float64 array, shape (n, 6, 101)
    out : float64 array, shape (n, c)
    """
    ring, quality = rings
    shock, gravity = times[3], times[5]
    left, left_signs, right, right_signs = plans
    for k in range(lanes.shape[0]):
        start = math.floor(events[k, 0] * rate)
        n = math.ceil(events[k, 2] * rate) - start + 1
        seen[k, 0], seen[k, 1] = or_quality(quality, 1 + lanes[k], start, n)
        seen[k, 2] = start >= oldest
        if start < oldest:
            continue
        for j in range(3):
            times[j] = events[k, j] * rate - start
        times[3] = times[0] + shock
        times[4] = (times[2] - times[0]) / rate
        times[5] = gravity
        places, signs = (left, left_signs) if lanes[k] == 0 else (right, right_signs)
        measure_stride(
            ring, start, n, lanes[k], places, signs, times, columns, first, trig, scratch, waves[k], out[k]
        )
    times[3], times[5] = shock, gravity


@njit(cache=True)
def resample(window, row, begin, end, wave):
    """Stride-normalised waveform: the row at 0, 1 ... 100 % of the stride."""
    step = (end - begin) / (N_PHASES - 1)
    for k in range(N_PHASES - 1):
        wave[k] = _read(window, row, begin + k * step)
    wave[N_PHASES - 1] = _read(window, row, end)


@njit(cache=True)
def all_waves(window, begin, end, factor, waves):
    """Waveforms of the window's first rows, each times ``factor``."""
    step = (end - begin) / (N_PHASES - 1)
    for k in range(N_PHASES):
        at = begin + k * step if k < N_PHASES - 1 else end
        here = int(at)
        part = at - here
        after = here + 1 if part > 0.0 else here
        for row in range(waves.shape[0]):
            value = window[row, here]
            waves[row, k] = factor * (value + part * (window[row, after] - value))


@njit(cache=True)
def _two_harmonics(wave, slope, trig, one, other):
    """Sums of a wave, less its end-to-end trend, times cosine and sine of two harmonics."""
    cosine, sine, cosine_too, sine_too = trig[0, one], trig[1, one], trig[0, other], trig[1, other]
    a = b = c = d = 0.0 * ladder()
    for k in range(0, N_PHASES - 1, LANES):
        left = along(wave, k) - slope * (k + ladder())
        a, b = a + left * along(cosine, k), b + left * along(sine, k)
        c, d = c + left * along(cosine_too, k), d + left * along(sine_too, k)
    return sum_of(a), sum_of(b), sum_of(c), sum_of(d)


@njit(cache=True)
def harmonic_rms(wave, first, trig):
    """RMS of every second stride harmonic from ``first`` on, after the end-to-end trend is taken off."""
    last = N_PHASES - 1
    slope = (wave[last] - wave[0]) / last
    total = 0.0
    for h in range(first - 1, trig.shape[1], 4):
        is_one = h + 2 >= trig.shape[1]
        a, b, c, d = _two_harmonics(wave, slope, trig, h, h if is_one else h + 2)
        # Amplitude 2/N |sum|; mean square of a sine is half its amplitude squared.
        total += 2.0 * (a * a + b * b) / (last * last)
        total += 0.0 if is_one else 2.0 * (c * c + d * d) / (last * last)
    return math.sqrt(total)


@njit(cache=True)
def vertical_oscillation(wave, stride_time, trig, height):
    """Peak-to-peak height from one stride of vertical acceleration, integrated harmonic by harmonic.

    A steady stride ends where it began, so acceleration is a Fourier series over it and height is minus
    each harmonic over its angular frequency squared: no constant of integration and no slow error.
    ``height`` is scratch of 100 values. A NaN in the stride makes every height, and the result, NaN.
    """
    last = N_PHASES - 1
    slope = (wave[last] - wave[0]) / last
    height[:last] = 0.0
    for h in range(0, trig.shape[1], 2):
        other = min(h + 1, trig.shape[1] - 1)
        a, b, c, d = _two_harmonics(wave, slope, trig, h, other)
        _add_height(a, b, h, stride_time, trig, height)
        if other > h:
            _add_height(c, d, other, stride_time, trig, height)
    total, low, high = _extent(height[:last])
    return high - low if math.isfinite(total) else math.nan


@njit(cache=True)
def _add_height(a, b, h, stride_time, trig, height):
    """Height of one harmonic whose sums with cosine and sine are known."""
    last = N_PHASES - 1
    omega = 2.0 * math.pi * (h + 1) / stride_time
    scale = -2.0 / (last * omega * omega)
    cosine, sine = trig[0, h], trig[1, h]
    for k in range(last):
        height[k] += scale * (a * cosine[k] + b * sine[k])


@njit(cache=True)
def peak_dynamic_force(window, row, begin, end, gravity):
    """Largest size of the force in rows ``row`` (up) to ``row + 2`` without gravity, between two places.

    NaN where any sample is NaN: a peak that may have been missed is not a peak.
    """
    best = 0.0
    for k in range(math.ceil(begin), int(end) + 1):
        up = window[row, k] - gravity
        forward = window[row + 1, k]
        left = window[row + 2, k]
        size = up * up + forward * forward + left * left
        if math.isnan(size):
            return math.nan
        best = max(best, size)
    return math.sqrt(best)
