"""One of our sensors over Bluetooth: found, connected, started, kept, repaired, given back.

The order of a link is always the same: hear it advertise, connect, make sure who it is, start it (or find it
still going), listen, and ask again for what was missed, newest first, while live frames come in. A link that
ends begins anew; a sensor that is away is listened for, so that its absence holds nobody up.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from typing import Final

from latemiles.errors import LinkFailed, PacketError
from latemiles.sensors import about, protocol
from latemiles.sensors.about import Status, StatusFlag
from latemiles.sensors.ble import BleStack, Connection, Ear, Heard
from latemiles.sensors.ble_errors import LinkReason
from latemiles.sensors.clock_watch import ClockWatch
from latemiles.sensors.commands import Commands
from latemiles.sensors.drivers import latemiles_v1
from latemiles.sensors.flash_log import PAGE_SAMPLES, LogList, LogReader, read_payload
from latemiles.sensors.gaps import GapBook
from latemiles.sensors.kept_link import KeptLink
from latemiles.sensors.outlet import LinkTimes, Outlet, Wanted
from latemiles.sensors.protocol import Code, Command, Result, Started, State
from latemiles.signals.records import Link, Packet, SensorInfo

__all__ = ["SensorLink"]

log = logging.getLogger(__name__)

_STANDARD_GRAVITY: Final = latemiles_v1.ACC_RANGE_M_S2 / 16.0
_RADIANS: Final = latemiles_v1.GYR_RANGE_RAD_S / 2000.0
_INDEX_BYTES: Final = 4
_SPARE_PAGES: Final = 32
"""Pages that are read beyond what an outage needs: those that a gap or the log's own caution cut short."""
_UNTOLD_PAYLOAD: Final = 20
"""What systems say that do not know; the sensor itself refuses a link that is too small."""


class SensorLink(KeptLink):
    """Keeps one of our sensors linked for a whole run.

    Parameters
    ----------
    wanted, stack, ear, outlet
        As of ``KeptLink``.
    start : Start, optional
        How the sensor is set up.
    times : LinkTimes, optional
        How patient it is.
    is_fresh : bool
        Whether what the sensor may still be doing is stopped first; False to go on with an earlier run.
    book, chance
        As of ``KeptLink``.
    """

    def __init__(
        self,
        wanted: Wanted,
        stack: BleStack,
        ear: Ear,
        outlet: Outlet,
        *,
        start: protocol.Start | None = None,
        times: LinkTimes | None = None,
        is_fresh: bool = True,
        book: GapBook | None = None,
        chance: random.Random | None = None,
    ) -> None:
        super().__init__(wanted, stack, ear, outlet, times=times, book=book, chance=chance)
        self.start = start or protocol.Start()
        self._is_fresh = is_fresh
        self._commands: Commands | None = None
        self._status = Status()
        self._told_battery_s = float("-inf")
        self._has_news = False
        self._progress_s = 0.0
        self._asked = 0
        self._refused_s = float("-inf")
        self._session = 0
        self._log: LogReader | None = None
        self._clock = ClockWatch()
        self._epoch = -1
        self._asked_clock_s = float("-inf")

    async def blink(self, seconds: int) -> None:
        """Let the sensor's light blink.

        Raises
        ------
        LinkFailed
            If there is no link.
        """
        await self._command(Command.IDENTIFY, bytes([min(255, seconds)]))

    # Its life.

    def _may_be(self, heard: Heard) -> bool:
        return self.wanted.may_be(heard)

    async def _stop(self, connection: Connection) -> None:
        await self._command(Command.STOP)

    async def _use(self, connection: Connection) -> None:
        try:
            await self._use_until_lost(connection)
        finally:
            self._commands = None

    async def _use_until_lost(self, connection: Connection) -> None:
        self._commands = Commands(connection)
        await self._commands.listen()
        await self._identify(connection)
        if not self._outlet.opened.is_set():
            self.view.state = "ready"
        if not await self._outlet.begun_before(connection.lost):
            return
        await connection.listen(protocol.STATUS, self._on_status)
        await connection.listen(protocol.CLOCK, self._on_clock)
        await connection.listen(protocol.DATA, self._on_data)
        await self._start(connection)
        self._log = None
        self.view.links += 1
        self.view.state = "linked"
        self._heard_s = self._progress_s = asyncio.get_running_loop().time()
        # What was missed while the link was down shows when the first live frame comes.
        self._has_news = True
        await self._watch(connection)

    async def _identify(self, connection: Connection) -> None:
        try:
            info = about.Info.decode(await connection.read(protocol.INFO))
            status = Status.decode(await connection.read(protocol.STATUS))
        except PacketError as error:
            raise LinkFailed(LinkReason.UNKNOWN_VERSION, str(error)) from error
        serial = about.serial_text(info.serial)
        if serial != self.wanted.serial:
            raise LinkFailed(
                LinkReason.NOT_OURS,
                f"{connection.heard.name} has serial {serial}, {self.wanted.serial} is meant. It is let go.",
            )
        payload = await connection.payload(protocol.DATA)
        if _UNTOLD_PAYLOAD < payload < protocol.MIN_MTU - 3:
            raise LinkFailed(
                LinkReason.MTU_TOO_SMALL,
                f"{connection.heard.name}: the system takes packets of {payload} bytes, "
                f"{protocol.MIN_MTU - 3} are needed. Use a system and adapter with Bluetooth 4.2 or newer.",
            )
        self._status = status
        self.view.battery_percent = status.battery
        if not self.info.done():
            self.info.set_result(self._described(info))

    def _described(self, info: about.Info) -> SensorInfo:
        return SensorInfo(
            segment=self.wanted.segment,
            driver=latemiles_v1.NAME,
            rate_hz=float(self.start.rate_hz),
            serial=self.wanted.serial,
            acc_range_m_s2=self.start.acc_range_g * _STANDARD_GRAVITY,
            gyr_range_rad_s=self.start.gyr_range_dps * _RADIANS,
            firmware=info.firmware_text,
        )

    async def _start(self, connection: Connection) -> None:
        if self._is_fresh and self._status.state in (State.STREAMING, State.UNLINKED):
            await self._command(Command.STOP)
        self._is_fresh = False
        # For the sensor's own log; an old one may not know it.
        utc_ms = time.time_ns() // 1_000_000
        await self._command(Command.SET_UTC, utc_ms.to_bytes(8, "little"))
        answer = await self._command(Command.START, self.start.encode())
        if answer.code == Code.MTU_TOO_SMALL:
            reason = LinkReason.MTU_TOO_SMALL
            raise LinkFailed(reason, f"{connection.heard.name}: {reason}. Use Bluetooth 4.2 or newer.")
        if answer.code != Code.OK:
            raise LinkFailed(
                LinkReason.REFUSED,
                f"{connection.heard.name} does not start (code {answer.code}). Update its firmware.",
            )
        try:
            started = Started.decode(answer.payload)
        except PacketError as error:
            raise LinkFailed(LinkReason.UNKNOWN_VERSION, str(error)) from error
        self._session = started.session
        if started.epoch != self._epoch:
            self._epoch = started.epoch
            self._clock.restart()
        log.info("%s: session %08x, epoch %d", self.wanted.segment.label, started.session, started.epoch)

    async def _command(self, number: Command, payload: bytes = b"") -> Result:
        """Send a command over the link that is in use and wait for its result."""
        if self._commands is None:
            raise LinkFailed(LinkReason.LOST, "There is no link to the sensor. Bring it near.")
        return await self._commands.ask(number, payload)

    # What it hears: called by bleak, quick, never raising.

    def _on_status(self, payload: bytes) -> None:
        try:
            self._status = Status.decode(payload)
        except PacketError:
            return
        self.view.battery_percent = self._status.battery

    def _on_clock(self, payload: bytes) -> None:
        if self._clock.answer(payload, asyncio.get_running_loop().time()):
            self.view.tick_ppm = self._clock.rate_ppm

    def _on_data(self, payload: bytes) -> None:
        now_ns = self._outlet.now_ns()
        now_s = asyncio.get_running_loop().time()
        head = protocol.frame_head(payload)
        is_live = head is None or head.kind != latemiles_v1.RESEND
        if is_live:
            self._heard_s = now_s
            if not self._is_up:
                self._came(now_ns)
        if not self._outlet.offer(Packet(now_ns, self.wanted.segment, payload)):
            # Not heard as far as the run goes: it will be asked for again when there is room.
            self._refused_s = now_s
            self.view.refused += 1
            return
        if head is None:
            return
        self.view.frames += 1
        if self.book.heard(head.epoch, head.first, head.n):
            self._has_news = True
        if not is_live:
            self.view.resent += head.n
            self._progress_s = now_s
            self._asked = 0

    # What it does while the link is up.

    async def _look(self, connection: Connection) -> None:
        now_s = asyncio.get_running_loop().time()
        if now_s - self._heard_s > self._times.silent_s:
            self._went(LinkReason.SILENT)
        elif now_s - self._told_battery_s >= self._times.battery_every_s and self._is_up:
            self._told_battery_s = now_s
            self._outlet.offer(
                Link(
                    self._outlet.now_ns(),
                    self.wanted.segment,
                    "battery",
                    battery_percent=self.view.battery_percent,
                )
            )
        if self._is_up:
            await self._repair(connection, now_s)
            if now_s - self._asked_clock_s >= self._times.clock_every_s:
                self._asked_clock_s = now_s
                await connection.write(protocol.CLOCK, self._clock.question(now_s), response=False)

    async def _repair(self, connection: Connection, now_s: float) -> None:
        """Ask for what is missing: all of it, newest first; the sensor forgets the request before."""
        ranges = self.book.newest_first(protocol.MAX_RANGES)
        is_stuck = now_s - self._progress_s > self._times.ask_again_s
        has_room = now_s - self._refused_s > self._times.ask_again_s
        if not ranges or not has_room or not (self._has_news or is_stuck):
            return
        if self._asked >= self._times.give_up_asking:
            self._lament(self.book.give_up(ranges))
            self._asked = 0
            return
        self._has_news = False
        self._asked += 1
        self._progress_s = now_s
        answer = await self._command(Command.RESEND, protocol.resend_payload(ranges))
        if answer.code not in (Code.OK, Code.NOT_THERE) or len(answer.payload) < _INDEX_BYTES:
            return
        oldest = int.from_bytes(answer.payload[:_INDEX_BYTES], "little")
        if self.book.missing[:1] and self.book.missing[0].first < oldest:
            await self._read_log(connection)
        if self._log is None or self._log.is_over:
            self._lament(self.book.give_up_below(oldest))

    async def _read_log(self, connection: Connection) -> None:
        """Ask once a link for what the ring no longer holds, from the sensor's flash."""
        if self._log is not None or not self._status.flags & StatusFlag.LOG_HAS_PAGES:
            return
        self._log = LogReader(self._session, self._on_data)
        await connection.listen(protocol.LOG, self._log.take)
        answer = await self._command(Command.LOG_LIST)
        try:
            there = LogList.decode(answer.payload)
        except PacketError:
            self._log.is_over = True
            return
        # The newest pages hold this outage: as many samples as were missed, and what the ring has of it too.
        outage = (self.book.next_index or 0) - self.book.missing[0].first if self.book.missing else 0
        wanted = min(there.pages, outage // PAGE_SAMPLES + _SPARE_PAGES)
        first = there.first_page + there.pages - wanted
        await self._command(Command.LOG_READ, read_payload(first, wanted))

    def _lament(self, samples: int) -> None:
        if samples:
            log.warning(
                "%s: %d samples are lost for good; the sensor no longer has them",
                self.wanted.segment.label,
                samples,
            )
