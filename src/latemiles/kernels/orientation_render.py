"""The last half of the smoothed basis: smoothed epochs to samples. Equations: ``orientation_kalman``.

Samples of one sensor that follow each other lie side by side in lanes here: with the epochs known, none
depends on another.
"""

from __future__ import annotations

import math

from latemiles.kernels.jit import njit
from latemiles.kernels.lanes import LANES, gather_four, ladder, scatter_four
from latemiles.kernels.orientation_kalman import backward, dot
from latemiles.kernels.orientation_shared import GAP, SETTLING
from latemiles.kernels.orientation_smoother import named
from latemiles.kernels.quaternion import exp_rotation, multiply, of_half

__all__ = ["finish", "render", "rest_from_its_start"]


@njit(cache=True)
def _fill(quat, bias, quality, out, first, stop):
    # Samples that no epoch holds.
    for i in range(first, stop):
        out[i] = quality[i] | GAP
        for j in range(4):
            quat[i, 0, j] = math.nan
        for j in range(3):
            bias[i, 0, j] = math.nan


@njit(cache=True)
def _correction(heading, tilt_x, tilt_y):
    cos, sin = math.cos(0.5 * heading), math.sin(0.5 * heading)
    return multiply(cos, 0.0, 0.0, sin, *exp_rotation(tilt_x, tilt_y, 0.0))


@njit(cache=True)
def _turn(quat, u_first, u_step, begin, end):
    # All of ``quat`` (m, 1, 4), from one epoch: its correction goes evenly from ``begin`` to ``end``, by
    # slerp (Shoemake 1985): cos(u h / 2) begin + sin(u h / 2) side, h the angle of the turn between them.
    same = begin[0] * end[0] + begin[1] * end[1] + begin[2] * end[2] + begin[3] * end[3]
    sign = 1.0 if same >= 0.0 else -1.0
    ew, ex, ey, ez = sign * end[0], sign * end[1], sign * end[2], sign * end[3]
    dw, dx, dy, dz = ew - begin[0], ex - begin[1], ey - begin[2], ez - begin[3]
    # The angle by its chord, which has all digits where it is small.
    chord = math.sqrt(dw * dw + dx * dx + dy * dy + dz * dz)
    h = 4.0 * math.asin(min(0.5 * chord, 1.0))
    cos, sinc = of_half(h * h)
    # ``side`` times h.
    sw, sx = (ew - cos * begin[0]) / sinc, (ex - cos * begin[1]) / sinc
    sy, sz = (ey - cos * begin[2]) / sinc, (ez - cos * begin[3]) / sinc
    step = 1.0 / u_step
    m = quat.shape[0]
    for group in range(-(-m // LANES)):
        u = (min(group * LANES + ladder(), m - 1.0) + u_first) * step
        uh = u * h
        c, k = of_half(uh * uh)
        k = k * u
        w, x, y, z = multiply(
            c * begin[0] + k * sw,
            c * begin[1] + k * sx,
            c * begin[2] + k * sy,
            c * begin[3] + k * sz,
            *gather_four(quat, group, 0),
        )
        scatter_four(quat, group, 0, w, x, y, z)


@njit(cache=True)
def _tell(quat, b0, b1, b2, settling, bias, quality, out):
    for i in range(out.size):
        bias[i, 0, 0], bias[i, 0, 1], bias[i, 0, 2] = b0, b1, b2
        out[i] = quality[i] | settling | (GAP if math.isnan(quat[i, 0, 0]) else 0)


@njit(cache=True)
def render(epochs, count, co, smooth, heading, first, quat, bias, quality, out):
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
    quality, out : int64 arrays, shape (n,)
        The bits so far; out with GAP and SETTLING.

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
            _fill(quat, bias, quality, out, at, a)
            begin = _correction(heading, x[0], x[1])
            end = _correction(heading + turned, end_x, end_y)
            _turn(quat[a:b], float(a + first + 1 - ep.start), float(ep.end - ep.start), begin, end)
            b0, b1, b2 = ep.bias[0] + x[4], ep.bias[1] + x[5], ep.bias[2] + x[6]
            _tell(quat[a:b], b0, b1, b2, settling, bias[a:b], quality[a:b], out[a:b])
            at = b
        heading += turned
        if ep.end <= first + n:
            done = k + 1
            carried = heading
        if ep.start >= first + n:
            break
    _fill(quat, bias, quality, out, at, n)
    return done, carried


@njit(cache=True)
def rest_from_its_start(rest, after, n, out):
    """Write rest of samples as 0 or 1 to ``out`` (m,): also of the n whose quiet made one rest.

    Rest is noticed after it has lasted; who knows the future may say so from its start. ``rest`` (m,) is as
    noticed, ``after`` (l,) the samples that follow; a hole (-1) has none.
    """
    m = rest.size
    for i in range(m):
        out[i] = 1 if rest[i] > 0 else 0
    last = rest[m - 1]
    for i in range(min(n, after.size)):
        if after[i] > 0 and last <= 0:
            _fill_rest(rest, max(0, m + i - n + 1), m, out)
        last = after[i]
    for i in range(1, m):
        if rest[i] > 0 and rest[i - 1] <= 0:
            _fill_rest(rest, max(0, i - n + 1), i, out)


@njit(cache=True)
def _fill_rest(rest, first, stop, out):
    for i in range(first, stop):
        out[i] = 1 if rest[i] >= 0 else 0


@njit(cache=True)
def finish(epochs, counts, co, work, heading, first, part, after, n, bias, rest, quality):
    """Smooth samples of all lanes, given what is known of the time after them, and let go of their epochs.

    Parameters
    ----------
    epochs : array of EPOCH, shape (lanes, e)
        Those that end in these samples are taken out.
    counts : int64 array, shape (lanes,)
        How many there are; changed.
    co : record of SMOOTHER_COEFFICIENTS
    work : float64 array, shape (e + 2, N)
        Work space.
    heading : float64 array, shape (lanes,)
        As for ``render``; changed.
    first : int
        Number since the stream began of the first sample.
    part, after : tuple
        The arrays of ``Samples`` of these m, whose ``quat`` is smoothed in place, and of those after them.
    n : int
        Samples of quiet that make one of rest.
    bias : float64 array, shape (lanes, m, 3)
        Out.
    rest, quality : int64 arrays, shape (lanes, m)
        Out: 1 at rest, and bits as ``render`` says.
    """
    now, later = named(part), named(after)
    m = rest.shape[1]
    for lane in range(counts.size):
        own, count = epochs[lane], counts[lane]
        quat, smooth = now.quat[lane].reshape(m, 1, 4), work[2:]
        backward(own, count, smooth, work[:2])
        done, heading[lane] = render(
            own,
            count,
            co,
            smooth,
            heading[lane],
            first,
            quat,
            bias[lane].reshape(m, 1, 3),
            now.quality[lane],
            quality[lane],
        )
        rest_from_its_start(now.rest[lane], later.rest[lane], n, rest[lane])
        for k in range(count - done):
            own[k] = own[done + k]
        counts[lane] = count - done
