"""What can happen to sensors on a run, done to simulated streams; and strides that it makes wrong unmarked.

    from reference.damage import DAMAGE, damaged, silent
    run, streams = damaged("turned", seed=3)
    wrong, good, known = silent(run, latemiles.analyze(streams))

A stride is silently wrong if form drift uses it and an angle of it is further from the truth than ``LIMITS``
(hip adduction and rotation: unless HEADING_UNCERTAIN is there). Angles whose zero is stated to be another
than standing are not judged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from latemiles.analysis_result import Analysis
from latemiles.metrics.table import EXCLUDING
from latemiles.signals.blocks import ImuStream
from latemiles.signals.frames import SIDES, quat_rotate
from latemiles.signals.quality import StrideQuality
from latemiles.sim.imu import ImuErrors, quat_from_rotvec
from latemiles.sim.plan import AngleOffset, Phase, RunnerPlan, Sensors
from latemiles.sim.runner import SimulatedRun, simulate

Streams = dict[str, ImuStream]
G = 9.80665
LIMITS = {
    "pelvic_tilt": 3.0,
    "pelvic_obliquity": 3.0,
    "hip_flexion": 3.0,
    "hip_adduction": 3.0,
    "hip_internal_rotation": 6.0,
}
"""Degrees."""


def runner(seed: int, **errors: float) -> tuple[RunnerPlan, np.random.Generator]:
    """Somebody who stands, squats, runs, and in most cases pauses in between; two minutes and a half."""
    rng = np.random.default_rng([seed, 77])
    speed, waveforms = rng.uniform(2.3, 4.5), str(rng.choice(["rbds", "ric"]))
    rate = float(rng.choice([100, 104, 200, 208]))
    phases = [
        Phase("standing", rng.uniform(8, 12)),
        Phase("squats", 9.0),
        Phase("standing", rng.uniform(3, 5)),
    ]
    if rng.random() < 0.4:
        phases.append(Phase("walking", rng.uniform(6, 12), rng.uniform(1.1, 1.7)))
    phases.append(Phase("running", rng.uniform(40, 60), speed))
    pause = rng.random()
    if pause < 0.6:
        kind = "standing" if pause < 0.3 else "walking"
        phases.append(Phase(kind, rng.uniform(6, 15), rng.uniform(1.1, 1.7)))
    phases.append(Phase("running", rng.uniform(50, 70), speed * rng.uniform(0.9, 1.1)))
    offsets = [AngleOffset("pelvic_tilt", _deg(rng, 4.0)), AngleOffset("pelvic_obliquity", _deg(rng, 1.5))]
    for side in SIDES:
        offsets.append(AngleOffset("hip_adduction", _deg(rng, 1.5), side))
        offsets.append(AngleOffset("hip_internal_rotation", _deg(rng, 4.0), side))
        offsets.append(AngleOffset("hip_flexion", _deg(rng, 3.0), side))
    flaws = replace(ImuErrors(ringing=rng.uniform(10.0, 25.0)), **errors)
    asymmetry = float(rng.normal(0.0, 0.015))
    plan = RunnerPlan(
        tuple(phases),
        waveforms=waveforms,
        offsets=tuple(offsets),
        step_asymmetry=asymmetry,
        sensors=Sensors(rate, flaws, rate_error=0.015),
    )
    return plan, rng


def _deg(rng: np.random.Generator, sd: float) -> float:
    return float(np.radians(rng.normal(0.0, sd)))


class Hand:
    """Draws where and for how long something happens, and does it."""

    def __init__(self, run: SimulatedRun, streams: Streams, rng: np.random.Generator) -> None:
        self.streams, self.rng = streams, rng
        self.runs: list[tuple[float, float]] = []
        self.pauses: list[tuple[float, float]] = []
        start = 0.0
        for phase in run.plan.phases:
            spans = self.runs if phase.kind == "running" else self.pauses
            spans.append((start, start + phase.duration_s))
            start += phase.duration_s

    def lane(self) -> str:
        """A sensor."""
        return str(self.rng.choice(list(self.streams)))

    def moment(self) -> float:
        """A time in the running, s."""
        start, end = self.runs[int(self.rng.integers(len(self.runs)))]
        return float(self.rng.uniform(start + 1.0, end - 3.0))

    def length(self, least: float, most: float) -> float:
        """A length, s, evenly drawn on a logarithmic scale."""
        return float(np.exp(self.rng.uniform(np.log(least), np.log(most))))

    def lose(self, lane: str, start: float, end: float) -> None:
        """Take samples out."""
        s = self.streams[lane]
        keep = ~((s.t > start) & (s.t < end))
        self.streams[lane] = ImuStream(s.t[keep], s.acc[keep], s.gyr[keep])

    def change(self, lane: str, start: float, end: float, acc: object = None, gyr: object = None) -> None:
        """Let samples say something else."""
        s = self.streams[lane]
        inside = (s.t > start) & (s.t < end)
        values = []
        for had, new in ((s.acc, acc), (s.gyr, gyr)):
            had = had.copy()
            if new is not None:
                had[inside] = new
            values.append(had)
        self.streams[lane] = ImuStream(s.t, *values)

    def turn(self, lane: str, at: float) -> None:
        """Turn a sensor on the body, by 8 to 60 degrees about any axis, within a second."""
        s, rng = self.streams[lane], self.rng
        angle, axis = np.radians(rng.uniform(8.0, 60.0)), rng.standard_normal(3)
        axis /= np.linalg.norm(axis)
        u = np.clip((s.t - at) / rng.uniform(0.2, 1.0), 0.0, 1.0)
        u = u * u * (3.0 - 2.0 * u)
        back = quat_from_rotvec(-angle * u[:, None] * axis)
        spin = angle * np.gradient(u, s.t)[:, None] * axis
        self.streams[lane] = ImuStream(s.t, quat_rotate(back, s.acc), quat_rotate(back, s.gyr) + spin)


def _holes(hand: Hand) -> None:
    for _ in range(6):
        lane, at = hand.lane(), hand.moment()
        hand.lose(lane, at, at + hand.length(0.06, 5.0))


def _holes_at_starts(hand: Hand) -> None:
    for start, _ in hand.runs:
        at = start + float(hand.rng.uniform(-1.5, 2.0))
        hand.lose(hand.lane(), at, at + hand.length(0.1, 3.0))


def _lost_packets(hand: Hand) -> None:
    for lane, s in list(hand.streams.items()):
        gone = np.repeat(hand.rng.random(len(s.t) // 12 + 1) < 0.03, 12)[: len(s.t)]
        hand.streams[lane] = ImuStream(s.t[~gone], s.acc[~gone], s.gyr[~gone])


def _zeros(hand: Hand) -> None:
    for _ in range(4):
        lane, at, what = hand.lane(), hand.moment(), hand.rng.integers(3)
        acc, gyr = 0.0 if what != 1 else None, 0.0 if what != 2 else None
        hand.change(lane, at, at + hand.length(0.03, 6.0), acc, gyr)


def _stuck(hand: Hand) -> None:
    for _ in range(3):
        lane, at, what = hand.lane(), hand.moment(), hand.rng.integers(3)
        s = hand.streams[lane]
        k = int(np.searchsorted(s.t, at))
        acc, gyr = s.acc[k] if what != 1 else None, s.gyr[k] if what != 2 else None
        hand.change(lane, at, at + hand.length(0.1, 6.0), acc, gyr)


def _not_a_number(hand: Hand) -> None:
    for _ in range(4):
        lane, at, what = hand.lane(), hand.moment(), hand.rng.integers(3)
        value = float(hand.rng.choice([np.nan, np.inf, -np.inf]))
        acc, gyr = value if what != 1 else None, value if what != 2 else None
        hand.change(lane, at, at + hand.length(0.03, 6.0), acc, gyr)


def _absurd(hand: Hand) -> None:
    lane = hand.lane()
    for _ in range(3):
        at = hand.moment()
        value = float(hand.rng.choice([1e3, 1e6, 1e30])) * hand.rng.standard_normal(3)
        is_force = hand.rng.random() < 0.5
        hand.change(lane, at, at + 0.011, value if is_force else None, None if is_force else value)


def _spikes(hand: Hand) -> None:
    for lane, s in list(hand.streams.items()):
        acc, gyr = s.acc.copy(), s.gyr.copy()
        for k in np.flatnonzero(hand.rng.random(len(s.t)) < 2e-4):
            values, top = (acc, 16.0 * G) if hand.rng.random() < 0.5 else (gyr, np.radians(2000.0))
            values[k, hand.rng.integers(3)] = hand.rng.choice([-1.0, 1.0]) * top
        hand.streams[lane] = ImuStream(s.t, acc, gyr)


def _turned(hand: Hand) -> None:
    hand.turn(hand.lane(), hand.moment())


def _turned_in_a_pause(hand: Hand) -> None:
    inside = [p for p in hand.pauses if p[0] > hand.runs[0][0]]
    # Without a pause it is done on the run, well before its end.
    start, end = inside[0] if inside else (hand.runs[0][1] - 3.0, hand.runs[0][1])
    hand.turn(hand.lane(), float(hand.rng.uniform(start + 1.0, end - 1.5)))


def _silent_for_long(hand: Hand) -> None:
    at = hand.moment()
    hand.lose(hand.lane(), at, at + hand.length(20.0, 120.0))


def _late(hand: Hand) -> None:
    hand.lose(hand.lane(), -1.0, float(hand.rng.uniform(5.0, 60.0)))


def _nothing(hand: Hand) -> None:
    del hand


DAMAGE: dict[str, tuple[Callable[[Hand], None], dict[str, float]]] = {
    "nothing": (_nothing, {}),
    "holes": (_holes, {}),
    "holes at starts": (_holes_at_starts, {}),
    "lost packets": (_lost_packets, {}),
    "zeros": (_zeros, {}),
    "stuck": (_stuck, {}),
    "not a number": (_not_a_number, {}),
    "absurd values": (_absurd, {}),
    "spikes": (_spikes, {}),
    "turned": (_turned, {}),
    "turned in a pause": (_turned_in_a_pause, {}),
    "silent for long": (_silent_for_long, {}),
    "late": (_late, {}),
    "8 g, 500 deg/s": (
        _nothing,
        {"acc_range": 8.0 * G, "gyr_range": float(np.radians(500.0)), "ringing": 60.0},
    ),
    "4 g, 250 deg/s": (
        _nothing,
        {"acc_range": 4.0 * G, "gyr_range": float(np.radians(250.0)), "ringing": 60.0},
    ),
    "worn sensors": (_nothing, {"acc_bias": 0.02 * G, "scale": 0.015, "gyr_bias": float(np.radians(1.0))}),
}
"""What is done to the streams, and errors of the sensors themselves."""


def damaged(kind: str, seed: int) -> tuple[SimulatedRun, Streams]:
    """A run with its truth, and what its sensors said after something happened to them."""
    harm, errors = DAMAGE[kind]
    plan, rng = runner(seed, **errors)
    run = simulate(plan, seed)
    hand = Hand(run, {segment.value: stream for segment, stream in run.streams().items()}, rng)
    harm(hand)
    return run, hand.streams


def silent(run: SimulatedRun, analysis: Analysis) -> tuple[list[tuple[str, float, float]], int, int]:
    """Wrong angles without a mark (angle, time of the stride in s, error in deg), used strides, true ones."""
    true, steady, strides = run.truth.strides, run.truth.steady(), analysis.strides
    quality = strides["quality"]
    used = (quality & int(EXCLUDING)) == 0
    unsure = (quality & int(StrideQuality.HEADING_UNCERTAIN)) != 0
    calibration = analysis.quality.calibration
    zero = (1.0, 1.0, 1.0) if calibration is None else calibration.zero_standing
    wrong = []
    for angle, limit in LIMITS.items():
        found = strides[f"{angle}_mean_deg"]
        for lane in (0, 1):
            if not zero[0] or (angle.startswith("hip") and not zero[1 + lane]):
                continue
            own = (true["side"] == lane) & (true["is_running"] > 0.0)
            times, values = true["t_ic_s"][own], true[f"{angle}_mean_deg"][own]
            judged = used & (strides.lanes == lane) & np.isfinite(found)
            if angle in ("hip_adduction", "hip_internal_rotation"):
                judged &= ~unsure
            t = strides["t_ic_s"][judged]
            if not len(t):
                continue
            nearest = np.argmin(np.abs(t[:, None] - times), axis=1)
            error = found[judged] - values[nearest]
            bad = (np.abs(t - times[nearest]) < 0.08) & (np.abs(error) > limit)
            wrong += [(angle, float(a), float(b)) for a, b in zip(t[bad], error[bad], strict=True)]
    return wrong, int(used.sum()), int(steady.sum())
