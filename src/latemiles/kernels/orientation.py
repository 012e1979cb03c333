"""Six-axis orientation, one sample after another: strapdown, gravity in the inertial frame, gyroscope bias.

The algorithm is VQF without magnetometer [1]_; symbols follow the paper. Per sensor:

1. The bias-free angular rate is integrated to ``gyr_quat``, sensor to an *almost inertial* frame that turns
   only with the gyroscope's errors (eq. 2).
2. Specific force is turned into that frame and low-passed there, second-order Butterworth. Motion averages
   out in an inertial frame and gravity stays (section 3.2). The first ``tau`` seconds use the plain mean.
3. ``acc_quat`` follows by the smallest rotation that takes the low-passed force to the vertical (eq. 5).
4. The rate of that correction is what the horizontal gyroscope bias does, seen through the low-pass: a
   Kalman filter on the three biases (section 3.4); at rest the low-passed rate itself is the bias.

State is one record a sensor, nothing is allocated. Holes: see ``is_missing`` and ``_restart``.

References
----------
.. [1] D. Laidig and T. Seel, VQF: Highly accurate IMU orientation estimation with bias estimation and
   magnetic disturbance rejection, Information Fusion 91:187-204, 2023, doi:10.1016/j.inffus.2022.10.014,
   arXiv:2203.17024.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from latemiles.kernels.course import COURSE_FIELDS, follow_course
from latemiles.kernels.orientation_shared import (
    ACC_CLIPPED,
    GAP,
    GYR_CLIPPED,
    REST_FIELDS,
    SETTLING,
    SMALLEST_ACC,
    average,
    clear_rest,
    clip,
    detect_rest,
    is_missing,
    lowpass,
)
from latemiles.kernels.quaternion import exp_rotation, multiply, rotate, rotate_inverse, rotation_matrix

__all__ = ["COEFFICIENTS", "STATE", "new_state", "run"]

STATE = np.dtype(
    (
        np.record,
        [
            ("gyr_quat", np.float64, (4,)),  # sensor to almost inertial frame
            ("acc_quat", np.float64, (4,)),  # almost inertial to earth frame
            ("bias", np.float64, (3,)),  # rad/s, sensor frame
            ("bias_cov", np.float64, (6,)),  # its covariance: xx, xy, xz, yy, yz, zz, (rad/s)^2
            ("force_1", np.float64, (3,)),  # delay elements of the force low-pass; the sum while it averages
            ("force_2", np.float64, (3,)),
            ("turn_1", np.float64, (11,)),  # the same for rotation matrix (9) and matrix times bias (2)
            ("turn_2", np.float64, (11,)),
            ("turn", np.float64, (11,)),  # what goes in and what comes out, in place
            *REST_FIELDS,
            *COURSE_FIELDS,
            (
                "last_gyr",
                np.float64,
                (3,),
            ),  # rad/s, last good sample: carries the strapdown over a short hole
            (
                "averaged",
                np.int64,
            ),  # samples in the running mean of force and turn; -1 once they are filtered
            ("missing", np.int64),  # samples since the last good one
            ("resumed", np.int64),  # 1 while the running mean follows a long hole: no bias from motion then
        ],
    )
)
"""State of one sensor; every field 8 bytes wide."""

COEFFICIENTS = np.dtype(
    (
        np.record,
        [
            ("dt", np.float64),  # s
            ("force_tau", np.float64),  # s
            ("force_b0", np.float64),  # low-pass y = b0 x + ..., b1 = 2 b0, b2 = b0
            ("force_a1", np.float64),
            ("force_a2", np.float64),
            ("rest_tau", np.float64),
            ("rest_b0", np.float64),
            ("rest_a1", np.float64),
            ("rest_a2", np.float64),
            ("rest_min", np.float64),  # s
            ("rest_gyr_squared", np.float64),  # (rad/s)^2
            ("rest_acc_squared", np.float64),  # (m/s^2)^2
            ("cov_init", np.float64),  # (rad/s)^2
            ("cov_step", np.float64),  # (rad/s)^2 a sample
            ("weight_motion", np.float64),  # 1 / (rad/s)^2
            ("weight_vertical", np.float64),
            ("weight_rest", np.float64),
            ("bias_clip", np.float64),  # rad/s
            ("course_gain", np.float64),  # of the low-passes of the direction of progression
            ("hold_samples", np.int64),
        ],
    )
)
"""What parameters and rate come down to; made by ``estimators.orientation_params``."""


def new_state(lanes, coefficients):
    """State of ``lanes`` sensors that have not seen a sample: array of ``STATE``, shape (lanes,)."""
    state = np.zeros(lanes, dtype=STATE)
    state["gyr_quat"][:, 0] = 1.0
    state["acc_quat"][:, 0] = 1.0
    state["bias_cov"][:, [0, 3, 5]] = coefficients["cov_init"]
    return state


@njit(cache=True)
def _restart(st):
    # After a long hole the orientation is unknown: gravity is averaged afresh. Bias and covariance stay,
    # since a sensor does not forget its bias; the heading is arbitrary from here on.
    clear_rest(st)
    st.on_course = 0
    st.averaged = 0
    st.resumed = 1
    for j in range(3):
        st.force_1[j] = 0.0
        st.force_2[j] = 0.0
    for j in range(11):
        st.turn_1[j] = 0.0
        st.turn_2[j] = 0.0


@njit(cache=True)
def _to_unit(q):
    # One Newton step of 1/sqrt about 1: exact to rounding next to 1. It is taken off the last sample's
    # quaternion, which is there early, so that nothing waits for it; rounding errors stay as small.
    return 1.5 - 0.5 * (q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3])


@njit(cache=True)
def _strapdown(st, co, gx, gy, gz):
    q = st.gyr_quat
    unit = _to_unit(q)
    bias = st.bias
    bx, by, bz = bias[0], bias[1], bias[2]
    dt = co.dt
    if st.missing > 0:
        # Over a short hole the rate is taken to change linearly between its two ends.
        span = 0.5 * dt * st.missing
        last = st.last_gyr
        dw, dx, dy, dz = exp_rotation(
            (gx + last[0] - 2.0 * bx) * span,
            (gy + last[1] - 2.0 * by) * span,
            (gz + last[2] - 2.0 * bz) * span,
        )
        q[0], q[1], q[2], q[3] = multiply(q[0], q[1], q[2], q[3], dw, dx, dy, dz)
    dw, dx, dy, dz = exp_rotation((gx - bx) * dt, (gy - by) * dt, (gz - bz) * dt)
    w, x, y, z = multiply(q[0] * unit, q[1] * unit, q[2] * unit, q[3] * unit, dw, dx, dy, dz)
    q[0], q[1], q[2], q[3] = w, x, y, z
    return w, x, y, z


@njit(cache=True)
def _correct_inclination(st, co, fx, fy, fz):
    # Returns the low-passed force in the earth frame before the correction, x and y over its length.
    if st.averaged < 0:
        b0, a1, a2 = co.force_b0, co.force_a1, co.force_a2
        fx = lowpass(fx, b0, a1, a2, st.force_1, st.force_2, 0)
        fy = lowpass(fy, b0, a1, a2, st.force_1, st.force_2, 1)
        fz = lowpass(fz, b0, a1, a2, st.force_1, st.force_2, 2)
    else:
        n = st.averaged + 1
        last = n * co.dt >= co.force_tau
        fx = average(fx, n, last, co.force_b0, co.force_a2, st.force_1, st.force_2, 0)
        fy = average(fy, n, last, co.force_b0, co.force_a2, st.force_1, st.force_2, 1)
        fz = average(fz, n, last, co.force_b0, co.force_a2, st.force_1, st.force_2, 2)
    squared = fx * fx + fy * fy + fz * fz
    if squared < SMALLEST_ACC * SMALLEST_ACC:
        return 0.0, 0.0
    c = st.acc_quat
    unit = _to_unit(c)
    # Turned before it is scaled: root and division then run beside the rotation, not before it.
    ex, ey, ez = rotate(c[0], c[1], c[2], c[3], fx, fy, fz)
    scale = 1.0 / math.sqrt(squared)
    ex *= scale
    ey *= scale
    ez *= scale
    if ez > -1.0 + 2e-12:
        # The smallest rotation of e to z, times its w. That w is the square of the length, known early,
        # but not to many digits where the two point nearly opposite ways.
        dw, dx, dy = 0.5 + 0.5 * ez, 0.5 * ey, -0.5 * ex
        k = unit / math.sqrt(dw if ez > 0.0 else dw * dw + dx * dx + dy * dy)
    else:
        dw, dx, dy = 0.0, 1.0, 0.0
        k = unit
    w, x, y, z = multiply(dw, dx, dy, 0.0, c[0], c[1], c[2], c[3])
    c[0], c[1], c[2], c[3] = w * k, x * k, y * k, z * k
    return ex, ey


@njit(cache=True)
def _track_turn(st, co, w, x, y, z):
    # Rotation matrix and matrix times bias through the same low-pass as the force, so that the correction
    # rate and what the bias explains of it are seen alike.
    turn = st.turn
    bias = st.bias
    turn[0], turn[1], turn[2], turn[3], turn[4], turn[5], turn[6], turn[7], turn[8] = rotation_matrix(
        w, x, y, z
    )
    turn[9] = turn[0] * bias[0] + turn[1] * bias[1] + turn[2] * bias[2]
    turn[10] = turn[3] * bias[0] + turn[4] * bias[1] + turn[5] * bias[2]
    if st.averaged < 0:
        b0, a1, a2 = co.force_b0, co.force_a1, co.force_a2
        for j in range(11):
            turn[j] = lowpass(turn[j], b0, a1, a2, st.turn_1, st.turn_2, j)
    else:
        n = st.averaged + 1
        last = n * co.dt >= co.force_tau
        for j in range(11):
            turn[j] = average(turn[j], n, last, co.force_b0, co.force_a2, st.turn_1, st.turn_2, j)


@njit(cache=True)
def _symmetric_inverse(xx, xy, xz, yy, yz, zz):
    cxx = yy * zz - yz * yz
    cxy = xz * yz - xy * zz
    cxz = xy * yz - xz * yy
    k = 1.0 / (xx * cxx + xy * cxy + xz * cxz)
    return (
        cxx * k,
        cxy * k,
        cxz * k,
        (xx * zz - xz * xz) * k,
        (xy * xz - xx * yz) * k,
        (xx * yy - xy * xy) * k,
    )


@njit(cache=True)
def _update_bias(st, co, use_motion, ex, ey):
    # Information form of the Kalman update: P+ = (P^-1 + R^T W^-1 R)^-1 and db = P+ R^T W^-1 e. All is
    # symmetric, and everything but two inverses is independent of the last covariance.
    p = st.bias_cov
    b = st.bias
    limit = co.bias_clip
    for j in (0, 3, 5):
        if p[j] < co.cov_init:
            p[j] += co.cov_step
    if st.rest == 0 and not use_motion:
        return
    ixx, ixy, ixz, iyy, iyz, izz = _symmetric_inverse(p[0], p[1], p[2], p[3], p[4], p[5])
    if st.rest == 1:
        w = co.weight_rest
        ixx += w
        iyy += w
        izz += w
        vx = w * clip(st.rest_gyr[0] - b[0], limit)
        vy = w * clip(st.rest_gyr[1] - b[1], limit)
        vz = w * clip(st.rest_gyr[2] - b[2], limit)
    else:
        r = st.turn
        wh = co.weight_motion
        wv = co.weight_vertical
        rate = 1.0 / co.dt
        # What depends on this sample's correction comes last: it is what the next sample waits for.
        e0 = wh * clip(r[9] - r[0] * b[0] - r[1] * b[1] - r[2] * b[2] - ey * rate, limit)
        e1 = wh * clip(r[10] - r[3] * b[0] - r[4] * b[1] - r[5] * b[2] + ex * rate, limit)
        e2 = wv * clip(-r[6] * b[0] - r[7] * b[1] - r[8] * b[2], limit)
        vx = r[0] * e0 + r[3] * e1 + r[6] * e2
        vy = r[1] * e0 + r[4] * e1 + r[7] * e2
        vz = r[2] * e0 + r[5] * e1 + r[8] * e2
        ixx += wh * (r[0] * r[0] + r[3] * r[3]) + wv * r[6] * r[6]
        ixy += wh * (r[0] * r[1] + r[3] * r[4]) + wv * r[6] * r[7]
        ixz += wh * (r[0] * r[2] + r[3] * r[5]) + wv * r[6] * r[8]
        iyy += wh * (r[1] * r[1] + r[4] * r[4]) + wv * r[7] * r[7]
        iyz += wh * (r[1] * r[2] + r[4] * r[5]) + wv * r[7] * r[8]
        izz += wh * (r[2] * r[2] + r[5] * r[5]) + wv * r[8] * r[8]
    pxx, pxy, pxz, pyy, pyz, pzz = _symmetric_inverse(ixx, ixy, ixz, iyy, iyz, izz)
    b[0] = clip(b[0] + pxx * vx + pxy * vy + pxz * vz, limit)
    b[1] = clip(b[1] + pxy * vx + pyy * vy + pyz * vz, limit)
    b[2] = clip(b[2] + pxz * vx + pyz * vy + pzz * vz, limit)
    p[0], p[1], p[2], p[3], p[4], p[5] = pxx, pxy, pxz, pyy, pyz, pzz


@njit(cache=True)
def _runner_acceleration(st, co, w, x, y, z, pace, gained):
    # In the almost inertial frame, where the force is averaged.
    c = st.acc_quat
    w, x, y, z = multiply(c[0], c[1], c[2], c[3], w, x, y, z)
    ux, uy = follow_course(st, co.course_gain, w, x, y, z, pace, gained)
    rate = 1.0 / (co.dt * (1 + st.missing))
    return rotate_inverse(c[0], c[1], c[2], c[3], ux * rate, uy * rate, 0.0)


@njit(cache=True)
def _step(st, co, gx, gy, gz, ax, ay, az, clipped, pace, gained):
    # One good sample; returns sensor to earth.
    if st.missing > co.hold_samples:
        _restart(st)
        st.missing = 0
    detect_rest(st, co, gx, gy, gz, ax, ay, az)
    w, x, y, z = _strapdown(st, co, gx, gy, gz)
    fx, fy, fz = rotate(w, x, y, z, ax, ay, az)
    # While gravity is averaged after a hole, the heading is not one yet.
    if math.isfinite(pace) and st.averaged < 0:
        rx, ry, rz = _runner_acceleration(st, co, w, x, y, z, pace, gained)
        fx -= rx
        fy -= ry
        fz -= rz
    else:
        st.on_course = 0
    st.missing = 0
    st.last_gyr[0] = gx
    st.last_gyr[1] = gy
    st.last_gyr[2] = gz
    ex, ey = _correct_inclination(st, co, fx, fy, fz)
    c = st.acc_quat
    w, x, y, z = multiply(c[0], c[1], c[2], c[3], w, x, y, z)
    _track_turn(st, co, w, x, y, z)
    _update_bias(st, co, st.resumed == 0 and clipped == 0, ex, ey)
    if st.averaged >= 0:
        st.averaged += 1
        if st.averaged * co.dt >= co.force_tau:
            st.averaged = -1
            st.resumed = 0
    return w, x, y, z


@njit(cache=True)
def run(states, coefficients, gyr, acc, quality, pace, gained, quat, bias, rest, quality_out):
    """Take k samples of each sensor through the filter.

    Parameters
    ----------
    states : array of STATE, shape (lanes,)
        Changed in place.
    coefficients : array of COEFFICIENTS, shape (1,)
    gyr, acc : float64 arrays, shape (lanes, k, 3)
        rad/s and m/s^2, sensor frame; NaN, infinity, absurd numbers and all-zero ``acc`` are holes.
    quality : int64 array, shape (lanes, k)
        SampleQuality bits; a clipped sample is not used for the bias.
    pace, gained : float64 arrays, shape (k,)
        Speed over ground, m/s (NaN while unknown), and what of it was gained since the sample before.
    quat : float64 array, shape (lanes, k, 4)
        Out: sensor to earth; NaN in a hole.
    bias : float64 array, shape (lanes, k, 3)
        Out: rad/s, held in a hole.
    rest : int64 array, shape (lanes, k)
        Out: 1 at rest, 0 in a hole.
    quality_out : int64 array, shape (lanes, k)
        Out: ``quality`` with GAP in a hole and SETTLING while gravity is still averaged.
    """
    co = coefficients[0]
    for lane in range(gyr.shape[0]):
        st = states[lane]
        for i in range(gyr.shape[1]):
            gx, gy, gz = gyr[lane, i, 0], gyr[lane, i, 1], gyr[lane, i, 2]
            ax, ay, az = acc[lane, i, 0], acc[lane, i, 1], acc[lane, i, 2]
            flags = quality[lane, i]
            if is_missing(gx, gy, gz, ax, ay, az):
                st.missing += 1
                if st.missing > co.hold_samples:
                    st.rest = 0
                w = x = y = z = math.nan
                flags |= GAP
                rest[lane, i] = 0
            else:
                clipped = flags & (ACC_CLIPPED | GYR_CLIPPED)
                w, x, y, z = _step(st, co, gx, gy, gz, ax, ay, az, clipped, pace[i], gained[i])
                if st.averaged >= 0:
                    flags |= SETTLING
                rest[lane, i] = st.rest
            quat[lane, i, 0], quat[lane, i, 1], quat[lane, i, 2], quat[lane, i, 3] = w, x, y, z
            bias[lane, i, 0], bias[lane, i, 1], bias[lane, i, 2] = st.bias[0], st.bias[1], st.bias[2]
            quality_out[lane, i] = flags
