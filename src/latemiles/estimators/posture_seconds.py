"""What the posture stage does once a second: gait, calibration, relative heading, slips.

A second is the whole number of bins nearest to one; it ends at fixed grid samples, so that how the stream is
cut into pushes does not matter. Where nothing is to be decided in Python a run of seconds is one call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from latemiles.estimators.heading import RelativeHeading
from latemiles.estimators.hip_check import HipCheck
from latemiles.estimators.lean import Leans
from latemiles.estimators.mounting import Calibration
from latemiles.estimators.posture_buffers import KnownSeconds, Samples
from latemiles.estimators.posture_known import Known, bends, doubts, either, flags_of, flags_of_each
from latemiles.estimators.posture_mounting import MountKeeper
from latemiles.estimators.posture_params import PostureParams
from latemiles.estimators.posture_run import blank_run
from latemiles.estimators.posture_settings import new_second_state, second_settings
from latemiles.estimators.slip import SlipFinder, Slipped
from latemiles.estimators.thinned import MOST_SECONDS, Thinned
from latemiles.kernels.heading import delta_at_samples
from latemiles.kernels.relative_heading import doubt_of
from latemiles.kernels.seconds import HIPS_DUE, OFFSET_DUE, go_on, judge_second, run_seconds, turning_rate
from latemiles.signals.events import Event
from latemiles.signals.frames import SEGMENTS
from latemiles.signals.records import Pose

__all__ = ["Seconds"]

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

_LANES: Final = len(SEGMENTS)
_NOT_PARALLEL: Final = np.full(2, np.nan)


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
        Speed over ground (m/s, NaN while unknown) at rising session times, as the orientation stage hears it.
    has_angles : bool
        Whether samples are turned into angles; without, what only serves them is left out.
    """

    def __init__(
        self,
        rate_hz: float,
        is_smoothed: bool,
        known: Calibration | None,
        given: Calibration | None,
        told: tuple[Pose, ...],
        params: PostureParams,
        pace: Callable[[F8], F8],
        has_angles: bool,
    ) -> None:
        lag_s = params.lag_s if is_smoothed else 0.0
        self.thinned = Thinned(rate_hz, params, lag_s)
        self.params = p = self.thinned.params
        self.samples = self.thinned.second * self.thinned.per_bin
        """Grid samples in a second."""
        self.lag = max(1, round(lag_s / self.thinned.step_s)) if is_smoothed else 0
        self._rate_hz = rate_hz
        self._relative = RelativeHeading(p, self.thinned.step_s, self.lag)
        self._keeper = MountKeeper(self.thinned, self._relative, known, given, told, self.lag)
        self.known = known
        self.calibrator = self._keeper.calibrator
        self._hips = HipCheck(p.bin_hz, self.thinned.step_s)
        self._slips = SlipFinder(p)
        self._pace = pace
        self._has_angles = has_angles
        self._anchors = self._keeper.anchors
        self._first_step = 0
        self._turns = False
        self._leans = Leans(self.thinned)
        self._settings = second_settings(self.thinned, self.lag, has_hips=has_angles)
        self._state = new_second_state()
        self._offsets: tuple[tuple[float, float], tuple[float, float]] | None = None
        most = min(MOST_SECONDS, self.lag) if self.lag else MOST_SECONDS
        self._run = blank_run(most, self.samples)

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
        is_whole = bool(np.isfinite(self.mounts[list(lanes), 0]).all())
        return self._keeper.is_final and self._offsets is not None and is_whole

    @property
    def is_over_ground(self) -> bool:
        """Whether the runner has run through a bend: nobody does so on a treadmill."""
        return bool(self._state["is_over_ground"][0])

    @property
    def running_s(self) -> float:
        """For how long the runner ran so far, s."""
        return float(self._state["running_s"][0])

    @property
    def mounts(self) -> F8:
        """Mounts (lanes, 4) as now known; NaN while unknown."""
        return self._anchors.mounts

    def begin(self, first: int) -> None:
        """Hear of the first sample."""
        self.thinned.first = -(-first // self.thinned.per_bin)
        self._first_step = first // self.samples
        self._keeper.begin()

    def take(self, samples: Samples, gyr: F8) -> None:
        """Thin samples out and follow the pelvis heading."""
        self.thinned.take(samples, gyr)

    def decide(self, stop: int) -> None:
        """Work at the end of a second, which ends before grid sample ``stop``."""
        thinned = t = self.thinned
        end = stop // thinned.per_bin
        judge_second(
            self._state, self._settings, t.ring, t.first, end, t.window, t.features, t.missing, t.sums
        )
        if self.known is None:
            self._keeper.turns.note(end // thinned.second - 1, self._state["doubt"][0, :, 0])
            self._keeper.calibrate(end, self._gait, self._state["steady_s"][0])
        due = go_on(
            self._state,
            self._settings,
            self._relative.settings,
            thinned.ring,
            thinned.headings,
            end,
            thinned.window,
            thinned.axes,
            self._keeper.parallel(end),
            self._relative.arrays,
            self._hips.counts,
        )
        self._heed(due, end)
        slipped = self._slips.push(thinned.features, self._gait, self.mounts)
        if slipped is not None:
            self._slip(slipped, end)
        if self._has_angles:
            self._leans.judge(end // thinned.second - 1, np.array([self._gait]))
            now = np.array([end / self.params.bin_hz])
            self._turns = bool(bends(self.params, self._state["turning"], self._pace, now)[0])

    def at_once(self, first: int, most: int) -> int:
        """How many whole seconds from grid sample ``first`` on ``run`` may take, up to ``most``."""
        most = min(most, len(self._run.gait))
        if self.known is None:
            is_settled = self._keeper.is_final and bool(np.isfinite(self.mounts[:, 0]).all())
            return most if is_settled else 0
        # The second in which the told standing ends asks for more.
        before = self._keeper.before_due(first // self.samples)
        return most if before is None else min(most, before)

    def run(self, samples: tuple[F8, F8, F8, I8], at: int, first: int, most: int) -> tuple[int, KnownSeconds]:
        """Take whole seconds, as many as ``at_once`` says or fewer.

        Parameters
        ----------
        samples : tuple of arrays
            acc, gyr (lanes, k, 3), quat (lanes, k, 4) and quality (lanes, k).
        at, first : int
            Column to begin at, and its grid index.
        most : int

        Returns
        -------
        count : int
            Seconds taken. Without angles no more after the mounts have changed.
        known : KnownSeconds
            Smoothed: of the seconds that lie ``lag`` seconds before those.
        """
        saved = [array.copy() for array in self._rewound]
        count, due = self._forward(samples, at, first, most)
        seen = self._run.features[:count], self._run.gait[:count]
        taken, slipped = self._slips.push_many(*seen, self.mounts)
        if taken < count:
            # What came after was worked out with the mounts of before.
            for array, value in zip(self._rewound, saved, strict=True):
                array[...] = value
            count, due = self._forward(samples, at, first, taken)
        if self._has_angles:
            self._leans.judge(first // self.samples, self._run.gait[:count])
        known = KnownSeconds(
            np.empty((count, _LANES, 4)),
            self._run.heading[:count],
            self._run.delta[:count],
            np.empty((count, _LANES), dtype=np.int64),
        )
        disagreed = self._hips.disagreements
        self._tell(known, first, 0, count)
        end = (first + count * self.samples) // self.thinned.per_bin
        self._heed(due, end)
        if slipped is not None:
            self._slip(slipped, end)
        if slipped is not None or self._hips.disagreements != disagreed:
            # The last second comes out after what happened at its end.
            self._tell(known, first, count - 1, count)
        return count, known

    def finish(self, stop: int) -> None:
        """Round off a recording that ends before grid sample ``stop``."""
        end = stop // self.thinned.per_bin
        if self.known is None:
            second = self.thinned.second
            steady_s = self._state["steady_s"][0]
            self._keeper.calibrate(end // second * second, self._gait, steady_s, is_last=True)
        if self.lag:
            self.thinned.pad(end)

    def causal(self, first: int, count: int) -> Known:
        """What is known at grid samples ``first`` on without looking ahead."""
        made = self._made(int(self._relative.counts[0]) - 1)
        since = (self._bins_at(first, count) - made) / self.params.bin_hz
        x = self._relative.x
        rate = x[:, 1:2] if self._state["moves"][0] else np.zeros((2, 1))
        delta = np.where(self._relative.known[:, None] == 1, x[:, :1] + rate * since, np.nan)
        doubt = doubts(self._relative, self.params.uncertain_rad)
        unsure = either(self._hips.disagreements, self._anchors.turned)
        flags = flags_of(self.mounts, doubt, unsure, turns=self._turns)
        heading = self.thinned.heading_now(first, count)
        return self.mounts, heading, delta, self._with_leans(flags, self._newest)

    def smoothed(self, first: int, count: int) -> Known:
        """What is known at grid samples ``first`` on with what came ``lag`` seconds after."""
        mounts, slips, turned = self._anchors.at(first, count)
        heading = self.thinned.heading_between(first, count)
        delta, t = np.empty((2, count)), self.thinned
        r, step = self._relative, first // self.samples - self._first_step
        steps, most = int(r.counts[0]), self.params.uncertain_rad
        delta_at_samples(r.smoothed, steps, step, self._made(0), t.second, t.per_bin, first, delta)
        middle = (first + count) // t.per_bin + t.half_span
        turning = np.array([turning_rate(self._settings, self.thinned.headings, middle)])
        then = np.array([(first + 0.5 * count) / self._rate_hz])
        turns = bool(bends(self.params, turning, self._pace, then)[0])
        doubt = [doubt_of(r.history[k], r.P[k], steps, step, delta[k], most) for k in (0, 1)]
        unsure = either(self._hips.disagreements, turned)
        flags = flags_of(mounts, doubt, unsure, turns=turns, slips=slips)
        return mounts, heading, delta, self._with_leans(flags, first // self.samples)

    @property
    def _gait(self) -> int:
        return int(self._state["gait"][0])

    @property
    def _rewound(self) -> tuple[NDArray[Any], ...]:
        """What ``_forward`` changes for good; rings are written over again."""
        return (*self._relative.arrays, self._hips.counts, self.thinned.features, self._numbers)

    @property
    def _numbers(self) -> I8:
        """The state from second to second as one array."""
        numbers: I8 = self._state.view(np.ndarray).view(np.int64)
        return numbers

    def _forward(self, samples: tuple[F8, F8, F8, I8], at: int, first: int, most: int) -> tuple[int, int]:
        """Seconds done, and what is due after the last of them."""
        t = self.thinned
        count, due = run_seconds(
            self._state,
            self._settings,
            self._relative.settings,
            samples,
            at,
            first,
            most,
            (t.ring, t.headings, t.window, t.span, t.sums, t.features, t.missing),
            t.axes,
            _NOT_PARALLEL,
            self._relative.arrays,
            self._hips.counts,
            (t.first, self._first_step, self._made(0)),
            tuple(self._run),
        )
        return int(count), int(due)

    def _tell(self, known: KnownSeconds, first: int, start: int, stop: int) -> None:
        """Fill in what is known of the seconds that came out with seconds ``start`` to ``stop`` of a run."""
        if not self.lag or start == stop:
            return
        here = slice(start, stop)
        samples = first + (np.arange(start, stop) - self.lag) * self.samples
        mounts, slips, turned = self._anchors.at_each(samples, self.samples)
        middle = np.asarray(samples + 0.5 * self.samples, dtype=np.float64) / self._rate_hz
        turns = bends(self.params, self._run.turning[here], self._pace, middle)
        known.mounts[here] = mounts
        known.flags[here] = flags_of_each(
            mounts, self._run.doubt[here], turned | np.array(self._hips.disagreements), turns, slips
        ) | self._leans.flags(samples // self.samples, self._newest)

    @property
    def _newest(self) -> int:
        """Number of the last second."""
        return self._first_step + int(self._relative.counts[0]) - 1

    def _with_leans(self, flags: list[int], number: int) -> I8:
        """Flags (lanes,) of a second, marked where an orientation leans."""
        marked: I8 = self._leans.flags(np.array([number]), self._newest)[0] | np.array(flags, dtype=np.int64)
        return marked

    def _slip(self, slipped: Slipped, end: int) -> None:
        self._hips.forget(slipped.lane)
        self._keeper.reanchor(slipped, end)

    def _heed(self, due: int, end: int) -> None:
        """Do what a second said is due."""
        if due & HIPS_DUE:
            r = self._relative
            delta = np.where(r.known == 1, r.x[:, 0], np.nan)
            self._hips.look(self.thinned.ring, end, delta, r.x[:, 1])
        if due & OFFSET_DUE:
            self._offsets = self._offsets_now()

    def _made(self, step: int) -> float:
        """When step ``step`` of the relative heading is true: the middle of its window, in bins."""
        return (self._first_step + step + 1) * self.thinned.second - 0.5 * len(self.thinned.window)

    def _bins_at(self, first: int, count: int) -> F8:
        """Times of grid samples in bins."""
        bins: F8 = (np.arange(first, first + count) + 1) / self.thinned.per_bin
        return bins

    def take_events(self) -> list[Event]:
        """Events since the last call."""
        events, self._keeper.events = self._keeper.events, []
        return events

    def save(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """State as plain values and arrays."""
        r, s = self._relative, self._slips
        plain = {
            "calibrator": self.calibrator.save(),
            "anchors": self._anchors.save(),
            "first": [self.thinned.first, self._first_step],
            "turns": self._turns,
            "turns_noted": self._keeper.turns.newest,
            "offsets": self._offsets,
        }
        return plain, self.thinned.arrays() | {
            "mounts": self.mounts,
            "x": r.x,
            "P": r.P,
            "history": r.history,
            "smoothed": r.smoothed,
            "counts": r.counts,
            "known": r.known,
            "turns_sums": self._keeper.turns.sums,
            "second": self._numbers,
            "leans": self._leans.masks,
            **s.arrays(),
            **self._hips.arrays(),
        }

    def load(self, plain: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
        """Continue from ``save``."""
        self.calibrator.load(plain["calibrator"])
        self._anchors.load(plain["anchors"])
        self.thinned.first, self._first_step = plain["first"]
        self._turns = plain["turns"]
        self._keeper.turns.newest = plain["turns_noted"]
        offsets = plain["offsets"]
        self._offsets = None
        if offsets is not None:
            (a, b), (c, d) = offsets
            self._offsets = (a, b), (c, d)
        _, mine = self.save()
        for name, value in mine.items():
            value[...] = arrays[name]
        self.thinned.use(self.mounts)

    def _offsets_now(self) -> tuple[tuple[float, float], tuple[float, float]]:
        return self._relative.running_offsets
