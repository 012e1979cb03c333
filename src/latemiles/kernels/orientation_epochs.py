"""The forward half of the smoothed basis: samples to epochs. Equations: ``orientation_kalman``.

Stretches of good samples within an epoch are integrated by ``orientation_parts``; a sample after a hole, and
what of a stretch does not divide into parts, is taken alone.
"""

from __future__ import annotations

import math

from latemiles.kernels.course import follow_course
from latemiles.kernels.jit import njit
from latemiles.kernels.orientation_kalman import N, fill_transition, forget, measure_epoch, propagate
from latemiles.kernels.orientation_parts import PARTS, integrate_parts, take_off_course
from latemiles.kernels.orientation_rest import follow_rest
from latemiles.kernels.orientation_shared import ACC_CLIPPED, GYR_CLIPPED, SMALLEST_ACC
from latemiles.kernels.orientation_smoother import named
from latemiles.kernels.quaternion import (
    exp_rotation,
    min_rotation,
    multiply,
    normalize,
    rotate,
    rotation_matrix,
)

__all__ = ["close_open", "take_in"]


@njit(cache=True)
def _open(st, co, index):
    st.is_open = 1
    st.start = index
    st.end = (index // co.epoch_samples + 1) * co.epoch_samples
    st.level = 0.0
    st.weight = 0.0
    st.quiet = 0.0
    st.acc_clipped = 0.0
    st.gyr_clipped = 0.0
    for j in range(3):
        st.force_sum[j] = 0.0
        st.velocity_sum[j] = 0.0
        st.gyr_sum[j] = 0.0
    for j in range(9):
        st.turn_sum[j] = 0.0


@njit(cache=True)
def _open_after_hole(st, co, index):
    # Tilt and velocity are lost, the bias is not. The epoch is at least one whole epoch long, so that
    # its mean force is worth levelling by.
    _open(st, co, index)
    st.end += co.epoch_samples
    st.level = 1.0
    st.age = 0.0
    st.on_course = 0.0
    for j in range(4):
        for i in range(N):
            st.cov[i, j] = 0.0
            st.cov[j, i] = 0.0
    forget(st, co, math.exp(-st.hole / co.bias_tau))
    st.cov[0, 0] = co.tilt_init
    st.cov[1, 1] = co.tilt_init
    st.cov[2, 2] = co.velocity_init
    st.cov[3, 3] = co.velocity_init
    for j in range(2):
        st.velocity[j] = 0.0
        st.gained[j] = 0.0


BRIDGED = 2.25
"""What the longest bridged hole adds to the tilt's variance, in that of a clipped sample: 1.5 degrees.
The error of a straight line goes with the square of its length."""


@njit(cache=True)
def _bridge(st, co, gx, gy, gz):
    # Over a short hole the rate is taken to change linearly between its two ends, the force to stand.
    q, b, g = st.quat, st.bias, st.last_gyr
    span = co.dt * st.missing
    share = st.missing / co.hold_samples
    st.gyr_clipped += BRIDGED * share * share * share * share
    dw, dx, dy, dz = exp_rotation(
        (0.5 * (gx + g[0]) - b[0]) * span,
        (0.5 * (gy + g[1]) - b[1]) * span,
        (0.5 * (gz + g[2]) - b[2]) * span,
    )
    q[0], q[1], q[2], q[3] = multiply(q[0], q[1], q[2], q[3], dw, dx, dy, dz)


@njit(cache=True)
def _take_one(st, co, gx, gy, gz, ax, ay, az, pace, gained):
    # One good sample; stands for those missing before it too.
    if st.missing > 0.0:
        _bridge(st, co, gx, gy, gz)
    q, b, dt = st.quat, st.bias, co.dt
    dw, dx, dy, dz = exp_rotation((gx - b[0]) * dt, (gy - b[1]) * dt, (gz - b[2]) * dt)
    w, x, y, z = normalize(*multiply(q[0], q[1], q[2], q[3], dw, dx, dy, dz))
    q[0], q[1], q[2], q[3] = w, x, y, z
    span = dt * (1.0 + st.missing)
    r = rotation_matrix(w, x, y, z)
    f, v, g, t = st.force_sum, st.velocity_sum, st.gyr_sum, st.turn_sum
    for j in range(3):
        f[j] += (r[3 * j] * ax + r[3 * j + 1] * ay + r[3 * j + 2] * az) * span
    if math.isfinite(pace) and st.level < 1.0:
        # What is left of the velocity is the body part's against the runner's.
        ux, uy = follow_course(st, co, w, x, y, z, pace, gained)
        f[0] -= ux
        f[1] -= uy
    else:
        st.on_course = 0.0
    g[0] += gx * span
    g[1] += gy * span
    g[2] += gz * span
    for j in range(3):
        v[j] += f[j] * span
    for j in range(9):
        t[j] += r[j] * span
    last = st.last_gyr
    last[0], last[1], last[2] = gx, gy, gz


@njit(cache=True)
def _level(st, end, base, before, quat):
    # The first orientation after a hole is arbitrary; its mean force is up. All sums are linear in it.
    f = st.force_sum
    if f[0] * f[0] + f[1] * f[1] + f[2] * f[2] < SMALLEST_ACC * SMALLEST_ACC:
        return
    w, x, y, z = min_rotation(f[0], f[1], f[2], 0.0, 0.0, 1.0)
    f[0], f[1], f[2] = rotate(w, x, y, z, f[0], f[1], f[2])
    v = st.velocity_sum
    v[0], v[1], v[2] = rotate(w, x, y, z, v[0], v[1], v[2])
    t = st.turn_sum
    for j in range(3):
        t[j], t[3 + j], t[6 + j] = rotate(w, x, y, z, t[j], t[3 + j], t[6 + j])
    for i in range(st.start, end):
        p = quat[i - base] if i >= base else before[i - base + before.shape[0]]
        p[0], p[1], p[2], p[3] = multiply(w, x, y, z, p[0], p[1], p[2], p[3])
    q = st.quat
    q[0], q[1], q[2], q[3] = normalize(*multiply(w, x, y, z, q[0], q[1], q[2], q[3]))


@njit(cache=True)
def _close(st, co, end, base, now, before, epochs, counts, lane):
    if st.level > 0.0:
        _level(st, end, base, before[lane], now.quat[lane])
    ep = epochs[lane, counts[lane]]
    counts[lane] += 1
    ep.start = st.start
    ep.end = end
    ep.restarts = int(st.level)
    ep.hole_decay = math.exp(-st.hole / co.bias_tau)
    st.age += st.weight * co.dt
    ep.age = st.age
    st.hole = 0.0
    measure_epoch(st, co, ep)
    fill_transition(st, ep)
    propagate(st, co, ep)
    st.is_open = 0


@njit(cache=True)
def _count(st, quality, rest):
    # Samples at rest and clipped ones of a stretch without holes.
    quiet, seen = 0, 0
    for p in range(quality.size):
        quiet += rest[p]
        seen |= quality[p]
    st.weight += quality.size
    st.quiet += quiet
    if seen & (ACC_CLIPPED | GYR_CLIPPED):
        for p in range(quality.size):
            st.acc_clipped += 1.0 if quality[p] & ACC_CLIPPED else 0.0
            st.gyr_clipped += 1.0 if quality[p] & GYR_CLIPPED else 0.0


@njit(cache=True)
def _miss(st, co, end, base, now, before, epochs, counts, lane):
    # The sample before ``end`` is a hole.
    st.missing += 1.0
    for j in range(4):
        now.quat[lane, end - 1 - base, j] = math.nan
    if st.missing > co.hold_samples:
        if st.is_open == 1:
            _close(st, co, end - int(st.missing), base, now, before, epochs, counts, lane)
        st.hole += co.dt


@njit(cache=True)
def _count_good(rest):
    # Samples before the first hole.
    for p in range(rest.size):
        if rest[p] < 0:
            return p
    return rest.size


@njit(cache=True)
def _take(st, co, parts, now, lane, a, b, are_whole):
    # Samples a to b of one lane, the first of them good: all up to a hole, side by side, or one alone.
    # Returns where it ends.
    gyr, acc, quat, rest = now.gyr[lane], now.acc[lane], now.quat[lane], now.rest[lane]
    quality, told = now.quality[lane], now.told
    if st.missing == 0.0:
        m = (b - a if are_whole else _count_good(rest[a:b])) // PARTS
        b = a + PARTS * m
        if m > 0:
            integrate_parts(st, co, gyr[a:b], acc[a:b], quat[a:b], parts)
            take_off_course(st, co, told, a, quat[a:b], parts)
            last = st.last_gyr
            last[0], last[1], last[2] = gyr[b - 1, 0], gyr[b - 1, 1], gyr[b - 1, 2]
            _count(st, quality[a:b], rest[a:b])
            return b
    g, f = gyr[a], acc[a]
    _take_one(st, co, g[0], g[1], g[2], f[0], f[1], f[2], told[0, a], told[1, a])
    for j in range(4):
        quat[a, j] = st.quat[j]
    # It was quiet for as long as it stands for.
    st.weight += st.missing
    st.quiet += st.missing * rest[a]
    st.missing = 0.0
    _count(st, quality[a : a + 1], rest[a : a + 1])
    return a + 1


@njit(cache=True)
def _go_on(st, co, parts, now, before, base, i, stop, epochs, counts, lane, are_whole):
    # Samples i to ``stop`` of one lane.
    while i < stop:
        if now.rest[lane, i - base] < 0:
            i += 1
            _miss(st, co, i, base, now, before, epochs, counts, lane)
            continue
        if st.missing > co.hold_samples:
            _open_after_hole(st, co, i)
            st.missing = 0.0
        elif st.is_open == 0:
            _open(st, co, i - int(st.missing))
        i = base + _take(st, co, parts, now, lane, i - base, min(stop, st.end) - base, are_whole)
        if i >= st.end:
            _close(st, co, i, base, now, before, epochs, counts, lane)


@njit(cache=True)
def _forward(states, quiet, co, parts, now, before, base, first, stop, epochs, counts):
    are_whole = follow_rest(quiet, co, now.gyr, now.acc, first - base, stop - base, now.rest)
    for lane in range(counts.size):
        _go_on(states[lane], co, parts, now, before, base, first, stop, epochs, counts, lane, are_whole)


@njit(cache=True)
def _copy(old, new):
    # Flat, and from 0 on: the compiler then knows that no index is negative, and moves whole vectors.
    x, y = old.reshape(-1), new.reshape(-1)
    for j in range(y.size):
        y[j] = x[j]


@njit(cache=True)
def take_in(
    states,
    quiet,
    co,
    parts,
    gyr,
    acc,
    quality,
    at,
    now,
    before,
    base,
    done,
    first,
    stop,
    flush,
    epochs,
    counts,
):
    """Take samples ``first`` to ``stop`` of each lane in, and whole seconds of them through the filter.

    What has to be copied is copied second by second, and filtered while it is in the nearest cache.

    Parameters
    ----------
    states : array of SMOOTHER, shape (lanes,)
        Changed in place.
    quiet : float64 array, shape (groups + 2, words, LANES)
        ``REST`` of the same lanes from ``lanes.pack``; changed in place.
    co : record of SMOOTHER_COEFFICIENTS
    parts : float64 array, shape (PARTS, 1, PART_WORDS)
        Work space.
    gyr, acc, quality : arrays, shape (lanes, k, 3) and (lanes, k)
        What came in; row ``at`` is sample ``first``.
    at : int
        -1: the samples are in ``now`` already.
    now : tuple
        The arrays of ``Samples``, the first row sample ``base``. ``told`` is given, ``quat`` and ``rest`` are
        written.
    before : float64 array, shape (lanes, m, 4)
        ``quat`` of the m samples before ``base``.
    base : int
        Samples are numbered since the stream began.
    done : int
        First sample that the filter has not taken.
    first, stop : int
    flush : bool
        Take the last second through the filter though it is not whole.
    epochs : array of EPOCH, shape (lanes, e)
        Out: epochs that ended are appended.
    counts : int64 array, shape (lanes,)
        How many epochs each lane has.

    Returns
    -------
    int
        ``done`` afterwards.
    """
    per = co.epoch_samples
    held = named(now)
    i = first
    while i < stop:
        until = min(stop, (i // per + 1) * per)
        if at >= 0:
            a, b = at + i - first, at + until - first
            c, d = i - base, until - base
            for lane in range(counts.size):
                _copy(gyr[lane, a:b], held.gyr[lane, c:d])
                _copy(acc[lane, a:b], held.acc[lane, c:d])
                _copy(quality[lane, a:b], held.quality[lane, c:d])
        i = until
        if until % per == 0 or (flush and until == stop):
            _forward(states, quiet, co, parts, held, before, base, done, until, epochs, counts)
            done = until
    return done


@njit(cache=True)
def close_open(states, co, now, before, base, epochs, counts, stop):
    """End the open epochs at the end of the stream, sample ``stop``; arguments as for ``take_in``."""
    held = named(now)
    for lane in range(counts.size):
        st = states[lane]
        if st.is_open == 1:
            _close(st, co, stop - int(st.missing), base, held, before, epochs, counts, lane)
