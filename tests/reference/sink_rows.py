"""Rows for the tests of sinks: made-up strides in a real store, and a sink and an outbox to play with."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from latemiles.metrics.catalogue import COLUMN_INDEX, NUMERIC_COLUMNS
from latemiles.signals.events import DriftUpdate, Event, LinkChanged, Marked, Stride
from latemiles.signals.frames import SEGMENTS, Side
from latemiles.signals.records import RunHeader, SensorInfo
from latemiles.sinks.outbox import Rejected, Row, SinkUnavailable
from latemiles.store import Store

STARTED_NS = 1_700_000_000_000_000_000
STRIDE_S = 0.35


def header(run: str = "run-1", athlete: str = "me", started_ns: int = STARTED_NS) -> RunHeader:
    """Header of a run with three sensors."""
    sensors = tuple(SensorInfo(segment, "latemiles-v1", 208.0) for segment in SEGMENTS)
    return RunHeader(run, athlete, started_ns, sensors, "simulated", "latemiles test")


def stride(index: int, *, seed: int = 1) -> Stride:
    """One stride whose numbers follow from its index; every eighth lacks its hip angles."""
    rng = np.random.default_rng([seed, index])
    values = rng.normal(5.0, 2.0, len(NUMERIC_COLUMNS))
    t_s = 20.0 + STRIDE_S * index
    values[COLUMN_INDEX["index"]] = index
    values[COLUMN_INDEX["t_ic_s"]] = t_s
    values[COLUMN_INDEX["distance_m"]] = 1.1 * index
    if index % 8 == 7:
        for name, column in COLUMN_INDEX.items():
            if name.startswith("hip_"):
                values[column] = math.nan
    side = Side.LEFT if index % 2 == 0 else Side.RIGHT
    return Stride(t_s, side, index, tuple(values.tolist()), 0 if index % 8 != 7 else 1)


def strides(first: int, last: int, *, seed: int = 1) -> list[Event]:
    """Strides of a range of indices."""
    return [stride(k, seed=seed) for k in range(first, last)]


def other_events() -> list[Event]:
    """One of several other kinds."""
    return [
        *(LinkChanged(0.0, segment, "up", "", 90.0) for segment in SEGMENTS),
        Marked(30.0, 'gel, "the" first = one'),
        DriftUpdate(700.0, "pelvic_tilt_mean_deg", 1.5, 1.0, 2.0, 0.8, "likely change", 1),
    ]


def filled_store(path: Path, n: int, run: str = "run-1", athlete: str = "me") -> Store:
    """A store with one run of n strides and some other events."""
    store = Store(path)
    store.begin_run(header(run, athlete))
    store.commit(run, [*other_events(), *strides(0, n)])
    return store


class Notebook:
    """A sink in memory: what it is given by row id, with whatever trouble a test asks for."""

    name = "notebook"
    label = "The notebook"

    def __init__(self, resend_rows: int = 0) -> None:
        self.resend_rows = resend_rows
        self.got: dict[int, Event] = {}
        self.order: list[int] = []
        self.batches: list[int] = []
        self.failures: list[Exception] = []
        """Raised by the next deliveries, first first; the rows may have arrived all the same."""
        self.bad: set[int] = set()
        self.is_open = False
        self.opened = 0

    async def open(self) -> None:
        self.is_open = True
        self.opened += 1

    async def deliver(self, rows: Sequence[Row]) -> Sequence[Rejected]:
        assert self.is_open
        self.batches.append(len(rows))
        for row in rows:
            if row.id not in self.bad:
                self.got[row.id] = row.event
                self.order.append(row.id)
        if self.failures:
            raise self.failures.pop(0)
        return [Rejected(row.id, "no.") for row in rows if row.id in self.bad]

    async def idle(self) -> None:
        if self.failures:
            raise self.failures.pop(0)

    async def close(self) -> None:
        self.is_open = False


def outage() -> SinkUnavailable:
    """The other side is away."""
    return SinkUnavailable("The notebook does not answer. Look for it.")


async def until(condition: Callable[[], object], within_s: float = 15.0) -> None:
    """Wait for something that another task or process brings about."""
    async with asyncio.timeout(within_s):
        while True:
            if condition():
                return
            await asyncio.sleep(0.005)
