"""The firmware's core behind a GATT server on the virtual radio, heard by the real bleak client."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from firmware.core_imu import maker
from firmware.host_core import TICK_HZ, Library
from latemiles.estimators.clock import ClockStage
from latemiles.sensors.drivers.latemiles_v1 import counts_from_si
from latemiles.sensors.protocol import Code, Command, Result
from latemiles.signals.frames import SEGMENTS, Segment
from latemiles.signals.records import Packet
from reference.radio_runs import DRIVER, RATE_HZ, Scene, act, scene

PELVIS, LEFT, RIGHT = SEGMENTS
WRAP_S = 20.0
"""The pelvis sensor's ticks begin anew so long after it was switched on."""


@dataclass(frozen=True)
class Part:
    """What was heard of one sensor in one epoch."""

    index: np.ndarray
    """Each sample once, ascending."""
    number: np.ndarray
    """Which sample of the feed each is, by its own word."""
    ticks: dict[int, int]
    """First tick of each frame by the feed's number of its first sample."""


def parts_of(made: Scene, segment: Segment) -> list[Part]:
    """What was heard of a sensor, by epoch."""
    heard: dict[int, dict[int, int]] = {}
    ticks: dict[int, dict[int, int]] = {}
    for record in made.heard:
        if not isinstance(record, Packet) or record.segment is not segment:
            continue
        p = DRIVER.decode(record.payload)
        counts = counts_from_si(p.acc, p.gyr).astype(np.int64)
        numbers = counts[:, 0] + (counts[:, 1] << 15)
        samples = heard.setdefault(p.epoch, {})
        for k, number in enumerate(numbers):
            # What comes twice is the same.
            assert samples.setdefault(p.first_index + k, int(number)) == number
        ticks.setdefault(p.epoch, {})[int(numbers[0])] = p.tick
    found = []
    for epoch, samples in heard.items():
        index = np.array(sorted(samples))
        found.append(Part(index, np.array([samples[k] for k in index]), ticks[epoch]))
    return found


def is_whole(part: Part) -> bool:
    """No index is missing, and each holds the sample that it must."""
    return bool(np.array_equal(part.index, np.arange(len(part.index))) and np.all(np.diff(part.number) == 1))


def results_of(made: Scene, segment: Segment) -> list[tuple[int, int]]:
    """Command and code of every result that a sensor gave, in order."""
    return [(r.command, r.code) for r in map(Result.decode, made.world.imu(segment).results)]


def course(library: Library | None) -> Scene:
    """Loss, a sensor out of range, one that restarts, a tick that wraps; by the core, or by the emulator."""

    def first_tick(lane: int) -> int:
        return 2**32 - round(WRAP_S * TICK_HZ) if lane == 0 else 0

    offsets = (first_tick(0) / TICK_HZ, 0.0, 0.0)
    make = maker(library, first_tick=first_tick) if library is not None else None

    async def play() -> Scene:
        async with scene(60.0, loss=0.1, offsets=offsets, make_imu=make) as made:
            await made.until(6.0)
            made.away(LEFT)
            await made.until(14.0)
            made.away(LEFT, is_away=False)
            await made.until(18.0)
            await made.world.imu(RIGHT).reboot()
            await made.until(36.0)
        return made

    return act(play)


def test_the_core_and_the_emulator_lose_nothing_and_say_the_same(core_library: Library) -> None:
    core, emulator = course(core_library), course(None)
    for made in (core, emulator):
        for segment in SEGMENTS:
            parts = parts_of(made, segment)
            assert len(parts) == (2 if segment is RIGHT else 1)
            assert all(is_whole(part) for part in parts)
        assert made.reception.links[LEFT].view.resent > 7.0 * RATE_HZ
        assert sum(len(p.index) for p in parts_of(made, PELVIS)) > 35.0 * RATE_HZ
        # The wrap leaves no trace in time.
        stage = ClockStage(PELVIS, RATE_HZ, DRIVER.capabilities)
        blocks = [
            stage.push(DRIVER.decode(r.payload), r.arrival_ns).block
            for r in made.heard
            if isinstance(r, Packet) and r.segment is PELVIS
        ]
        when = np.sort(np.concatenate([b.t_s for b in blocks if b is not None]))
        assert np.abs(np.diff(when) - 1.0 / RATE_HZ).max() < 0.003
    for segment in SEGMENTS:
        for mine, theirs in zip(parts_of(core, segment), parts_of(emulator, segment), strict=True):
            # Both began with the sample that was due, and ended with the run.
            assert abs(mine.number[0] - theirs.number[0]) < 20
            assert abs(mine.number[-1] - theirs.number[-1]) < 40
            same = sorted(mine.ticks.keys() & theirs.ticks.keys())[5:]
            assert len(same) > 100 or mine.number[0] != theirs.number[0]
            apart = np.array([(mine.ticks[k] - theirs.ticks[k]) % 2**32 for k in same])
            # The core estimates the tick that the emulator is told: within 0.25 ms.
            assert len(same) == 0 or np.ptp((apart - apart[0] + 2**31) % 2**32) <= 8
        said, meant = results_of(core, segment), results_of(emulator, segment)
        assert [r for r in said if r[0] != Command.RESEND] == [r for r in meant if r[0] != Command.RESEND]
        assert {code for _, code in said + meant} == {Code.OK}
    ticks = parts_of(core, PELVIS)[0].ticks
    assert max(ticks.values()) > 2**32 - TICK_HZ
    assert min(ticks.values()) < TICK_HZ


def test_an_outage_longer_than_the_ring_comes_out_of_flash(core_library: Library) -> None:
    make = maker(core_library, ring_bytes=24_000, flash_sectors=64)

    async def play() -> Scene:
        async with scene(90.0, make_imu=make) as made:
            await made.until(5.0)
            made.away(RIGHT)
            await made.until(40.0)
            made.away(RIGHT, is_away=False)
            await made.until(60.0)
        return made

    made = act(play)
    for segment in SEGMENTS:
        (part,) = parts_of(made, segment)
        assert is_whole(part)
        assert len(part.index) > 59.0 * RATE_HZ
    book = made.reception.links[RIGHT].book
    assert book.given_up == 0
    # 181 slots of ten samples hold nine of the thirty-five seconds.
    assert made.world.imu(RIGHT).core.core.log.next > 25.0 * RATE_HZ / 18
    assert made.world.imu(LEFT).core.core.log.next == 0


def test_three_chips_with_clocks_of_their_own_are_heard_whole_through_i2c(core_library: Library) -> None:
    ppms = {PELVIS: 30_000, LEFT: -30_000, RIGHT: 0}

    async def play() -> Scene:
        async with scene(60.0, make_imu=maker(core_library, has_chip=True)) as made:
            for segment in SEGMENTS:
                made.world.imu(segment).core.chip.ppm = ppms[segment]
            await made.until(8.0)
            made.away(LEFT)
            made.world.imu(RIGHT).core.chip.is_locked = True
            await made.until(14.0)
            made.away(LEFT, is_away=False)
            await made.until(25.0)
        return made

    made = act(play)
    for segment in SEGMENTS:
        (part,) = parts_of(made, segment)
        # Index counts the chip's samples, also those that a locked-up FIFO swallowed.
        assert np.all(part.number - part.index == part.number[0])
        holes = np.diff(part.index)
        if segment is RIGHT:
            assert np.count_nonzero(holes > 1) == 1
            # The cure takes 0.2 s; the core looks each eighth of a second.
            assert 0.2 * RATE_HZ < holes.max() < 0.6 * RATE_HZ
        else:
            assert np.all(holes == 1)
        number = np.array(sorted(part.ticks))
        late = number > number[0] + 10 * RATE_HZ
        period = np.polyfit(number[late], [part.ticks[k] for k in number[late]], 1)[0]
        assert period == pytest.approx(TICK_HZ / RATE_HZ / (1 + ppms[segment] * 1e-6), rel=2e-4)
