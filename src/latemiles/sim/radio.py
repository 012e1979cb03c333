"""A virtual Bluetooth radio: connection events, capacity, loss with retransmission, range, supervision.

Bumble's ``LocalLink`` delivers everything at once and loses nothing; a run does not look like that. Time is
the event loop's, so a loop with simulated time makes hours pass in seconds. It says nothing about the range
of a real radio or the limits of a real adapter.
"""

from __future__ import annotations

import asyncio
import dataclasses
import math
import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

from bumble import hci, ll
from bumble.controller import Connection, Controller
from bumble.core import PhysicalTransport
from bumble.hci import Address
from bumble.link import LocalLink

from latemiles.sim.radio_controller import RadioController

__all__ = ["Ear", "RadioLink", "RadioParams"]

_NOTIFICATION: Final = b"\x04\0\x1b"
"""Channel of the attribute protocol, and its notification."""
_ROUNDING: Final = 1e-6
"""So that the event of this very moment is not taken for the next one, in intervals."""


@dataclass(frozen=True, slots=True)
class RadioParams:
    """What the link layer does."""

    interval_s: float = 0.015
    """Connection interval: data moves at its multiples only."""
    pdus_per_event: int = 4
    """Most data PDUs of one side in one connection event."""
    supervision_s: float = 4.0
    """A link from which nothing was heard for so long is gone."""
    seed: int = 1


Ear = Callable[[str, int, bytes], bool]
"""Takes a notification: the sender's address, the attribute's handle, the value; False to have it go the long
way through the host."""


@lru_cache(maxsize=1024)
def _text(address: Address) -> str:
    return str(address)


class _Queued(NamedTuple):
    """One L2CAP PDU that waits for the air."""

    data: bytes
    handle: int
    """Link whose host gets its credit back; -1: none does."""
    sent: Callable[[], None] | None


@dataclass(slots=True)
class _Air:
    """One link between two controllers, by the peripheral's address."""

    phase_s: float
    last_heard_s: float
    queues: dict[RadioController, deque[_Queued]] = field(default_factory=dict)
    timer: asyncio.TimerHandle | None = None
    ways: dict[RadioController, tuple[Controller, Address]] = field(default_factory=dict)
    """Who hears each end, and the address by which it knows the sender."""

    @property
    def is_idle(self) -> bool:
        return not any(self.queues.values())


class RadioLink(LocalLink):
    """The air between the controllers of one simulated world.

    Parameters
    ----------
    params : RadioParams, optional
        Interval, capacity, supervision, seed.

    Attributes
    ----------
    counts : Counter
        ``pdus``, ``repeated``, ``dropped`` (queued when a link ended).
    """

    def __init__(self, params: RadioParams | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.params = params or RadioParams()
        self.counts: Counter[str] = Counter()
        self.accepted = 0
        self._random = random.Random(self.params.seed)
        self._loss: dict[str, float] = {}
        self._away: set[str] = set()
        self._peripherals: set[str] = set()
        self._scan_responses: dict[str, bytes] = {}
        self._air: dict[str, _Air] = {}
        self._ears: dict[Controller, Ear] = {}

    # What a test or a demo does to the world.

    def set_loss(self, address: str, share: float) -> None:
        """Let this share of PDUs to and from a peripheral be lost on the air; each is sent again."""
        self._loss[address] = share

    def set_in_range(self, address: str, *, is_near: bool) -> None:
        """Bring a peripheral into the central's reach, or out of it."""
        was_near = address not in self._away
        if is_near:
            self._away.discard(address)
        else:
            self._away.add(address)
        if (air := self._air.get(address)) is not None and was_near != is_near:
            # Empty packets go to and fro at every event, so the link was alive until now.
            air.last_heard_s = asyncio.get_running_loop().time()
            self._plan(address, air)

    def cut(self, address: str, reason: int = hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR) -> None:
        """End a peripheral's link on both sides at once; what was queued is lost."""
        air = self._air.pop(address, None)
        if air is None:
            return
        if air.timer is not None:
            air.timer.cancel()
        self.counts["dropped"] += sum(len(queue) for queue in air.queues.values())
        for controller in list(self.controllers):
            for connection in list(controller.le_connections.values()):
                if address in (_text(connection.self_address), _text(connection.peer_address)):
                    controller.on_le_disconnected(connection, reason)

    def vanish(self, controller: Controller) -> None:
        """Take a controller (the host's adapter) out of the world: its links time out for the others."""
        for connection in list(controller.le_connections.values()):
            self.cut(self._name(connection.self_address, connection.peer_address))
        self.remove_controller(controller)

    # What peripherals need.

    def add_peripheral(self, address: str) -> None:
        """Tell which address names a peripheral: links are kept by it."""
        self._peripherals.add(address)

    def set_scan_response(self, address: str, data: bytes) -> None:
        """What a peripheral answers to a scan; Bumble's controller never sends one."""
        self._scan_responses[address] = data

    def hear_notifications(self, controller: Controller, ear: Ear) -> None:
        """Have notifications to a controller go past its host, in the same order as all else that it hears.

        Bumble's host makes a line for its log of every packet, which costs more than the radio.
        """
        self._ears[controller] = ear

    def is_linked(self, address: str) -> bool:
        """Whether a peripheral has a link."""
        return address in self._air

    async def unlinked(self, address: str) -> None:
        """Wait until a peripheral has no link."""
        for _ in range(math.ceil(self.params.supervision_s / self.params.interval_s) + 1):
            if address not in self._air:
                return
            await asyncio.sleep(self.params.interval_s)

    def queued(self, address: str, controller: RadioController) -> int:
        """PDUs of one side that wait for the next connection event."""
        air = self._air.get(address)
        return len(air.queues.get(controller, ())) if air is not None else 0

    # Bumble's side.

    def send_advertising_pdu(self, sender_controller: Controller, packet: ll.AdvertisingPdu) -> None:
        """Let those in range hear an advertisement or a connection request."""
        if str(sender_controller.random_address) in self._away:
            return
        loop = asyncio.get_running_loop()
        response = self._scan_responses.get(str(sender_controller.random_address))
        if response and isinstance(packet, ll.AdvInd | ll.AdvExtInd):
            # As if every scan were active and every response came: what a host makes of both together.
            packet = dataclasses.replace(packet, data=packet.data + response)
        if isinstance(packet, ll.ConnectInd):
            target = str(packet.advertiser_address)
            if target in self._away:
                return
            now = loop.time()
            phase = self._random.random() * self.params.interval_s
            air = self._air[target] = _Air(phase, now)
            self._plan(target, air)
        for controller in self.controllers:
            if controller is not sender_controller and (
                controller.le_scan_enable
                or controller.pending_le_connection is not None
                or isinstance(packet, ll.ConnectInd)
            ):
                loop.call_soon(controller.on_ll_advertising_pdu, packet)

    def send_ll_control_pdu(
        self, sender_address: Address, receiver_address: Address, packet: ll.ControlPdu
    ) -> None:
        """Link layer control; a farewell ends the link's queues too."""
        if isinstance(packet, ll.TerminateInd):
            air = self._air.pop(self._name(sender_address, receiver_address), None)
            if air is not None and air.timer is not None:
                air.timer.cancel()
        if self.find_le_controller(receiver_address) is not None:
            super().send_ll_control_pdu(sender_address, receiver_address, packet)

    def send_acl_data(
        self,
        sender_controller: Controller,
        destination_address: Address,
        transport: PhysicalTransport,
        data: bytes,
    ) -> None:
        """Queue data for the next connection event that has room."""
        self.accepted += 1
        if not isinstance(sender_controller, RadioController) or transport != PhysicalTransport.LE:
            return
        connection = sender_controller.le_connections.get(destination_address)
        if connection is None:
            return
        self.queue(sender_controller, connection, data, is_credited=True)

    def queue(
        self,
        sender: RadioController,
        connection: Connection,
        data: bytes,
        *,
        is_credited: bool = False,
        sent: Callable[[], None] | None = None,
    ) -> None:
        """Queue one L2CAP PDU on a link.

        Parameters
        ----------
        sender : RadioController
            Whose it is.
        connection : Connection
            Its end of the link.
        data : bytes
            The PDU.
        is_credited : bool
            Whether the host's credit is given back once it is sent.
        sent : callable or None
            Called once it was received; never, if the link ends before.
        """
        address = self._name(connection.self_address, connection.peer_address)
        air = self._air.get(address)
        if air is None:
            return
        handle = connection.handle if is_credited else -1
        air.queues.setdefault(sender, deque()).append(_Queued(data, handle, sent))
        if air.timer is None:
            self._plan(address, air)

    def _name(self, one: Address, other: Address) -> str:
        return _text(one) if _text(one) in self._peripherals else _text(other)

    def _plan(self, address: str, air: _Air) -> None:
        """Look again at the next connection event, or when the supervision timeout is due."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if air.timer is not None:
            air.timer.cancel()
            air.timer = None
        if address in self._away:
            air.timer = loop.call_at(
                air.last_heard_s + self.params.supervision_s, self._supervise, address, air
            )
        elif not air.is_idle:
            step = self.params.interval_s
            event = math.floor((now - air.phase_s) / step + _ROUNDING) + 1
            air.timer = loop.call_at(air.phase_s + event * step, self._event, address, air)

    def _supervise(self, address: str, air: _Air) -> None:
        if self._air.get(address) is air and address in self._away:
            self.cut(address)

    def _event(self, address: str, air: _Air) -> None:
        """One connection event: both sides send until full or until a PDU is lost."""
        air.timer = None
        if self._air.get(address) is not air or address in self._away:
            return
        loss = self._loss.get(address, 0.0)
        for sender, queue in list(air.queues.items()):
            for _ in range(min(len(queue), self.params.pdus_per_event)):
                if loss > 0.0 and self._random.random() < loss:
                    # No acknowledgement: this side is silent until the next event, then sends it again.
                    self.counts["repeated"] += 1
                    break
                pdu = queue.popleft()
                self.counts["pdus"] += 1
                self._deliver(sender, address, air, pdu.data)
                if pdu.handle >= 0:
                    sender.give_credit(pdu.handle)
                if pdu.sent is not None:
                    pdu.sent()
        self._plan(address, air)

    def _deliver(self, sender: RadioController, address: str, air: _Air, data: bytes) -> None:
        way = air.ways.get(sender) or self._way(sender, address)
        if way is None:
            return
        air.ways[sender] = way
        receiver, known_as = way
        ear = self._ears.get(receiver)
        if ear is None or data[2:5] != _NOTIFICATION:
            receiver.on_link_acl_data(known_as, PhysicalTransport.LE, data)
            return

        def hear() -> None:
            if not ear(address, int.from_bytes(data[5:7], "little"), data[7:]):
                receiver.on_link_acl_data(known_as, PhysicalTransport.LE, data)

        # As Bumble hands packets from controller to host.
        asyncio.get_running_loop().call_soon(hear)

    def _way(self, sender: RadioController, address: str) -> tuple[Controller, Address] | None:
        """Who is at the other end of a peripheral's link."""
        for connection in sender.le_connections.values():
            if address in (_text(connection.self_address), _text(connection.peer_address)):
                receiver = self._receiver(sender, connection)
                return None if receiver is None else (receiver, connection.self_address)
        return None

    def _receiver(self, sender: RadioController, connection: Connection) -> Controller | None:
        for controller in self.controllers:
            if controller is not sender and connection.self_address in controller.le_connections:
                found = controller.le_connections[connection.self_address]
                if found.self_address == connection.peer_address:
                    return controller
        return None
