"""Slow, obvious twins of the orientation kernels: arrays, textbook matrices, scipy where it has the thing."""

from __future__ import annotations

import numpy as np
from scipy.signal import butter, lfilter
from scipy.spatial.transform import Rotation, Slerp

from latemiles.estimators.orientation_params import OrientationParams
from latemiles.estimators.orientation_smoothed import SmootherParams


def inclination_error(quat: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Angle (n,) between the two verticals, rad: the heading part of the error is left out."""
    error = _rotation(quat) * _rotation(truth).inv()
    about_up = np.hypot(error.as_quat()[:, 3], error.as_quat()[:, 2])
    return 2.0 * np.arccos(np.clip(about_up, 0.0, 1.0))


def inclination_rmse_deg(quat: np.ndarray, truth: np.ndarray, where: np.ndarray) -> float:
    """BROAD's score: root mean square inclination error over the movement, degrees."""
    used = np.asarray(where, dtype=bool) & np.isfinite(quat).all(axis=1) & np.isfinite(truth).all(axis=1)
    return float(np.degrees(np.sqrt(np.mean(inclination_error(quat[used], truth[used]) ** 2))))


def _rotation(quat: np.ndarray) -> Rotation:
    return Rotation.from_quat(np.roll(quat, -1, axis=-1))


def _quat(rotation: Rotation) -> np.ndarray:
    return np.roll(rotation.as_quat(), 1, axis=-1)


def averaged_lowpass(x: np.ndarray, tau: float, rate_hz: float) -> np.ndarray:
    """Running mean for tau seconds, then a Butterworth low-pass settled at that mean; x (n, m)."""
    n = min(len(x), int(np.ceil(tau * rate_hz - 1e-9)))
    mean = np.cumsum(x[:n], axis=0) / np.arange(1, n + 1)[:, None]
    if n == len(x):
        return mean
    b, a = butter(2, np.sqrt(2.0) / (2.0 * np.pi * tau), fs=rate_hz)
    settled = np.array([1.0 - b[0], b[2] - a[2]])[:, None] * mean[-1]
    rest, _ = lfilter(b, a, x[n:], axis=0, zi=settled)
    return np.concatenate([mean, rest])


def resting(gyr: np.ndarray, acc: np.ndarray, rate_hz: float, params: OrientationParams) -> np.ndarray:
    """Whether each sample ends ``rest_min`` seconds of quiet."""
    slow_gyr = averaged_lowpass(gyr, params.rest_tau, rate_hz)
    slow_acc = averaged_lowpass(acc, params.rest_tau, rate_hz)
    gyr_moves = (np.linalg.norm(gyr - slow_gyr, axis=1) >= params.rest_gyr) | (
        np.abs(slow_gyr).max(axis=1) > params.bias_clip
    )
    acc_moves = np.linalg.norm(acc - slow_acc, axis=1) >= params.rest_acc
    rest = np.zeros(len(gyr), dtype=bool)
    quiet = 0.0
    for k in range(len(gyr)):
        # A sample whose rate moves ends the quiet, but its own force may begin the next one.
        quiet = 0.0 if acc_moves[k] else (0.0 if gyr_moves[k] else quiet) + 1.0 / rate_hz
        rest[k] = quiet >= params.rest_min
    return rest


def causal(
    gyr: np.ndarray, acc: np.ndarray, rate_hz: float, params: OrientationParams | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The causal filter on good samples, textbook Kalman form: quat (n, 4) and bias (n, 3)."""
    p = params or OrientationParams()
    dt = 1.0 / rate_hz
    rest = resting(gyr, acc, rate_hz, p)
    slow_gyr = averaged_lowpass(gyr, p.rest_tau, rate_hz)
    v = np.radians(0.1) ** 2 * dt / p.bias_forgetting
    w_motion = p.bias_sigma_motion**4 / v + p.bias_sigma_motion**2
    w_rest = p.bias_sigma_rest**4 / v + p.bias_sigma_rest**2
    filtered = _Lowpass(14, p.force_tau, rate_hz)
    inertial, correction = Rotation.identity(), Rotation.identity()
    bias, cov = np.zeros(3), np.eye(3) * p.bias_sigma_init**2
    quats, biases = [], []
    for k in range(len(gyr)):
        inertial = inertial * Rotation.from_rotvec((gyr[k] - bias) * dt)
        force = filtered.preview(slice(0, 3), inertial.apply(acc[k]))
        e = correction.apply(force) / np.linalg.norm(force)
        axis = np.cross(e, [0.0, 0.0, 1.0])
        angle = np.arctan2(np.linalg.norm(axis), e[2])
        correction = Rotation.from_rotvec(axis / max(np.linalg.norm(axis), 1e-300) * angle) * correction
        whole = correction * inertial
        matrix = whole.as_matrix()
        out = filtered.step(np.concatenate([inertial.apply(acc[k]), matrix.ravel(), (matrix @ bias)[:2]]))
        matrix, explained = out[3:12].reshape(3, 3), out[12:14]
        for j in range(3):
            if cov[j, j] < p.bias_sigma_init**2:
                cov[j, j] += v
        if rest[k]:
            h, y, w = np.eye(3), slow_gyr[k] - bias, np.full(3, w_rest)
        else:
            h = matrix
            y = np.array([-e[1] / dt + explained[0], e[0] / dt + explained[1], 0.0]) - h @ bias
            w = np.array([w_motion, w_motion, w_motion / p.bias_vertical_weight])
        y = np.clip(y, -p.bias_clip, p.bias_clip)
        gain = cov @ h.T @ np.linalg.inv(np.diag(w) + h @ cov @ h.T)
        bias = np.clip(bias + gain @ y, -p.bias_clip, p.bias_clip)
        cov = cov - gain @ h @ cov
        quats.append(_quat(whole))
        biases.append(bias)
    return np.array(quats), np.array(biases)


class _Lowpass:
    """``averaged_lowpass`` sample by sample, with a look at the next output of some channels."""

    def __init__(self, channels: int, tau: float, rate_hz: float) -> None:
        self.b, self.a = butter(2, np.sqrt(2.0) / (2.0 * np.pi * tau), fs=rate_hz)
        self.want = tau * rate_hz - 1e-9
        self.sum, self.n = np.zeros(channels), 0
        self.z: np.ndarray | None = None

    def preview(self, part: slice, x: np.ndarray) -> np.ndarray:
        if self.z is None:
            return (self.sum[part] + x) / (self.n + 1)
        return self.b[0] * x + self.z[0, part]

    def step(self, x: np.ndarray) -> np.ndarray:
        if self.z is None:
            self.sum, self.n = self.sum + x, self.n + 1
            y = self.sum / self.n
            if self.n >= self.want:
                self.z = np.stack([y * (1.0 - self.b[0]), y * (self.b[2] - self.a[2])])
            return y
        y = self.b[0] * x + self.z[0]
        self.z = np.stack([self.b[1] * x - self.a[1] * y + self.z[1], self.b[2] * x - self.a[2] * y])
        return y


def smoothed(
    gyr: np.ndarray, acc: np.ndarray, rate_hz: float, own: SmootherParams | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The smoother on good samples, all at once: forward Kalman filter, then Rauch-Tung-Striebel.

    The fast one uses Bryson-Frazier on a window and sums by hand; this one dense matrices, the other
    smoother and the whole recording. Returns quat (n, 4) and bias (n, 3).
    """
    own = own or SmootherParams()
    p = OrientationParams()
    dt = 1.0 / rate_hz
    per = round(own.epoch * rate_hz)
    rest = resting(gyr, acc, rate_hz, p)
    v_rest = p.bias_sigma_rest**4 / (np.radians(0.1) ** 2 / p.bias_forgetting) + p.bias_sigma_rest**2 * dt
    starts = [0, *range(2 * per, len(gyr), per)]
    ends = [*starts[1:], len(gyr)]
    attitude, velocity, bias, gained = Rotation.identity(), np.zeros(2), np.zeros(3), np.zeros(2)
    cov = np.diag([own.tilt_init**2] * 2 + [own.velocity_init**2] * 2 + [p.bias_sigma_init**2] * 3)
    tracks, filtered, predicted, steps, shifts, biases = [], [], [], [], [], []
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        part = slice(start, end)
        span = (end - start) * dt
        turns = Rotation.from_rotvec((gyr[part] - bias) * dt)
        track = []
        for turn in turns:
            attitude = attitude * turn
            track.append(attitude)
        track = Rotation.concatenate(track)
        if number == 0:
            up = track.apply(acc[part]).sum(axis=0)
            axis = np.cross(up, [0.0, 0.0, 1.0])
            angle = np.arctan2(np.linalg.norm(axis), up[2])
            track = Rotation.from_rotvec(axis / np.linalg.norm(axis) * angle) * track
            attitude = track[-1]
        sums = np.cumsum(track.apply(acc[part]) * dt, axis=0)
        force, distance = sums[-1], sums.sum(axis=0) * dt
        matrix = track.as_matrix()
        turn = matrix.sum(axis=0) * dt
        rows, values, variances = [], [], []
        sigma = own.velocity_sigma_rest if rest[part].all() else own.velocity_sigma
        for axis, (other, sign) in enumerate([(1, 1.0), (0, -1.0)]):
            row = np.zeros(7)
            row[2 + axis], row[other] = 1.0, sign * distance[2] / span
            rows.append(row)
            values.append(-velocity[axis] - distance[axis] / span)
            variances.append(sigma**2 * own.velocity_tau / span)
        if rest[part].all():
            for axis in range(3):
                rows.append(np.eye(7)[4 + axis])
                values.append(gyr[part].mean(axis=0)[axis] - bias[axis])
                variances.append(v_rest / span)
        # A velocity that is far from zero has changed since the epoch before: what was predicted knew less.
        level, seen = np.array(rows[:2]), np.array(values[:2])
        gained = gained * np.exp(-span / 20.0)
        if seen @ np.linalg.solve(level @ cov @ level.T + variances[0] * np.eye(2), seen) > 7.4:
            cov = cov.copy()
            cov[2:4, 2:4] += np.outer(seen, seen)
            gained = gained - seen
            if gained @ gained > 8.0**2:
                # Nobody gains as much: up leans.
                cov[:2, :2] += own.tilt_init**2 * np.eye(2)
                gained = np.zeros(2)
        if predicted:
            predicted[-1] = cov
        state = np.zeros(7)
        for row, value, variance in zip(rows, values, variances, strict=True):
            innovation = value - row @ state
            total = row @ cov @ row + variance
            gain = cov @ row / total
            state, cov = state + gain * innovation, cov - np.outer(gain, row @ cov)
        step = np.eye(7)
        step[0:2, 4:] = -turn[:2]
        step[2, 1], step[3, 0] = force[2], -force[2]
        step[2, 4:], step[3, 4:] = 0.5 * force[2] * step[1, 4:], -0.5 * force[2] * step[0, 4:]
        decay = np.exp(-span / own.bias_tau)
        step[4:, 4:] *= decay
        noise = np.zeros(7)
        noise[0:2], noise[2:4] = own.tilt_noise**2 * span, own.force_noise**2 * span
        noise[4:] = p.bias_sigma_init**2 * (1.0 - decay**2)
        filtered.append((state, cov))
        cov = step @ cov @ step.T + np.diag(noise)
        predicted.append(cov)
        steps.append((step, -turn[2]))
        tracks.append(track)
        biases.append(bias)
        after = step @ state
        shifts.append(after[:2])
        attitude = Rotation.from_rotvec([*after[:2], 0.0]) * attitude
        velocity = velocity + force[:2] + after[2:4]
        bias = decay * (bias + state[4:])
    smooth = [filtered[-1][0]]
    for k in range(len(starts) - 2, -1, -1):
        state, cov = filtered[k]
        # The next epoch's prior error is zero by construction: the reference was moved there.
        smooth.insert(0, state + cov @ steps[k][0].T @ np.linalg.inv(predicted[k]) @ smooth[0])
    heading = 0.0
    quats = []
    for k, x in enumerate(smooth):
        n = ends[k] - starts[k]
        last = shifts[k] + smooth[k + 1][:2] if k + 1 < len(smooth) else (steps[k][0] @ x)[:2]
        turned = steps[k][1] @ x[4:]
        corrections = [
            Rotation.from_rotvec([0.0, 0.0, about_up]) * Rotation.from_rotvec([*tilt, 0.0])
            for about_up, tilt in ((heading, x[:2]), (heading + turned, last))
        ]
        between = Slerp([0.0, 1.0], Rotation.concatenate(corrections))(np.arange(1, n + 1) / n)
        quats.append(_quat(between * tracks[k]))
        heading += turned
    spread = [np.tile(b + x[4:], (e - s, 1)) for b, x, s, e in zip(biases, smooth, starts, ends, strict=True)]
    return np.concatenate(quats), np.concatenate(spread)
