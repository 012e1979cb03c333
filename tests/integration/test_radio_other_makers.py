"""Sensors of other makers through the real bleak client: started by their recipe, joined, decoded."""

from __future__ import annotations

import asyncio
import struct

import numpy as np
import pytest
from bumble.gatt import Service

from latemiles.sensors.ble import Ear
from latemiles.sensors.drivers import movesense, polar, witmotion
from latemiles.sensors.other_link import OtherLink
from latemiles.sensors.outlet import Outlet, Wanted
from latemiles.sensors.recipes import RECIPES, recipe_of
from latemiles.sensors.registry import driver_for
from latemiles.signals.frames import Segment
from latemiles.signals.records import Link, Packet, SensorInfo
from latemiles.sim.clock import run_in_virtual_time
from latemiles.sim.peripheral import Peripheral, characteristic
from latemiles.sim.world import World


class Stranger(Peripheral):
    """A sensor of another maker: it waits for its commands, then says one notification after another."""

    def __init__(self, link, address, name, service, data, command, says, every_s):
        super().__init__(link, name, address)
        self._service, self._says, self._every_s = service, says, every_s
        self.commands: list[bytes] = []
        self.data = characteristic(data, notify="notify")
        self.control = characteristic(command, write=self._told, notify="indicate")

    def services(self):
        """Its own, and who it is."""
        serial = characteristic("2A25", read=lambda: b"0123456789\0")
        firmware = characteristic("2A26", read=lambda: b"2.3.1")
        return [Service(self._service, [self.data, self.control]), Service("180A", [serial, firmware])]

    def advertised(self):
        """Its service."""
        return self._service, b""

    def _told(self, command):
        self.commands.append(command)
        if len(self.commands) == 1:
            self.spawn("says", self._speak)

    async def _speak(self):
        for notification in self._says:
            await asyncio.sleep(self._every_s)
            self.notify(self.data, notification)


def heard_from(driver, name, says, every_s, *, serial="0123456789"):
    """What a link of a driver makes of a stranger's words in five seconds."""
    recipe = recipe_of(driver)
    services = {
        "movesense": (movesense.SERVICE, movesense.DATA, movesense.COMMAND),
        "polar": (polar.SERVICE, polar.DATA, polar.CONTROL),
        "witmotion": (witmotion.SERVICE, witmotion.DATA, witmotion.WRITE),
    }[driver]
    records = []

    async def main():
        async with World([]) as world:
            sensor = await world.add(
                lambda link, address: Stranger(link, address, name, *services, says, every_s)
            )
            ear, outlet = Ear(world.stack), Outlet()
            link = OtherLink(Wanted(Segment.PELVIS, serial, driver), world.stack, ear, outlet)
            tasks = [asyncio.create_task(ear.run()), asyncio.create_task(link.run())]
            done, _ = await asyncio.wait({link.info}, timeout=10.0)
            outlet.open(lambda r: records.append(r) is None, zero_s=asyncio.get_running_loop().time())
            await asyncio.sleep(5.0)
            await link.give_back()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            return link, sensor, bool(done)

    link, sensor, found = run_in_virtual_time(main)
    if found:
        decoder = driver_for(link.info.result())
        packets = [decoder.decode(r.payload) for r in records if isinstance(r, Packet)]
    else:
        packets = []
    assert recipe.label
    return link, sensor, records, packets


def imu6(tick, first):
    values = np.arange(48, dtype="<f4") + first
    return struct.pack("<BBI", 2, 1, tick) + values.tobytes()


def test_movesense_is_subscribed_and_its_two_parts_are_joined():
    says = []
    for k in range(20):
        whole = imu6(77 * k, k)
        # The second part of every fifth is lost.
        says += [whole[:150]] + ([bytes((3, 1)) + whole[150:]] if k % 5 != 4 else [])
    link, sensor, records, packets = heard_from("movesense", "Movesense 0123456789", says, 0.05)
    assert sensor.commands == [movesense.subscribe(104), movesense.unsubscribe()]
    assert [p.tick for p in packets] == [77 * k for k in range(20) if k % 5 != 4]
    np.testing.assert_allclose(packets[2].acc[0], [2.0, 3.0, 4.0])
    info = link.info.result()
    assert (info.driver, info.serial, info.firmware, info.rate_hz) == (
        "movesense",
        "0123456789",
        "2.3.1",
        104.0,
    )
    assert next(r.state for r in records if isinstance(r, Link)) == "up"


def test_movesense_measurements_of_one_notification_are_not_held_back():
    says = [struct.pack("<BBI6f", 2, 1, 10 * k, *range(6)) for k in range(10)]
    _, _, _, packets = heard_from("movesense", "Movesense 0123456789", says, 0.05)
    assert [p.tick for p in packets] == [10 * k for k in range(1, 10)]


def test_polar_frames_of_both_kinds_are_bundled():
    def one(kind, k):
        return struct.pack("<BQB3h", kind, 10**15 + k * 10**9, 0x80, 100 * k, 0, 0)

    says = [one(kind, k) for k in range(10) for kind in (polar.ACC, polar.GYR)]
    _, sensor, _, packets = heard_from("polar", "Polar Sense 0123456789", says, 0.05)
    assert sensor.commands[0] == polar.start(polar.SDK_MODE)
    assert len(packets) == 10
    assert [p.tick for p in packets] == [10**15 + k * 10**9 for k in range(10)]


def test_witmotion_has_neither_time_nor_counter_and_is_known_by_name_or_address():
    frame = b"\x55\x61" + struct.pack("<9h", 0, 0, 2048, 0, 0, 0, 0, 0, 0)
    _, sensor, _, packets = heard_from("witmotion", "WT901", [frame] * 30, 0.05, serial="WT901")
    assert sensor.commands == witmotion.set_rate(100)
    assert len(packets) == 30
    assert packets[0].tick is None
    assert packets[0].acc[0, 2] == pytest.approx(9.80665)


def test_another_sensor_of_the_same_family_is_let_go():
    link, sensor, _, packets = heard_from("movesense", "Movesense 0123456789", [], 0.05, serial="999")
    assert sensor.commands == []
    assert packets == []
    assert link.view.trouble == "another device answered"


def test_every_recipe_is_of_a_registered_driver():
    for name, recipe in RECIPES.items():
        assert recipe.driver == name
        capabilities = driver_for(SensorInfo(Segment.PELVIS, name, recipe.rate_hz)).capabilities
        assert recipe.rate_hz in capabilities.rates_hz
        assert not capabilities.has_index
