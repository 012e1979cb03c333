"""Near the sensors: hear, keep, send; and send again what the server does not have.

A QoS 1 acknowledgement is the broker's. So the server itself answers how many records it has written down,
at most a window of frames is under way, and after a silence or a gap everything from the first missing
record is sent again. The server drops what it has already: each record arrives exactly once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Final

from latemiles.errors import LatemilesError, PacketError, StoreError
from latemiles.session.gateway_frames import Answer, ack_topic, raw_topic
from latemiles.session.spool import Spool
from latemiles.signals.records import Packet, Record, RunHeader
from latemiles.sinks.follower import Backoff
from latemiles.sinks.messages import RunStatus, encoded
from latemiles.sinks.mqtt import MqttConnection, MqttSettings, Will, connected
from latemiles.sinks.outbox import SinkRefused

__all__ = ["SpoolSender", "fill"]

Say = Callable[[str], None]

FRAME_S: Final = 0.1
"""A frame is closed after so long: what the death of the gateway may cost, s."""
FRAME_RECORDS: Final = 200
HELD_RECORDS: Final = 60_000
"""Records in memory while the disk takes none: more than ten minutes of three sensors."""
FULL_S: Final = 1.0
"""A disk that was full is tried again after so long, s."""
WINDOW: Final = 32
"""Frames under way: three seconds of a run, and for fifty gateways less than a broker keeps for one."""
SILENCE_S: Final = 3.0
"""Nothing confirmed for so long: what is under way is sent again, s."""
LONGEST_SILENCE_S: Final = 30.0
"""Each silence that follows another waits twice as long: a slow server must not be given more to do, s."""
TOLD_FROM: Final = 3
"""Silences in a row before a person is told: a server that starts again is no news."""


async def fill(
    spool: Spool, source: AsyncIterator[Record], wake: Callable[[], None], say: Say | None = None
) -> None:
    """Take a run from its source into a spool, to its end; a full disk is waited out in memory.

    Parameters
    ----------
    spool : Spool
        New, with the run's header; it gets everything after it.
    source : async iterator of Record
        The header first.
    wake : callable
        Called when there is a new frame.
    say : callable, optional
        Tells a person one line.

    Raises
    ------
    StoreError
        If the spool could not be written for so long that too much waits in memory.
    """
    loop = asyncio.get_running_loop()
    waiting: list[Record] = []
    due_s = 0.0
    trouble = ""
    try:
        async for record in source:
            if isinstance(record, RunHeader):
                continue
            if not waiting:
                due_s = loop.time() + FRAME_S
            waiting.append(record)
            # Marks and links are rare and matter at once; packets come fifty a second.
            is_full = not trouble and (len(waiting) >= FRAME_RECORDS or not isinstance(record, Packet))
            if loop.time() >= due_s or is_full:
                try:
                    _keep(spool, waiting)
                except StoreError as error:
                    if len(waiting) >= HELD_RECORDS:
                        raise
                    if say is not None and not trouble:
                        say(f"{error} The run goes on in memory for some minutes; make room now.")
                    trouble, due_s = str(error), loop.time() + FULL_S
                    continue
                trouble = ""
                wake()
    finally:
        _keep(spool, waiting)
        spool.add([], is_last=True)
        wake()


def _keep(spool: Spool, waiting: list[Record]) -> None:
    """Move what waits into the spool, in frames that a server takes in a moment."""
    while waiting:
        spool.add(waiting[:FRAME_RECORDS])
        del waiting[:FRAME_RECORDS]


@dataclass(slots=True)
class SpoolSender:
    """Sends one spool until the server has the whole run.

    Parameters
    ----------
    spool : Spool
        What is to be sent; it may still grow.
    settings : MqttSettings
        Which broker, and as whom.
    say : callable
        Tells a person one line.
    backoff : Backoff
        Waits between attempts to connect.
    silence_s : float
        How long to wait for an answer before sending again, at first, s.
    """

    spool: Spool
    settings: MqttSettings
    say: Say
    backoff: Backoff = field(default_factory=Backoff)
    silence_s: float = SILENCE_S
    is_over: bool = False
    """The server has the whole run."""
    resent: int = 0
    """How often a stretch was sent again."""
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _from: int = 0
    """First record that is sent."""
    _sent: int = 0
    """Running number of the newest frame under way."""
    _ends: dict[int, int] = field(default_factory=dict)
    """Frames under way: running number to the end of their records."""
    _heard_s: float = 0.0
    _trouble: bool = False
    _silences: int = 0
    """How many more than answers."""
    _is_told: bool = False
    """A person knows that no server confirms."""

    def wake(self) -> None:
        """There is a new frame."""
        self._news.set()

    async def run(self) -> None:
        """Send until the server has everything; outages are waited out."""
        while not self.is_over:
            try:
                await self._connected()
            except LatemilesError as error:
                # A full disk, too: it must not end the hearing, which is beside this.
                if not self._trouble or isinstance(error, SinkRefused):
                    self.say(f"{error} The run is kept here and sent later.")
                self._trouble = True
                await asyncio.sleep(self.backoff.next_s())

    async def _connected(self) -> None:
        header = self.spool.header()
        raw, status = raw_topic(header), RunStatus(header)
        will = Will(status.topic(), encoded(status.message("lost")))
        async with connected(self.settings, will=will) as link:
            await link.subscribe(ack_topic(raw))
            await link.publish(status.topic(), encoded(status.message("running")), retain=True)
            if self._trouble:
                self.say(f"{link.label} is back; what was heard meanwhile is being sent.")
            self._trouble = False
            self.backoff.reset()
            self._rewind()
            listening = asyncio.create_task(self._listen(link), name="gateway answers")
            try:
                await self._send(link, raw)
            finally:
                listening.cancel()
                await asyncio.wait({listening})
                if not listening.cancelled():
                    # Lost lines are noticed by the sender; here it is only marked as seen.
                    listening.exception()
            if self.is_over:
                await link.publish(status.topic(), encoded(status.message("ended")), retain=True)

    async def _send(self, link: MqttConnection, where: str) -> None:
        """Keep a window of frames under way until the run is over."""
        while not self.is_over:
            self._news.clear()
            free = WINDOW - len(self._ends)
            frames = self.spool.frames(self._from, free, self._sent) if free > 0 else []
            for number, frame in frames:
                await link.publish(where, frame.payload)
                self._sent = max(self._sent, number)
                # The empty last frame is under way until the server says that the run is over.
                self._ends[number] = frame.end + (frame.first == frame.end)
            if not frames:
                await self._wait(link)

    async def _wait(self, link: MqttConnection) -> None:
        """Wait for a new frame, an answer, or too long a silence."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.silence_s / 4.0):
                await self._news.wait()
        except TimeoutError:
            link.check()
            patience_s = min(self.silence_s * 2.0**self._silences, LONGEST_SILENCE_S)
            if self._ends and loop.time() - self._heard_s > patience_s:
                self._rewind()
                self.resent += 1
                self._silences += 1
                if self._silences == TOLD_FROM and not self._is_told:
                    self._is_told = True
                    self.say(
                        f"{link.label} is there, but no server confirms run {self.spool.run}. Check that "
                        "'latemiles serve --from mqtt' runs. The run is kept here and sent later."
                    )

    async def _listen(self, link: MqttConnection) -> None:
        while not self.is_over:
            message = await link.receive()
            try:
                answer = Answer.from_bytes(message.payload)
            except PacketError as error:
                self.say(str(error))
                continue
            self._take(answer)

    def _take(self, answer: Answer) -> None:
        if answer.next > self.spool.confirmed or answer.is_over:
            self._heard_s = asyncio.get_running_loop().time()
            if self._is_told:
                self.say(f"A server takes run {self.spool.run}.")
            self._is_told = False
            # Step by step: a server that is slow now is slow with the next frames too.
            self._silences = max(0, self._silences - 1)
        if answer.next != self.spool.confirmed:
            # Less than before, where a server has lost its disk: it gets everything again.
            self.spool.confirm(answer.next)
        self._ends = {number: end for number, end in self._ends.items() if end > answer.next}
        if answer.is_over:
            self.is_over = True
        elif answer.resend:
            self._rewind()
            self.resent += 1
        self._news.set()

    def _rewind(self) -> None:
        """Begin again with the first frame that is not confirmed."""
        self._sent, self._from = 0, self.spool.confirmed
        self._ends = {}
        self._heard_s = asyncio.get_running_loop().time()
        self._news.set()
