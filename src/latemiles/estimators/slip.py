"""Finding the moment at which one sensor moves on the body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.estimators.posture_params import PostureParams
from latemiles.kernels.seconds import RUNNING, STILL
from latemiles.kernels.slip import STEP_COLUMNS, VIGOUR, step_statistic, watch_windows, without_lean

__all__ = ["SlipFinder", "Slipped"]

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

_OTHERS: Final = 0.5
"""The other sensors move by less than this part of the step; a change of pace or grade moves all of them."""
_ABRUPT: Final = 0.45
"""This part of the step is there between the nearest windows already; a slow change is the runner's."""
_NEAR: Final = 8
"""Windows on either side that count as nearest."""
_SIGMAS: Final = 6.0
"""Standard errors that a step must exceed: strides scatter by a degree at the thigh."""
_MEAN_ERROR: Final = 1.09 * np.sqrt(1.5 * 2.0)
"""Standard error of a difference of midmeans times the root of the windows over their scatter: 1.09 for the
midmean, 1.5 for the overlap of the windows, 2 for the difference."""
_LIMITS: Final = (float(_SIGMAS * _MEAN_ERROR), _OTHERS, _ABRUPT)


@dataclass(frozen=True, slots=True)
class Slipped:
    """A sensor moved ``ago`` windows before the last one."""

    lane: int
    angle_rad: float
    ago: float
    before: F8
    """(3,) up direction in sensor axes before."""
    after: F8


class SlipFinder:
    """Watches the mean up direction of each sensor, window by window.

    The step statistic of a moment is the mean over the windows after it less the mean over those before (of
    the middle half of each, so that a stumble does not count), with a few left out between; a slip is its
    peak, in one sensor alone, abrupt and lasting, while the vigour of the gait stays.

    In a bend whose speed is not known, and after it, all sensors lean alike. For finding a slip the median of
    the three leans is taken off, as far as the pelvis takes part; that of noisy windows is drawn towards the
    one that slips, so that its size comes from the mean of the other two.

    Two watches are kept. The long one finds small slips in steady gait. The short one finds large ones soon,
    near the start and the end of a stretch, and across a pause, in which a hand may have been at the sensor.

    Parameters
    ----------
    params : PostureParams
    """

    def __init__(self, params: PostureParams) -> None:
        least = params.slip_rad, params.slip_thigh_rad
        large = params.large_slip_rad, params.large_slip_thigh_rad
        slow, fast = (*least, *_LIMITS, params.slip_pace), (*large, *_LIMITS, params.large_slip_pace)
        skip, short = params.slip_skip, params.large_slip_side
        self._long = _Watch(params.slip_side, skip, _NEAR, slow, forgets=True)
        self._short = _Watch(short, skip, short // 2, fast, forgets=False)

    def clear(self) -> None:
        """Forget the windows, after a slip."""
        self._long.clear()
        self._short.clear()

    def push(self, features: F8, gait: int, mounts: F8) -> Slipped | None:
        """Take the next window.

        Parameters
        ----------
        features : float64 array, shape (3, 7)
            ``kernels.heading.window_features``.
        gait : int
            0 none, 1 walking, 2 running.
        mounts : float64 array, shape (3, 4)
            Sensor to segment; NaN while unknown.

        Returns
        -------
        Slipped or None
            A slip that is certain now.
        """
        return self.push_many(features[None], np.array([gait]), mounts)[1]

    def push_many(self, features: F8, gaits: I8, mounts: F8) -> tuple[int, Slipped | None]:
        """Take the next windows, (m, 3, 7) and (m,), as ``push`` one after the other, up to a slip.

        Returns
        -------
        int
            Windows taken.
        Slipped or None
            A slip that is certain with the last of them.
        """
        before = [array.copy() for array in self._short.state]
        taken, lane = self._short.take(features, _running(gaits), mounts)
        found = self._short if lane >= 0 else None
        whole = taken
        taken, other = self._long.take(features[:whole], gaits[:whole], mounts)
        if other >= 0:
            # The long watch knows the size better; the short one must not have seen more than it.
            found, lane = self._long, other
            if taken < whole:
                for array, value in zip(self._short.state, before, strict=True):
                    array[...] = value
                self._short.take(features[:taken], _running(gaits[:taken]), mounts)
        if found is None:
            return taken, None
        slipped = found.judged(lane, mounts)
        self.clear()
        return taken, slipped

    def arrays(self) -> dict[str, F8]:
        """State, as views."""
        return {
            "slip_windows": self._long.windows,
            "slip_last": self._long.last,
            "large_slip_windows": self._short.windows,
            "large_slip_last": self._short.last,
        }


def _running(gaits: I8) -> I8:
    """Gaits with all but running as a pause: a walk leans otherwise."""
    return np.where(gaits == RUNNING, gaits, STILL)


class _Watch:
    """The last windows, and what is looked for among them.

    Parameters
    ----------
    side, skip, near : int
        Windows on either side of a step, left out at it, and nearest to it.
    limits : tuple of float
        See ``kernels.slip.watch_windows``.
    forgets : bool
        Whether a pause forgets the windows.
    """

    def __init__(self, side: int, skip: int, near: int, limits: tuple[float, ...], *, forgets: bool) -> None:
        self._side, self._near, self._limits, self._forgets = side, near, limits, forgets
        size = 2 * side + skip
        self.windows: F8 = np.full((size, 4, 3), np.nan)
        """Up directions of the lanes and the vigour, oldest first."""
        self.last: F8 = np.zeros(3)
        """Step statistic of each lane one window ago, rad; zero where it was no slip."""
        self._lean: F8 = np.empty((size, 3, 2))
        self._upright: F8 = np.empty((size, 4, 3))
        self._scratch: F8 = np.empty((2, side))
        self._step: F8 = np.empty((4, STEP_COLUMNS))

    @property
    def state(self) -> tuple[F8, F8]:
        """What is remembered."""
        return self.windows, self.last

    def clear(self) -> None:
        """Forget the windows."""
        self.windows[:] = np.nan
        self.last[:] = 0.0

    def take(self, features: F8, gaits: I8, mounts: F8) -> tuple[int, int]:
        """Windows taken, and the lane that slipped with the last of them; -1: none did."""
        scratch = self._lean, self._upright, self._scratch, self._step
        side, near = self._side, self._near
        taken, lane = watch_windows(
            self.windows,
            self.last,
            features,
            gaits,
            mounts,
            self._limits,
            self._forgets,
            side,
            near,
            *scratch,
        )
        return int(taken), int(lane)

    def judged(self, lane: int, mounts: F8) -> Slipped:
        """The slip of a lane, with the lean from the sensors other than the one that slips."""
        without_lean(self.windows, mounts, self._side, lane, self._lean, self._upright)
        step_statistic(self._upright, self._side, self._near, self._scratch, self._step)
        pair = self._step[lane, :6].reshape(2, 3).copy()
        return Slipped(lane, float(self._step[lane, 6]), self._ago(lane, pair), pair[0], pair[1])

    def _ago(self, lane: int, pair: F8) -> float:
        """How many windows ago the level changed: the likeliest change point between two levels.

        Where a pause lies between them it is the middle of the pause.
        """
        along = pair[1] - pair[0]
        beyond = (self._upright[:, lane] - 0.5 * (pair[0] + pair[1])) @ along
        # Below the middle before the step, above it after: the running sum is least at the step.
        last_before = int(np.argmin(np.cumsum(beyond)))
        left_out = self.windows[last_before : last_before + 2, VIGOUR, 2]
        return len(self.windows) - 1.5 - last_before + float(left_out.mean())
