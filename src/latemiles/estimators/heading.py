"""Relative heading of the pelvis and each thigh, causal and smoothed, without a magnetometer."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from latemiles.estimators.posture_params import PostureParams
from latemiles.kernels.record import as_state
from latemiles.kernels.relative_heading import (
    HEADING_SETTINGS,
    HISTORY,
    change_gait,
    loosen,
    take_parallel,
    take_swing,
)
from latemiles.signals.frames import SIDES

__all__ = ["RelativeHeading"]

F8 = NDArray[np.float64]

_UNKNOWN_SD: Final = np.pi
_RUNNING: Final = 2
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
    dt : float
        Length of a step, s.
    lag : int
        How many steps back the smoothed headings are asked for; 0 for none.
    """

    def __init__(self, params: PostureParams, dt: float, lag: int) -> None:
        self.params = params
        self.x: F8 = np.zeros((2, 4))
        """Of each side heading (rad), rate (rad/s), swing offsets of walking and of running (rad)."""
        self.P: F8 = np.zeros((2, 4, 4))
        steps = lag + 8
        self.history: F8 = np.zeros((2, steps, HISTORY))
        self.smoothed: F8 = np.full((2, steps, 4), np.nan)
        self.counts: NDArray[np.int64] = np.zeros(4, dtype=np.int64)
        """Steps made; windows refused in a row, left and right; last gait (0 none, 1 walking, 2 running)."""
        self.known: NDArray[np.int64] = np.zeros(2, dtype=np.int64)
        self._swing: F8 = np.full((2, 4), np.nan)
        self.settings = _settings(params, dt, lag)
        offsets = tuple(params.swing_offset_rad * side.sign for side in SIDES)
        self.reset(offsets, (params.swing_offset_sd_rad,) * 2)

    def reset(self, offset_rad: tuple[float, ...], offset_sd_rad: tuple[float, ...]) -> None:
        """Forget the headings; start from these swing offsets of running."""
        p = self.params
        self.x[:] = 0.0
        self.x[:, 2:] = np.array(offset_rad)[:, None]
        self.P[:] = 0.0
        for side in (0, 1):
            self.P[side] = np.diag([_UNKNOWN_SD**2, p.rate_sd_rad_s**2, p.change_of_gait_rad**2, 0.0])
            self.P[side, 2:, 2:] += offset_sd_rad[side] ** 2
        self.known[:] = 0
        self.counts[1:] = 0, 0, _RUNNING

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """The state and room for swing planes, as ``kernels.seconds.go_on`` takes them."""
        return self.x, self.P, self.history, self.smoothed, self.counts, self.known, self._swing

    def turn_to(self, gait: int) -> None:
        """Go on with the swing offsets of a gait, 1 walking or 2 running."""
        if gait != self.counts[3]:
            for side in (0, 1):
                change_gait(self.settings, self.P[side], gait)
            self.counts[3] = gait

    @property
    def running_offsets(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Swing offsets of running (left, right), rad, and their standard deviations."""
        (a, b), (c, d) = self.x[:, 3].tolist(), self.P[:, 3, 3].tolist()
        return (a, b), (math.sqrt(c), math.sqrt(d))

    def parallel(self, side: int, angle: float, sd_rad: float) -> None:
        """Take in a relative heading at which pelvis and thigh face the same way; NaN is none."""
        take_parallel(self.x, self.P, self.known, side, float(angle), sd_rad**2)

    def swing(self, side: int, window: F8) -> None:
        """Take in the swing plane (4,) of one window of the present gait."""
        gait = int(self.counts[3])
        take_swing(self.settings, self.x, self.P, self.counts, self.known, side, gait, window)

    def turned(self, side: int, variance: float) -> None:
        """Hear that the earth frames may have turned against each other; rad^2."""
        loosen(self.P[side], variance, self.settings[0])

    def faced(self, side: int, variance: float) -> None:
        """Hear that the heading was made right by other means: it has this variance now, rad^2.

        What is known of the offsets, given the heading, stays.
        """
        P = self.P[side]
        P00, share = P[0, 0], variance / P[0, 0]
        across = P[0].copy()
        P -= np.outer(across, across) * (1.0 - share) / P00
        P[0, :] = P[:, 0] = across * share

    def learn_anew(self, side: int, offset_rad: float, sd_rad: float) -> None:
        """Take the swing offsets for as uncertain as this again, since what told them is to come once more.

        Heading and offset together stay as certain as the swing makes them.
        """
        off = self.x[side, 3] - offset_rad
        along = np.array([1.0, 0.0, -1.0, -1.0])
        self.x[side] += off * along
        self.P[side] += max(0.0, sd_rad**2 - self.P[side, 3, 3]) * np.outer(along, along)

    def sd(self, side: int) -> float:
        """Standard deviation of the relative heading, rad."""
        return math.sqrt(self.P[side, 0, 0])


def _settings(p: PostureParams, dt: float, lag: int) -> NDArray[np.void]:
    """Settings, shape (1,), see ``kernels.relative_heading.HEADING_SETTINGS``."""
    values: dict[str, Any] = {
        "step_s": dt,
        "bin_hz": p.bin_hz,
        "noise": [p.delta_noise_rad**2, p.rate_noise_rad_s**2, p.offset_noise_rad**2],
        "same_gait": p.same_gait_rad**2,
        "rate": p.rate_sd_rad_s**2,
        "parallel": p.parallel_sd_rad**2,
        "swing": p.swing_sd_rad**2,
        "roundness": _ROUNDNESS**2,
        "steady_swing": _STEADY_SWING,
        "turning": _TURNING_S,
        "unknown": _UNKNOWN_SD**2,
        "gate": _GATE,
        "refused": _REFUSED,
        "lag": lag + 4 if lag else 0,
    }
    settings = as_state(np.zeros(1, dtype=HEADING_SETTINGS))
    for name, value in values.items():
        settings[name] = value
    return settings
