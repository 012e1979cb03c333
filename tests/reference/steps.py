"""A made-up runner and walker for gait events, and slow twins of the onset picks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latemiles.signals.blocks import AngleBlock
from latemiles.signals.frames import Side

G = 9.81


@dataclass
class Steps:
    """Signals on a grid, and the true events in order of time."""

    first: int
    rate_hz: float
    force_up: np.ndarray
    flexion: np.ndarray
    contacts: list[tuple[float, Side]]
    toe_offs: list[tuple[float, Side]]

    def block(self, start: int, stop: int) -> AngleBlock:
        k = self.force_up[:, start:stop].shape[1]
        hip = np.full((2, k, 3), np.nan)
        hip[:, :, 0] = self.flexion[:, start:stop]
        return AngleBlock(
            self.first + start,
            self.rate_hz,
            np.full((k, 3), np.nan),
            hip,
            self.force_up[:, start:stop],
            np.full((k, 2), np.nan),
            np.zeros((3, k), dtype=np.int64),
        )

    @property
    def size(self) -> int:
        return self.force_up.shape[1]

    def mirrored(self) -> Steps:
        other = {Side.LEFT: Side.RIGHT, Side.RIGHT: Side.LEFT}
        return Steps(
            self.first,
            self.rate_hz,
            self.force_up[[0, 2, 1]],
            self.flexion[::-1].copy(),
            [(t, other[s]) for t, s in self.contacts],
            [(t, other[s]) for t, s in self.toe_offs],
        )


def runner(
    *,
    seconds: float = 12.0,
    stride_s: float = 0.72,
    duty: float = 0.34,
    rate_hz: float = 200.0,
    first: int = 400,
    standing_s: float = 3.0,
    is_walking: bool = False,
    seed: int = 0,
) -> Steps:
    """Standing, then so many seconds of steps, then standing.

    Running: a half sine of force in each stance that carries the body, free fall between. Walking: a hump a
    step, highest 60 ms after the contact. Each contact shakes pelvis and own thigh (28 Hz, 20 m/s^2), and
    the other thigh a third as much; each hip swings as a cosine that is largest a little before its contact.
    """
    rng = np.random.default_rng(seed)
    n = round((seconds + 2 * standing_s) * rate_hz)
    t = (first + np.arange(n)) / rate_hz
    begin, step = first / rate_hz + standing_s, stride_s / 2.0
    starts = begin + step * np.arange(int(seconds / step)) + rng.normal(0.0, 0.004, int(seconds / step))
    starts += 0.37 / rate_hz
    sides = [Side.LEFT if k % 2 == 0 else Side.RIGHT for k in range(len(starts))]
    contact_s = duty * stride_s if not is_walking else 0.62 * stride_s
    # The last stance passes into standing.
    moving = np.clip(np.minimum(t - begin, starts[-1] + 0.6 * contact_s - t) / 0.05, 0.0, 1.0)
    up = np.full(n, G)
    if is_walking:
        up += moving * 2.5 * np.cos(2.0 * np.pi * (t - begin - 0.06) / step)
    else:
        up = G + moving * -G
        for s in starts:
            inside = (t >= s) & (t < s + contact_s)
            up[inside] += (
                moving[inside]
                * G
                * np.pi
                / 2.0
                * step
                / contact_s
                * np.sin(np.pi * (t[inside] - s) / contact_s)
            )
    force = np.stack([up, up, up]) + rng.normal(0.0, 0.03, (3, n))
    for s, side in zip(starts, sides, strict=True):
        since = np.maximum(t - s, 0.0)
        ring = 20.0 * np.exp(-since / 0.025) * np.sin(2.0 * np.pi * 28.0 * since)
        if is_walking:
            ring *= 0.3
        force[0] += 0.5 * ring
        force[1] += ring * (1.0 if side is Side.LEFT else 0.33)
        force[2] += ring * (1.0 if side is Side.RIGHT else 0.33)
    phase = 2.0 * np.pi * (t - begin + (0.05 if not is_walking else 0.0)) / stride_s
    flexion = np.radians(22.0) * moving * np.stack([np.cos(phase), -np.cos(phase)]) + np.radians(8.0)
    toe_offs = [(s + contact_s, side) for s, side in zip(starts[:-1], sides[:-1], strict=True)]
    return Steps(first, rate_hz, force, flexion, list(zip(starts, sides, strict=True)), toe_offs)


def standing_and_squats(rate_hz: float = 200.0, seed: int = 0) -> Steps:
    """Ten seconds of standing, three quick squats (2 s each), a jump, standing."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(24.0 * rate_hz)) / rate_hz
    depth = np.where((t > 10.0) & (t < 16.0), 0.5 * (1.0 - np.cos(np.pi * (t - 10.0))), 0.0)
    up = G + np.gradient(np.gradient(-0.35 * depth, t), t)
    up[(t > 18.0) & (t < 18.25)] = 22.0
    up[(t >= 18.25) & (t < 18.55)] = 0.0
    up[(t >= 18.55) & (t < 18.8)] = 26.0
    force = np.stack([up, up, up]) + rng.normal(0.0, 0.03, (3, len(t)))
    flexion = np.radians(90.0) * depth
    return Steps(0, rate_hz, force, np.stack([flexion, flexion]), [], [])


def pick_onset(force: np.ndarray, use: list[int], start: int, stop: int, rate_hz: float) -> tuple[int, float]:
    """Slow twin: every split of the window, likelihoods from whole arrays."""
    bend = np.zeros_like(force)
    bend[:, 2:] = np.diff(force, 2)
    bend[~np.isfinite(bend)] = 0.0
    bend = bend[[lane for lane in range(len(use)) if use[lane]]]
    energy = (bend**2).sum(axis=0)
    start = max(2, start)
    loud = np.flatnonzero(energy[start:stop] >= 0.3 * energy[start:stop].max())
    burst = start + (int(loud[0]) if len(loud) else 0)
    stop = min(stop, burst + 3)
    start = max(start, burst - int(0.1 * rate_hz))
    best = (np.inf, 0.0, burst)
    for k in range(start + 2, stop):
        low = np.log((bend[:, start:k] ** 2).mean(axis=1) + 0.0025)
        high = np.log((bend[:, k:stop] ** 2).mean(axis=1) + 0.0025)
        cost = float(((k - start) * low + (stop - k) * high).sum())
        if cost < best[0]:
            best = (cost, float((high - low).mean()), k)
    return best[2] - 1, max(0.0, best[1])


class Landing:
    """Slow twin of ``kernels.landing``: one side's shape (2, knots) on times ``grid`` about the contact."""

    grid = np.arange(57) / 4.0 - 8.0

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        self.shape = np.zeros((2, len(self.grid)))
        self.noise = np.zeros(2)
        self.count, self.behind = 0, 0.0

    def at(self, u: np.ndarray) -> np.ndarray:
        inside = (u >= self.grid[0]) & (u < self.grid[-1])
        return np.array([np.interp(u, self.grid, lane) * inside for lane in self.shape])

    def unexplained(self, bends: np.ndarray, at: float) -> np.ndarray:
        k = np.arange(bends.shape[1])
        used = k[(k >= at - 3.0) & (k <= at + 4.5)]
        return ((bends[:, used] - self.at(used - at)) ** 2).mean(axis=1)

    def land(self, force: np.ndarray, pick: float, apart: float = 1.0) -> float:
        """Force (2, n) of pelvis and thigh, whole; the contact in samples."""
        bends = np.zeros_like(force)
        bends[:, 2:] = np.diff(force, 2, axis=1)
        at = pick
        if self.count:
            candidates = pick + self.behind + np.arange(-12, 13) / 8.0
            costs = []
            for x in candidates:
                count = np.floor(x + 4.5) - np.ceil(x - 3.0) + 1.0
                misfit = count * (self.unexplained(bends, x) / self.noise).sum()
                costs.append(misfit + (x - pick - self.behind) ** 2)
            at = candidates[int(np.argmin(costs))]
            is_poor = self.unexplained(bends, at).sum() > 0.5 * (self.shape**2).mean(axis=1).sum()
            if abs(self.behind) > 1.5 or (self.count >= 6 and is_poor):
                self.begin_anew()
                at = pick
        gain = max(1.0 / 16.0, 1.0 / (self.count + 1))
        self.noise += gain * (np.maximum(0.01, self.unexplained(bends, at)) - self.noise)
        self.behind += gain * (at - pick - self.behind)
        left = bends - self.at(np.arange(bends.shape[1]) - at)
        reach = 1.0 if self.count < 4 else 0.5
        near = np.maximum(0.0, 1.0 - np.abs(at + self.grid[:, None] - np.arange(bends.shape[1])) / reach)
        self.shape = self.shape + gain * left @ near.T
        self.count += 1
        begin = self.begins()
        if abs(begin) > 0.3:
            step = int(np.sign(begin))
            self.shape = np.roll(self.shape, -step, axis=1)
            self.shape[:, -1 if step > 0 else 0] = 0.0
            at, begin, self.behind = at + step / 4.0, begin - step / 4.0, self.behind + step / 4.0
        is_known = self.count >= 6 and abs(begin) <= 1.5
        return at + begin + 0.35 + 1.0 * (apart - 1.0) if is_known else pick

    def begins(self) -> float:
        size = np.hypot(*self.shape)
        part = size[22:48]
        rise = max(0.1 * part.max(), 2.5 * np.ptp(size[16:22]))
        valley = np.minimum.accumulate(part)
        stands_out = part - valley >= np.minimum(rise, part.max() - valley)
        top = 22 + int(np.argmax(np.append(stands_out[:-1] & (part[:-1] >= part[1:]), True)))
        below = [np.flatnonzero(size[:top] <= share * size[top]).max(initial=0) for share in (0.4, 0.8)]
        lower, upper = (
            np.interp(share * size[top], size[k : k + 2], self.grid[k : k + 2])
            for k, share in zip(below, (0.4, 0.8), strict=True)
        )
        return float(lower - (upper - lower))


def pelvis_evidence(lean: np.ndarray, turn: np.ndarray) -> float:
    """Slow twin of ``foot.pelvis_ratio`` on one stride: by the Fourier transform."""
    lean_1, turn_1 = (2.0 / len(x) * np.fft.fft(x)[1] for x in (lean, turn))
    right = (lean_1 * np.exp(0.87j)).real / 0.044 + (turn_1 * np.exp(-1.75j)).real / 0.052
    return float(-1.5 * np.clip(right, -2.0, 2.0))
