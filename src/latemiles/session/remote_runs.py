"""Runs whose sensors are elsewhere: frames of gateways into recordings and the store, exactly once.

A run is resumed after any crash by its recording alone: what it holds goes through the pipeline again, and
its gateway is asked for the rest. Confirmed is only what has been handed to the operating system.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from latemiles.errors import LatemilesError, PacketError
from latemiles.session.gateway_frames import RAW_PATTERN, Answer, Frame, ack_topic, raw_topic, unpack
from latemiles.session.home import Home
from latemiles.session.live import supervise
from latemiles.session.remote_run import RemoteRun, resumed
from latemiles.signals.records import RunHeader
from latemiles.sinks.follower import Backoff
from latemiles.sinks.mqtt import MqttConnection, MqttSettings, connected
from latemiles.sinks.outbox import SinkError
from latemiles.store import Store
from latemiles.web.broadcast import LiveBoard

__all__ = ["RemoteRuns"]

log = logging.getLogger(__name__)

Say = Callable[[str], None]

CONFIRM_S: Final = 0.5
"""No frame for so long: what was taken is flushed and confirmed, s."""
CONFIRM_RECORDS: Final = 100
"""So many were taken: the same."""
CONFIRM_AT_LEAST_S: Final = 1.0
"""A server with more to do than it can is slow, not silent: it confirms as often as this, s."""
WAITING_FRAMES: Final = 64
"""Frames of one run that may wait; more are dropped and asked for again."""
STEADY_S: Final = 10.0
"""A connection that has lasted so long was a good one, s."""
PUSHED_OUT: Final = 4
"""So many others in a row: somebody has the same client id."""
SESSION_S: Final = 3600
"""How long the broker keeps frames for a server that is away, s."""


@dataclass(slots=True)
class _Lane:
    """One run's queue and its worker."""

    frames: asyncio.Queue[Frame]
    backoff: Backoff
    """Waits after a failure, such as a full disk."""
    run: RemoteRun | None = None
    confirmed: int = -1
    confirmed_s: float = -1e9
    asked_s: float = -1e9
    """When a missing stretch was last asked for, s."""
    is_stuck: bool = False
    """Has failed, and has confirmed nothing since."""


class RemoteRuns:
    """All runs that come over one broker.

    Parameters
    ----------
    home : Home
        Where recordings go.
    store : Store
        Where events go.
    settings : MqttSettings
        Which broker, and as whom.
    say : callable
        Tells a person one line.
    units : str
        ``metric`` or ``mile``: how long a split is.
    confirm_s : float
        How often what was taken is confirmed, s.
    backoff : Backoff or None
        Waits between attempts to connect, and to go on with a run that failed.
    board : LiveBoard or None
        Where a live page shows all of them; None: there is no page.
    """

    def __init__(
        self,
        home: Home,
        store: Store,
        settings: MqttSettings,
        say: Say,
        *,
        units: str = "metric",
        confirm_s: float = CONFIRM_S,
        backoff: Backoff | None = None,
        board: LiveBoard | None = None,
    ) -> None:
        self._units, self._board = units, board
        self._home, self._store, self._settings, self._say = home, store, settings, say
        self._confirm_s = confirm_s
        self._backoff = backoff or Backoff()
        self._lanes: dict[str, _Lane] = {}
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._link: MqttConnection | None = None
        self.dropped = 0
        """Frames that came faster than they were taken; they are asked for again."""

    @property
    def runs(self) -> list[RemoteRun]:
        """Runs that have begun."""
        return [lane.run for lane in self._lanes.values() if lane.run is not None]

    async def serve(self) -> None:
        """Take frames until cancelled; outages of the broker are waited out."""
        told, brief, loop = False, 0, asyncio.get_running_loop()
        try:
            while True:
                began_s = loop.time()
                try:
                    async with connected(
                        self._settings,
                        # Its own: the sink of this process has the client id of the settings.
                        client_id=f"{self._settings.client_id or 'latemiles'}-server",
                        keep_session_s=SESSION_S,
                    ) as link:
                        self._link = link
                        await link.subscribe(RAW_PATTERN)
                        if told:
                            self._say(f"{link.label} is back.")
                        told = False
                        began_s = loop.time()
                        await self._receive(link)
                except SinkError as error:
                    was_there, self._link = self._link is not None, None
                    if not told:
                        self._say(f"{error} Gateways keep what they hear and send it later.")
                    told = True
                    if loop.time() - began_s > STEADY_S:
                        brief = 0
                        self._backoff.reset()
                    elif was_there:
                        brief += 1
                    if brief == PUSHED_OUT:
                        self._say(
                            "The broker takes this server and drops it again and again. Is there another "
                            "'latemiles serve' on it? Two push each other out; end one of them."
                        )
                    await asyncio.sleep(self._backoff.next_s())
        finally:
            self._link = None
            for worker in self._workers.values():
                worker.cancel()
            if self._workers:
                await asyncio.wait(self._workers.values())
            for run in self.runs:
                run.leave()

    async def _receive(self, link: MqttConnection) -> None:
        for raw in self._lanes:
            # Whoever waits for this server learns at once that it is back.
            await self._answer(raw, resend=True)
        while True:
            message = await link.receive()
            raw = message.topic
            try:
                frame = unpack(message.payload)
            except PacketError as error:
                log.warning("%s: %s", raw, error)
                continue
            lane = self._lanes.get(raw)
            if lane is None:
                waits = Backoff(self._backoff.first_s, self._backoff.longest_s)
                lane = self._lanes[raw] = _Lane(asyncio.Queue(WAITING_FRAMES), waits)
                part = partial(self._work, raw, lane)
                self._workers[raw] = asyncio.create_task(supervise(f"run {raw}", part), name=f"run {raw}")
            try:
                lane.frames.put_nowait(frame)
            except asyncio.QueueFull:
                self.dropped += 1

    async def _work(self, raw: str, lane: _Lane) -> None:
        """Take the frames of one run; what stops it is waited out, for its gateway keeps everything."""
        while True:
            try:
                await self._take_all(raw, lane)
            except LatemilesError as error:
                if not lane.is_stuck:
                    self._say(f"{raw}: {error} Its gateway keeps what it heard; it is tried again.")
                lane.is_stuck = True
                run, lane.run = lane.run, None
                if run is not None:
                    # Its pipeline may have seen more than the store: the recording alone is gone on from.
                    run.abandon()
                await asyncio.sleep(lane.backoff.next_s())

    async def _take_all(self, raw: str, lane: _Lane) -> None:
        """Take the frames of one run in order, and confirm."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                async with asyncio.timeout(self._confirm_s):
                    frame = await lane.frames.get()
            except TimeoutError:
                await self._confirm(raw, lane)
                continue
            await self._take(raw, lane, frame)
            # A queue with frames in it never lets go of the loop by itself: pings and other runs want it too.
            await asyncio.sleep(0.0)
            news = lane.run.next - lane.confirmed if lane.run is not None else 0
            if news > CONFIRM_RECORDS or loop.time() - lane.confirmed_s > CONFIRM_AT_LEAST_S:
                await self._confirm(raw, lane)

    async def _take(self, raw: str, lane: _Lane, frame: Frame) -> None:
        if lane.run is None:
            lane.run = await self._open(raw, frame)
        run = lane.run
        was_over = run is None or run.is_over
        if run is None or not run.take_frame(frame):
            loop = asyncio.get_running_loop()
            if loop.time() - lane.asked_s > self._confirm_s:
                lane.asked_s = loop.time()
                await self._answer(raw, resend=True)
        elif frame.is_last or frame.end <= lane.confirmed:
            # The end, or something sent twice: its gateway has missed an answer.
            await self._confirm(raw, lane, again=True)
        if run is not None and self._board is not None:
            run.shown.offer(self._board)
        if run is not None and run.is_over and not was_over:
            self._say(f"Run {run.header.run} of {run.header.athlete} is over: {run.path}")

    async def _open(self, raw: str, frame: Frame) -> RemoteRun | None:
        """Begin or go on with a run; None while its first frame has not come and nothing is known of it."""
        first = frame.records[0] if frame.records else None
        header = first if isinstance(first, RunHeader) else None
        if header is not None and raw_topic(header) != raw:
            raise PacketError("Its header belongs to another run. Update latemiles on both sides.")
        run = await asyncio.to_thread(resumed, self._home, self._store, raw, header, self._units)
        if run is not None:
            words = "goes on" if run.next > 1 else "begins"
            self._say(f"Run {run.header.run} of {run.header.athlete} {words}.")
        return run

    async def _confirm(self, raw: str, lane: _Lane, *, again: bool = False) -> None:
        run = lane.run
        if run is None or (run.next == lane.confirmed and not again):
            return
        run.flush()
        lane.confirmed = run.next
        lane.confirmed_s = asyncio.get_running_loop().time()
        lane.is_stuck = False
        lane.backoff.reset()
        await self._answer(raw)

    async def _answer(self, raw: str, *, resend: bool = False) -> None:
        lane, link = self._lanes[raw], self._link
        run = lane.run
        answer = Answer(run.next, resend, run.is_over) if run is not None else Answer(0, resend=True)
        if run is not None and resend:
            # What is asked for from here on must be written down up to here.
            run.flush()
        if link is None:
            return
        try:
            await link.publish(ack_topic(raw), answer.to_bytes())
        except SinkError:
            # The gateway sends again after a silence, and is answered then.
            log.debug("%s: an answer was lost", raw)
