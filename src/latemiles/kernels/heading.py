"""Kernels of the relative heading of pelvis and thigh: swing plane of a window, Kalman filter, smoother.

The earth frames of two lanes differ by an angle ``delta`` about the vertical that drifts with the gyros'
relative vertical bias. The long axis of a running thigh sweeps a plane whose heading differs from the
pelvis's forward heading by a constant of the runner, the swing offset ``c``; the filter carries both.
"""

from __future__ import annotations

import math

from latemiles.kernels.jit import njit
from latemiles.kernels.quaternion import rotate, rotate_inverse, wrap_angle

__all__ = [
    "FEATURES",
    "delta_at_samples",
    "kalman_predict",
    "kalman_update",
    "smooth_back",
    "swing_plane",
    "window_features",
]

FEATURES = 7
"""Columns of ``window_features``, one row a lane: mean up (3), rms rate, sd of vertical force, share heard,
swings a bin."""


@njit(cache=True)
def window_features(ring, end, weights, out):
    """Weighted features of the bins that end before ``end``.

    Parameters
    ----------
    ring : float64 array, shape (n, lanes, 10)
        Bins, see ``posture_bins``.
    end : int
        One past the last bin; ``end >= len(weights)``.
    weights : float64 array, shape (w,)
        Positive, sum 1.
    out : float64 array, shape (lanes, 7)
        Mean of the earth-up direction in sensor axes (3, not normalised); rms of gyr around its mean,
        rad/s; standard deviation of the vertical specific force, m/s^2; share of weight heard; how often the
        rate about its main axis swings to and fro, cycles a bin. NaN where less than half was heard.
    """
    n = ring.shape[0]
    w = weights.shape[0]
    for lane in range(ring.shape[1]):
        total = ux = uy = uz = gx = gy = gz = gg = f = ff = 0.0
        row = (end - w - 1) % n
        for j in range(w):
            row = row + 1 if row + 1 < n else 0
            qw = ring[row, lane, 0]
            if not math.isfinite(qw):
                continue
            qx, qy, qz = ring[row, lane, 1], ring[row, lane, 2], ring[row, lane, 3]
            a = weights[j]
            total += a
            x, y, z = rotate_inverse(qw, qx, qy, qz, 0.0, 0.0, 1.0)
            ux += a * x
            uy += a * y
            uz += a * z
            force = x * ring[row, lane, 7] + y * ring[row, lane, 8] + z * ring[row, lane, 9]
            f += a * force
            ff += a * force * force
            g0, g1, g2 = ring[row, lane, 4], ring[row, lane, 5], ring[row, lane, 6]
            gx += a * g0
            gy += a * g1
            gz += a * g2
            gg += a * (g0 * g0 + g1 * g1 + g2 * g2)
        if total > 0.5:
            out[lane, 0] = ux / total
            out[lane, 1] = uy / total
            out[lane, 2] = uz / total
            spread = gg / total - (gx * gx + gy * gy + gz * gz) / (total * total)
            out[lane, 3] = math.sqrt(max(0.0, spread))
            out[lane, 4] = math.sqrt(max(0.0, ff / total - f * f / (total * total)))
        else:
            for j in range(5):
                out[lane, j] = math.nan
        out[lane, 5] = total
        out[lane, 6] = (
            _swings(ring, end, w, lane, gx / total, gy / total, gz / total) if total > 0.5 else math.nan
        )


@njit(cache=True)
def _swings(ring, end, w, lane, mx, my, mz):
    """Sign changes of the rate about its main axis over the last w bins, as cycles a bin."""
    n = ring.shape[0]
    xx = xy = xz = yy = yz = zz = 0.0
    row = (end - w - 1) % n
    for _ in range(w):
        row = row + 1 if row + 1 < n else 0
        x, y, z = ring[row, lane, 4] - mx, ring[row, lane, 5] - my, ring[row, lane, 6] - mz
        if math.isfinite(x):
            xx += x * x
            xy += x * y
            xz += x * z
            yy += y * y
            yz += y * z
            zz += z * z
    # Power iteration; the thigh's flexion outweighs the rest, so a few rounds do.
    ax, ay, az = 1.0, 0.3, 0.7
    for _ in range(12):
        bx = xx * ax + xy * ay + xz * az
        by = xy * ax + yy * ay + yz * az
        bz = xz * ax + yz * ay + zz * az
        size = math.sqrt(bx * bx + by * by + bz * bz)
        if not size > 0.0:
            return 0.0
        ax, ay, az = bx / size, by / size, bz / size
    threshold = 0.5 * math.sqrt(size / w)
    side = 0
    changes = 0
    row = (end - w - 1) % n
    for _ in range(w):
        row = row + 1 if row + 1 < n else 0
        about = (
            ax * (ring[row, lane, 4] - mx) + ay * (ring[row, lane, 5] - my) + az * (ring[row, lane, 6] - mz)
        )
        if about > threshold and side != 1:
            changes += side != 0
            side = 1
        elif about < -threshold and side != -1:
            changes += side != 0
            side = -1
    return 0.5 * changes / w


@njit(cache=True)
def swing_plane(ring, headings, end, weights, lane, up, forward, out):
    """Heading of the pelvis less that of the plane in which a thigh swings, over one window.

    Parameters
    ----------
    ring : float64 array, shape (n, lanes, 10)
        Bins.
    headings : float64 array, shape (n, 3)
        Pelvis heading of each bin, see ``posture_bins.follow_heading``.
    end : int
        One past the last bin of the window.
    weights : float64 array, shape (w,)
        Positive, sum 1, symmetric.
    lane : int
        Lane of the thigh.
    up, forward : float64 arrays, shape (3,)
        Long axis (proximal) and forward axis of the thigh in its sensor's axes.
    out : float64 array, shape (4,)
        Heading difference at the window's centre, rad (-pi to pi); larger and smaller variance of the
        horizontal part of the long axis; turning of the pelvis, rad a bin. NaN if less than 80 % of the
        window was heard.

    Notes
    -----
    The window's own turning is taken out first: in a bend the plane turns with the runner.
    """
    n = ring.shape[0]
    w = weights.shape[0]
    middle = 0.5 * (w - 1)
    total = psi_sum = t_sum = tt_sum = tpsi_sum = 0.0
    row = (end - w - 1) % n
    for j in range(w):
        row = row + 1 if row + 1 < n else 0
        psi = headings[row, 0]
        if math.isfinite(psi) and math.isfinite(ring[row, lane, 0]):
            a = weights[j]
            t = j - middle
            total += a
            psi_sum += a * psi
            t_sum += a * t
            tt_sum += a * t * t
            tpsi_sum += a * t * psi
    if total < 0.8:
        out[0] = out[1] = out[2] = out[3] = math.nan
        return
    t_mean = t_sum / total
    psi_mean = psi_sum / total
    slope = (tpsi_sum / total - t_mean * psi_mean) / (tt_sum / total - t_mean * t_mean)
    mx = my = cxx = cxy = cyy = fx = fy = 0.0
    row = (end - w - 1) % n
    for j in range(w):
        row = row + 1 if row + 1 < n else 0
        if not (math.isfinite(headings[row, 0]) and math.isfinite(ring[row, lane, 0])):
            continue
        a = weights[j] / total
        qw, qx, qy, qz = ring[row, lane, 0], ring[row, lane, 1], ring[row, lane, 2], ring[row, lane, 3]
        turn = slope * (j - middle - t_mean)
        c = math.cos(turn)
        s = math.sin(turn)
        x, y, _ = rotate(qw, qx, qy, qz, up[0], up[1], up[2])
        lx = c * x + s * y
        ly = c * y - s * x
        mx += a * lx
        my += a * ly
        cxx += a * lx * lx
        cxy += a * lx * ly
        cyy += a * ly * ly
        x, y, _ = rotate(qw, qx, qy, qz, forward[0], forward[1], forward[2])
        fx += a * (c * x + s * y)
        fy += a * (c * y - s * x)
    cxx -= mx * mx
    cxy -= mx * my
    cyy -= my * my
    plane = 0.5 * math.atan2(2.0 * cxy, cxx - cyy)
    # An axis has two headings; the one nearer to the thigh's forward axis is meant.
    if math.cos(plane) * fx + math.sin(plane) * fy < 0.0:
        plane += math.pi
    half = 0.5 * (cxx + cyy)
    root = math.sqrt(0.25 * (cxx - cyy) * (cxx - cyy) + cxy * cxy)
    out[0] = wrap_angle(psi_mean - plane)
    out[1] = half + root
    out[2] = half - root
    out[3] = slope


@njit(cache=True)
def kalman_predict(x, P, dt, moves, noise):
    """One step of the model: delta grows by its rate, rate and offset wander.

    Parameters
    ----------
    x : float64 array, shape (3,)
        delta, rad; its rate, rad/s; swing offset, rad. Changed in place.
    P : float64 array, shape (3, 3)
        Covariance, changed in place.
    dt : float
        Step, s.
    moves : float
        1 when the runner moves, 0 at rest, when the gyros' biases are known and delta stays.
    noise : float64 array, shape (3,)
        Spectral densities, rad^2/s, (rad/s)^2/s, rad^2/s.
    """
    h = dt * moves
    x[0] += h * x[1]
    p00, p01, p02 = P[0, 0], P[0, 1], P[0, 2]
    p11, p12 = P[1, 1], P[1, 2]
    P[0, 0] = p00 + 2.0 * h * p01 + h * h * p11 + noise[0] * h
    P[0, 1] = P[1, 0] = p01 + h * p11
    P[0, 2] = P[2, 0] = p02 + h * p12
    P[1, 1] = p11 + noise[1] * dt
    P[2, 2] += noise[2] * h


@njit(cache=True)
def kalman_update(x, P, z, h0, h2, variance, gate):
    """Take in a measured angle ``z = h0 delta + h2 c`` (h0, h2 are 0 or 1); angles wrap.

    Returns
    -------
    int
        1 if it was taken, 0 if it lay more than ``gate`` standard deviations off.
    """
    innovation = wrap_angle(z - h0 * x[0] - h2 * x[2])
    b0 = P[0, 0] * h0 + P[0, 2] * h2
    b1 = P[1, 0] * h0 + P[1, 2] * h2
    b2 = P[2, 0] * h0 + P[2, 2] * h2
    s = h0 * b0 + h2 * b2 + variance
    if not innovation * innovation <= gate * gate * s:
        return 0
    k0, k1, k2 = b0 / s, b1 / s, b2 / s
    x[0] += k0 * innovation
    x[1] += k1 * innovation
    x[2] += k2 * innovation
    P[0, 0] -= k0 * b0
    P[1, 1] -= k1 * b1
    P[2, 2] -= k2 * b2
    P[0, 1] -= k0 * b1
    P[0, 2] -= k0 * b2
    P[1, 2] -= k1 * b2
    P[1, 0] = P[0, 1]
    P[2, 0] = P[0, 2]
    P[2, 1] = P[1, 2]
    return 1


@njit(cache=True)
def delta_at_samples(smoothed, steps, step, made, second, per_bin, first, out):
    """Smoothed relative headings at consecutive samples, on straight lines between three steps.

    Parameters
    ----------
    smoothed : float64 array, shape (2, n, 3)
        Ring of smoothed states of each side, step j in row ``j % n``; NaN where unknown.
    steps : int
        Steps made so far.
    step : int
        The first of the three.
    made : float
        When step 0 is true, bins.
    second : int
        Bins from one step to the next.
    per_bin : int
        Samples a bin.
    first : int
        Grid index of the first sample.
    out : float64 array, shape (2, k)
        Out: rad; before the first and after the last of the three, and beside an unknown one, their values.
    """
    n = smoothed.shape[1]
    low, high = min(max(step, 0), steps - 1), min(max(step + 2, 0), steps - 1)
    for side in range(2):
        if steps == 0:
            for i in range(out.shape[1]):
                out[side, i] = math.nan
            continue
        j, row = low, low % n
        for i in range(out.shape[1]):
            t = (first + i + 1) / per_bin
            while j < high and made + (j + 1) * second <= t:
                j += 1
                row = row + 1 if row + 1 < n else 0
            here, x = smoothed[side, row, 0], made + j * second
            then = here if j == high or t < x else smoothed[side, row + 1 if row + 1 < n else 0, 0]
            if math.isnan(then):
                then = here
            elif math.isnan(here):
                here = then
            out[side, i] = (then - here) / second * (t - x) + here


@njit(cache=True)
def smooth_back(history, newest, oldest, out):
    """Rauch-Tung-Striebel smoother over the filter's last steps.

    Parameters
    ----------
    history : float64 array, shape (n, 26) or wider
        Ring of steps; step j in row ``j % n``: the step's length h (s, 0 at rest), predicted state (3) and
        covariance (9), updated state (3) and covariance (9), and 1, or 0 if the offset has nothing to do
        with the one before it.
    newest, oldest : int
        Steps to start from and to go back to.
    out : float64 array, shape (n, 3)
        Ring of smoothed states, written for ``oldest`` to ``newest``; same rows as ``history``.

    References
    ----------
    .. [1] H. E. Rauch, F. Tung, C. T. Striebel, Maximum likelihood estimates of linear dynamic systems,
       AIAA J 3 (1965) 1445-1450, eq. 3.27-3.31.
    """
    n = history.shape[0]
    row = newest % n
    for j in range(3):
        out[row, j] = history[row, 13 + j]
    for _ in range(newest - oldest):
        later, row = row, row - 1 if row > 0 else n - 1
        here, after = history[row], history[later]
        h = after[0]
        a, b, c = after[4], after[5], after[6]
        d, e, f = after[8], after[9], after[12]
        # Adjugate of the symmetric predicted covariance [[a, b, c], [b, d, e], [c, e, f]].
        i00, i01, i02 = d * f - e * e, c * e - b * f, b * e - c * d
        i11, i12, i22 = a * f - c * c, b * c - a * e, a * d - b * b
        det = a * i00 + b * i01 + c * i02
        if not det > 0.0:
            for j in range(3):
                out[row, j] = here[13 + j]
            continue
        r0 = (out[later, 0] - after[1]) / det
        r1 = (out[later, 1] - after[2]) / det
        r2 = (out[later, 2] - after[3]) / det
        v0 = i00 * r0 + i01 * r1 + i02 * r2
        v1 = i01 * r0 + i11 * r1 + i12 * r2
        v2 = i02 * r0 + i12 * r1 + i22 * r2
        # F' v with F = [[1, h, 0], [0, 1, 0], [0, 0, 1]], or 0 for the last 1.
        v1 += h * v0
        v2 *= after[25]
        for j in range(3):
            out[row, j] = here[13 + j] + here[16 + 3 * j] * v0 + here[17 + 3 * j] * v1 + here[18 + 3 * j] * v2
