"""Slow, obvious twins of kernels.strides and kernels.trends: numpy on whole arrays."""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from latemiles.signals.quality import StrideQuality

F8 = NDArray[np.float64]


def read(row: F8, at: float) -> float:
    """Value at a fractional place."""
    return float(np.interp(at, np.arange(row.size), row))


def features(row: F8, begin: float, toe_off: float, end: float, factor: float, peak_sign: float) -> F8:
    """Mean, rom, ic, midstance, to, stance_peak of one angle."""
    row = factor * row
    inside = np.arange(np.ceil(begin), np.floor(end) + 1)
    knots = np.unique(np.concatenate([[begin], inside, [end]]))
    values = np.array([read(row, k) for k in knots])
    if np.isnan(row[int(begin) : int(np.ceil(end)) + 1]).any():
        return np.full(6, np.nan)
    stance = values[knots <= toe_off] if np.isfinite(toe_off) else values[:0]
    at_toe_off = read(row, toe_off) if np.isfinite(toe_off) else np.nan
    peaks = np.append(stance, at_toe_off)
    return np.array(
        [
            np.trapezoid(values, knots) / (end - begin),
            values.max() - values.min(),
            read(row, begin),
            read(row, 0.5 * (begin + toe_off)) if np.isfinite(toe_off) else np.nan,
            at_toe_off,
            peaks.max() if peak_sign > 0 else peaks.min(),
        ]
    )


def harmonic_rms(wave: F8, first: int, n_harmonics: int) -> float:
    """RMS of every second harmonic from ``first`` on."""
    level = wave[:-1] - np.linspace(0.0, wave[-1] - wave[0], wave.size)[:-1]
    amplitude = np.abs(np.fft.rfft(level)) * 2.0 / level.size
    return float(np.sqrt(0.5 * np.sum(amplitude[first : n_harmonics + 1 : 2] ** 2)))


def vertical_oscillation(wave: F8, stride_time: float, n_harmonics: int) -> float:
    """Peak-to-peak height by the discrete Fourier transform."""
    level = wave[:-1] - np.linspace(0.0, wave[-1] - wave[0], wave.size)[:-1]
    spectrum = np.fft.rfft(level)
    k = np.arange(spectrum.size)
    omega = 2.0 * np.pi * np.maximum(k, 1) / stride_time
    height = np.fft.irfft(np.where((k > 0) & (k <= n_harmonics), -spectrum / omega**2, 0.0), level.size)
    return float(np.ptp(height))


def stride(
    samples: F8, rate: float, lane: int, events: F8, plan, columns, first, harmonics: int, shock: float
):
    """Row and waveforms of one stride.

    ``samples`` (12, n) from session time zero on; ``plan`` has places and signs of the angles, ``columns``
    and ``first`` are those of ``metrics.features``; ``shock`` is the length of the shock in samples.
    """
    begin, toe_off, end = events * rate
    rows = samples[[0, 1, 2, *(3 + 3 * lane + np.arange(3)), 9, 10, 11]]
    out = np.full(max(max(columns), max(at for _, at in plan[0]) + 5) + 1, np.nan)
    for (source, at), (factor, peak_sign) in zip(*plan, strict=True):
        out[at : at + 6] = features(rows[source], begin, toe_off, end, factor, peak_sign)
    out[columns[2]] = out[columns[1]] - out[columns[0]]
    phases = np.linspace(begin, end, 101)
    waves = np.array([[read(row, at) for at in phases] for row in rows[:7]])
    for k in range(3):
        out[columns[3 + k]] = harmonic_rms(np.degrees(waves[k]), first[k], harmonics)
    out[columns[6]] = vertical_oscillation(waves[6], events[2] - events[0], harmonics)
    inside = rows[6:, int(np.ceil(begin)) : int(begin + shock) + 1] - [[9.81], [0.0], [0.0]]
    out[columns[7]] = np.linalg.norm(inside, axis=0).max()
    return out, np.degrees(waves[:6])


def ensemble(waves: F8, lanes) -> list[F8]:
    """Whole waveforms of the pelvis over right strides, of the left hip and of the right one."""
    own = [(1, 0), (1, 1), (1, 2), (0, 3), (0, 4), (0, 5), (1, 3), (1, 4), (1, 5)]
    found = [waves[lanes == lane, row] for lane, row in own]
    return [rows[np.isfinite(rows).all(axis=1)] for rows in found]


def wander_covariance(t: F8, variance: float, tau: float, noise_var: float) -> F8:
    """Covariance matrix of the medians."""
    return variance * np.exp(-np.abs(t[:, None] - t[None, :]) / tau) + noise_var * np.eye(t.size)


class Events:
    """Strides by the gait events alone, ``kernels.stride_events``: rows of its columns in ``waiting``."""

    def __init__(self, params) -> None:
        self.params, self.waiting = params, []
        self.feet = [
            {"ic": math.nan, "sure": 0.0, "to": math.nan, "other": math.nan, "end": math.nan, "times": []}
            for _ in range(2)
        ]
        self.activities, self.slips = deque(maxlen=16), deque(maxlen=16)

    def hear(self, what: int, t: float, which: int, confidence: float, speed_at) -> None:
        """Contact 0, toe-off 1, activity 2, slip 3."""
        if what == 2:
            self.activities.append((t, which))
        elif what == 3:
            self.slips.append((t, which))
        elif what == 1:
            foot = self.feet[which]
            if math.isnan(foot["to"]) and t > foot["ic"]:
                foot["to"] = t
        else:
            foot, other = self.feet[which], self.feet[1 - which]
            if math.isnan(other["other"]) and t > other["ic"]:
                other["other"] = t
            if math.isfinite(foot["ic"]):
                self._close(foot, which, t, min(confidence, foot["sure"]), speed_at)
            foot |= {"ic": t, "sure": confidence, "to": math.nan, "other": math.nan}

    def _activity(self, t: float) -> int:
        return next((a for since, a in reversed(self.activities) if since <= t), -1)

    def _close(self, foot, lane: int, end: float, confidence: float, speed_at) -> None:
        p, activity, duration = self.params, self._activity(foot["ic"]), end - foot["ic"]
        low = p.walking_s[0] if activity == 1 else p.running_s[0]
        high = p.running_s[1] if activity == 2 else p.walking_s[1]
        if activity == 0 or not low <= duration <= high:
            return
        if not foot["ic"] - foot["end"] <= p.pause_s:
            foot["times"] = []
        times = foot["times"][-p.neighbours :]
        usual = sorted(times)[len(times) // 2] if times else math.nan
        is_new = len(times) < p.fewest_neighbours
        if not is_new and duration > p.missed * usual:
            return
        reasons = {
            StrideQuality.UNSTEADY: self._activity(end) != activity
            or is_new
            or abs(duration / usual - 1.0) > p.unsteady,
            StrideQuality.NOT_RUNNING: activity in (1, 3),
            StrideQuality.LOW_CONFIDENCE: confidence < p.least_confidence,
            StrideQuality.NO_TOE_OFF: math.isnan(foot["to"]),
            StrideQuality.SLIPPED: any(foot["ic"] <= t < end and w in (0, 1 + lane) for t, w in self.slips),
        }
        foot["times"] = [*times, duration]
        foot["end"] = end
        (speed, distance), (speed_end, _) = speed_at(foot["ic"]), speed_at(end)
        mean = 0.5 * (speed + speed_end) if math.isfinite(speed_end) else speed
        bits = sum(int(bit) for bit, holds in reasons.items() if holds)
        self.waiting.append([lane, foot["ic"], foot["to"], end, foot["other"], distance, mean, bits])
