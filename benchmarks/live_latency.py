"""How old a number is when it reaches the page: sensor, virtual radio, bleak, pipeline, socket; in real time.

python benchmarks/live_latency.py [seconds of running]
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import numpy as np
from websockets.asyncio.client import connect

from latemiles.metrics.catalogue import NUMERIC_COLUMNS
from latemiles.pipeline import Pipeline
from latemiles.recording.writer import RecordingWriter
from latemiles.sensors.registry import driver_for
from latemiles.session.live import LiveSession
from latemiles.session.over_radio import radio_run, world_of_run
from latemiles.session.receiver import Receiver
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
"""Start-up and compilation are not counted, s of session time."""
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
        self.postures: list[tuple[float, float]] = []
        self.strides: list[tuple[float, float, float]] = []
        self._shown: LiveState | None = None

    def take(self, events: Sequence[Event]) -> None:
        """Take the events of one record."""
        now = time.monotonic()
        posture = self.pipeline.posture
        if posture is not self._shown:
            self._shown = posture
            self.postures.append((now, posture.t_s))
            self.page.take([*events, posture])
        elif events:
            self.page.take(events)
        for event in events:
            if isinstance(event, Stride):
                self.strides.append((now, event.t_s, event.values[STRIDE_TIME]))

    def finish(self) -> None:
        """The run is over."""


async def timed(receiver: Receiver, header: RunHeader, clock: Clock) -> AsyncIterator[Record]:
    """The records, with the clock looking on."""
    async for record in receiver.records(header):
        if isinstance(record, Packet):
            clock.heard(record)
        yield record


async def listen(port: int, seen: list[tuple[float, float]]) -> None:
    """A page: when each state came, and of what moment it is."""
    async with connect(f"ws://127.0.0.1:{port}/ws", origin=f"http://127.0.0.1:{port}") as socket:
        async for message in socket:
            state = json.loads(message)
            state = state.get("state", state)
            if state.get("t") is not None:
                seen.append((time.monotonic(), float(state["t"])))


async def measure(seconds: float, folder: Path) -> tuple[Clock, Probe, list[tuple[float, float]]]:
    """One run in real time."""
    plan = RunnerPlan((Phase("standing", 6.0), Phase("walking", 5.0, 1.4), Phase("running", seconds, 3.0)))
    receiver = radio_run(world_of_run(simulate(plan, 2)), 1.0)
    header = RunHeader("latency", sensors=receiver.gather())
    clock, pipeline, broadcast = Clock(), Pipeline(header, driver_for), LiveBroadcast()
    probe = Probe(LivePage(LiveView("latency", "me", unit="km"), broadcast), pipeline)
    seen: list[tuple[float, float]] = []
    recorder = RecordingWriter(folder / "latency.mcap", header)
    session = LiveSession(timed(receiver, header, clock), pipeline, recorder, [probe])
    receiver.attach(session)
    ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    app = create_app(None, broadcast, unit="km")
    session.optional["page"] = lambda: serve(app, port=0, on_ready=ready.set_result)

    async def browser() -> None:
        await listen(await ready, seen)

    session.optional["browser"] = browser
    await session.run()
    return clock, probe, seen


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


def main(arguments: list[str]) -> int:
    """Measure and print; 1 if a limit is passed."""
    seconds = float(arguments[0]) if arguments else 60.0
    with tempfile.TemporaryDirectory() as folder:
        clock, probe, seen = asyncio.run(measure(seconds, Path(folder)))
    print("Age of a number, ms: connection interval 15 ms, frames of 12 samples at 208 Hz, 1 x real time")
    print(f"{'':<44} {'n':>5} {'p50':>8} {'p95':>8} {'p99':>8}   p95 within")
    # A state shows what was known when it was sent: the newest posture by then.
    times = np.array([now for now, _ in probe.postures])
    shown = [(now, probe.postures[k - 1][1]) for now, _ in seen if (k := int(np.searchsorted(times, now)))]
    stride_ms = 1e3 * float(np.median([length for _, _, length in probe.strides]))
    ends = ages(clock, [(now, t + length) for now, t, length in probe.strides])
    limit = stride_ms + 100.0
    good = [
        show("newest sample to posture in the session", ages(clock, probe.postures), 150.0, "150"),
        show("newest sample to state on the page's socket", ages(clock, shown), 150.0, "150"),
        show("last sample of a stride to its row", ends, limit, f"a stride + 100 = {limit:.0f}"),
    ]
    print(f"The page looks every {LOOK_S:g} s: a stride's row waits for the next look.")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
