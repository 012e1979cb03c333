"""What the posture stage does once a second: gait, calibration, relative heading, slips.

A second is the whole number of bins nearest to one; it ends at fixed grid samples, so that how the stream is
cut into pushes does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import isfinite
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from latemiles.estimators.calibration import RUNNING, STILL, WALKING, Calibrator
from latemiles.estimators.facing import face_forward, facing_over, refine_pelvis, start_headings
from latemiles.estimators.heading import RelativeHeading
from latemiles.estimators.hip_check import HipCheck
from latemiles.estimators.mounting import Calibration
from latemiles.estimators.posture_buffers import Samples
from latemiles.estimators.posture_params import PostureParams
from latemiles.estimators.slip import SlipFinder, Slipped
from latemiles.estimators.thinned import Thinned
from latemiles.estimators.turns import Turns
from latemiles.kernels.heading import delta_at_samples
from latemiles.kernels.quaternion import min_rotation
from latemiles.signals.events import Event, Slip
from latemiles.signals.frames import SEGMENTS, quat_multiply
from latemiles.signals.quality import SampleQuality
from latemiles.signals.records import Pose

__all__ = ["Seconds"]

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

_LANES: Final = len(SEGMENTS)
_AT_REST_RAD_S: Final = 0.15
"""Rate below which a sensor's earth frame keeps still, since its gyro bias is then known, rad/s."""
_LOST_PACKETS_S: Final = 0.1
"""Part of a second that may be missing of a sensor that counts as heard, s."""
_LOST_RAD: Final = 0.5
"""Standard deviation of a relative heading that is not worth an angle."""
_GAP_RAD_S2: Final = 1.0
"""How uncertain a relative heading becomes over a gap: rad per second of gap, squared."""
_OFFSET_AFTER_S: Final = 300.0
"""Running after which the swing offset is taken for the whole recording, s; later it could be form."""
_OFFSET_SD: Final = float(np.radians(1.0))
"""Least standard deviation of a swing offset that is told, rad."""
_UNCALIBRATED: Final = int(SampleQuality.UNCALIBRATED)
_HEADING_UNCERTAIN: Final = int(SampleQuality.HEADING_UNCERTAIN)
_BEND: Final = int(SampleQuality.BEND)

Known = tuple[F8, F8, F8, I8]
"""Mounts (lanes, 4), progression heading (k,), relative headings (2, k), flags (lanes,)."""


class Seconds:
    """The slow part of the posture stage.

    Parameters
    ----------
    rate_hz : float
        Rate of the grid.
    is_smoothed : bool
    known, given : Calibration or None
        Found by an earlier pass over this run, or before it.
    told : tuple of Pose
    params : PostureParams
    pace : callable
        Speed over ground (m/s, NaN while unknown) at a session time, as the orientation stage was told it.
    """

    def __init__(
        self,
        rate_hz: float,
        is_smoothed: bool,
        known: Calibration | None,
        given: Calibration | None,
        told: tuple[Pose, ...],
        params: PostureParams,
        pace: Callable[[float], float],
    ) -> None:
        lag_s = params.lag_s if is_smoothed else 0.0
        self.thinned = Thinned(rate_hz, params, lag_s)
        self.params = p = self.thinned.params
        self.samples = self.thinned.second * self.thinned.per_bin
        """Grid samples in a second."""
        self.lag = max(1, round(lag_s / self.thinned.step_s)) if is_smoothed else 0
        self._rate_hz = rate_hz
        self.known = known
        self.calibrator = Calibrator(p, told)
        if given is not None and known is None:
            self.calibrator.give(given)
        self._relative = RelativeHeading(p, self.lag + 8)
        self._hips = HipCheck(p.bin_hz, self.thinned.step_s)
        self._slips = SlipFinder(p)
        self._turning = Turns(self.thinned, pace)
        self._mounts: F8 = np.full((_LANES, 4), np.nan)
        self._anchors: list[tuple[int, F8]] = []
        """Smoothed: grid sample from which mounts hold; the first holds before its sample too."""
        self._events: list[Event] = []
        self._first_step = 0
        self._moves = False
        self._turns = False
        self._gait = STILL
        self.running_s = 0.0
        """For how long the runner ran so far, s."""
        self._offsets: tuple[tuple[float, float], tuple[float, float]] | None = None
        self._steady_s: F8 = np.zeros(_LANES)
        """For how long each sensor was heard while its wearer went on walking or running, s."""

    @property
    def calibration(self) -> Calibration | None:
        """The calibration with the swing offsets of the first minutes."""
        current = self.known or self.calibrator.current
        if current is None:
            return None
        offset, sd = self._offsets or self._offsets_now()
        return replace(current, swing_offset_rad=offset, swing_offset_sd_rad=sd)

    def is_settled(self, lanes: Sequence[int]) -> bool:
        """Whether nothing that is still to come of these lanes can change ``calibration``, poses apart."""
        c = self.calibrator
        is_whole = bool(np.isfinite(self._mounts[list(lanes), 0]).all())
        return c.stage == 2 and not c.pending and self._offsets is not None and is_whole

    @property
    def is_over_ground(self) -> bool:
        """Whether the runner has run through a bend: nobody does so on a treadmill."""
        return self._turning.is_over_ground

    def begin(self, first: int) -> None:
        """Hear of the first sample."""
        self.thinned.first = -(-first // self.thinned.per_bin)
        self._first_step = first // self.samples
        start = self.known or self.calibrator.current
        if start is not None:
            self._relative.reset(
                start.swing_offset_rad, tuple(max(sd, _OFFSET_SD) for sd in start.swing_offset_sd_rad)
            )
            self._set_mounts(np.array(start.quat_segment_sensor), self.thinned.first)
            self._announce(start, self.thinned.first)

    def take(self, samples: Samples, gyr: F8) -> None:
        """Thin samples out and follow the pelvis heading."""
        self.thinned.take(samples, gyr)

    def decide(self, stop: int) -> None:
        """Work at the end of a second, which ends before grid sample ``stop``."""
        thinned = self.thinned
        end = stop // thinned.per_bin
        features = thinned.look(end)
        self._judge(features)
        missing_s = thinned.missing_s(end)
        heard = missing_s < _LOST_PACKETS_S
        self._steady_s = np.where(heard & (self._gait != STILL), self._steady_s + thinned.step_s, 0.0)
        parallel = np.full(2, np.nan)
        if self.known is None:
            self._calibrate(end)
        elif self._is_due(end):
            stood = self.known.standing_start_s, self.known.standing_end_s
            parallel = facing_over(thinned, end, *stood, self._mounts)
        self._mind_gaps(missing_s)
        swing = thinned.swing(end) if self._gait != STILL else np.full((2, 4), np.nan)
        self._relative.step(thinned.step_s, self._moves, self._gait, swing, parallel)
        if self.lag:
            self._relative.smooth(self.lag + 4)
        self._check_hips(end)
        slipped = self._slips.push(features, self._gait)
        if slipped is not None:
            self._reanchor(slipped, end)
        self._turns = self._turning.bends(end, end / self.params.bin_hz)
        self._turning.mind(end, float(missing_s[0]), is_running=self._gait == RUNNING)
        self._remember_offsets()

    def finish(self, stop: int) -> None:
        """Round off a recording that ends before grid sample ``stop``."""
        end = stop // self.thinned.per_bin
        if self.known is None:
            second = self.thinned.second
            self._calibrate(end // second * second, is_last=True)
        if self.lag:
            self.thinned.pad(end)

    def causal(self, first: int, count: int) -> Known:
        """What is known at grid samples ``first`` on without looking ahead."""
        made = self._made(int(self._relative.counts[0]) - 1)
        since = (self._bins_at(first, count) - made) / self.params.bin_hz
        x = self._relative.x
        rate = x[:, 1:2] if self._moves else np.zeros((2, 1))
        delta = np.where(self._relative.known[:, None] == 1, x[:, :1] + rate * since, np.nan)
        return (
            self._mounts,
            self.thinned.heading_now(first, count),
            delta,
            self._flags(self._mounts, self._turns),
        )

    def smoothed(self, first: int, count: int) -> Known:
        """What is known at grid samples ``first`` on with what came ``lag`` seconds after."""
        mounts, slips = self._mounts, False
        near = 0.5 * self.params.window_s * self.samples / self.thinned.step_s
        for k, (sample, anchored) in enumerate(self._anchors):
            if k == 0 or sample <= first:
                mounts = anchored
            slips = slips or (k > 0 and abs(first + 0.5 * count - sample) < near)
        heading = self.thinned.heading_between(first, count)
        delta = np.empty((2, count))
        delta_at_samples(
            self._relative.smoothed,
            self._relative.known,
            int(self._relative.counts[0]),
            first // self.samples - self._first_step,
            self._made(0),
            self.thinned.second,
            self.thinned.per_bin,
            first,
            delta,
        )
        middle = (first + count) // self.thinned.per_bin + self.thinned.half_span
        flags = self._flags(mounts, self._turning.bends(middle, (first + 0.5 * count) / self._rate_hz))
        return mounts, heading, delta, flags | (int(SampleQuality.SLIPPED) if slips else 0)

    @property
    def mounts(self) -> F8:
        """Mounts (lanes, 4) as now known; NaN while unknown."""
        return self._mounts

    def _made(self, step: int) -> float:
        """When step ``step`` of the relative heading is true: the middle of its window, in bins."""
        return (self._first_step + step + 1) * self.thinned.second - 0.5 * len(self.thinned.window)

    def _bins_at(self, first: int, count: int) -> F8:
        """Times of grid samples in bins."""
        bins: F8 = (np.arange(first, first + count) + 1) / self.thinned.per_bin
        return bins

    def take_events(self) -> list[Event]:
        """Events since the last call."""
        events, self._events = self._events, []
        return events

    def save(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """State as plain values and arrays."""
        r, s = self._relative, self._slips
        plain = {
            "calibrator": self.calibrator.save(),
            "anchors": [(k, m.tolist()) for k, m in self._anchors],
            "first": [self.thinned.first, self._first_step],
            "gait": [self._moves, self._turns, self._gait, self.running_s],
            "offsets": self._offsets,
            "turned": self._turning.save(),
        }
        return plain, self.thinned.arrays() | {
            "mounts": self._mounts,
            "x": r.x,
            "P": r.P,
            "history": r.history,
            "smoothed": r.smoothed,
            "counts": r.counts,
            "known": r.known,
            "slip_windows": s.windows,
            "slip_last": s.last,
            "slip_pair": s.last_pair,
            "steady_s": self._steady_s,
            **self._hips.arrays(),
        }

    def load(self, plain: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
        """Continue from ``save``."""
        self.calibrator.load(plain["calibrator"])
        self._anchors = [(k, np.array(m)) for k, m in plain["anchors"]]
        self.thinned.first, self._first_step = plain["first"]
        self._moves, self._turns, self._gait, self.running_s = plain["gait"]
        self._turning.load(plain["turned"])
        offsets = plain["offsets"]
        self._offsets = None
        if offsets is not None:
            (a, b), (c, d) = offsets
            self._offsets = (a, b), (c, d)
        _, mine = self.save()
        for name, value in mine.items():
            value[...] = arrays[name]
        self.thinned.use(self._mounts)

    def _judge(self, f: F8) -> None:
        """Tell standing, walking and running by the window's features."""
        p = self.params
        # Plain numbers: on three rows numpy takes longer to call than to work.
        rows = f.tolist()
        thighs = [row for row in rows[1:] if isfinite(row[3])]
        force = rows[0][4]
        gait = STILL
        if thighs and sum(row[3] for row in thighs) / len(thighs) > p.moving_gyr_rad_s:
            swings = max(row[6] for row in thighs) * p.bin_hz
            if swings > p.swings_hz and force > p.moving_force_m_s2:
                gait = RUNNING if force > p.running_force_m_s2 else WALKING
        self._gait = gait
        self._moves = any(row[3] >= _AT_REST_RAD_S for row in rows)

    def _calibrate(self, end: int, *, is_last: bool = False) -> None:
        """Look for a calibration and start the relative headings from it."""
        c = self.calibrator
        if c.stage > 0 and np.isnan(self._mounts[:, 0]).any():
            self._adopt(end)
        if c.stage == 2 and not c.pending and not is_last:
            return
        before, was = None if c.is_given else c.current, self._mounts
        rows, first = self.thinned.rows(end)
        found = c.finish(rows, first) if is_last else c.update(rows, first, self._gait)
        self._events += c.refused
        c.refused = []
        if found is None:
            return
        self._set_mounts(np.array(found.quat_segment_sensor), end)
        is_new = before is None or (before.axes_from, before.reference) != (found.axes_from, found.reference)
        if is_new or not refine_pelvis(self._relative, was, self._mounts):
            start_headings(self._relative, self.thinned, c, found, self._mounts, end)
            if c.stance is not None:
                moved = c.movement.end if c.movement is not None else end
                face_forward(self._relative, c.stance, moved, self._mounts, self.params.bin_hz)
        self.thinned.use(self._mounts)
        quats = tuple(tuple(float(x) for x in q) for q in self._mounts)
        c.current = replace(found, quat_segment_sensor=quats)
        if self.lag or not is_last:
            # What a causal recording learns at its very end is of use to a second pass only.
            self._announce(c.current, end)

    def _adopt(self, end: int) -> None:
        """Work out from the running how a sensor sits that was not there when the others were calibrated."""
        p = self.params
        late = np.isnan(self._mounts[:, 0]) & (self._steady_s >= p.first_running_s)
        if not late.any():
            return
        rows, first = self.thinned.rows(end)
        length = round(float(self._steady_s[late].min()) * p.bin_hz)
        found = self.calibrator.adopt(rows[max(0, end - first - length) :], late, self._gait)
        if found is None:
            return
        self._set_mounts(np.where(late[:, None], np.array(found.quat_segment_sensor), self._mounts), end)
        quats = tuple(tuple(float(x) for x in q) for q in self._mounts)
        self.calibrator.current = replace(found, quat_segment_sensor=quats)
        self._announce(self.calibrator.current, end)

    def _is_due(self, end: int) -> bool:
        """Whether the told calibration's standing has ended in the last second."""
        if self.known is None or not np.isfinite(self.known.standing_end_s):
            return False
        stood = round(self.known.standing_end_s * self.params.bin_hz)
        return end - self.thinned.second < stood <= end

    def _set_mounts(self, mounts: F8, end: int) -> None:
        self._mounts = mounts
        self._anchors = [(end * self.thinned.per_bin, self._mounts)]
        self.thinned.use(mounts)
        self.thinned.refollow(end)

    def _announce(self, found: Calibration, end: int) -> None:
        self._events.append(found.event(end / self.params.bin_hz))

    def _mind_gaps(self, missing: F8) -> None:
        if not missing.any():
            return
        for side in (0, 1):
            gap = max(missing[0], missing[1 + side])
            if gap > 0.0:
                self._relative.loosen(side, _GAP_RAD_S2 * gap**2)
                if self._relative.sd(side) > _LOST_RAD:
                    self._relative.known[side] = 0

    def _check_hips(self, end: int) -> None:
        """Hold the relative headings against what the hips' accelerations say."""
        r = self._relative
        delta = np.where(r.known == 1, r.x[:, 0], np.nan)
        self._hips.step(self.thinned.ring, end, self._gait == RUNNING, delta, r.x[:, 1])

    def _reanchor(self, slipped: Slipped, end: int) -> None:
        """Let the sensor's level before the slip hold after it."""
        p, lane = self.params, slipped.lane
        self._hips.forget(lane)
        centre = (end - slipped.ago * self.thinned.second - 0.5 * len(self.thinned.window)) / p.bin_hz
        self._events.append(Slip(centre, SEGMENTS[lane], slipped.angle_rad))
        turn = np.array(min_rotation(*slipped.after, *slipped.before))
        self._mounts = self._mounts.copy()
        self._mounts[lane] = quat_multiply(self._mounts[lane], turn)
        self.thinned.use(self._mounts)
        sample = round(centre * p.bin_hz * self.thinned.per_bin)
        self._anchors = [*self._anchors[-8:], (sample, self._mounts.copy())]
        self.calibrator.stage = 2

    def _offsets_now(self) -> tuple[tuple[float, float], tuple[float, float]]:
        r = self._relative
        sd = np.sqrt(r.P[:, 2, 2])
        return (float(r.x[0, 2]), float(r.x[1, 2])), (float(sd[0]), float(sd[1]))

    def _remember_offsets(self) -> None:
        if self._gait == RUNNING:
            self.running_s += self.thinned.step_s
            if self._offsets is None and self.running_s >= _OFFSET_AFTER_S:
                self._offsets = self._offsets_now()

    def _flags(self, mounts: F8, turns: bool) -> I8:
        p = self.params
        flags = [0 if isfinite(w) else _UNCALIBRATED for w in mounts[:, 0].tolist()]
        known = self._relative.known.tolist()
        for side in (0, 1):
            if not known[side]:
                flags[1 + side] |= _UNCALIBRATED
            elif self._relative.sd(side) > p.uncertain_rad or self._hips.disagrees(side):
                flags[1 + side] |= _HEADING_UNCERTAIN
        return np.array([bits | _BEND for bits in flags] if turns else flags, dtype=np.int64)
