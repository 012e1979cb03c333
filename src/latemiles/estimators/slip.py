"""Finding the moment at which one sensor moves on the body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.estimators.posture_params import PostureParams

__all__ = ["SlipFinder", "Slipped"]

F8 = NDArray[np.float64]

_OTHERS: Final = 0.5
"""The other sensors move by less than this part of the step; a change of pace or grade moves all of them."""
_ABRUPT: Final = 0.7
"""This part of the step is there between the nearest windows already; a slow change is the runner's."""
_NEAR: Final = 4
"""Windows on either side that count as nearest."""


@dataclass(frozen=True, slots=True)
class Slipped:
    """A sensor moved ``ago`` windows before the last one."""

    lane: int
    angle_rad: float
    ago: int
    before: F8
    """(3,) up direction in sensor axes before."""
    after: F8


class SlipFinder:
    """Watches the mean up direction of each sensor, window by window.

    The step statistic of a moment is the median over the windows after it less the median over those
    before, with a few left out between; a slip is its peak, in one sensor alone, abrupt and lasting.
    """

    def __init__(self, params: PostureParams) -> None:
        self._params = params
        self.size = 2 * params.slip_side + params.slip_skip
        self.vigour: F8 = np.full((self.size, 2), np.nan)
        """Mean rms rate of the thighs and deviation of the pelvis's force, a window."""
        self.ups: F8 = np.full((self.size, 3, 3), np.nan)
        self.last: F8 = np.zeros(3)
        """Step statistic of each lane one window ago, rad; zero where it was no slip."""
        self.last_pair: F8 = np.full((3, 2, 3), np.nan)

    def clear(self) -> None:
        """Forget the windows: after a slip, a stop or a change of gait."""
        self.ups[:] = np.nan
        self.vigour[:] = np.nan
        self.last[:] = 0.0

    def push(self, features: F8, gait: int) -> Slipped | None:
        """Take the next window's ``kernels.heading.window_features`` and its gait (0 none)."""
        if gait == 0:
            self.clear()
            return None
        self.ups[:-1] = self.ups[1:]
        self.ups[-1] = features[:, :3] / np.linalg.norm(features[:, :3], axis=1, keepdims=True)
        self.vigour[:-1] = self.vigour[1:]
        self.vigour[-1] = np.nan_to_num(features[1:, 3]).sum(), np.nan_to_num(features[0, 4])
        side = self._params.slip_side
        if not np.isfinite(self.ups[0]).any():
            return None
        before = np.median(self.ups[:side], axis=0)
        after = np.median(self.ups[-side:], axis=0)
        near = np.median(self.ups[side + self._params.slip_skip :][:_NEAR], axis=0)
        near -= np.median(self.ups[:side][-_NEAR:], axis=0)
        step = np.linalg.norm(after - before, axis=1)
        abrupt = np.linalg.norm(near, axis=1) > _ABRUPT * step
        found = None
        known = np.nan_to_num(step)
        lane = int(np.argmax(known))
        others = float(np.delete(known, lane).max())
        eager = np.median(self.vigour[-side:], axis=0), np.median(self.vigour[:side], axis=0)
        is_steady = bool((np.abs(eager[0] - eager[1]) <= self._params.slip_pace * eager[1]).all())
        is_slip = (
            is_steady
            and known[lane] > self._params.slip_rad
            and others < _OTHERS * known[lane]
            and abrupt[lane]
        )
        peak = int(np.argmax(self.last))
        if self.last[peak] > 0.0 and not (is_slip and lane == peak and step[lane] > self.last[peak]):
            found = Slipped(
                peak,
                float(self.last[peak]),
                side + self._params.slip_skip // 2 + 1,
                self.last_pair[peak, 0].copy(),
                self.last_pair[peak, 1].copy(),
            )
            self.clear()
            return found
        self.last[:] = 0.0
        if is_slip:
            self.last[lane] = step[lane]
            self.last_pair[lane, 0], self.last_pair[lane, 1] = before[lane], after[lane]
        return None
