"""A simulated or recorded run through the virtual radio and the real bleak client, as records.

The virtual world has a time of its own, so it lives in a thread with an event loop of its own; the session
and the live page stay in real time. Records are handed over in order; a session that is slower than the world
makes the world wait, and nothing is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from latemiles.errors import EnvironmentMissing
from latemiles.recording.reader import Recording
from latemiles.sensors.drivers import latemiles_v1
from latemiles.sensors.outlet import Wanted
from latemiles.sensors.pods import Pod
from latemiles.session.connect import ReceptionPlan, reception
from latemiles.signals.frames import SEGMENTS
from latemiles.signals.records import Record, RunHeader, SensorInfo, Speed
from latemiles.sim.clock import run_in_virtual_time
from latemiles.sim.feed import from_stream
from latemiles.sim.radio import RadioParams
from latemiles.sim.runner import SimulatedRun
from latemiles.sim.virtual_pods import foot_pod, strap
from latemiles.sim.world import SensorPlan, World, plans_of_run, serial_of

__all__ = ["RadioRun", "WorldPlan", "world_of_recording", "world_of_run"]

WAITING: Final = 512
"""Records that may wait for the session before the world stands still."""
GATHER_S: Final = 60.0
_TAIL_S: Final = 1.0
"""The last frames are still on their way when the runner is done, s."""


@dataclass(frozen=True, slots=True)
class WorldPlan:
    """What is in the virtual world."""

    sensors: Sequence[SensorPlan]
    duration_s: float
    words: Sequence[Speed] = ()
    """What a watch says: from a foot pod and a heart rate strap."""
    params: RadioParams = field(default_factory=RadioParams)


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


class RadioRun:
    """A virtual world in a thread, and the records that its adapter hears.

    Parameters
    ----------
    plan : WorldPlan
        What is in the world.
    speed : float or None
        World seconds a second at most; None: as fast as it goes.
    """

    def __init__(self, plan: WorldPlan, speed: float | None) -> None:
        self._plan, self._speed = plan, speed
        self._records: deque[Record] = deque()
        self._room = threading.Condition()
        self._gathered = threading.Event()
        self._stopping = False
        self._is_over = False
        self._failure: BaseException | None = None
        self._infos: tuple[SensorInfo, ...] = ()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news: asyncio.Event | None = None
        self._world_loop: asyncio.AbstractEventLoop
        self._end: asyncio.Event
        self._thread = threading.Thread(target=self._live, name="virtual radio", daemon=True)

    def start(self) -> tuple[SensorInfo, ...]:
        """Let the world begin; what its sensors say of themselves, once all are linked.

        Raises
        ------
        EnvironmentMissing
            If no sensor could be reached.
        """
        self._thread.start()
        self._gathered.wait()
        if self._failure is not None:
            raise self._failure
        if not self._infos:
            raise EnvironmentMissing(
                "No virtual sensor answered. Please report this with 'latemiles doctor'."
            )
        return self._infos

    async def records(self, header: RunHeader) -> AsyncIterator[Record]:
        """All that is heard, the header first, until the world is over or the iterator is closed.

        Parameters
        ----------
        header : RunHeader
            The first record.

        Yields
        ------
        Record
            In order of arrival.
        """
        self._loop, self._news = asyncio.get_running_loop(), asyncio.Event()
        try:
            yield header
            while True:
                self._news.clear()
                with self._room:
                    batch = list(self._records)
                    self._records.clear()
                    self._room.notify()
                for record in batch:
                    yield record
                if batch:
                    continue
                if self._is_over:
                    break
                await self._news.wait()
        finally:
            self.stop()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """End the world; it takes no more than what is on its way."""
        with self._room:
            self._stopping = True
            self._room.notify()
        with contextlib.suppress(RuntimeError):
            # The world may be over already.
            self._world_loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    # In the world's thread.

    def _live(self) -> None:
        try:
            run_in_virtual_time(self._world, self._speed)
        except Exception as error:  # noqa: BLE001 raised again in the session's thread
            self._failure = error
        finally:
            self._is_over = True
            self._gathered.set()
            self._wake()

    async def _world(self) -> None:
        plan = self._plan
        self._world_loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        async with World(plan.sensors, plan.params) as world:
            pods = []
            if plan.words:
                await world.add(foot_pod(plan.words, world.zero_s))
                await world.add(strap(plan.words, world.zero_s))
                pods = [Pod("foot_pod"), Pod("heart_rate")]
            wanted = [
                Wanted(sensor.segment, serial_of(k))
                for k, sensor in enumerate(plan.sensors)
                if sensor.segment is not None
            ]
            async with reception(ReceptionPlan(wanted, world.stack, pods=pods, seed=1)) as links:
                self._infos = await links.gather(GATHER_S)
                self._gathered.set()
                speaking = asyncio.get_running_loop().create_task(links.speak(self._offer))
                try:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(plan.duration_s + _TAIL_S):
                            await self._end.wait()
                finally:
                    speaking.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await speaking

    def _offer(self, record: Record) -> bool:
        with self._room:
            while len(self._records) >= WAITING and not self._stopping:
                # World time stands still meanwhile.
                self._room.wait()
            was_empty = not self._records
            self._records.append(record)
        if was_empty:
            self._wake()
        return True

    def _wake(self) -> None:
        loop, news = self._loop, self._news
        if loop is not None and news is not None:
            with contextlib.suppress(RuntimeError):
                # The session's loop may have been closed.
                loop.call_soon_threadsafe(news.set)
