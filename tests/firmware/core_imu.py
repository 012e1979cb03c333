"""The firmware's own core as a sensor of the virtual radio: what a board would say, without the board.

Beside ``VirtualImu`` it is the other way to make a sensor of a ``World``: a Bumble GATT server whose every
answer comes from the compiled core. What stands between them is what ``firmware/zephyr`` is on a board.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from math import floor
from typing import Any

from bumble import att
from bumble.gatt import Service

from firmware.host_core import (
    CLOCK,
    CONTROL,
    DATA,
    LOG,
    SECTOR,
    STATUS,
    STREAMING,
    TICK_HZ,
    UNLINKED,
    Flash,
    HostCore,
    Library,
)
from latemiles.sensors import about, protocol
from latemiles.sim.feed import Samples
from latemiles.sim.peripheral import Peripheral, characteristic
from latemiles.sim.radio import RadioLink
from latemiles.sim.virtual_imu import BOOT_S
from latemiles.sim.world import SensorPlan, World, address_of, serial_of

__all__ = ["CoreImu", "maker"]

PLACES = 12
"""Notifications that the stack takes before it refuses, as in ``prj.conf``."""
ERASE_S = 0.05
"""A sector of flash takes so long to erase, and the core's thread waits for it."""
CHIP_STEP_S = 0.005
FRAME_SAMPLES = 10
BATTERY_MV = 4150
RING_BYTES = 126_720


class _RadioCore(HostCore):
    """A HostCore whose radio and time are the virtual world's."""

    def __init__(self, of: CoreImu, library: Library, **options: Any) -> None:
        self._of = of
        super().__init__(library, **options)

    def now(self) -> int:
        return self._of.tick_now()

    def _notify(self, channel: int, data: Any, n: int) -> int:
        return 0 if self._of.send(channel, bytes(self.ffi.buffer(data, n))) else -1


class CoreImu(Peripheral):
    """One sensor whose firmware is the compiled core.

    Parameters
    ----------
    link : RadioLink
        The air.
    library : Library
        The compiled core.
    serial : int
        Serial number.
    address : str
        Random static address.
    feed : iterator of Samples or None
        What it measures, in world time; None: the register-level chip measures its own pattern.
    world_zero_s : callable
        Loop time of world time zero.
    skew : float
        The crystal gains this share.
    first_tick : int
        What the crystal's counter shows when the sensor is switched on.
    role : int
        What its settings hold.
    flash : Flash or None
        Where the log goes.
    ring_bytes : int
        RAM for frames.
    on_start : callable
        Told when sampling begins.
    """

    def __init__(
        self,
        link: RadioLink,
        library: Library,
        serial: int,
        address: str,
        feed: Iterator[Samples] | None,
        world_zero_s: Callable[[], float],
        *,
        skew: float = 0.0,
        first_tick: int = 0,
        role: int = 0,
        flash: Flash | None = None,
        ring_bytes: int = RING_BYTES,
        on_start: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(link, f"LM-{serial & 0xFFFF:04X}", address)
        self.serial, self.flash, self.settings = serial, flash, bytearray()
        self.battery_mv, self.is_charging = BATTERY_MV, False
        self._ring_bytes = ring_bytes
        self.results: list[bytes] = []
        """Every result, in order."""
        self.on_bootloader: Callable[[], None] = lambda: None
        self._library, self._feed, self._zero, self._on_start = library, feed, world_zero_s, on_start
        self._skew, self._first_tick, self._on_since_s = skew, first_tick, 0.0
        self._wake, self._boots, self._advertised = asyncio.Event(), 0, b""
        self.core = self._boot()
        if role:
            self.core.connect()
            self.core.held.clear()
            self.core.control(protocol.Command.SET_ROLE, bytes([role]))
            self.core = self._boot()
        self.items = {
            DATA: characteristic(protocol.DATA, notify="notify"),
            CONTROL: characteristic(protocol.CONTROL, write=self._on_control, notify="indicate"),
            STATUS: characteristic(
                protocol.STATUS, read=lambda: self.read("lm_core_status", 24), notify="notify"
            ),
            CLOCK: characteristic(protocol.CLOCK, write=self._on_clock, notify="notify"),
            LOG: characteristic(protocol.LOG, notify="notify"),
        }
        self._info = characteristic(protocol.INFO, read=self.core_info)
        for channel, item in self.items.items():
            item.on("subscription", lambda _, notify, indicate, c=channel: self._told(c, notify or indicate))

    def _boot(self) -> _RadioCore:
        self._boots += 1
        core = _RadioCore(
            self,
            self._library,
            flash=self.flash,
            settings=self.settings,
            ring_bytes=self._ring_bytes,
            imu=self._feed is None,
            tick=self.tick_now(),
            seed=self.serial % 1000 + self._boots,
            serial=self.serial.to_bytes(8, "little"),
            board=1,
        )
        core.battery_mv, core.is_charging = self.battery_mv, self.is_charging
        return core

    # What the stack on a board does.

    def services(self) -> list[Service]:
        """Our service, device information and battery."""
        text = about.serial_text(self.serial).encode()
        return [
            Service(protocol.SERVICE, [*self.items.values(), self._info]),
            Service("180A", [characteristic("2A25", read=lambda: text)]),
            Service("180F", [characteristic("2A19", read=lambda: self.core.advert()[2:3])]),
        ]

    def read(self, call: str, size: int) -> bytes:
        """What the core shows."""
        out = self.core.ffi.new("uint8_t[]", size)
        getattr(self.core.lib, call)(self.core.core, out)
        return bytes(out)

    def core_info(self) -> bytes:
        """What the info characteristic says."""
        return self.core.info()

    def advertised(self) -> tuple[str, bytes]:
        """The service with what the core tells everybody."""
        self._advertised = self.core.advert()
        return protocol.SERVICE, self._advertised

    async def start(self) -> None:
        """Switch on."""
        self.device.gatt_server.max_mtu = 517
        await super().start()
        self.spawn("core", self._live)
        self.spawn("samples", self._sample if self._feed is not None else self._run_chip)

    def linked(self) -> None:
        """A host connected."""
        connection = self.connection
        assert connection is not None
        self.core.lib.lm_core_connected(self.core.core)
        connection.on("connection_att_mtu_update", lambda: self._told_mtu(connection.att_mtu))
        self._wake.set()

    def unlinked(self) -> None:
        """The host is gone."""
        self.core.disconnect()
        self._wake.set()

    def _told_mtu(self, mtu: int) -> None:
        self.core.lib.lm_core_mtu(self.core.core, mtu)
        self._wake.set()

    def _told(self, channel: int, is_on: bool) -> None:
        self.core.lib.lm_core_subscribed(self.core.core, channel, is_on)
        self._wake.set()

    def _on_control(self, payload: bytes) -> None:
        core = self.core
        was_sampling = core.state in (STREAMING, UNLINKED)
        code = int(core.lib.lm_core_control(core.core, payload, len(payload)))
        if code:
            raise att.ATT_Error(code)
        if core.state == STREAMING and not was_sampling:
            self._on_start()
        self._wake.set()

    def _on_clock(self, payload: bytes) -> None:
        core = self.core
        if core.lib.lm_core_clock_request(core.core, payload, len(payload), self.tick_now()):
            raise att.ATT_Error(0x0D)
        self._wake.set()

    def send(self, channel: int, data: bytes) -> bool:
        """What the core hands to the radio; False if there is no room."""
        if self.connection is None or self.queued >= PLACES:
            return False
        if channel == CONTROL:
            self.results.append(data)
            core = self.core
            self.spawn("indicate", lambda: self._indicate(core, data))
            return True
        core = self.core
        return self.notify(self.items[channel], data, lambda: self._sent(core, channel))

    async def _indicate(self, core: HostCore, data: bytes) -> None:
        connection = self.connection
        if connection is None:
            return
        server = self.device.gatt_server
        with contextlib.suppress(TimeoutError):
            await server.indicate_subscriber(connection, self.items[CONTROL], data)
            if self.connection is connection:
                self._sent(core, CONTROL)

    def _sent(self, core: HostCore, channel: int) -> None:
        core.lib.lm_core_sent(core.core, channel)
        self._wake.set()

    # What the board does.

    def tick_now(self) -> int:
        """What the crystal's counter shows."""
        try:
            now_s = asyncio.get_running_loop().time()
        except RuntimeError:
            now_s = self._on_since_s
        return self.tick_at(now_s)

    def tick_at(self, loop_s: float) -> int:
        """What the crystal's counter shows at a time of the loop."""
        passed = (loop_s - self._on_since_s) * (1.0 + self._skew) * TICK_HZ
        return (self._first_tick + floor(passed)) & 0xFFFFFFFF

    async def _live(self) -> None:
        """The thread that owns the core."""
        while True:
            core, self._wake = self.core, asyncio.Event()
            erases = self.flash.erases if self.flash is not None else 0
            wait_ticks = core.poll()
            if self.flash is not None and self.flash.erases > erases:
                await asyncio.sleep(ERASE_S * (self.flash.erases - erases))
            if core.restarts:
                self._restart(core.restarts.pop())
                return
            if core.advert() != self._advertised:
                self.tell_everybody()
            if wait_ticks == 0:
                await asyncio.sleep(0.0)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_ticks / TICK_HZ):
                    await self._wake.wait()

    async def _sample(self) -> None:
        """Give the core samples when they are due, a frame's worth at a time."""
        assert self._feed is not None
        expected, session = 0, 0
        for block in self._feed:
            at, n = 0, len(block.t_s)
            while at < n:
                stop = min(n, at + (int(self.core.core.stream.settings.samples) or FRAME_SAMPLES))
                last_s = float(block.t_s[stop - 1])
                await self.until(lambda last_s=last_s: self._zero() + last_s)
                core, first = self.core, block.first_index + at
                now = int(core.core.stream.session)
                lost = first - expected if now == session else 0
                expected, session = first + stop - at, now
                if self.is_on:
                    core.feed(block.counts[at:stop], self.tick_at(self._zero() + last_s), lost)
                    self._wake.set()
                at = stop

    async def _run_chip(self) -> None:
        """Let the register-level chip live in the world's time."""
        while True:
            await asyncio.sleep(CHIP_STEP_S)
            core = self.core
            irqs = core.chip.irq_count
            gone = (self.tick_now() - (int(core.chip.time_q16) >> 16)) & 0xFFFFFFFF
            core.lib.fake_imu_advance(core.chip, gone)
            if core.chip.irq_count != irqs:
                core.lib.lm_core_imu_irq(core.core, int(core.chip.irq_tick) & 0xFFFFFFFF)
                self._wake.set()

    def _restart(self, how: int) -> None:
        """Off, or into the bootloader: silence either way."""
        self.is_on = False
        self.link.set_in_range(self.address, is_near=False)
        if how == 1:
            self.on_bootloader()

    # What can happen to a sensor.

    async def reboot(self) -> None:
        """Start over: the link goes silent, RAM is lost, two seconds later it advertises again."""
        self.link.set_in_range(self.address, is_near=False)
        was_on, self.is_on = self.is_on, True
        self._on_since_s, self._first_tick = asyncio.get_running_loop().time() + BOOT_S, 0
        await asyncio.sleep(BOOT_S)
        self.core = self._boot()
        self._wake.set()
        if not was_on:
            self.spawn("core", self._live)
        await self.link.unlinked(self.address)
        self.link.set_in_range(self.address, is_near=True)
        self.tell_everybody()

    def die(self) -> None:
        """The battery is empty: silence for good."""
        self.is_on = False
        self.link.set_in_range(self.address, is_near=False)


def maker(library: Library, **options: Any) -> Callable[[World, int, SensorPlan], CoreImu]:
    """Makes the sensors of a ``World`` from the compiled core.

    Parameters
    ----------
    library : Library
        The compiled core.
    **options
        ``flash_sectors`` (0: a board without), ``has_chip``, ``first_tick``, ``ring_bytes``; a callable is
        given the lane.
    """

    def make(world: World, lane: int, plan: SensorPlan) -> CoreImu:
        mine = {name: value(lane) if callable(value) else value for name, value in options.items()}
        sectors = mine.pop("flash_sectors", 0)
        return CoreImu(
            world.link,
            library,
            int(serial_of(lane), 16),
            address_of(lane),
            None if mine.pop("has_chip", False) else plan.feed,
            world.zero_s,
            skew=plan.skew,
            role=plan.role,
            flash=Flash(sectors * SECTOR) if sectors else None,
            on_start=world.begin,
            **mine,
        )

    return make
