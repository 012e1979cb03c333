"""A run as it happens: one source, one consumer, and optional parts that may fail.

The order for each record is always the same: written down, interpreted, stored, shown. Only the recorder
may end a run; the page and every sink are supervised and start again by themselves.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from latemiles.pipeline import Pipeline
from latemiles.recording.writer import RecordingWriter
from latemiles.session.inbox import Inbox
from latemiles.signals.events import Event
from latemiles.signals.records import Record, RunHeader

__all__ = ["EventSink", "LiveSession", "supervise"]

log = logging.getLogger(__name__)

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 30.0


class EventSink(Protocol):
    """What takes the events of a run as they come: the store, the live page."""

    def take(self, events: Sequence[Event]) -> None:
        """Take the events of one record."""
        ...


async def supervise(name: str, part: Callable[[], Awaitable[None]]) -> None:
    """Keep an optional part of the session alive: its failure is told and it is started again.

    Parameters
    ----------
    name : str
        The part, as a person would call it.
    part : callable
        Starts the part; returns when its work is over.
    """
    wait_s = _FIRST_WAIT_S
    while True:
        try:
            await part()
        except Exception:
            log.warning(
                "%s stopped; starting it again in %.1f s",
                name,
                wait_s,
                exc_info=log.isEnabledFor(logging.DEBUG),
            )
            await asyncio.sleep(wait_s)
            wait_s = min(2.0 * wait_s, _LONGEST_WAIT_S)
        else:
            return


@dataclass(slots=True)
class LiveSession:
    """One run from its first record to its last.

    Parameters
    ----------
    source : async iterator of Record
        The header first, then what is heard, in order of arrival.
    pipeline : Pipeline
        Interprets the records.
    recorder : RecordingWriter or None
        Writes them down; None when they come from a recording.
    sinks : sequence of EventSink
        Take the events, in this order.
    optional : dict
        Named parts that run beside the session until it ends, such as the web server.
    """

    source: AsyncIterator[Record]
    pipeline: Pipeline
    recorder: RecordingWriter | None
    sinks: Sequence[EventSink]
    optional: dict[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)
    inbox: Inbox = field(default_factory=Inbox)
    heard_ns: int = 0
    """Arrival of the newest record, ns since the run started."""
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    def stop(self) -> None:
        """End the run cleanly: what was heard so far is finished, nothing more is taken."""
        self._stop.set()

    async def run(self) -> None:
        """Run until the source ends or ``stop`` is called; then finish the pipeline and tell the sinks."""
        async with asyncio.TaskGroup() as group:
            parts = [
                group.create_task(supervise(name, part), name=name) for name, part in self.optional.items()
            ]
            listening = group.create_task(self._listen(), name="source")
            stopping = group.create_task(self._stop.wait(), name="stop")
            consuming = group.create_task(self._consume(), name="consumer")
            await asyncio.wait({listening, stopping}, return_when=asyncio.FIRST_COMPLETED)
            listening.cancel()
            stopping.cancel()
            await asyncio.wait({listening, stopping})
            await self.inbox.close()
            await consuming
            for part in parts:
                part.cancel()

    async def _listen(self) -> None:
        async for record in self.source:
            await self.inbox.put(record)

    async def _consume(self) -> None:
        try:
            while (record := await self.inbox.get()) is not None:
                for gone in self.inbox.take_refusals(record_arrival_ns(record)):
                    self._take(gone)
                self._take(record)
            self._show(self.pipeline.finish())
        finally:
            if self.recorder is not None:
                self.recorder.close()

    def _take(self, record: Record) -> None:
        self.heard_ns = max(self.heard_ns, record_arrival_ns(record))
        # The header is the recording's first record since the recorder was made.
        if self.recorder is not None and not isinstance(record, RunHeader):
            self.recorder.append(record)
        self._show(self.pipeline.push(record))

    def _show(self, events: Sequence[Event]) -> None:
        for sink in self.sinks:
            sink.take(events)


def record_arrival_ns(record: Record) -> int:
    """Arrival of a record, ns since the run started; 0 for the header."""
    return int(getattr(record, "arrival_ns", 0))
