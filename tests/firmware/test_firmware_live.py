"""``latemiles live``, the command, with three firmware cores as its sensors; and with three emulators."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from firmware.core_imu import maker
from firmware.host_core import TICK_HZ, Library
from latemiles.cli.main import main
from latemiles.recording.reader import Recording
from latemiles.sensors.assignments import Assignments
from latemiles.sensors.drivers.latemiles_v1 import LatemilesV1, counts_from_si
from latemiles.session.home import Home
from latemiles.session.over_radio import virtual_air, world_of_run
from latemiles.signals.frames import SEGMENTS, Segment
from latemiles.signals.records import Packet
from latemiles.sim.firmware import ImuFirmware
from latemiles.sim.plan import Phase, RunnerPlan
from latemiles.sim.runner import simulate
from latemiles.sim.virtual_imu import VirtualImu
from latemiles.sim.world import ImuMaker, SensorPlan, World, emulated_imu, serial_of

pytestmark = pytest.mark.timeout(600)
"""The first test of a changed kernel waits for the compiler."""
PELVIS, LEFT, RIGHT = SEGMENTS
RATE_HZ = 208
RUN = RunnerPlan((Phase("standing", 4.0), Phase("running", 40.0, 3.0)), has_watch=False)
ENDS_S = 34.0
WRAP_S = 12.0
"""The pelvis sensor's ticks begin anew about so long after the start."""
RING_BYTES = 24_000
"""Holds nine seconds; what is older comes out of flash."""
SECTORS = 64
MOST_APART_TICKS = 8
"""Ticks of the core and of the emulator differ by 0.25 ms at most: docs/sensor-protocol.md."""

Counts = NDArray[np.int64]


@dataclass
class Part:
    """What the recording holds of one sensor in one epoch."""

    first: int
    """Which of all measured samples is its first."""
    count: int
    number: NDArray[np.int64]
    """Which of all measured samples each frame begins with."""
    tick: NDArray[np.int64]
    """Of each frame; counts on through the wrap."""


@dataclass
class Told:
    """What one run of the command left behind."""

    parts: dict[Segment, list[Part]]
    said: str
    pages: int
    """That the left thigh's sensor wrote to flash."""


def measured() -> dict[Segment, Counts]:
    """All that each sensor measures, as counts; made in the same lots as the feed of the world."""
    chunks = list(simulate(RUN, 5).chunks(30.0))
    return {
        s: np.concatenate([counts_from_si(c[s.lane].acc, c[s.lane].gyr) for c in chunks]).astype(np.int64)
        for s in SEGMENTS
    }


def parts_of(path: Path, truth: dict[Segment, Counts]) -> dict[Segment, list[Part]]:
    """The recording's samples, each found among the measured ones, none missing."""
    frames: dict[Segment, dict[int, dict[int, tuple[int, Counts]]]] = {s: {} for s in SEGMENTS}
    with Recording.open(path) as recording:
        for record in recording.records():
            if isinstance(record, Packet):
                p = LatemilesV1().decode(record.payload)
                counts = counts_from_si(p.acc, p.gyr).astype(np.int64)
                of_epoch = frames[record.segment].setdefault(p.epoch, {})
                known = of_epoch.setdefault(p.first_index, (p.tick, counts))
                # A frame that comes again comes as it was; one from flash may be longer.
                same = min(len(counts), len(known[1]))
                assert np.array_equal(known[1][:same], counts[:same])
    return {
        segment: [one_part(epoch, truth[segment]) for epoch in epochs.values()]
        for segment, epochs in frames.items()
    }


def one_part(frames: dict[int, tuple[int, Counts]], truth: Counts) -> Part:
    samples = {
        first + k: row for first, (_, counts) in sorted(frames.items()) for k, row in enumerate(counts)
    }
    assert sorted(samples) == list(range(len(samples)))
    got = np.array([samples[k] for k in range(len(samples))])
    first = next(k for k in range(len(truth)) if np.array_equal(truth[k : k + 30], got[:30]))
    np.testing.assert_array_equal(got, truth[first : first + len(got)])
    index = np.array(sorted(frames))
    raw = np.array([frames[k][0] for k in index])
    steps = (np.diff(raw) + 2**31) % 2**32 - 2**31
    return Part(first, len(got), first + index, raw[0] + np.concatenate([[0], np.cumsum(steps)]))


def emulator(world: World, lane: int, plan: SensorPlan) -> VirtualImu:
    """The emulated sensor with a small ring and a flash log."""
    imu = emulated_imu(world, lane, plan)
    serial = imu.firmware.serial
    imu.firmware = ImuFirmware(serial, ring_bytes=RING_BYTES, role=plan.role, log_capacity=SECTORS * 16)
    imu.firmware.on_start = world.begin
    return imu


def live(home: Home, make: ImuMaker, capsys: pytest.CaptureFixture[str]) -> Told:
    """Run the command through loss, an absence, a restart and a tick's wrap to Ctrl-C."""
    first_tick_s = (2**32 - round(WRAP_S * TICK_HZ)) / TICK_HZ
    plan = world_of_run(simulate(RUN, 5))
    offsets = (first_tick_s, 0.0, 0.0)
    sensors = [replace(s, tick_offset_s=at, skew=0.0) for s, at in zip(plan.sensors, offsets, strict=True)]
    pages: list[int] = []

    async def happens(world: World) -> None:
        for imu in world.imus:
            world.link.set_loss(imu.address, 0.1)
        await asyncio.sleep(3.0)
        left = world.imu(LEFT)
        world.link.set_in_range(left.address, is_near=False)
        await asyncio.sleep(14.0)
        world.link.set_in_range(left.address, is_near=True)
        await asyncio.sleep(7.0)
        await world.imu(RIGHT).reboot()
        await asyncio.sleep(ENDS_S - 26.0)
        log = left.firmware if isinstance(left, VirtualImu) else None
        pages.append(log.log_first + len(log.log) if log is not None else int(left.core.core.log.next))
        os.kill(os.getpid(), signal.SIGINT)

    air = virtual_air(replace(plan, sensors=sensors, make_imu=make), None, happens=happens)
    Assignments({s: serial_of(k) for k, s in enumerate(SEGMENTS)}).save(home.sensors)
    status = main(["--home", str(home.root), "live", "--headless", "--no-calibration"], air)
    said = capsys.readouterr()
    assert status == 0, said.err
    (recording,) = home.recordings.glob("*.mcap")
    return Told(parts_of(recording, measured()), said.out + said.err, pages[0])


def test_the_live_command_loses_no_sample_of_the_cores_and_hears_what_the_emulators_say(
    core_library: Library, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # A board's counter starts when it is switched on, a little before the run.
    make = maker(
        core_library,
        ring_bytes=RING_BYTES,
        flash_sectors=SECTORS,
        first_tick=lambda lane: 2**32 - round(WRAP_S * TICK_HZ) if lane == 0 else 0,
    )
    core = live(Home(tmp_path / "core"), make, capsys)
    twin = live(Home(tmp_path / "emulator"), emulator, capsys)
    assert core.said.count("firmware 0.1.0") == 3
    for told in (core, twin):
        assert "report:" in told.said
        assert "lost for good" not in told.said
        assert [len(told.parts[s]) for s in SEGMENTS] == [1, 1, 2]
        assert told.pages > 3.0 * RATE_HZ / 18
        assert told.parts[PELVIS][0].tick[0] < 2**32 < told.parts[PELVIS][0].tick[-1]
        for segment in (PELVIS, LEFT):
            assert told.parts[segment][0].count > (ENDS_S - 1.0) * RATE_HZ
    for segment in SEGMENTS:
        for mine, theirs in zip(core.parts[segment], twin.parts[segment], strict=True):
            # Both began with the sample that was due.
            assert abs(mine.first - theirs.first) < 20
            both = mine.number[(mine.number > theirs.number[5]) & (mine.number < theirs.number[-1])]
            apart = np.interp(both, mine.number, mine.tick) - np.interp(both, theirs.number, theirs.tick)
            assert len(both) > 100
            assert np.ptp(apart) <= MOST_APART_TICKS
