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

from latemiles.cancelled import asked_to_end
from latemiles.errors import LatemilesError
from latemiles.pipeline import Pipeline
from latemiles.recording.writer import RecordingWriter
from latemiles.session.inbox import Inbox
from latemiles.signals.events import Event
from latemiles.signals.records import Record, RunHeader

__all__ = ["EventSink", "LiveSession", "supervise"]

log = logging.getLogger(__name__)

FLUSH_S = 1.0
_MOST_AT_ONCE = 64
"""Records that are taken at once when more wait: a second of three sensors."""
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 30.0
_FAREWELL_S = 20.0
"""How long a source may take to end by itself once it is asked to."""


class EventSink(Protocol):
    """What takes the events of a run as they come: the store, the live page."""

    def take(self, events: Sequence[Event]) -> None:
        """Take the events of one record."""
        ...

    def finish(self) -> None:
        """Hear that the run is over: there are no further events."""
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
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and asked_to_end():
                raise
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
    listeners: list[Callable[[Record], None]] = field(default_factory=list)
    """Told each record once it is written down and interpreted, before its events are shown."""
    end_source: Callable[[], None] | None = None
    """Asks a source that can to end by itself: sensors still send what is missing, and are told goodbye."""
    inbox: Inbox = field(default_factory=Inbox)
    heard_ns: int = 0
    """Arrival of the newest record, ns since the run started."""
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _failure: LatemilesError | None = None

    def stop(self) -> None:
        """End the run cleanly: what was heard so far is finished, nothing more is taken."""
        self._stop.set()

    async def run(self) -> None:
        """Run until the source ends or ``stop`` is called; then finish the pipeline and tell the sinks.

        Raises
        ------
        LatemilesError
            If the source or the recorder failed; what was heard before is recorded.
        """
        try:
            await self._run()
        except* LatemilesError as failures:
            raise _first(failures) from failures

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            parts = [
                group.create_task(supervise(name, part), name=name) for name, part in self.optional.items()
            ]
            listening = group.create_task(self._listen(), name="source")
            stopping = group.create_task(self._stop.wait(), name="stop")
            flushing = group.create_task(self._keep_flushing(), name="flush")
            consuming = group.create_task(self._consume(flushing), name="consumer")
            await asyncio.wait({listening, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if self.end_source is not None and not listening.done():
                self.end_source()
                await asyncio.wait({listening}, timeout=_FAREWELL_S)
            listening.cancel()
            stopping.cancel()
            await asyncio.wait({listening, stopping})
            self.inbox.close()
            await consuming
            for part in parts:
                part.cancel()
        if self._failure is not None:
            raise self._failure

    async def _listen(self) -> None:
        try:
            async for record in self.source:
                await self.inbox.put(record)
        except LatemilesError as error:
            # Raised once everything that came before it is written down and interpreted.
            self._failure = error

    async def _consume(self, flushing: asyncio.Task[None]) -> None:
        try:
            while (record := await self.inbox.get()) is not None:
                gone = self.inbox.take_refusals(record_arrival_ns(record))
                more = self.inbox.get_more(_MOST_AT_ONCE - 1)
                self._take([*gone, record, *more])
                if more:
                    # A session that is behind must not hold up the live page too.
                    await asyncio.sleep(0.0)
            self._show(self.pipeline.finish())
            self._tell(lambda sink: sink.finish())
        finally:
            # At once, before anything else may run: there is nothing left to flush.
            flushing.cancel()
            if self.recorder is not None:
                self.recorder.close()

    def _take(self, records: Sequence[Record]) -> None:
        """Take what waits, mostly one record; more are stored and shown at once, to catch up."""
        for record in records:
            self.heard_ns = max(self.heard_ns, record_arrival_ns(record))
            # The header is the recording's first record since the recorder was made.
            if self.recorder is not None and not isinstance(record, RunHeader):
                self.recorder.append(record)
        # One by one: a stretch says the same in another order, and live says what replay says to the byte.
        events = [event for record in records for event in self.pipeline.push(record)]
        for record in records:
            for listener in self.listeners:
                listener(record)
        self._show(events)

    async def _keep_flushing(self) -> None:
        """Bring what is written to the disk once a second, also when nothing more is heard."""
        while self.recorder is not None:
            await asyncio.sleep(FLUSH_S)
            self.recorder.flush()

    def _show(self, events: Sequence[Event]) -> None:
        self._tell(lambda sink: sink.take(events))

    def _tell(self, word: Callable[[EventSink], None]) -> None:
        """Tell every sink; one that fails is left out from then on, for the recording holds everything."""
        for sink in list(self.sinks):
            try:
                word(sink)
            except LatemilesError as error:
                log.warning(
                    "%s The run goes on and is recorded; 'latemiles report' makes every number again.", error
                )
                self.sinks = [other for other in self.sinks if other is not sink]


def _first(failures: BaseExceptionGroup[LatemilesError]) -> LatemilesError:
    """The first error inside a group of groups."""
    error: BaseException = failures
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error if isinstance(error, LatemilesError) else LatemilesError(str(error))


def record_arrival_ns(record: Record) -> int:
    """Arrival of a record, ns since the run started; 0 for the header."""
    return int(getattr(record, "arrival_ns", 0))
