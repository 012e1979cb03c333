"""``latemiles sensor info|log|update`` on sensors whose firmware is the core, over the real bleak client."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware.core_imu import CoreImu, maker
from firmware.host_core import Library
from latemiles.cli.sensor import info_lines, log_lines, meant
from latemiles.errors import ConfigError, EnvironmentMissing, LinkFailed
from latemiles.recording.reader import Recording
from latemiles.recording.verify import verify
from latemiles.sensors import protocol
from latemiles.sensors.assignments import Assignments
from latemiles.sensors.desk import visit
from latemiles.sensors.drivers.latemiles_v1 import LatemilesV1, counts_from_si
from latemiles.sensors.protocol import Command, Start
from latemiles.sensors.talk import Talk
from latemiles.sensors.uf2 import read_image
from latemiles.session.sensor_update import update
from latemiles.signals.frames import SEGMENTS, Segment
from latemiles.signals.records import Packet
from latemiles.sim.clock import run_in_virtual_time
from latemiles.sim.feed import index_pattern
from latemiles.sim.world import SensorPlan, World, serial_of
from reference.uf2_files import SENSE, drive, program, uf2

RATE_HZ = 208.0
KEPT = Assignments({Segment.LEFT_THIGH: serial_of(1)})
LEFT = "left thigh"


def in_world(library: Library, work: Callable[[World], Awaitable[Any]]) -> Any:
    """Do something with sensors in reach, of which the second has a flash log."""

    async def main() -> Any:
        plans = [SensorPlan(index_pattern(RATE_HZ, 300.0), place) for place in SEGMENTS]
        make = maker(library, ring_bytes=6000, flash_sectors=lambda lane: 16 if lane == 1 else 0)
        async with World(plans, make_imu=make) as world:
            return await work(world)

    return run_in_virtual_time(main)


async def recorded_alone(world: World, seconds: float) -> None:
    """A run of the second sensor whose host goes out of reach for so long, and ends it after."""
    heard = await meant(world.stack, KEPT, LEFT, 2.0)
    async with visit(world.stack, heard) as there:
        talk = Talk(there)
        await talk.do(Command.SET_UTC, (1_700_000_000_000).to_bytes(8, "little"))
        await there.connection.listen(protocol.DATA, lambda _: None)
        await talk.do(Command.START, Start().encode())
        await asyncio.sleep(2.0)
        world.link.set_in_range(world.imus[1].address, is_near=False)
        await asyncio.sleep(seconds)
        world.link.set_in_range(world.imus[1].address, is_near=True)


def test_info_tells_what_a_sensor_is(core_library: Library) -> None:
    lines = in_world(core_library, lambda world: info_lines(world.stack, KEPT, LEFT, 2.0))
    facts = {line[:15].strip(): line[16:] for line in lines[1:]}
    assert lines[0] == "LM-A112"
    assert facts["serial"] == serial_of(1)
    assert facts["sits on"] == "left thigh"
    assert facts["its own role"] == "left thigh"
    assert facts["board"] == "XIAO nRF52840 Sense"
    assert facts["firmware"].startswith("0.1.0, protocol 1, started")
    assert facts["battery"] == "97 %, 4.15 V"
    assert facts["state"] == "ready"
    assert facts["flash log"] == "0 of 256 pages, 0 samples"
    assert "temperature" not in facts


def test_a_sensor_that_is_not_heard_is_one_line(core_library: Library) -> None:
    with pytest.raises(EnvironmentMissing, match=r"No sensor 'FFFF' was heard.*latemiles scan"):
        in_world(core_library, lambda world: info_lines(world.stack, KEPT, "FFFF", 2.0))


def test_what_nobody_heard_becomes_a_recording_and_the_log_is_emptied(
    core_library: Library, tmp_path: Path
) -> None:
    async def work(world: World) -> tuple[list[str], list[str], list[str]]:
        await recorded_alone(world, 25.0)
        with pytest.raises(EnvironmentMissing, match="recording a run"):
            await log_lines(world.stack, KEPT, LEFT, 2.0, tmp_path)
        read = await log_lines(world.stack, KEPT, LEFT, 2.0, tmp_path, end_run=True)
        again = await log_lines(world.stack, KEPT, LEFT, 2.0, tmp_path, erase=True)
        return read, again, await log_lines(world.stack, KEPT, LEFT, 2.0, tmp_path)

    read, again, empty = in_world(core_library, work)
    assert empty == ["LM-A112: the log is empty."]
    assert again[-1] == "The log is empty now."
    # What is there already is left alone.
    assert len(list(tmp_path.glob("log-A112-*.mcap"))) == 2
    path = Path(read[1].strip())
    assert verify(path).ok
    with Recording.open(path) as recording:
        header = recording.header
        packets = [r for r in recording.records() if isinstance(r, Packet)]
        stream = recording.streams()[Segment.LEFT_THIGH]
    (sensor,) = header.sensors
    assert (sensor.segment, sensor.rate_hz, sensor.firmware) == (Segment.LEFT_THIGH, 208.0, "0.1.0")
    assert 1_700_000_000 <= header.started_utc_ns / 1e9 < 1_700_000_060
    driver = LatemilesV1()
    decoded = [driver.decode(packet.payload) for packet in packets]
    index = np.concatenate([p.first_index + np.arange(len(p.acc)) for p in decoded])
    numbers = np.concatenate([counts_from_si(p.acc, p.gyr)[:, 0] for p in decoded])
    kept, first = np.unique(index, return_index=True)
    assert np.all(np.diff(kept) == 1)
    assert np.all(np.diff(numbers[first]) == 1)
    assert len(kept) > 18.0 * RATE_HZ
    assert np.abs(np.diff(np.unique(stream.t)) - 1.0 / RATE_HZ).max() < 1e-3
    assert f"{len(packets)} pages read" in read[0]


def test_a_log_of_a_sensor_without_a_place_asks_for_one(core_library: Library, tmp_path: Path) -> None:
    async def work(world: World) -> None:
        heard = await meant(world.stack, KEPT, LEFT, 2.0)
        async with visit(world.stack, heard) as there:
            await Talk(there).do(Command.SET_ROLE, b"\0")
        await recorded_alone(world, 12.0)
        await log_lines(world.stack, Assignments(), "A112", 2.0, tmp_path, end_run=True)

    with pytest.raises(ConfigError, match="latemiles assign"):
        in_world(core_library, work)


@dataclass
class Cable:
    """A sensor on a USB cable: its bootloader shows a drive, and starts what is copied there."""

    world: World
    folder: Path
    board: str = SENSE
    is_plugged: bool = True
    starts: bool = True
    taken: list[bytes] = field(default_factory=list)

    def begin(self) -> None:
        imu = self.imu
        imu.is_charging = imu.core.is_charging = self.is_plugged
        imu.on_bootloader = lambda: imu.spawn("bootloader", self._boot)

    @property
    def imu(self) -> CoreImu:
        """The sensor."""
        return self.world.imus[1]  # type: ignore[return-value]

    async def _boot(self) -> None:
        if not self.is_plugged:
            return
        await asyncio.sleep(2.0)
        there = drive(self.folder / "XIAO-SENSE", self.board)
        while not (there / "latemiles.uf2").exists():  # noqa: ASYNC110 a folder tells nobody
            await asyncio.sleep(0.2)
        self.taken.append((there / "latemiles.uf2").read_bytes())
        shutil.rmtree(there)
        if self.starts:
            await self.imu.reboot()


def updated(library: Library, tmp_path: Path, prepare: Callable[[Cable], None], **options: object):
    """Update the left sensor; what was said, its versions, and the cable."""
    path = tmp_path / "zephyr.uf2"
    path.write_bytes(uf2(program()))
    drives_in = tmp_path / "media"
    drives_in.mkdir(exist_ok=True)
    said: list[str] = []

    async def work(world: World):
        cable = Cable(world, drives_in)
        prepare(cable)
        cable.begin()
        # The battery is looked at every ten seconds.
        await asyncio.sleep(60.0)
        heard = await meant(world.stack, KEPT, LEFT, 2.0)
        look = lambda: list(drives_in.iterdir())  # noqa: E731
        try:
            told = await update(
                world.stack,
                heard,
                read_image(path),
                said.append,
                folders=look,
                **options,  # type: ignore[arg-type]
            )
        finally:
            held.append(cable)
        return told

    held: list[Cable] = []
    return in_world(library, work), said, held[0]


def test_an_update_goes_by_radio_and_cable_and_the_sensor_is_heard_again(
    core_library: Library, tmp_path: Path
) -> None:
    (before, after), said, cable = updated(core_library, tmp_path, lambda _: None)
    assert cable.taken == [uf2(program())]
    assert after.serial == before.serial
    assert after.boots == before.boots + 1
    assert said[0] == "LM-A112 is in its bootloader; waiting for its drive."
    assert "4096 bytes written" in said[1]


def unplugged(cable: Cable) -> None:
    cable.is_plugged = False
    cable.imu.core.battery_mv = 3900


def low(cable: Cable) -> None:
    unplugged(cable)
    cable.imu.core.battery_mv = 3450


def another_board(cable: Cable) -> None:
    cable.board = "RPI-RP2"


def dead_after(cable: Cable) -> None:
    cable.starts = False


@pytest.mark.parametrize(
    ("prepare", "why", "goes_down"),
    [
        (unplugged, "does not charge", False),
        (low, r"has \d % left.*Charge it first", False),
        (another_board, "RPI-RP2.*Nothing was written", True),
        (dead_after, "was not heard for 30 s", True),
    ],
)
def test_an_update_that_must_not_be_or_does_not_end_says_so(
    core_library: Library,
    tmp_path: Path,
    prepare: Callable[[Cable], None],
    why: str,
    goes_down: bool,
) -> None:
    down: list[bool] = []

    def prepared(cable: Cable) -> None:
        prepare(cable)
        told = cable.imu.on_bootloader
        assert told is not None
        original = cable._boot
        cable._boot = lambda: (down.append(True), original())[1]  # type: ignore[method-assign]

    with pytest.raises((EnvironmentMissing, LinkFailed), match=why):
        updated(core_library, tmp_path, prepared)
    assert bool(down) is goes_down


def test_a_sensor_that_records_is_not_updated_unless_told(core_library: Library, tmp_path: Path) -> None:
    async def work(world: World) -> str:
        await recorded_alone(world, 5.0)
        (tmp_path / "z.uf2").write_bytes(uf2(program()))
        heard = await meant(world.stack, KEPT, LEFT, 2.0)
        with pytest.raises(EnvironmentMissing, match=r"recording a run.*--end-run"):
            await update(world.stack, heard, read_image(tmp_path / "z.uf2"), lambda _: None, folders=list)
        heard = await meant(world.stack, KEPT, LEFT, 2.0)
        with pytest.raises(EnvironmentMissing, match="No drive appeared within 30 s"):
            await update(
                world.stack,
                heard,
                read_image(tmp_path / "z.uf2"),
                lambda _: None,
                end_run=True,
                folders=list,
            )
        return world.imus[1].name

    assert in_world(core_library, work) == "LM-A112"


def test_of_several_sensors_the_one_to_be_updated_must_be_named(core_library: Library) -> None:
    with pytest.raises(EnvironmentMissing, match="LM-A001, LM-A112, LM-A223 were heard"):
        in_world(core_library, lambda world: meant(world.stack, KEPT, "", 2.0, only=True))
