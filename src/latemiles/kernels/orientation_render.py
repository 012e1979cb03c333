"""The last half of the smoothed basis: smoothed epochs to samples. Equations: ``orientation_kalman``."""

from __future__ import annotations

import math

from numba import njit

from latemiles.kernels.orientation_kalman import dot
from latemiles.kernels.orientation_shared import GAP, SETTLING
from latemiles.kernels.quaternion import exp_rotation, multiply

__all__ = ["quiet_before", "render"]


@njit(cache=True)
def render(epochs, count, co, smooth, heading, base, first, stop, quat, quat_out, bias_out, quality_out):
    """Orientation of samples ``first`` to ``stop`` of one lane from the smoothed error states.

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
    base, first, stop : int
        Sample numbers since the stream began.
    quat : float64 array, shape (n, 4)
        As integrated; row 0 is sample ``base``.
    quat_out, bias_out, quality_out : arrays, shape (stop - first, 4), (stop - first, 3), (stop - first,)
        Out; ``quality_out`` holds the bits so far and gains GAP and SETTLING.

    Returns
    -------
    done : int
        Epochs that lie wholly before ``stop``.
    heading : float
        As the argument, for the epochs after those.
    """
    for i in range(stop - first):
        if math.isnan(quat[first - base + i, 0]):
            quality_out[i] |= GAP
        for j in range(4):
            quat_out[i, j] = math.nan
        for j in range(3):
            bias_out[i, j] = math.nan
    done = 0
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
        cos, sin = math.cos(0.5 * heading), math.sin(0.5 * heading)
        settling = SETTLING if epochs[last].age < co.settling else 0
        for i in range(max(first, ep.start), min(stop, ep.end)):
            u = (i + 1 - ep.start) / (ep.end - ep.start)
            dw, dx, dy, dz = exp_rotation(x[0] + u * (end_x - x[0]), x[1] + u * (end_y - x[1]), 0.0)
            q = quat[i - base]
            w, x_, y_, z_ = multiply(dw, dx, dy, dz, q[0], q[1], q[2], q[3])
            o = i - first
            # A small turn by series: no libm in the loop.
            hw, _, _, hz = exp_rotation(0.0, 0.0, u * turned)
            hw, hz = cos * hw - sin * hz, sin * hw + cos * hz
            quat_out[o, 0] = hw * w - hz * z_
            quat_out[o, 1] = hw * x_ - hz * y_
            quat_out[o, 2] = hw * y_ + hz * x_
            quat_out[o, 3] = hw * z_ + hz * w
            for j in range(3):
                bias_out[o, j] = ep.bias[j] + x[4 + j]
            quality_out[o] |= settling
        heading += turned
        if ep.end <= stop:
            done = k + 1
            carried = heading
    return done, carried


@njit(cache=True)
def quiet_before(rest, first, stop, n):
    """Mark in ``rest`` (m,), rows ``first`` to ``stop``, also the n samples whose quiet made it rest.

    Rest is noticed after it has lasted; who knows the future may say so from its start.
    """
    left = 0
    for i in range(stop - 1, first - 1, -1):
        if rest[i] == 1 and (i == 0 or rest[i - 1] == 0):
            left = n
        if left > 0:
            rest[i] = 1
            left -= 1
