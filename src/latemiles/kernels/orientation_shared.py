"""What both orientation kernels share: which samples count, the low-pass and the detection of rest.

Written for lanes and for plain numbers (``kernels.lanes``).
"""

from __future__ import annotations

import numpy as np

from latemiles.kernels.jit import njit
from latemiles.kernels.lanes import all_of, select
from latemiles.signals.quality import SampleQuality

__all__ = [
    "ACC_CLIPPED",
    "GAP",
    "GYR_CLIPPED",
    "REST_FIELDS",
    "SETTLING",
    "SMALLEST_ACC",
    "clear_rest",
    "clip",
    "count_average",
    "detect_rest",
    "is_usable",
    "lowpass",
    "settle",
]

REST_FIELDS = [
    ("rest_gyr_1", np.float64, (3,)),  # delay elements of the low-passes; _2 is the sum while they average
    ("rest_gyr_2", np.float64, (3,)),
    ("rest_acc_1", np.float64, (3,)),
    ("rest_acc_2", np.float64, (3,)),
    ("rest_gyr", np.float64, (3,)),  # low-passed rate, rad/s
    ("rest_time", np.float64),  # s without motion
    ("rest", np.float64),  # 1 at rest, else 0
    ("rest_averaged", np.float64),  # samples in the running mean; -1 once the low-pass runs
]
"""Fields that every state record has for ``detect_rest``."""

ACC_CLIPPED = int(SampleQuality.ACC_CLIPPED)
GYR_CLIPPED = int(SampleQuality.GYR_CLIPPED)
GAP = int(SampleQuality.GAP)
SETTLING = int(SampleQuality.SETTLING)

LARGEST_ACC = 1.0e4
"""m/s^2; more than 1000 g is not a measurement (shock accelerometers for people end at 400 g)."""
SMALLEST_ACC = 1.0e-6
"""m/s^2; all three axes below it is a sensor that sends zeros, not free fall, which has noise."""
LARGEST_GYR = 1.0e3
"""rad/s; gyroscopes end at 70 rad/s (4000 deg/s)."""


@njit(cache=True, forceinline=True)
def is_usable(gx, gy, gz, ax, ay, az):
    """Whether a sample can be used: not NaN, infinite or absurd, nor of an accelerometer that sends zeros."""
    # Written so that NaN fails every comparison.
    return (
        (abs(gx) <= LARGEST_GYR)
        & (abs(gy) <= LARGEST_GYR)
        & (abs(gz) <= LARGEST_GYR)
        & (abs(ax) <= LARGEST_ACC)
        & (abs(ay) <= LARGEST_ACC)
        & (abs(az) <= LARGEST_ACC)
        & (max(max(abs(ax), abs(ay)), abs(az)) >= SMALLEST_ACC)
    )


@njit(cache=True, forceinline=True)
def lowpass(x, b0, a1, a2, s1, s2, j):
    """One step of channel j of a second-order low-pass with delay elements s1, s2."""
    # Transposed direct form II: the least sensitive to rounding at cut-offs far below the rate.
    y = b0 * x + s1[j]
    s1[j] = 2.0 * b0 * x - a1 * y + s2[j]
    s2[j] = b0 * x - a2 * y
    return y


@njit(cache=True)
def settle(x, n, is_last, b0, a1, a2, s1, s2, j):
    """As ``lowpass``, but where n > 0 the running mean of n samples.

    With the last one the low-pass starts as if it had only seen that mean.
    """
    averages = n > 0.0
    first, second = s1[j], s2[j]
    total = second + x
    mean = total / max(n, 1.0)
    y = select(averages, mean, lowpass(x, b0, a1, a2, s1, s2, j))
    s1[j] = select(averages, select(is_last, y * (1.0 - b0), first), s1[j])
    s2[j] = select(averages, select(is_last, y * (b0 - a2), total), s2[j])
    return y


@njit(cache=True)
def count_average(averaged, dt, tau):
    """Samples averaged with this one, 0 where a low-pass runs, and whether it is the last before one does."""
    n = averaged + 1.0
    return n, n * dt >= tau


@njit(cache=True, forceinline=True)
def clip(x, limit):
    """Bring x into -limit..limit."""
    return min(max(x, -limit), limit)


@njit(cache=True)
def clear_rest(st, where):
    """Forget the last seconds where it is said: what follows is judged afresh."""
    st.rest_averaged = select(where, 0.0, st.rest_averaged)
    st.rest = select(where, 0.0, st.rest)
    st.rest_time = select(where, 0.0, st.rest_time)
    for j in range(3):
        st.rest_gyr_1[j] = select(where, 0.0, st.rest_gyr_1[j])
        st.rest_gyr_2[j] = select(where, 0.0, st.rest_gyr_2[j])
        st.rest_acc_1[j] = select(where, 0.0, st.rest_acc_1[j])
        st.rest_acc_2[j] = select(where, 0.0, st.rest_acc_2[j])


@njit(cache=True, forceinline=True)
def _short_means(st, co, gx, gy, gz, ax, ay, az):
    g1, g2, f1, f2 = st.rest_gyr_1, st.rest_gyr_2, st.rest_acc_1, st.rest_acc_2
    b0, a1, a2 = co.rest_b0, co.rest_a1, co.rest_a2
    if all_of(st.rest_averaged < 0.0):
        return (
            lowpass(gx, b0, a1, a2, g1, g2, 0),
            lowpass(gy, b0, a1, a2, g1, g2, 1),
            lowpass(gz, b0, a1, a2, g1, g2, 2),
            lowpass(ax, b0, a1, a2, f1, f2, 0),
            lowpass(ay, b0, a1, a2, f1, f2, 1),
            lowpass(az, b0, a1, a2, f1, f2, 2),
        )
    n, last = count_average(st.rest_averaged, co.dt, co.rest_tau)
    st.rest_averaged = select(n > 0.0, select(last, -1.0, n), st.rest_averaged)
    return (
        settle(gx, n, last, b0, a1, a2, g1, g2, 0),
        settle(gy, n, last, b0, a1, a2, g1, g2, 1),
        settle(gz, n, last, b0, a1, a2, g1, g2, 2),
        settle(ax, n, last, b0, a1, a2, f1, f2, 0),
        settle(ay, n, last, b0, a1, a2, f1, f2, 1),
        settle(az, n, last, b0, a1, a2, f1, f2, 2),
    )


@njit(cache=True, forceinline=True)
def detect_rest(st, co, gx, gy, gz, ax, ay, az):
    """Rest is small deviation of rate and force from their own short-term means, for rest_min seconds."""
    lx, ly, lz, fx, fy, fz = _short_means(st, co, gx, gy, gz, ax, ay, az)
    st.rest_gyr[0] = lx
    st.rest_gyr[1] = ly
    st.rest_gyr[2] = lz
    dx, dy, dz = gx - lx, gy - ly, gz - lz
    ex, ey, ez = ax - fx, ay - fy, az - fz
    # A mean rate above the largest possible bias is a slow turn, however even.
    moves = (dx * dx + dy * dy + dz * dz >= co.rest_gyr_squared) | (
        max(max(abs(lx), abs(ly)), abs(lz)) > co.bias_clip
    )
    shakes = ex * ex + ey * ey + ez * ez >= co.rest_acc_squared
    quiet = select(moves, 0.0, st.rest_time) + co.dt
    st.rest_time = select(shakes, 0.0, quiet)
    st.rest = select(st.rest_time >= co.rest_min, 1.0, 0.0)
