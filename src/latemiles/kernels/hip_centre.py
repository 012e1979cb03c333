"""Kernels of the hip centre seen from both of its sides: stride harmonics of force and lever velocity.

Pelvis and thigh meet in the hip, so both sensors, each with the lever arm from itself to the hip, must find
the same acceleration there. At harmonic ``k`` of the stride, in each lane's own earth frame,

    A_k + i w_k V_k r

with specific force ``A = R a``, ``V r = R (gyr x r)`` the velocity of the hip against the sensor, whose
derivative is the angular and the centripetal acceleration in one, and ``w_k`` the harmonic's angular rate.
Bins are those of ``posture_bins``: mean rates and forces over a bin, so that the orientation of its middle
belongs to them.

References
----------
.. [1] I. Weygers and M. Kok, Drift-free inertial sensor-based joint kinematics for long-term arbitrary
   movements, IEEE Sensors Journal 20 (2020) 7969-7979: equal accelerations of the joint centre.
"""

from __future__ import annotations

import math

import numpy as np

from latemiles.kernels.jit import njit
from latemiles.kernels.lanes import LANES, along, ladder, scatter, select
from latemiles.kernels.quaternion import normalize, rotate

__all__ = [
    "HIP_COLUMNS",
    "HIP_HARMONICS",
    "hip_blocks",
    "hip_harmonics",
    "hip_heading",
    "hip_scratch",
    "stride_rate",
]

HIP_HARMONICS = 4
"""Harmonics of the stride: up to 6 Hz, above which the thigh's flesh swings on its own."""
HIP_COLUMNS = 12
"""Force (3), then the nine numbers of V, row by row."""

_SLOWEST = 0.55
_COARSE = 0.05
COARSE = 29
_FINE = 0.01
FINE = 11
"""Frequencies, Hz: so many from the slowest on, to 1.95, and so many about the best of them."""


def hip_scratch(bins):
    """Work space for blocks of so many bins: rates of both thighs, columns, turns and powers."""
    room = -(-COARSE // LANES) * LANES
    return (
        np.empty((bins, 6)),
        np.empty((bins, HIP_COLUMNS)),
        np.empty((2, bins, HIP_HARMONICS)),
        np.empty((room, 1, 1)),
    )


@njit(cache=True)
def _gather_swing(ring, end, weights, swing):
    """Rates of both thighs less their means, weighted, over the bins that end before ``end``."""
    n = ring.shape[0]
    w = weights.shape[0]
    for column in range(6):
        lane, j = 1 + column // 3, 4 + column % 3
        mean = 0.0
        row = (end - w) % n
        for i in range(w):
            swing[i, column] = ring[row, lane, j]
            mean += weights[i] * swing[i, column]
            row = row + 1 if row + 1 < n else 0
        for i in range(w):
            swing[i, column] = weights[i] * (swing[i, column] - mean)


@njit(cache=True)
def _swing_power(swing, bin_hz, rate_hz):
    """Power of both thighs' rates at a frequency, or at several side by side."""
    step = 2.0 * math.pi * rate_hz / bin_hz
    turn_c, turn_s = math.cos(step), math.sin(step)
    zero = 0.0 * step
    c, s = zero + 1.0, zero
    re0, re1, re2, re3, re4, re5 = zero, zero, zero, zero, zero, zero
    im0, im1, im2, im3, im4, im5 = zero, zero, zero, zero, zero, zero
    for i in range(swing.shape[0]):
        re0, im0 = re0 + swing[i, 0] * c, im0 - swing[i, 0] * s
        re1, im1 = re1 + swing[i, 1] * c, im1 - swing[i, 1] * s
        re2, im2 = re2 + swing[i, 2] * c, im2 - swing[i, 2] * s
        re3, im3 = re3 + swing[i, 3] * c, im3 - swing[i, 3] * s
        re4, im4 = re4 + swing[i, 4] * c, im4 - swing[i, 4] * s
        re5, im5 = re5 + swing[i, 5] * c, im5 - swing[i, 5] * s
        c, s = c * turn_c - s * turn_s, c * turn_s + s * turn_c
    power = zero
    for re, im in ((re0, im0), (re1, im1), (re2, im2), (re3, im3), (re4, im4), (re5, im5)):
        # A thigh that was not heard is NaN and counts for nothing.
        power = power + select(abs(re) < math.inf, re * re + im * im, 0.0)
    return power


@njit(cache=True)
def _strongest(swing, bin_hz, start, step, count, powers):
    """Of ``count`` frequencies from ``start`` on the one at which the thighs swing most, and its power."""
    for group in range(-(-count // LANES)):
        f = start + (group * LANES + ladder()) * step
        scatter(powers, group, 0, 0, _swing_power(swing, bin_hz, f))
    best = 0
    for k in range(1, count):
        if powers[k, 0, 0] > powers[best, 0, 0]:
            best = k
    return start + best * step, powers[best, 0, 0]


@njit(cache=True)
def stride_rate(ring, end, weights, bin_hz, scratch):
    """Stride rate, Hz, at which the thighs swing most over the bins that end before ``end``.

    Parameters
    ----------
    ring : float64 array, shape (n, lanes, 10)
    end : int
        One past the last bin.
    weights : float64 array, shape (w,)
        Positive, sum 1.
    bin_hz : float
        Bins a second.
    scratch : tuple of arrays
        Of ``hip_scratch``.
    """
    swing, powers = scratch[0], scratch[3]
    _gather_swing(ring, end, weights, swing)
    middle, power = _strongest(swing, bin_hz, _SLOWEST, _COARSE, COARSE, powers)
    near, more = _strongest(swing, bin_hz, middle - 5 * _FINE, _FINE, FINE, powers)
    return near if more > power else middle


@njit(cache=True)
def hip_blocks(ring, end, weights, bin_hz, scratch, out):
    """``hip_harmonics`` of the last blocks before bin ``end``, each at its own stride rate.

    Parameters
    ----------
    ring, end, weights, bin_hz, scratch
        As for ``stride_rate``.
    out : float64 array, shape (blocks, lanes, 4, 12, 2)
        Out: as of ``hip_harmonics``, oldest first.
    """
    for k in range(out.shape[0]):
        stop = end - (out.shape[0] - 1 - k) * weights.shape[0]
        f = stride_rate(ring, stop, weights, bin_hz, scratch)
        hip_harmonics(ring, stop, weights, bin_hz, f, scratch, out[k])


@njit(cache=True, error_model="numpy")
def hip_heading(blocks, lane, levers, fewest):
    """Angle that takes the hip's level acceleration, as a thigh sees it, to the pelvis's, rad.

    Harmonics at which the two agree least over the blocks count least (fourth power of coherence).

    Parameters
    ----------
    blocks : float64 array, shape (b, lanes, 4, 12, 2)
        Of ``hip_blocks``.
    lane : int
        Of the thigh.
    levers : float64 array, shape (6,)
        From the sensors of pelvis and thigh to the hip, m, sensor axes.
    fewest : int
        Blocks that must be heard; NaN if fewer are.
    """
    top, bottom, heard = 0.0, 0.0, 0
    for block in blocks:
        heard += _is_heard(block, lane)
    if heard < fewest:
        return math.nan
    for k in range(HIP_HARMONICS):
        re = im = here = there = 0.0
        for block in blocks:
            if not _is_heard(block, lane):
                continue
            a, b = _level(block[0, k], levers[:3]), _level(block[lane, k], levers[3:])
            # A level vector that swings is two that turn, one each way.
            for way in range(2):
                px, py, tx, ty = a[2 * way], a[2 * way + 1], b[2 * way], b[2 * way + 1]
                re += px * tx + py * ty
                im += py * tx - px * ty
                here += px * px + py * py
                there += tx * tx + ty * ty
        weight = ((re * re + im * im) / (here * there)) ** 4
        top += im * weight
        bottom += re * weight
    return math.atan2(top, bottom)


@njit(cache=True)
def _is_heard(block, lane):
    total = 0.0
    for k in range(HIP_HARMONICS):
        for c in range(HIP_COLUMNS):
            total += (block[0, k, c, 0] + block[lane, k, c, 0]) + (block[0, k, c, 1] + block[lane, k, c, 1])
    return math.isfinite(total)


@njit(cache=True)
def _level(row, lever):
    """Level acceleration of the hip at one harmonic, as two vectors that turn to either side."""
    xr, xi, yr, yi = row[0, 0], row[0, 1], row[1, 0], row[1, 1]
    for j in range(3):
        xr, xi = xr + row[3 + j, 0] * lever[j], xi + row[3 + j, 1] * lever[j]
        yr, yi = yr + row[6 + j, 0] * lever[j], yi + row[6 + j, 1] * lever[j]
    return xr - yi, xi + yr, xr + yi, yr - xi


@njit(cache=True)
def hip_harmonics(ring, end, weights, bin_hz, rate_hz, scratch, out):
    """Stride harmonics of force and of the matrix V of every lane.

    Parameters
    ----------
    ring : float64 array, shape (n, lanes, 10)
        Bins.
    end : int
        One past the last bin; the bin before the first one must be there too.
    weights : float64 array, shape (w,)
        Positive, sum 1.
    bin_hz, rate_hz : float
        Bins and strides a second.
    scratch : tuple of arrays
        Of ``hip_scratch``.
    out : float64 array, shape (lanes, 4, 12, 2)
        Out: lane, harmonic, column, real and imaginary part; V comes multiplied by ``i w_k``. NaN for a lane
        of which a bin is missing.
    """
    n = ring.shape[0]
    w = weights.shape[0]
    columns, turns = scratch[1], scratch[2]
    for i in range(w):
        _turn(2.0 * weights[i], 2.0 * math.pi * rate_hz * i / bin_hz, turns[:, i])
    for lane in range(ring.shape[1]):
        row = (end - w) % n
        for i in range(w):
            here, last = ring[row, lane], ring[row - 1 if row > 0 else n - 1, lane]
            row = row + 1 if row + 1 < n else 0
            _columns_of(here, last, columns[i])
        for group in range(HIP_HARMONICS // LANES):
            omega = 2.0 * math.pi * rate_hz * (group * LANES + ladder() + 1.0)
            for c in range(HIP_COLUMNS):
                re, im = _sum_of_turned(columns, c, turns, group)
                if c < 3:
                    scatter(out[lane], group, c, 0, re)
                    scatter(out[lane], group, c, 1, im)
                else:
                    scatter(out[lane], group, c, 0, -omega * im)
                    scatter(out[lane], group, c, 1, omega * re)


@njit(cache=True)
def _turn(weight, angle, turns):
    """Cosines and sines (2, harmonics) of the harmonics of an angle, weighted."""
    c1, s1 = math.cos(angle), math.sin(angle)
    c, s = weight * c1, weight * s1
    for k in range(HIP_HARMONICS):
        turns[0, k], turns[1, k] = c, s
        c, s = c * c1 - s * s1, c * s1 + s * c1


@njit(cache=True)
def _sum_of_turned(columns, c, turns, group):
    """Real and imaginary part of a column's harmonics, side by side."""
    re, im = 0.0 * ladder(), 0.0 * ladder()
    for i in range(columns.shape[0]):
        x = columns[i, c]
        re = re + x * along(turns[0, i], group * LANES)
        im = im - x * along(turns[1, i], group * LANES)
    return re, im


@njit(cache=True)
def _columns_of(here, last, out):
    """Force and V (12,) of one bin."""
    # Half way between the orientations at the bin's two ends.
    sign = 1.0
    if here[0] * last[0] + here[1] * last[1] + here[2] * last[2] + here[3] * last[3] < 0.0:
        sign = -1.0
    qw, qx, qy, qz = normalize(
        here[0] + sign * last[0],
        here[1] + sign * last[1],
        here[2] + sign * last[2],
        here[3] + sign * last[3],
    )
    gx, gy, gz = here[4], here[5], here[6]
    out[0], out[1], out[2] = rotate(qw, qx, qy, qz, here[7], here[8], here[9])
    # Columns of V: the rate crossed with each axis of the sensor, turned into the earth frame.
    out[3], out[6], out[9] = rotate(qw, qx, qy, qz, 0.0, gz, -gy)
    out[4], out[7], out[10] = rotate(qw, qx, qy, qz, -gz, 0.0, gx)
    out[5], out[8], out[11] = rotate(qw, qx, qy, qz, gy, -gx, 0.0)
