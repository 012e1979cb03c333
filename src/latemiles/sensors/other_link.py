"""A sensor of another maker over Bluetooth: started by its recipe, kept; what it misses stays missing."""

from __future__ import annotations

import asyncio
import random
from math import nan

from latemiles.errors import LatemilesError, LinkFailed
from latemiles.sensors.ble import BleStack, Connection, Ear, Heard
from latemiles.sensors.ble_errors import LinkReason
from latemiles.sensors.desk import device_text
from latemiles.sensors.families import family_of
from latemiles.sensors.kept_link import KeptLink
from latemiles.sensors.outlet import LinkTimes, Outlet, Wanted
from latemiles.sensors.profiles import device
from latemiles.sensors.recipes import recipe_of
from latemiles.signals.records import Packet, SensorInfo

__all__ = ["OtherLink"]


class OtherLink(KeptLink):
    """Keeps one sensor of another maker linked for a whole run; the counterpart of ``SensorLink``.

    Parameters
    ----------
    wanted : Wanted
        Which sensor; its serial is the one of the device information, the end of its name, or its address.
    stack, ear, outlet, times, chance
        As of ``KeptLink``.
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
        super().__init__(wanted, stack, ear, outlet, times=times, chance=chance)
        self.recipe = recipe_of(wanted.driver)
        self._joiner = self.recipe.joiner()

    def _may_be(self, heard: Heard) -> bool:
        return family_of(heard) == self.recipe.label

    async def _stop(self, connection: Connection) -> None:
        for uuid, command in self.recipe.end:
            await connection.write(uuid, command)

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
        await self._watch(connection)

    async def _look(self, connection: Connection) -> None:
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
