"""A sensor of another maker over Bluetooth: started by its recipe, kept; what it misses stays missing."""

from __future__ import annotations

import asyncio
import logging
import random
from math import isfinite, nan

from latemiles.errors import LatemilesError, LinkFailed
from latemiles.sensors.ble import BleStack, Connection, Ear, Heard
from latemiles.sensors.ble_errors import LinkReason
from latemiles.sensors.desk import device_text
from latemiles.sensors.families import family_of
from latemiles.sensors.gaps import GapBook
from latemiles.sensors.outlet import Backoff, LinkTimes, LinkView, Outlet, Wanted
from latemiles.sensors.profiles import device
from latemiles.sensors.recipes import recipe_of
from latemiles.signals.records import Link, Packet, SensorInfo

__all__ = ["OtherLink"]

log = logging.getLogger(__name__)


class OtherLink:
    """Keeps one sensor linked for a whole run; the counterpart of ``SensorLink``.

    Parameters
    ----------
    wanted : Wanted
        Which sensor; its serial is the one of the device information, the end of its name, or its address.
    stack, ear, outlet, times, chance
        As of ``SensorLink``.
    """

    def __init__(
        self,
        wanted: Wanted,
        stack: BleStack,
        ear: Ear,
        outlet: Outlet,
        *,
        times: LinkTimes | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self.wanted, self.view, self.book = wanted, LinkView(), GapBook()
        self.recipe = recipe_of(wanted.driver)
        self.info: asyncio.Future[SensorInfo] = asyncio.get_running_loop().create_future()
        self._stack, self._ear, self._outlet = stack, ear, outlet
        self._times = times or LinkTimes()
        self._backoff = Backoff(chance=chance or random.Random())
        self._strangers: set[str] = set()
        self._connection: Connection | None = None
        self._joiner = self.recipe.joiner()
        self._is_up = False
        self._heard_s = 0.0
        self._down_s = nan

    async def run(self) -> None:
        """Keep the link until cancelled."""
        while True:
            heard = await self._ear.hear(self._may_be)
            self.view.rssi, self.view.state = heard.rssi, "connecting"
            connection = Connection(self._stack, heard)
            try:
                await connection.open(self._ear.radio)
                self._connection = connection
                await self._use(connection)
                self._went(LinkReason.LOST)
            except LinkFailed as trouble:
                self._went(trouble.reason)
                self.view.trouble = trouble.reason
                self.view.state = f"{trouble.reason}; trying again"
                log.info("%s: %s", self.wanted.segment.label, trouble)
                if trouble.reason == LinkReason.NOT_OURS:
                    self._strangers.add(heard.address)
                await asyncio.sleep(self._backoff.next_s())
            finally:
                self._connection = None
                await connection.close()

    async def settle(self, seconds: float) -> None:
        """Nothing can be asked for again."""

    async def give_back(self) -> None:
        """Stop the sensor; never fails."""
        connection = self._connection
        if connection is None:
            return
        try:
            for uuid, command in self.recipe.end:
                await connection.write(uuid, command)
        except LinkFailed as trouble:
            log.info("%s: %s", self.wanted.segment.label, trouble)

    def _may_be(self, heard: Heard) -> bool:
        return family_of(heard) == self.recipe.label and heard.address not in self._strangers

    async def _use(self, connection: Connection) -> None:
        await self._identify(connection)
        if not await self._outlet.begun_before(connection.lost):
            return
        self._joiner = self.recipe.joiner()
        for uuid in self.recipe.says:
            await connection.listen(uuid, lambda _: None)
        await connection.listen(self.recipe.data, self._on_data)
        for uuid, command in self.recipe.begin:
            await connection.write(uuid, command)
        self.view.links += 1
        self._heard_s = asyncio.get_running_loop().time()
        while not connection.lost.is_set():
            try:
                async with asyncio.timeout(self._times.look_s):
                    await connection.lost.wait()
            except TimeoutError:
                if asyncio.get_running_loop().time() - self._heard_s > self._times.silent_s:
                    self._went(LinkReason.SILENT)

    async def _identify(self, connection: Connection) -> None:
        heard, wanted = connection.heard, self.wanted.serial.upper()
        serial = (await device_text(connection, device.SERIAL)).upper()
        if wanted != serial and wanted != heard.address.upper() and not heard.name.upper().endswith(wanted):
            told = serial or heard.name
            raise LinkFailed(LinkReason.NOT_OURS, f"{told} answered, {wanted} is meant. It is let go.")
        if not connection.offers(self.recipe.data):
            raise LinkFailed(
                LinkReason.UNKNOWN_VERSION,
                f"{heard.name} does not offer what its family offers. Put the maker's firmware named in "
                "docs/sensors.md on it.",
            )
        try:
            if connection.offers(device.BATTERY):
                self.view.battery_percent = device.battery_percent(await connection.read(device.BATTERY))
        except LatemilesError:
            self.view.battery_percent = nan
        if not self.info.done():
            self.info.set_result(
                SensorInfo(
                    self.wanted.segment,
                    self.recipe.driver,
                    self.recipe.rate_hz,
                    self.wanted.serial,
                    self.recipe.acc_range_m_s2,
                    self.recipe.gyr_range_rad_s,
                    await device_text(connection, device.FIRMWARE),
                )
            )

    def _on_data(self, notification: bytes) -> None:
        now_ns = self._outlet.now_ns()
        self._heard_s = asyncio.get_running_loop().time()
        if not self._is_up:
            self._came(now_ns)
        packet = self._joiner.feed(notification)
        if packet is None:
            return
        if self._outlet.offer(Packet(now_ns, self.wanted.segment, packet)):
            self.view.frames += 1
        else:
            self.view.refused += 1

    def _came(self, now_ns: int) -> None:
        self._is_up = True
        self._backoff.reset()
        self.view.state = "linked"
        detail = f"back after {now_ns * 1e-9 - self._down_s:.1f} s" if isfinite(self._down_s) else ""
        self._outlet.offer(
            Link(now_ns, self.wanted.segment, "up", detail, battery_percent=self.view.battery_percent)
        )

    def _went(self, reason: str) -> None:
        if not self._is_up:
            return
        self._is_up = False
        now_ns = self._outlet.now_ns()
        self._down_s = now_ns * 1e-9
        self.view.state = reason
        self._outlet.offer(Link(now_ns, self.wanted.segment, "down", str(reason)))
