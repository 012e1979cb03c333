"""The true strides of a simulated run, computed from its continuous angles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.signals.frames import (
    ANGLES,
    SIDES,
    Segment,
    Side,
    hip_angles,
    pelvis_angles,
    quat_conj,
    quat_multiply,
)
from latemiles.sim.gait import THIGH, Gait
from latemiles.sim.plan import RunnerPlan

__all__ = ["Truth", "build_truth"]

F8 = NDArray[np.float64]

_POINTS: Final = 64
"""Points a stride: eight harmonics need 16."""
_BATCH: Final = 1000


@dataclass(frozen=True, slots=True)
class Truth:
    """What is true of a run.

    ``strides`` holds one value a stride, in order of initial contact over both sides: ``side`` (0 left,
    1 right), ``t_ic_s``, ``t_to_s``, ``stride_time_s``, ``contact_time_s``, ``cadence_spm``, ``speed_m_s``,
    ``distance_m`` (so far), ``is_running``, ``strength`` (1 in full swing, less while starting or stopping),
    ``<angle>_{mean,rom,ic,midstance,to}_deg`` for the six angles (hip of that side), and
    ``pelvic_drop_stance_peak_deg``. Angles are relative to standing; pelvic rotation has its stride mean
    taken off, as no estimator can know it.
    """

    strides: dict[str, F8]
    standing: tuple[tuple[float, float], ...]
    """Quiet stances, s."""
    movement: tuple[tuple[float, float], ...]
    """Squats, s."""

    def steady(self, start_s: float = -np.inf, end_s: float = np.inf) -> NDArray[np.bool_]:
        """Strides of full running that begin within times."""
        s = self.strides
        inside = (s["t_ic_s"] >= start_s) & (s["t_ic_s"] < end_s)
        return (s["is_running"] > 0.5) & (s["strength"] > 0.999) & inside

    def change(
        self, column: str, early: tuple[float, float], late: tuple[float, float], side: Side | None = None
    ) -> float:
        """Late median less early median of a column, over the steady strides of two windows of time, s."""
        of_side = np.ones(len(self.strides["side"]), dtype=bool)
        if side is not None:
            of_side = self.strides["side"] == side.lane
        medians = [np.median(self.strides[column][self.steady(*w) & of_side]) for w in (late, early)]
        return float(medians[0] - medians[1])


def build_truth(plan: RunnerPlan, gait: Gait) -> Truth:
    """Find the true strides and windows of a run."""
    rows = []
    for side in SIDES:
        foot = gait.timeline.feet[side]
        which = np.flatnonzero(foot.is_stride & (foot.contact_s >= 0.0))
        which = which[foot.contact_s[np.minimum(which + 1, len(foot.contact_s) - 1)] <= plan.duration_s]
        for k in range(0, len(which), _BATCH):
            rows.append(_strides(gait, side, which[k : k + _BATCH]))
    columns = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]} if rows else {}
    order = np.argsort(columns["t_ic_s"], kind="stable") if rows else np.empty(0, dtype=np.int64)
    return Truth(
        {name: values[order] for name, values in columns.items()},
        _windows(plan, "standing", 0.5),
        _windows(plan, "squats", 0.0),
    )


def _windows(plan: RunnerPlan, kind: str, inset_s: float) -> tuple[tuple[float, float], ...]:
    found, start = [], 0.0
    for k, phase in enumerate(plan.phases):
        end = start + phase.duration_s
        if phase.kind == kind:
            # Walking and running reach a second into their neighbours.
            before = 1.0 if k > 0 and plan.phases[k - 1].kind in ("walking", "running") else 0.0
            after = (
                1.0 if k + 1 < len(plan.phases) and plan.phases[k + 1].kind in ("walking", "running") else 0.0
            )
            found.append((start + before + inset_s, end - after - inset_s))
        start = end
    return tuple(found)


def _strides(gait: Gait, side: Side, which: NDArray[np.int64]) -> dict[str, F8]:
    foot, line = gait.timeline.feet[side], gait.timeline
    ic, to, end = foot.contact_s[which], foot.toe_off_s[which], foot.contact_s[which + 1]
    share = np.arange(_POINTS) / _POINTS
    t = ic[:, None] + share * (end - ic)[:, None]
    curve = _six(gait, side, t.ravel()).reshape(len(which), _POINTS, 6)
    ic_six, mid_six, to_six = (_six(gait, side, x) for x in (ic, 0.5 * (ic + to), to))
    shift = curve[:, :, 2].mean(axis=1)
    for values in (ic_six, mid_six, to_six):
        values[:, 2] -= shift
    curve[:, :, 2] -= shift[:, None]
    weight = np.maximum(line.at("running", t.ravel()), line.at("walking", t.ravel())).reshape(t.shape)
    distance = line.at("distance", ic)
    row = {
        "side": np.full(len(which), float(side.lane)),
        "t_ic_s": ic,
        "t_to_s": to,
        "stride_time_s": end - ic,
        "contact_time_s": to - ic,
        "cadence_spm": 120.0 / (end - ic),
        "speed_m_s": (line.at("distance", end) - distance) / (end - ic),
        "distance_m": distance,
        "is_running": foot.is_running[which].astype(np.float64),
        "strength": weight.min(axis=1),
    }
    for j, angle in enumerate(ANGLES):
        for feature, values in (
            ("mean", curve[:, :, j].mean(axis=1)),
            ("rom", np.ptp(curve[:, :, j], axis=1)),
            ("ic", ic_six[:, j]),
            ("midstance", mid_six[:, j]),
            ("to", to_six[:, j]),
        ):
            row[f"{angle}_{feature}_deg"] = np.degrees(values)
    drop = np.where(t < to[:, None], side.sign * curve[:, :, 1], -np.inf)
    row["pelvic_drop_stance_peak_deg"] = np.degrees(drop.max(axis=1))
    return row


def _six(gait: Gait, side: Side, t: F8) -> F8:
    """Pelvis and this side's hip (n, 6), rad, taken from the poses by the frames' own definitions."""
    quats = gait.quats(t)
    heading = -gait.timeline.heading_at(t)
    back = np.stack([np.cos(heading / 2), 0 * heading, 0 * heading, np.sin(heading / 2)], axis=1)
    pelvis = pelvis_angles(quat_multiply(back, quats[Segment.PELVIS]))
    hip = hip_angles(quat_multiply(quat_conj(quats[Segment.PELVIS]), quats[THIGH[side]]), side)
    return np.concatenate([pelvis, hip], axis=1)
