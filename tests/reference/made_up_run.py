"""A made-up run as the pipeline would tell it: every state of the live page can be reached with it.

Every number is invented; nothing here is computed from motion.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from latemiles.metrics.catalogue import COLUMN_INDEX, NUMERIC_COLUMNS
from latemiles.signals.events import (
    Activity,
    CalibrationFound,
    DriftUpdate,
    Event,
    Gap,
    LinkChanged,
    LiveState,
    Marked,
    Slip,
    Split,
    Stride,
)
from latemiles.signals.frames import SEGMENTS, Segment, Side
from latemiles.signals.quality import StrideQuality
from latemiles.signals.records import Speed
from latemiles.web import LiveView

MILE_M = 1609.344
STRIDE_S = 0.7
STANDING_S = 20.0
BAND_DEG = 0.8
NAN = math.nan
UNKNOWN = (NAN, NAN, NAN)


@dataclass(frozen=True)
class MadeUpRun:
    """What happens, in session seconds."""

    minutes: float = 90.0
    drift_deg: float = 2.1
    drift_from_s: float = 3300.0
    drift_takes_s: float = 900.0
    verdict: str = ""
    """Forces the verdict of every form drift; empty: as the numbers say."""
    gap: tuple[float, float] | None = None
    """Pelvis not heard between these times; an end past the run leaves it lost."""
    thigh_gap: tuple[float, float] | None = None
    slip_s: float | None = None
    has_speed: bool = True
    battery: float = 92.0
    seed: int = 3


def _ramp(t: float, start: float, length: float) -> float:
    u = min(max((t - start) / length, 0.0), 1.0)
    return u * u * (3.0 - 2.0 * u)


def _inside(t: float, span: tuple[float, float] | None) -> bool:
    return span is not None and span[0] <= t < span[1]


def made_up_events(run: MadeUpRun) -> Iterator[Event]:
    """The events in order of time."""
    rng = np.random.default_rng(run.seed)
    for segment in SEGMENTS:
        yield LinkChanged(0.0, segment, "up", "", run.battery)
    yield LiveState(1.0, (0.1, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    quats = ((1.0, 0.0, 0.0, 0.0),) * 3
    yield CalibrationFound(15.0, "standing", "movement", quats, 0.01, (0.01,) * 3, 2.0, 12.0, NAN, NAN)
    yield Activity(STANDING_S, "running")
    distance, wander, index, split = 0.0, np.zeros(8), 0, 0
    t = STANDING_S
    next_still = next_drift = t
    while t < 60.0 * run.minutes:
        late = _ramp(t, run.drift_from_s, run.drift_takes_s)
        speed = 3.4 - 0.15 * late + 0.02 * rng.standard_normal()
        distance += speed * STRIDE_S / 2.0
        wander = 0.995 * wander + 0.012 * rng.standard_normal(8)
        side = Side.LEFT if index % 2 == 0 else Side.RIGHT
        yield _stride(run, t, side, index, (distance, speed, late), wander, rng)
        if distance > (split + 1) * MILE_M:
            yield Split(t, split, 0.0, MILE_M, 800, 780, (NAN,) * len(NUMERIC_COLUMNS))
            split += 1
        while next_still <= t:
            yield _still(run, next_still)
            next_still += 1.0
        if t >= next_drift:
            yield _drift(run, t, run.drift_deg * late)
            next_drift += 5.0
        yield from _happenings(run, t)
        t += STRIDE_S / 2.0
        index += 1


def _stride(run, t, side, index, motion, wander, rng) -> Stride:
    distance, speed, late = motion
    values = np.full(len(NUMERIC_COLUMNS), NAN)

    def put(name: str, value: float) -> None:
        values[COLUMN_INDEX[name]] = value

    right = side is Side.RIGHT
    put("index", index)
    put("t_ic_s", t)
    put("cadence_spm", 172.0 - 2.0 * late + 1.5 * rng.standard_normal())
    if run.has_speed:
        put("distance_m", distance)
        put("speed_m_s", speed)
    if not _inside(t, run.gap):
        put("pelvic_tilt_mean_deg", 9.0 + run.drift_deg * late + wander[0] + 0.7 * rng.standard_normal())
        drop = 5.4 + 0.55 * run.drift_deg * late if right else 5.1
        put("pelvic_drop_excursion_deg", drop + wander[1 + right] + 0.7 * rng.standard_normal())
        put("pelvic_rotation_rom_deg", 12.0 + wander[3] + 0.9 * rng.standard_normal())
        if right or not _inside(t, run.thigh_gap):
            put("hip_flexion_ic_deg", 32.0 - 0.5 * late + wander[4 + right] + 1.2 * rng.standard_normal())
            put("hip_adduction_midstance_deg", 4.0 + wander[6] + 0.8 * rng.standard_normal())
            put("hip_internal_rotation_midstance_deg", 2.0 + 3.0 * wander[7] + 1.8 * rng.standard_normal())
    quality = StrideQuality.GAP if _inside(t, run.gap) else StrideQuality.GOOD
    return Stride(round(t, 3), side, index, tuple(values.tolist()), int(quality))


def _still(run: MadeUpRun, t: float) -> LiveState:
    if _inside(t, run.gap):
        return LiveState(t, UNKNOWN, UNKNOWN, UNKNOWN)
    left = UNKNOWN if _inside(t, run.thigh_gap) else (0.5, 0.05, 0.0)
    return LiveState(t, (0.16, 0.02, 0.01), left, (0.2, 0.05, 0.0))


def _drift(run: MadeUpRun, t: float, change: float) -> DriftUpdate:
    metric = "pelvic_tilt_mean_deg"
    if t < STANDING_S + 600.0:
        return DriftUpdate(t, metric, NAN, NAN, NAN, NAN, "too short", 0)
    half = 0.45
    beyond = change > BAND_DEG
    verdict = run.verdict or (
        "clear change" if change > 1.5 * BAND_DEG else "likely change" if beyond else "small, inside noise"
    )
    shown = change + 0.05 * math.sin(t / 40.0)
    return DriftUpdate(t, metric, shown, shown - half, shown + half, BAND_DEG, verdict, int(beyond))


def _happenings(run: MadeUpRun, t: float) -> Iterator[Event]:
    step = STRIDE_S / 2.0
    if run.gap is not None and run.gap[1] <= t < run.gap[1] + step:
        yield Gap(*run.gap, Segment.PELVIS, "link down")
    if run.thigh_gap is not None and run.thigh_gap[1] <= t < run.thigh_gap[1] + step:
        yield Gap(*run.thigh_gap, Segment.LEFT_THIGH, "link down")
    if run.slip_s is not None and run.slip_s <= t < run.slip_s + step:
        yield Slip(t, Segment.PELVIS, math.radians(1.2))
    if 900.0 <= t < 900.0 + step:
        yield Marked(t, "gel")


def made_up_told(run: MadeUpRun) -> Iterator[Speed]:
    """What a watch tells beside the events: one hill, and a heart that drifts."""
    rng = np.random.default_rng(run.seed + 1)
    for t in range(int(STANDING_S), int(60.0 * run.minutes)):
        grade = 0.03 * math.exp(-(((t - 2300.0) / 150.0) ** 2)) - 0.03 * math.exp(
            -(((t - 2600.0) / 150.0) ** 2)
        )
        heart = 150.0 + 12.0 * (1.0 - math.exp(-t / 400.0)) + t / 900.0 + 200.0 * max(grade, 0.0)
        grade += 0.004 * rng.standard_normal()
        yield Speed(
            int(t * 1e9), float(t), 3.4, grade, 3.4 * t, round(heart + rng.standard_normal()), "watch"
        )


def shown_to(view: LiveView, run: MadeUpRun) -> None:
    """Show a view the whole run in order of time, as a session would."""
    told = made_up_told(run)
    record = next(told, None)
    for event in made_up_events(run):
        while record is not None and record.t_s <= event.t_s:
            view.hear(record)
            record = next(told, None)
        view.push([event])


_TIRES = MadeUpRun(minutes=36.0, drift_from_s=1200.0, drift_takes_s=600.0)

STATES: dict[str, MadeUpRun] = {
    "learning": MadeUpRun(minutes=6.0),
    "steady": MadeUpRun(minutes=20.0),
    "watch": replace(_TIRES, drift_deg=1.0),
    "drifting": _TIRES,
    "sensor": replace(_TIRES, minutes=36.1, slip_s=2157.0),
    "not_heard": replace(_TIRES, gap=(2120.0, 1e9)),
    "thigh": replace(_TIRES, thigh_gap=(2100.0, 1e9)),
    "no_speed": MadeUpRun(minutes=20.0, has_speed=False),
    "half_marathon": MadeUpRun(minutes=98.0, gap=(4280.0, 4356.0), slip_s=5250.0),
}
"""A run that ends in each state of the page."""
