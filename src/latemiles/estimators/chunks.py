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
        self._acc = np.empty((lanes, 0, 3))
        self._gyr = np.empty((lanes, 0, 3))
        self._quality = np.empty((lanes, 0), dtype=np.int64)
        self._first = 0

    @property
    def held(self) -> tuple[int, int]:
        """First sample that waits and the end of those that do."""
        return self._first, self._first + self._quality.shape[1]

    def push(self, grid: GridBlock) -> None:
        """Take the samples that follow on the last ones."""
        if grid.quality.shape[1] == 0:
            return
        if self._quality.shape[1] == 0:
            self._first = grid.first
            self._acc, self._gyr, self._quality = grid.acc, grid.gyr, grid.quality
            return
        self._acc = np.concatenate([self._acc, grid.acc], axis=1)
        self._gyr = np.concatenate([self._gyr, grid.gyr], axis=1)
        self._quality = np.concatenate([self._quality, grid.quality], axis=1)

    def take(self) -> list[GridBlock]:
        """Give out the chunks that are whole."""
        out: list[GridBlock] = []
        while True:
            count = self._length - self._first % self._length
            if self._quality.shape[1] < count:
                return out
            out.append(self._cut(count))

    def rest(self) -> list[GridBlock]:
        """Give out what is left, at the end of a run."""
        count = self._quality.shape[1]
        return [self._cut(count)] if count else []

    def _cut(self, count: int) -> GridBlock:
        block = GridBlock(
            self._first,
            self._rate_hz,
            np.ascontiguousarray(self._acc[:, :count]),
            np.ascontiguousarray(self._gyr[:, :count]),
            np.ascontiguousarray(self._quality[:, :count]),
        )
        self._acc, self._gyr, self._quality = (
            self._acc[:, count:],
            self._gyr[:, count:],
            self._quality[:, count:],
        )
        self._first += count
        return block

    def save(self) -> bytes:
        """State as bytes."""
        lanes, count = self._quality.shape
        head = _HEAD.pack(self._first, lanes, count)
        return head + self._acc.tobytes() + self._gyr.tobytes() + self._quality.tobytes()

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
        self._acc, self._gyr = (part.reshape(lanes, count, 3).copy() for part in np.split(numbers, 2))
        flags = np.frombuffer(state, dtype=np.int64, offset=_HEAD.size + numbers.nbytes)
        self._quality = flags.reshape(lanes, count).copy()
        self._first = first
