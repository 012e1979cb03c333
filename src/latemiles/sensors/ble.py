"""All that the program asks of bleak: scanning, connecting, reading, writing, notifications.

With ``ble_errors`` the only file beside the simulator that imports bleak. Foreign errors end here: what
leaves is ``LinkFailed`` with a ``LinkReason``. On real hardware ``BleStack()`` is used as it is; the virtual
radio hands over another.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from bleak import BleakAdapter, BleakClient, BleakScanner
from bleak.backends.adapter import BaseBleakAdapter
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.exc import (
    BleakError,
)

from latemiles.errors import LinkFailed
from latemiles.sensors.ble_errors import ADVICE, LinkReason, translated

__all__ = ["BleStack", "Connection", "Ear", "Heard"]

CONNECT_S: Final = 10.0
"""Longest connection attempt; after it bleak is stopped."""
ASK_S: Final = 5.0
"""Longest wait for an answer of a connected sensor."""
CLOSE_S: Final = 3.0
"""Longest farewell."""
MTU_WAIT_S: Final = 1.5
"""Windows and some BlueZ versions tell the MTU late."""
SCAN_S: Final = 10.0
"""A scan that brings nothing is started anew after this long: some stacks go deaf, an adapter may be new."""
_UNKNOWN_PAYLOAD: Final = 20


@dataclass(frozen=True, slots=True)
class BleStack:
    """Which Bluetooth is used: the system's, or another one for bleak's ``backend=`` argument."""

    scanner_backend: type[BaseBleakScanner] | None = None
    client_backend: type[BaseBleakClient] | None = None
    adapter_backend: type[BaseBleakAdapter] | None = None
    adapter: str | None = None
    """Name of the adapter on Linux, such as ``hci1``; None: the system's choice."""

    def scanner(self, heard: Callable[[BLEDevice, AdvertisementData], None]) -> BleakScanner:
        """A scanner that calls ``heard`` with every advertisement."""
        options: dict[str, Any] = {"bluez": {"adapter": self.adapter}} if self.adapter else {}
        return BleakScanner(heard, backend=self.scanner_backend, **options)

    def client(self, device: BLEDevice, lost: Callable[[BleakClient], None]) -> BleakClient:
        """A client that calls ``lost`` once when the link ends."""
        options: dict[str, Any] = {"bluez": {"adapter": self.adapter}} if self.adapter else {}
        return BleakClient(
            device,
            disconnected_callback=lost,
            timeout=CONNECT_S,
            backend=self.client_backend,
            **options,
        )

    async def linked(self, service: str) -> list[Heard]:
        """Devices with a service that the system holds a link to; a linked device does not advertise.

        A program that died leaves its links behind on Linux. Empty where the system cannot tell.
        """
        options: dict[str, Any] = {"bluez": {"adapter": self.adapter}} if self.adapter else {}
        try:
            async with asyncio.timeout(ASK_S):
                adapter = await BleakAdapter.get(backend=self.adapter_backend, **options)
                devices = await adapter.get_connected_devices([service])
        except (BleakError, NotImplementedError, TimeoutError, OSError, EOFError):
            return []
        return [Heard(device, device.name or "", 0, (service,), {}) for device in devices]


@dataclass(frozen=True, slots=True)
class Heard:
    """One advertisement."""

    device: BLEDevice
    name: str
    rssi: int
    services: tuple[str, ...]
    service_data: dict[str, bytes]

    @property
    def address(self) -> str:
        """The system's name for the device: not its identity, for it differs between systems."""
        return str(self.device.address)


def _heard(device: BLEDevice, news: AdvertisementData) -> Heard:
    name = news.local_name or device.name or ""
    return Heard(device, name, news.rssi, tuple(news.service_uuids), dict(news.service_data))


@dataclass(eq=False, slots=True)
class _Waiter:
    wanted: Callable[[Heard], bool]
    found: asyncio.Future[Heard]


@dataclass(eq=False)
class Ear:
    """One scan for all who wait for a sensor; scanning and connecting exclude each other.

    Parameters
    ----------
    stack : BleStack
        Which Bluetooth.
    service : str
        Devices with this service may have been left linked by a program that died; they are adopted.
    on_trouble : callable
        Called with a ``LinkFailed`` whenever scanning fails; it is tried again.
    """

    stack: BleStack
    service: str = ""
    on_trouble: Callable[[LinkFailed], None] = lambda _: None
    radio: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while scanning or connecting: many adapters cannot do both, nor connect twice at once."""
    _waiters: list[_Waiter] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def hear(self, wanted: Callable[[Heard], bool]) -> Heard:
        """Wait for an advertisement that is wanted, however long it takes."""
        waiter = _Waiter(wanted, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        self._news.set()
        try:
            return await waiter.found
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    async def run(self) -> None:
        """Scan whenever somebody waits; runs until cancelled."""
        wait_s = 0.5
        while True:
            while not self._waiters:
                self._news.clear()
                await self._news.wait()
            try:
                async with self.radio:
                    await self._scan()
            except LinkFailed as trouble:
                self.on_trouble(trouble)
                await asyncio.sleep(wait_s)
                wait_s = min(2.0 * wait_s, 4.0)
            else:
                wait_s = 0.5
                # Those who heard what they wanted now have the radio.
                await asyncio.sleep(0.0)

    async def _scan(self) -> None:
        satisfied = asyncio.Event()

        def on_advertisement(device: BLEDevice, news: AdvertisementData) -> None:
            if self._tell(_heard(device, news)):
                satisfied.set()

        for heard in await self.stack.linked(self.service) if self.service else ():
            self._tell(heard)
        if not self._waiters:
            return
        with translated("scan", LinkReason.BUSY):
            async with self.stack.scanner(on_advertisement):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(SCAN_S):
                        await satisfied.wait()

    def _tell(self, heard: Heard) -> bool:
        """Give a device to those who wait for it; whether anybody did."""
        told = False
        for waiter in list(self._waiters):
            if waiter.wanted(heard):
                self._waiters.remove(waiter)
                if not waiter.found.done():
                    waiter.found.set_result(heard)
                    told = True
        return told

    async def all_within(self, seconds: float) -> list[Heard]:
        """Every device heard in so many seconds, the newest word of each, strongest first.

        Raises
        ------
        LinkFailed
            If there is no Bluetooth to scan with.
        """
        found: dict[str, Heard] = {}

        def on_advertisement(device: BLEDevice, news: AdvertisementData) -> None:
            heard = _heard(device, news)
            found[heard.address] = heard

        async with self.radio:
            with translated("scan", LinkReason.BUSY):
                async with self.stack.scanner(on_advertisement):
                    await asyncio.sleep(seconds)
        return sorted(found.values(), key=lambda h: -h.rssi)


class Connection:
    """One link, from its making to its end; every failure is a ``LinkFailed``.

    Parameters
    ----------
    stack : BleStack
        Which Bluetooth.
    heard : Heard
        The device.
    """

    def __init__(self, stack: BleStack, heard: Heard) -> None:
        self.heard = heard
        self.lost = asyncio.Event()
        """Set when the link has ended, whoever ended it."""
        self._client = stack.client(heard.device, lambda _: self.lost.set())

    async def open(self, radio: asyncio.Lock) -> None:
        """Connect and find the services, one device at a time.

        Raises
        ------
        LinkFailed
            If it cannot be done in time.
        """
        async with radio:
            with translated(f"connect to {self.heard.name}", LinkReason.CONNECT_FAILED):
                try:
                    async with asyncio.timeout(CONNECT_S + 2.0):
                        await self._client.connect()
                except BaseException:
                    # What is half open would block the next attempt, also when this one was cancelled.
                    await self.close()
                    raise

    async def close(self) -> None:
        """Disconnect; never fails and never takes long."""
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._client.disconnect()
        except (BleakError, TimeoutError, OSError, EOFError):
            # It is gone either way; the system clears what is left at the next connection.
            pass
        finally:
            self.lost.set()

    def offers(self, uuid: str) -> bool:
        """Whether the device has a characteristic."""
        return self._characteristic_or_none(uuid) is not None

    async def payload(self, uuid: str) -> int:
        """Bytes that fit one notification; 20 where the system does not tell."""
        item = self._characteristic(uuid)
        waited_s = 0.0
        while item.max_write_without_response_size == _UNKNOWN_PAYLOAD and waited_s < MTU_WAIT_S:
            await asyncio.sleep(0.1)
            waited_s += 0.1
        return int(item.max_write_without_response_size)

    async def read(self, uuid: str) -> bytes:
        """Read a characteristic."""
        item = self._characteristic(uuid)
        with translated(f"read from {self.heard.name}"):
            async with asyncio.timeout(ASK_S):
                return bytes(await self._client.read_gatt_char(item))

    async def write(self, uuid: str, data: bytes, *, response: bool = True) -> None:
        """Write a characteristic."""
        item = self._characteristic(uuid)
        with translated(f"write to {self.heard.name}"):
            async with asyncio.timeout(ASK_S):
                await self._client.write_gatt_char(item, data, response=response)

    async def listen(self, uuid: str, callback: Callable[[bytes], None]) -> None:
        """Have a plain function called with every notification, in order; quick, and never raising."""
        item = self._characteristic(uuid)

        # Not async: bleak would make a task of every packet, in no order and without bound.
        def on_notification(_: BleakGATTCharacteristic, value: bytearray) -> None:
            callback(bytes(value))

        with translated(f"listen to {self.heard.name}"):
            async with asyncio.timeout(ASK_S):
                await self._client.start_notify(item, on_notification)

    def _characteristic_or_none(self, uuid: str) -> BleakGATTCharacteristic | None:
        if not self._client.is_connected:
            return None
        with contextlib.suppress(BleakError):
            return self._client.services.get_characteristic(uuid)
        return None

    def _characteristic(self, uuid: str) -> BleakGATTCharacteristic:
        item = self._characteristic_or_none(uuid)
        if item is not None:
            return item
        if not self._client.is_connected:
            reason = LinkReason.LOST
            raise LinkFailed(reason, f"{self.heard.name}: {reason}. {ADVICE[reason]}")
        reason = LinkReason.NOT_OURS
        raise LinkFailed(reason, f"{self.heard.name} lacks {uuid}: {reason}. {ADVICE[reason]}")
