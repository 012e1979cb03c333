"""Sensors that cannot be used are refused with advice; what the wrong device answers goes nowhere."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from latemiles.errors import LinkFailed
from latemiles.sensors import about, protocol
from latemiles.sensors.ble import BleStack, Connection, Ear
from latemiles.sensors.ble_errors import LinkReason, translated
from latemiles.sensors.link import SensorLink
from latemiles.sensors.outlet import Backoff, Outlet, Wanted
from latemiles.signals.frames import SEGMENTS, Segment
from latemiles.signals.records import Speed
from latemiles.sim.clock import run_in_virtual_time
from latemiles.sim.feed import index_pattern
from latemiles.sim.virtual_imu import VirtualImu
from latemiles.sim.world import SensorPlan, World, serial_of
from reference.radio_runs import RATE_HZ, scene


class Fixed:
    """Chance without chance."""

    def random(self) -> float:
        """The middle."""
        return 0.5


def tried(change, serial=None) -> SensorLink:
    """A link to a sensor that was changed before it was switched on, after half a minute of trying."""

    async def main() -> SensorLink:
        world = World([])
        async with world:
            imu = VirtualImu(
                world.link, 0xA1, "C0:00:00:00:00:01", index_pattern(RATE_HZ, 60.0), world.zero_s
            )
            change(imu)
            world.imus.append(imu)
            await imu.start()
            ear, outlet = Ear(world.stack), Outlet()
            outlet.open(lambda _: True, zero_s=0.0)
            link = SensorLink(
                Wanted(Segment.PELVIS, serial or about.serial_text(0xA1)), world.stack, ear, outlet
            )
            tasks = [asyncio.create_task(ear.run()), asyncio.create_task(link.run())]
            await asyncio.sleep(30.0)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        return link

    return run_in_virtual_time(main)


def test_a_link_with_small_packets_is_refused():
    def small(imu):
        imu.mtu = 185

    link = tried(small)
    assert link.view.trouble == LinkReason.MTU_TOO_SMALL
    assert link.view.frames == 0


def test_firmware_of_another_protocol_version_is_refused():
    def change(imu):
        # Slots: the info characteristic is made of what it says.
        imu.info.value._read = lambda _: dataclasses.replace(about.Info(serial=0xA1), protocol=9).encode()

    link = tried(change)
    assert link.view.trouble == LinkReason.UNKNOWN_VERSION
    assert not link.info.done()


def test_a_sensor_that_only_looks_like_the_one_meant_is_let_go_for_good():
    link = tried(lambda _: None, serial="00000000000B00A1")
    assert link.view.trouble == LinkReason.NOT_OURS
    assert len(link._strangers) == 1


def test_waiting_grows_to_its_cap_and_begins_anew():
    wait = Backoff(chance=Fixed())
    assert [wait.next_s() for _ in range(7)] == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0]
    wait.reset()
    assert wait.next_s() == 0.25


def test_waiting_is_jittered():
    waits = [Backoff(failures=3).next_s() for _ in range(50)]
    assert len(set(waits)) > 40
    assert all(1.0 <= w < 3.0 for w in waits)


def test_without_bluetooth_the_reason_says_so():
    async def main() -> None:
        async with World([]) as world:
            world.adapter.vanish()
            await Ear(world.stack).all_within(1.0)

    with pytest.raises(LinkFailed, match="adapter") as caught:
        run_in_virtual_time(main)
    assert caught.value.reason == LinkReason.NO_ADAPTER


def test_a_scan_lists_what_is_there_with_what_it_tells():
    async def main():
        async with World([SensorPlan(index_pattern(RATE_HZ, 10.0), s) for s in SEGMENTS]) as world:
            return await Ear(world.stack).all_within(2.0)

    heard = run_in_virtual_time(main)
    assert len(heard) == 3
    for found in heard:
        advert = about.Advert.decode(found.service_data[protocol.SERVICE])
        assert found.name == f"LM-{advert.serial_low:04X}"
        assert advert.battery_percent == 97


def test_three_sensors_a_strap_and_a_foot_pod_are_heard_together():
    words = [
        Speed(0, float(t), speed_m_s=3.0, distance_m=3.0 * t, heart_rate_bpm=120.0 + t) for t in range(40)
    ]

    async def play():
        async with scene(40.0, words=words) as made:
            await made.until(30.0)
        return made

    made = run_in_virtual_time(play)
    for segment in SEGMENTS:
        assert len(made.missing(segment)) == 0
    said = [r for r in made.heard if isinstance(r, Speed)]
    hearts = [r.heart_rate_bpm for r in said if r.heart_rate_bpm == r.heart_rate_bpm]
    speeds = [r for r in said if r.speed_m_s == 3.0]
    assert len(hearts) >= 25
    assert hearts == sorted(hearts)
    assert len(speeds) >= 25
    assert all(0.0 < r.t_s - r.distance_m / 3.0 < 0.6 for r in speeds)
    assert {r.source for r in said} == {"heart rate strap LM-HR", "foot pod LM-POD"}


def test_the_real_stack_is_the_default():
    assert BleStack() == BleStack(
        scanner_backend=None, client_backend=None, adapter_backend=None, adapter=None
    )


def test_a_link_left_behind_by_a_program_that_died_is_adopted():
    async def main() -> SensorLink:
        async with World([SensorPlan(index_pattern(RATE_HZ, 60.0), Segment.PELVIS)]) as world:
            (heard,) = await Ear(world.stack).all_within(2.0)
            left = Connection(world.stack, heard)
            await left.open(asyncio.Lock())
            # Nobody advertises now, and nobody closes it.
            assert await Ear(world.stack).all_within(2.0) == []
            ear, outlet = Ear(world.stack, protocol.SERVICE), Outlet()
            outlet.open(lambda _: True, zero_s=0.0)
            link = SensorLink(Wanted(Segment.PELVIS, serial_of(0)), world.stack, ear, outlet)
            tasks = [asyncio.create_task(ear.run()), asyncio.create_task(link.run())]
            await asyncio.sleep(10.0)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        return link

    link = run_in_virtual_time(main)
    assert link.book.next_index > 8.0 * RATE_HZ
    assert link.book.missing == []


async def test_a_request_that_the_system_gives_up_is_a_lost_link_and_no_end_of_the_task():
    answer = asyncio.get_running_loop().create_future()
    answer.cancel()
    with pytest.raises(LinkFailed, match="It is tried again") as told, translated("read"):
        await answer
    assert told.value.reason is LinkReason.LOST
    assert asyncio.current_task().cancelling() == 0
