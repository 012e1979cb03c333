"""Sensors against each other on the common time axis: a simulated radio for hours, with jitter and loss.

    python benchmarks/sync.py [HOURS] [SEEDS]      default: 4 and 3

Three sensors of 208 Hz whose converters run up to 2.8 % off and whose crystals err by 20 ppm (SD) and wander
by a few ppm with temperature. Packets of 12 samples wait for the next of their connection's events (15 ms),
5 % need further ones, 1 in 500 meets a host that sleeps up to 0.2 s, 2 % never come; once an hour a link is
down for half a minute. The error of a sensor is the time that its samples are given less the true one; what
counts is one sensor's error less another's, over all pairs and packets. ``live``: causal, what the first
pass and the live page use; ``two-sided``: the whole-run fit that the second pass is told.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from goals import tell
from numpy.typing import NDArray

from latemiles.estimators.clock import ClockFit, ClockStage
from latemiles.signals.frames import SEGMENTS
from latemiles.signals.packets import Capabilities, DecodedPacket

F8 = NDArray[np.float64]

RATE_HZ = 208.0
PER_PACKET = 12
TICK_HZ = 32768.0
CAPABILITIES = Capabilities(True, True, True, (), TICK_HZ, 32)
INTERVAL_S = 0.015
STEP_S = 5.0
"""The sensors are compared this often."""
SETTLED_S = 60.0
"""The first minute is shown apart: standing and squats, while the clocks are learnt."""


@dataclass(frozen=True)
class Sent:
    """The packets of one sensor that come through."""

    first_index: NDArray[np.int64]
    tick: NDArray[np.int64]
    arrival_s: F8
    true_s: F8
    """When each packet's first sample was taken."""


def sensor(lane: int, hours: float, rng: np.random.Generator) -> Sent:
    """One sensor and its radio."""
    rate = RATE_HZ * (1.0 + float(rng.uniform(-0.028, 0.028)))
    count = int(hours * 3600.0 * rate / PER_PACKET)
    index = np.arange(count, dtype=np.int64) * PER_PACKET
    # The crystal drives converter and tick alike: device time runs on evenly, true time does not.
    device = index / rate
    ppm = 20.0 * rng.standard_normal() + 3.0 * np.sin(2.0 * np.pi * device / 5400.0 + rng.uniform(0.0, 6.28))
    ppm = ppm + 5.0 * rng.standard_normal() * (1.0 - np.exp(-device / 600.0))
    true = rng.uniform(0.0, 0.3) + np.concatenate(
        [[0.0], np.cumsum(np.diff(device) * (1.0 - 1e-6 * ppm[1:]))]
    )
    last = true + (PER_PACKET - 1) / rate
    event = np.ceil((last + 0.003 - lane * INTERVAL_S / 3.0) / INTERVAL_S)
    again = rng.geometric(0.95, count) - 1
    stall = (rng.random(count) < 0.002) * rng.random(count) * 0.2
    sent = lane * INTERVAL_S / 3.0 + (event + again) * INTERVAL_S + stall + 2e-4 * rng.random(count)
    arrival = np.maximum.accumulate(sent)
    heard = rng.random(count) >= 0.02
    for start in rng.uniform(0.1, 0.9, int(hours)) * 3600.0 + 3600.0 * np.arange(int(hours)):
        heard &= (true < start) | (true > start + 30.0)
    tick = np.floor((device + 1000.0) * TICK_HZ).astype(np.int64)
    return Sent(index[heard], tick[heard], arrival[heard], true[heard])


def errors(sent: Sent, lane: int, known: ClockFit | None) -> tuple[F8, ClockFit]:
    """Time given to each packet's first sample less the true one, s; and the whole-run fit."""
    stage = ClockStage(SEGMENTS[lane], RATE_HZ, CAPABILITIES, known)
    rows = np.zeros((PER_PACKET, 3))
    flags = np.zeros(PER_PACKET, dtype=np.int64)
    given = np.empty(len(sent.true_s))
    arrivals = np.rint(sent.arrival_s * 1e9).astype(np.int64).tolist()
    ticks, indices = (sent.tick % 2**32).tolist(), sent.first_index.tolist()
    for k, (index, tick, arrival) in enumerate(zip(indices, ticks, arrivals, strict=True)):
        timed = stage.push(DecodedPacket(rows, rows, flags, index, tick, TICK_HZ), arrival)
        given[k] = np.nan if timed.block is None else timed.block.t_s[0]
    return given - sent.true_s, stage.fit()


def apart(sent: list[Sent], off: list[F8], window: tuple[float, float]) -> F8:
    """Errors of the sensors against each other, ms, all pairs, every few seconds."""
    t = np.arange(*window, STEP_S if window[1] - window[0] > 600.0 else 0.5)
    at = [np.interp(t, s.true_s, e) for s, e in zip(sent, off, strict=True)]
    return 1e3 * np.abs(np.concatenate([at[i] - at[j] for i, j in combinations(range(len(at)), 2)]))


def one(hours: float, seed: int) -> dict[str, tuple[F8, F8]]:
    """For each way: errors in the first minute and after it."""
    rng = np.random.default_rng(seed)
    sent = [sensor(lane, hours, rng) for lane in range(3)]
    live = [errors(s, lane, None) for lane, s in enumerate(sent)]
    both = [errors(s, lane, live[lane][1]) for lane, s in enumerate(sent)]
    windows = (5.0, SETTLED_S), (SETTLED_S, 3600.0 * hours - 10.0)
    return {
        name: (apart(sent, off, windows[0]), apart(sent, off, windows[1]))
        for name, off in (("live", [e for e, _ in live]), ("two-sided", [e for e, _ in both]))
    }


def main(hours: float, seeds: int) -> None:
    """Print a row a way."""
    found = [one(hours, seed) for seed in range(seeds)]
    print(f"{hours:g} h of three sensors, {seeds} radios; one sensor's time against another's, ms")
    print(f"{'':<12}{'first minute p95':>18}{'then p50':>10}{'p95':>7}{'p99':>7}{'largest':>9}")
    for name in found[0]:
        early, late = (np.concatenate([f[name][k] for f in found]) for k in (0, 1))
        p50, p95, p99 = np.percentile(late, [50, 95, 99])
        early_p95 = np.percentile(early, 95)
        print(f"{name:<12}{early_p95:>18.2f}{p50:>10.2f}{p95:>7.2f}{p99:>7.2f}{late.max():>9.2f}")
        if name == "live":
            tell("sync_p95", p95, f"{hours:g} h, {seeds} radios")


if __name__ == "__main__":
    given = [float(x) for x in sys.argv[1:]]
    main(given[0] if given else 4.0, int(given[1]) if len(given) > 1 else 3)
