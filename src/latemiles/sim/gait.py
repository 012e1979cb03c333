"""The synthetic runner's body: angles and accelerations at any time of a laid-out run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.signals.frames import (
    ANGLES,
    GRAVITY_M_S2,
    SIDES,
    Segment,
    Side,
    hip_quat,
    pelvis_quat,
    quat_multiply,
)
from latemiles.sim.plan import AngleOffset, FormDrift, RunnerPlan
from latemiles.sim.timeline import Timeline, smooth_ramp, wander
from latemiles.sim.waveforms import HARMONICS, RUNNING, WALKING, table

__all__ = ["COLUMNS", "HIP_IN_PELVIS_M", "HIP_IN_THIGH_M", "THIGH", "Gait"]

F8 = NDArray[np.float64]

COLUMNS: Final = (*ANGLES[:3], *(f"{name}_{side}" for side in SIDES for name in ANGLES[3:]))
"""Columns of ``Gait.angles``: the pelvis, the left hip, the right hip."""
THIGH: Final = {Side.LEFT: Segment.LEFT_THIGH, Side.RIGHT: Segment.RIGHT_THIGH}

# Where the sensors of RBDS001 would sit: least-squares hip centres of that subject's poses.
HIP_IN_PELVIS_M: Final = {
    Side.LEFT: np.array([0.11, 0.14, -0.09]),
    Side.RIGHT: np.array([0.11, -0.12, -0.08]),
}
HIP_IN_THIGH_M: Final = np.array([0.04, 0.0, 0.29])
"""From the middle of the thigh."""
_THIGH_M, _SHANK_M = 0.42, 0.43

_TILT_PER_M_S = np.radians(2.0)
"""Anterior tilt with speed: 1.6 to 4 degrees per m/s in RBDS runners."""
_TILT_PER_GRADE = np.radians(15.0)
"""Anterior tilt uphill, per unit of grade; an assumption."""
_ROM_PER_M_S = np.array([-0.08, 0.23, 0.51, 0.29, 0.27, 0.20])
"""Growth of each angle's range with speed, share per m/s from 2.5 m/s (RBDS, one runner at three speeds)."""
_LEAN_SHARE = 0.8
"""Share of the lean of a point mass that the pelvis takes in a bend."""
_SQUAT_S = 3.0
_SQUAT_PELVIS, _SQUAT_THIGH, _SQUAT_SHANK = np.radians([22.0, 80.0, 32.0])
_WANDER_STEP_S = 1.0
_SWITCH = 0.15
"""Share of a stride around a contact in which one stride's peculiarity gives way to the next one's."""


@dataclass(frozen=True, slots=True)
class _Squats:
    start_s: float
    depth: F8
    adduction: F8


class Gait:
    """Continuous kinematics of one simulated run; every method may be asked for any times in any order.

    Parameters
    ----------
    plan : RunnerPlan
        The runner.
    timeline : Timeline
        The run, laid out.
    rng : numpy Generator
        Draws all that differs from stride to stride and the slow wander.
    """

    def __init__(self, plan: RunnerPlan, timeline: Timeline, rng: np.random.Generator) -> None:
        self.plan, self.timeline = plan, timeline
        v = plan.variability
        strides = max(len(foot.contact_s) for foot in timeline.feet.values()) + 2
        sd = np.array(v.stride_sd_rad)
        self._offset = {side: _ar_one(rng, strides, sd, v.lag_one) for side in SIDES}
        self._gain = {side: 1.0 + v.amplitude_sd * rng.standard_normal((strides, 6)) for side in SIDES}
        seconds = int(plan.duration_s / _WANDER_STEP_S) + 3
        self._wander = np.stack(
            [wander(rng, seconds, _WANDER_STEP_S, v.wander_sd_rad, v.wander_s) for _ in COLUMNS], axis=1
        )
        self._sway = (rng.uniform(0.1, 0.35, 9), rng.uniform(0.0, 2.0 * np.pi, 9))
        self._squats = _plan_squats(plan, rng)
        self._running, self._walking = table(RUNNING[plan.waveforms]), table(WALKING)

    # --- angles -----------------------------------------------------------------------------------------

    def angles(self, t_s: F8) -> F8:
        """True angles (n, 9), rad, columns COLUMNS, relative to standing, pelvis in the progression frame.

        The progression frame follows the course of the route; rotation still holds its own stride mean.
        """
        t = np.asarray(t_s, dtype=np.float64)
        walk, run = self.timeline.at("walking", t), self.timeline.at("running", t)
        speed = self.timeline.at("speed", t)
        waves = {side: self._wave(side, t, walk, run, speed) for side in SIDES}
        total = np.concatenate(
            [waves[Side.RIGHT][:, :3], waves[Side.LEFT][:, 3:], waves[Side.RIGHT][:, 3:]], axis=1
        )
        total[:, 0] += run * (_TILT_PER_M_S * (speed - 2.5) + _TILT_PER_GRADE * self.timeline.at("grade", t))
        total += run[:, None] * self._slow(t)
        rates, phases = self._sway
        still = 1.0 - 0.7 * np.maximum(walk, run)
        total += np.radians(0.12) * still[:, None] * np.sin(2.0 * np.pi * rates * t[:, None] + phases)
        # In a left bend the body leans to the left: the right side of the pelvis rises.
        total[:, 1] += _LEAN_SHARE * np.arctan(speed * self.timeline.at("turn_rate", t) / GRAVITY_M_S2)
        for item in self.plan.offsets:
            self._add(total, t, item, item.value_rad * run)
        for drift in self.plan.drifts:
            reached = _reached(t, self.timeline.at("distance", t), drift)
            self._add(total, t, drift, drift.change_rad * run * reached)
        for squats in self._squats:
            depth = squats_depth(squats, t)
            total[:, 0] += _SQUAT_PELVIS * depth
            total[:, [3, 6]] += (_SQUAT_PELVIS + _SQUAT_THIGH) * depth[:, None]
            total[:, [4, 7]] += squats.adduction * depth[:, None]
        return total

    def _wave(self, side: Side, t: F8, walk: F8, run: F8, speed: F8) -> F8:
        """The six angles (n, 6) as this side's own stride has them, peculiarities of each stride included."""
        count = self.timeline.feet[side].phase(t)
        turn = np.exp(2j * np.pi * np.mod(count, 1.0))
        powers = np.cumprod(np.broadcast_to(turn[:, None], (len(t), HARMONICS)), axis=1)
        gain = _by_stride(self._gain[side], count)
        mean, coefficients = self._running
        size = run[:, None] * gain * np.maximum(1.0 + _ROM_PER_M_S * (speed[:, None] - 2.5), 0.3)
        total = (
            run[:, None] * (mean + _by_stride(self._offset[side], count))
            + size * (powers @ coefficients).real
        )
        if np.any(walk > 0.0):
            mean, coefficients = self._walking
            total = total + walk[:, None] * (mean + gain * (powers @ coefficients).real)
        return np.asarray(total, dtype=np.float64)

    def _slow(self, t: F8) -> F8:
        u = np.clip(t / _WANDER_STEP_S, 0.0, len(self._wander) - 1.001)
        k = u.astype(np.int64)
        return np.asarray(self._wander[k] + (u - k)[:, None] * (self._wander[k + 1] - self._wander[k]))

    def _add(self, total: F8, t: F8, item: AngleOffset | FormDrift, value: F8) -> None:
        sides = SIDES if item.side is None else (item.side,)
        if item.angle == "pelvic_drop":
            for side in sides:
                share, _ = self.timeline.feet[side].stance(t)
                # The other side falls while this leg bears: obliquity + in right stance, - in left.
                bump = np.sin(np.pi * np.clip(share, 0.0, 1.0)) ** 2
                total[:, 1] += side.sign * value * bump
            return
        column = ANGLES.index(item.angle)
        if column < 3:
            total[:, column] += value
            return
        for side in sides:
            total[:, column + 3 * side.lane] += value

    # --- poses ------------------------------------------------------------------------------------------

    def quats(self, t_s: F8, angles: F8 | None = None) -> dict[Segment, F8]:
        """Segment orientation (n, 4) in earth; every segment is upright in the mean standing pose."""
        turns = self.angles(t_s) if angles is None else angles
        heading = self.timeline.heading_at(t_s)
        yaw = np.stack([np.cos(heading / 2), 0 * heading, 0 * heading, np.sin(heading / 2)], axis=1)
        quats = {Segment.PELVIS: quat_multiply(yaw, pelvis_quat(turns[:, :3]))}
        for side in SIDES:
            hip = turns[:, 3 + 3 * side.lane : 6 + 3 * side.lane]
            quats[THIGH[side]] = quat_multiply(quats[Segment.PELVIS], hip_quat(hip, side))
        return quats

    def squat_path(self, t_s: F8) -> F8 | None:
        """Way (n, 3) of the pelvis while squatting, earth, m; None where there is none in these times."""
        active = [
            s for s in self._squats if t_s[-1] > s.start_s and t_s[0] < s.start_s + _SQUAT_S * len(s.depth)
        ]
        if not active:
            return None
        depth = np.sum([squats_depth(s, t_s) for s in active], axis=0)
        thigh, shank, tilt = (size * depth for size in (_SQUAT_THIGH, _SQUAT_SHANK, _SQUAT_PELVIS))
        # The hips are what the legs carry; the pelvis turns about them.
        x, _, z = 0.5 * (HIP_IN_PELVIS_M[Side.LEFT] + HIP_IN_PELVIS_M[Side.RIGHT])
        ahead = _SHANK_M * np.sin(shank) - _THIGH_M * np.sin(thigh)
        ahead -= x * (np.cos(tilt) - 1.0) + z * np.sin(tilt)
        up = -_SHANK_M * (1.0 - np.cos(shank)) - _THIGH_M * (1.0 - np.cos(thigh))
        up -= z * (np.cos(tilt) - 1.0) - x * np.sin(tilt)
        heading = self.timeline.heading_at(t_s)
        return np.stack([ahead * np.cos(heading), ahead * np.sin(heading), up], axis=1)

    def acceleration(self, t_s: F8) -> F8:
        """Acceleration (n, 3) of the pelvis in earth, m/s^2, without squats.

        Running: vertical force of a half sine in stance whose impulse carries the body (Morin et al. 2005,
        J Appl Biomech 21:167), free fall between; a braking and driving sine fore and aft, a push towards
        the other side. Walking: two humps a stride. To this come speed changes and bends.
        """
        t = np.asarray(t_s, dtype=np.float64)
        line = self.timeline
        walk, run, speed = line.at("walking", t), line.at("running", t), line.at("speed", t)
        forward = line.at("acceleration", t)
        left = speed * line.at("turn_rate", t)
        up = np.zeros_like(t)
        if np.any(run > 0.0):
            f, s, u = self._running_force(t, speed)
            forward, left, up = forward + run * f, left + run * s, up + run * u
        if np.any(walk > 0.0):
            # Lowest, and braked from here on, at each contact.
            angle = 2.0 * np.pi * np.mod(line.feet[Side.RIGHT].phase(t), 1.0)
            size = walk * np.clip(speed / 1.4, 0.3, 1.6)
            forward = forward - size * 1.2 * np.sin(2.0 * angle)
            left = left + size * 0.8 * np.sin(angle)
            up = up + size * 2.2 * np.cos(2.0 * angle)
        heading = line.heading_at(t)
        cos, sin = np.cos(heading), np.sin(heading)
        return np.stack([forward * cos - left * sin, forward * sin + left * cos, up], axis=1)

    def _running_force(self, t: F8, speed: F8) -> tuple[F8, F8, F8]:
        forward, left, up = np.zeros_like(t), np.zeros_like(t), np.full_like(t, -GRAVITY_M_S2)
        for side in SIDES:
            foot, other = self.timeline.feet[side], self.timeline.feet[_other(side)]
            share, k = foot.stance(t)
            bears = (share >= 0.0) & (share < 1.0)
            x = np.where(bears, share, 0.0)
            contact = foot.contact_s[k]
            after = np.searchsorted(other.contact_s, contact, side="right")
            step = other.contact_s[np.minimum(after, len(other.contact_s) - 1)] - contact
            step = np.clip(step, 0.25, 0.6)
            peak = GRAVITY_M_S2 * 0.5 * np.pi * step / (foot.toe_off_s[k] - contact)
            hump = np.where(bears, np.sin(np.pi * x), 0.0)
            up += peak * hump
            forward -= np.where(bears, 1.1 * speed * np.sin(2.0 * np.pi * x), 0.0)
            left += side.sign * 1.2 * hump
        return forward, left, up


def _other(side: Side) -> Side:
    return Side.LEFT if side is Side.RIGHT else Side.RIGHT


def _reached(t: F8, distance: F8, drift: FormDrift) -> F8:
    """Share of a form drift that has come, 0..1."""
    if drift.start_s <= drift.end_s:
        now, start, end = t, drift.start_s, drift.end_s
    else:
        now, start, end = distance, drift.start_m, drift.end_m
    return (
        smooth_ramp(now - start + 0.5) if end <= start else np.clip((now - start) / (end - start), 0.0, 1.0)
    )


def _ar_one(rng: np.random.Generator, n: int, sd: F8, lag_one: float) -> F8:
    noise = rng.standard_normal((n, len(sd))) * sd
    for k in range(1, n):
        noise[k] = lag_one * noise[k - 1] + np.sqrt(1.0 - lag_one**2) * noise[k]
    return noise


def _by_stride(values: F8, count: F8) -> F8:
    """One row a stride, held through it and passed over smoothly around each contact."""
    nearest = np.rint(count)
    after = np.clip(nearest.astype(np.int64), 0, len(values) - 1)
    before = np.clip(after - 1, 0, len(values) - 1)
    weight = smooth_ramp((count - nearest + _SWITCH) / (2.0 * _SWITCH))[:, None]
    return np.asarray(values[before] + weight * (values[after] - values[before]), dtype=np.float64)


def _plan_squats(plan: RunnerPlan, rng: np.random.Generator) -> list[_Squats]:
    squats, start = [], 0.0
    for phase in plan.phases:
        if phase.kind == "squats":
            n = max(1, int((phase.duration_s - 0.5) / _SQUAT_S))
            squats.append(_Squats(start, rng.uniform(0.9, 1.1, n), np.radians(rng.normal(-3.0, 2.0, 2))))
        start += phase.duration_s
    return squats


def squats_depth(squats: _Squats, t_s: F8) -> F8:
    """Depth of squats at times: 0 standing, 1 down."""
    u = (t_s - squats.start_s) / _SQUAT_S
    k = np.clip(u.astype(np.int64), 0, len(squats.depth) - 1)
    inside = (u > 0.0) & (u < len(squats.depth))
    return np.where(inside, squats.depth[k] * np.sin(np.pi * (u - k)) ** 4, 0.0)
