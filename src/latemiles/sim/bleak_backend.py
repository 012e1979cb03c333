"""bleak on the virtual radio: backend classes over a Bumble central, for bleak's ``backend=`` argument.

Everything above them, bleak itself included, is what runs on real hardware.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, Self, TypeVar

from bleak.assigned_numbers import gatt_char_props_to_strs
from bleak.backends.adapter import BaseBleakAdapter
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakError,
    BleakGATTProtocolError,
)
from bleak.uuids import normalize_uuid_str
from bumble import att, core
from bumble.core import UUID, AdvertisingData
from bumble.device import Advertisement, Connection, Device, DeviceConfiguration, Peer
from bumble.hci import Address
from bumble.host import Host
from bumble.transport.common import AsyncPipeSink

from latemiles.sensors.ble import BleStack
from latemiles.sim.radio import RadioLink
from latemiles.sim.radio_controller import RadioController

__all__ = ["VirtualAdapter"]

T = TypeVar("T")

HOST_MTU: Final = 517
"""What BlueZ asks for."""
_ADDRESS: Final = "F0:F1:F2:F3:F4:F5"
_COMPLETE_LISTS: Final = {
    AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS: 2,
    AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS: 16,
}
_SERVICE_DATA: Final = {
    AdvertisingData.SERVICE_DATA_16_BIT_UUID: 2,
    AdvertisingData.SERVICE_DATA_128_BIT_UUID: 16,
}


class VirtualAdapter:
    """The host's Bluetooth adapter in the virtual world.

    Parameters
    ----------
    link : RadioLink
        The air.
    """

    def __init__(self, link: RadioLink) -> None:
        self.link = link
        self.is_there = True
        self.names: dict[str, str | None] = {}
        """Devices heard so far, as a system remembers them."""
        self.hearing: dict[tuple[str, int], Callable[[bytes], None]] = {}
        """Who hears the notifications of a device's characteristic, by address and handle."""
        self.connecting = asyncio.Lock()
        self.controller = RadioController("adapter", link=link)
        self.central = Device(
            config=DeviceConfiguration(name="host", address=Address(_ADDRESS)),
            host=Host(self.controller, AsyncPipeSink(self.controller)),
        )
        link.hear_notifications(self.controller, self._on_notification)

    async def start(self) -> None:
        """Switch on."""
        await self.central.power_on()

    @property
    def stack(self) -> BleStack:
        """What the program hands to every bleak call."""
        scanner = type("VirtualScanner", (_Scanner,), {"adapter": self})
        client = type("VirtualClient", (_Client,), {"adapter": self})
        adapter = type("VirtualAdapters", (_Adapter,), {"adapter": self})
        return BleStack(scanner_backend=scanner, client_backend=client, adapter_backend=adapter)

    def vanish(self) -> None:
        """Unplug the adapter: its links are gone at once, whatever is asked of it fails."""
        self.is_there = False
        for connection in list(self.central.connections.values()):
            self.link.cut(str(connection.peer_address))
        self.controller.le_scan_enable = False

    def come_back(self) -> None:
        """Plug it in again; nobody resumes a scan."""
        self.is_there = True

    def _on_notification(self, address: str, handle: int, value: bytes) -> bool:
        hear = self.hearing.get((address, handle))
        if hear is not None:
            hear(value)
        return hear is not None

    def require(self) -> None:
        """Fail as bleak does when there is no adapter."""
        if not self.is_there:
            raise BleakBluetoothNotAvailableError(
                "No powered Bluetooth adapters found.", BleakBluetoothNotAvailableReason.POWERED_OFF
            )


def _normal(uuid: UUID) -> str:
    return normalize_uuid_str(uuid.to_hex_str("-"))


class _Adapter(BaseBleakAdapter):
    adapter: VirtualAdapter

    @classmethod
    async def get(cls, **_options: Any) -> Self:
        cls.adapter.require()
        return cls()

    async def get_connected_devices(self, service_uuids: frozenset[str]) -> list[BLEDevice]:
        """Links that this host has; what they offer was never asked by the virtual adapter."""
        names = self.adapter.names
        return [
            BLEDevice(address, names.get(address), connection.peer_address)
            for connection in self.adapter.central.connections.values()
            if (address := str(connection.peer_address)) in names
        ]


class _Scanner(BaseBleakScanner):
    adapter: VirtualAdapter

    def __init__(
        self,
        detection_callback: Any,
        service_uuids: list[str] | None,
        _scanning_mode: Any,
        **_options: Any,
    ) -> None:
        super().__init__(detection_callback, service_uuids)
        self._heard: dict[str, tuple[str | None, list[str], dict[str, bytes]]] = {}

    async def start(self) -> None:
        self.adapter.require()
        self.seen_devices = {}
        self._heard = {}
        self.adapter.central.on("advertisement", self._on_advertisement)
        await self.adapter.central.start_scanning(filter_duplicates=False, active=True)

    async def stop(self) -> None:
        self.adapter.central.remove_listener("advertisement", self._on_advertisement)
        if self.adapter.is_there:
            await self.adapter.central.stop_scanning()

    def _on_advertisement(self, heard: Advertisement) -> None:
        address = heard.address.to_string(False)
        name, uuids, data = self._heard.get(address, (None, [], {}))
        for kind, value in heard.data.ad_structures:
            if kind == AdvertisingData.COMPLETE_LOCAL_NAME:
                name = value.decode(errors="replace")
            elif (size := _COMPLETE_LISTS.get(kind)) is not None:
                uuids = [_normal(UUID.from_bytes(value[i : i + size])) for i in range(0, len(value), size)]
            elif (size := _SERVICE_DATA.get(kind)) is not None:
                data = {_normal(UUID.from_bytes(value[:size])): value[size:]}
        self._heard[address] = (name, uuids, data)
        self.adapter.names[address] = name
        if not self.is_allowed_uuid(uuids):
            return
        found = AdvertisementData(name, {}, data, uuids, None, heard.rssi, ())
        device = self.create_or_update_device(address, address, name, heard.address, found)
        self.call_detection_callbacks(device, found)


class _Client(BaseBleakClient):
    adapter: VirtualAdapter

    def __init__(self, device: Any, **options: Any) -> None:
        super().__init__(
            device,
            disconnected_callback=options.get("disconnected_callback"),
            timeout=options.get("timeout", 10.0),
        )
        self._peer: Any = device if isinstance(device, str) else device.details
        self._link: Connection | None = None
        self._callbacks: dict[int, Callable[[bytes], None]] = {}

    @property
    def _device_address(self) -> str:
        return str(self._peer)

    @property
    def name(self) -> str:
        return self.address

    @property
    def mtu_size(self) -> int:
        return int(self._link.att_mtu) if self._link is not None else 23

    @property
    def is_connected(self) -> bool:
        return self._link is not None

    async def connect(self, pair: bool, **_options: Any) -> None:
        central = self.adapter.central
        async with self.adapter.connecting:
            self.adapter.require()
            link = self._left_over()
            if link is None:
                try:
                    link = await central.connect(self._peer, timeout=self._timeout)
                except core.TimeoutError as error:
                    raise TimeoutError from error
                except core.ConnectionError as error:
                    raise BleakError(f"connection failed: {error}") from error
            self._link = link
            link.on("disconnection", self._on_disconnection)
            peer = Peer(link)
            await self._asked(peer.request_mtu(HOST_MTU))
            await self._asked(peer.discover_all())  # type: ignore[no-untyped-call]
        self.services = self._found(peer)

    def _left_over(self) -> Connection | None:
        """A link that an earlier client left behind is adopted, as BlueZ does."""
        for connection in self.adapter.central.connections.values():
            if str(connection.peer_address) == str(self._peer):
                return connection
        return None

    def _found(self, peer: Peer) -> BleakGATTServiceCollection:
        found = BleakGATTServiceCollection()
        for service in peer.services:
            theirs = BleakGATTService(service, service.handle, _normal(service.uuid))
            found.add_service(theirs)
            for item in service.characteristics:
                ours = BleakGATTCharacteristic(
                    item,
                    item.handle,
                    _normal(item.uuid),
                    list(gatt_char_props_to_strs(item.properties)),
                    lambda: self.mtu_size - 3,
                    theirs,
                )
                found.add_characteristic(ours)
                for note in item.descriptors:
                    found.add_descriptor(BleakGATTDescriptor(note, note.handle, _normal(note.type), ours))
        return found

    def _on_disconnection(self, _reason: int) -> None:
        self._link = None
        self.services = None
        for handle in self._callbacks:
            self.adapter.hearing.pop((self._device_address, handle), None)
        self._callbacks.clear()
        if self._disconnected_callback is not None:
            self._disconnected_callback()

    async def disconnect(self) -> None:
        if self._link is not None:
            await self._link.disconnect()

    async def pair(self, *_args: Any, **_options: Any) -> None:
        raise NotImplementedError("The virtual sensors do not pair.")

    async def unpair(self) -> None:
        raise NotImplementedError("The virtual sensors do not pair.")

    async def _asked(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for an answer, but not beyond the end of the link: Bumble's own wait is half a minute."""
        link = self._link
        if link is None:
            work.close()
            raise BleakError("Not connected")
        lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def tell(_reason: int) -> None:
            if not lost.done():
                lost.set_result(None)

        link.on("disconnection", tell)
        asking = asyncio.ensure_future(work)
        try:
            either: set[asyncio.Future[Any]] = {asking, lost}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                raise BleakError("Disconnected")
            return asking.result()
        except att.ATT_Error as error:
            raise BleakGATTProtocolError(error.error_code) from error
        except core.BaseBumbleError as error:
            raise BleakError(str(error)) from error
        finally:
            asking.cancel()
            lost.cancel()
            link.remove_listener("disconnection", tell)

    async def read_gatt_char(
        self, characteristic: BleakGATTCharacteristic, *, use_cached: bool = False, **_options: Any
    ) -> bytearray:
        return bytearray(await self._asked(characteristic.obj.read_value()))

    async def read_gatt_descriptor(
        self, descriptor: BleakGATTDescriptor, *, use_cached: bool = False, **_options: Any
    ) -> bytearray:
        return bytearray(await self._asked(descriptor.obj.read_value()))

    async def write_gatt_char(
        self, characteristic: BleakGATTCharacteristic, data: Any, response: bool
    ) -> None:
        await self._asked(characteristic.obj.write_value(bytes(data), with_response=response))

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: Any) -> None:
        await self._asked(descriptor.obj.write_value(bytes(data)))

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: Callable[[bytearray], None], **_options: Any
    ) -> None:
        def hear(value: bytes) -> None:
            callback(bytearray(value))

        self._callbacks[characteristic.handle] = hear
        await self._asked(characteristic.obj.subscribe(hear))
        # By now Bumble would find it too; an indication is confirmed, so it always takes that way.
        self.adapter.hearing[self._device_address, characteristic.handle] = hear

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        hear = self._callbacks.pop(characteristic.handle, None)
        self.adapter.hearing.pop((self._device_address, characteristic.handle), None)
        await self._asked(characteristic.obj.unsubscribe(hear))
