"""A simulated or recorded run through the virtual radio and the real bleak client.

The virtual world has a time of its own, so it lives in the receiver's thread with an event loop of its own;
the session and the live page stay in real time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, TypeVar

from latemiles.recording.reader import Recording
from latemiles.sensors.ble import BleStack
from latemiles.sensors.drivers import latemiles_v1
from latemiles.sensors.outlet import Wanted
from latemiles.sensors.pods import Pod
from latemiles.session.air import Air, Desk
from latemiles.session.connect import Reception, ReceptionPlan, reception
from latemiles.session.hand_over import HandOver
from latemiles.session.receiver import Receiver
from latemiles.signals.frames import SEGMENTS
from latemiles.signals.records import Speed
from latemiles.sim.clock import run_in_virtual_time
from latemiles.sim.feed import from_stream
from latemiles.sim.radio import RadioParams
from latemiles.sim.runner import SimulatedRun
from latemiles.sim.virtual_pods import foot_pod, strap
from latemiles.sim.world import ImuMaker, SensorPlan, World, plans_of_run, serial_of

__all__ = [
    "SIMULATED",
    "Fate",
    "WorldPlan",
    "radio_run",
    "virtual_air",
    "world_of_recording",
    "world_of_run",
]

T = TypeVar("T")

SIMULATED: Final = "simulated, over the virtual radio"
"""What the header of such a run says of where its samples are from."""
WAITING: Final = 512
"""Records that may wait for the session before the world stands still."""
_GATHER_S: Final = 0.02
"""A world that is much faster than life is heard in pieces of so much real time, s."""
_FAST: Final = 5.0
_TAIL_S: Final = 1.0
"""The last frames are still on their way when the runner is done, s."""
_SEED: Final = 1
"""Of the jitter in waiting times: what happens in a virtual world happens again."""

Fate = Callable[[World], Coroutine[Any, Any, None]]
"""What happens in a world, from the moment the sensors are linked; its time is the world's."""


@dataclass(frozen=True, slots=True)
class WorldPlan:
    """What is in the virtual world."""

    sensors: Sequence[SensorPlan]
    duration_s: float
    words: Sequence[Speed] = ()
    """What a watch says: from a foot pod and a heart rate strap."""
    params: RadioParams = field(default_factory=RadioParams)
    make_imu: ImuMaker | None = None
    """Makes the sensors; None: the emulator."""


def world_of_run(run: SimulatedRun) -> WorldPlan:
    """A simulated runner with her sensors, and a foot pod and a strap in place of her watch."""
    words = [
        Speed(0, float(t), speed_m_s=float(v), distance_m=float(d), heart_rate_bpm=float(h))
        for t, v, _, d, h in zip(*run.watch(), strict=True)
    ]
    return WorldPlan(plans_of_run(run), run.duration_s, words if run.plan.has_watch else ())


def world_of_recording(recording: Recording) -> WorldPlan:
    """The sensors of a recording measure again what they measured, whatever family they were of."""
    streams = recording.streams()
    rates = {info.segment: info.rate_hz for info in recording.header.sensors}
    plans = [
        SensorPlan(
            from_stream(
                streams[segment],
                rates[segment],
                acc_range=latemiles_v1.ACC_RANGE_M_S2,
                gyr_range=latemiles_v1.GYR_RANGE_RAD_S,
            ),
            segment,
        )
        for segment in SEGMENTS
        if segment in streams and len(streams[segment].t)
    ]
    words = [r for r in recording.records() if isinstance(r, Speed)]
    duration = max((float(s.t[-1]) for s in streams.values() if len(s.t)), default=0.0)
    return WorldPlan(plans, duration, words)


def radio_run(plan: WorldPlan, speed: float | None, *, happens: Fate | None = None) -> Receiver:
    """A virtual world, and the receiver that hears all of its sensors.

    Parameters
    ----------
    plan, speed, happens
        As of ``virtual_air``.
    """
    pods = [Pod("foot_pod"), Pod("heart_rate")] if plan.words else []
    wanted = [
        Wanted(sensor.segment, serial_of(k))
        for k, sensor in enumerate(plan.sensors)
        if sensor.segment is not None
    ]
    return virtual_air(plan, speed, happens=happens).receiver(lambda: ReceptionPlan(wanted, pods=pods))


def virtual_air(plan: WorldPlan, speed: float | None, *, happens: Fate | None = None) -> Air:
    """A virtual world to listen to in place of the system's Bluetooth.

    Parameters
    ----------
    plan : WorldPlan
        What is in the world.
    speed : float or None
        World seconds a second at most; None: as fast as it goes. A session that is slower makes the world
        wait.
    happens : callable or None
        What happens in the world.
    """
    loops: list[asyncio.AbstractEventLoop] = []
    gather_s = _GATHER_S if speed is None or speed > _FAST else 0.0

    @asynccontextmanager
    async def listening(wanted: ReceptionPlan) -> AsyncIterator[Reception]:
        loops.append(asyncio.get_running_loop())
        async with World(plan.sensors, plan.params, make_imu=plan.make_imu) as world:
            await _add_pods(world, plan)
            async with reception(replace(wanted, stack=world.stack, seed=_SEED)) as links:
                fate = asyncio.ensure_future(_fate(world, links, happens)) if happens is not None else None
                try:
                    yield links
                finally:
                    if fate is not None:
                        fate.cancel()

    due_s: list[float] = []

    async def until_due(seconds: float) -> None:
        # From the end of the pause before: the world goes on while the session's thread comes to ask.
        due_s.append((due_s[-1] if due_s else loops[-1].time()) + seconds)
        await asyncio.sleep(due_s[-1] - loops[-1].time())

    async def pause(seconds: float) -> None:
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(until_due(seconds), loops[-1]))

    return Air(
        listening,
        partial(run_in_virtual_time, speed=speed),
        lambda: HandOver(WAITING, can_wait=True, gather_s=gather_s),
        lasts_s=plan.duration_s + _TAIL_S,
        pause=pause,
        desk=_VirtualDesk(plan, speed),
        source=SIMULATED,
    )


@dataclass(frozen=True, slots=True)
class _VirtualDesk(Desk):
    """The sensors of a world are asked."""

    plan: WorldPlan
    speed: float | None

    def ask(self, work: Callable[[BleStack], Coroutine[Any, Any, T]], adapter: str | None = None) -> T:
        async def main() -> T:
            async with World(self.plan.sensors, self.plan.params, make_imu=self.plan.make_imu) as world:
                await _add_pods(world, self.plan)
                return await work(world.stack)

        return run_in_virtual_time(main, self.speed)


async def _add_pods(world: World, plan: WorldPlan) -> None:
    if plan.words:
        await world.add(foot_pod(plan.words, world.zero_s))
        await world.add(strap(plan.words, world.zero_s))


async def _fate(world: World, links: Reception, happens: Fate) -> None:
    await links.outlet.opened.wait()
    await happens(world)
