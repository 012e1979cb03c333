"""What both orientation kernels share: which samples count, the low-pass and the detection of rest."""

from __future__ import annotations

import numpy as np
from numba import njit

from latemiles.signals.quality import SampleQuality

__all__ = [
    "ACC_CLIPPED",
    "GAP",
    "GYR_CLIPPED",
    "REST_FIELDS",
    "SETTLING",
    "SMALLEST_ACC",
    "average",
    "clear_rest",
    "clip",
    "detect_rest",
    "is_missing",
    "lowpass",
]

REST_FIELDS = [
    ("rest_gyr_1", np.float64, (3,)),  # delay elements of the low-passes; _2 is the sum while they average
    ("rest_gyr_2", np.float64, (3,)),
    ("rest_acc_1", np.float64, (3,)),
    ("rest_acc_2", np.float64, (3,)),
    ("rest_gyr", np.float64, (3,)),  # low-passed rate, rad/s
    ("rest_time", np.float64),  # s without motion
    ("rest", np.int64),
    ("rest_averaged", np.int64),  # samples in the running mean; -1 once the low-pass runs
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


@njit(cache=True)
def is_missing(gx, gy, gz, ax, ay, az):
    """Whether a sample cannot be used: NaN, infinite, absurd, or an accelerometer that sends zeros."""
    # Written so that NaN fails every comparison.
    largest = max(abs(ax), abs(ay), abs(az))
    usable = (
        abs(gx) <= LARGEST_GYR
        and abs(gy) <= LARGEST_GYR
        and abs(gz) <= LARGEST_GYR
        and abs(ax) <= LARGEST_ACC
        and abs(ay) <= LARGEST_ACC
        and abs(az) <= LARGEST_ACC
        and largest >= SMALLEST_ACC
    )
    return not usable


@njit(cache=True)
def lowpass(x, b0, a1, a2, s1, s2, j):
    """One step of channel j of a second-order low-pass with delay elements s1, s2."""
    # Transposed direct form II: the least sensitive to rounding at cut-offs far below the rate.
    y = b0 * x + s1[j]
    s1[j] = 2.0 * b0 * x - a1 * y + s2[j]
    s2[j] = b0 * x - a2 * y
    return y


@njit(cache=True)
def average(x, n, is_last, b0, a2, s1, s2, j):
    """Running mean of n samples; with the last one the low-pass starts as if it had only seen that mean."""
    s2[j] += x
    y = s2[j] / n
    if is_last:
        s1[j] = y * (1.0 - b0)
        s2[j] = y * (b0 - a2)
    return y


@njit(cache=True)
def clip(x, limit):
    """Bring x into -limit..limit."""
    return min(max(x, -limit), limit)


@njit(cache=True)
def clear_rest(st):
    """Forget the last seconds: what follows is judged afresh."""
    st.rest_averaged = 0
    st.rest = 0
    st.rest_time = 0.0
    for j in range(3):
        st.rest_gyr_1[j] = 0.0
        st.rest_gyr_2[j] = 0.0
        st.rest_acc_1[j] = 0.0
        st.rest_acc_2[j] = 0.0


@njit(cache=True)
def detect_rest(st, co, gx, gy, gz, ax, ay, az):
    """Rest is small deviation of rate and force from their own short-term means, for rest_min seconds."""
    if st.rest_averaged < 0:
        b0, a1, a2 = co.rest_b0, co.rest_a1, co.rest_a2
        lx = lowpass(gx, b0, a1, a2, st.rest_gyr_1, st.rest_gyr_2, 0)
        ly = lowpass(gy, b0, a1, a2, st.rest_gyr_1, st.rest_gyr_2, 1)
        lz = lowpass(gz, b0, a1, a2, st.rest_gyr_1, st.rest_gyr_2, 2)
        fx = lowpass(ax, b0, a1, a2, st.rest_acc_1, st.rest_acc_2, 0)
        fy = lowpass(ay, b0, a1, a2, st.rest_acc_1, st.rest_acc_2, 1)
        fz = lowpass(az, b0, a1, a2, st.rest_acc_1, st.rest_acc_2, 2)
    else:
        b0, a2 = co.rest_b0, co.rest_a2
        n = st.rest_averaged + 1
        last = n * co.dt >= co.rest_tau
        lx = average(gx, n, last, b0, a2, st.rest_gyr_1, st.rest_gyr_2, 0)
        ly = average(gy, n, last, b0, a2, st.rest_gyr_1, st.rest_gyr_2, 1)
        lz = average(gz, n, last, b0, a2, st.rest_gyr_1, st.rest_gyr_2, 2)
        fx = average(ax, n, last, b0, a2, st.rest_acc_1, st.rest_acc_2, 0)
        fy = average(ay, n, last, b0, a2, st.rest_acc_1, st.rest_acc_2, 1)
        fz = average(az, n, last, b0, a2, st.rest_acc_1, st.rest_acc_2, 2)
        st.rest_averaged = -1 if last else n
    st.rest_gyr[0] = lx
    st.rest_gyr[1] = ly
    st.rest_gyr[2] = lz
    gyr_squared = (gx - lx) ** 2 + (gy - ly) ** 2 + (gz - lz) ** 2
    acc_squared = (ax - fx) ** 2 + (ay - fy) ** 2 + (az - fz) ** 2
    # A mean rate above the largest possible bias is a slow turn, however even.
    moves = gyr_squared >= co.rest_gyr_squared or max(abs(lx), abs(ly), abs(lz)) > co.bias_clip
    if moves:
        st.rest_time = 0.0
        st.rest = 0
    if acc_squared >= co.rest_acc_squared:
        st.rest_time = 0.0
        st.rest = 0
    else:
        st.rest_time += co.dt
        if st.rest_time >= co.rest_min:
            st.rest = 1
