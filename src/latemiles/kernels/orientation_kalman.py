"""Six-axis orientation that knows what comes after: an error-state Kalman smoother over epochs of a second.

The inclination of a body that moves about is told by one fact: its velocity does not run away. Turned into
the earth frame, specific force less gravity sums up to velocity, and a tilt error of theta adds g theta to
it. Per sensor and epoch the error state is

    theta (2)  tilt of the integrated orientation about earth x and y, rad
    v (2)      horizontal velocity, m/s
    b (3)      gyroscope bias, rad/s, sensor frame

The rate less the bias is integrated within an epoch from the best orientation that the past can give; sums
over the epoch of rotation matrix R and force f give the transition

    theta' = theta - sum(R) dt db          rows x and y
    v'     = v + sum(f) dt + theta x sum(f) dt

and the measurement "mean velocity of the epoch is zero, give or take". At rest the give or take is small, and
the mean rate is the bias. The forward filter takes the epochs as they end; the backward pass is modified
Bryson-Frazier [1]_, eqs. 9-17, which needs no inverse. A second turn of linearisation would change the result
by 1e-3 degrees, so there is none.

Scale errors of the gyroscope are left out on purpose: in running the sensor's velocity swings in step with
its rotation, and a scale state takes the one for the other (it wandered to four times its standard deviation
within two hours).

References
----------
.. [1] G. J. Bierman, Fixed interval smoothing with discrete measurements, International Journal of Control
   18:65-75, 1973.
"""

from __future__ import annotations

import math

import numpy as np

from latemiles.kernels.jit import njit
from latemiles.kernels.quaternion import exp_rotation, multiply

__all__ = [
    "EPOCH",
    "UPDATES",
    "N",
    "backward",
    "dot",
    "fill_transition",
    "forget",
    "measure_epoch",
    "propagate",
]

JUMP = 7.4
"""A velocity whose Mahalanobis distance from zero, squared, is larger is one that has changed: 2.5 % of those
that have not are so far away in two dimensions, as beyond 2.5 standard deviations in two of one."""
MOST_GAINED = 8.0
"""m/s; whoever has gained more of late most likely has not: up leans, and gravity seems to push. Who turns
round at 4 m/s has, and the tilt is uncertain for a second or two."""
GAINED_TAU = 20.0
"""s; time constant of forgetting what was gained."""
N = 7
"""Size of the error state: theta 0-1, v 2-3, b 4-6."""
UPDATES = 5
"""Scalar measurements an epoch can have: two of velocity, three of the rate at rest."""

EPOCH = np.dtype(
    (
        np.record,
        [
            ("state", np.float64, (N,)),  # error state with the epoch's measurements
            ("cov", np.float64, (N, N)),
            ("row", np.float64, (UPDATES, N)),  # measurement rows
            ("gain", np.float64, (UPDATES, N)),
            ("innovation", np.float64, (UPDATES,)),  # over its variance; 0 where there was no measurement
            (
                "transition",
                np.float64,
                (5, N),
            ),  # rows of theta, v and (the last) what is added to the heading
            ("shift", np.float64, (2,)),  # tilt added to the integrated orientation at the end of the epoch
            ("bias", np.float64, (3,)),
            ("decay", np.float64),  # of the bias over the epoch
            ("hole_decay", np.float64),  # of the bias over the hole before it
            ("age", np.float64),  # s from the last long hole to its end
            ("start", np.int64),
            ("end", np.int64),
            ("restarts", np.int64),  # 1: follows a long hole
        ],
    )
)
"""What the backward pass needs of one epoch."""


@njit(cache=True)
def forget(st, co, decay):
    """Let the bias fall back to what is known of any sensor, over hours (Ornstein-Uhlenbeck process)."""
    for j in range(4, N):
        for i in range(N):
            st.cov[i, j] *= decay
            st.cov[j, i] *= decay
    for j in range(3):
        st.bias[j] *= decay
        st.cov[4 + j, 4 + j] += co.bias_init * (1.0 - decay * decay)


@njit(cache=True)
def _measure(ep, j, y, variance):
    # Scalar measurement j with row ep.row[j] and innovation y as it was before the epoch's earlier ones.
    h, k, x, p = ep.row[j], ep.gain[j], ep.state, ep.cov
    total = variance
    for a in range(N):
        s = 0.0
        for b in range(N):
            s += p[a, b] * h[b]
        k[a] = s
        total += h[a] * s
        y -= h[a] * x[a]
    per = 1.0 / total
    y *= per
    for a in range(N):
        x[a] += k[a] * y
        s = k[a] * per
        for b in range(N):
            p[a, b] -= s * k[b]
    for a in range(N):
        k[a] *= per
    ep.innovation[j] = y


@njit(cache=True)
def _jump(st, co, ep, y0, y1, variance):
    # Whoever starts, stops or turns round has another mean velocity from then on. Were it held against the
    # old one, the tilt would take the blame for ten seconds before and after. The change is looked for in
    # both directions at once, as which way the earth frame faces is chance.
    fades = math.exp(-st.weight * co.dt / GAINED_TAU)
    st.gained[0] *= fades
    st.gained[1] *= fades
    h0, h1, p = ep.row[0], ep.row[1], ep.cov
    s00, s01, s11 = variance, 0.0, variance
    for a in range(N):
        along, across = dot(p[a], h0), dot(p[a], h1)
        s00 += h0[a] * along
        s01 += h0[a] * across
        s11 += h1[a] * across
    if y0 * y0 * s11 - 2.0 * y0 * y1 * s01 + y1 * y1 * s00 <= JUMP * (s00 * s11 - s01 * s01):
        return
    st.gained[0] -= y0
    st.gained[1] -= y1
    if st.gained[0] * st.gained[0] + st.gained[1] * st.gained[1] > MOST_GAINED * MOST_GAINED:
        # Then it is the tilt that is not known, whatever a hole is thought to have hidden.
        p[0, 0] += co.tilt_init
        p[1, 1] += co.tilt_init
        st.gained[0] = 0.0
        st.gained[1] = 0.0
    p[2, 2] += y0 * y0
    p[3, 3] += y1 * y1
    p[2, 3] += y0 * y1
    p[3, 2] += y0 * y1


@njit(cache=True)
def measure_epoch(st, co, ep):
    """Put into ``ep`` the error state after the epoch's measurements, and what the way back needs."""
    span = st.weight * co.dt
    rests = st.quiet == st.weight
    # Loops, not slices: numba compiles a slice assignment with seconds of code for its error message.
    for a in range(N):
        ep.state[a] = 0.0
        for b in range(N):
            ep.cov[a, b] = st.cov[a, b]
        for j in range(UPDATES):
            ep.row[j, a] = 0.0
            ep.gain[j, a] = 0.0
    for j in range(UPDATES):
        ep.innovation[j] = 0.0
    v = st.velocity_sum
    spread = (co.velocity_spread_rest if rests else co.velocity_spread) / span
    ep.row[0, 2] = 1.0
    ep.row[0, 1] = v[2] / span
    ep.row[1, 3] = 1.0
    ep.row[1, 0] = -v[2] / span
    y0, y1 = -st.velocity[0] - v[0] / span, -st.velocity[1] - v[1] / span
    _jump(st, co, ep, y0, y1, spread)
    _measure(ep, 0, y0, spread)
    _measure(ep, 1, y1, spread)
    if rests:
        for j in range(3):
            ep.row[2 + j, 4 + j] = 1.0
            _measure(ep, 2 + j, st.gyr_sum[j] / span - st.bias[j], co.rate_spread_rest / span)


@njit(cache=True)
def fill_transition(st, ep):
    """Put into ``ep`` how errors grow over the epoch."""
    t, turn, up = ep.transition, st.turn_sum, st.force_sum[2]
    for r in range(5):
        for j in range(N):
            t[r, j] = 0.0
    t[0, 0] = 1.0
    t[1, 1] = 1.0
    t[2, 1] = up
    t[2, 2] = 1.0
    t[3, 0] = -up
    t[3, 3] = 1.0
    for j in range(3):
        t[0, 4 + j] = -turn[j]
        t[1, 4 + j] = -turn[3 + j]
        t[4, 4 + j] = -turn[6 + j]
    for j in range(4, N):
        # A bias tilts by half of its end value on average over the epoch.
        t[2, j] = 0.5 * up * t[1, j]
        t[3, j] = -0.5 * up * t[0, j]


@njit(cache=True)
def dot(a, b):
    """Scalar product of two rows of N."""
    s = 0.0
    for j in range(N):
        s += a[j] * b[j]
    return s


@njit(cache=True)
def propagate(st, co, ep):
    """Take covariance and best estimates to the end of the epoch."""
    t, x, p = ep.transition, ep.state, st.cov
    # A P A^T in place: first all rows times A^T, then, P being symmetric, the columns likewise.
    for r in range(N):
        row = ep.cov[r]
        for c in range(N):
            p[r, c] = dot(t[c], row) if c < 4 else row[c]
    for c in range(N):
        a0, a1, a2, a3 = 0.0, 0.0, 0.0, 0.0
        for j in range(N):
            a0 += t[0, j] * p[j, c]
            a1 += t[1, j] * p[j, c]
            a2 += t[2, j] * p[j, c]
            a3 += t[3, j] * p[j, c]
        p[0, c], p[1, c], p[2, c], p[3, c] = a0, a1, a2, a3
    span = st.weight * co.dt
    tilt = co.tilt_noise * span + co.gyr_clip_noise * st.gyr_clipped
    velocity = co.force_noise * span + co.acc_clip_noise * st.acc_clipped
    p[0, 0] += tilt
    p[1, 1] += tilt
    p[2, 2] += velocity
    p[3, 3] += velocity
    ep.shift[0] = dot(t[0], x)
    ep.shift[1] = dot(t[1], x)
    st.velocity[0] += st.force_sum[0] + dot(t[2], x)
    st.velocity[1] += st.force_sum[1] + dot(t[3], x)
    for j in range(3):
        ep.bias[j] = st.bias[j]
        st.bias[j] += x[4 + j]
    ep.decay = math.exp(-span / co.bias_tau)
    forget(st, co, ep.decay)
    for a in range(N):
        for b in range(a):
            p[a, b] = 0.5 * (p[a, b] + p[b, a])
            p[b, a] = p[a, b]
    # From here on the orientation is integrated from what is now known, and the error state is zero again.
    q = st.quat
    dw, dx, dy, dz = exp_rotation(ep.shift[0], ep.shift[1], 0.0)
    q[0], q[1], q[2], q[3] = multiply(dw, dx, dy, dz, q[0], q[1], q[2], q[3])


@njit(cache=True)
def backward(epochs, count, smooth, adjoint):
    """Fill ``smooth`` (e, N) with the error state of each of ``count`` epochs of one lane, given them all.

    ``adjoint`` (2, N) is work space.
    """
    lam, old = adjoint[0], adjoint[1]
    for j in range(N):
        lam[j] = 0.0
    for k in range(count - 1, -1, -1):
        ep = epochs[k]
        if k + 1 < count:
            decay = ep.decay
            if epochs[k + 1].restarts == 1:
                # Nothing of tilt and velocity crosses a long hole.
                for j in range(4):
                    lam[j] = 0.0
                decay *= epochs[k + 1].hole_decay
            for j in range(N):
                old[j] = lam[j]
            for j in range(N):
                s = decay * old[j] if j >= 4 else 0.0
                for r in range(4):
                    s += ep.transition[r, j] * old[r]
                lam[j] = s
        for j in range(N):
            smooth[k, j] = ep.state[j] - dot(ep.cov[j], lam)
        for j in range(UPDATES - 1, -1, -1):
            s = ep.innovation[j] + dot(ep.gain[j], lam)
            for a in range(N):
                lam[a] -= ep.row[j, a] * s
