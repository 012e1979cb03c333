"""Angles with known harmonics, and hours of strides with known drift and wander."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latemiles.metrics.catalogue import COLUMN_INDEX, NUMERIC_COLUMNS
from latemiles.metrics.table import StrideTable
from latemiles.signals.blocks import AngleBlock
from latemiles.signals.events import Activity, GaitEvent, Stride
from latemiles.signals.frames import GRAVITY_M_S2, SIDES, Side

F8 = NDArray[np.float64]
RATE_HZ = 200.0
STRIDE_S = 0.7213
CONTACT_S = 0.274
HEIGHT_M = 0.041
"""Amplitude of the pelvis's height, twice a stride: it moves 82 mm from lowest to highest."""


@dataclass(frozen=True)
class MadeUp:
    """A steady run as angles and events."""

    angles: AngleBlock
    events: list[Activity | GaitEvent]

    def piece(self, start: int, stop: int) -> AngleBlock:
        """Samples ``start`` to ``stop`` of the whole."""
        a = self.angles
        return AngleBlock(
            a.first + start,
            a.rate_hz,
            a.pelvis[start:stop],
            a.hip[:, start:stop],
            a.force_up[:, start:stop],
            a.force_horizontal[start:stop],
            a.quality[:, start:stop],
        )


def steady_run(seconds: float, *, mirrored: bool = False, offset_deg: float = 0.0, seed: int = 4) -> MadeUp:
    """A run whose angles are three random harmonics each, right and left different.

    ``mirrored`` swaps left and right of the runner; ``offset_deg`` goes onto every angle.
    """
    n = int(seconds * RATE_HZ)
    t = np.arange(n) / RATE_HZ
    rng = np.random.default_rng(seed)
    waves = np.deg2rad(np.array([_wave(t, rng) for _ in range(9)]))
    # A smooth change of every angle over the run, so that no two strides are alike.
    waves += np.deg2rad(0.8) * np.sin(2 * np.pi * t / 7.0 + np.arange(9)[:, None])
    pelvis, left, right = waves[:3], waves[3:6], waves[6:]
    if mirrored:
        pelvis, left, right = pelvis * np.array([1.0, -1.0, -1.0])[:, None], right, left
    offset = np.deg2rad(offset_deg)
    phase = 2 * np.pi * t / STRIDE_S
    up = GRAVITY_M_S2 - HEIGHT_M * (4 * np.pi / STRIDE_S) ** 2 * np.cos(2 * phase)
    forward = 2.0 * np.sin(2 * phase)
    block = AngleBlock(
        0,
        RATE_HZ,
        np.ascontiguousarray(pelvis.T) + offset,
        np.ascontiguousarray(np.stack([left.T, right.T])) + offset,
        np.stack([up, up, up]),
        np.stack([forward, np.zeros(n)], axis=1),
        np.zeros((3, n), dtype=np.int64),
    )
    return MadeUp(block, _events(seconds, mirrored))


def _wave(t: F8, rng: np.random.Generator) -> F8:
    wave = np.full(t.size, rng.normal(0.0, 8.0))
    for h in (1, 2, 3):
        wave += rng.normal(0.0, 6.0 / h) * np.sin(2 * np.pi * h * t / STRIDE_S + rng.uniform(0, 6.28))
    return wave


def _events(seconds: float, mirrored: bool) -> list[Activity | GaitEvent]:
    sides = (Side.LEFT, Side.RIGHT) if mirrored else (Side.RIGHT, Side.LEFT)
    events: list[Activity | GaitEvent] = [Activity(0.0, "running")]
    k = 0
    while (t := 0.0137 + 0.5 * k * STRIDE_S) < seconds - 0.5:
        # The right leg comes a little early, so that the two steps differ.
        early = 0.006 if k % 2 == 0 else 0.0
        events.append(GaitEvent(t - early, "initial_contact", sides[k % 2], 0.9))
        events.append(GaitEvent(t - early + CONTACT_S, "toe_off", sides[k % 2], 0.8))
        k += 1
    return events


def wander(t: F8, sd: float, tau_s: float, rng: np.random.Generator) -> F8:
    """Ornstein-Uhlenbeck process at increasing times."""
    steps = rng.standard_normal(t.size)
    out = np.empty(t.size)
    out[0] = sd * steps[0]
    for k in range(1, t.size):
        decay = np.exp(-(t[k] - t[k - 1]) / tau_s)
        out[k] = decay * out[k - 1] + sd * np.sqrt(1.0 - decay * decay) * steps[k]
    return out


@dataclass(frozen=True)
class Hour:
    """Stride-level simulation of one metric: what the runner does and how it scatters."""

    minutes: float = 60.0
    metric: str = "pelvic_tilt_mean_deg"
    level: float = 15.0
    stride_sd: float = 0.70
    stride_r: float = 0.20
    """Correlation of one stride with the next."""
    wander_sd: float = 0.3
    wander_tau_s: float = 300.0
    speed: Callable[[F8], F8] | None = None
    speed_slope: float = 2.5
    cadence_spm: float = 166.0


def hour_of_strides(
    hour: Hour, seed: int, drift: Callable[[F8], F8] | None = None, right_extra: float = 0.0
) -> StrideTable:
    """A stride table in which one metric follows ``drift(t)`` plus wander and scatter; the rest is NaN."""
    rng = np.random.default_rng(seed)
    step = 60.0 / hour.cadence_spm
    n = int(hour.minutes * 60.0 / step)
    t = np.arange(n) * step
    scatter = wander(np.arange(n, dtype=np.float64), hour.stride_sd, -1.0 / np.log(hour.stride_r), rng)
    level = (
        hour.level + scatter + (wander(t, hour.wander_sd, hour.wander_tau_s, rng) if hour.wander_sd else 0.0)
    )
    if drift is not None:
        level = level + drift(t)
    lanes = (np.arange(n) % 2).astype(np.int64)
    level = level + right_extra * lanes
    values = np.full((n, len(NUMERIC_COLUMNS)), np.nan)
    values[:, COLUMN_INDEX["index"]] = np.arange(n)
    values[:, COLUMN_INDEX["t_ic_s"]] = t
    values[:, COLUMN_INDEX["stride_time_s"]] = 2.0 * step
    values[:, COLUMN_INDEX["cadence_spm"]] = hour.cadence_spm + 2.0 * rng.standard_normal(n)
    if hour.speed is not None:
        speed = hour.speed(t)
        values[:, COLUMN_INDEX["speed_m_s"]] = speed
        values[:, COLUMN_INDEX["distance_m"]] = np.cumsum(speed) * step
        level = level + hour.speed_slope * (speed - speed[0])
    values[:, COLUMN_INDEX[hour.metric]] = level
    return StrideTable(lanes, values, np.zeros(n, dtype=np.int64))


def strides_of(table: StrideTable) -> list[Stride]:
    """The table as events."""
    return [
        Stride(row[COLUMN_INDEX["t_ic_s"]], SIDES[lane], k, tuple(row.tolist()), int(quality))
        for k, (row, lane, quality) in enumerate(
            zip(table.values, table.lanes, table["quality"], strict=True)
        )
    ]


def true_change(
    table: StrideTable, drift: F8, baseline: tuple[float, float], late: tuple[float, float]
) -> float:
    """Late minus baseline of what was imposed."""
    t = table["t_ic_s"]
    parts = [drift[(t >= a) & (t <= b)].mean() for a, b in (late, baseline)]
    return float(parts[0] - parts[1])
