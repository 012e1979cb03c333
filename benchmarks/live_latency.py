"""How old a number is when it reaches the page: sensor, virtual radio, bleak, pipeline, socket; in real time.

python benchmarks/live_latency.py [seconds of running] [how often]

The first lines hold whatever the machine does besides: they count from the last sample to the arrival of the
packet that made the number certain, in the time of the virtual world. The others are taken with this
machine's clock and rise with its load, which is printed.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from websockets.asyncio.client import connect

from latemiles.metrics.catalogue import NUMERIC_COLUMNS
from latemiles.pipeline import Pipeline
from latemiles.recording.writer import RecordingWriter
from latemiles.sensors.registry import driver_for
from latemiles.session.live import LiveSession
from latemiles.session.over_radio import WorldPlan, radio_run, world_of_run
from latemiles.session.receiver import Receiver
from latemiles.session.warm import warm_up
from latemiles.signals.events import Event, LiveState, Stride
from latemiles.signals.records import Packet, Record, RunHeader
from latemiles.sim.plan import Phase, RunnerPlan
from latemiles.sim.runner import simulate
from latemiles.web.app import create_app
from latemiles.web.broadcast import LiveBroadcast, LivePage
from latemiles.web.server import serve
from latemiles.web.state_word import LOOK_S
from latemiles.web.view_model import LiveView

STRIDE_TIME = NUMERIC_COLUMNS.index("stride_time_s")
SETTLED_S = 20.0
"""Before it there is no start to compare with and hardly a posture, s of session time."""
AROUND_S = 2.0


class Clock:
    """Session time against this machine's: the quickest hand-over of a packet around ties them together.

    Around, not ever: a virtual world that the machine held up for a moment stays behind from then on.
    """

    def __init__(self) -> None:
        self._heard: list[tuple[float, float]] = []

    def heard(self, packet: Packet) -> None:
        """Take note of a packet that was just handed over."""
        now = time.monotonic()
        self._heard.append((now, now - packet.arrival_ns * 1e-9))

    def session_s(self, now: np.ndarray) -> np.ndarray:
        """Session time at times of this machine's clock."""
        heard = np.array(self._heard)
        first = np.searchsorted(heard[:, 0], now - AROUND_S)
        last = np.searchsorted(heard[:, 0], now + AROUND_S)
        return now - np.array([heard[a:b, 1].min() for a, b in zip(first, last, strict=True)])


class Probe:
    """A sink that writes down when each number came."""

    def __init__(self, page: LivePage, pipeline: Pipeline) -> None:
        self.page, self.pipeline = page, pipeline
        self.session: LiveSession
        self.postures: list[tuple[float, float]] = []
        self.strides: list[tuple[float, float, float]] = []
        self.certain: dict[str, list[float]] = {"posture": [], "stride": []}
        """From the last sample to the arrival of the packet that made it certain, world time, s."""
        self._shown: LiveState | None = None

    def take(self, events: Sequence[Event]) -> None:
        """Take the events of one record."""
        now, arrived_s = time.monotonic(), self.session.heard_ns * 1e-9
        posture = self.pipeline.posture
        if posture is not self._shown:
            self._shown = posture
            self.postures.append((now, posture.t_s))
            if posture.t_s > SETTLED_S:
                self.certain["posture"].append(arrived_s - posture.t_s)
            self.page.take([*events, posture])
        elif events:
            self.page.take(events)
        for event in events:
            if isinstance(event, Stride):
                length_s = event.values[STRIDE_TIME]
                self.strides.append((now, event.t_s, length_s))
                if event.t_s > SETTLED_S:
                    self.certain["stride"].append(arrived_s - event.t_s - length_s)

    def finish(self) -> None:
        """The run is over."""


async def timed(receiver: Receiver, header: RunHeader, clock: Clock) -> AsyncIterator[Record]:
    """The records, with the clock looking on."""
    async for record in receiver.records(header):
        if isinstance(record, Packet):
            clock.heard(record)
        yield record


class Page:
    """What came over the socket: this machine's clock, and the session time it is of."""

    def __init__(self) -> None:
        self.postures: list[tuple[float, float]] = []
        self.strides: list[tuple[float, float]] = []
        self.states = 0

    async def listen(self, port: int) -> None:
        """Read until the server ends."""
        address = f"ws://127.0.0.1:{port}/ws?pulse=1"
        async with connect(address, origin=f"http://127.0.0.1:{port}") as socket:
            async for message in socket:
                now, heard = time.monotonic(), json.loads(message)
                pulse = heard.get("pulse")
                if pulse is None:
                    self.states += 1
                    continue
                if pulse["posture"]:
                    self.postures.append((now, pulse["posture"]["t"]))
                self.strides += [(now, row["t_ic_s"] + row["stride_time_s"]) for row in pulse["strides"]]


def _ready_made(world: WorldPlan) -> WorldPlan:
    """The same world with every sample made beforehand: a real sensor makes its own, and elsewhere."""
    sensors = [replace(sensor, feed=iter(list(sensor.feed))) for sensor in world.sensors]
    return replace(world, sensors=sensors)


async def measure(seconds: float, folder: Path) -> tuple[Clock, Probe, Page]:
    """One run in real time."""
    plan = RunnerPlan((Phase("standing", 6.0), Phase("walking", 5.0, 1.4), Phase("running", seconds, 3.0)))
    receiver = radio_run(_ready_made(world_of_run(simulate(plan, 2))), 1.0)
    header = RunHeader("latency", sensors=receiver.gather())
    clock, pipeline, broadcast = Clock(), Pipeline(header, driver_for), LiveBroadcast()
    probe = Probe(LivePage(LiveView("latency", "me", unit="km"), broadcast), pipeline)
    page = Page()
    recorder = RecordingWriter(folder / "latency.mcap", header)
    session = LiveSession(timed(receiver, header, clock), pipeline, recorder, [probe])
    probe.session = session
    receiver.attach(session)
    ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    app = create_app(None, broadcast, unit="km")
    session.optional["page"] = lambda: serve(app, port=0, on_ready=ready.set_result)

    async def browser() -> None:
        await page.listen(await ready)

    session.optional["browser"] = browser
    await session.run()
    return clock, probe, page


def ages(clock: Clock, came: Sequence[tuple[float, float]]) -> np.ndarray:
    """How old things were when they came, s; ``came`` holds machine time and session time of each."""
    now, t = np.array([pair for pair in came if pair[1] > SETTLED_S]).T
    return clock.session_s(now) - t


def show(what: str, ages_s: np.ndarray, limit_ms: float, limit: str) -> bool:
    """One line of the table; whether the 95th percentile is within its limit."""
    p50, p95, p99 = np.percentile(ages_s * 1e3, [50, 95, 99])
    good = bool(p95 <= limit_ms)
    print(
        f"{what:<44} {len(ages_s):5d} {p50:8.0f} {p95:8.0f} {p99:8.0f}   {limit}: {'yes' if good else 'NO'}"
    )
    return good


def once(seconds: float) -> bool:
    """Measure and print one run; whether every limit was kept."""
    with tempfile.TemporaryDirectory() as folder:
        began, spent = time.monotonic(), time.process_time()
        clock, probe, page = asyncio.run(measure(seconds, Path(folder)))
        share = (time.process_time() - spent) / (time.monotonic() - began)
    busy = os.getloadavg()[0] / (os.cpu_count() or 1) if hasattr(os, "getloadavg") else float("nan")
    print(
        f"This process: {100.0 * share:.0f} % of a core, sensors and radio with it; the machine's load: "
        f"{busy:.1f} a core. {page.states} looks, {len(page.postures)} pulses."
    )
    print(f"{'age in ms':<44} {'n':>5} {'p50':>8} {'p95':>8} {'p99':>8}   p95 within")
    stride_ms = 1e3 * float(np.median([length for _, _, length in probe.strides]))
    limit = stride_ms + 100.0
    stride_limit = f"a stride + 100 = {limit:.0f}"
    ends = ages(clock, [(now, t + length) for now, t, length in probe.strides])
    return all(
        [
            show("posture certain, radio's time", np.array(probe.certain["posture"]), 150.0, "150"),
            show("stride certain, radio's time", np.array(probe.certain["stride"]), limit, stride_limit),
            show("newest sample to posture in the session", ages(clock, probe.postures), 150.0, "150"),
            show("newest sample to tilt on the page's socket", ages(clock, page.postures), 150.0, "150"),
            show("last sample of a stride to its row", ends, limit, stride_limit),
            show(
                "last sample of a stride to its row, socket", ages(clock, page.strides), limit, stride_limit
            ),
        ]
    )


def main(arguments: list[str]) -> int:
    """Measure and print; 1 if a limit is passed."""
    seconds = float(arguments[0]) if arguments else 60.0
    print(
        "Connection interval 15 ms, frames of 10 samples at 208 Hz, real time. The page itself is drawn anew"
    )
    print(f"every {LOOK_S:g} s at most; the socket brings every posture and stride to who asks for pulses.")
    # As 'latemiles live' does before a run begins.
    warm_up()
    good = [once(seconds) for _ in range(int(arguments[1]) if len(arguments) > 1 else 1)]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
