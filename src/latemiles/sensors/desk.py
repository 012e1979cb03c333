"""What is done to sensors outside a run: list them, ask who they are, let them blink, feel for a tap."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import nan
from typing import Final

import numpy as np

from latemiles.errors import LatemilesError, LinkFailed, PacketError
from latemiles.sensors import about, protocol
from latemiles.sensors.about import Info, Status
from latemiles.sensors.ble import BleStack, Connection, Ear, Heard
from latemiles.sensors.clock_watch import ClockWatch
from latemiles.sensors.drivers import latemiles_v1
from latemiles.sensors.families import family_of
from latemiles.sensors.profiles import device
from latemiles.sensors.protocol import Command, Start

__all__ = ["Found", "Visit", "blink", "check_clock", "tapped", "visit", "visits", "who_is_there"]

SCAN_S: Final = 5.0
BLINK_S: Final = 5
CLOCK_QUESTIONS: Final = 10
CLOCK_SPAN_S: Final = 4.0


@dataclass(frozen=True, slots=True)
class Found:
    """One device that was heard, for a list."""

    heard: Heard
    kind: str
    """Family or kind, in words; empty where it is none of ours."""
    battery_percent: float = nan
    role: int = 0
    serial_end: str = ""


def found(heard: Heard) -> Found:
    """What an advertisement tells."""
    advert = about.Advert.decode(heard.service_data.get(protocol.SERVICE, b""))
    kind = family_of(heard)
    if protocol.SERVICE not in heard.services or advert is None:
        return Found(heard, kind)
    return Found(heard, kind, float(advert.battery_percent), advert.role, f"{advert.serial_low:04X}")


async def who_is_there(stack: BleStack, seconds: float = SCAN_S) -> list[Found]:
    """Devices of a known kind within reach, strongest first.

    Raises
    ------
    LinkFailed
        If there is no Bluetooth.
    """
    heard = await Ear(stack).all_within(seconds)
    return [one for one in map(found, heard) if one.kind]


@dataclass(slots=True)
class Visit:
    """One of our sensors while it is linked outside a run."""

    connection: Connection
    info: Info
    status: Status

    @property
    def serial(self) -> str:
        """Its serial number."""
        return about.serial_text(self.info.serial)


@asynccontextmanager
async def visit(stack: BleStack, heard: Heard, radio: asyncio.Lock | None = None) -> AsyncIterator[Visit]:
    """A link to one of our sensors for as long as the block lasts.

    Parameters
    ----------
    stack : BleStack
        Which Bluetooth.
    heard : Heard
        The sensor.
    radio : asyncio.Lock, optional
        Shared by those who connect at once.

    Raises
    ------
    LinkFailed
        If it cannot be reached or is of another version.
    """
    connection = Connection(stack, heard)
    await connection.open(radio or asyncio.Lock())
    try:
        try:
            info = Info.decode(await connection.read(protocol.INFO))
            status = Status.decode(await connection.read(protocol.STATUS))
        except PacketError as error:
            raise LinkFailed("unknown version", str(error)) from error
        yield Visit(connection, info, status)
    finally:
        await connection.close()


@asynccontextmanager
async def visits(stack: BleStack, heard: Sequence[Heard]) -> AsyncIterator[list[Visit]]:
    """Links to several of our sensors at once; those that cannot be reached are left out."""
    async with contextlib.AsyncExitStack() as links:
        radio = asyncio.Lock()
        there: list[Visit] = []
        for one in heard:
            with contextlib.suppress(LinkFailed):
                there.append(await links.enter_async_context(visit(stack, one, radio)))
        yield there


async def blink(there: Visit, seconds: int = BLINK_S) -> None:
    """Let a sensor's light blink.

    Raises
    ------
    LinkFailed
        If the link ended.
    """
    await there.connection.write(
        protocol.CONTROL, protocol.command(Command.IDENTIFY, 1, bytes([min(255, seconds)]))
    )


async def tapped(there: Sequence[Visit], seconds: float) -> Visit | None:
    """Which sensor is tapped: the one whose hardest knock is at least three times that of the others.

    Parameters
    ----------
    there : sequence of Visit
        The sensors; they are started and stopped.
    seconds : float
        How long to feel for it.

    Returns
    -------
    Visit or None
        None if no tap stood out.
    """
    driver = latemiles_v1.LatemilesV1()
    knocks = dict.fromkeys(range(len(there)), 0.0)
    last: dict[int, np.ndarray] = {}

    def feel(which: int, payload: bytes) -> None:
        with contextlib.suppress(PacketError):
            acc = driver.decode(payload).acc
            chain = np.concatenate([last[which], acc]) if which in last else acc
            last[which] = acc[-1:]
            if len(chain) > 1:
                # A tap is a jump from sample to sample; walking about is not.
                jump = float(np.abs(np.diff(chain, axis=0)).max())
                knocks[which] = max(knocks[which], jump)

    for which, one in enumerate(there):
        await one.connection.listen(protocol.DATA, lambda payload, which=which: feel(which, payload))  # type: ignore[misc]
        await one.connection.write(protocol.CONTROL, protocol.command(Command.START, 2, Start().encode()))
    await asyncio.sleep(seconds)
    for one in there:
        with contextlib.suppress(LinkFailed):
            await one.connection.write(protocol.CONTROL, protocol.command(Command.STOP, 3))
    ranked = sorted(knocks, key=lambda k: -knocks[k])
    if not ranked or knocks[ranked[0]] < 5.0:
        return None
    if len(ranked) > 1 and knocks[ranked[0]] < 3.0 * knocks[ranked[1]]:
        return None
    return there[ranked[0]]


async def check_clock(there: Visit) -> ClockWatch:
    """Compare a sensor's crystal with the computer's clock for some seconds.

    Raises
    ------
    LinkFailed
        If the link ended or the sensor does not answer.
    """
    loop = asyncio.get_running_loop()
    watch, answered = ClockWatch(), asyncio.Event()

    def hear(payload: bytes) -> None:
        if watch.answer(payload, loop.time()):
            answered.set()

    await there.connection.listen(protocol.CLOCK, hear)
    for _ in range(CLOCK_QUESTIONS):
        answered.clear()
        await there.connection.write(protocol.CLOCK, watch.question(loop.time()), response=False)
        try:
            async with asyncio.timeout(2.0):
                await answered.wait()
        except TimeoutError as error:
            raise LinkFailed("no answer in time", "The sensor's clock does not answer. Update it.") from error
        await asyncio.sleep(CLOCK_SPAN_S / CLOCK_QUESTIONS)
    return watch


async def device_text(connection: Connection, uuid: str) -> str:
    """A string of the device information; empty where there is none."""
    with contextlib.suppress(LatemilesError):
        if connection.offers(uuid):
            return device.text(await connection.read(uuid))
    return ""
