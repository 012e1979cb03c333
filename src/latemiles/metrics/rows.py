"""Strides as they come, kept in flat arrays: a tenth of the memory of the events themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latemiles.metrics.catalogue import COLUMN_INDEX, NUMERIC_COLUMNS
from latemiles.metrics.table import StrideTable
from latemiles.signals.events import Stride

__all__ = ["StrideRows"]

_TIMES = [COLUMN_INDEX["t_ic_s"], COLUMN_INDEX["t_to_s"]]


class StrideRows:
    """Strides appended one by one; ``table`` gives them as columns."""

    def __init__(self) -> None:
        self._values: NDArray[np.float64] = np.empty((64, len(NUMERIC_COLUMNS)))
        self._marks: NDArray[np.int64] = np.empty((64, 2), dtype=np.int64)
        """Lane of the side, and quality bits."""
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, stride: Stride) -> None:
        """Keep one stride."""
        if self._count == len(self._marks):
            room = self._count // 2
            self._values = np.concatenate([self._values, np.empty((room, self._values.shape[1]))])
            self._marks = np.concatenate([self._marks, np.empty((room, 2), dtype=np.int64)])
        self._values[self._count] = stride.values
        self._marks[self._count] = stride.side.lane, stride.quality
        self._count += 1

    def move(self, by_s: float) -> None:
        """Count all times from elsewhere."""
        self._values[: self._count, _TIMES] += by_s

    def table(self) -> StrideTable:
        """The strides in their order."""
        marks = self._marks[: self._count]
        return StrideTable(marks[:, 0].copy(), self._values[: self._count].copy(), marks[:, 1].copy())
