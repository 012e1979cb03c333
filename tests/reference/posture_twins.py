"""Slow, obvious versions of the posture kernels."""

from __future__ import annotations

import numpy as np

from latemiles.signals.frames import (
    SIDES,
    hip_angles,
    pelvis_angles,
    quat_conj,
    quat_multiply,
    quat_rotate,
)


def about_z(angle: np.ndarray) -> np.ndarray:
    half = np.asarray(angle) / 2.0
    return np.stack([np.cos(half), 0.0 * half, 0.0 * half, np.sin(half)], axis=-1)


def joint_angles(quat, acc, mounts, heading, delta):
    """pelvis (k, 3), hip (2, k, 3), force_up (3, k), force_horizontal (k, 2)."""
    segment = quat_multiply(quat, quat_conj(mounts)[:, None])
    pelvis = pelvis_angles(quat_multiply(about_z(-heading), segment[0]))
    hip = np.stack(
        [
            hip_angles(
                quat_multiply(
                    quat_conj(segment[0]), quat_multiply(about_z(delta[side.lane]), segment[1 + side.lane])
                ),
                side,
            )
            for side in SIDES
        ]
    )
    force = quat_rotate(quat, acc)
    ahead = np.exp(-1j * heading) * (force[0, :, 0] + 1j * force[0, :, 1])
    return pelvis, hip, force[..., 2], np.stack([ahead.real, ahead.imag], axis=1)


def bins(acc, gyr, quat, per_bin):
    """(n, lanes, 10) bins of whole streams that start at grid sample 0."""
    lanes, k, _ = acc.shape
    out = np.full((k // per_bin, lanes, 10), np.nan)
    for b in range(len(out)):
        here = slice(b * per_bin, (b + 1) * per_bin)
        for lane in range(lanes):
            good = np.isfinite(acc[lane, here]).all(axis=1) & np.isfinite(gyr[lane, here]).all(axis=1)
            last = quat[lane, (b + 1) * per_bin - 1]
            if 2 * good.sum() >= per_bin and np.isfinite(last[0]):
                out[b, lane, :4] = last
                out[b, lane, 4:7] = gyr[lane, here][good].mean(axis=0)
                out[b, lane, 7:] = acc[lane, here][good].mean(axis=0)
    return out


def headings(rows, forward, weights):
    """(n, 2) heading of the pelvis and its weighted mean over the last bins."""
    ahead = quat_rotate(rows[:, 0, :4], forward)
    psi = np.arctan2(ahead[:, 1], ahead[:, 0])
    good = np.isfinite(psi)
    psi[good] = np.unwrap(psi[good])
    mean = np.full(len(psi), np.nan)
    w = len(weights)
    for b in range(len(psi)):
        past = psi[max(0, b - w + 1) : b + 1][::-1]
        used = np.isfinite(past)
        share = weights[: len(past)][used]
        if share.sum() > 0.25:
            mean[b] = (share * past[used]).sum() / share.sum()
        elif good[: b + 1].any():
            mean[b] = psi[: b + 1][good[: b + 1]][-1]
    return np.stack([psi, mean], axis=1)


def features(rows, weights):
    """(lanes, 6) of a window without holes: mean up, rms rate, sd of the vertical force, share heard."""
    up = quat_rotate(quat_conj(rows[..., :4]), np.array([0.0, 0.0, 1.0]))
    w = weights[:, None]
    out = np.empty((rows.shape[1], 6))
    out[:, :3] = (w[..., None] * up).sum(axis=0)
    gyr = rows[..., 4:7]
    around = gyr - (w[..., None] * gyr).sum(axis=0)
    out[:, 3] = np.sqrt((w * (around**2).sum(axis=2)).sum(axis=0))
    force = (up * rows[..., 7:]).sum(axis=2)
    out[:, 4] = np.sqrt((w * (force - (w * force).sum(axis=0)) ** 2).sum(axis=0))
    out[:, 5] = 1.0
    return out


def swing_plane(quat, psi, weights, up, forward):
    """Heading difference, variances along and across, turning; one thigh's window without holes."""
    t = np.arange(len(psi)) - (len(psi) - 1) / 2.0
    t_mean, psi_mean = weights @ t, weights @ psi
    slope = (weights @ (t * psi) - t_mean * psi_mean) / (weights @ (t * t) - t_mean**2)
    back = np.exp(-1j * slope * (t - t_mean))
    long_axis = quat_rotate(quat, up)
    flat = back * (long_axis[:, 0] + 1j * long_axis[:, 1])
    flat = flat - weights @ flat
    covariance = np.cov(np.stack([flat.real, flat.imag]), aweights=weights, bias=True)
    size, axes = np.linalg.eigh(covariance)
    ahead = quat_rotate(quat, forward)
    facing = weights @ (back * (ahead[:, 0] + 1j * ahead[:, 1]))
    main = axes[0, 1] + 1j * axes[1, 1]
    if (main * np.conj(facing)).real < 0.0:
        main = -main
    return np.array([np.angle(np.exp(1j * psi_mean) * np.conj(main)), size[1], size[0], slope])


def kalman(steps, x, P, noise):
    """Filter and smoother of [delta, rate, walking's offset, running's] by the book.

    ``steps``: rows of step length (0 at rest), dt, measured angle, gait (0 none), variance (NaN: none), and
    what is added to the variance of running's offset before.
    """
    predicted, updated, models = [], [], []
    for h, dt, z, gait, variance, more in steps:
        F = np.eye(4)
        F[0, 1] = h
        x = F @ x
        P = F @ P @ F.T + np.diag([noise[0] * h, noise[1] * dt, noise[2] * h, noise[2] * h + more])
        predicted.append((x, P))
        models.append(F)
        if np.isfinite(variance):
            H = np.array([1.0, 0.0, gait == 1, gait == 2])
            gain = P @ H / (H @ P @ H + variance)
            innovation = np.angle(np.exp(1j * (z - H @ x)))
            x = x + gain * innovation
            P = P - np.outer(gain, H @ P)
        updated.append((x, P))
    smoothed = [updated[-1][0]]
    for k in range(len(steps) - 2, -1, -1):
        C = updated[k][1] @ models[k + 1].T @ np.linalg.inv(predicted[k + 1][1])
        smoothed.append(updated[k][0] + C @ (smoothed[-1] - predicted[k + 1][0]))
    return predicted, updated, np.array(smoothed[::-1])


def midmean(values):
    cut = len(values) // 4
    return np.sort(values, axis=0)[cut : len(values) - cut].mean(axis=0)


def step_statistic(windows, side, near):
    """(lanes, 9) midmeans before and after, far and near step, scatter."""
    n = len(windows)
    before, after = midmean(windows[:side]), midmean(windows[n - side :])
    close = midmean(windows[n - side : n - side + near]) - midmean(windows[side - near : side])
    far = np.linalg.norm(after - before, axis=1)
    apart = [w - w.mean(axis=0) for w in (windows[:side], windows[n - side :])]
    scatter = np.sqrt(sum((a**2).sum(axis=(0, 2)) for a in apart) / (2 * side - 2))
    lengths = np.stack([far, np.linalg.norm(close, axis=1), scatter], axis=1)
    return np.concatenate([before, after, lengths], axis=1)


def hip_harmonics(rows, weights, bin_hz, rate_hz):
    """(lanes, 4, 12) complex harmonics of force and of i w R [gyr x]; ``rows`` begin one bin early."""
    q, before = rows[1:, :, :4], rows[:-1, :, :4]
    q = q + before * np.sign((q * before).sum(axis=2, keepdims=True))
    q = q / np.linalg.norm(q, axis=2, keepdims=True)
    force = quat_rotate(q, rows[1:, :, 7:])
    velocity = np.stack([quat_rotate(q, np.cross(rows[1:, :, 4:7], e)) for e in np.eye(3)], axis=3)
    both = np.concatenate([force, velocity.reshape(*force.shape[:2], 9)], axis=2)
    omega = 2.0 * np.pi * rate_hz * np.arange(1, 5)
    waves = 2.0 * weights * np.exp(-1j * np.outer(omega, np.arange(len(weights)) / bin_hz))
    out = np.einsum("kn,nlc->lkc", waves, both)
    out[:, :, 3:] *= 1j * omega[:, None]
    return out


def hip_heading(blocks, lane, levers, fewest):
    """Angle from the hip's level acceleration as a thigh sees it to the pelvis's; ``blocks`` are complex."""
    level = []
    for row, lever in ((0, levers[:3]), (lane, levers[3:])):
        hip = blocks[:, row, :, :3] + blocks[:, row, :, 3:].reshape(*blocks.shape[:1], 4, 3, 3) @ lever
        x, y = hip[..., 0], hip[..., 1]
        level.append(np.stack([x + 1j * y, np.conj(x) + 1j * np.conj(y)]))
    heard = np.isfinite(level[0] + level[1]).all(axis=(0, 2))
    if heard.sum() < fewest:
        return np.nan
    pelvis, thigh = (x[:, heard] for x in level)
    cross = (pelvis * np.conj(thigh)).sum(axis=(0, 1))
    power = (np.abs(pelvis) ** 2).sum(axis=(0, 1)) * (np.abs(thigh) ** 2).sum(axis=(0, 1))
    return np.angle(np.sum(cross * (np.abs(cross) ** 2 / power) ** 4))


def without_lean(windows, mounts, side, lane):
    """Windows (n, 4, 3) without the lean that the three sensors share, forward and to the left."""
    level = quat_rotate(quat_conj(mounts)[:, None], np.eye(3)[:2])
    lean = np.einsum("wlk,ldk->wld", windows[:, :3], level)
    lean = lean - lean[:side].mean(axis=0)
    median, pelvis = np.median(lean, axis=1), lean[:, 0]
    shared = np.where(
        median * pelvis > 0.0, np.sign(pelvis) * np.minimum(np.abs(median), np.abs(pelvis)), 0.0
    )
    if lane >= 0:
        shared = np.delete(lean, lane, axis=1).mean(axis=1)
    out = windows.copy()
    out[:, :3] -= np.einsum("wd,ldk->wlk", shared, level)
    return out


def keep_window(windows, features):
    """The windows with one more and the oldest gone."""
    up = features[:, :3] / np.linalg.norm(features[:, :3], axis=1, keepdims=True)
    vigour = [np.nansum(features[1:, 3]), np.nan_to_num(features[0, 4]), 0.0]
    return np.concatenate([windows[1:], [[*up, vigour]]])
