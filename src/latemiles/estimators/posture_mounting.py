"""How the sensors sit: looked for until it is known for good, and mended after a slip."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.estimators.calibration import Calibrator
from latemiles.estimators.facing import Turns, face_forward, facing_over, refine_pelvis, start_headings
from latemiles.estimators.heading import RelativeHeading
from latemiles.estimators.mounting import Calibration, segment_quat
from latemiles.estimators.posture_known import Anchors
from latemiles.estimators.slip import Slipped
from latemiles.estimators.thinned import Thinned
from latemiles.kernels.quaternion import min_rotation
from latemiles.signals.events import Event, Slip
from latemiles.signals.frames import SEGMENTS, SIDES, quat_conj, quat_multiply, quat_rotate
from latemiles.signals.records import Pose

__all__ = ["MountKeeper"]

F8 = NDArray[np.float64]

_UP: Final = np.array([0.0, 0.0, 1.0])
_LEFT: Final = np.array([0.0, 1.0, 0.0])
_OFFSET_SD: Final = float(np.radians(1.0))
"""Least standard deviation of a swing offset that is told, rad."""


class MountKeeper:
    """Finds the mounts and hands them to what goes by them: the thinned streams and the relative headings.

    Parameters
    ----------
    thinned : Thinned
    relative : RelativeHeading
    known, given : Calibration or None
        Found by an earlier pass over this run, or before it.
    told : tuple of Pose
    lag : int
        Seconds that samples are held back; 0 in the causal basis.
    """

    def __init__(
        self,
        thinned: Thinned,
        relative: RelativeHeading,
        known: Calibration | None,
        given: Calibration | None,
        told: tuple[Pose, ...],
        lag: int,
    ) -> None:
        p = thinned.params
        self._thinned = thinned
        self._relative = relative
        self._lag = lag
        self.params = p
        self.known = known
        self.calibrator = Calibrator(p, told)
        if given is not None and known is None:
            self.calibrator.give(given)
        self.anchors = Anchors(0.5 * p.window_s * thinned.second * thinned.per_bin / thinned.step_s)
        self.turns = Turns(thinned)
        self.events: list[Event] = []

    @property
    def mounts(self) -> F8:
        """Mounts (lanes, 4) as now known; NaN while unknown."""
        return self.anchors.mounts

    @property
    def is_final(self) -> bool:
        """Whether nothing more is looked for, a told pose apart."""
        is_told = self.calibrator.stage == 2 and not self.calibrator.pending
        return is_told and not self._unstood().any()

    def begin(self) -> None:
        """Start from what is known before the first bin."""
        start = self.known or self.calibrator.current
        if start is not None:
            self._relative.reset(
                start.swing_offset_rad, tuple(max(sd, _OFFSET_SD) for sd in start.swing_offset_sd_rad)
            )
            self._set_mounts(np.array(start.quat_segment_sensor), self._thinned.first)
            self._announce(start, self._thinned.first)

    def before_due(self, second: int) -> int | None:
        """Seconds from number ``second`` on before the told standing ends; None if that is over, or never."""
        if self.known is None or not np.isfinite(self.known.standing_end_s):
            return None
        stood = round(self.known.standing_end_s * self.params.bin_hz)
        before = -(-stood // self._thinned.second) - 1 - second
        return before if before >= 0 else None

    def parallel(self, end: int) -> F8:
        """Relative headings (2,) that the told standing says, in the second in which it ends; else NaN.

        The told swing offsets came from this standing, or know nothing of it: they are learnt anew from it.
        """
        known, p = self.known, self.params
        if known is None or self.before_due(end // self._thinned.second - 1) != 0:
            return np.full(2, np.nan)
        found = facing_over(self._thinned, end, known.standing_start_s, known.standing_end_s, self.mounts)
        for k, side in enumerate(SIDES):
            if np.isfinite(found[k]):
                spread = float(np.hypot(p.swing_offset_sd_rad, known.yaw_sd_rad[1 + k]))
                self._relative.learn_anew(k, p.swing_offset_rad * side.sign, spread)
        return found

    def calibrate(self, end: int, gait: int, steady_s: F8, *, is_last: bool = False) -> None:
        """Look for a calibration before bin ``end`` and start the relative headings from it.

        Parameters
        ----------
        end : int
        gait : int
        steady_s : float64 array, shape (lanes,)
            For how long each sensor was heard in walking or running, s.
        is_last : bool
            Make the best of a recording that ends.
        """
        c = self.calibrator
        if c.stage > 0 and np.isnan(self.mounts[:, 0]).any():
            self._adopt(end, gait, steady_s)
        opened = c.finder.open_start
        if c.stage == 2 and self._unstood().any():
            c.watch(*self._thinned.rows(end))
        if c.stage == 2 and not c.pending and not is_last:
            self._stand(end, opened)
            return
        before, was = None if c.is_given else c.current, self.mounts
        rows, first = self._thinned.rows(end)
        found = c.finish(rows, first) if is_last else c.update(rows, first, gait)
        self.events += c.refused
        c.refused = []
        if found is None:
            self._stand(end, opened)
            return
        found = _keeping(found, before)
        self._set_mounts(np.array(found.quat_segment_sensor), end)
        is_new = before is None or (before.axes_from, before.reference) != (found.axes_from, found.reference)
        if is_new or not refine_pelvis(self._relative, was, self.mounts):
            start_headings(self._relative, self._thinned, c, found, self.mounts, end, self.turns)
            if c.stance is not None:
                face_forward(self._relative, c.stance, found, self.mounts, self.turns, end)
        self._thinned.use(self.mounts)
        quats = tuple(tuple(float(x) for x in q) for q in self.mounts)
        c.current = replace(found, quat_segment_sensor=quats)
        if self._lag or not is_last:
            # What a causal recording learns at its very end is of use to a second pass only.
            self._announce(c.current, end)

    def _adopt(self, end: int, gait: int, steady_s: F8) -> None:
        """Work out from the running how a sensor sits that was not there when the others were calibrated."""
        p = self.params
        late = np.isnan(self.mounts[:, 0]) & (steady_s >= p.first_running_s)
        if not late.any():
            return
        rows, first = self._thinned.rows(end)
        length = round(float(steady_s[late].min()) * p.bin_hz)
        found = self.calibrator.adopt(rows[max(0, end - first - length) :], late, gait)
        if found is None:
            return
        self._set_mounts(np.where(late[:, None], np.array(found.quat_segment_sensor), self.mounts), end)
        quats = tuple(tuple(float(x) for x in q) for q in self.mounts)
        self.calibrator.current = replace(found, quat_segment_sensor=quats)
        self._announce(self.calibrator.current, end)

    def _unstood(self) -> NDArray[np.bool_]:
        """Which thighs (lanes,) came too late to stand with the pelvis: their zero is a mean of running."""
        current = self.calibrator.current
        if current is None or current.reference != "standing":
            return np.zeros(len(SEGMENTS), dtype=bool)
        late: NDArray[np.bool_] = np.isfinite(self.mounts[:, 0]) & (np.array(current.zero_standing) == 0.0)
        return late

    def _stand(self, end: int, opened: int) -> None:
        """Let a thigh that came after the standing take its zero from the next time the runner stands."""
        late = self._unstood()
        if not late.any():
            return
        c = self.calibrator
        stance = c.stood(opened)
        if stance is None or c.current is None:
            return
        up, was = np.array(stance.up), quat_rotate(quat_conj(self.mounts), _UP)
        late &= (up * was).sum(axis=1) > np.cos(self.params.upright_rad)
        if not late.any():
            return
        mounts = self.mounts.copy()
        for lane in np.flatnonzero(late):
            mounts[lane] = segment_quat(up[lane], quat_rotate(quat_conj(mounts[lane]), _LEFT))
        turned = mounts.copy()
        face_forward(self._relative, stance, replace(c.current, axes_from="running"), turned, self.turns, end)
        mounts[late] = turned[late]
        zero = tuple(1.0 if is_late else z for z, is_late in zip(c.current.zero_standing, late, strict=True))
        quats = tuple(tuple(float(x) for x in q) for q in mounts)
        self._set_mounts(mounts, end)
        c.current = replace(c.current, quat_segment_sensor=quats, zero_standing=zero)
        self._announce(c.current, end)

    def _set_mounts(self, mounts: F8, end: int) -> None:
        self.anchors.start(mounts, end * self._thinned.per_bin)
        self._thinned.use(mounts)
        self._thinned.refollow(end)

    def _announce(self, found: Calibration, end: int) -> None:
        self.events.append(found.event(end / self.params.bin_hz))

    def reanchor(self, slipped: Slipped, end: int) -> None:
        """Let the sensor's level before the slip hold after it."""
        p, lane = self.params, slipped.lane
        centre = (end - slipped.ago * self._thinned.second - 0.5 * len(self._thinned.window)) / p.bin_hz
        self.events.append(Slip(centre, SEGMENTS[lane], slipped.angle_rad))
        turn = np.array(min_rotation(*slipped.after, *slipped.before))
        mounts = self.mounts.copy()
        mounts[lane] = quat_multiply(mounts[lane], turn)
        self._thinned.use(mounts)
        # Gravity shows two parts of the turn; the third, about the vertical, is as large as either.
        is_lost = slipped.angle_rad / np.sqrt(2.0) > p.uncertain_rad
        turned = bool(is_lost and lane in (0, 1)), bool(is_lost and lane in (0, 2))
        self.anchors.add(mounts, round(centre * p.bin_hz * self._thinned.per_bin), turned)
        self.calibrator.stage = 2


def _keeping(found: Calibration, before: Calibration | None) -> Calibration:
    """A newer calibration, with the older one's thighs where only that saw them stand."""
    if before is None:
        return found
    stood = (np.array(before.zero_standing) == 1.0) & (np.array(found.zero_standing) == 0.0)
    stood[0] = False
    return found.with_lanes(before, stood) or found
