"""A second opinion on the relative heading: pelvis and thigh must agree on the acceleration of the hip.

The swing plane (``heading.RelativeHeading``) takes for granted that the plane in which a thigh swings keeps
its angle to the pelvis. A runner whose form changes may turn it, and a heading that follows would pass as a
change of hip rotation. The acceleration of the hip centre knows nothing of that plane. What it says of the
heading is off by up to ten degrees, since flesh moves with the stride, but by the same in every minute: its
20-second values scatter by 0.2 to 0.6 degrees. So it is held against the filter from the first minutes on,
and only its changes count. The levers from the sensors to the hip are fitted once, with the filter's heading.
"""

from __future__ import annotations

from math import isnan
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from latemiles.estimators.posture_buffers import hann
from latemiles.kernels.hip_centre import HIP_COLUMNS, HIP_HARMONICS, hip_blocks, hip_heading, hip_scratch
from latemiles.kernels.seconds import hips_due
from latemiles.signals.frames import SEGMENTS

__all__ = ["EVERY_S", "HipCheck", "hips_window"]

F8 = NDArray[np.float64]
C16 = NDArray[np.complex128]

_BLOCK_S: Final = 5.0
"""Length of one Hann block; four in a window."""
_BLOCKS: Final = 4
_FIT_BLOCKS: Final = 12
"""Blocks from which the levers are fitted: a minute of running."""
EVERY_S: Final = 30.0
"""How often the opinion is asked, s."""
_BASELINE: Final = 8
"""Windows against which later ones are held: four minutes."""
_RECENT: Final = 3
"""Windows that speak together."""
_DISAGREE_RAD: Final = float(np.radians(2.0))
"""Change of the difference that makes hip rotation uncertain: five times the scatter of three windows."""


def hips_window(bin_hz: float) -> int:
    """Bins of running that an opinion asks for."""
    return _BLOCKS * round(_BLOCK_S * bin_hz)


class HipCheck:
    """Watches the difference of two relative headings of each thigh.

    Parameters
    ----------
    bin_hz : float
        Rate of the thinned streams.
    step_s : float
        Length of a step of the posture stage, s.
    """

    def __init__(self, bin_hz: float, step_s: float) -> None:
        self._bin_hz = bin_hz
        self._step_s = step_s
        self._weights = hann(round(_BLOCK_S * bin_hz))
        self._scratch = hip_scratch(len(self._weights))
        self.levers: F8 = np.full((2, 6), np.nan)
        """From the pelvis's sensor to the hip, and from the thigh's, sensor axes, m; NaN while unknown."""
        self.baseline: F8 = np.full((2, _BASELINE), np.nan)
        """First differences, rad."""
        self.recent: F8 = np.full((2, _RECENT), np.nan)
        self.counts: NDArray[np.int64] = np.zeros(4, dtype=np.int64)
        """Steps of running in a row, steps since the last window, values in each side's baseline."""

    def step(self, ring: F8, end: int, is_running: bool, delta: F8, rate: F8) -> None:
        """Go on by one step of the posture stage.

        Parameters
        ----------
        ring : float64 array, shape (n, lanes, 10)
            Bins; ``end`` is one past the newest.
        end : int
        is_running : bool
        delta, rate : float64 arrays, shape (2,)
            The filter's relative headings and their rates, rad and rad/s; NaN while unknown.
        """
        if hips_due(self.counts, is_running, EVERY_S, self._step_s, self._bin_hz, hips_window(self._bin_hz)):
            self.look(ring, end, delta, rate)

    def look(self, ring: F8, end: int, delta: F8, rate: F8) -> None:
        """Compare, when it is due; arguments as for ``step``."""
        window = _BLOCKS * len(self._weights)
        fit = _FIT_BLOCKS * len(self._weights)
        running = round(int(self.counts[0]) * self._step_s * self._bin_hz)
        known, heard = np.isfinite(self.levers[:, 0]), np.isfinite(delta)
        may_fit = running > fit and len(ring) > fit and bool((heard & ~known).any())
        if not (may_fit or (heard & known).any()):
            return
        self.counts[1] = 0
        blocks = self._blocks(ring, end, _FIT_BLOCKS if may_fit else _BLOCKS)
        for side in np.flatnonzero(heard):
            span = window if known[side] else fit
            then = float(delta[side] - rate[side] * 0.5 * span / self._bin_hz)
            if known[side]:
                heading = hip_heading(blocks[-_BLOCKS:], 1 + int(side), self.levers[side], _BLOCKS - 1)
                self._note(int(side), heading - then)
            elif may_fit:
                self._fit(int(side), blocks, then)

    def forget(self, lane: int) -> None:
        """The sensor of a lane moved: its lever is another, and what was held against it too."""
        for side in (0, 1):
            if lane in (0, 1 + side):
                self.levers[side] = self.baseline[side] = self.recent[side] = np.nan
                self.counts[2 + side] = 0

    def change(self, side: int) -> float:
        """By how much the two headings have come apart since the first minutes, rad; NaN while unknown."""
        recent = self.recent[side].tolist()
        if self.counts[2 + side] < _BASELINE or any(map(isnan, recent)):
            return float("nan")
        return _median(recent) - _median(self.baseline[side].tolist())

    def disagrees(self, side: int) -> bool:
        """Whether the two headings have come apart so far that hip rotation is not to be trusted."""
        return abs(self.change(side)) > _DISAGREE_RAD

    @property
    def disagreements(self) -> tuple[bool, bool]:
        """``disagrees`` of each side."""
        return self.disagrees(0), self.disagrees(1)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """State, as views."""
        return {
            "hip_levers": self.levers,
            "hip_baseline": self.baseline,
            "hip_recent": self.recent,
            "hip_counts": self.counts,
        }

    def _blocks(self, ring: F8, end: int, count: int) -> F8:
        """Harmonics of the last blocks, oldest first, see ``kernels.hip_centre.hip_blocks``."""
        found = np.empty((count, len(SEGMENTS), HIP_HARMONICS, HIP_COLUMNS, 2))
        hip_blocks(ring, end, self._weights, self._bin_hz, self._scratch, found)
        return found

    def _fit(self, side: int, blocks: F8, delta: float) -> None:
        """Levers by least squares, with the filter's heading between the two earth frames."""
        c, s = np.cos(delta), np.sin(delta)
        turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
        harmonics: C16 = blocks.view(np.complex128)[..., 0]
        pelvis, thigh = (harmonics[:, lane].reshape(-1, HIP_COLUMNS) for lane in (0, 1 + side))
        heard = np.isfinite(pelvis).all(axis=1) & np.isfinite(thigh).all(axis=1)
        if heard.sum() < HIP_HARMONICS * _FIT_BLOCKS // 2:
            return
        here, there = (x[heard, 3:].reshape(-1, 3, 3) for x in (pelvis, thigh))
        rows = np.concatenate([here, -turn @ there], axis=2).reshape(-1, 6)
        y = (thigh[heard, :3] @ turn.T - pelvis[heard, :3]).ravel()
        self.levers[side] = np.linalg.lstsq(
            np.concatenate([rows.real, rows.imag]), np.concatenate([y.real, y.imag]), rcond=None
        )[0]

    def _note(self, side: int, difference: float) -> None:
        if np.isnan(difference):
            return
        count = int(self.counts[2 + side])
        if count > 0:
            first = self.baseline[side, 0]
            difference = first + float(np.angle(np.exp(1j * (difference - first))))
        if count < _BASELINE:
            self.baseline[side, count] = difference
            self.counts[2 + side] += 1
            return
        self.recent[side, :-1] = self.recent[side, 1:]
        self.recent[side, -1] = difference


def _median(values: list[float]) -> float:
    ordered = sorted(values)
    half = len(ordered) // 2
    return 0.5 * (ordered[half] + ordered[~half])
