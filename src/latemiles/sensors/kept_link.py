"""What every link to a motion sensor does, whoever made it: heard, connected, used, lost, tried again."""

from __future__ import annotations

import asyncio
import logging
import random
from abc import ABC, abstractmethod
from math import isfinite, nan

from latemiles.errors import LinkFailed
from latemiles.sensors.ble import BleStack, Connection, Ear, Heard
from latemiles.sensors.ble_errors import LinkReason
from latemiles.sensors.gaps import GapBook
from latemiles.sensors.outlet import Backoff, LinkTimes, LinkView, Outlet, Wanted
from latemiles.signals.records import Link, SensorInfo

__all__ = ["KeptLink"]

log = logging.getLogger(__name__)


class KeptLink(ABC):
    """Keeps one sensor linked for a whole run.

    Parameters
    ----------
    wanted : Wanted
        Which sensor.
    stack : BleStack
        Which Bluetooth.
    ear : Ear
        Shared by all links.
    outlet : Outlet
        Shared by all links.
    times : LinkTimes, optional
        How patient it is.
    book : GapBook, optional
        What was heard in an earlier part of the run.
    chance : Random, optional
        Of the jitter in waiting times.
    """

    def __init__(
        self,
        wanted: Wanted,
        stack: BleStack,
        ear: Ear,
        outlet: Outlet,
        *,
        times: LinkTimes | None = None,
        book: GapBook | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self.wanted, self.view = wanted, LinkView()
        self.book = book or GapBook()
        self.info: asyncio.Future[SensorInfo] = asyncio.get_running_loop().create_future()
        self._stack, self._ear, self._outlet = stack, ear, outlet
        self._times = times or LinkTimes()
        self._backoff = Backoff(chance=chance or random.Random())
        self._strangers: set[str] = set()
        self._connection: Connection | None = None
        self._is_up = False
        self._heard_s = 0.0
        self._down_s = nan

    async def run(self) -> None:
        """Keep the link until cancelled."""
        while True:
            heard = await self._ear.hear(self._is_it)
            self.view.rssi = heard.rssi
            self.view.state = "connecting"
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
        """Wait until nothing is missing any more, at most so long."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while loop.time() < until:
            if not self.book.missing or self._connection is None:
                return
            await asyncio.sleep(self._times.look_s)

    async def give_back(self) -> None:
        """Stop the sensor; never fails."""
        connection = self._connection
        if connection is None:
            return
        try:
            await self._stop(connection)
        except LinkFailed as trouble:
            log.info("%s: %s", self.wanted.segment.label, trouble)

    def _is_it(self, heard: Heard) -> bool:
        return self._may_be(heard) and heard.address not in self._strangers

    @abstractmethod
    def _may_be(self, heard: Heard) -> bool:
        """Whether an advertisement may be the wanted sensor's."""

    @abstractmethod
    async def _use(self, connection: Connection) -> None:
        """Make use of a link until it ends."""

    @abstractmethod
    async def _stop(self, connection: Connection) -> None:
        """Ask the sensor to measure no more."""

    @abstractmethod
    async def _look(self, connection: Connection) -> None:
        """Look after a link that is up; called every ``look_s``."""

    async def _watch(self, connection: Connection) -> None:
        """Look after a link until it is lost."""
        while not connection.lost.is_set():
            try:
                async with asyncio.timeout(self._times.look_s):
                    await connection.lost.wait()
            except TimeoutError:
                await self._look(connection)

    def _came(self, now_ns: int) -> None:
        """Tell that the sensor is heard."""
        self._is_up = True
        self._backoff.reset()
        self.view.state = "linked"
        detail = f"back after {now_ns * 1e-9 - self._down_s:.1f} s" if isfinite(self._down_s) else ""
        self._outlet.offer(
            Link(now_ns, self.wanted.segment, "up", detail, battery_percent=self.view.battery_percent)
        )

    def _went(self, reason: str) -> None:
        """Tell that the sensor is heard no more, if it was."""
        if not self._is_up:
            return
        self._is_up = False
        now_ns = self._outlet.now_ns()
        self._down_s = now_ns * 1e-9
        self.view.state = reason
        self._outlet.offer(Link(now_ns, self.wanted.segment, "down", str(reason)))
