"""Slow twins of the clock kernels, and a simulated sensor with a clock of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latemiles.signals.packets import Capabilities, DecodedPacket

TICK_HZ = 32768.0
CAPABILITIES = Capabilities(True, True, True, (), TICK_HZ, 32)


def lower_line(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Line below all points that minimises the sum of distances, by trying every pair."""
    if len(x) == 1:
        return x[0], y[0], 0.0
    best = None
    for i in range(len(x)):
        for j in range(i + 1, len(x)):
            slope = (y[j] - y[i]) / (x[j] - x[i])
            above = y - (y[i] + slope * (x - x[i]))
            if above.min() < -1e-12:
                continue
            if best is None or above.sum() < best[0]:
                best = (above.sum(), slope, y[i] + slope * (x.mean() - x[i]))
    return x.mean(), best[2], best[1]


def offset_at(x: float, knot_x: np.ndarray, knot_y: np.ndarray, slope: float) -> float:
    if x < knot_x[0]:
        return knot_y[0] + slope * (x - knot_x[0])
    if x > knot_x[-1]:
        return knot_y[-1] + slope * (x - knot_x[-1])
    return float(np.interp(x, knot_x, knot_y))


def shift_at(index: int, steps: list[tuple[int, float]]) -> float:
    """What makes up for all steps of a clock until a sample; each is the sample it came with and its size."""
    return -sum(size for first, size in steps if index >= first)


@dataclass
class Sent:
    """One packet of the simulated sensor."""

    packet: DecodedPacket
    arrival_ns: int
    true_s: np.ndarray
    """Session time at which each sample was taken."""


def sensor(
    duration_s: float = 120.0,
    *,
    rate_hz: float = 208.0,
    off_rate: float = 0.01,
    per_packet: int = 10,
    skew_ppm: float = 40.0,
    jitter_s: float = 0.05,
    start_s: float = 3.3,
    first_tick: int = 4_000_000_000,
    tells: str = "index tick",
    epoch: int = 0,
    seed: int = 0,
) -> list[Sent]:
    """A sensor whose converter is ``off_rate`` fast and whose crystal is ``skew_ppm`` fast.

    The radio delays each packet by 4 ms and up to ``jitter_s`` more, and keeps their order.
    """
    rng = np.random.default_rng(seed)
    true_rate = rate_hz * (1.0 + off_rate)
    count = int(duration_s * true_rate / per_packet)
    index = np.arange(count) * per_packet
    first = start_s + index / true_rate
    last = first + (per_packet - 1) / true_rate
    arrival = np.maximum.accumulate(last + 0.004 + rng.uniform(0.0, jitter_s, count))
    tick = (first_tick + np.floor((first - start_s) * (1.0 + skew_ppm * 1e-6) * TICK_HZ)).astype(np.int64)
    sent = []
    for k in range(count):
        values = np.arange(index[k], index[k] + per_packet, dtype=np.float64)
        rows = np.repeat(values[:, None], 3, axis=1)
        packet = DecodedPacket(
            rows,
            -rows,
            np.zeros(per_packet, dtype=np.int64),
            int(index[k]) if "index" in tells else None,
            int(tick[k] % 2**32) if "tick" in tells else None,
            TICK_HZ,
            epoch=epoch,
        )
        sent.append(Sent(packet, round(arrival[k] * 1e9), first[k] + np.arange(per_packet) / true_rate))
    return sent
