"""The forward half of the smoothed basis: samples to epochs. Equations: ``orientation_kalman``.

Where all sensors send and none begins or ends an epoch, they are integrated side by side in lanes; a sample
at which something happens to one of them is taken sensor by sensor, by the same functions.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from latemiles.kernels.course import COURSE_FIELDS, follow_course
from latemiles.kernels.lanes import (
    LANES,
    all_of,
    enter,
    fields,
    gather,
    leave,
    mask_of,
    scatter,
    select,
)
from latemiles.kernels.orientation_kalman import N, fill_transition, forget, measure_epoch, propagate
from latemiles.kernels.orientation_shared import (
    ACC_CLIPPED,
    GYR_CLIPPED,
    REST_FIELDS,
    SMALLEST_ACC,
    clear_rest,
    detect_rest,
    is_usable,
)
from latemiles.kernels.quaternion import (
    exp_rotation,
    min_rotation,
    multiply,
    normalize,
    rotate,
    rotation_matrix,
)

__all__ = ["SMOOTHER", "SMOOTHER_COEFFICIENTS", "close_open", "forward", "new_smoother"]

SMOOTHER = np.dtype(
    (
        np.record,
        [
            ("quat", np.float64, (4,)),  # sensor to earth as integrated
            ("bias", np.float64, (3,)),  # rad/s, and the next: what the error state is relative to
            ("velocity", np.float64, (2,)),  # m/s
            ("cov", np.float64, (N, N)),  # of the error state at the start of the open epoch
            ("last_gyr", np.float64, (3,)),  # rad/s
            ("force_sum", np.float64, (3,)),  # m/s: integral of force over the epoch so far
            ("velocity_sum", np.float64, (3,)),  # m: integral of that
            ("turn_sum", np.float64, (9,)),  # s: integral of R
            ("gyr_sum", np.float64, (3,)),  # rad
            *REST_FIELDS,
            *COURSE_FIELDS,
            ("age", np.float64),  # s since the last long hole
            ("hole", np.float64),  # s without an open epoch
            ("start", np.int64),  # sample index: first of the open epoch
            ("end", np.int64),  # first after it
            ("is_open", np.int64),
            ("weight", np.float64),  # samples in it, bridged ones counted
            ("quiet", np.float64),  # samples in it at rest
            ("acc_clipped", np.float64),
            ("gyr_clipped", np.float64),
            ("level", np.float64),  # 1: the open epoch follows a long hole; its mean force will level it
            ("missing", np.float64),  # samples since the last good one
        ],
    )
)
"""Forward state of one sensor; in lanes only its floats are used."""

SMOOTHER_COEFFICIENTS = np.dtype(
    (
        np.record,
        [
            ("dt", np.float64),
            ("rest_tau", np.float64),
            ("rest_b0", np.float64),
            ("rest_a1", np.float64),
            ("rest_a2", np.float64),
            ("rest_min", np.float64),
            ("rest_gyr_squared", np.float64),
            ("rest_acc_squared", np.float64),
            ("bias_clip", np.float64),
            ("tilt_init", np.float64),  # variances: rad^2
            ("velocity_init", np.float64),  # (m/s)^2
            ("bias_init", np.float64),  # (rad/s)^2, also what the bias wanders within
            ("tilt_noise", np.float64),  # rad^2/s
            ("force_noise", np.float64),  # (m/s)^2/s
            ("bias_tau", np.float64),  # s
            ("velocity_spread", np.float64),  # (m/s)^2 s: variance of mean velocity over T is this over T
            ("velocity_spread_rest", np.float64),
            ("rate_spread_rest", np.float64),  # (rad/s)^2 s
            ("acc_clip_noise", np.float64),  # (m/s)^2 a clipped sample
            ("gyr_clip_noise", np.float64),  # rad^2 a clipped sample
            ("settling", np.float64),  # s
            ("course_gain", np.float64),  # of the low-passes of the direction of progression
            ("hold_samples", np.float64),
            ("epoch_samples", np.int64),
        ],
    )
)
"""What parameters and rate come down to; made by ``estimators.orientation_smoothed``."""


def new_smoother(lanes, coefficients):
    """State of ``lanes`` sensors that have not seen a sample: array of ``SMOOTHER``, shape (lanes,)."""
    state = np.zeros(lanes, dtype=SMOOTHER)
    state["quat"][:, 0] = 1.0
    for j in range(3):
        state["cov"][:, 4 + j, 4 + j] = coefficients["bias_init"]
    # Nothing was heard before the first sample: it starts like one after a long hole.
    state["missing"] = coefficients["hold_samples"] + 1
    return state


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
    clear_rest(st, True)
    for j in range(4):
        for i in range(N):
            st.cov[i, j] = 0.0
            st.cov[j, i] = 0.0
    forget(st, co, math.exp(-st.hole / co.bias_tau))
    st.cov[0, 0] = co.tilt_init
    st.cov[1, 1] = co.tilt_init
    st.cov[2, 2] = co.velocity_init
    st.cov[3, 3] = co.velocity_init
    st.velocity[0] = 0.0
    st.velocity[1] = 0.0


@njit(cache=True)
def _bridge(st, co, gx, gy, gz):
    # Over a short hole the rate is taken to change linearly between its two ends, the force to stand.
    q, b, g = st.quat, st.bias, st.last_gyr
    span = co.dt * st.missing
    dw, dx, dy, dz = exp_rotation(
        (0.5 * (gx + g[0]) - b[0]) * span,
        (0.5 * (gy + g[1]) - b[1]) * span,
        (0.5 * (gz + g[2]) - b[2]) * span,
    )
    q[0], q[1], q[2], q[3] = multiply(q[0], q[1], q[2], q[3], dw, dx, dy, dz)


@njit(cache=True, forceinline=True)
def _integrate(st, co, gx, gy, gz, ax, ay, az, pace, gained):
    q = st.quat
    b = st.bias
    dt = co.dt
    dw, dx, dy, dz = exp_rotation((gx - b[0]) * dt, (gy - b[1]) * dt, (gz - b[2]) * dt)
    w, x, y, z = multiply(q[0], q[1], q[2], q[3], dw, dx, dy, dz)
    # One Newton step of 1/sqrt about 1: exact to rounding for a product of unit quaternions.
    k = 1.5 - 0.5 * (w * w + x * x + y * y + z * z)
    w, x, y, z = w * k, x * k, y * k, z * k
    q[0], q[1], q[2], q[3] = w, x, y, z
    span = dt * (1.0 + st.missing)
    r0, r1, r2, r3, r4, r5, r6, r7, r8 = rotation_matrix(w, x, y, z)
    f, v = st.force_sum, st.velocity_sum
    f[0] += (r0 * ax + r1 * ay + r2 * az) * span
    f[1] += (r3 * ax + r4 * ay + r5 * az) * span
    f[2] += (r6 * ax + r7 * ay + r8 * az) * span
    if math.isfinite(pace):
        # What is left of the velocity is the body part's against the runner's.
        ux, uy = follow_course(st, co.course_gain, w, x, y, z, pace, gained)
        has_heading = st.level < 1.0
        st.on_course = select(has_heading, st.on_course, 0.0)
        f[0] -= select(has_heading, ux, 0.0)
        f[1] -= select(has_heading, uy, 0.0)
    else:
        st.on_course = 0.0
    v[0] += f[0] * span
    v[1] += f[1] * span
    v[2] += f[2] * span
    g, t = st.gyr_sum, st.turn_sum
    g[0] += gx * span
    g[1] += gy * span
    g[2] += gz * span
    t[0] += r0 * span
    t[1] += r1 * span
    t[2] += r2 * span
    t[3] += r3 * span
    t[4] += r4 * span
    t[5] += r5 * span
    t[6] += r6 * span
    t[7] += r7 * span
    t[8] += r8 * span
    weight = 1.0 + st.missing
    st.weight += weight
    st.quiet += weight * st.rest
    st.missing = 0.0
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
def _close(st, co, end, base, before, quat, epochs, counts, lane):
    if st.level > 0.0:
        _level(st, end, base, before[lane], quat[lane])
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
def _take(st, co, gyr, acc, quality, pace, gained, i, base, before, quat, rest, epochs, counts, lane):
    # Sample i of one lane, whatever it is.
    p = i - base
    gx, gy, gz = gyr[lane, p, 0], gyr[lane, p, 1], gyr[lane, p, 2]
    ax, ay, az = acc[lane, p, 0], acc[lane, p, 1], acc[lane, p, 2]
    if not is_usable(gx, gy, gz, ax, ay, az):
        st.missing += 1.0
        rest[lane, p, 0] = 0.0
        for j in range(4):
            quat[lane, p, j] = math.nan
        if st.missing > co.hold_samples:
            if st.is_open == 1:
                _close(st, co, i + 1 - int(st.missing), base, before, quat, epochs, counts, lane)
            st.hole += co.dt
        return
    if st.missing > co.hold_samples:
        _open_after_hole(st, co, i)
        st.missing = 0.0
    elif st.is_open == 0:
        _open(st, co, i - int(st.missing))
    detect_rest(st, co, gx, gy, gz, ax, ay, az)
    if st.missing > 0.0:
        _bridge(st, co, gx, gy, gz)
    _integrate(st, co, gx, gy, gz, ax, ay, az, pace, gained)
    for j in range(4):
        quat[lane, p, j] = st.quat[j]
    rest[lane, p, 0] = st.rest
    st.acc_clipped += select((quality[lane, p] & ACC_CLIPPED) != 0, 1.0, 0.0)
    st.gyr_clipped += select((quality[lane, p] & GYR_CLIPPED) != 0, 1.0, 0.0)
    if i + 1 >= st.end:
        _close(st, co, i + 1, base, before, quat, epochs, counts, lane)


@njit(cache=True)
def _quiet_until(states, first_lane, stop_lane, i):
    # Up to where all these lanes go on as they are, if samples are good; i if one does not.
    until = states[first_lane].end
    for lane in range(first_lane, stop_lane):
        st = states[lane]
        if st.is_open == 0 or st.missing > 0.0:
            return i
        until = min(until, st.end)
    return until


@njit(cache=True)
def _take_together(groups, group, co, gyr, acc, quality, told, first, base, i, until, quat, rest):
    # Samples from i on of a group's lanes at once; returns the first one that is not good in all.
    st = fields(groups, 0, SMOOTHER)
    is_told = told.shape[1] > 0
    for p in range(i - base, until - base):
        gx, gy, gz = gather(gyr, group, p, 0), gather(gyr, group, p, 1), gather(gyr, group, p, 2)
        ax, ay, az = gather(acc, group, p, 0), gather(acc, group, p, 1), gather(acc, group, p, 2)
        if not all_of(is_usable(gx, gy, gz, ax, ay, az)):
            return p + base
        detect_rest(st, co, gx, gy, gz, ax, ay, az)
        at = p + base - first
        pace, gained = (told[0, at], told[1, at]) if is_told else (math.nan, 0.0)
        _integrate(st, co, gx, gy, gz, ax, ay, az, pace, gained)
        q = st.quat
        for j in range(4):
            scatter(quat, group, p, j, q[j])
        scatter(rest, group, p, 0, st.rest)
        acc_clipped, gyr_clipped = 0, 0
        for k in range(LANES):
            flags = quality[min(group * LANES + k, quality.shape[0] - 1), p]
            if flags & (ACC_CLIPPED | GYR_CLIPPED):
                acc_clipped |= ((flags & ACC_CLIPPED) // ACC_CLIPPED) << k
                gyr_clipped |= ((flags & GYR_CLIPPED) // GYR_CLIPPED) << k
        if acc_clipped | gyr_clipped:
            st.acc_clipped += select(mask_of(acc_clipped), 1.0, 0.0)
            st.gyr_clipped += select(mask_of(gyr_clipped), 1.0, 0.0)
    return until


@njit(cache=True)
def forward(
    states, flat, groups, co, gyr, acc, quality, told, base, first, stop, before, quat, rest, epochs, counts
):
    """Take samples ``first`` to ``stop`` of each lane through the forward filter.

    Parameters
    ----------
    states : array of SMOOTHER, shape (lanes,)
        Changed in place.
    flat : float64 array, shape (lanes, words)
        The same memory.
    groups : float64 array, shape (1, words, LANES)
        Work space.
    co : record of SMOOTHER_COEFFICIENTS
    gyr, acc : float64 arrays, shape (lanes, n, 3)
        Buffers whose row 0 is sample ``base``; rad/s and m/s^2.
    quality : int64 array, shape (lanes, n)
    told : float64 array, shape (2, stop - first), or (2, 0) if nothing is told
        Speed over ground, m/s (NaN while unknown), and what of it was gained since the sample before.
    base, first, stop : int
        Sample numbers since the stream began.
    before : float64 array, shape (lanes, m, 4)
        ``quat`` of the m samples before ``base``.
    quat : float64 array, shape (lanes, n, 4)
        Out: orientation as integrated, NaN in a hole.
    rest : float64 array, shape (lanes, n, 1)
        Out: 1 at rest.
    epochs : array of EPOCH, shape (lanes, e)
        Out: epochs that ended are appended.
    counts : int64 array, shape (lanes,)
        How many epochs each lane has.
    """
    lanes = gyr.shape[0]
    for group in range(-(-lanes // LANES)):
        one, beyond = group * LANES, min(lanes, (group + 1) * LANES)
        i = first
        while i < stop:
            pace, gained = math.nan, 0.0
            if told.shape[1] > 0:
                pace, gained = told[0, i - first], told[1, i - first]
            for lane in range(one, beyond):
                st = states[lane]
                _take(
                    st, co, gyr, acc, quality, pace, gained, i, base, before, quat, rest, epochs, counts, lane
                )
            i += 1
            until = min(stop, _quiet_until(states, one, beyond, i))
            if until > i:
                enter(flat, groups, group)
                i = _take_together(
                    groups, group, co, gyr, acc, quality, told, first, base, i, until, quat, rest
                )
                leave(flat, groups, group)
                for lane in range(one, beyond):
                    st = states[lane]
                    if i >= st.end:
                        _close(st, co, i, base, before, quat, epochs, counts, lane)


@njit(cache=True)
def close_open(states, co, base, before, quat, epochs, counts, stop):
    """End the open epochs at the end of the stream, sample ``stop``; arguments as for ``forward``."""
    for lane in range(quat.shape[0]):
        st = states[lane]
        if st.is_open == 1:
            _close(st, co, stop - int(st.missing), base, before, quat, epochs, counts, lane)
