"""Short holes of the grid, as the orientation sees them: filled from the stride before.

What was not heard stays missing for everybody else: ``hide`` takes it out again behind the orientation, so
that no angle and no contact comes from a sample that there never was.
"""

from __future__ import annotations

from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import ConfigError
from latemiles.kernels.refill import HISTORY_S, has_hole, keep_history, refill
from latemiles.signals.blocks import GridBlock, OrientationBlock
from latemiles.signals.quality import SampleQuality

__all__ = ["Refill", "hide"]

_FILLED: Final = int(SampleQuality.GAP | SampleQuality.BRIDGED)
_UNSURE: Final = int(SampleQuality.GYR_CLIPPED)
"""For the orientation a filled rate is as good as one at the sensor's limit: no bias is learnt from it."""


class Refill:
    """Pipeline stage: grid samples in, the same samples out, with holes filled where the gait repeats.

    Parameters
    ----------
    rate_hz : float
        Rate of the grid.
    lanes : int
    """

    def __init__(self, rate_hz: float, lanes: int) -> None:
        self._rate_hz = float(rate_hz)
        self._history = np.full((lanes, ceil(HISTORY_S * rate_hz), 6), np.nan)
        self._holes = np.zeros((lanes, 2), dtype=np.int64)

    def push(self, grid: GridBlock) -> GridBlock:
        """Take the next samples; arrays that have to be changed are copies.

        A filled sample has GAP and BRIDGED, and GYR_CLIPPED for the orientation stage.
        """
        if grid.quality.shape[1] == 0:
            return grid
        if has_hole(grid.acc, grid.gyr):
            grid = grid._replace(acc=grid.acc.copy(), gyr=grid.gyr.copy(), quality=grid.quality.copy())
            refill(
                self._history,
                self._holes,
                grid.acc,
                grid.gyr,
                grid.quality,
                self._rate_hz,
                _FILLED | _UNSURE,
            )
        else:
            self._holes[:, 0] = 0
        keep_history(self._history, grid.acc, grid.gyr)
        return grid

    def save(self) -> bytes:
        """State as bytes."""
        return self._holes.tobytes() + self._history.tobytes()

    def load(self, state: bytes) -> None:
        """Go on from what ``save`` gave.

        Raises
        ------
        ConfigError
            If the bytes are not such a state.
        """
        size = self._holes.nbytes
        if len(state) != size + self._history.nbytes:
            raise ConfigError("state", "is not one of the grid's holes. Start from the recording instead.")
        self._holes[:] = np.frombuffer(state[:size], dtype=np.int64).reshape(self._holes.shape)
        self._history[:] = np.frombuffer(state[size:], dtype=np.float64).reshape(self._history.shape)


def hide(grid: GridBlock, orient: OrientationBlock) -> tuple[GridBlock, OrientationBlock]:
    """Take filled samples out again: NaN, with GAP and BRIDGED as their quality."""
    filled: NDArray[np.bool_] = (grid.quality & _FILLED) == _FILLED
    if not filled.any():
        return grid, orient
    acc, gyr, quat = grid.acc.copy(), grid.gyr.copy(), orient.quat.copy()
    acc[filled] = gyr[filled] = quat[filled] = np.nan
    return (
        grid._replace(acc=acc, gyr=gyr, quality=np.where(filled, _FILLED, grid.quality)),
        orient._replace(quat=quat, quality=np.where(filled, _FILLED, orient.quality)),
    )
