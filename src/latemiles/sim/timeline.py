"""Speed, way, heading and strides of a simulated run, laid out before any sample is made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latemiles.signals.frames import SIDES, Side
from latemiles.sim.plan import RunnerPlan

__all__ = ["GRID_HZ", "Foot", "Timeline", "lay_out", "smooth_ramp", "wander"]

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

GRID_HZ = 10.0
"""Rate of the slow quantities."""
_RAMP_S = 2.0
"""Time to begin and to end walking or running."""
_GRAVITY = 9.81


def smooth_ramp(x: F8) -> F8:
    """0 below 0, 1 above 1, between them with zero first and second derivative at both ends."""
    u = np.clip(x, 0.0, 1.0)
    return np.asarray(u**3 * (10.0 - 15.0 * u + 6.0 * u * u), dtype=np.float64)


def wander(rng: np.random.Generator, n: int, step_s: float, sd: float, time_constant_s: float) -> F8:
    """A stationary Ornstein-Uhlenbeck path, shape (n,)."""
    keep = np.exp(-step_s / time_constant_s)
    noise = rng.standard_normal(n) * sd * np.sqrt(1.0 - keep * keep)
    path = np.empty(n)
    value = sd * float(rng.standard_normal())
    for k in range(n):
        value = keep * value + noise[k]
        path[k] = value
    return path


@dataclass(frozen=True, slots=True)
class Foot:
    """Contacts of one foot; every stretch of movement has a further one before and after it.

    Between contact k and k + 1 lies stride k; between stretches lies a stride that nobody sees.
    """

    contact_s: F8
    toe_off_s: F8
    slope_hz: F8
    """Strides a second at each contact."""
    is_stride: NDArray[np.bool_]
    """Whether a true stride begins here."""
    is_running: NDArray[np.bool_]

    def phase(self, t_s: F8) -> F8:
        """Stride count at times: k at contact k, continuous with its rate (cubic Hermite)."""
        k = np.clip(np.searchsorted(self.contact_s, t_s, side="right") - 1, 0, len(self.contact_s) - 2)
        length = self.contact_s[k + 1] - self.contact_s[k]
        u = np.clip((t_s - self.contact_s[k]) / length, 0.0, 1.0)
        m0, m1 = self.slope_hz[k] * length, self.slope_hz[k + 1] * length
        rise = u * u * (3.0 - 2.0 * u)
        return np.asarray(k + rise + u * (1.0 - u) ** 2 * m0 - u * u * (1.0 - u) * m1, dtype=np.float64)

    def stance(self, t_s: F8) -> tuple[F8, I8]:
        """Share of stance that has passed, outside 0..1 in swing, and the index of the last contact."""
        k = np.clip(np.searchsorted(self.contact_s, t_s, side="right") - 1, 0, len(self.contact_s) - 1)
        return (t_s - self.contact_s[k]) / (self.toe_off_s[k] - self.contact_s[k]), k


@dataclass(frozen=True, slots=True)
class Timeline:
    """Slow quantities on a grid of GRID_HZ from time zero, and the two feet."""

    t_s: F8
    speed: F8
    acceleration: F8
    distance: F8
    heading: F8
    turn_rate: F8
    grade: F8
    walking: F8
    """Weight of walking, 0..1."""
    running: F8
    """Weight of running, 0..1."""
    feet: dict[Side, Foot]

    def at(self, name: str, t_s: F8) -> F8:
        """A slow quantity at any time, linear between grid points."""
        return np.asarray(np.interp(t_s, self.t_s, getattr(self, name)), dtype=np.float64)

    def heading_at(self, t_s: F8) -> F8:
        """Heading, rad, + to the left, continuous with its rate."""
        u = np.clip(t_s * GRID_HZ, 0.0, len(self.t_s) - 1.000001)
        k = u.astype(np.int64)
        u = u - k
        y0, y1 = self.heading[k], self.heading[k + 1]
        m0, m1 = self.turn_rate[k] / GRID_HZ, self.turn_rate[k + 1] / GRID_HZ
        rise = u * u * (3.0 - 2.0 * u)
        return np.asarray(
            y0 + (y1 - y0) * rise + u * (1.0 - u) ** 2 * m0 - u * u * (1.0 - u) * m1, dtype=np.float64
        )


def stride_time(speed: float, is_running: bool) -> float:
    """Usual stride time, s: runners as in RBDS001 (0.765 s at 2.5, 0.70 at 3.5 m/s), walkers near 1.05 s."""
    if is_running:
        return float(np.clip(0.765 - 0.055 * (speed - 2.5), 0.55, 0.85))
    return float(np.clip(1.05 - 0.25 * (speed - 1.4), 0.8, 1.6))


def contact_time(speed: float, stride_s: float, is_running: bool) -> float:
    """Usual contact time, s: 0.28 s at 2.5 m/s and shorter with speed; 62 % of a walking stride."""
    if not is_running:
        return 0.62 * stride_s
    return float(min(0.28 * (2.5 / max(speed, 1.0)) ** 0.6, 0.47 * stride_s))


def _weights(plan: RunnerPlan, t: F8, kind: str) -> F8:
    weight = np.zeros_like(t)
    start = 0.0
    for phase in plan.phases:
        end = start + phase.duration_s
        if phase.kind == kind:
            # Centred on the change, so that walking fades into running without a stop between them.
            weight += smooth_ramp((t - start) / _RAMP_S + 0.5) - smooth_ramp((t - end) / _RAMP_S + 0.5)
        start = end
    return np.clip(weight, 0.0, 1.0)


def _speed(plan: RunnerPlan, t: F8, rng: np.random.Generator) -> F8:
    target = np.zeros_like(t)
    start = 0.0
    for phase in plan.phases:
        here = (t >= start) & (t < start + phase.duration_s)
        if phase.kind in ("walking", "running"):
            last = phase.end_speed_m_s if phase.end_speed_m_s > 0.0 else phase.speed_m_s
            target[here] = phase.speed_m_s + (last - phase.speed_m_s) * (t[here] - start) / phase.duration_s
        start += phase.duration_s
    target *= 1.0 + wander(rng, len(t), 1.0 / GRID_HZ, plan.variability.pace_sd, 60.0)
    taps = np.hanning(int(3.0 * GRID_HZ) + 2)
    return np.convolve(np.pad(target, len(taps) // 2, mode="edge"), taps / taps.sum(), mode="valid")[: len(t)]


def _route(plan: RunnerPlan, distance: F8) -> tuple[F8, F8]:
    """Curvature, 1/m, and grade along the way; bends begin over 6 m, slopes over 20 m."""
    ends = np.cumsum([bend.length_m for bend in plan.route])
    metres = np.arange(0.0, distance[-1] + 60.0)
    piece = np.searchsorted(ends, np.mod(metres, ends[-1]), side="right")
    smoothed = []
    for values, width in (
        ([1.0 / bend.radius_m for bend in plan.route], 7),
        ([bend.grade for bend in plan.route], 21),
    ):
        taps = np.hanning(width + 2)[1:-1]
        along = np.pad(np.array(values)[piece], width // 2, mode="edge")
        smoothed.append(np.interp(distance, metres, np.convolve(along, taps / taps.sum(), mode="valid")))
    return smoothed[0], smoothed[1]


def _turns(plan: RunnerPlan, t: F8) -> F8:
    rate = np.zeros_like(t)
    start = 0.0
    for phase in plan.phases:
        if phase.turn_rad:
            u = (t - start - phase.duration_s / 2.0) / 3.0 + 0.5
            rate += phase.turn_rad / 3.0 * 2.0 * np.sin(np.pi * np.clip(u, 0.0, 1.0)) ** 2
        start += phase.duration_s
    return rate


def _stretches(moving: F8, t: F8) -> list[tuple[float, float]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (moving > 1e-6).astype(np.int64), [0]])))
    return [(float(t[a]), float(t[min(b, len(t) - 1)])) for a, b in edges.reshape(-1, 2)]


def _ar_one(rng: np.random.Generator, n: int, sd: float, lag_one: float) -> F8:
    noise = rng.standard_normal(n) * sd
    for k in range(1, n):
        noise[k] = lag_one * noise[k - 1] + np.sqrt(1.0 - lag_one**2) * noise[k]
    return noise


def _right_contacts(
    slow: dict[str, F8], start: float, end: float, rng: np.random.Generator, sd: float
) -> tuple[list[float], list[bool]]:
    """Right contacts of one stretch and one or two beyond it, and whether each stride is running."""
    noise = _ar_one(rng, int((end - start) / 0.5) + 8, sd, 0.3)
    contacts, running = [], []
    t = start - 0.5
    for k in range(len(noise)):
        at = min(int(max(t + 0.4, 0.0) * GRID_HZ), len(slow["t"]) - 1)
        is_running = bool(slow["running"][at] > slow["walking"][at])
        speed = max(float(slow["speed"][at]), 2.0 if is_running else 0.8)
        contacts.append(t)
        running.append(is_running)
        if len(contacts) > 1 and contacts[-2] > end:
            break
        t += stride_time(speed, is_running) * (1.0 + noise[k])
    return contacts, running


def _feet(plan: RunnerPlan, slow: dict[str, F8], rng: np.random.Generator) -> dict[Side, Foot]:
    columns: dict[Side, list[list[float]]] = {side: [] for side in SIDES}
    v = plan.variability
    # Without any movement two far contacts keep the phase defined.
    stretches = _stretches(slow["walking"] + slow["running"], slow["t"]) or [(-20.0, -18.0)]
    for start, end in stretches:
        right, running = _right_contacts(slow, start, end, rng, v.stride_time_sd)
        lengths = np.diff(right)
        share = 0.5 - plan.step_asymmetry + 0.004 * rng.standard_normal(len(lengths))
        contacts = {Side.RIGHT: np.array(right[:-1]), Side.LEFT: np.array(right[:-1]) + share * lengths}
        for side in SIDES:
            times = contacts[side]
            own = np.diff(times, append=times[-1] + lengths[-1])
            slope = 1.0 / np.concatenate([own[:1], 0.5 * (own[1:] + own[:-1])])
            for k, contact in enumerate(times):
                at = min(int(max(contact, 0.0) * GRID_HZ), len(slow["t"]) - 1)
                usual = contact_time(float(slow["speed"][at]), own[k], running[k])
                held = usual * (1.0 + v.contact_time_sd * float(rng.standard_normal()))
                true = float(0 < k < len(times) - 1)
                columns[side].append([contact, contact + held, slope[k], true, float(running[k])])
    feet = {}
    for side in SIDES:
        c = np.array(columns[side])
        feet[side] = Foot(c[:, 0], c[:, 1], c[:, 2], c[:, 3] > 0.5, c[:, 4] > 0.5)
    return feet


def lay_out(plan: RunnerPlan, rng: np.random.Generator) -> Timeline:
    """Lay a run out.

    Parameters
    ----------
    plan : RunnerPlan
        What to run.
    rng : numpy Generator
        Draws pace and stride times.
    """
    t = np.arange(int(np.ceil(plan.duration_s * GRID_HZ)) + 2) / GRID_HZ
    speed = _speed(plan, t, rng)
    distance = np.concatenate([[0.0], np.cumsum(0.5 * (speed[1:] + speed[:-1]) / GRID_HZ)])
    curvature, grade = _route(plan, distance)
    turn_rate = speed * curvature + _turns(plan, t)
    heading = np.concatenate([[0.0], np.cumsum(0.5 * (turn_rate[1:] + turn_rate[:-1]) / GRID_HZ)])
    slow = {
        "t": t,
        "speed": speed,
        "walking": _weights(plan, t, "walking"),
        "running": _weights(plan, t, "running"),
    }
    return Timeline(
        t_s=t,
        speed=speed,
        acceleration=np.gradient(speed, 1.0 / GRID_HZ),
        distance=distance,
        heading=heading + float(rng.uniform(-np.pi, np.pi)),
        turn_rate=turn_rate,
        grade=grade,
        walking=slow["walking"],
        running=slow["running"],
        feet=_feet(plan, slow, rng),
    )
