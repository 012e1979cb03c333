"""A whole virtual world: the air, the sensors on a runner, the host's adapter."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final

from latemiles.sensors import about, protocol
from latemiles.sensors.ble import BleStack
from latemiles.sensors.drivers import latemiles_v1
from latemiles.signals.frames import SEGMENTS, Segment
from latemiles.sim.bleak_backend import VirtualAdapter
from latemiles.sim.feed import Samples, from_run
from latemiles.sim.firmware import ImuFirmware
from latemiles.sim.peripheral import Peripheral
from latemiles.sim.radio import RadioLink, RadioParams
from latemiles.sim.runner import SimulatedRun
from latemiles.sim.virtual_imu import VirtualImu

__all__ = ["ImuMaker", "SensorPlan", "World", "address_of", "emulated_imu", "plans_of_run", "serial_of"]

_FIRST_SERIAL: Final = 0x4C4D_0000_0000_A001


def serial_of(lane: int) -> str:
    """Serial number of the virtual sensor of a lane, as text."""
    return about.serial_text(_FIRST_SERIAL + 0x111 * lane)


def address_of(lane: int) -> str:
    """Bluetooth address of the virtual sensor of a lane."""
    return f"C0:00:00:00:00:{lane + 1:02X}"


@dataclass(frozen=True, slots=True)
class SensorPlan:
    """One virtual sensor."""

    feed: Iterator[Samples]
    segment: Segment | None = None
    skew: float = 0.0
    tick_offset_s: float = 0.0
    battery_percent: float = 97.0

    @property
    def role(self) -> int:
        """Number of its segment in the protocol."""
        return protocol.ROLES.index(self.segment) if self.segment is not None else 0


def plans_of_run(run: SimulatedRun) -> list[SensorPlan]:
    """The sensors of a simulated run."""
    feeds = from_run(run, acc_range=latemiles_v1.ACC_RANGE_M_S2, gyr_range=latemiles_v1.GYR_RANGE_RAD_S)
    return [
        SensorPlan(feed, sensor.segment, sensor.skew, sensor.tick_offset_s, 97.0 - 3.0 * lane)
        for lane, (feed, sensor) in enumerate(zip(feeds, run.sensors, strict=True))
    ]


@dataclass
class World:
    """The air with sensors and one adapter in it; use with ``async with``.

    World time zero, when the first sample of every feed may be taken, is when the first sensor is started,
    or when ``begin`` is called.

    Parameters
    ----------
    sensors : sequence of SensorPlan
        One virtual sensor each; serial numbers are ``serial_of`` their place.
    params : RadioParams, optional
        Of the radio.
    rate_hz : int
        Sample rate of the sensors.
    make_imu : callable
        Makes the sensor of a place from its plan; the emulator, or the firmware's own core in its place.
    """

    sensors: Sequence[SensorPlan]
    params: RadioParams = field(default_factory=RadioParams)
    rate_hz: int = 208
    make_imu: ImuMaker | None = None
    link: RadioLink = field(init=False)
    adapter: VirtualAdapter = field(init=False)
    imus: list[VirtualImu] = field(init=False, default_factory=list)
    others: list[Peripheral] = field(init=False, default_factory=list)
    _zero_s: float | None = None

    async def __aenter__(self) -> World:
        self.link = RadioLink(self.params)
        self.adapter = VirtualAdapter(self.link)
        await self.adapter.start()
        for lane, plan in enumerate(self.sensors):
            await self._add(lane, plan)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for peripheral in (*self.imus, *self.others):
            await peripheral.stop()
        # What Bumble still has to say to itself.
        await asyncio.sleep(0.1)

    async def _add(self, lane: int, plan: SensorPlan) -> None:
        imu = (self.make_imu or emulated_imu)(self, lane, plan)
        self.imus.append(imu)
        await imu.start()

    async def add(self, make: Callable[[RadioLink, str], Peripheral]) -> Peripheral:
        """Put another peripheral into the world.

        Parameters
        ----------
        make : callable
            Takes the air and an address.
        """
        peripheral = make(self.link, f"C1:00:00:00:00:{len(self.others) + 1:02X}")
        self.others.append(peripheral)
        await peripheral.start()
        return peripheral

    @property
    def stack(self) -> BleStack:
        """What the program hands to bleak."""
        return self.adapter.stack

    def begin(self) -> None:
        """World time zero is now, unless it was before."""
        if self._zero_s is None:
            self._zero_s = asyncio.get_running_loop().time()

    def zero_s(self) -> float:
        """Loop time of world time zero; a little ahead of now while the world has not begun."""
        return asyncio.get_running_loop().time() + 0.02 if self._zero_s is None else self._zero_s

    def now_s(self) -> float:
        """World time."""
        return asyncio.get_running_loop().time() - self.zero_s()

    def imu(self, segment: Segment) -> VirtualImu:
        """The sensor that sits on a segment."""
        return self.imus[SEGMENTS.index(segment)]


ImuMaker = Callable[[World, int, SensorPlan], VirtualImu]


def emulated_imu(world: World, lane: int, plan: SensorPlan) -> VirtualImu:
    """The sensor of a lane as the emulator has it."""
    serial = _FIRST_SERIAL + 0x111 * lane
    firmware = ImuFirmware(
        serial, rate_hz=world.rate_hz, battery_percent=plan.battery_percent, role=plan.role
    )
    firmware.on_start = world.begin
    return VirtualImu(
        world.link,
        serial,
        address_of(lane),
        plan.feed,
        world.zero_s,
        skew=plan.skew,
        tick_offset_s=plan.tick_offset_s,
        firmware=firmware,
    )
