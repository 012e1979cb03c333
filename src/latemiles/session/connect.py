"""The sensors of a run, from the first search to the farewell: what a live session listens to."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from latemiles.errors import LinkFailed
from latemiles.sensors import protocol
from latemiles.sensors.ble import BleStack, Ear
from latemiles.sensors.drivers import latemiles_v1
from latemiles.sensors.gaps import GapBook
from latemiles.sensors.link import SensorLink
from latemiles.sensors.other_link import OtherLink
from latemiles.sensors.outlet import LinkTimes, Outlet, Wanted
from latemiles.sensors.pods import Pod, PodLink
from latemiles.sensors.protocol import Start
from latemiles.session.live import supervise
from latemiles.signals.frames import Segment
from latemiles.signals.records import Record, SensorInfo

__all__ = ["Reception", "ReceptionPlan", "reception"]

SETTLE_S: Final = 5.0
"""At the end of a run, time for what is still missing."""

GOODBYE_S: Final = 5.0
"""Longer than the closing of a link may take."""


@dataclass(frozen=True, slots=True)
class ReceptionPlan:
    """Which sensors, through which Bluetooth."""

    sensors: Sequence[Wanted]
    stack: BleStack = field(default_factory=BleStack)
    start: Start = field(default_factory=Start)
    times: LinkTimes = field(default_factory=LinkTimes)
    pods: Sequence[Pod] = ()
    """Heart rate straps, foot pods, treadmills."""
    books: Mapping[Segment, GapBook] = field(default_factory=dict)
    """What an earlier part of the same run heard; empty for a new run."""
    seed: int | None = None
    """Of the jitter in waiting times; None: another each time."""


class Reception:
    """All links of a run; made by ``reception``."""

    def __init__(self, plan: ReceptionPlan) -> None:
        self.plan = plan
        self.outlet = Outlet()
        self.trouble: LinkFailed | None = None
        """Why nothing can be heard at all, while it is so."""
        self.ear = Ear(plan.stack, protocol.SERVICE, on_trouble=self._on_trouble)
        chance = random.Random(plan.seed)
        self.links: dict[Segment, SensorLink | OtherLink] = {
            wanted.segment: self._link(wanted, chance) for wanted in plan.sensors
        }
        self.pods = [PodLink(pod, plan.stack, self.ear, self.outlet, chance) for pod in plan.pods]

    def _link(self, wanted: Wanted, chance: random.Random) -> SensorLink | OtherLink:
        plan = self.plan
        if wanted.driver != latemiles_v1.NAME:
            return OtherLink(wanted, plan.stack, self.ear, self.outlet, times=plan.times, chance=chance)
        return SensorLink(
            wanted,
            plan.stack,
            self.ear,
            self.outlet,
            start=plan.start,
            times=plan.times,
            is_fresh=not plan.books,
            book=plan.books.get(wanted.segment),
            chance=chance,
        )

    async def gather(self, seconds: float) -> tuple[SensorInfo, ...]:
        """Wait until every sensor answered, at most so long; those that did, in lane order."""
        waiting = [link.info for link in self.links.values()]
        if waiting:
            await asyncio.wait(waiting, timeout=seconds)
        found = [link.info.result() for link in self.links.values() if link.info.done()]
        return tuple(sorted(found, key=lambda info: info.segment.lane))

    async def speak(self, offer: Callable[[Record], bool], *, begun_s: float = 0.0) -> None:
        """Hand records to ``offer`` until cancelled; then fetch what is missing and stop the sensors.

        Parameters
        ----------
        offer : callable
            Takes a record at once, or says False.
        begun_s : float
            Session time now; above zero when a run is gone on with.
        """
        self.outlet.open(offer, zero_s=asyncio.get_running_loop().time() - begun_s)
        try:
            await asyncio.Event().wait()
        finally:
            await self._farewell()

    async def _farewell(self) -> None:
        async with asyncio.TaskGroup() as group:
            for link in self.links.values():
                group.create_task(_farewell_of(link))

    def _on_trouble(self, trouble: LinkFailed) -> None:
        self.trouble = trouble


async def _farewell_of(link: SensorLink | OtherLink) -> None:
    await link.settle(SETTLE_S)
    await link.give_back()


@asynccontextmanager
async def reception(plan: ReceptionPlan) -> AsyncIterator[Reception]:
    """Links to the sensors of a plan, for as long as the block lasts.

    Parameters
    ----------
    plan : ReceptionPlan
        Which sensors, through which Bluetooth.

    Yields
    ------
    Reception
        Searching from the first moment; every link is closed when the block ends, however it ends.
    """
    made = Reception(plan)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(supervise("scan", made.ear.run), name="ear")]
        tasks += [
            group.create_task(
                supervise(f"link to the {segment.label} sensor", link.run), name=f"link:{segment}"
            )
            for segment, link in made.links.items()
        ]
        tasks += [
            group.create_task(
                supervise(f"link to the {pod.kind.label}", pod.run), name=f"link:{pod.pod.kind}"
            )
            for pod in made.pods
        ]
        try:
            yield made
        finally:
            # Every link says goodbye to its sensor before the block is left. Told again where that was not
            # heard: ``wait_for`` of Python 3.11 forgets a cancellation that comes with its answer.
            going = set(tasks)
            while going:
                for task in going:
                    task.cancel()
                _, going = await asyncio.wait(going, timeout=GOODBYE_S)
