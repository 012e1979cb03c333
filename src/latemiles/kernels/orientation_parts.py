"""A stretch of good samples within an epoch, cut in time into parts that lie side by side in lanes.

Within an epoch the bias stands, so an orientation follows from the one before by a turn that does not depend
on it, and turns are associative:

    q(i) = q(0) d(1) d(2) ... d(i)

Each part is integrated from no turn at all; force, its running sum and the rotation matrices are summed in
the frame in which the part begins. That frame's orientation is known once the parts before it are joined, and
turns quaternions and sums: all are linear in it. The result is that of one sample after another, to rounding.
"""

from __future__ import annotations

import math
from typing import Final

from latemiles.kernels.course import SMALLEST_LEVEL, facing, turn_course
from latemiles.kernels.jit import njit
from latemiles.kernels.lanes import LANES, gather, gather_four, gather_three, ladder, scatter, scatter_four
from latemiles.kernels.quaternion import exp_rotation, multiply, normalize, rotate, rotation_matrix

__all__ = ["PARTS", "PART_WORDS", "integrate_parts", "take_off_course"]

PARTS: Final = 4
"""Of a stretch, with the compiler switched off too."""
FORCE: Final = 4
"""Words of a part: its turn 0-3, then sums of force,"""
VELOCITY: Final = 7
"""of the running sum of force,"""
RATE: Final = 10
"""of the rate,"""
TURN: Final = 13
"""and of rotation matrices."""
PART_WORDS: Final = 22


@njit(cache=True)
def _sum_parts(gyr, acc, group, bias, dt, quat, parts):
    # A group of the parts (PARTS, m, 3) side by side; ``quat`` out is relative to their beginnings.
    zero = 0.0 * ladder()
    w, x, y, z = zero + 1.0, zero, zero, zero
    fx, fy, fz, vx, vy, vz, ux, uy, uz = zero, zero, zero, zero, zero, zero, zero, zero, zero
    t0, t1, t2, t3, t4, t5, t6, t7, t8 = zero, zero, zero, zero, zero, zero, zero, zero, zero
    for i in range(gyr.shape[1]):
        gx, gy, gz = gather_three(gyr, group, i)
        ax, ay, az = gather_three(acc, group, i)
        dw, dx, dy, dz = exp_rotation((gx - bias[0]) * dt, (gy - bias[1]) * dt, (gz - bias[2]) * dt)
        w, x, y, z = multiply(w, x, y, z, dw, dx, dy, dz)
        scatter_four(quat, group, i, w, x, y, z)
        ux, uy, uz = ux + gx, uy + gy, uz + gz
        r0, r1, r2, r3, r4, r5, r6, r7, r8 = rotation_matrix(w, x, y, z)
        fx = fx + (r0 * ax + r1 * ay + r2 * az)
        fy = fy + (r3 * ax + r4 * ay + r5 * az)
        fz = fz + (r6 * ax + r7 * ay + r8 * az)
        vx, vy, vz = vx + fx, vy + fy, vz + fz
        t0, t1, t2 = t0 + r0, t1 + r1, t2 + r2
        t3, t4, t5 = t3 + r3, t4 + r4, t5 + r5
        t6, t7, t8 = t6 + r6, t7 + r7, t8 + r8
    sums = (w, x, y, z, fx, fy, fz, vx, vy, vz, ux, uy, uz, t0, t1, t2, t3, t4, t5, t6, t7, t8)
    for j in range(PART_WORDS):
        scatter(parts, group, 0, j, sums[j])


@njit(cache=True)
def _join(st, dt, m, parts):
    # Adds the parts of m samples to the epoch's sums and leaves in each the orientation it begins with.
    q, f, v, g, t = st.quat, st.force_sum, st.velocity_sum, st.gyr_sum, st.turn_sum
    for k in range(PARTS):
        part = parts[k, 0]
        w, x, y, z = q[0], q[1], q[2], q[3]
        force = rotate(w, x, y, z, part[FORCE], part[FORCE + 1], part[FORCE + 2])
        running = rotate(w, x, y, z, part[VELOCITY], part[VELOCITY + 1], part[VELOCITY + 2])
        for j in range(3):
            v[j] += (m * f[j] + running[j] * dt) * dt
            f[j] += force[j] * dt
            g[j] += part[RATE + j] * dt
            a, b, c = rotate(w, x, y, z, part[TURN + j], part[TURN + 3 + j], part[TURN + 6 + j])
            t[j] += a * dt
            t[3 + j] += b * dt
            t[6 + j] += c * dt
        q[0], q[1], q[2], q[3] = normalize(*multiply(w, x, y, z, part[0], part[1], part[2], part[3]))
        part[0], part[1], part[2], part[3] = w, x, y, z


@njit(cache=True)
def _turn_parts(quat, group, parts):
    bw, bx = gather(parts, group, 0, 0), gather(parts, group, 0, 1)
    by, bz = gather(parts, group, 0, 2), gather(parts, group, 0, 3)
    for i in range(quat.shape[1]):
        w, x, y, z = multiply(bw, bx, by, bz, *gather_four(quat, group, i))
        scatter_four(quat, group, i, w, x, y, z)


@njit(cache=True)
def integrate_parts(st, co, gyr, acc, quat, parts):
    """Integrate a stretch of one sensor: orientation and the epoch's sums of force, velocity, rate and turn.

    Parameters
    ----------
    st : record of SMOOTHER
        Changed in place.
    co : record of SMOOTHER_COEFFICIENTS
    gyr, acc : float64 arrays, shape (n, 3)
        Good samples, n a multiple of PARTS; rad/s and m/s^2.
    quat : float64 array, shape (n, 4)
        Out: orientation as integrated.
    parts : float64 array, shape (PARTS, 1, PART_WORDS)
        Work space.
    """
    m = gyr.shape[0] // PARTS
    some_gyr, some_acc = gyr.reshape(PARTS, m, 3), acc.reshape(PARTS, m, 3)
    some = quat.reshape(PARTS, m, 4)
    for group in range(PARTS // LANES):
        _sum_parts(some_gyr, some_acc, group, st.bias, co.dt, some, parts)
    _join(st, co.dt, m, parts)
    for group in range(PARTS // LANES):
        _turn_parts(some, group, parts)


@njit(cache=True)
def take_off_course(st, co, told, first, quat, parts):
    """Take the runner's own change of velocity off the epoch's sums: of the n samples of ``quat`` (n, 4).

    What is left of the velocity is the body part's against the runner's. ``told`` is as for ``take_in``,
    ``first`` its column for the first sample; n and ``parts`` are as for ``integrate_parts``. Directions are
    worked out side by side, and followed one after the other as by ``course.follow_course``.
    """
    n = quat.shape[0]
    is_told = False
    for i in range(first, first + n):
        is_told |= math.isfinite(told[0, i])
    if not is_told or st.level > 0.0:
        # An epoch that will be levelled has no heading yet.
        st.on_course = 0.0
        return
    some = quat.reshape(n, 1, 4)
    first_pass, second_pass, third_pass = st.course_1, st.course_2, st.course_3
    course = first_pass[0], first_pass[1], second_pass[0], second_pass[1], third_pass[0], third_pass[1]
    on_course = st.on_course
    gained_x, gained_y, moved_x, moved_y = 0.0, 0.0, 0.0, 0.0
    for group in range(n // LANES):
        w, x, y, z = gather_four(some, group, 0)
        hx, hy, level = facing(st, w, x, y, z)
        scatter(parts, 0, 0, 0, hx)
        scatter(parts, 0, 0, 1, hy)
        scatter(parts, 0, 0, 2, level)
        for k in range(LANES):
            i = first + group * LANES + k
            pace = told[0, i]
            if not math.isfinite(pace):
                on_course = 0.0
            elif parts[k, 0, 2] > SMALLEST_LEVEL:
                course, change, now = turn_course(co, on_course > 0.0, course, parts[k, 0, 0], parts[k, 0, 1])
                on_course = 1.0
                gained_x += pace * change[0] + told[1, i] * now[0]
                gained_y += pace * change[1] + told[1, i] * now[1]
            moved_x += gained_x
            moved_y += gained_y
    first_pass[0], first_pass[1], second_pass[0], second_pass[1], third_pass[0], third_pass[1] = course
    st.on_course = on_course
    st.force_sum[0] -= gained_x
    st.force_sum[1] -= gained_y
    st.velocity_sum[0] -= moved_x * co.dt
    st.velocity_sum[1] -= moved_y * co.dt
