"""Ticks of sensors to session time, over the virtual radio: skew, wrap, resent samples, eight hours."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from latemiles.estimators.clock import ClockStage
from latemiles.sensors.ble import Ear
from latemiles.sensors.link import SensorLink
from latemiles.sensors.outlet import LinkTimes, Outlet, Wanted
from latemiles.sensors.protocol import Start
from latemiles.signals.frames import SEGMENTS, Segment
from latemiles.signals.records import Packet
from latemiles.sim.clock import run_in_virtual_time
from latemiles.sim.feed import index_pattern
from latemiles.sim.virtual_imu import Crystal
from latemiles.sim.world import SensorPlan, World, serial_of
from reference.radio_runs import DRIVER, RATE_HZ, Scene, act, scene

WRAP_S = 2.0**32 / 32768.0


def times(packets, rate_hz):
    """Index and session time of every sample, in order of index, each once."""
    stage = ClockStage(Segment.PELVIS, rate_hz, DRIVER.capabilities)
    index, when = [], []
    for packet in packets:
        decoded = DRIVER.decode(packet.payload)
        block = stage.push(decoded, packet.arrival_ns).block
        if block is not None:
            # The pattern tells the feed's own index: what is kept of a packet is known by it.
            counts = np.rint(block.gyr[:, :2] * (32768.0 / DRIVER.gyr_range)).astype(np.int64)
            index.append(counts[:, 0] + (counts[:, 1] << 15))
            when.append(block.t_s)
    index, when = np.concatenate(index), np.concatenate(when)
    order = np.argsort(index, kind="stable")
    return index[order], when[order], stage


def test_skewed_wrapping_clocks_agree_to_a_few_milliseconds_also_for_samples_sent_again():
    async def play() -> Scene:
        async with scene(130.0, skews=(50e-6, -80e-6, 0.0), offsets=(0.0, WRAP_S - 60.0, 5.0)) as made:
            await made.until(70.0)
            made.away(Segment.LEFT_THIGH)
            await made.until(90.0)
            made.away(Segment.LEFT_THIGH, is_away=False)
            await made.until(120.0)
        return made

    made = act(play)
    for segment in SEGMENTS:
        packets = [r for r in made.heard if isinstance(r, Packet) and r.segment is segment]
        skew_ppm = {Segment.PELVIS: 50.0, Segment.LEFT_THIGH: -80.0, Segment.RIGHT_THIGH: 0.0}[segment]
        assert made.reception.links[segment].view.tick_ppm == pytest.approx(skew_ppm, abs=120.0)
        index, when, stage = times(packets, RATE_HZ)
        assert len(index) == len(np.unique(index))
        assert (np.diff(index) == 1).all()
        assert stage.restarts == 0
        # World time is index / rate; session zero lies a constant before it.
        error = when - index / RATE_HZ
        settled = index > 30.0 * RATE_HZ
        spread = error[settled] - np.median(error[settled])
        assert np.percentile(np.abs(spread), 99) < 0.004
        assert (np.diff(when) > 0.0).all()


@pytest.mark.parametrize(
    ("step_s", "within_s", "restarts"),
    [(0.02, 0.004, 0), (-0.02, 0.004, 0), (-0.1, 0.004, 0), (0.4, 0.004, 0), (-1.5, 0.004, 1)],
)
def test_a_sensors_clock_that_steps_loses_no_sample_and_no_order(step_s, within_s, restarts):
    async def play() -> Scene:
        async with scene(70.0) as made:
            await made.until(30.0)
            imu = made.world.imu(Segment.LEFT_THIGH)
            imu.crystal = Crystal(imu.crystal.skew, imu.crystal.zero_s - step_s)
            await made.until(60.0)
        return made

    made = act(play)
    assert len(made.missing(Segment.LEFT_THIGH)) == 0
    packets = [r for r in made.heard if isinstance(r, Packet) and r.segment is Segment.LEFT_THIGH]
    index, when, stage = times(packets, RATE_HZ)
    assert (np.diff(index) == 1).all()
    assert (np.diff(when) > 0.0).all()
    assert stage.restarts == restarts
    error = when - index / RATE_HZ
    usual = np.median(error[(index > 15.0 * RATE_HZ) & (index < 28.0 * RATE_HZ)])
    after = error[index > 36.0 * RATE_HZ] - usual
    assert np.abs(after).max() < within_s
    # The others do not feel it.
    for segment in (Segment.PELVIS, Segment.RIGHT_THIGH):
        assert len(made.missing(segment)) == 0


@pytest.mark.slow
def test_eight_hours_of_ticks_wrap_without_a_trace():
    hours = 8.0
    heard: list[Packet] = []

    async def main() -> SensorLink:
        plan = SensorPlan(
            index_pattern(52.0, hours * 3600.0 + 60.0), skew=20e-6, tick_offset_s=WRAP_S - 4.0 * 3600.0
        )
        async with World([plan], rate_hz=52) as world:
            ear, outlet = Ear(world.stack), Outlet()
            link = SensorLink(
                Wanted(Segment.PELVIS, serial_of(0)),
                world.stack,
                ear,
                outlet,
                start=Start(rate_hz=52, samples=19),
                times=LinkTimes(look_s=10.0, silent_s=20.0),
            )
            tasks = [asyncio.create_task(ear.run()), asyncio.create_task(link.run())]
            await link.info
            outlet.open(
                lambda r: heard.append(r) is None if isinstance(r, Packet) else True,
                zero_s=asyncio.get_running_loop().time(),
            )
            await asyncio.sleep(hours * 3600.0)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        return link

    link = run_in_virtual_time(main)
    assert link.book.missing == []
    ticks = np.array([DRIVER.decode(p.payload).tick for p in heard[:: len(heard) // 1000]])
    assert (np.diff(ticks) < 0).sum() == 1
    index, when, stage = times(heard, 52.0)
    assert stage.restarts == 0
    assert len(index) > hours * 3600.0 * 52.0 - 200
    error = when - index / 52.0
    late = error[len(error) // 10 :]
    assert np.abs(late - np.median(late)).max() < 0.02
