"""Runs over the virtual radio for tests: sensors whose samples tell their own index, and what was heard."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np

from latemiles.sensors.drivers import latemiles_v1
from latemiles.sensors.outlet import Wanted
from latemiles.sensors.pods import Pod
from latemiles.session.connect import Reception, ReceptionPlan, reception
from latemiles.signals.frames import SEGMENTS, Segment
from latemiles.signals.records import Link, Packet, Record, Speed
from latemiles.sim.clock import run_in_virtual_time
from latemiles.sim.feed import index_pattern
from latemiles.sim.radio import RadioParams
from latemiles.sim.virtual_pods import foot_pod, strap
from latemiles.sim.world import ImuMaker, SensorPlan, World, serial_of

RATE_HZ = 208.0
DRIVER = latemiles_v1.LatemilesV1()


@dataclass
class Scene:
    """A world, the links into it, and all that was heard."""

    world: World
    reception: Reception
    heard: list[Record] = field(default_factory=list)
    zero_s: float = 0.0
    takes: Callable[[Record], bool] = lambda _: True

    def offer(self, record: Record) -> bool:
        """Take a record as an inbox does."""
        if isinstance(record, Packet) and not self.takes(record):
            return False
        self.heard.append(record)
        return True

    async def until(self, t_s: float) -> None:
        """Let the run go on to a session time."""
        await asyncio.sleep(max(0.0, self.zero_s + t_s - asyncio.get_running_loop().time()))

    def away(self, segment: Segment, *, is_away: bool = True) -> None:
        """Carry a sensor out of range, or back."""
        self.world.link.set_in_range(self.world.imu(segment).address, is_near=not is_away)

    def samples(self, segment: Segment) -> dict[int, np.ndarray]:
        """Indexes heard of one sensor by epoch, in order of arrival."""
        found: dict[int, list[np.ndarray]] = {}
        for record in self.heard:
            if isinstance(record, Packet) and record.segment is segment:
                p = DRIVER.decode(record.payload)
                index = p.first_index + np.arange(len(p.acc))
                found.setdefault(p.epoch, []).append(index)
        return {epoch: np.concatenate(parts) for epoch, parts in found.items()}

    def missing(self, segment: Segment) -> np.ndarray:
        """Indexes of the last epoch of a sensor that were not heard, up to the newest heard."""
        (heard,) = list(self.samples(segment).values())[-1:]
        return np.setdiff1d(np.arange(heard.max() + 1), heard)

    def links(self, segment: Segment, state: str) -> list[Link]:
        """What was told of a link."""
        return [r for r in self.heard if isinstance(r, Link) and r.segment is segment and r.state == state]


@asynccontextmanager
async def scene(
    duration_s: float,
    *,
    count: int = 3,
    loss: float = 0.0,
    params: RadioParams | None = None,
    skews: tuple[float, ...] = (),
    offsets: tuple[float, ...] = (),
    words: Sequence[Speed] = (),
    make_imu: ImuMaker | None = None,
) -> AsyncIterator[Scene]:
    """A run that has begun, with ``count`` sensors."""
    segments = [SEGMENTS[k % 3] for k in range(count)]
    plans = [
        SensorPlan(
            index_pattern(RATE_HZ, duration_s + 30.0),
            segment,
            skew=skews[k] if k < len(skews) else 0.0,
            tick_offset_s=offsets[k] if k < len(offsets) else 100.0 * k,
        )
        for k, segment in enumerate(segments)
    ]
    async with World(plans, params or RadioParams(), make_imu=make_imu) as world:
        for imu in world.imus:
            world.link.set_loss(imu.address, loss)
        wanted = [Wanted(s, serial_of(k)) for k, s in enumerate(SEGMENTS[:count])]
        pods = []
        if words:
            await world.add(foot_pod(words, world.zero_s))
            await world.add(strap(words, world.zero_s))
            pods = [Pod("foot_pod"), Pod("heart_rate")]
        async with reception(ReceptionPlan(wanted, world.stack, pods=pods, seed=1)) as links:
            assert len(await links.gather(30.0)) == len(wanted)
            made = Scene(world, links, zero_s=asyncio.get_running_loop().time())
            speaking = asyncio.create_task(links.speak(made.offer))
            try:
                yield made
            finally:
                speaking.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await speaking


def act(play: Callable[[], Awaitable[Scene]]) -> Scene:
    """Run a scene in virtual time."""

    async def main() -> Scene:
        return await play()

    return run_in_virtual_time(main)
