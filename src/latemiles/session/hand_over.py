"""From the radio's thread to the session's: bounded, in order, and it counts what it refuses."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter, deque
from collections.abc import AsyncIterator

from latemiles.signals.frames import Segment
from latemiles.signals.records import Gone, Packet, Record

__all__ = ["HandOver"]


class HandOver:
    """Bounded queue between two threads.

    Policy when full: a radio that cannot wait has the newest packet refused and counted, and is told so, for
    the sensor may send it again; a simulated world stands still until there is room.

    Parameters
    ----------
    size : int
        Records that may wait.
    can_wait : bool
        Whether the giving side may be held up.
    gather_s : float
        After a wait the taking side lets so much more come: for a world that is faster than life, where many
        records at once cost less.
    """

    def __init__(self, size: int, *, can_wait: bool, gather_s: float = 0.0) -> None:
        self._size, self.can_wait, self._gather_s = size, can_wait, gather_s
        self._records: deque[Record] = deque()
        self._room = threading.Condition()
        self._refused: Counter[Segment] = Counter()
        self.refused_total = 0
        self._is_closed = False
        self._is_waiting = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news: asyncio.Event | None = None

    # The giving side.

    def offer(self, record: Record) -> bool:
        """Hand a record over; False if it was refused. Never raises; waits only if it may."""
        with self._room:
            while self.can_wait and len(self._records) >= self._size and not self._is_closed:
                self._room.wait()
            if len(self._records) >= self._size and isinstance(record, Packet):
                self._refused[record.segment] += 1
                self.refused_total += 1
                return False
            if self._refused and isinstance(record, Packet):
                self._records += [
                    Gone(record.arrival_ns, segment, count, "the computer was too slow to take every packet")
                    for segment, count in sorted(self._refused.items())
                ]
                self._refused.clear()
            self._records.append(record)
            # Waking costs a system call; a taker that is busy looks again by itself.
            is_awaited, self._is_waiting = self._is_waiting, False
        if is_awaited:
            self._wake()
        return True

    def close(self) -> None:
        """Nothing more comes."""
        with self._room:
            self._is_closed = True
            self._room.notify_all()
        self._wake()

    # The taking side.

    async def take(self) -> AsyncIterator[Record]:
        """Everything that is handed over, in order, until it is closed.

        Yields
        ------
        Record
            The next one.
        """
        self._loop, self._news = asyncio.get_running_loop(), asyncio.Event()
        while True:
            self._news.clear()
            with self._room:
                batch = list(self._records)
                self._records.clear()
                is_closed = self._is_closed
                self._is_waiting = not batch
                self._room.notify_all()
            for record in batch:
                yield record
            if batch:
                # A batch of a fast world must not hold up the live page.
                await asyncio.sleep(0.0)
            elif is_closed:
                return
            else:
                await self._news.wait()
                if self._gather_s > 0.0:
                    await asyncio.sleep(self._gather_s)

    def _wake(self) -> None:
        loop, news = self._loop, self._news
        if loop is not None and news is not None:
            # The taking side's loop may be closed already.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(news.set)
