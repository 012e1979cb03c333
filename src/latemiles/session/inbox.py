"""The hand-over from a radio callback to the session: bounded, and it counts what it refuses."""

from __future__ import annotations

import asyncio
from collections import Counter

from latemiles.signals.frames import Segment
from latemiles.signals.records import Gone, Packet, Record

__all__ = ["Inbox"]


class Inbox:
    """Bounded queue of records. Policy when full: the newest packet is refused and counted.

    What was refused is said to the run as a ``Gone`` record as soon as there is room again. What is no
    packet is taken also then: marks, poses and words of links are few, and nobody says them twice.

    Parameters
    ----------
    size : int
        Packets that may wait. 2048 is about half a minute of three sensors.
    """

    def __init__(self, size: int = 2048) -> None:
        self._size = size
        self._queue: asyncio.Queue[Record | None] = asyncio.Queue()
        self._room = asyncio.Event()
        self._refused: Counter[Segment] = Counter()
        self.refused_total = 0

    def offer(self, record: Record) -> bool:
        """Take a record without waiting; refuse and count a packet when full.

        Runs inside a notification callback: it must not await, block or raise.

        Returns
        -------
        bool
            Whether it was taken: what was refused may be asked for again.
        """
        if isinstance(record, Packet) and self._queue.qsize() >= self._size:
            self._refused[record.segment] += 1
            self.refused_total += 1
            return False
        self._queue.put_nowait(record)
        return True

    async def put(self, record: Record) -> None:
        """Wait until there is room: for sources that can wait, such as a file."""
        while self._queue.qsize() >= self._size:
            self._room.clear()
            await self._room.wait()
        self._queue.put_nowait(record)

    def close(self) -> None:
        """Say that nothing more comes."""
        self._queue.put_nowait(None)

    async def get(self) -> Record | None:
        """Return the next record; None once closed. Refusals come first, as records of their own."""
        record = await self._queue.get()
        self._room.set()
        return record

    def get_more(self, most: int) -> list[Record]:
        """Up to so many records that wait already; what says the end stays."""
        more: list[Record] = []
        while len(more) < most and not self._queue.empty():
            record = self._queue.get_nowait()
            if record is None:
                self._queue.put_nowait(None)
                break
            more.append(record)
        self._room.set()
        return more

    def take_refusals(self, arrival_ns: int) -> list[Record]:
        """Return refusals since the last call as ``Gone`` records and forget them."""
        gone: list[Record] = [
            Gone(arrival_ns, segment, count, "the computer was too slow to take every packet")
            for segment, count in sorted(self._refused.items())
        ]
        self._refused.clear()
        return gone
