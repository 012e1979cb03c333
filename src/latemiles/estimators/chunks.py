"""The grid in pieces of a fixed length that begin at fixed indices, however it comes in."""

from __future__ import annotations

import struct

import numpy as np

from latemiles.errors import ConfigError
from latemiles.signals.blocks import GridBlock

__all__ = ["GridChunks"]

_HEAD = struct.Struct("<3q")


class GridChunks:
    """Collects grid samples and gives them out in whole chunks.

    A chunk ends before each index that is a multiple of ``length``; the first one of a run may be shorter.

    Parameters
    ----------
    length : int
        Samples a chunk.
    lanes : int
        Rows of the grid.
    rate_hz : float
        Of the grid.
    """

    def __init__(self, length: int, lanes: int, rate_hz: float) -> None:
        self._length = length
        self._rate_hz = rate_hz
        empty = np.empty((lanes, 0, 3))
        self._block = GridBlock(0, rate_hz, empty, empty, np.empty((lanes, 0), dtype=np.int64))
        self._more: list[GridBlock] = []
        """What came after the block and is not joined to it yet."""
        self._count = 0

    @property
    def held(self) -> tuple[int, int]:
        """First sample that waits and the end of those that do."""
        return self._block.first, self._block.first + self._count

    def push(self, grid: GridBlock) -> None:
        """Take the samples that follow on the last ones."""
        if grid.quality.shape[1] == 0:
            return
        if self._count == 0:
            self._block, self._more = grid, []
        else:
            self._more.append(grid)
        self._count += grid.quality.shape[1]

    def take(self) -> list[GridBlock]:
        """Give out the chunks that are whole."""
        out: list[GridBlock] = []
        while True:
            count = self._length - self._block.first % self._length
            if self._count < count:
                return out
            out.append(self._cut(count))

    def take_joined(self) -> GridBlock:
        """Give out all chunks that are whole as one block; it is empty where there are none."""
        first, stop = self.held
        return self._cut(max(0, stop - stop % self._length - first))

    def rest(self) -> list[GridBlock]:
        """Give out what is left, at the end of a run."""
        return [self._cut(self._count)] if self._count else []

    def _cut(self, count: int) -> GridBlock:
        whole = self._whole()
        self._block = whole.part(count, self._count)
        self._count -= count
        return whole.part(0, count)

    def _whole(self) -> GridBlock:
        if self._more:
            parts = [self._block, *self._more]
            acc, gyr, quality = (np.concatenate([p[c] for p in parts], axis=1) for c in (2, 3, 4))
            self._block, self._more = GridBlock(self._block.first, self._rate_hz, acc, gyr, quality), []
        return self._block

    def save(self) -> bytes:
        """State as bytes."""
        whole = self._whole()
        head = _HEAD.pack(whole.first, *whole.quality.shape)
        return head + whole.acc.tobytes() + whole.gyr.tobytes() + whole.quality.tobytes()

    def load(self, state: bytes) -> None:
        """Go on from what ``save`` gave.

        Raises
        ------
        ConfigError
            If the bytes are not such a state.
        """
        first, lanes, count = _HEAD.unpack_from(state)
        if len(state) != _HEAD.size + 56 * lanes * count:
            raise ConfigError("state", "is not one of the grid's chunks. Start from the recording instead.")
        numbers = np.frombuffer(state, dtype=np.float64, offset=_HEAD.size, count=6 * lanes * count)
        acc, gyr = (part.reshape(lanes, count, 3).copy() for part in np.split(numbers, 2))
        flags = np.frombuffer(state, dtype=np.int64, offset=_HEAD.size + numbers.nbytes)
        self._block = GridBlock(first, self._rate_hz, acc, gyr, flags.reshape(lanes, count).copy())
        self._more, self._count = [], count
