"""Relative heading of the pelvis and each thigh, causal and smoothed, without a magnetometer."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.estimators.posture_params import PostureParams
from latemiles.kernels.heading import kalman_predict, kalman_update, smooth_back
from latemiles.signals.frames import SIDES

__all__ = ["RelativeHeading"]

F8 = NDArray[np.float64]

_UNKNOWN_SD: Final = np.pi
_GATE: Final = 5.0
"""Standard deviations beyond which a window is not believed."""
_REFUSED: Final = 8
"""Windows refused in a row after which it is the filter that is not believed."""
_ROUNDNESS: Final = 0.3
"""Standard deviation of the plane of a swing as wide as it is long, rad; in between with the root."""
_TURNING_S: Final = 0.3
"""Standard deviation of the plane in a turn, s times the turning rate: pelvis and thighs turn in steps."""
_STEADY_SWING: Final = 0.08
"""Variance of the long axis's level part from which a window has its full weight; running has 0.1."""


class RelativeHeading:
    """Angles about the vertical that take the thighs' earth frames to the pelvis's, one step a second.

    Parameters
    ----------
    params : PostureParams
    steps : int
        How many steps the smoother can look back.
    """

    def __init__(self, params: PostureParams, steps: int) -> None:
        self._params = params
        self.x: F8 = np.zeros((2, 3))
        self.P: F8 = np.zeros((2, 3, 3))
        self.history: F8 = np.zeros((2, steps, 25))
        self.smoothed: F8 = np.full((2, steps, 3), np.nan)
        self.counts: NDArray[np.int64] = np.zeros(4, dtype=np.int64)
        """Steps made; windows refused in a row, left and right; last gait (0 none, 1 walking, 2 running)."""
        self.known: NDArray[np.int64] = np.zeros(2, dtype=np.int64)
        self._noise = np.array(
            [params.delta_noise_rad**2, params.rate_noise_rad_s**2, params.offset_noise_rad**2]
        )
        offsets = tuple(params.swing_offset_rad * side.sign for side in SIDES)
        self.reset(offsets, (params.swing_offset_sd_rad,) * 2)

    def reset(self, offset_rad: tuple[float, ...], offset_sd_rad: tuple[float, ...]) -> None:
        """Forget the headings; start from these swing offsets."""
        p = self._params
        self.x[:] = 0.0
        self.x[:, 2] = offset_rad
        self.P[:] = 0.0
        for side in (0, 1):
            self.P[side] = np.diag([_UNKNOWN_SD**2, p.rate_sd_rad_s**2, offset_sd_rad[side] ** 2])
        self.known[:] = 0
        self.counts[1:] = 0

    def loosen(self, side: int, sd_rad: float) -> None:
        """After a gap of a sensor: the earth frames may have turned against each other by this much."""
        self.P[side, 0, 0] = min(self.P[side, 0, 0] + sd_rad**2, _UNKNOWN_SD**2)

    def step(self, dt: float, moves: bool, gait: int, swing: F8, parallel: F8) -> None:
        """Go on by one step.

        Parameters
        ----------
        dt : float
            Since the last step, s.
        moves : bool
            Whether the runner moved; at rest the earth frames keep still.
        gait : int
            0 none, 1 walking, 2 running.
        swing : float64 array, shape (2, 4)
            ``kernels.heading.swing_plane`` of each thigh.
        parallel : float64 array, shape (2,)
            Relative heading at which pelvis and thigh face the same way in standing; NaN if not now.
        """
        p = self._params
        rows = self.history.shape[1]
        row = int(self.counts[0]) % rows
        h = dt if moves else 0.0
        changed = gait > 0 and self.counts[3] > 0 and gait != self.counts[3]
        for side in (0, 1):
            x, P = self.x[side], self.P[side]
            kalman_predict(x, P, dt, 1.0 if moves else 0.0, self._noise)
            if changed:
                P[2, 2] += p.change_of_gait_rad**2
                P[1, 1] += p.rate_sd_rad_s**2
            self.history[side, row, 0] = h
            self.history[side, row, 1:4] = x
            self.history[side, row, 4:13] = P.ravel()
            self.parallel(side, parallel[side], p.parallel_sd_rad)
            if gait > 0:
                self.swing(side, swing[side])
            self.history[side, row, 13:16] = x
            self.history[side, row, 16:25] = P.ravel()
        if gait > 0:
            self.counts[3] = gait
        self.counts[0] += 1

    def parallel(self, side: int, angle: float, sd_rad: float) -> None:
        """Take in a relative heading at which pelvis and thigh face the same way; NaN is none."""
        if np.isfinite(angle):
            kalman_update(self.x[side], self.P[side], angle, 1.0, 0.0, sd_rad**2, np.inf)
            self.known[side] = 1

    def swing(self, side: int, window: F8) -> None:
        """Take in the swing plane (4,) of one window of walking or running."""
        p = self._params
        angle, wide, narrow, turning = window
        if not (wide > 0.01 and narrow < 0.2 * wide):
            return
        variance = p.swing_sd_rad**2 * max(1.0, _STEADY_SWING / wide)
        variance += _ROUNDNESS**2 * narrow / wide + (_TURNING_S * turning * p.bin_hz) ** 2
        if kalman_update(self.x[side], self.P[side], angle, 1.0, 1.0, variance, _GATE):
            self.counts[1 + side] = 0
            self.known[side] = 1
            return
        self.counts[1 + side] += 1
        if self.counts[1 + side] >= _REFUSED:
            self.loosen(side, _UNKNOWN_SD)
            self.counts[1 + side] = 0

    def sd(self, side: int) -> float:
        """Standard deviation of the relative heading, rad."""
        return math.sqrt(self.P[side, 0, 0])

    def smooth(self, back: int) -> None:
        """Work out ``smoothed`` for the last ``back`` steps."""
        newest = int(self.counts[0]) - 1
        oldest = max(0, newest - min(back, self.history.shape[1] - 1))
        for side in (0, 1):
            smooth_back(self.history[side], newest, oldest, self.smoothed[side])
