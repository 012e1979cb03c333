"""What happens on the radio, and what it costs: nothing that physics does not take.

Through the real bleak client on the virtual radio, in virtual time.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time

import numpy as np
import pytest

from latemiles.estimators.clock import ClockStage
from latemiles.sensors.ble import Ear
from latemiles.sensors.link import SensorLink
from latemiles.sensors.outlet import Outlet, Wanted
from latemiles.signals.frames import SEGMENTS
from latemiles.signals.records import Packet
from latemiles.sim.clock import run_in_virtual_time
from latemiles.sim.feed import index_pattern
from latemiles.sim.firmware import ImuFirmware
from latemiles.sim.world import SensorPlan, World, serial_of
from reference.radio_runs import DRIVER, RATE_HZ, Scene, act, scene

PELVIS, LEFT, RIGHT = SEGMENTS


def s(ns: int) -> float:
    return ns * 1e-9


@pytest.mark.slow
def test_ten_minutes_with_30_percent_loss_lose_no_sample():
    async def play() -> Scene:
        async with scene(600.0, loss=0.3) as made:
            await made.until(600.0)
        return made

    made = act(play)
    assert made.world.link.counts["repeated"] > 5000
    for segment in SEGMENTS:
        assert len(made.missing(segment)) == 0
        assert len(made.links(segment, "down")) == 0
        (heard,) = made.samples(segment).values()
        assert len(heard) > 598.0 * RATE_HZ


@pytest.mark.parametrize("away_s", [5.0, 40.0])
def test_a_sensor_out_of_range_is_missed_and_comes_back_whole(away_s):
    async def play() -> Scene:
        async with scene(100.0) as made:
            await made.until(20.0)
            made.away(LEFT)
            await made.until(20.0 + away_s)
            made.away(LEFT, is_away=False)
            await made.until(away_s + 40.0)
        return made

    made = act(play)
    (down,) = made.links(LEFT, "down")
    assert 20.0 < s(down.arrival_ns) < 23.0
    _, up = made.links(LEFT, "up")
    assert 20.0 + away_s < s(up.arrival_ns) < 23.0 + away_s
    assert "back after" in up.detail
    for segment in SEGMENTS:
        assert len(made.missing(segment)) == 0
    for segment in (PELVIS, RIGHT):
        assert len(made.links(segment, "down")) == 0
    # Live frames did not wait for the old ones.
    after = [
        r.arrival_ns
        for r in made.heard
        if isinstance(r, Packet) and r.segment is LEFT and r.payload[0] == 0x10
    ]
    steps = [b - a for a, b in itertools.pairwise(after) if s(a) > s(up.arrival_ns)]
    assert max(steps) < 0.2e9


def test_two_minutes_out_of_range_lose_exactly_what_the_ring_could_not_hold():
    async def play() -> Scene:
        async with scene(200.0) as made:
            await made.until(20.0)
            made.away(RIGHT)
            await made.until(140.0)
            made.away(RIGHT, is_away=False)
            await made.until(160.0)
        return made

    made = act(play)
    missing = made.missing(RIGHT)
    assert len(missing) == missing[-1] - missing[0] + 1
    # 960 slots of ten samples, one of them being filled.
    ring_s = 959 * 10 / RATE_HZ
    up = made.links(RIGHT, "up")[1]
    assert s(up.arrival_ns) < 143.0
    gone_s = len(missing) / RATE_HZ
    # From the last frame before to the oldest that was still in the ring when it was asked for.
    assert missing[0] / RATE_HZ == pytest.approx(20.0, abs=0.3)
    assert gone_s == pytest.approx(s(up.arrival_ns) - 20.0 - ring_s, abs=1.0)
    assert made.reception.links[RIGHT].book.given_up == len(missing)
    assert len(made.missing(PELVIS)) == len(made.missing(LEFT)) == 0


def test_two_sensors_gone_at_once_both_come_back_whole():
    async def play() -> Scene:
        async with scene(60.0) as made:
            await made.until(10.0)
            made.away(LEFT)
            made.away(PELVIS)
            await made.until(30.0)
            made.away(LEFT, is_away=False)
            made.away(PELVIS, is_away=False)
            await made.until(50.0)
        return made

    made = act(play)
    for segment in (LEFT, PELVIS):
        assert s(made.links(segment, "up")[1].arrival_ns) < 33.0
        assert len(made.missing(segment)) == 0


def test_a_sensor_that_reboots_is_started_again_under_another_epoch():
    async def play() -> Scene:
        async with scene(60.0) as made:
            await made.until(10.0)
            await made.world.imu(LEFT).reboot()
            await made.until(40.0)
        return made

    made = act(play)
    epochs = made.samples(LEFT)
    assert len(epochs) == 2
    first, second = epochs.values()
    assert first.max() < 11.0 * RATE_HZ
    assert len(made.missing(LEFT)) == 0
    up = made.links(LEFT, "up")[1]
    assert s(up.arrival_ns) < 10.0 + made.world.link.params.supervision_s + 3.0
    assert len(second) > (39.0 - s(up.arrival_ns)) * RATE_HZ


def test_a_dead_battery_is_told_and_the_others_go_on():
    async def play() -> Scene:
        async with scene(60.0) as made:
            await made.until(10.0)
            made.world.imu(RIGHT).die()
            await made.until(50.0)
        return made

    made = act(play)
    assert len(made.links(RIGHT, "down")) == 1
    for segment in (PELVIS, LEFT):
        (heard,) = made.samples(segment).values()
        assert len(heard) > 49.0 * RATE_HZ
        assert len(made.missing(segment)) == 0


def test_an_adapter_that_vanishes_and_returns_costs_nothing():
    async def play() -> Scene:
        async with scene(80.0) as made:
            await made.until(10.0)
            made.world.adapter.vanish()
            await made.until(25.0)
            made.world.adapter.come_back()
            await made.until(60.0)
        return made

    made = act(play)
    for segment in SEGMENTS:
        assert s(made.links(segment, "down")[0].arrival_ns) < 13.0
        assert s(made.links(segment, "up")[1].arrival_ns) < 32.0
        assert len(made.missing(segment)) == 0
    assert made.reception.trouble is not None
    assert "adapter" in str(made.reception.trouble)


def test_what_a_slow_consumer_refuses_is_asked_for_again():
    async def play() -> Scene:
        async with scene(60.0) as made:
            await made.until(10.0)
            made.takes = lambda _: False
            await made.until(20.0)
            made.takes = lambda _: True
            await made.until(40.0)
        return made

    made = act(play)
    for segment in SEGMENTS:
        assert made.reception.links[segment].view.refused > 100
        assert len(made.missing(segment)) == 0


def test_twelve_sensors_at_once_have_no_gap(capsys):
    async def main() -> tuple[list[SensorLink], float]:
        plans = [SensorPlan(index_pattern(RATE_HZ, 60.0)) for _ in range(12)]
        async with World(plans) as world:
            ear, outlet = Ear(world.stack), Outlet()
            links = [
                SensorLink(Wanted(SEGMENTS[k % 3], serial_of(k)), world.stack, ear, outlet) for k in range(12)
            ]
            tasks = [asyncio.create_task(part) for part in (ear.run(), *(link.run() for link in links))]
            for link in links:
                await link.info
            outlet.open(lambda _: True, zero_s=asyncio.get_running_loop().time())
            began_s = time.process_time()
            await asyncio.sleep(30.0)
            spent_s = time.process_time() - began_s
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        return links, spent_s / 30.0

    links, share = run_in_virtual_time(main)
    with capsys.disabled():
        print(f"\ntwelve sensors at 208 Hz: {100.0 * share:.1f} % of one core")
    for link in links:
        assert link.book.missing == []
        assert link.book.next_index > 29.0 * RATE_HZ
        assert link.view.links == 1
    assert share < 0.5


class Shuffling(ImuFirmware):
    """Firmware that sends again in any order, some of it twice."""

    __slots__ = ()

    def resent_frame(self):
        """The next of all that was asked for, shuffled."""
        bag = BAGS.setdefault(self.serial, [])
        while (frame := super().resent_frame()) is not None:
            bag += [frame] * (2 if len(bag) % 3 == 0 else 1)
            if len(bag) > 40:
                break
        return bag.pop(CHANCE.randrange(len(bag))) if bag else None


BAGS: dict[int, list[bytes]] = {}
CHANCE = random.Random(5)


def test_what_comes_twice_and_in_any_order_is_merged_by_index():
    BAGS.clear()

    async def play() -> Scene:
        async with scene(60.0) as made:
            made.world.imu(LEFT).firmware.__class__ = Shuffling
            await made.until(10.0)
            made.away(LEFT)
            await made.until(40.0)
            made.away(LEFT, is_away=False)
            await made.until(55.0)
        return made

    made = act(play)
    (heard,) = made.samples(LEFT).values()
    assert len(made.missing(LEFT)) == 0
    assert len(heard) > len(np.unique(heard)) + 100
    assert (np.diff(heard) < 0).sum() > 20
    # What the clock makes of it: every sample once, in order of index, in order of time.
    stage = ClockStage(LEFT, RATE_HZ, DRIVER.capabilities)
    blocks = [
        stage.push(DRIVER.decode(r.payload), r.arrival_ns).block
        for r in made.heard
        if isinstance(r, Packet) and r.segment is LEFT
    ]
    when = np.sort(np.concatenate([b.t_s for b in blocks if b is not None]))
    assert len(when) == heard.max() + 1
    assert np.abs(np.diff(when) - 1.0 / RATE_HZ).max() < 0.003
    assert stage.duplicates == len(heard) - len(np.unique(heard))


def test_with_a_flash_log_ten_minutes_out_of_range_cost_nothing():
    async def play() -> Scene:
        async with scene(800.0) as made:
            made.world.imu(RIGHT).firmware.log_capacity = 8192
            await made.until(20.0)
            made.away(RIGHT)
            await made.until(620.0)
            made.away(RIGHT, is_away=False)
            await made.until(760.0)
        return made

    made = act(play)
    assert len(made.missing(RIGHT)) == 0
    book = made.reception.links[RIGHT].book
    assert book.given_up == 0
    assert book.repaired > 590.0 * RATE_HZ
    for segment in (PELVIS, LEFT):
        assert len(made.missing(segment)) == 0
