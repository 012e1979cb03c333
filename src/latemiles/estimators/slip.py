"""Finding the moment at which one sensor moves on the body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.estimators.posture_params import PostureParams
from latemiles.kernels.slip import STEP_COLUMNS, step_statistic, watch_windows, without_lean

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
    """

    def __init__(self, params: PostureParams) -> None:
        self._params = params
        size = 2 * params.slip_side + params.slip_skip
        self.windows: F8 = np.full((size, 4, 3), np.nan)
        """Up directions of the lanes and the vigour, oldest first."""
        self.last: F8 = np.zeros(3)
        """Step statistic of each lane one window ago, rad; zero where it was no slip."""
        self._lean: F8 = np.empty((size, 3, 2))
        self._upright: F8 = np.empty((size, 4, 3))
        self._scratch: F8 = np.empty((2, params.slip_side))
        self._step: F8 = np.empty((4, STEP_COLUMNS))
        least = params.slip_rad, params.slip_thigh_rad
        self._limits = (*least, float(_SIGMAS * _MEAN_ERROR), _OTHERS, _ABRUPT, params.slip_pace)

    def clear(self) -> None:
        """Forget the windows: after a slip, a stop or a change of gait."""
        self.windows[:] = np.nan
        self.last[:] = 0.0

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
        side = self._params.slip_side
        scratch = self._lean, self._upright, self._scratch, self._step
        taken, lane = watch_windows(
            self.windows, self.last, features, gaits, mounts, self._limits, side, _NEAR, *scratch
        )
        if lane < 0:
            return taken, None
        self._look_without(lane, mounts)
        pair = self._step[lane, :6].reshape(2, 3).copy()
        found = Slipped(lane, float(self._step[lane, 6]), self._ago(lane, pair), pair[0], pair[1])
        self.clear()
        return taken, found

    def _look_without(self, lane: int, mounts: F8) -> None:
        """Work out the step statistic anew, with the lean from the sensors other than the one that slips."""
        side = self._params.slip_side
        without_lean(self.windows, mounts, side, lane, self._lean, self._upright)
        step_statistic(self._upright, side, _NEAR, self._scratch, self._step)

    def _ago(self, lane: int, pair: F8) -> float:
        """How many windows ago the level changed: the likeliest change point between two levels."""
        along = pair[1] - pair[0]
        beyond = (self._upright[:, lane] - 0.5 * (pair[0] + pair[1])) @ along
        # Below the middle before the step, above it after: the running sum is least at the step.
        last_before = int(np.argmin(np.cumsum(beyond)))
        return len(self.windows) - 1.5 - last_before
