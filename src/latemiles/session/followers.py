"""The sinks of a session: followers of the store that start with the run and outlive it by some seconds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol, runtime_checkable

from latemiles.errors import LatemilesError
from latemiles.session.live import supervise
from latemiles.session.sink_settings import SinkSettings
from latemiles.signals.events import Event, LiveState
from latemiles.signals.records import RunHeader
from latemiles.sinks.follower import Follower
from latemiles.sinks.messages import LiveScreen
from latemiles.sinks.outbox import Sink
from latemiles.store import Store

__all__ = ["Deliveries", "make_sinks"]

Say = Callable[[str], None]

GRACE_S: Final = 10.0
"""How long a run that is over waits for its last rows to be confirmed, s."""


@runtime_checkable
class _LiveSink(Protocol):
    """A sink that also shows the run as it goes on."""

    live: LiveScreen | None
    ended: bool


def make_sinks(settings: SinkSettings, header: RunHeader | None = None) -> list[Sink]:
    """The sinks that are configured.

    Parameters
    ----------
    settings : SinkSettings
        From the settings file.
    header : RunHeader or None
        The run that goes on; None: rows of past runs only.
    """
    sinks: list[Sink] = []
    if settings.influx is not None:
        from latemiles.sinks.influx import InfluxSink

        sinks.append(InfluxSink(settings.influx))
    if settings.mqtt is not None:
        from latemiles.sinks.mqtt_sink import MqttSink

        sinks.append(MqttSink(settings.mqtt, header))
    if settings.jsonl is not None:
        from latemiles.sinks.jsonl import JsonlSink

        sinks.append(JsonlSink(settings.jsonl))
    return sinks


@dataclass(slots=True)
class Deliveries:
    """All followers of one store; an ``EventSink`` of the session, so that they hear of new rows at once.

    Parameters
    ----------
    store : Store
        The outbox; the session's own sink into it must come before this one.
    sinks : sequence of Sink
        Where the rows go.
    say : callable
        Tells a person one line.
    posture : callable, optional
        Gives the newest still for the live channel.
    grace_s : float
        How long the end of the run waits for what is left, s.
    """

    store: Store
    sinks: Sequence[Sink]
    say: Say
    posture: Callable[[], LiveState] | None = None
    grace_s: float = GRACE_S
    followers: list[Follower] = field(init=False)
    _shown: LiveState | None = None

    def __post_init__(self) -> None:
        self.followers = [Follower(self.store, sink, self.say) for sink in self.sinks]

    def take(self, events: Sequence[Event]) -> None:
        """Take the events of one record: they are in the store already."""
        if events:
            for follower in self.followers:
                follower.wake()
        still = self.posture() if self.posture is not None else None
        is_new = still is not self._shown
        self._shown = still
        if events or is_new:
            for sink in self._live_sinks():
                if sink.live is not None:
                    sink.live.take(events, still if is_new else None)

    def finish(self) -> None:
        """Hear that the run is over."""
        for sink in self._live_sinks():
            sink.ended = True

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Deliver during a ``with`` block, and for up to ``grace_s`` after it.

        Raises
        ------
        LatemilesError
            What the block raised, once the rest is delivered.
        """
        failure: LatemilesError | None = None
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(supervise(f.sink.name, f.run), name=f"sink: {f.sink.name}")
                for f in self.followers
            ]
            try:
                yield
            except LatemilesError as error:
                # What was stored before the run failed is worth delivering too.
                failure = error
            for follower in self.followers:
                follower.finish()
            if tasks:
                _, late = await asyncio.wait(tasks, timeout=self.grace_s)
                for task in late:
                    task.cancel()
        await asyncio.to_thread(self._tell_what_waits)
        if failure is not None:
            raise failure

    def _tell_what_waits(self) -> None:
        for follower in self.followers:
            waiting = self.store.waiting(follower.sink.name)
            if waiting:
                self.say(f"{waiting} rows wait for {follower.sink.label}. 'latemiles sync' sends them later.")

    def _live_sinks(self) -> list[_LiveSink]:
        return [sink for sink in self.sinks if isinstance(sink, _LiveSink)]
