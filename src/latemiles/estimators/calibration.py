"""When and from what the mounting is worked out: standing, movement, running, or what was told."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from latemiles.estimators.calibration_windows import (
    Movement,
    Stance,
    StillFinder,
    bridged,
    find_movement,
    stance_of,
    told_movement,
    why_no_movement,
    why_no_stance,
)
from latemiles.estimators.mounting import Axis, Calibration, calibration_of, combine, movement_axis
from latemiles.estimators.posture_params import PostureParams
from latemiles.estimators.running_axes import (
    gait_harmonics,
    mean_up,
    pelvis_running_axis,
    thigh_running_axis,
)
from latemiles.kernels.seconds import RUNNING, STILL, WALKING
from latemiles.signals.events import PoseRefused
from latemiles.signals.records import Pose

__all__ = ["RUNNING", "STILL", "WALKING", "Calibrator"]

F8 = NDArray[np.float64]

_PAUSE_S: Final = 2.5
"""Longest doubt within one stretch of walking or running, s: a tight turn may look like standing."""
_LOST_PACKETS_S: Final = 0.4
"""Longest hole that is bridged for calibration: a few lost packets, while squats take seconds."""
_TOO_SHORT_S: Final = 6.0
"""Shortest running or walking from which axes are taken when a recording ends early."""


class Calibrator:
    """Watches the thinned streams, second by second, until the mounting is known for good.

    Parameters
    ----------
    params : PostureParams
    told : sequence of Pose
        Poses held on request; they go before what is found.
    """

    def __init__(self, params: PostureParams, told: tuple[Pose, ...] = ()) -> None:
        self._params = params
        self.finder = StillFinder(params)
        self.pending = list(told)
        self.refused: list[PoseRefused] = []
        """Told poses that were none; whoever takes them clears the list."""
        self.stance: Stance | None = None
        """A told stance, or the one that belongs to the movement."""
        self.movement: Movement | None = None
        self.gait = STILL
        self.gait_start = 0
        """First bin of the stretch of walking or running that is going on or was the last."""
        self.gait_end = 0
        self.paused = 0
        """Bin at which the walking or running before that one ended."""
        self.stage = 0
        """0 nothing known, 1 known, 2 known for good."""
        self.current: Calibration | None = None
        self.is_given = False
        """Whether ``current`` was found before the run, with the sensors where they are."""
        self.movement_axes: list[Axis | None] = [None] * 3
        """Axes from the movement, kept since the movement itself leaves the memory."""

    def give(self, calibration: Calibration) -> None:
        """Begin with what was found before the run; only a new movement is better."""
        self.current, self.stage, self.is_given = calibration, 1, True

    def tell(self, pose: Pose) -> None:
        """Hear of a pose that was held on request."""
        self.pending.append(pose)

    def update(self, rows: F8, first: int, gait: int) -> Calibration | None:
        """Look at the bins ``rows`` (n, lanes, 10) from bin ``first``, the last second of which is new.

        Returns
        -------
        Calibration or None
            A calibration if it became known or better known just now.
        """
        p = self._params
        end = first + len(rows)
        rows = bridged(rows, round(_LOST_PACKETS_S * p.bin_hz))
        heard = self._hear(rows, first)
        if self.stage < 2:
            self._find_still(rows, first)
            self._follow_gait(gait, end)
        elif not heard:
            return None
        if self.movement is None and self.stage < 2:
            self._search(rows, first, end)
            heard = self.movement is not None
        if heard and self.movement is not None:
            found = self._from_movement(rows, first)
            if found is not None:
                return found
        length = (self.gait_end - self.gait_start) / p.bin_hz if self.gait_end == end else 0.0
        if self.stage == 0 and length >= p.first_running_s:
            return self._from_running(rows, first, 1)
        if self.stage == 1 and length >= p.full_running_s:
            if self.is_given:
                self.stage = 2
                return None
            return self._from_running(rows, first, 2)
        return None

    def finish(self, rows: F8, first: int) -> Calibration | None:
        """Make the best of a recording that ends before the axes were known for good."""
        rows = bridged(rows, round(_LOST_PACKETS_S * self._params.bin_hz))
        length = (self.gait_end - max(self.gait_start, first)) / self._params.bin_hz
        found, told = None, self.stance
        if self.stage < 2 and not self.is_given and length >= _TOO_SHORT_S * (1 + 2 * self.stage):
            found = self._from_running(rows, first, 2)
        if told is not None and told.is_told:
            pose, used = self._pose_of(told), self.current
            if used is not None and used.standing_start_s != pose.start_s:
                self._refuse(pose, first + len(rows), "the mounting was known before it")
        return found

    def _hear(self, rows: F8, first: int) -> bool:
        """Take in told poses that are over; True if one was."""
        p = self._params
        end = first + len(rows)
        heard = False
        for pose in [x for x in self.pending if round(x.end_s * p.bin_hz) <= end]:
            self.pending.remove(pose)
            a = max(round(pose.start_s * p.bin_hz), first)
            b = round(pose.end_s * p.bin_hz)
            if b - a < 0.5 * p.bin_hz:
                self._refuse(pose, end, "it was shorter than half a second, or long past")
                continue
            take = self._take_stance if pose.kind == "standing" else self._take_movement
            why = take(rows[a - first : b - first], a, rows[a - first :])
            if why:
                self._refuse(pose, end, why)
            heard = heard or not why
        return heard

    def _take_stance(self, part: F8, start: int, _onward: F8) -> str:
        """Take a told stance; why not, if not."""
        why = why_no_stance(part, self._params)
        if not why:
            self.stance = stance_of(part, start, is_told=True)
        return why

    def _take_movement(self, part: F8, start: int, onward: F8) -> str:
        """Take a told movement; why not, if not."""
        p = self._params
        stance = self.stance
        if stance is None:
            earlier = [s for s in self.finder.stances if s.end <= start + p.bin_hz]
            stance = earlier[-1] if earlier else stance_of(onward[: round(0.4 * p.bin_hz)], start)
        why = why_no_movement(part, stance, p)
        if not why:
            self.stance, self.movement = stance, told_movement(part, start, stance, p)
        return why

    def _refuse(self, pose: Pose, end: int, reason: str) -> None:
        if any((r.kind, r.start_s) == (pose.kind, pose.start_s) for r in self.refused):
            return
        t_s = end / self._params.bin_hz
        self.refused.append(PoseRefused(t_s, pose.kind, pose.start_s, pose.end_s, reason))

    def _follow_gait(self, gait: int, end: int) -> None:
        p = self._params
        if gait != STILL:
            pause = end - round(p.bin_hz) - self.gait_end
            if pause > _PAUSE_S * p.bin_hz:
                self.paused = self.gait_end
            if gait != self.gait or pause > _PAUSE_S * p.bin_hz:
                # The window that first shows it reaches back; its first half is the start of the gait.
                self.gait_start = end - round(0.5 * p.window_s * p.bin_hz)
            self.gait_end = end
            self.gait = gait

    def _search(self, rows: F8, first: int, end: int) -> None:
        p = self._params
        is_over = self.gait != STILL and self.gait_end == end
        limit = self.gait_start - round(0.5 * p.window_s * p.bin_hz) if is_over else end
        for stance in self._stances(self.paused if is_over else self.gait_end):
            if first <= stance.end < limit:
                part = rows[stance.end - first : limit - first]
                movement = find_movement(part, stance.end, stance, p, is_over=is_over)
                if movement is not None:
                    self.stance, self.movement = stance, movement
                    return

    def _stances(self, since: int) -> list[Stance]:
        """Stances that a movement may belong to: those of this pause, then earlier ones, the last first."""
        told = self.stance
        if told is not None and told.is_told:
            return [told]
        found = self.finder.stances if told is None else [told, *self.finder.stances]
        return [
            *(stance for stance in found if stance.start >= since),
            *(stance for stance in found[::-1] if stance.start < since),
        ]

    def _from_movement(self, rows: F8, first: int) -> Calibration | None:
        if self.stance is None or self.movement is None or self.movement.start < first:
            return None
        for lane in range(3):
            is_bent = lane > 0 or self.movement.kind != "march"
            if is_bent and np.isfinite(self.stance.up[lane]).all():
                self.movement_axes[lane] = movement_axis(
                    rows, first, lane, self.stance, self.movement, self._params
                )
        if self.movement_axes[0] is None:
            return None
        self.stage, self.is_given = max(self.stage, 1), False
        self.current = calibration_of(
            self.movement_axes, np.array(self.stance.up), self.stance, self.movement, None, self._params
        )
        return self.current

    def _from_running(self, rows: F8, first: int, stage: int) -> Calibration | None:
        p = self._params
        start = max(self.gait_start, first)
        part = rows[start - first : self.gait_end - first]
        running_up = np.stack([mean_up(part, lane) for lane in range(3)])
        stance = self._upright_stance(running_up, start)
        # A sensor that was silent in standing has its zero in the running.
        ups = running_up if stance is None else _known_or(np.array(stance.up), running_up)
        biases = np.zeros((3, 3)) if stance is None else np.nan_to_num(np.array(stance.gyr))
        if stance is None or self.movement is None or self.movement.start < stance.start:
            self.movement = None
        self.stance = stance
        axes: list[Axis | None] = [None]
        for lane in (1, 2):
            known = np.isfinite(ups[lane]).all()
            axes.append(None)
            if known:
                stood = stance is not None and bool(np.isfinite(stance.up[lane][0]))
                axes[lane] = thigh_running_axis(part, lane, ups[lane], biases[lane], p, is_standing=stood)
        gait = gait_harmonics(part, ups, biases, (axes[1], axes[2]), p)
        if gait is not None:
            axes[0] = pelvis_running_axis(gait, self.gait == RUNNING, p)
        moved = self.movement_axes if self.movement is not None else [None] * 3
        for lane in range(3):
            one, other = moved[lane], axes[lane]
            if one is not None:
                fused = lane == 0 and other is not None
                axes[lane] = combine(one, other, ups[lane]) if fused and other is not None else one
        if axes[0] is None:
            return None
        self.stage = stage
        self.current = calibration_of(axes, ups, stance, self.movement, running_up[0], p)
        return self.current

    def watch(self, rows: F8, first: int) -> None:
        """Look for further stances once the mounting is known; arguments as for ``update``."""
        rows = bridged(rows, round(_LOST_PACKETS_S * self._params.bin_hz))
        self._find_still(rows, first)

    def stood(self, opened: int) -> Stance | None:
        """The stance that ended in the last second; ``opened`` is the finder's ``open_start`` before it."""
        if opened < 0 or self.finder.open_start == opened or not self.finder.stances:
            return None
        last = self.finder.stances[-1]
        return last if last.end > opened else None

    def _find_still(self, rows: F8, first: int) -> None:
        end, second = first + len(rows), round(self._params.bin_hz)
        half = second // 2
        for a, b in ((end - second, end - second + half), (end - second + half, end)):
            if a >= first:
                self.finder.push(rows[a - first : b - first], a, rows[: b - first], first)

    def adopt(self, rows: F8, late: NDArray[np.bool_], gait: int) -> Calibration | None:
        """Add sensors that came after the others were calibrated; their zero is the mean of ``rows``.

        Parameters
        ----------
        rows : float64 array, shape (n, lanes, 10)
            Bins of steady walking or running in which the sensors are heard.
        late : bool array, shape (lanes,)
            Which sensors.
        gait : int
            WALKING or RUNNING.

        Returns
        -------
        Calibration or None
            None if nothing could be made of it.
        """
        if self.current is None:
            return None
        p = self._params
        rows = bridged(rows, round(_LOST_PACKETS_S * p.bin_hz))
        ups = np.stack([mean_up(rows, lane) for lane in range(3)])
        axes = self.current.axes()
        for lane in (1, 2):
            if late[lane] and np.isfinite(ups[lane]).all():
                axes[lane] = thigh_running_axis(rows, lane, ups[lane], np.zeros(3), p, is_standing=False)
        if late[0]:
            harmonics = gait_harmonics(rows, ups, np.zeros((3, 3)), (axes[1], axes[2]), p)
            axes[0] = None if harmonics is None else pelvis_running_axis(harmonics, gait == RUNNING, p)
        alone = calibration_of(axes, ups, None, None, None, p)
        return self.current.with_lanes(alone, late)

    def _upright_stance(self, running_up: F8, before: int) -> Stance | None:
        """Last stance before the gait whose inclination is that of an upright body."""
        limit = np.cos(self._params.upright_rad)
        told = self.stance
        for stance in [*([told] if told is not None else []), *self.finder.stances[::-1]]:
            if stance.start >= before:
                continue
            cosine = (np.array(stance.up) * running_up).sum(axis=1)
            known = np.isfinite(cosine)
            if known.any() and bool((cosine[known] > limit).all()):
                return stance
            if stance.is_told:
                self._refuse(self._pose_of(stance), before, "the runner was not upright in it")
        return None

    def _pose_of(self, stance: Stance) -> Pose:
        """The told stance as the pose that it was told as, to the bin."""
        hz = self._params.bin_hz
        return Pose(0, "standing", stance.start / hz, stance.end / hz)

    def save(self) -> dict[str, Any]:
        """State as plain values."""
        return {
            "stances": [asdict(s) for s in self.finder.stances],
            "open_start": self.finder.open_start,
            "open_up": self.finder.open_up,
            "pending": [asdict(x) for x in self.pending],
            "refused": [asdict(x) for x in self.refused],
            "stance": None if self.stance is None else asdict(self.stance),
            "movement": None if self.movement is None else asdict(self.movement),
            "gait": [self.gait, self.gait_start, self.gait_end, self.paused, self.stage],
            "movement_axes": [
                None if x is None else [x.left.tolist(), x.sd_rad, x.residual_rad] for x in self.movement_axes
            ],
            "is_given": self.is_given,
            "current": None if self.current is None else asdict(self.current),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Continue from ``save``."""
        self.finder.stances = [_stance(s) for s in state["stances"]]
        self.finder.open_start = state["open_start"]
        self.finder.open_up = _tuples(state["open_up"])
        self.pending = [Pose(**x) for x in state["pending"]]
        self.refused = [PoseRefused(**x) for x in state["refused"]]
        self.stance = None if state["stance"] is None else _stance(state["stance"])
        moved = state["movement"]
        self.movement = None if moved is None else Movement(**{**moved, "repeats": _tuples(moved["repeats"])})
        self.gait, self.gait_start, self.gait_end, self.paused, self.stage = state["gait"]
        self.movement_axes = [
            None if x is None else Axis(np.array(x[0]), x[1], x[2]) for x in state["movement_axes"]
        ]
        self.is_given = state["is_given"]
        self.current = None if state["current"] is None else Calibration.from_dict(state["current"])


def _known_or(vectors: F8, others: F8) -> F8:
    """Rows of (n, 3) vectors, those of ``others`` where they are NaN."""
    return np.where(np.isfinite(vectors), vectors, others)


def _tuples(rows: list[list[Any]]) -> tuple[tuple[Any, ...], ...]:
    return tuple(tuple(row) for row in rows)


def _stance(state: dict[str, Any]) -> Stance:
    return Stance(**{**state, **{name: _tuples(state[name]) for name in ("up", "gyr", "quat")}})
