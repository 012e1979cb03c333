"""Six-axis orientation, one sample after another: strapdown, gravity in the inertial frame, gyroscope bias.

The algorithm is VQF without magnetometer [1]_; symbols follow the paper. Per sensor:

1. The bias-free angular rate is integrated to ``gyr_quat``, sensor to an *almost inertial* frame that turns
   only with the gyroscope's errors (eq. 2).
2. Specific force is turned into that frame and low-passed there, second-order Butterworth. Motion averages
   out in an inertial frame and gravity stays (section 3.2). The first ``tau`` seconds use the plain mean.
3. ``acc_quat`` follows by the smallest rotation that takes the low-passed force to the vertical (eq. 5).
4. The rate of that correction is what the horizontal gyroscope bias does, seen through the low-pass: a
   Kalman filter on the three biases (section 3.4); at rest the low-passed rate itself is the bias.

The sensors of a runner go side by side, in the lanes of ``kernels.lanes``: a step is written as for one
sensor. State is one record a sensor, nothing is allocated. Holes: see ``is_usable`` and ``_restart``.

References
----------
.. [1] D. Laidig and T. Seel, VQF: Highly accurate IMU orientation estimation with bias estimation and
   magnetic disturbance rejection, Information Fusion 91:187-204, 2023, doi:10.1016/j.inffus.2022.10.014,
   arXiv:2203.17024.
"""

from __future__ import annotations

import math

from latemiles.kernels.course import follow_course
from latemiles.kernels.jit import njit
from latemiles.kernels.lanes import (
    LANES,
    all_of,
    any_of,
    ask_for,
    bits_of,
    fields,
    gather_three,
    keep,
    mask_of,
    put_back,
    scatter,
    scatter_four,
    select,
)
from latemiles.kernels.orientation_bias import prior_information, update_bias
from latemiles.kernels.orientation_shared import (
    ACC_CLIPPED,
    GAP,
    GYR_CLIPPED,
    SETTLING,
    SMALLEST_ACC,
    clear_rest,
    count_average,
    detect_rest,
    is_usable,
    lowpass,
    settle,
)
from latemiles.kernels.orientation_state import COEFFICIENTS, STATE
from latemiles.kernels.quaternion import exp_rotation, multiply, rotate, rotate_inverse, rotation_matrix

__all__ = ["run"]

TICK = 16
"""Samples of a sensor that come at once; of more the processor sees by itself where they lie."""


@njit(cache=True)
def _restart(st, where):
    # After a long hole the orientation is unknown: gravity is averaged afresh. Bias and covariance stay,
    # since a sensor does not forget its bias; the heading is arbitrary from here on.
    clear_rest(st, where)
    st.on_course = select(where, 0.0, st.on_course)
    st.averaged = select(where, 0.0, st.averaged)
    st.resumed = select(where, 1.0, st.resumed)
    st.missing = select(where, 0.0, st.missing)
    for j in range(3):
        st.force_1[j] = select(where, 0.0, st.force_1[j])
        st.force_2[j] = select(where, 0.0, st.force_2[j])
    for j in range(11):
        st.turn_1[j] = select(where, 0.0, st.turn_1[j])
        st.turn_2[j] = select(where, 0.0, st.turn_2[j])


@njit(cache=True, forceinline=True)
def _to_unit(q):
    # One Newton step of 1/sqrt about 1: exact to rounding next to 1. It is taken off the last sample's
    # quaternion, which is there early, so that nothing waits for it; rounding errors stay as small.
    return 1.5 - 0.5 * (q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3])


@njit(cache=True)
def _bridge(st, co, gx, gy, gz):
    # Over a short hole the rate is taken to change linearly between its two ends.
    q, last, bias = st.gyr_quat, st.last_gyr, st.bias
    is_bridged = st.missing > 0.0
    span = 0.5 * co.dt * st.missing
    dw, dx, dy, dz = exp_rotation(
        (gx + last[0] - 2.0 * bias[0]) * span,
        (gy + last[1] - 2.0 * bias[1]) * span,
        (gz + last[2] - 2.0 * bias[2]) * span,
    )
    w, x, y, z = multiply(q[0], q[1], q[2], q[3], dw, dx, dy, dz)
    q[0] = select(is_bridged, w, q[0])
    q[1] = select(is_bridged, x, q[1])
    q[2] = select(is_bridged, y, q[2])
    q[3] = select(is_bridged, z, q[3])


@njit(cache=True, forceinline=True)
def _strapdown(st, co, gx, gy, gz):
    q = st.gyr_quat
    unit = _to_unit(q)
    if any_of(st.missing > 0.0):
        _bridge(st, co, gx, gy, gz)
    bias = st.bias
    dt = co.dt
    dw, dx, dy, dz = exp_rotation((gx - bias[0]) * dt, (gy - bias[1]) * dt, (gz - bias[2]) * dt)
    w, x, y, z = multiply(q[0] * unit, q[1] * unit, q[2] * unit, q[3] * unit, dw, dx, dy, dz)
    q[0] = w
    q[1] = x
    q[2] = y
    q[3] = z
    return w, x, y, z


@njit(cache=True, forceinline=True)
def _mean_force(st, co, fx, fy, fz):
    b0, a1, a2 = co.force_b0, co.force_a1, co.force_a2
    if all_of(st.averaged < 0.0):
        return (
            lowpass(fx, b0, a1, a2, st.force_1, st.force_2, 0),
            lowpass(fy, b0, a1, a2, st.force_1, st.force_2, 1),
            lowpass(fz, b0, a1, a2, st.force_1, st.force_2, 2),
        )
    n, last = count_average(st.averaged, co.dt, co.force_tau)
    return (
        settle(fx, n, last, b0, a1, a2, st.force_1, st.force_2, 0),
        settle(fy, n, last, b0, a1, a2, st.force_1, st.force_2, 1),
        settle(fz, n, last, b0, a1, a2, st.force_1, st.force_2, 2),
    )


@njit(cache=True, forceinline=True)
def _correct_inclination(st, co, fx, fy, fz):
    # Returns the low-passed force in the earth frame before the correction, x and y over its length.
    fx, fy, fz = _mean_force(st, co, fx, fy, fz)
    squared = fx * fx + fy * fy + fz * fz
    smallest = SMALLEST_ACC * SMALLEST_ACC
    is_felt = squared >= smallest
    c = st.acc_quat
    unit = _to_unit(c)
    ex, ey, ez = rotate(c[0], c[1], c[2], c[3], fx, fy, fz)
    n = math.sqrt(max(squared, smallest))
    scale = 1.0 / n
    # The smallest rotation of e to z, times its w and 2 n. Its length is known early, but not to many digits
    # where the two point nearly opposite ways.
    dw, dx, dy = n + ez, ey, -ex
    length = (n + n) * dw
    is_above = ez > 0.0
    if not all_of(is_above):
        has_axis = ez > n * (2e-12 - 1.0)
        dw, dx, dy = select(has_axis, dw, 0.0), select(has_axis, dx, n), select(has_axis, dy, 0.0)
        length = select(is_above, length, dw * dw + dx * dx + dy * dy)
    k = unit / math.sqrt(length)
    ex = ex * scale
    ey = ey * scale
    w, x, y, z = multiply(dw, dx, dy, 0.0, c[0], c[1], c[2], c[3])
    if not all_of(is_felt):
        # Nothing is up: times one, and nothing is added.
        k = select(is_felt, k, 1.0)
        w, x, y, z = (
            select(is_felt, w, c[0]),
            select(is_felt, x, c[1]),
            select(is_felt, y, c[2]),
            select(is_felt, z, c[3]),
        )
        ex, ey = select(is_felt, ex, 0.0), select(is_felt, ey, 0.0)
    c[0] = w * k
    c[1] = x * k
    c[2] = y * k
    c[3] = z * k
    return ex, ey


@njit(cache=True, forceinline=True)
def _mean_turn(st, co, w, x, y, z):
    # Rotation matrix and matrix times bias through the same low-pass as the force, so that the correction
    # rate and what the bias explains of it are seen alike.
    bias = st.bias
    r0, r1, r2, r3, r4, r5, r6, r7, r8 = rotation_matrix(w, x, y, z)
    ex = r0 * bias[0] + r1 * bias[1] + r2 * bias[2]
    ey = r3 * bias[0] + r4 * bias[1] + r5 * bias[2]
    s1, s2 = st.turn_1, st.turn_2
    b0, a1, a2 = co.force_b0, co.force_a1, co.force_a2
    if all_of(st.averaged < 0.0):
        return (
            lowpass(r0, b0, a1, a2, s1, s2, 0),
            lowpass(r1, b0, a1, a2, s1, s2, 1),
            lowpass(r2, b0, a1, a2, s1, s2, 2),
            lowpass(r3, b0, a1, a2, s1, s2, 3),
            lowpass(r4, b0, a1, a2, s1, s2, 4),
            lowpass(r5, b0, a1, a2, s1, s2, 5),
            lowpass(r6, b0, a1, a2, s1, s2, 6),
            lowpass(r7, b0, a1, a2, s1, s2, 7),
            lowpass(r8, b0, a1, a2, s1, s2, 8),
            lowpass(ex, b0, a1, a2, s1, s2, 9),
            lowpass(ey, b0, a1, a2, s1, s2, 10),
        )
    n, last = count_average(st.averaged, co.dt, co.force_tau)
    return (
        settle(r0, n, last, b0, a1, a2, s1, s2, 0),
        settle(r1, n, last, b0, a1, a2, s1, s2, 1),
        settle(r2, n, last, b0, a1, a2, s1, s2, 2),
        settle(r3, n, last, b0, a1, a2, s1, s2, 3),
        settle(r4, n, last, b0, a1, a2, s1, s2, 4),
        settle(r5, n, last, b0, a1, a2, s1, s2, 5),
        settle(r6, n, last, b0, a1, a2, s1, s2, 6),
        settle(r7, n, last, b0, a1, a2, s1, s2, 7),
        settle(r8, n, last, b0, a1, a2, s1, s2, 8),
        settle(ex, n, last, b0, a1, a2, s1, s2, 9),
        settle(ey, n, last, b0, a1, a2, s1, s2, 10),
    )


@njit(cache=True)
def _runner_acceleration(st, co, w, x, y, z, pace, gained):
    # In the almost inertial frame, where the force is averaged.
    c = st.acc_quat
    w, x, y, z = multiply(c[0], c[1], c[2], c[3], w, x, y, z)
    ux, uy = follow_course(st, co, w, x, y, z, pace, gained)
    # While gravity is averaged after a hole, the heading is not one yet.
    has_heading = st.averaged < 0.0
    st.on_course = select(has_heading, st.on_course, 0.0)
    rate = select(has_heading, 1.0 / (co.dt * (1.0 + st.missing)), 0.0)
    return rotate_inverse(c[0], c[1], c[2], c[3], ux * rate, uy * rate, 0.0)


@njit(cache=True, forceinline=True)
def _step(st, co, gx, gy, gz, ax, ay, az, is_clean, pace, gained):
    # One good sample; returns sensor to earth.
    is_lost = st.missing > co.hold_samples
    if any_of(is_lost):
        _restart(st, is_lost)
    # What waits for nothing stands where the rest has to wait: processors look only so far ahead for work.
    prior = prior_information(st, co)
    w, x, y, z = _strapdown(st, co, gx, gy, gz)
    fx, fy, fz = rotate(w, x, y, z, ax, ay, az)
    if math.isfinite(pace):
        rx, ry, rz = _runner_acceleration(st, co, w, x, y, z, pace, gained)
        fx = fx - rx
        fy = fy - ry
        fz = fz - rz
    else:
        st.on_course = 0.0
    st.missing = 0.0
    st.last_gyr[0] = gx
    st.last_gyr[1] = gy
    st.last_gyr[2] = gz
    ex, ey = _correct_inclination(st, co, fx, fy, fz)
    detect_rest(st, co, gx, gy, gz, ax, ay, az)
    c = st.acc_quat
    w, x, y, z = multiply(c[0], c[1], c[2], c[3], w, x, y, z)
    turn = _mean_turn(st, co, w, x, y, z)
    update_bias(st, co, prior, turn, is_clean, ex, ey)
    if any_of(st.averaged >= 0.0):
        n, last = count_average(st.averaged, co.dt, co.force_tau)
        ends = (n > 0.0) & last
        st.averaged = select(n > 0.0, select(last, -1.0, n), st.averaged)
        st.resumed = select(ends, 0.0, st.resumed)
    return w, x, y, z


@njit(cache=True)
def _begin_flags(quality, rest, quality_out):
    # What holds for most samples: no rest, and the bits that came in. Returns whether any sample is clipped.
    seen = 0
    for sensor in range(quality.shape[0]):
        bits, rests, out = quality[sensor], rest[sensor], quality_out[sensor]
        for i in range(out.size):
            seen |= bits[i]
            out[i] = bits[i]
            rests[i] = 0
    return seen & (ACC_CLIPPED | GYR_CLIPPED) != 0


@njit(cache=True)
def _clean_bits(quality, group, i):
    # Which lanes have a sample that is not clipped, as bits.
    clean = 0
    for k in range(LANES):
        sensor = min(group * LANES + k, quality.shape[0] - 1)
        if quality[sensor, i] & (ACC_CLIPPED | GYR_CLIPPED) == 0:
            clean |= 1 << k
    return clean


@njit(cache=True)
def _tell(st, usable, group, i, rest, quality_out):
    used, rests, settles = bits_of(usable), bits_of(st.rest > 0.0), bits_of(st.averaged >= 0.0)
    for k in range(min(LANES, rest.shape[0] - group * LANES)):
        sensor = group * LANES + k
        if used >> k & 1:
            rest[sensor, i] = rests >> k & 1
            quality_out[sensor, i] |= SETTLING * (settles >> k & 1)
        else:
            quality_out[sensor, i] |= GAP


@njit(cache=True)
def run(groups, gyr, acc, quality, told, quat, bias, rest, quality_out):
    """Take k samples of each sensor through the filter.

    Parameters
    ----------
    groups : float64 array, shape (groups + 2, words, LANES)
        ``STATE`` and ``COEFFICIENTS`` from ``lanes.pack``; state is changed in place.
    gyr, acc : float64 arrays, shape (lanes, k, 3)
        rad/s and m/s^2, sensor frame; NaN, infinity, absurd numbers and all-zero ``acc`` are holes.
    quality : int64 array, shape (lanes, k)
        SampleQuality bits; a clipped sample is not used for the bias.
    told : float64 array, shape (2, k), or (2, 0) if nothing is told
        Speed over ground, m/s (NaN while unknown), and what of it was gained since the sample before.
    quat : float64 array, shape (lanes, k, 4)
        Out: sensor to earth; NaN in a hole.
    bias : float64 array, shape (lanes, k, 3)
        Out: rad/s, held in a hole.
    rest : int64 array, shape (lanes, k)
        Out: 1 at rest, else 0, in a hole too.
    quality_out : int64 array, shape (lanes, k)
        Out: ``quality`` with GAP in a hole and SETTLING while gravity is still averaged.
    """
    spare = groups.shape[0] - 2
    co = fields(groups, spare + 1, COEFFICIENTS)
    is_told = told.shape[1] > 0
    are_some_clipped = _begin_flags(quality, rest, quality_out)
    everyone = mask_of(-1)
    for group in range(spare):
        st = fields(groups, group, STATE)
        # Ticks of several sensors lie in many places: all are asked for at once, not one after another.
        for i in range(0, min(gyr.shape[1], TICK), 2):
            ask_for(gyr, group, i)
            ask_for(acc, group, i)
        for i in range(gyr.shape[1]):
            gx, gy, gz = gather_three(gyr, group, i)
            ax, ay, az = gather_three(acc, group, i)
            usable = is_usable(gx, gy, gz, ax, ay, az)
            speed, gain = (told[0, i], told[1, i]) if is_told else (math.nan, 0.0)
            w = x = y = z = math.nan
            are_usable = all_of(usable)
            if any_of(usable):
                if not are_usable:
                    # Lanes in a hole go along with a sensor at rest, and are put back.
                    keep(groups, group, spare)
                    gx, gy, gz = select(usable, gx, 0.0), select(usable, gy, 0.0), select(usable, gz, 0.0)
                    ax, ay, az = select(usable, ax, 0.0), select(usable, ay, 0.0), select(usable, az, 9.8)
                is_clean = mask_of(_clean_bits(quality, group, i)) if are_some_clipped else everyone
                w, x, y, z = _step(st, co, gx, gy, gz, ax, ay, az, is_clean, speed, gain)
                if not are_usable:
                    put_back(groups, group, spare, usable)
                    w, x = select(usable, w, math.nan), select(usable, x, math.nan)
                    y, z = select(usable, y, math.nan), select(usable, z, math.nan)
            if not are_usable:
                st.missing = select(usable, st.missing, st.missing + 1.0)
                st.rest = select(st.missing > co.hold_samples, 0.0, st.rest)
            scatter_four(quat, group, i, w, x, y, z)
            for j in range(3):
                scatter(bias, group, i, j, st.bias[j])
            if not are_usable or any_of((st.rest > 0.0) | (st.averaged >= 0.0)):
                _tell(st, usable, group, i, rest, quality_out)
