"""The last frames of a sensor in its RAM: what a host may ask for again."""

from __future__ import annotations

import struct
from typing import Final

from latemiles.sensors import protocol
from latemiles.sensors.drivers import latemiles_v1

__all__ = ["FrameRing"]

_HEAD: Final = struct.Struct("<BBBBII")
_SAMPLE_BYTES: Final = 12
_BREAKS: Final = latemiles_v1.GAP_BEFORE | latemiles_v1.CLOCK_STEP
"""Flags of a frame that does not follow the one before."""


class FrameRing:
    """Frames as sent, in slots of one size, numbered from 0 since the session began.

    Parameters
    ----------
    size : int
        Memory, bytes.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.head = self.tail = 0
        """Numbers of the frame being filled and of the oldest whole one."""
        self._slots = 0
        self._frames: dict[int, bytes] = {}

    def start(self, samples: int) -> None:
        """Empty it, for frames of so many samples."""
        self._slots = self.size // (_HEAD.size + _SAMPLE_BYTES * samples)
        self._frames.clear()
        self.head = self.tail = 0

    def close(self, frame: bytes) -> None:
        """Take a whole frame; the oldest makes room for the next one."""
        self._frames[self.head] = frame
        self.head += 1
        if self.head - self.tail >= self._slots:
            del self._frames[self.tail]
            self.tail += 1

    def frame(self, number: int) -> bytes | None:
        """A whole frame; None if it is gone or not there yet."""
        return self._frames.get(number)

    def find(self, index: int) -> int:
        """Number of the first frame that holds a sample index or a later one; head if there is none."""
        low, high = self.tail, self.head
        while low < high:
            middle = (low + high) // 2
            there = protocol.frame_head(self._frames[middle])
            if there is not None and index < there.first + there.n:
                high = middle
            else:
                low = middle + 1
        return low

    def gather(self, index: int, most: int, period_ticks: float) -> bytes:
        """Samples that follow each other, from an index or the oldest after it, as one frame.

        Parameters
        ----------
        index : int
            Of the first sample wanted.
        most : int
            Samples in the frame.
        period_ticks : float
            From sample to sample.

        Returns
        -------
        bytes
            A frame of what is sent again; no bytes if there is nothing.
        """
        number, body, n = self.find(index), b"", 0
        epoch = flags = tick = 0
        while n < most and (frame := self.frame(number)) is not None:
            head = protocol.frame_head(frame)
            if head is None or (n and (head.first != index + n or head.flags & _BREAKS)):
                break
            if n == 0:
                index = max(index, head.first)
                skipped = index - head.first
                tick, epoch = head.tick + round(skipped * period_ticks), head.epoch
                flags = head.flags & latemiles_v1.CLIPPED if skipped else head.flags
            flags |= head.flags if n else 0
            skip = index + n - head.first
            take = min(head.n - skip, most - n)
            at = _HEAD.size + _SAMPLE_BYTES * skip
            body += frame[at : at + _SAMPLE_BYTES * take]
            n, number = n + take, number + 1
        if n == 0:
            return b""
        kind = protocol.VERSION << 4 | latemiles_v1.RESEND
        return _HEAD.pack(kind, n, flags, epoch, index & 0xFFFFFFFF, tick & 0xFFFFFFFF) + body
