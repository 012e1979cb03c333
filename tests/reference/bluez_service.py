"""An ``org.bluez`` on a private D-Bus before the virtual radio: bleak's own BlueZ backend runs against it.

Run as a program it makes a world with three sensors on a simulated runner; ``test.Radio1`` on ``/`` carries
them away and breaks things. Like bluetoothd it keeps a device connected when the program that connected it
dies, and drops that program's scan and notifications.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from typing import Any

from bleak.assigned_numbers import gatt_char_props_to_strs
from bleak.uuids import normalize_uuid_str
from bumble import att, core
from bumble.core import UUID, AdvertisingData
from bumble.device import Advertisement, Connection, Device, Peer
from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from latemiles.sim.plan import easy_run
from latemiles.sim.runner import simulate
from latemiles.sim.world import World, plans_of_run

MANAGER = "org.freedesktop.DBus.ObjectManager"
PROPERTIES = "org.freedesktop.DBus.Properties"
ADAPTER, DEVICE = "org.bluez.Adapter1", "org.bluez.Device1"
SERVICE, CHARACTERISTIC = "org.bluez.GattService1", "org.bluez.GattCharacteristic1"
DESCRIPTOR = "org.bluez.GattDescriptor1"
HCI = "/org/bluez/hci0"
READY = "ready"


class Refused(Exception):
    """An answer that is an error."""

    def __init__(self, name: str, text: str = "") -> None:
        super().__init__(text)
        self.name = name if "." in name else f"org.bluez.Error.{name}"


def normal(uuid: UUID) -> str:
    return normalize_uuid_str(uuid.to_hex_str("-"))


class Bluez:
    """The service."""

    def __init__(self, bus: MessageBus, world: World) -> None:
        self.bus, self.world = bus, world
        self.central: Device = world.adapter.central
        self.objects: dict[str, dict[str, dict[str, Variant]]] = {}
        self.addresses: dict[str, Any] = {}
        self.links: dict[str, Connection] = {}
        self.attributes: dict[str, Any] = {}
        self.scanning: set[str] = set()
        self.notifying: dict[str, dict[str, Any]] = {}
        self.connecting = asyncio.Lock()
        self.faults: deque[str] = deque()
        self.tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Take the name."""
        adapter = {
            "Address": Variant("s", "F0:F1:F2:F3:F4:F5"),
            "Name": Variant("s", "virtual"),
            "Alias": Variant("s", "virtual"),
            "Powered": Variant("b", True),
            "Discovering": Variant("b", False),
            "Roles": Variant("as", ["central"]),
            "UUIDs": Variant("as", []),
        }
        self.objects[HCI] = {ADAPTER: adapter}
        self.bus.add_message_handler(self.handle)
        self.central.on("advertisement", self.on_advertisement)
        await self.bus.request_name("org.bluez")
        await self.bus.call(
            Message(
                destination="org.freedesktop.DBus",
                path="/org/freedesktop/DBus",
                interface="org.freedesktop.DBus",
                member="AddMatch",
                signature="s",
                body=["type='signal',member='NameOwnerChanged'"],
            )
        )

    # What it tells.

    def signal(self, path: str, interface: str, member: str, signature: str, body: list[Any]) -> None:
        self.bus.send(
            Message(
                message_type=MessageType.SIGNAL,
                path=path,
                interface=interface,
                member=member,
                signature=signature,
                body=body,
            )
        )

    def add(self, path: str, interface: str, values: dict[str, Variant]) -> None:
        self.objects[path] = {interface: values}
        self.signal("/", MANAGER, "InterfacesAdded", "oa{sa{sv}}", [path, self.objects[path]])

    def remove(self, path: str) -> None:
        gone = self.objects.pop(path)
        self.signal("/", MANAGER, "InterfacesRemoved", "oas", [path, list(gone)])

    def change(self, path: str, interface: str, **values: Variant) -> None:
        if path in self.objects:
            self.objects[path][interface].update(values)
            self.signal(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", [interface, values, []])

    def on_advertisement(self, heard: Advertisement) -> None:
        address = heard.address.to_string(False)
        path = f"{HCI}/dev_{address.replace(':', '_')}"
        name, uuids, data = address.replace(":", "-"), [], {}
        for kind, value in heard.data.ad_structures:
            if kind == AdvertisingData.COMPLETE_LOCAL_NAME:
                name = value.decode()
            elif kind == AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS:
                uuids = [normal(UUID.from_bytes(value))]
            elif kind == AdvertisingData.SERVICE_DATA_128_BIT_UUID:
                data = {normal(UUID.from_bytes(value[:16])): Variant("ay", bytes(value[16:]))}
        if path not in self.objects:
            self.addresses[path] = heard.address
            values = {
                "Address": Variant("s", address),
                "AddressType": Variant("s", "random"),
                "Name": Variant("s", name),
                "Alias": Variant("s", name),
                "Adapter": Variant("o", HCI),
                "Paired": Variant("b", False),
                "Bonded": Variant("b", False),
                "Trusted": Variant("b", False),
                "Connected": Variant("b", False),
                "ServicesResolved": Variant("b", False),
                "UUIDs": Variant("as", uuids),
                "ServiceData": Variant("a{sv}", data),
                "RSSI": Variant("n", heard.rssi),
            }
            self.add(path, DEVICE, values)
        else:
            self.change(path, DEVICE, RSSI=Variant("n", heard.rssi), ServiceData=Variant("a{sv}", data))

    # What it is asked.

    def handle(self, m: Message) -> Message | bool | None:
        if m.message_type == MessageType.SIGNAL and m.member == "NameOwnerChanged" and not m.body[2]:
            self.spawn(self.forget(m.body[0]))
            return None
        if m.message_type != MessageType.METHOD_CALL:
            return None
        if m.interface == MANAGER:
            return Message.new_method_return(m, "a{oa{sa{sv}}}", [self.objects])
        if m.path != "/" and m.path not in self.objects:
            return Message.new_error(m, "org.freedesktop.DBus.Error.UnknownObject", m.path)
        self.spawn(self.answer(m))
        return True

    def spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def answer(self, m: Message) -> None:
        try:
            signature, body = await getattr(self, f"on_{m.member}")(m) or ("", [])
            reply = Message.new_method_return(m, signature, body)
        except Refused as refused:
            reply = Message.new_error(m, refused.name, str(refused))
        except att.ATT_Error as error:
            text = f"Operation failed with ATT error: 0x{error.error_code:02x}"
            reply = Message.new_error(m, "org.bluez.Error.Failed", text)
        except core.BaseBumbleError as error:
            reply = Message.new_error(m, "org.bluez.Error.Failed", str(error))
        self.bus.send(reply)

    async def forget(self, sender: str) -> None:
        """A program died: its scan and notifications end, its links do not."""
        if sender in self.scanning:
            await self.stop_scan(sender)
        for path in [p for p, who in self.notifying.items() if sender in who]:
            hear = self.notifying[path].pop(sender)
            if path in self.attributes:
                await self.attributes[path].unsubscribe(hear)

    async def on_SetDiscoveryFilter(self, m: Message) -> None:
        """Every advertisement is told."""

    async def on_StartDiscovery(self, m: Message) -> None:
        if m.sender in self.scanning:
            raise Refused("InProgress", "Operation already in progress")
        self.scanning.add(m.sender)
        if len(self.scanning) == 1:
            await self.central.start_scanning(filter_duplicates=False)

    async def on_StopDiscovery(self, m: Message) -> None:
        await self.stop_scan(m.sender)

    async def stop_scan(self, sender: str) -> None:
        self.scanning.discard(sender)
        if not self.scanning:
            await self.central.stop_scanning()

    async def on_Connect(self, m: Message) -> None:
        path = m.path
        if self.faults:
            name, _, text = self.faults.popleft().partition(":")
            raise Refused(name, text)
        if path in self.links:
            raise Refused("AlreadyConnected", "Already Connected")
        async with self.connecting:
            try:
                link = await self.central.connect(self.addresses[path], timeout=20.0)
            except (core.TimeoutError, core.ConnectionError) as error:
                raise Refused("Failed", "le-connection-abort-by-local") from error
        self.links[path] = link
        link.on("disconnection", lambda _: self.lost(path))
        self.change(path, DEVICE, Connected=Variant("b", True))
        self.spawn(self.resolve(path, link))

    async def resolve(self, path: str, link: Connection) -> None:
        peer = Peer(link)
        await peer.request_mtu(517)
        await peer.discover_all()
        for service in peer.services:
            there = f"{path}/service{service.handle:04x}"
            self.add(
                there,
                SERVICE,
                {
                    "UUID": Variant("s", normal(service.uuid)),
                    "Device": Variant("o", path),
                    "Primary": Variant("b", True),
                    "Includes": Variant("ao", []),
                },
            )
            for item in service.characteristics:
                at = f"{there}/char{item.handle - 1:04x}"
                self.attributes[at] = item
                flags = list(gatt_char_props_to_strs(item.properties))
                values = {
                    "UUID": Variant("s", normal(item.uuid)),
                    "Service": Variant("o", there),
                    "Value": Variant("ay", b""),
                    "Flags": Variant("as", flags),
                    "MTU": Variant("q", link.att_mtu),
                    "Notifying": Variant("b", False),
                }
                self.add(at, CHARACTERISTIC, values)
                for note in item.descriptors:
                    self.attributes[f"{at}/desc{note.handle:04x}"] = note
                    self.add(
                        f"{at}/desc{note.handle:04x}",
                        DESCRIPTOR,
                        {
                            "UUID": Variant("s", normal(note.type)),
                            "Characteristic": Variant("o", at),
                            "Value": Variant("ay", b""),
                            "Flags": Variant("as", []),
                        },
                    )
        self.change(path, DEVICE, ServicesResolved=Variant("b", True))

    def lost(self, path: str) -> None:
        self.links.pop(path, None)
        self.change(path, DEVICE, ServicesResolved=Variant("b", False))
        self.change(path, DEVICE, Connected=Variant("b", False))
        for below in sorted((p for p in self.objects if p.startswith(path + "/")), reverse=True):
            self.remove(below)
            self.attributes.pop(below, None)
            self.notifying.pop(below, None)

    async def on_Disconnect(self, m: Message) -> None:
        if m.path not in self.links:
            raise Refused("NotConnected", "Not Connected")
        await self.links[m.path].disconnect()

    async def on_ReadValue(self, m: Message) -> tuple[str, list[Any]]:
        return "ay", [bytes(await self.attributes[m.path].read_value())]

    async def on_WriteValue(self, m: Message) -> None:
        kind = m.body[1].get("type", Variant("s", "request")).value
        await self.attributes[m.path].write_value(bytes(m.body[0]), with_response=kind == "request")

    async def on_StartNotify(self, m: Message) -> None:
        path = m.path

        def hear(value: bytes) -> None:
            self.change(path, CHARACTERISTIC, Value=Variant("ay", bytes(value)))

        self.notifying.setdefault(path, {})[m.sender] = hear
        await self.attributes[path].subscribe(hear)
        self.change(path, CHARACTERISTIC, Notifying=Variant("b", True))

    async def on_StopNotify(self, m: Message) -> None:
        hear = self.notifying.get(m.path, {}).pop(m.sender, None)
        await self.attributes[m.path].unsubscribe(hear)
        self.change(m.path, CHARACTERISTIC, Notifying=Variant("b", False))

    # What a test does to the world: interface test.Radio1.

    async def on_SetRange(self, m: Message) -> None:
        lane, is_near = m.body
        self.world.link.set_in_range(self.world.imus[lane].address, is_near=is_near)

    async def on_FailConnects(self, m: Message) -> None:
        self.faults.extend(m.body[0])

    async def on_Links(self, m: Message) -> tuple[str, list[Any]]:
        return "u", [len(self.links)]


async def main(minutes: float) -> None:
    run = simulate(easy_run(minutes), 5)
    async with World(plans_of_run(run)) as world:
        bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
        await Bluez(bus, world).start()
        sys.stdout.write(READY + "\n")
        sys.stdout.flush()
        await bus.wait_for_disconnect()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0))
