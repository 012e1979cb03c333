"""The last half of the smoothed basis: smoothed epochs to samples. Equations: ``orientation_kalman``.

Samples of one sensor that follow each other lie side by side in lanes here: with the epochs known, none
depends on another.
"""

from __future__ import annotations

import math

from numba import njit

from latemiles.kernels.lanes import LANES, gather, ladder, scatter
from latemiles.kernels.orientation_kalman import dot
from latemiles.kernels.orientation_shared import GAP, SETTLING
from latemiles.kernels.quaternion import exp_rotation, multiply

__all__ = ["render", "rest_from_its_start"]


@njit(cache=True)
def _fill(quat, bias, quality, first, stop):
    # Samples that no epoch holds.
    for i in range(first, stop):
        quality[i] |= GAP
        for j in range(4):
            quat[i, 0, j] = math.nan
        for j in range(3):
            bias[i, 0, j] = math.nan


@njit(cache=True)
def _turn(quat, u_first, u_step, x0, x1, end_x, end_y, turned, cos, sin):
    # All of ``quat`` (m, 1, 4), from one epoch: tilt and heading change evenly over it.
    m = quat.shape[0]
    for group in range(-(-m // LANES)):
        u = (min(group * LANES + ladder(), m - 1.0) + u_first) / u_step
        dw, dx, dy, dz = exp_rotation(x0 + u * (end_x - x0), x1 + u * (end_y - x1), 0.0 * u)
        w, x, y, z = multiply(
            dw,
            dx,
            dy,
            dz,
            gather(quat, group, 0, 0),
            gather(quat, group, 0, 1),
            gather(quat, group, 0, 2),
            gather(quat, group, 0, 3),
        )
        # A small turn by series: no libm in the loop.
        hw, _, _, hz = exp_rotation(0.0 * u, 0.0 * u, u * turned)
        hw, hz = cos * hw - sin * hz, sin * hw + cos * hz
        scatter(quat, group, 0, 0, hw * w - hz * z)
        scatter(quat, group, 0, 1, hw * x - hz * y)
        scatter(quat, group, 0, 2, hw * y + hz * x)
        scatter(quat, group, 0, 3, hw * z + hz * w)


@njit(cache=True)
def render(epochs, count, co, smooth, heading, first, quat, bias, quality):
    """Orientation of samples of one lane from the smoothed error states.

    Parameters
    ----------
    epochs : array of EPOCH, shape (e,)
    count : int
        How many there are.
    co : record of SMOOTHER_COEFFICIENTS
    smooth : float64 array, shape (e, N)
        From ``backward``.
    heading : float
        What smoothing has added to the heading up to the start of the first epoch, rad.
    first : int
        Number since the stream began of the first sample.
    quat : float64 array, shape (n, 1, 4)
        In: as integrated. Out: smoothed, NaN in a hole.
    bias : float64 array, shape (n, 1, 3)
        Out.
    quality : int64 array, shape (n,)
        In: the bits so far. Out: with GAP and SETTLING.

    Returns
    -------
    done : int
        Epochs that lie wholly in these samples or before.
    heading : float
        As the argument, for the epochs after those.
    """
    n = quat.shape[0]
    done, at = 0, 0
    carried = heading
    for k in range(count):
        ep = epochs[k]
        x = smooth[k]
        is_last = k + 1 == count or epochs[k + 1].restarts == 1
        end_x = dot(ep.transition[0], x) if is_last else ep.shift[0] + smooth[k + 1, 0]
        end_y = dot(ep.transition[1], x) if is_last else ep.shift[1] + smooth[k + 1, 1]
        turned = dot(ep.transition[4], x)
        last = k
        while last + 1 < count and epochs[last + 1].restarts == 0 and epochs[last].age < co.settling:
            last += 1
        settling = SETTLING if epochs[last].age < co.settling else 0
        a, b = max(0, ep.start - first), min(n, ep.end - first)
        if a < b:
            _fill(quat, bias, quality, at, a)
            cos, sin = math.cos(0.5 * heading), math.sin(0.5 * heading)
            offset = float(a + first + 1 - ep.start)
            _turn(quat[a:b], offset, float(ep.end - ep.start), x[0], x[1], end_x, end_y, turned, cos, sin)
            b0, b1, b2 = ep.bias[0] + x[4], ep.bias[1] + x[5], ep.bias[2] + x[6]
            for i in range(a, b):
                bias[i, 0, 0], bias[i, 0, 1], bias[i, 0, 2] = b0, b1, b2
                quality[i] |= settling | (GAP if math.isnan(quat[i, 0, 0]) else 0)
            at = b
        heading += turned
        if ep.end <= first + n:
            done = k + 1
            carried = heading
        if ep.start >= first + n:
            break
    _fill(quat, bias, quality, at, n)
    return done, carried


@njit(cache=True)
def rest_from_its_start(rest, after, n, quat, out):
    """Write rest of samples as 0 or 1 to ``out`` (m,): also of the n whose quiet made one rest.

    Rest is noticed after it has lasted; who knows the future may say so from its start. ``rest`` (m, 1) is as
    noticed, ``after`` (l, 1) the samples that follow; a hole of ``quat`` (m, 1, 4) has none.
    """
    m = rest.shape[0]
    left = 0
    for i in range(min(n, after.shape[0]) - 1, -1, -1):
        was = after[i - 1, 0] if i > 0 else rest[m - 1, 0]
        if after[i, 0] > was:
            left = n - 1 - i
    for i in range(m - 1, -1, -1):
        if rest[i, 0] > 0.0 and (i == 0 or rest[i - 1, 0] == 0.0):
            left = n
        is_rest = (rest[i, 0] > 0.0 or left > 0) and not math.isnan(quat[i, 0, 0])
        out[i] = 1 if is_rest else 0
        left = max(left - 1, 0)
