"""Finding the moment at which one sensor moves on the body."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.estimators.posture_params import PostureParams
from latemiles.kernels.slip import STEP_COLUMNS, VIGOUR, step_statistic, watch_step, without_lean

__all__ = ["SlipFinder", "Slipped"]

F8 = NDArray[np.float64]

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
        self._scratch: F8 = np.empty(params.slip_side)
        self._step: F8 = np.empty((4, STEP_COLUMNS))

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
        if gait == 0:
            self.clear()
            return None
        if not watch_step(
            self.windows,
            features,
            mounts,
            self._params.slip_side,
            _NEAR,
            self._lean,
            self._upright,
            self._scratch,
            self._step,
        ):
            return None
        sizes = [size if math.isfinite(size) else 0.0 for size in self._step[:3, 6].tolist()]
        last = self.last.tolist()
        lane, peak = sizes.index(max(sizes)), last.index(max(last))
        is_slip = self._is_slip(lane, sizes)
        if last[peak] > 0.0 and not (is_slip and lane == peak and sizes[lane] > last[peak]):
            self._look_without(peak, mounts)
            pair = self._step[peak, :6].reshape(2, 3).copy()
            found = Slipped(peak, float(self._step[peak, 6]), self._ago(peak, pair), pair[0], pair[1])
            self.clear()
            return found
        self.last[:] = 0.0
        if is_slip:
            self.last[lane] = sizes[lane]
        return None

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

    def _is_slip(self, lane: int, sizes: list[float]) -> bool:
        p = self._params
        error = _MEAN_ERROR * float(self._step[lane, 8]) / math.sqrt(p.slip_side)
        least = p.slip_rad if lane == 0 else p.slip_thigh_rad
        if not sizes[lane] > max(least, _SIGMAS * error):
            return False
        vigour = self._step[VIGOUR].tolist()
        is_steady = all(abs(vigour[3 + k] - vigour[k]) <= p.slip_pace * vigour[k] for k in (0, 1))
        others = max(sizes[k] for k in range(3) if k != lane)
        is_alone = others < _OTHERS * sizes[lane]
        is_abrupt = self._step[lane, 7] > _ABRUPT * sizes[lane]
        return bool(is_steady and is_alone and is_abrupt)
