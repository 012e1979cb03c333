"""Kernels that thin the grid to bins of about 25 a second and follow the pelvis heading over them.

Columns of a bin, one row a lane: 0-3 quaternion sensor to earth at the bin's last sample, 4-6 mean gyr,
7-9 mean acc, sensor axes; all NaN where a bin is missing. Bin ``b`` lies in row ``b % n`` of its ring.
"""

from __future__ import annotations

import math
from typing import Final

from latemiles.kernels.jit import njit
from latemiles.kernels.lanes import LANES, along, ladder, sum_of
from latemiles.kernels.quaternion import rotate, wrap_angle
from latemiles.signals.quality import SampleQuality

__all__ = ["BIN_COLUMNS", "SUMS", "count_missing", "fill_bins", "follow_heading", "heading_at_samples"]

BIN_COLUMNS = 10
SUMS = 10
"""What is added up in each lane: see ``fill_bins``."""
_BRIDGED: Final = int(SampleQuality.BRIDGED)
_CLIPPED: Final = int(SampleQuality.GYR_CLIPPED)


@njit(cache=True)
def fill_bins(acc, gyr, quat, quality, start, stop, sample, per_bin, sums, ring):
    """Add samples ``start`` to ``stop`` (grid index ``sample`` onward) to the ring of bins.

    Parameters
    ----------
    acc, gyr : float64 arrays, shape (lanes, k, 3)
        m/s^2 and rad/s, sensor axes; NaN in a gap.
    quat : float64 array, shape (lanes, k, 4)
        Sensor to earth; NaN in a gap.
    quality : int64 array, shape (lanes, k)
        SampleQuality bits: BRIDGED where the orientation went on through a gap as in the stride before.
    start, stop : int
        Columns to take.
    sample : int
        Grid index of column ``start``.
    per_bin : int
        Samples a bin.
    sums : float64 array, shape (lanes, 10)
        Carried over: sums of gyr and acc and the number of good samples of the open bin; then the samples
        that are missing, those over which the orientation went on and those over which it did not, and those
        whose rate was beyond the sensor's limit, until somebody sets them to zero.
    ring : float64 array, shape (n, lanes, 10)
        Written in place. A bin with fewer than half of its samples, or without orientation, is NaN.
    """
    # Lane by lane: views of arrays take longer than a bin.
    for lane in range(ring.shape[1]):
        forces, rates, said, total = acc[lane], gyr[lane], quality[lane], sums[lane]
        at, row, left = start, (sample // per_bin) % ring.shape[0], per_bin - sample % per_bin
        while at < stop:
            count = min(left, stop - at)
            if count < per_bin or not _fill_bin(forces, rates, said, quat, at, per_bin, ring, row, lane):
                _add_up(forces, rates, said, at, count, total)
                if count == left:
                    _close_bin(total, per_bin, quat, at + count - 1, ring, row, lane)
            at += count
            row, left = row + 1 if row + 1 < ring.shape[0] else 0, per_bin


@njit(cache=True, forceinline=True)
def _fill_bin(acc, gyr, quality, quat, start, count, ring, row, lane):
    """Write a bin that begins and ends here, misses nothing and is not clipped; False if it is none such."""
    a = b = c = d = e = f = 0.0
    seen = 0
    for i in range(start, start + count):
        seen |= quality[i]
        a, b, c = a + gyr[i, 0], b + gyr[i, 1], c + gyr[i, 2]
        d, e, f = d + acc[i, 0], e + acc[i, 1], f + acc[i, 2]
    last = start + count - 1
    w, x, y, z = quat[lane, last, 0], quat[lane, last, 1], quat[lane, last, 2], quat[lane, last, 3]
    if seen & _CLIPPED or not math.isfinite((a + d) + (b + e) + (c + f) + w):
        return False
    out = ring[row, lane]
    out[0], out[1], out[2], out[3] = w, x, y, z
    out[4], out[5], out[6] = a / count, b / count, c / count
    out[7], out[8], out[9] = d / count, e / count, f / count
    return True


@njit(cache=True)
def _add_up(acc, gyr, quality, start, count, sums):
    """Add samples of one lane, all of one bin."""
    a, b, c, d, e, f, heard = sums[0], sums[1], sums[2], sums[3], sums[4], sums[5], sums[6]
    for i in range(start, start + count):
        gx, gy, gz, fx, fy, fz = gyr[i, 0], gyr[i, 1], gyr[i, 2], acc[i, 0], acc[i, 1], acc[i, 2]
        if math.isfinite((gx + fx) + (gy + fy) + (gz + fz)):
            a, b, c, d, e, f, heard = a + gx, b + gy, c + gz, d + fx, e + fy, f + fz, heard + 1.0
            if quality[i] & _CLIPPED:
                sums[9] += 1.0
        else:
            sums[7 if quality[i] & _BRIDGED else 8] += 1.0
    sums[0], sums[1], sums[2], sums[3], sums[4], sums[5], sums[6] = a, b, c, d, e, f, heard


@njit(cache=True)
def _close_bin(sums, per_bin, quat, at, ring, row, lane):
    """Write a bin whose last sample, column ``at``, was added, and begin the next."""
    count = sums[6]
    good = 2.0 * count >= per_bin and math.isfinite(quat[lane, at, 0])
    for j in range(4):
        ring[row, lane, j] = quat[lane, at, j] if good else math.nan
    for j in range(6):
        ring[row, lane, 4 + j] = sums[j] / count if good else math.nan
    sums[:7] = 0.0


@njit(cache=True)
def count_missing(ring, end, count, out):
    """How many of the ``count`` bins before ``end`` are missing in each lane, into ``out`` (lanes,)."""
    n = ring.shape[0]
    out[:] = 0
    row = (end - count) % n
    for _ in range(count):
        for lane in range(ring.shape[1]):
            out[lane] += math.isnan(ring[row, lane, 0])
        row = row + 1 if row + 1 < n else 0


@njit(cache=True)
def follow_heading(ring, first, stop, forward, weights, headings):
    """Heading of the pelvis and its Hann-weighted mean, for bins ``first`` to ``stop``.

    Parameters
    ----------
    ring : float64 array, shape (n, lanes, 10)
        Bins; lane 0 is the pelvis.
    first, stop : int
        Bins to work out, in order; earlier ones must have been done.
    forward : float64 array, shape (3,)
        Forward axis of the pelvis in its sensor's axes; NaN while unknown.
    weights : float64 array, shape (w,)
        Weights of the mean over the last w bins, positive, sum 1, symmetric.
    headings : float64 array, shape (3, n)
        Rows: heading without jumps, rad (NaN in a gap); its weighted mean over the last w bins, so
        centred (w - 1) / 2 bins ago; heading without jumps of the last good bin.
    """
    n = ring.shape[0]
    w = weights.shape[0]
    whole = weights.sum()
    for b in range(first, stop):
        row = b % n
        before = headings[2, (b - 1) % n] if b > 0 else math.nan
        fx, fy, _ = rotate(
            ring[row, 0, 0],
            ring[row, 0, 1],
            ring[row, 0, 2],
            ring[row, 0, 3],
            forward[0],
            forward[1],
            forward[2],
        )
        psi = math.atan2(fy, fx)
        if math.isfinite(psi) and math.isfinite(before):
            psi = before + wrap_angle(psi - before)
        headings[0, row] = psi
        headings[2, row] = psi if math.isfinite(psi) else before
        mean = _mean_before(headings[0], row, weights) if b + 1 >= w else math.nan
        if math.isfinite(mean):
            headings[1, row] = mean / whole
            continue
        total = 0.0
        mean = 0.0
        back = row
        for j in range(min(w, b + 1)):
            value = headings[0, back]
            back = back - 1 if back > 0 else n - 1
            if math.isfinite(value):
                total += weights[j]
                mean += weights[j] * value
        if total > 0.25:
            headings[1, row] = mean / total
        else:
            # After a gap, or just after the start: the newest heading is the best guess there is.
            headings[1, row] = headings[2, row]


@njit(cache=True)
def _mean_before(headings, row, weights):
    """Weighted sum of the last headings of a ring (n,), the newest in ``row``; NaN if one of them is."""
    w, n = weights.shape[0], headings.shape[0]
    # The weights are symmetric: it does not matter from which end they are counted.
    newest = min(w, row + 1)
    older = w - newest
    total = _products(headings, row + 1 - newest, newest, weights, older)
    return total + _products(headings, n - older, older, weights, 0) if older > 0 else total


@njit(cache=True)
def _products(headings, first, count, weights, at):
    """Sum of products of headings and weights, several side by side: few wait for another."""
    sums, rest = 0.0 * ladder(), 0.0
    whole = count - count % LANES
    for k in range(0, whole, LANES):
        sums = sums + along(headings, first + k) * along(weights, at + k)
    for k in range(whole, count):
        rest += headings[first + k] * weights[at + k]
    return sum_of(sums) + rest


@njit(cache=True)
def heading_at_samples(headings, sample, per_bin, lag_bins, span_bins, rate_scale, out):
    """Heading of progression at consecutive samples.

    Parameters
    ----------
    headings : float64 array, shape (3, n)
        As ``follow_heading`` leaves it.
    sample : int
        Grid index of ``out[0]``.
    per_bin : int
        Samples a bin.
    lag_bins : int
        By how many bins the weighted mean is late, (w - 1) / 2. Zero asks for the symmetric mean, which
        the caller makes causal by delay: the mean stored ``span_bins`` later is then taken.
    span_bins : int
        Causal: over how many bins the turning rate is taken. Symmetric: the delay of the mean, bins.
    rate_scale : float
        Turning rate, rad a bin, above which the mean's lag is made up for; below it the lag is left, since
        the rate is then mostly the runner's own sway.
    out : float64 array, shape (k,)
        Heading, rad; NaN while unknown.
    """
    n = headings.shape[1]
    b = sample // per_bin - 1
    into = sample % per_bin
    row = (b + span_bins) % n
    for i in range(out.shape[0]):
        into += 1
        if into > per_bin:
            into, b = 1, b + 1
            row = row + 1 if row + 1 < n else 0
        u = into / per_bin
        if lag_bins == 0:
            low = headings[1, row]
            high = headings[1, row + 1 if row + 1 < n else 0]
            if not math.isfinite(low):
                low = high
            out[i] = low + u * (high - low)
            continue
        if b < 0:
            out[i] = math.nan
            continue
        mean = headings[1, b % n]
        earlier = headings[1, (b - span_bins) % n] if b >= span_bins else math.nan
        rate = (mean - earlier) / span_bins
        if not math.isfinite(rate):
            out[i] = mean
            continue
        trust = rate * rate / (rate * rate + rate_scale * rate_scale)
        out[i] = mean + trust * rate * (lag_bins + u)
