"""Virtual Bluetooth peripherals: a GATT server on Bumble behind the virtual radio."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import Final

from bumble import att
from bumble.core import UUID, AdvertisingData
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.gatt import Characteristic, CharacteristicValue, Service
from bumble.hci import Address
from bumble.host import Host
from bumble.transport.common import AsyncPipeSink

from latemiles.sim.radio import RadioLink
from latemiles.sim.radio_controller import RadioController

__all__ = ["Peripheral", "characteristic"]

ADVERTISING_MS: Final = 100
_ATT_CHANNEL: Final = 4
_NOTIFICATION: Final = 0x1B

Read = Callable[[], bytes]
Write = Callable[[bytes], None]


def characteristic(
    uuid: str, *, read: Read | None = None, write: Write | None = None, notify: str = ""
) -> Characteristic[bytes]:
    """A characteristic as the peripherals here use them.

    Parameters
    ----------
    uuid : str
        16-bit or 128-bit.
    read, write : callable or None
        What happens; without ``read`` a read is refused.
    notify : {"", "notify", "indicate"}
        How it speaks by itself.
    """
    properties = Characteristic.Properties(0)
    if read is not None:
        properties |= Characteristic.Properties.READ
    if write is not None:
        properties |= Characteristic.Properties.WRITE | Characteristic.Properties.WRITE_WITHOUT_RESPONSE
    if notify:
        properties |= (
            Characteristic.Properties.NOTIFY if notify == "notify" else Characteristic.Properties.INDICATE
        )

    def on_read(_connection: Connection) -> bytes:
        if read is None:
            # Without an answer Bumble says nothing and the client waits for half a minute.
            raise att.ATT_Error(att.ErrorCode.READ_NOT_PERMITTED)
        return read()

    def on_write(_connection: Connection, value: bytes) -> None:
        if write is None:
            raise att.ATT_Error(att.ErrorCode.WRITE_NOT_PERMITTED)
        write(bytes(value))

    permissions = Characteristic.READABLE | Characteristic.WRITEABLE
    return Characteristic(uuid, properties, permissions, CharacteristicValue(read=on_read, write=on_write))


class Peripheral:
    """A GATT server on the virtual radio.

    Parameters
    ----------
    link : RadioLink
        The air.
    name : str
        Local name, at most eight characters beside a 128-bit service.
    address : str
        Random static address.
    """

    def __init__(self, link: RadioLink, name: str, address: str) -> None:
        self.link, self.name, self.address = link, name, address
        self.controller = RadioController(name, link=link)
        self.device = self._new_device()
        self.connection: Connection | None = None
        self.is_on = True
        self._tasks: set[asyncio.Task[None]] = set()
        link.add_peripheral(address)

    def _new_device(self) -> Device:
        config = DeviceConfiguration(
            name=self.name,
            address=Address(self.address),
            advertising_interval_min=ADVERTISING_MS,
            advertising_interval_max=ADVERTISING_MS,
        )
        return Device(config=config, host=Host(self.controller, AsyncPipeSink(self.controller)))

    def services(self) -> list[Service]:
        """The services; to be given by each kind."""
        return []

    def advertised(self) -> tuple[str, bytes]:
        """UUID of the service that is advertised, and its service data."""
        raise NotImplementedError

    async def start(self) -> None:
        """Switch on: advertise and wait for a host."""
        services = self.services()
        self.device.add_services(services)
        uuid = UUID(self.advertised()[0])
        kind = (
            AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS
            if len(bytes(uuid)) == 2
            else AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS
        )
        self.device.advertising_data = bytes(
            AdvertisingData(
                [
                    (AdvertisingData.FLAGS, bytes([6])),
                    (kind, bytes(uuid)),
                    (AdvertisingData.COMPLETE_LOCAL_NAME, self.name.encode()),
                ]
            )
        )
        self.tell_everybody()
        self.device.on("connection", self._on_connection)
        await self.device.power_on()
        await self.device.start_advertising(auto_restart=True)

    def tell_everybody(self) -> None:
        """Bring the scan response up to date."""
        uuid, news = self.advertised()
        if not news:
            return
        raw = bytes(UUID(uuid))
        kind = (
            AdvertisingData.SERVICE_DATA_16_BIT_UUID
            if len(raw) == 2
            else AdvertisingData.SERVICE_DATA_128_BIT_UUID
        )
        self.link.set_scan_response(self.address, bytes(AdvertisingData([(kind, raw + news)])))

    def spawn(self, name: str, work: Callable[[], object]) -> None:
        """Run a task of this peripheral until it is stopped."""
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work(), name=f"{self.name}:{name}")  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @staticmethod
    async def until(due_s: Callable[[], float]) -> None:
        """Sleep until a loop time that may still be put off meanwhile."""
        loop = asyncio.get_running_loop()
        while True:
            wait_s = due_s() - loop.time()
            if wait_s <= 0.0:
                return
            await asyncio.sleep(wait_s)

    async def stop(self) -> None:
        """End its tasks and leave the air."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.controller.le_legacy_advertiser.stop()
        for advertiser in self.controller.advertising_sets.values():
            advertiser.stop()

    def _on_connection(self, connection: Connection) -> None:
        self.connection = connection
        connection.on("disconnection", self._on_disconnection)
        self.linked()

    def _on_disconnection(self, _reason: int) -> None:
        self.connection = None
        self.unlinked()
        self.tell_everybody()

    def linked(self) -> None:
        """A host connected."""

    def unlinked(self) -> None:
        """The host is gone."""

    @property
    def queued(self) -> int:
        """PDUs that wait for the radio."""
        return self.link.queued(self.address, self.controller)

    def is_subscribed(self, item: Characteristic[bytes]) -> bool:
        """Whether the host wants to hear a characteristic."""
        if self.connection is None:
            return False
        told = self.device.gatt_server.subscribers.get(self.connection, {}).get(item.handle)
        return told is not None and told != b"\0\0"

    def notify(
        self, item: Characteristic[bytes], value: bytes, sent: Callable[[], None] | None = None
    ) -> bool:
        """Notify, straight into the radio's queue; False if nobody listens.

        Past Bumble's host, whose logging of every packet costs more than the radio. ``sent`` is called once
        the host has it, and never if the link ends before.
        """
        if not self.is_subscribed(item):
            return False
        pdu = struct.pack("<HHBH", 3 + len(value), _ATT_CHANNEL, _NOTIFICATION, item.handle) + value
        for connection in self.controller.le_connections.values():
            self.link.queue(self.controller, connection, pdu, sent=sent)
            return True
        return False

    def indicate(self, item: Characteristic[bytes], value: bytes) -> None:
        """Indicate: the host confirms."""
        connection = self.connection
        if connection is not None:
            self.spawn(
                "indicate", lambda: self.device.gatt_server.indicate_subscriber(connection, item, value)
            )
