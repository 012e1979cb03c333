"""A simulated run: sensor streams a chunk at a time, and the truth behind them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latemiles.signals.blocks import ImuStream
from latemiles.signals.frames import SEGMENTS, SIDES, Segment, Side, quat_conj, quat_multiply, quat_rotate
from latemiles.sim.gait import HIP_IN_PELVIS_M, HIP_IN_THIGH_M, THIGH, Gait
from latemiles.sim.imu import (
    SensorFlaws,
    at_lever,
    continuous,
    draw_flaws,
    flawed,
    quat_from_rotvec,
    random_quat,
    rates,
)
from latemiles.sim.plan import RunnerPlan, SlippingClip
from latemiles.sim.spline import UniformSpline
from latemiles.sim.timeline import Timeline, lay_out, smooth_ramp
from latemiles.sim.tissue import Impacts, soft_tissue_motion
from latemiles.sim.truth import Truth, build_truth

__all__ = ["SensorChunk", "SimulatedRun", "SimulatedSensor", "simulate"]

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

_MARGIN_S = 1.0
"""Motion made beyond each end of a chunk: longer than the ringing and the spline's reach."""
_WALKING_IMPACT = 0.25
"""Strength of an initial contact of walking against one of running."""
_OTHER_LEG = 0.25
"""Share of an impact that reaches the other thigh."""
_LEVER_M = {
    Segment.PELVIS: np.array([-0.02, 0.0, 0.0]),
    Segment.LEFT_THIGH: np.array([0.07, 0.04, 0.02]),
    Segment.RIGHT_THIGH: np.array([0.07, -0.04, 0.02]),
}
"""From the middle of the PSIS, or of the thigh, to the sensor, m."""


@dataclass(frozen=True, slots=True)
class SimulatedSensor:
    """One specimen, its place and its clocks."""

    segment: Segment
    serial: str
    quat_segment_sensor: F8
    """(4,) mounting when it was clipped on; slips come on top."""
    flaws: SensorFlaws
    sample_hz: float
    """True sample rate, Hz."""
    skew: float
    """The crystal gains this share of true time."""
    first_s: float
    """Session time of sample 0."""
    tick_offset_s: float
    """The device's time at session time 0."""
    seed: np.random.SeedSequence


@dataclass(frozen=True, slots=True)
class SensorChunk:
    """What one sensor sampled in one stretch of time."""

    segment: Segment
    first_index: int
    t_s: F8
    """(k,) true session times."""
    acc: F8
    """(k, 3) m/s^2, sensor frame."""
    gyr: F8
    """(k, 3) rad/s, sensor frame."""
    flags: I8
    """(k,) SampleQuality bits: clipped."""
    quat_earth_sensor: F8
    """(k, 4) the truth, soft tissue and slips included."""


class SimulatedRun:
    """A run that can be looked at anywhere; made by ``simulate``.

    Attributes
    ----------
    plan : RunnerPlan
        What was asked for.
    seed : int
        What it was drawn with.
    timeline : Timeline
        Speed, heading and contacts.
    gait : Gait
        Continuous truth.
    sensors : tuple of SimulatedSensor
        In lane order.
    """

    def __init__(self, plan: RunnerPlan, seed: int) -> None:
        self.plan, self.seed = plan, seed
        # One independent stream a part, so that a change in one part leaves the others' draws alone.
        course, body, mounting, noise, self._watch = np.random.SeedSequence(seed).spawn(5)
        self.timeline: Timeline = lay_out(plan, np.random.default_rng(course))
        self.gait = Gait(plan, self.timeline, np.random.default_rng(body))
        self.sensors = _draw_sensors(plan, np.random.default_rng(mounting), noise.spawn(len(SEGMENTS)))
        self._truth: Truth | None = None

    @property
    def duration_s(self) -> float:
        """Length, s."""
        return self.plan.duration_s

    @property
    def truth(self) -> Truth:
        """One row a stride, and the windows of standing and squats; made when first asked for."""
        if self._truth is None:
            self._truth = build_truth(self.plan, self.gait)
        return self._truth

    def chunks(self, length_s: float = 60.0) -> Iterator[tuple[SensorChunk, ...]]:
        """All samples, a stretch of time at a time, one SensorChunk a sensor.

        Noise is drawn by the chunk: the same ``length_s`` gives the same bytes.

        Parameters
        ----------
        length_s : float
            Length of a stretch; memory goes with it.
        """
        for number in range(int(np.ceil(self.duration_s / length_s))):
            start = number * length_s
            yield self._chunk(number, start, min(start + length_s, self.duration_s))

    def streams(self) -> dict[Segment, ImuStream]:
        """Whole streams on true session time; for runs that fit into memory."""
        parts = list(self.chunks())
        return {
            sensor.segment: ImuStream(
                np.concatenate([part[i].t_s for part in parts]),
                np.concatenate([part[i].acc for part in parts]),
                np.concatenate([part[i].gyr for part in parts]),
            )
            for i, sensor in enumerate(self.sensors)
        }

    def watch(self) -> tuple[F8, F8, F8, F8, F8]:
        """What a watch tells once a second: t s, speed m/s, grade, distance m, heart rate bpm.

        Speed lags by 2 s and errs by 1.5 %, distance by up to 1 % over all, grade by 0.5 points.
        """
        rng = np.random.default_rng(self._watch)
        t: F8 = np.arange(1.0, np.floor(self.duration_s) + 1.0, dtype=np.float64)
        speed = np.maximum(
            self.timeline.at("speed", t - 2.0) * (1.0 + 0.015 * rng.standard_normal(len(t))), 0.0
        )
        distance = self.timeline.at("distance", t - 1.0) * (1.0 + float(rng.normal(0.0, 0.005)))
        grade = self.timeline.at("grade", t) + 0.005 * rng.standard_normal(len(t))
        effort = np.convolve(self.timeline.at("speed", t), np.exp(-np.arange(240) / 60.0) / 60.0)[: len(t)]
        heart = np.round(75.0 + 25.0 * effort + t / 400.0)
        rounded = [
            np.asarray(np.round(x, k), dtype=np.float64) for x, k in ((speed, 3), (grade, 4), (distance, 1))
        ]
        return t, rounded[0], rounded[1], rounded[2], np.asarray(heart, dtype=np.float64)

    def _chunk(self, number: int, start: float, stop: float) -> tuple[SensorChunk, ...]:
        rate = self.plan.sensors.rate_hz
        # Whole steps of one grid for the run, so that neighbouring chunks see the same curve.
        first, last = np.floor((start - _MARGIN_S) * rate), np.ceil((stop + _MARGIN_S) * rate)
        t = np.arange(first, last + 1.0) / rate
        quats = self.gait.quats(t)
        squat = self.gait.squat_path(t)
        chunks = []
        for sensor in self.sensors:
            hip = np.zeros((len(t), 3)) if squat is None else squat
            if sensor.segment is not Segment.PELVIS:
                side = next(side for side in SIDES if THIGH[side] is sensor.segment)
                hip = hip + quat_rotate(quats[Segment.PELVIS], HIP_IN_PELVIS_M[side])
                hip = hip - quat_rotate(quats[sensor.segment], HIP_IN_THIGH_M)
            chunks.append(self._sample(sensor, number, (start, stop), t, quats[sensor.segment], hip))
        return tuple(chunks)

    def _sample(
        self, sensor: SimulatedSensor, number: int, window: tuple[float, float], t: F8, quat: F8, path: F8
    ) -> SensorChunk:
        """Let one sensor ride on a segment whose middle moves along ``path`` besides the pelvis's own way."""
        rate = self.plan.sensors.rate_hz
        low, high = (int(np.ceil((edge - sensor.first_s) * sensor.sample_hz)) for edge in window)
        index = np.arange(max(low, 0), max(high, 0))
        taken = sensor.first_s + index / sensor.sample_hz
        impacts = self._impacts(sensor.segment, t[0], t[-1])
        rotvec, shift = self._skin(sensor, t, impacts)
        skin = quat_multiply(quat, quat_from_rotvec(rotvec))
        turns = UniformSpline.through(continuous(skin), rate_hz=rate, start_s=float(t[0]))
        # The lever turns with the bone, the sensor's own axes with the skin.
        place = path + quat_rotate(quat, _LEVER_M[sensor.segment] + shift)
        way = UniformSpline.through(place, rate_hz=rate, start_s=float(t[0]))
        body, gyr, turn = rates(turns, taken)
        acceleration = self.gait.acceleration(taken) + way.at(taken, 2)
        force = at_lever(body, gyr, turn, acceleration, np.zeros(3))
        mounting = sensor.quat_segment_sensor
        back = quat_conj(mounting)
        truth = quat_multiply(body, mounting)
        acc, gyr, flags = flawed(
            sensor.flaws,
            taken,
            quat_rotate(back, force),
            quat_rotate(back, gyr),
            truth,
            np.random.default_rng([number, *sensor.seed.generate_state(4)]),
            rate_hz=rate,
            impacts=impacts,
        )
        return SensorChunk(sensor.segment, int(index[0]) if len(index) else 0, taken, acc, gyr, flags, truth)

    def _skin(self, sensor: SimulatedSensor, t: F8, impacts: Impacts) -> tuple[F8, F8]:
        """Rotation vector and shift of the sensor on its segment: soft tissue and slips."""
        sensors = self.plan.sensors
        tissue = sensors.pelvis_tissue if sensor.segment is Segment.PELVIS else sensors.thigh_tissue
        phase = self.timeline.feet[Side.RIGHT].phase(t)
        vigour = np.maximum(self.timeline.at("running", t), 0.5 * self.timeline.at("walking", t))
        # The same axes in every chunk: drawn anew from the sensor's own seed.
        rng = np.random.default_rng(sensor.seed)
        rotvec, shift = soft_tissue_motion(t, impacts, phase, vigour, tissue, rng)
        for slip in self.plan.slips:
            if slip.segment is sensor.segment:
                rotvec = rotvec + slipped(slip, t)[:, None] * np.array(slip.rotvec_rad)
        return rotvec, shift

    def _impacts(self, segment: Segment, start: float, stop: float) -> Impacts:
        times, gains = [], []
        for side in SIDES:
            foot = self.timeline.feet[side]
            here = (foot.contact_s > start) & (foot.contact_s < stop)
            contact = foot.contact_s[here]
            felt = 1.0 if segment in (Segment.PELVIS, THIGH[side]) else _OTHER_LEG
            running, walking = self.timeline.at("running", contact), self.timeline.at("walking", contact)
            times.append(contact)
            gains.append(felt * (running + _WALKING_IMPACT * walking))
        return Impacts(np.concatenate(times), np.concatenate(gains))


def slipped(slip: SlippingClip, t_s: F8) -> F8:
    """How much of a slip has happened at times, 0..1."""
    return smooth_ramp((t_s - slip.t_s) / max(slip.duration_s, 0.05))


def _draw_sensors(
    plan: RunnerPlan, rng: np.random.Generator, seeds: list[np.random.SeedSequence]
) -> tuple[SimulatedSensor, ...]:
    drawn = []
    for segment, seed in zip(SEGMENTS, seeds, strict=True):
        mounting = random_quat(rng)
        if plan.sensors.mounting is not None:
            mounting = np.array(plan.sensors.mounting[segment.lane], dtype=np.float64)
        has_clock_errors = plan.sensors.rate_error > 0.0 or plan.sensors.skew > 0.0
        drawn.append(
            SimulatedSensor(
                segment=segment,
                serial=f"SIM-{int(rng.integers(0, 16**4)):04X}",
                quat_segment_sensor=mounting / np.linalg.norm(mounting),
                flaws=draw_flaws(plan.sensors.errors, rng),
                sample_hz=plan.sensors.rate_hz
                * (1.0 + plan.sensors.rate_error * float(rng.standard_normal())),
                skew=plan.sensors.skew * float(rng.standard_normal()),
                first_s=float(rng.uniform(0.0, 0.3)) if has_clock_errors else 0.0,
                tick_offset_s=float(rng.uniform(1.0, 3600.0)) if has_clock_errors else 0.0,
                seed=seed,
            )
        )
    return tuple(drawn)


def simulate(plan: RunnerPlan, seed: int = 0) -> SimulatedRun:
    """Simulate a run.

    Parameters
    ----------
    plan : RunnerPlan
        The runner, the route, the sensors and what goes wrong.
    seed : int
        The same plan and seed give the same run, to the bit.
    """
    return SimulatedRun(plan, seed)
