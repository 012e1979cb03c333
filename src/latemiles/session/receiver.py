"""Bluetooth in a thread of its own: arrival times are not held up by what the session computes.

The same for a real adapter and for the virtual radio; the virtual one also has a time of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from latemiles.errors import LinkFailed
from latemiles.sensors.ble_errors import LinkReason
from latemiles.session.connect import Reception
from latemiles.session.hand_over import HandOver
from latemiles.session.live import LiveSession
from latemiles.signals.records import Record, RunHeader, SensorInfo

__all__ = ["GATHER_S", "Receiver", "Run", "in_real_time"]

GATHER_S: Final = 30.0
FAREWELL_S: Final = 15.0
"""Longest wait for the end of the thread: what is missing is fetched, every sensor is told."""

Run = Callable[[Callable[[], Coroutine[Any, Any, None]]], None]


def in_real_time(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine to its end in a new event loop."""
    asyncio.run(main())


class Receiver:
    """A thread that keeps the links of a run and hands over what they hear.

    Parameters
    ----------
    listening : callable
        Makes the context in which a ``Reception`` listens; called in the thread.
    hand_over : HandOver
        Where records go.
    run : callable
        Runs a coroutine to its end in a new event loop.
    lasts_s : float or None
        The run ends by itself after so long, in the loop's time; None: when ``end`` is called.
    begun_s : float
        Session time at which it begins; above zero when a run is gone on with.
    gather_s : float
        Longest wait for all sensors.
    """

    def __init__(
        self,
        listening: Callable[[], AbstractAsyncContextManager[Reception]],
        hand_over: HandOver,
        run: Run = in_real_time,
        *,
        lasts_s: float | None = None,
        begun_s: Callable[[], float] = lambda: 0.0,
        gather_s: float = GATHER_S,
    ) -> None:
        self._listening, self._hand_over, self._run = listening, hand_over, run
        self._lasts_s, self._begun_s, self._gather_s = lasts_s, begun_s, gather_s
        self.reception: Reception | None = None
        """The links, once the thread has begun; its views may be read from any thread."""
        self._infos: tuple[SensorInfo, ...] = ()
        self._failure: Exception | None = None
        self._is_ready = threading.Event()
        self._is_called = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._go: asyncio.Event
        self._end: asyncio.Event
        self._is_ended = False
        self._thread = threading.Thread(target=self._live, name="bluetooth", daemon=True)

    def gather(self, meanwhile: Callable[[], object] = lambda: None) -> tuple[SensorInfo, ...]:
        """Begin; wait until every sensor is linked, or as long as was said; those that are, in lane order.

        Parameters
        ----------
        meanwhile : callable
            What this thread does while the other one listens.

        Raises
        ------
        LinkFailed
            If no sensor answered.
        """
        self._thread.start()
        try:
            meanwhile()
        except BaseException:
            # Ctrl-C: no link may be left behind.
            self.end()
            raise
        self._is_ready.wait()
        if self._failure is not None:
            raise self._failure
        if not self._infos:
            self.end()
            trouble = self.reception.trouble if self.reception is not None else None
            raise trouble or LinkFailed(
                LinkReason.SILENT,
                "No sensor answered. Wake the sensors (press or shake them), bring them near, and see "
                "'latemiles scan'.",
            )
        return self._infos

    async def records(self, header: RunHeader) -> AsyncIterator[Record]:
        """All that is heard, the header first; session time zero is now.

        Parameters
        ----------
        header : RunHeader
            The first record.

        Yields
        ------
        Record
            In order of arrival, until the run is over.
        """
        self._call(lambda: self._go.set())
        self._is_called.set()
        try:
            yield header
            async for record in self._hand_over.take():
                yield record
        finally:
            self.end()
            self._hand_over.close()
            self._thread.join(FAREWELL_S)
        if self._failure is not None:
            raise self._failure

    def attach(self, session: LiveSession) -> None:
        """Have the end of a session end the run here too, before it stops listening."""
        session.end_source = self.end

    def end(self) -> None:
        """Let the run end: what is missing is fetched, the sensors are stopped, the links closed."""
        self._is_ended = True
        self._call(lambda: self._end.set())
        self._is_called.set()

    def _call(self, what: Callable[[], None]) -> None:
        if self._loop is not None:
            # The thread may be at its end already.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(what)

    # In the thread.

    def _live(self) -> None:
        try:
            self._run(self._main)
        except Exception as error:  # noqa: BLE001 raised again in the session's thread
            self._failure = error
        finally:
            self._is_ready.set()
            self._hand_over.close()

    async def _main(self) -> None:
        self._go, self._end = asyncio.Event(), asyncio.Event()
        self._loop = asyncio.get_running_loop()
        if self._is_ended:
            # Said before there was a loop to say it to.
            self._end.set()
        async with self._listening() as reception:
            self.reception = reception
            gathering = asyncio.ensure_future(reception.gather(self._gather_s))
            if await self._first(gathering, self._end.wait()):
                return
            self._infos = gathering.result()
            self._is_ready.set()
            if self._hand_over.can_wait:
                # A world with a time of its own stands still until somebody listens.
                self._is_called.wait()
            if await self._first(self._go.wait(), self._end.wait()):
                return
            speaking = asyncio.ensure_future(reception.speak(self._hand_over.offer, begun_s=self._begun_s()))
            try:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._lasts_s):
                        await self._end.wait()
            finally:
                speaking.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await speaking

    async def _first(self, wanted: Any, end: Coroutine[Any, Any, Any]) -> bool:
        """Wait for something; True if the end came first."""
        waits = [asyncio.ensure_future(wanted), asyncio.ensure_future(end)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                if not wait.done():
                    wait.cancel()
        return self._is_ended and not waits[0].done()
