"""Strides as they come, kept in flat arrays: a tenth of the memory of the events themselves."""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from latemiles.metrics.catalogue import COLUMN_INDEX, NUMERIC_COLUMNS
from latemiles.metrics.table import StrideTable
from latemiles.signals.events import Stride
from latemiles.signals.frames import SIDES

__all__ = ["Kept", "StrideBatch", "StrideRows"]

Batch = TypeVar("Batch", contravariant=True)

_TIMES: Final = [COLUMN_INDEX["t_ic_s"], COLUMN_INDEX["t_to_s"]]


class StrideBatch(NamedTuple):
    """Some strides in a row, as arrays."""

    first: int
    """Running number of the first one."""
    t_s: NDArray[np.float64]
    """(n,) initial contact that starts it, s."""
    lanes: NDArray[np.int64]
    """(n,) 0 left, 1 right."""
    values: NDArray[np.float64]
    """(n, n_columns), as ``Stride.values``."""
    quality: NDArray[np.int64]
    """(n,) StrideQuality bits."""

    def events(self) -> list[Stride]:
        """The same as events."""
        rows = zip(*(column.tolist() for column in self[1:]), strict=True)
        return [
            Stride(t_s, SIDES[lane], self.first + k, tuple(values), quality)
            for k, (t_s, lane, values, quality) in enumerate(rows)
        ]

    @classmethod
    def of(cls, stride: Stride) -> StrideBatch:
        """One stride alone."""
        lane, quality = np.array([stride.side.lane]), np.array([stride.quality])
        return cls(stride.index, np.array([stride.t_s]), lane, np.array([stride.values]), quality)


class Rows(Protocol[Batch]):
    """Takes several at once."""

    def extend(self, batch: Batch, /) -> None:
        """Keep them."""


class Kept(Protocol):
    """Takes what there is most of, for those who do not want it as events."""

    @property
    def gait(self) -> Rows[NDArray[np.float64]]:
        """Takes gait events."""

    @property
    def strides(self) -> Rows[StrideBatch]:
        """Takes strides."""


class StrideRows:
    """Strides appended one by one or in batches; ``table`` gives them as columns."""

    def __init__(self) -> None:
        self._values: NDArray[np.float64] = np.empty((64, len(NUMERIC_COLUMNS)))
        self._marks: NDArray[np.int64] = np.empty((64, 2), dtype=np.int64)
        """Lane of the side, and quality bits."""
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, stride: Stride) -> None:
        """Keep one stride."""
        rows = self._more(1)
        self._values[rows] = stride.values
        self._marks[rows] = stride.side.lane, stride.quality

    def extend(self, batch: StrideBatch) -> None:
        """Keep some strides."""
        rows = self._more(len(batch.lanes))
        self._values[rows] = batch.values
        self._marks[rows, 0], self._marks[rows, 1] = batch.lanes, batch.quality

    def move(self, by_s: float) -> None:
        """Count all times from elsewhere."""
        self._values[: self._count, _TIMES] += by_s

    def table(self) -> StrideTable:
        """The strides in their order."""
        marks = self._marks[: self._count]
        return StrideTable(marks[:, 0].copy(), self._values[: self._count].copy(), marks[:, 1].copy())

    def _more(self, count: int) -> slice:
        """Places for further strides."""
        first, self._count = self._count, self._count + count
        if self._count > len(self._marks):
            room = max(self._count, 3 * len(self._marks) // 2) - len(self._marks)
            self._values = np.concatenate([self._values, np.empty((room, self._values.shape[1]))])
            self._marks = np.concatenate([self._marks, np.empty((room, 2), dtype=np.int64)])
        return slice(first, self._count)
