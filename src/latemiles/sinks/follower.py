"""Takes rows from the store to one sink, in order, for as long as it takes.

Lossless by construction: the cursor moves only when the other side has confirmed, so an outage, a crash on
either side or a restart costs at most a second delivery of the same rows. Memory is one batch.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from latemiles.sinks.outbox import Outbox, Sink, SinkError, SinkRefused

__all__ = ["Backoff", "Follower"]

log = logging.getLogger(__name__)

TOLD_FROM: Final = 2
"""Attempts in a row that find nobody before a person is told: a server that starts again is no news."""

Say = Callable[[str], None]


@dataclass(slots=True)
class Backoff:
    """Waiting times between attempts: doubled each time, capped, and jittered.

    The jitter keeps fifty gateways from knocking together at a broker that has just come back.

    Parameters
    ----------
    first_s : float
        Longest first wait, s.
    longest_s : float
        Cap, s.
    """

    first_s: float = 0.5
    longest_s: float = 30.0
    _attempts: int = 0
    _dice: random.Random = field(default_factory=random.Random)

    def next_s(self) -> float:
        """How long to wait now: between half of the doubled time and all of it."""
        full = min(self.longest_s, self.first_s * 2.0 ** min(self._attempts, 30))
        self._attempts += 1
        return full * self._dice.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Something succeeded: begin again with the first wait."""
        self._attempts = 0


@dataclass(slots=True)
class Follower:
    """One sink's way through the outbox.

    Parameters
    ----------
    outbox : Outbox
        The store.
    sink : Sink
        Where the rows go.
    say : callable
        Told one line when the sink stops taking rows, and one when it takes them again.
    backoff : Backoff
        Waits between attempts.
    batch : int
        Most rows in memory.
    poll_s : float
        How often the store is looked at when nobody called ``wake``, s.
    """

    outbox: Outbox
    sink: Sink
    say: Say
    backoff: Backoff = field(default_factory=Backoff)
    batch: int = 500
    poll_s: float = 1.0
    delivered: int = 0
    """Rows confirmed since this object was made."""
    rejected: int = 0
    """Rows set aside since this object was made."""
    trouble: str = ""
    """Why nothing is delivered now; empty while all is well."""
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _closing: asyncio.Event = field(default_factory=asyncio.Event)
    _back: int = 0
    _misses: int = 0

    def wake(self) -> None:
        """Say that there are new rows."""
        self._news.set()

    def finish(self) -> None:
        """Ask ``run`` to return as soon as nothing waits any more."""
        self._closing.set()
        self._news.set()

    async def run(self) -> None:
        """Deliver until ``finish`` was called and nothing waits. Outages are waited out."""
        while True:
            try:
                await self._connected()
            except SinkError as error:
                self._tell(error)
                self._back = self.sink.resend_rows
                await asyncio.sleep(self.backoff.next_s())
            else:
                return

    async def drain(self, progress: Callable[[int], None] | None = None) -> None:
        """Deliver everything that waits, once; unlike ``run`` an outage ends it.

        Parameters
        ----------
        progress : callable, optional
            Called with the number of rows delivered so far.

        Raises
        ------
        SinkError
            If the sink cannot take the rows.
        """
        await self.sink.open()
        try:
            while await self._step():
                if progress is not None:
                    progress(self.delivered)
        finally:
            await self.sink.close()

    async def _connected(self) -> None:
        try:
            await self.sink.open()
            while True:
                # Before the look at the store: a wake between the two must not be lost.
                self._news.clear()
                is_last_look = self._closing.is_set()
                if await self._step():
                    continue
                if is_last_look:
                    return
                await self.sink.idle()
                await self._wait_for_news()
        finally:
            await self.sink.close()

    async def _step(self) -> bool:
        """Deliver one batch; False if there was nothing to deliver."""
        name = self.sink.name
        rows = await asyncio.to_thread(self.outbox.follow, name, self.batch, back=self._back)
        if not rows:
            return False
        for bad in await self.sink.deliver(rows):
            self.rejected += 1
            await asyncio.to_thread(self.outbox.set_aside, name, bad.row_id, bad.problem)
            if self.rejected == 1:
                self.say(
                    f"{self.sink.label} refuses a row: {bad.problem} It is set aside, the rest goes on; "
                    "'latemiles doctor' counts such rows."
                )
        await asyncio.to_thread(self.outbox.advance, name, rows[-1].id)
        self._back = 0
        self.delivered += len(rows)
        self._well_again()
        return True

    async def _wait_for_news(self) -> None:
        try:
            async with asyncio.timeout(self.poll_s):
                await self._news.wait()
        except TimeoutError:
            # Another process may have written to the store.
            return

    def _tell(self, error: SinkError) -> None:
        log.debug("%s: %s", self.sink.name, error)
        is_refusal = isinstance(error, SinkRefused)
        self._misses += 1
        if not is_refusal and self._misses < TOLD_FROM:
            return
        # One line for one outage: "refused" and "timed out" may alternate while a server comes up. A refusal
        # is another matter, for it tells a person what to mend.
        if not self.trouble or (is_refusal and str(error) != self.trouble):
            self.say(f"{error} The run goes on; what waits is kept and sent later.")
            self.trouble = str(error)

    def _well_again(self) -> None:
        if self.trouble:
            self.say(f"{self.sink.label} takes rows again; what waited is being sent.")
        self.trouble = ""
        self._misses = 0
        self.backoff.reset()
