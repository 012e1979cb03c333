"""A simulated standing check with known truth: stances, hip hinges and marches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.signals.blocks import ImuStream
from latemiles.signals.frames import (
    SEGMENTS,
    SIDES,
    Segment,
    hip_quat,
    pelvis_quat,
    quat_conj,
    quat_multiply,
    quat_rotate,
)
from latemiles.sim.imu import ImuErrors, at_lever, draw_flaws, flawed, quat_from_rotvec, random_quat, rates
from latemiles.sim.spline import UniformSpline
from latemiles.sim.timeline import smooth_ramp, wander

__all__ = ["StandingPlan", "simulate_standing"]

F8 = NDArray[np.float64]

_HINGE_S: Final = 4.0
_STEP_S: Final = 1.1
_HINGE_TILT: Final = np.radians(45.0)
_HINGE_THIGH: Final = np.radians(12.0)
"""The hips go back while the trunk goes forward: the thighs lean back."""
_LIFT: Final = np.radians(55.0)
_LEVER_M: Final = {
    Segment.PELVIS: np.array([-0.08, 0.0, 0.05]),
    Segment.LEFT_THIGH: np.array([0.07, 0.04, -0.2]),
    Segment.RIGHT_THIGH: np.array([0.07, -0.04, -0.2]),
}
"""From the hips to the sensor, m."""


@dataclass(frozen=True, slots=True)
class StandingPlan:
    """Who stands how, and how well the movements are done."""

    obliquity_rad: float = 0.0
    """True obliquity in every stance, right side up +."""
    thigh_out_rad: tuple[float, float] = (0.0, 0.0)
    """Left, right: true turn outwards."""
    tilt_rad: float = 0.0
    stance_sd_rad: float = float(np.radians(0.5))
    """How much a person stands otherwise from one repeat to the next."""
    clumsy_sd_rad: float = float(np.radians(1.5))
    """How far a hinge or a march turns about another line than it should, new in every repeat."""
    repeats: int = 3
    stance_s: float = 30.0
    hinges: int = 4
    steps: int = 10
    march_before_last: int = 16
    """Steps before the last stance, which is the one after a march."""
    rate_hz: float = 104.0
    errors: ImuErrors = field(default_factory=ImuErrors)
    mounting: tuple[tuple[float, float, float, float], ...] | None = None
    """quat_segment_sensor, one a lane; None: anyhow."""


@dataclass(frozen=True, slots=True)
class _Part:
    kind: str
    start_s: float
    end_s: float
    repeat: int


def simulate_standing(plan: StandingPlan, seed: int) -> dict[Segment, ImuStream]:
    """Samples of the three sensors.

    Parameters
    ----------
    plan : StandingPlan
        What is true.
    seed : int
        Draws mounting, sensors, sway and clumsiness.
    """
    rng = np.random.default_rng(seed)
    parts = _parts(plan)
    t = np.arange(0.0, parts[-1].end_s + 2.0, 1.0 / plan.rate_hz)
    quats = _poses(plan, parts, t, rng)
    streams = {}
    for segment in SEGMENTS:
        mounting = random_quat(rng) if plan.mounting is None else np.array(plan.mounting[segment.lane])
        spline = UniformSpline.through(quats[segment], rate_hz=plan.rate_hz)
        body, rate, turn = rates(spline, t)
        force = at_lever(body, rate, turn, np.zeros((len(t), 3)), _LEVER_M[segment])
        back = quat_conj(mounting)
        acc, gyr, _ = flawed(
            draw_flaws(plan.errors, rng),
            t,
            quat_rotate(back, force),
            quat_rotate(back, rate),
            quat_multiply(body, mounting),
            rng,
            rate_hz=plan.rate_hz,
        )
        streams[segment] = ImuStream(t, acc, gyr)
    return streams


def _parts(plan: StandingPlan) -> list[_Part]:
    parts: list[_Part] = []
    now = 2.0
    for repeat in range(plan.repeats):
        lengths = [
            ("stance", plan.stance_s),
            ("hinges", plan.hinges * _HINGE_S),
            ("march", plan.steps * _STEP_S),
        ]
        if repeat == plan.repeats - 1 and plan.march_before_last:
            lengths.insert(0, ("march", plan.march_before_last * _STEP_S))
        for kind, length in lengths:
            if length <= 0.0:
                continue
            parts.append(_Part(kind, now, now + length, repeat))
            now += length + 1.0
    return parts


def _poses(plan: StandingPlan, parts: list[_Part], t: F8, rng: np.random.Generator) -> dict[Segment, F8]:
    """Orientation (n, 4) of each segment in earth."""
    sway = [wander(rng, len(t), 1.0 / plan.rate_hz, np.radians(0.25), 1.5) for _ in range(3)]
    width = int(0.4 * plan.rate_hz)
    taps = np.hanning(width) / np.hanning(width).sum()
    sway = [np.convolve(s, taps, mode="same") for s in sway]
    stands = rng.normal(0.0, plan.stance_sd_rad, (plan.repeats, 4))
    at = np.clip(np.searchsorted([p.start_s for p in parts], t, side="right") - 1, 0, len(parts) - 1)
    which = np.array([p.repeat for p in parts])[at].astype(np.float64)
    own = np.stack([_between(stands[:, k], which, t, plan.rate_hz) for k in range(4)], axis=1)
    tilt = plan.tilt_rad + own[:, 0] + sway[0]
    obliquity = plan.obliquity_rad + own[:, 1] + 0.5 * sway[1]
    pelvis = pelvis_quat(np.stack([tilt, obliquity, 0.3 * sway[2]], axis=1))
    thighs = {}
    for side in SIDES:
        out = plan.thigh_out_rad[side.lane] + own[:, 2 + side.lane]
        zero = np.zeros_like(t)
        thighs[side] = hip_quat(np.stack([zero, zero, -out], axis=1), side)
    for part in parts:
        u = (t - part.start_s) / (part.end_s - part.start_s)
        if part.kind == "hinges":
            depth = _humps(u, plan.hinges)
            # About the line through the hips, which lies in the pelvis.
            pelvis = quat_multiply(pelvis, _turn(_HINGE_TILT * depth, _line(rng, plan.clumsy_sd_rad)))
            for side in SIDES:
                # Straight back on the earth, whichever way the leg is turned.
                lean = _turn(-_HINGE_THIGH * depth, _line(rng, plan.clumsy_sd_rad))
                thighs[side] = quat_multiply(lean, thighs[side])
        elif part.kind == "march":
            steps = (
                plan.steps
                if part.end_s - part.start_s < (plan.steps + 1) * _STEP_S
                else plan.march_before_last
            )
            for side in SIDES:
                lift = _LIFT * _humps(u, steps, side.lane)
                # About the leg's own axis: a leg that is turned out lifts its knee outwards.
                thighs[side] = quat_multiply(thighs[side], _turn(-lift, _line(rng, plan.clumsy_sd_rad)))
    return {
        Segment.PELVIS: pelvis,
        Segment.LEFT_THIGH: thighs[SIDES[0]],
        Segment.RIGHT_THIGH: thighs[SIDES[1]],
    }


def _between(values: F8, which: F8, t: F8, rate_hz: float) -> F8:
    """One value a repeat, passed over smoothly."""
    width = int(1.5 * rate_hz)
    taps = np.hanning(width) / np.hanning(width).sum()
    stepped = values[which.astype(np.int64)]
    padded = np.pad(stepped, width, mode="edge")
    return np.asarray(np.convolve(padded, taps, mode="same")[width:-width])[: len(t)]


def _line(rng: np.random.Generator, sd: float) -> F8:
    """The line to the left, missed by a little up or down and fore or aft."""
    axis = np.array([rng.normal(0.0, sd), 1.0, rng.normal(0.0, sd)])
    return np.asarray(axis / np.linalg.norm(axis))


def _turn(angle: F8, axis: F8) -> F8:
    return quat_from_rotvec(angle[:, None] * axis)


def _humps(u: F8, count: int, lane: int | None = None) -> F8:
    """``count`` rises and falls over u from 0 to 1; with a lane each second one, left and right in turn."""
    place = np.clip(u, 0.0, 1.0) * count
    shape = smooth_ramp(2.0 * np.minimum(np.mod(place, 1.0), 1.0 - np.mod(place, 1.0)))
    inside = (u > 0.0) & (u < 1.0)
    if lane is not None:
        inside &= np.mod(np.floor(place), 2.0) == lane
    return np.where(inside, shape, 0.0)
