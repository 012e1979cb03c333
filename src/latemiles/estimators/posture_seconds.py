"""What the posture stage does once a second: gait, calibration, relative heading, slips.

A second is the whole number of bins nearest to one; it ends at fixed grid samples, so that how the stream is
cut into pushes does not matter.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from latemiles.estimators.calibration import RUNNING, STILL, WALKING, Calibrator
from latemiles.estimators.heading import RelativeHeading
from latemiles.estimators.mounting import Calibration
from latemiles.estimators.posture_buffers import Samples, hann
from latemiles.estimators.posture_params import PostureParams
from latemiles.estimators.slip import SlipFinder, Slipped
from latemiles.kernels.heading import FEATURES, swing_plane, window_features
from latemiles.kernels.posture_bins import BIN_COLUMNS, fill_bins, follow_heading, heading_at_samples
from latemiles.kernels.quaternion import min_rotation
from latemiles.signals.events import CalibrationFound, Event, Slip
from latemiles.signals.frames import SEGMENTS, quat_conj, quat_multiply, quat_rotate
from latemiles.signals.quality import SampleQuality
from latemiles.signals.records import Pose

__all__ = ["Seconds"]

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

_LANES: Final = len(SEGMENTS)
_FORWARD: Final = np.array([1.0, 0.0, 0.0])
_LEFT: Final = np.array([0.0, 1.0, 0.0])
_UP: Final = np.array([0.0, 0.0, 1.0])
_AT_REST_RAD_S: Final = 0.15
"""Rate below which a sensor's earth frame keeps still, since its gyro bias is then known, rad/s."""
_LOST_RAD: Final = 0.5
"""Standard deviation of a relative heading that is not worth an angle."""
_GAP_RAD_S2: Final = 1.0
"""How uncertain a relative heading becomes over a gap: rad per second of gap, squared."""
_RATE_SPAN_S: Final = 1.5
"""Over what time the causal turning rate is taken, s."""
_OFFSET_AFTER_S: Final = 300.0
"""Running after which the swing offset is taken for the whole recording, s; later it could be form."""
_OFFSET_SD: Final = np.radians(1.0)
"""Least standard deviation of a swing offset that is told, rad."""

Known = tuple[F8, F8, F8, I8]
"""Mounts (lanes, 4), progression heading (k,), relative headings (2, k), flags (lanes,)."""


class Seconds:
    """The slow part of the posture stage.

    Parameters
    ----------
    rate_hz : float
        Rate of the grid.
    is_smoothed : bool
    known : Calibration or None
    told : tuple of Pose
    params : PostureParams
    """

    def __init__(
        self,
        rate_hz: float,
        is_smoothed: bool,
        known: Calibration | None,
        told: tuple[Pose, ...],
        params: PostureParams,
    ) -> None:
        self.per_bin = max(1, round(rate_hz / params.bin_hz))
        # The bins' true rate; whatever is in bins follows from it.
        self.params = p = replace(params, bin_hz=rate_hz / self.per_bin)
        self.bins = round(p.bin_hz)
        self.samples = self.bins * self.per_bin
        self.step_s = self.bins / p.bin_hz
        self.lag = max(1, round(p.lag_s / self.step_s)) if is_smoothed else 0
        self.known = known
        self.calibrator = Calibrator(p, told)
        self._window = hann(round(p.window_s * p.bin_hz))
        self._half_span = round(0.5 * p.heading_span_s * p.bin_hz)
        self._span = hann(2 * self._half_span + 1)
        kept = round(max(p.memory_s, self.lag * self.step_s + 2.0 * p.heading_span_s) / self.step_s)
        self._ring: F8 = np.full((kept * self.bins, _LANES, BIN_COLUMNS), np.nan)
        self._headings: F8 = np.full((len(self._ring), 3), np.nan)
        self._sums: F8 = np.zeros((_LANES, 7))
        self._features: F8 = np.full((_LANES, FEATURES), np.nan)
        self._relative = RelativeHeading(p, self.lag + 8)
        self._slips = SlipFinder(p)
        self._mounts: F8 = np.full((_LANES, 4), np.nan)
        self._anchors: list[tuple[int, F8]] = []
        """Smoothed: grid sample from which mounts hold; the first holds before its sample too."""
        self._events: list[Event] = []
        self._first_bin = 0
        self._first_step = 0
        self._moves = False
        self._turns = False
        self._gait = STILL
        self._running_s = 0.0
        self._offsets: tuple[tuple[float, ...], tuple[float, ...]] | None = None

    @property
    def calibration(self) -> Calibration | None:
        """The calibration with the swing offsets of the first minutes."""
        current = self.known or self.calibrator.current
        if current is None:
            return None
        offset, sd = self._offsets or self._offsets_now()
        return replace(current, swing_offset_rad=offset, swing_offset_sd_rad=sd)

    def begin(self, first: int) -> None:
        """Hear of the first sample."""
        self._first_bin = -(-first // self.per_bin)
        self._first_step = first // self.samples
        if self.known is not None:
            self._relative.reset(
                self.known.swing_offset_rad,
                tuple(max(sd, _OFFSET_SD) for sd in self.known.swing_offset_sd_rad),
            )
            self._adopt(self.known, first)

    def take(self, samples: Samples, gyr: F8) -> None:
        """Thin samples out and follow the pelvis heading."""
        n = len(samples)
        fill_bins(samples.acc, gyr, samples.quat, 0, n, samples.first, self.per_bin, self._sums, self._ring)
        before = max(samples.first // self.per_bin, self._first_bin)
        self._follow(before, (samples.first + n) // self.per_bin)

    def decide(self, stop: int) -> None:
        """Work at the end of a second, which ends before grid sample ``stop``."""
        end = stop // self.per_bin
        if end - self._first_bin >= len(self._window):
            window_features(self._ring, end, self._window, self._features)
        self._judge()
        parallel = np.full(2, np.nan)
        if self.known is None:
            parallel = self._calibrate(end)
        elif self._is_due(end):
            parallel = self._parallel(end, self.known)
        self._mind_gaps(end)
        swing = np.full((2, 3), np.nan)
        for side in (0, 1):
            lane = 1 + side
            if self._gait != STILL and np.isfinite(self._mounts[lane, 0]):
                back = quat_conj(self._mounts[lane])
                up, forward = quat_rotate(back, _UP), quat_rotate(back, _FORWARD)
                swing_plane(self._ring, self._headings, end, self._window, lane, up, forward, swing[side])
        self._relative.step(self.step_s, self._moves, self._gait, swing, parallel)
        if self.lag:
            self._relative.smooth(self.lag + 4)
        slipped = self._slips.push(self._features[:, :3], self._gait)
        if slipped is not None:
            self._reanchor(slipped, end)
        self._turns = abs(self._turning(end)) > self.params.bend_rad_s
        self._remember_offsets()

    def finish(self, stop: int) -> None:
        """Round off a recording that ends before grid sample ``stop``."""
        end = stop // self.per_bin
        if self.known is None:
            before = self.calibrator.current
            self.calibrator.finish(*self._memory(end // self.bins * self.bins))
            after = self.calibrator.current
            if before is None and after is not None and self.lag:
                self._adopt(after, stop)
        if self.lag:
            # The symmetric mean of the last seconds asks for bins to come: let them be missing.
            for b in range(end, end + self._half_span + 2):
                self._ring[b % len(self._ring)] = np.nan
            self._follow(end, end + self._half_span + 2)

    def causal(self, first: int, count: int) -> Known:
        """What is known at grid samples ``first`` on without looking ahead."""
        p = self.params
        heading = np.empty(count)
        heading_at_samples(
            self._headings,
            first,
            self.per_bin,
            self._half_span,
            round(_RATE_SPAN_S * p.bin_hz),
            p.turn_rad_s / p.bin_hz,
            heading,
        )
        steps = int(self._relative.counts[0])
        made = (self._first_step + steps) * self.bins - 0.5 * len(self._window)
        since = ((np.arange(first, first + count) + 1) / self.per_bin - made) / p.bin_hz
        x = self._relative.x
        rate = x[:, 1:2] if self._moves else np.zeros((2, 1))
        delta = np.where(self._relative.known[:, None] == 1, x[:, :1] + rate * since, np.nan)
        return self._mounts, heading, delta, self._flags(self._mounts)

    def smoothed(self, first: int, count: int) -> Known:
        """What is known at grid samples ``first`` on with what came ``lag`` seconds after."""
        mounts, slips = self._mounts, False
        for k, (sample, anchored) in enumerate(self._anchors):
            if k == 0 or sample <= first:
                mounts = anchored
            near = 0.5 * self.params.window_s * self.samples / self.step_s
            slips = slips or (k > 0 and abs(first + 0.5 * count - sample) < near)
        heading = np.empty(count)
        heading_at_samples(self._headings, first, self.per_bin, 0, self._half_span, 1.0, heading)
        steps = int(self._relative.counts[0])
        delta = np.full((2, count), np.nan)
        if steps > 0:
            step = first // self.samples - self._first_step
            near_steps = np.unique(np.clip(np.arange(step, step + 3), 0, steps - 1))
            made = (self._first_step + near_steps + 1) * self.bins - 0.5 * len(self._window)
            at = (np.arange(first, first + count) + 1) / self.per_bin
            rows = near_steps % self._relative.smoothed.shape[1]
            for side in (0, 1):
                if self._relative.known[side]:
                    delta[side] = np.interp(at, made, self._relative.smoothed[side, rows, 0])
        flags = self._flags(mounts)
        return mounts, heading, delta, flags | (int(SampleQuality.SLIPPED) if slips else 0)

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
            "first": [self._first_bin, self._first_step],
            "gait": [self._moves, self._turns, self._gait, self._running_s],
            "offsets": self._offsets,
        }
        return plain, {
            "ring": self._ring,
            "headings": self._headings,
            "sums": self._sums,
            "features": self._features,
            "mounts": self._mounts,
            "x": r.x,
            "P": r.P,
            "history": r.history,
            "smoothed": r.smoothed,
            "counts": r.counts,
            "known": r.known,
            "slip_ups": s.ups,
            "slip_last": s.last,
            "slip_pair": s.last_pair,
        }

    def load(self, plain: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
        """Continue from ``save``."""
        self.calibrator.load(plain["calibrator"])
        self._anchors = [(k, np.array(m)) for k, m in plain["anchors"]]
        self._first_bin, self._first_step = plain["first"]
        self._moves, self._turns, self._gait, self._running_s = plain["gait"]
        offsets = plain["offsets"]
        self._offsets = None if offsets is None else (tuple(offsets[0]), tuple(offsets[1]))
        _, mine = self.save()
        for name, value in mine.items():
            value[...] = arrays[name]

    def _follow(self, first: int, stop: int) -> None:
        forward = quat_rotate(quat_conj(self._mounts[0]), _FORWARD)
        follow_heading(self._ring, first, stop, forward, self._span, self._headings)

    def _memory(self, end: int) -> tuple[F8, int]:
        """Bins before ``end`` that are still there, oldest first, and the first one's number."""
        first = max(self._first_bin, end - len(self._ring))
        row, last = first % len(self._ring), end % len(self._ring)
        if end - first < len(self._ring) and row <= last:
            return self._ring[row:last].copy(), first
        return np.concatenate([self._ring[row:], self._ring[:last]]), first

    def _judge(self) -> None:
        p, f = self.params, self._features
        rms = f[1:, 3][np.isfinite(f[1:, 3])]
        force = f[0, 4] if np.isfinite(f[0, 4]) else np.nan
        swings = f[1:, 6][np.isfinite(f[1:, 6])] * p.bin_hz
        gait = STILL
        if rms.size and rms.mean() > p.moving_gyr_rad_s and swings.max() > p.swings_hz:
            if force > p.running_force_m_s2:
                gait = RUNNING
            elif force > p.moving_force_m_s2:
                gait = WALKING
        self._gait = gait
        self._moves = not bool(np.all(np.nan_to_num(f[:, 3], nan=0.0) < _AT_REST_RAD_S))

    def _calibrate(self, end: int) -> F8:
        """Look for a calibration; relative headings (2,) at which the axes were parallel in it, or NaN."""
        nothing = np.full(2, np.nan)
        if self.calibrator.stage == 2 and not self.calibrator.pending:
            return nothing
        found = self.calibrator.update(*self._memory(end), self._gait)
        if found is None:
            return nothing
        first_time = not np.isfinite(self._mounts[0, 0])
        old = self._mounts.copy()
        self._adopt(found, end * self.per_bin)
        if first_time or not self._relative.known.any():
            return self._parallel(end, found)
        # The axes turn about the vertical: so do the headings that were made from them.
        turns = [_turn(old[lane], self._mounts[lane]) for lane in range(_LANES)]
        for side in (0, 1):
            thigh = turns[1 + side] if found.axes_from == "movement" else 0.0
            self._relative.x[side, 0] += turns[0] - thigh
            self._relative.x[side, 2] += thigh
        return nothing

    def _adopt(self, found: Calibration, sample: int) -> None:
        self._mounts = np.array(found.quat_segment_sensor)
        self._anchors = [(sample, self._mounts.copy())]
        end = sample // self.per_bin
        first = max(self._first_bin, end - len(self._ring))
        self._headings[:] = np.nan
        self._follow(first, end)
        lanes = tuple(tuple(float(x) for x in q) for q in found.quat_segment_sensor)
        self._events.append(
            CalibrationFound(
                t_s=end / self.params.bin_hz,
                reference=found.reference,
                axes_from=found.axes_from,
                quat_segment_sensor=tuple((q[0], q[1], q[2], q[3]) for q in lanes),
                obliquity_uncertainty_rad=found.obliquity_uncertainty_rad,
                residual_rad=found.residual_rad,
                standing_start_s=found.standing_start_s,
                standing_end_s=found.standing_end_s,
                movement_start_s=found.movement_start_s,
                movement_end_s=found.movement_end_s,
            )
        )

    def _is_due(self, end: int) -> bool:
        """Whether the told calibration's movement has ended in the last second."""
        if self.known is None or not np.isfinite(self.known.movement_end_s):
            return False
        moved = round(self.known.movement_end_s * self.params.bin_hz)
        return end - self.bins < moved <= end

    def _parallel(self, end: int, found: Calibration) -> F8:
        """Relative headings (2,) at which pelvis and thigh axes were parallel over the movement."""
        headings = np.full(2, np.nan)
        if not np.isfinite(found.movement_end_s):
            return headings
        rows, first = self._memory(end)
        hz = self.params.bin_hz
        a = max(round(found.movement_start_s * hz) - first, 0)
        b = round(found.movement_end_s * hz) - first
        across = [
            quat_rotate(quat_multiply(rows[a:b, lane, :4], quat_conj(self._mounts[lane])), _LEFT)
            for lane in range(_LANES)
        ]
        pelvis = across[0][:, 0] + 1j * across[0][:, 1]
        for side in (0, 1):
            thigh = across[1 + side][:, 0] + 1j * across[1 + side][:, 1]
            both = pelvis * np.conj(thigh)
            both = both[np.isfinite(both)]
            if len(both) > self.params.bin_hz:
                headings[side] = float(np.angle(both.sum()))
        return headings

    def _mind_gaps(self, end: int) -> None:
        rows = np.arange(end - self.bins, end) % len(self._ring)
        missing = np.isnan(self._ring[rows, :, 0]).mean(axis=0) * self.step_s
        if not missing.any():
            return
        for side in (0, 1):
            gap = max(missing[0], missing[1 + side])
            if gap > 0.0:
                self._relative.loosen(side, _GAP_RAD_S2 * gap**2)
                if self._relative.sd(side) > _LOST_RAD:
                    self._relative.known[side] = 0

    def _turning(self, end: int) -> float:
        """Turning rate of the runner, rad/s; zero while unknown."""
        n, p = len(self._ring), self.params
        back = round(_RATE_SPAN_S * p.bin_hz)
        turned = self._headings[(end - 1) % n, 1] - self._headings[(end - 1 - back) % n, 1]
        return float(np.nan_to_num(turned / _RATE_SPAN_S))

    def _reanchor(self, slipped: Slipped, end: int) -> None:
        """Let the sensor's level before the slip hold after it."""
        p, lane = self.params, slipped.lane
        centre = (end - slipped.ago * self.bins - 0.5 * len(self._window)) / p.bin_hz
        self._events.append(Slip(centre, SEGMENTS[lane], slipped.angle_rad))
        turn = np.array(min_rotation(*slipped.after, *slipped.before))
        self._mounts = self._mounts.copy()
        self._mounts[lane] = quat_multiply(self._mounts[lane], turn)
        self._anchors = [*self._anchors[-8:], (round(centre * p.bin_hz * self.per_bin), self._mounts.copy())]
        self.calibrator.stage = 2

    def _offsets_now(self) -> tuple[tuple[float, float], tuple[float, float]]:
        r = self._relative
        sd = np.sqrt(r.P[:, 2, 2])
        return (float(r.x[0, 2]), float(r.x[1, 2])), (float(sd[0]), float(sd[1]))

    def _remember_offsets(self) -> None:
        if self._gait == RUNNING and self._offsets is None:
            self._running_s += self.step_s
            if self._running_s >= _OFFSET_AFTER_S:
                self._offsets = self._offsets_now()

    def _flags(self, mounts: F8) -> I8:
        p = self.params
        flags = np.zeros(_LANES, dtype=np.int64)
        flags[~np.isfinite(mounts[:, 0])] |= int(SampleQuality.UNCALIBRATED)
        for side in (0, 1):
            if not self._relative.known[side]:
                flags[1 + side] |= int(SampleQuality.UNCALIBRATED)
            elif self._relative.sd(side) > p.uncertain_rad:
                flags[1 + side] |= int(SampleQuality.HEADING_UNCERTAIN)
        if self._turns:
            flags |= int(SampleQuality.BEND)
        return flags


def _turn(old: F8, new: F8) -> float:
    """Angle about the segment's vertical by which a mount's forward axis moved; 0 if unknown."""
    if not (np.isfinite(old[0]) and np.isfinite(new[0])):
        return 0.0
    moved = quat_rotate(quat_multiply(old, quat_conj(new)), _FORWARD)
    return float(np.arctan2(moved[1], moved[0]))
