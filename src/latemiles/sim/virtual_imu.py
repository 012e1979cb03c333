"""One of our sensors in the virtual world: ``ImuFirmware`` behind a GATT server, fed with samples."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from bumble import att
from bumble.gatt import Service
from numpy.typing import NDArray

from latemiles.sensors import about, protocol
from latemiles.sensors.drivers import latemiles_v1
from latemiles.sim.feed import Samples
from latemiles.sim.firmware import ImuFirmware
from latemiles.sim.peripheral import Peripheral, characteristic
from latemiles.sim.radio import RadioLink

__all__ = ["VirtualImu"]

BOOT_S: Final = 2.0
"""From a reset to the first advertisement."""
RESTART_S: Final = 1.0
"""From the command to the restart."""
QUEUE_LIVE: Final = 5
"""PDUs that may wait for the radio before live frames stay in the ring."""
QUEUE_RESENT: Final = 4
"""PDUs that may wait before another resent frame is queued: a place is kept for live frames."""
_STATUS_EVERY_S: Final = 1.0
_BATTERY_PERCENT_PER_S: Final = 100.0 / (12 * 3600.0)


@dataclass(slots=True)
class Crystal:
    """A sensor's clock."""

    skew: float = 0.0
    """Gains this share of true time."""
    zero_s: float = 0.0
    """World time at which it read zero."""

    def ticks(self, t_s: NDArray[np.float64]) -> NDArray[np.int64]:
        """Ticks at world times."""
        return np.asarray(
            np.floor((t_s - self.zero_s) * ((1.0 + self.skew) * latemiles_v1.TICK_HZ)), dtype=np.int64
        )

    def tick(self, t_s: float) -> int:
        """Tick at a world time."""
        return int((t_s - self.zero_s) * (1.0 + self.skew) * latemiles_v1.TICK_HZ)


class VirtualImu(Peripheral):
    """One of our sensors: ``ImuFirmware`` behind a GATT server, fed with samples.

    Parameters
    ----------
    link : RadioLink
        The air.
    serial : int
        Serial number; the last four hex digits are in its name.
    address : str
        Random static address.
    feed : iterator of Samples
        What it measures, in world time.
    world_zero_s : callable
        Loop time of world time zero; None while the world has not begun.
    skew : float
        The crystal gains this share.
    tick_offset_s : float
        What the crystal reads at world time zero.
    firmware : ImuFirmware, optional
        Its firmware; None makes one.
    """

    def __init__(
        self,
        link: RadioLink,
        serial: int,
        address: str,
        feed: Iterator[Samples],
        world_zero_s: Callable[[], float],
        *,
        skew: float = 0.0,
        tick_offset_s: float = 0.0,
        firmware: ImuFirmware | None = None,
    ) -> None:
        super().__init__(link, f"LM-{serial & 0xFFFF:04X}", address)
        self.firmware = firmware or ImuFirmware(serial)
        self.crystal = Crystal(skew, -tick_offset_s)
        self.mtu = 517
        self.on_bootloader: Callable[[], None] = lambda: None
        """Told when the sensor has gone into its bootloader: a drive on its cable."""
        self.results: list[bytes] = []
        """Every result of a command, in order."""
        self._feed, self._zero = feed, world_zero_s
        self._first_index: int | None = None
        self._epoch = -1
        self._resending = asyncio.Event()
        self.data = characteristic(protocol.DATA, notify="notify")
        self.control = characteristic(protocol.CONTROL, write=self._on_command, notify="indicate")
        self.status = characteristic(
            protocol.STATUS, read=lambda: self.firmware.status().encode(), notify="notify"
        )
        self.clock = characteristic(protocol.CLOCK, write=self._on_clock, notify="notify")
        self.info = characteristic(protocol.INFO, read=lambda: self.firmware.info().encode())
        self.log = characteristic(protocol.LOG, notify="notify")

    def services(self) -> list[Service]:
        """Our service, device information and battery."""
        firmware = self.firmware
        return [
            Service(
                protocol.SERVICE, [self.data, self.control, self.status, self.clock, self.info, self.log]
            ),
            Service(
                "180A",
                [
                    characteristic("2A29", read=lambda: b"latemiles"),
                    characteristic("2A25", read=lambda: about.serial_text(firmware.serial).encode()),
                    characteristic("2A26", read=lambda: firmware.info().firmware_text.encode()),
                ],
            ),
            Service("180F", [characteristic("2A19", read=self._battery)]),
        ]

    def _battery(self) -> bytes:
        return bytes([self.firmware.status().battery_percent])

    def advertised(self) -> tuple[str, bytes]:
        """The service with role, battery, state and the end of the serial number."""
        f = self.firmware
        news = about.Advert(protocol.VERSION, f.role, f.status().battery_percent, f.state, f.serial & 0xFFFF)
        return protocol.SERVICE, news.encode()

    async def start(self) -> None:
        """Switch on."""
        self.device.gatt_server.max_mtu = self.mtu
        await super().start()
        self.spawn("samples", self._sample)
        self.spawn("status", self._tell_status)
        self.spawn("resend", self._resend)

    # What can happen to a sensor.

    async def reboot(self) -> None:
        """Start over: the link goes silent, RAM is lost, two seconds later it advertises again."""
        self.link.set_in_range(self.address, is_near=False)
        self.is_on = True
        self.firmware.reboot()
        loop = asyncio.get_running_loop()
        self.crystal.zero_s = loop.time() - self._zero() + BOOT_S
        await asyncio.sleep(BOOT_S)
        # The host notices by its supervision timeout; Bumble keeps both ends of a link together.
        await self.link.unlinked(self.address)
        self.link.set_in_range(self.address, is_near=True)

    def die(self) -> None:
        """The battery is empty: silence for good."""
        self.is_on = False
        self.firmware.state = protocol.State.OFF
        self.link.set_in_range(self.address, is_near=False)

    def linked(self) -> None:
        """A host connected."""
        self.firmware.link_up(self.mtu)

    def unlinked(self) -> None:
        """The host is gone."""
        self.firmware.link_down()

    # What its firmware is told.

    def _on_command(self, payload: bytes) -> None:
        if not 2 <= len(payload) <= protocol.MIN_MTU - 3:
            raise att.ATT_Error(att.ErrorCode.INVALID_ATTRIBUTE_LENGTH)
        answer = self.firmware.command(payload).encode()
        self.results.append(answer)
        self.indicate(self.control, answer)
        # The end of a session fills no frame.
        self._send_live()
        if self.firmware.resends or self.firmware.log_reads:
            self._resending.set()
        if self.firmware.restart is not None:
            self.spawn("restart", self._restart)

    async def _restart(self) -> None:
        """Off or into the bootloader, when the host has had time to hear of it."""
        await asyncio.sleep(RESTART_S)
        self.is_on = False
        self.link.set_in_range(self.address, is_near=False)
        if self.firmware.restart is protocol.Command.BOOTLOADER:
            self.on_bootloader()

    def _on_clock(self, payload: bytes) -> None:
        if len(payload) == 4:
            now_s, zero_s = asyncio.get_running_loop().time(), self._zero()
            # The crystal runs before the world begins, too.
            now = self.crystal.tick(now_s - zero_s if zero_s <= now_s else now_s)
            token = int.from_bytes(payload, "little")
            self.notify(self.clock, protocol.ClockAnswer(token, now, now + 1).encode())

    async def _sample(self) -> None:
        """Take samples when they are due and send those that fill a frame."""
        firmware = self.firmware
        for block in self._feed:
            at = 0
            n = len(block.t_s)
            ticks = self.crystal.ticks(block.t_s)
            zero = self.crystal.zero_s
            while at < n:
                stop = min(n, at + firmware.samples_to_frame)
                last_s = float(block.t_s[stop - 1])
                # The world may be told only now when it begins.
                await self.until(lambda last_s=last_s: self._zero() + last_s)  # type: ignore[misc]
                if zero != self.crystal.zero_s:
                    ticks, zero = self.crystal.ticks(block.t_s), self.crystal.zero_s
                self._take(block, ticks, at, stop)
                at = stop

    def _take(self, block: Samples, ticks: NDArray[np.int64], at: int, stop: int) -> None:
        firmware = self.firmware
        firmware.battery_percent -= (stop - at) / firmware.rate_hz * _BATTERY_PERCENT_PER_S
        if not self.is_on or not firmware.is_sampling:
            self._first_index = None
            return
        if self._first_index is None or self._epoch != firmware.epoch:
            # Index 0 is the first sample after the start.
            self._first_index, self._epoch = block.first_index + at, firmware.epoch
        first = block.first_index + at - self._first_index
        firmware.take(first, block.counts[at:stop], ticks[at:stop])
        self._send_live()

    def _send_live(self) -> None:
        if not self.is_subscribed(self.data):
            self.firmware.skip_live()
        for frame in self.firmware.live_frames(has_room=self.queued < QUEUE_LIVE):
            self.notify(self.data, frame)

    async def _resend(self) -> None:
        """Send again what was asked for, a few frames ahead of the radio, so that live frames never wait."""
        while True:
            await self._resending.wait()
            while self.connection is not None and (self.queued < QUEUE_RESENT):
                frame = self.firmware.resent_frame()
                if frame is None and self.firmware.log_reads:
                    self.notify(self.log, self.firmware.log_reads.popleft())
                    continue
                if frame is None:
                    self._resending.clear()
                    # All that was asked for is sent: what is gone for good is told at once.
                    self.notify(self.status, self.firmware.status().encode())
                    break
                self.notify(self.data, frame)
            if self.connection is None:
                self._resending.clear()
            await asyncio.sleep(self.link.params.interval_s)

    async def _tell_status(self) -> None:
        for _ in itertools.count():
            await asyncio.sleep(_STATUS_EVERY_S)
            self.notify(self.status, self.firmware.status().encode())
