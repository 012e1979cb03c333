"""Kernels of the relative heading of pelvis and thigh: swing plane of a window, Kalman filter, smoother.

The earth frames of two lanes differ by an angle ``delta`` about the vertical that drifts with the gyros'
relative vertical bias. The long axis of a thigh sweeps a plane whose heading differs from the pelvis's
forward heading by a constant of the runner, the swing offset, one in walking and one in running; the filter
carries all three.
"""

from __future__ import annotations

import math

from latemiles.kernels.circular import cos_sin_of
from latemiles.kernels.jit import njit
from latemiles.kernels.quaternion import rotate, wrap_angle

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
            # The earth's up in sensor axes: the last row of the rotation matrix.
            x, y, z = 2.0 * (qx * qz - qw * qy), 2.0 * (qy * qz + qw * qx), 1.0 - 2.0 * (qx * qx + qy * qy)
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
    trace = xx + yy + zz
    if not trace > 0.0:
        return 0.0
    xx, xy, xz, yy, yz, zz = xx / trace, xy / trace, xz / trace, yy / trace, yz / trace, zz / trace
    ax, ay, az, before = 1.0, 0.3, 0.7, 1.0
    for k in range(12):
        if k == 11:
            before = math.sqrt(ax * ax + ay * ay + az * az)
        ax, ay, az = (
            xx * ax + xy * ay + xz * az,
            xy * ax + yy * ay + yz * az,
            xz * ax + yz * ay + zz * az,
        )
    size = math.sqrt(ax * ax + ay * ay + az * az)
    if not size > 0.0:
        return 0.0
    ax, ay, az = ax / size, ay / size, az / size
    threshold = 0.5 * math.sqrt(trace * (size / before) / w)
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
    headings : float64 array, shape (3, n)
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
        psi = headings[0, row]
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
        if not (math.isfinite(headings[0, row]) and math.isfinite(ring[row, lane, 0])):
            continue
        a = weights[j] / total
        qw, qx, qy, qz = ring[row, lane, 0], ring[row, lane, 1], ring[row, lane, 2], ring[row, lane, 3]
        c, s = cos_sin_of(slope * (j - middle - t_mean))
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
    """One step of the model: delta grows by its rate, rate and offsets wander.

    Parameters
    ----------
    x : float64 array, shape (4,)
        delta, rad; its rate, rad/s; swing offsets of walking and of running, rad. Changed in place.
    P : float64 array, shape (4, 4)
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
    p00, p01, p11 = P[0, 0], P[0, 1], P[1, 1]
    P[0, 0] = p00 + 2.0 * h * p01 + h * h * p11 + noise[0] * h
    P[0, 1] = P[1, 0] = p01 + h * p11
    for j in range(2, 4):
        P[0, j] = P[j, 0] = P[0, j] + h * P[1, j]
        P[j, j] += noise[2] * h
    P[1, 1] = p11 + noise[1] * dt


@njit(cache=True)
def kalman_update(x, P, z, gait, variance, gate):
    """Take in a measured angle: ``z`` is delta, or delta and the swing offset of a gait; angles wrap.

    Parameters
    ----------
    x, P : float64 arrays, shapes (4,) and (4, 4)
        As for ``kalman_predict``, changed in place.
    z : float
        rad.
    gait : int
        0 delta alone, 1 walking, 2 running.
    variance : float
        Of ``z``, rad^2.
    gate : float
        Standard deviations.

    Returns
    -------
    int
        1 if it was taken, 0 if it lay more than ``gate`` standard deviations off.
    """
    c = 1 + gait
    h = 1.0 if gait > 0 else 0.0
    innovation = wrap_angle(z - x[0] - h * x[c])
    b0, b1 = P[0, 0] + h * P[0, c], P[1, 0] + h * P[1, c]
    b2, b3 = P[2, 0] + h * P[2, c], P[3, 0] + h * P[3, c]
    s = b0 + h * (b2 if gait == 1 else b3) + variance
    if not innovation * innovation <= gate * gate * s:
        return 0
    b = (b0, b1, b2, b3)
    for i in range(4):
        x[i] += b[i] / s * innovation
        for j in range(i, 4):
            P[i, j] -= b[i] / s * b[j]
            P[j, i] = P[i, j]
    return 1


@njit(cache=True)
def delta_at_samples(smoothed, steps, step, made, second, per_bin, first, out):
    """Smoothed relative headings at consecutive samples, on straight lines between three steps.

    Parameters
    ----------
    smoothed : float64 array, shape (2, n, 4)
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
    n, count = smoothed.shape[1], out.shape[1]
    if steps == 0:
        out[:] = math.nan
        return
    low, high = min(max(step, 0), steps - 1), min(max(step + 2, 0), steps - 1)
    # Straight from one step to the next; before the first of the three as at the first.
    begin, j = 0, low
    end = _samples_before(made + low * second, per_bin, first, count)
    for side in range(2):
        out[side, :end] = smoothed[side, low % n, 0]
    while end < count:
        begin, end = end, count
        if j < high:
            end = _samples_before(made + (j + 1) * second, per_bin, first, count)
        x, row, after = made + j * second, j % n, min(j + 1, high) % n
        for side in range(2):
            here, then = smoothed[side, row, 0], smoothed[side, after, 0]
            here, then = then if math.isnan(here) else here, here if math.isnan(then) else then
            slope, line = (then - here) / second, out[side]
            for i in range(begin, end):
                line[i] = slope * ((first + i + 1) / per_bin - x) + here
        j += 1


@njit(cache=True)
def _samples_before(time, per_bin, first, count):
    """How many of ``count`` samples from grid index ``first`` on come before a time in bins."""
    return min(max(math.ceil(time * per_bin) - first - 1, 0), count)


@njit(cache=True)
def smooth_back(history, newest, oldest, out):
    """Rauch-Tung-Striebel smoother over the filter's last steps.

    Parameters
    ----------
    history : float64 array, shape (n, 41) or wider
        Ring of steps; step j in row ``j % n``: the step's length h (s, 0 at rest), predicted state (4) and
        covariance (16), updated state (4) and covariance (16).
    newest, oldest : int
        Steps to start from and to go back to.
    out : float64 array, shape (n, 4)
        Ring of smoothed states, written for ``oldest`` to ``newest``; same rows as ``history``.

    References
    ----------
    .. [1] H. E. Rauch, F. Tung, C. T. Striebel, Maximum likelihood estimates of linear dynamic systems,
       AIAA J 3 (1965) 1445-1450, eq. 3.27-3.31.
    """
    n = history.shape[0]
    row = newest % n
    for j in range(4):
        out[row, j] = history[row, 21 + j]
    for _ in range(newest - oldest):
        later, row = row, row - 1 if row > 0 else n - 1
        here, after = history[row], history[later]
        r0, r1 = out[later, 0] - after[1], out[later, 1] - after[2]
        r2, r3 = out[later, 2] - after[3], out[later, 3] - after[4]
        # The predicted covariance as L D L', L with ones on its diagonal.
        d0 = after[5]
        l10, l20, l30 = after[9] / d0, after[13] / d0, after[17] / d0
        d1 = after[10] - l10 * after[9]
        m21, m31 = after[14] - l20 * after[9], after[18] - l30 * after[9]
        l21, l31 = m21 / d1, m31 / d1
        d2 = after[15] - l20 * after[13] - l21 * m21
        m32 = after[19] - l30 * after[13] - l31 * m21
        l32 = m32 / d2
        d3 = after[20] - l30 * after[17] - l31 * m31 - l32 * m32
        if not (d0 > 0.0 and d1 > 0.0 and d2 > 0.0 and d3 > 0.0):
            for j in range(4):
                out[row, j] = here[21 + j]
            continue
        r1 -= l10 * r0
        r2 -= l20 * r0 + l21 * r1
        r3 -= l30 * r0 + l31 * r1 + l32 * r2
        v3 = r3 / d3
        v2 = r2 / d2 - l32 * v3
        v1 = r1 / d1 - l21 * v2 - l31 * v3
        v0 = r0 / d0 - l10 * v1 - l20 * v2 - l30 * v3
        # F' v, where F adds h times the rate to delta.
        v1 += after[0] * v0
        for j in range(4):
            k = 25 + 4 * j
            out[row, j] = here[21 + j] + here[k] * v0 + here[k + 1] * v1 + here[k + 2] * v2 + here[k + 3] * v3
