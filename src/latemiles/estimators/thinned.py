"""The streams thinned to bins, the last minute of them, and what is read off a window of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.estimators.posture_buffers import Samples, hann
from latemiles.estimators.posture_params import PostureParams
from latemiles.kernels.heading import FEATURES, swing_plane
from latemiles.kernels.posture_bins import (
    BIN_COLUMNS,
    SUMS,
    fill_bins,
    follow_heading,
    heading_at_samples,
)
from latemiles.signals.frames import SEGMENTS, quat_conj, quat_rotate

__all__ = ["MOST_SECONDS", "Thinned"]

F8 = NDArray[np.float64]

_LANES: Final = len(SEGMENTS)
_FORWARD: Final = np.array([1.0, 0.0, 0.0])
_UP: Final = np.array([0.0, 0.0, 1.0])
MOST_SECONDS: Final = 30
"""In one run."""
_RATE_SPAN_S: Final = 1.5
"""Over what time the causal turning rate is taken, s."""


class Thinned:
    """Bins of all lanes and the heading of the pelvis over them.

    Parameters
    ----------
    rate_hz : float
        Rate of the grid.
    params : PostureParams
        ``self.params`` has the bins' true rate.
    lag_s : float
        How far back the smoothed basis looks.
    """

    def __init__(self, rate_hz: float, params: PostureParams, lag_s: float) -> None:
        self.per_bin = max(1, round(rate_hz / params.bin_hz))
        self.params = p = replace(params, bin_hz=rate_hz / self.per_bin)
        self.second = round(p.bin_hz)
        """Bins in a second, the stage's step."""
        self.step_s = self.second / p.bin_hz
        self.window = hann(round(p.window_s * p.bin_hz))
        self.first = 0
        """First bin there is."""
        self.half_span = round(0.5 * p.heading_span_s * p.bin_hz)
        self.span = hann(2 * self.half_span + 1)
        self.rate_span_s = _RATE_SPAN_S
        self.rate_span = round(_RATE_SPAN_S * p.bin_hz)
        """The same in bins."""
        self._kept = round(max(p.memory_s, lag_s + 2.0 * p.heading_span_s) / self.step_s) * self.second
        """Bins that are there at any time; the ring has room for a run of seconds that is taken back."""
        rows = self._kept + MOST_SECONDS * self.second
        self.ring: F8 = np.full((rows, _LANES, BIN_COLUMNS), np.nan)
        self.headings: F8 = np.full((3, len(self.ring)), np.nan)
        self.axes: F8 = np.full((2, _LANES, 3), np.nan)
        """Forward and up axes of the segments in their sensors' axes."""
        self.sums: F8 = np.zeros((_LANES, SUMS))
        self.missing: NDArray[np.int64] = np.zeros(_LANES, dtype=np.int64)
        """Bins of the last second that are missing in each lane."""
        self.features: F8 = np.full((_LANES, FEATURES), np.nan)

    def use(self, mounts: F8) -> None:
        """Take the axes of the segments from these mounts (lanes, 4)."""
        back = quat_conj(mounts)
        for k, axis in enumerate((_FORWARD, _UP)):
            self.axes[k] = quat_rotate(back, axis)

    def take(self, samples: Samples, gyr: F8) -> None:
        """Thin samples out and follow the pelvis heading; ``gyr`` (lanes, n, 3) is of their block."""
        s = samples
        open_bin = self.sums, self.ring
        fill_bins(s.acc, gyr, s.quat, s.quality, s.start, s.stop, s.first, self.per_bin, *open_bin)
        before = max(s.first // self.per_bin, self.first)
        self._follow(before, (s.first + len(s)) // self.per_bin)

    def refollow(self, end: int) -> None:
        """Work the headings of the bins before ``end`` out anew, after ``use`` of other mounts."""
        self.headings[:] = np.nan
        self._follow(self.oldest(end), end)

    def pad(self, end: int) -> None:
        """Let the bins that the symmetric heading of the last seconds asks for be missing."""
        for b in range(end, end + self.half_span + 2):
            self.ring[b % len(self.ring)] = np.nan
        self._follow(end, end + self.half_span + 2)

    def oldest(self, end: int) -> int:
        """The oldest bin before ``end`` that is still there."""
        return max(self.first, end - self._kept)

    def rows(self, end: int) -> tuple[F8, int]:
        """Bins before ``end`` that are still there, oldest first, and the first one's number."""
        first = self.oldest(end)
        row, last = first % len(self.ring), end % len(self.ring)
        if end - first < len(self.ring) and row <= last:
            return self.ring[row:last].copy(), first
        return np.concatenate([self.ring[row:], self.ring[:last]]), first

    def swing(self, end: int) -> F8:
        """Swing planes (2, 4) of the window that ends before bin ``end``."""
        swing = np.full((2, 4), np.nan)
        for side in (0, 1):
            lane = 1 + side
            forward, up = self.axes[0, lane], self.axes[1, lane]
            if np.isfinite(up[0]):
                swing_plane(self.ring, self.headings, end, self.window, lane, up, forward, swing[side])
        return swing

    def heading_now(self, first: int, count: int) -> F8:
        """Heading of progression (count,) at grid samples ``first`` on, from what came before, rad."""
        p = self.params
        out = np.empty(count)
        scale = p.turn_rad_s / p.bin_hz
        heading_at_samples(self.headings, first, self.per_bin, self.half_span, self.rate_span, scale, out)
        return out

    def heading_between(self, first: int, count: int) -> F8:
        """The same as the symmetric mean; asks for the bins of the next ``heading_span_s / 2``."""
        out = np.empty(count)
        heading_at_samples(self.headings, first, self.per_bin, 0, self.half_span, 1.0, out)
        return out

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """State, as views."""
        return {"ring": self.ring, "headings": self.headings, "sums": self.sums, "features": self.features}

    def _follow(self, first: int, stop: int) -> None:
        follow_heading(self.ring, first, stop, self.axes[0, 0], self.span, self.headings)
