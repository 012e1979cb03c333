"""The grid in pieces of a fixed length that begin at fixed indices, however it comes in."""

from __future__ import annotations

import struct

import numpy as np

from latemiles.errors import ConfigError
from latemiles.signals.blocks import GridBlock, joined

__all__ = ["GridChunks"]

_HEAD = struct.Struct("<5q")


class GridChunks:
    """Collects grid samples and gives them out in whole chunks.

    A chunk ends before each index that is a multiple of ``length``, so that the first one of a run may be
    shorter; or, with ``from_first``, chunks are counted from the run's first sample.

    Parameters
    ----------
    length : int
        Samples a chunk.
    lanes : int
        Rows of the grid.
    rate_hz : float
        Of the grid.
    from_first : bool
    """

    def __init__(self, length: int, lanes: int, rate_hz: float, *, from_first: bool = False) -> None:
        self._length = length
        self._rate_hz = rate_hz
        empty = np.empty((lanes, 0, 3))
        self._none = GridBlock(0, rate_hz, empty, empty, np.empty((lanes, 0), dtype=np.int64))
        self._zero: int | None = None if from_first else 0
        """A sample at which a chunk begins; None until the first one comes."""
        self._blocks: list[GridBlock] = []
        """What came and was not given out."""
        self._first = 0
        """Number of the first sample of it, or of the one to come."""
        self._count = 0

    @property
    def held(self) -> tuple[int, int]:
        """First sample that waits and the end of those that do."""
        return self._first, self._first + self._count

    def push(self, *grids: GridBlock) -> None:
        """Take the samples that follow on the last ones."""
        for grid in grids:
            if grid.quality.shape[1] == 0:
                continue
            if self._zero is None:
                self._zero = grid.first
            if self._count == 0:
                self._first = grid.first
            self._blocks.append(grid)
            self._count += grid.quality.shape[1]

    def take(self) -> list[GridBlock]:
        """Give out the chunks that are whole."""
        out: list[GridBlock] = []
        while True:
            count = self._length - (self._first - (self._zero or 0)) % self._length
            if self._count < count:
                return out
            out.append(self._cut(count))

    def take_joined(self) -> GridBlock:
        """Give out all chunks that are whole as one block; it is empty where there are none."""
        first, stop = self.held
        return self._cut(max(0, stop - (stop - (self._zero or 0)) % self._length - first))

    def rest(self) -> list[GridBlock]:
        """Give out what is left, at the end of a run."""
        return [self._cut(self._count)] if self._count else []

    def _cut(self, count: int) -> GridBlock:
        """Give out the first ``count`` samples, copied once at most."""
        parts, left = [], count
        while left:
            block = self._blocks.pop(0)
            k = block.quality.shape[1]
            if k > left:
                self._blocks.insert(0, block.view(left, k))
                block = block.view(0, left)
            parts.append(block)
            left -= min(k, left)
        self._first += count
        self._count -= count
        return joined(parts).whole() if parts else self._none

    def save(self) -> bytes:
        """State as bytes."""
        whole = joined(self._blocks).whole() if self._blocks else self._none
        shape = whole.quality.shape
        head = _HEAD.pack(self._zero is not None, self._zero or 0, self._first, *shape)
        return head + whole.acc.tobytes() + whole.gyr.tobytes() + whole.quality.tobytes()

    def load(self, state: bytes) -> None:
        """Go on from what ``save`` gave.

        Raises
        ------
        ConfigError
            If the bytes are not such a state.
        """
        has_zero, zero, first, lanes, count = _HEAD.unpack_from(state)
        if len(state) != _HEAD.size + 56 * lanes * count:
            raise ConfigError("state", "is not one of the grid's chunks. Start from the recording instead.")
        numbers = np.frombuffer(state, dtype=np.float64, offset=_HEAD.size, count=6 * lanes * count)
        acc, gyr = (part.reshape(lanes, count, 3).copy() for part in np.split(numbers, 2))
        flags = np.frombuffer(state, dtype=np.int64, offset=_HEAD.size + numbers.nbytes)
        flags = flags.reshape(lanes, count).copy()
        self._zero = zero if has_zero else None
        self._blocks = [GridBlock(first, self._rate_hz, acc, gyr, flags)] if count else []
        self._first, self._count = first, count
