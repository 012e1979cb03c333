"""What every link to a sensor shares: where records go, which sensor is meant, how patient it is."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from math import nan

from latemiles.sensors import about, protocol
from latemiles.sensors.ble import Heard
from latemiles.sensors.drivers import latemiles_v1
from latemiles.signals.frames import Segment
from latemiles.signals.records import Record

__all__ = ["Backoff", "LinkTimes", "LinkView", "Outlet", "Wanted"]


@dataclass(frozen=True, slots=True)
class LinkTimes:
    """How patient a link is, s."""

    look_s: float = 0.25
    """Between two looks at a link that is up."""
    silent_s: float = 2.0
    """A sensor that was not heard for so long counts as lost, though its link may still stand."""
    ask_again_s: float = 1.0
    """Without progress for so long, missing samples are asked for again."""
    battery_every_s: float = 60.0
    clock_every_s: float = 30.0
    give_up_asking: int = 5
    """So many requests without a sample: the sensor cannot send these."""


@dataclass(slots=True)
class Backoff:
    """Waiting times after failures: doubled, capped, jittered."""

    first_s: float = 0.25
    most_s: float = 8.0
    chance: random.Random = field(default_factory=random.Random)
    failures: int = 0

    def next_s(self) -> float:
        """How long to wait after another failure."""
        wait_s = min(self.most_s, self.first_s * 2.0 ** min(self.failures, 16))
        self.failures += 1
        return wait_s * (0.5 + self.chance.random())

    def reset(self) -> None:
        """All is well again."""
        self.failures = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which sensor is meant."""

    segment: Segment
    serial: str
    """Sixteen hex digits; the sensor's own, the same on every computer."""
    driver: str = latemiles_v1.NAME
    """Its family."""

    def may_be(self, heard: Heard) -> bool:
        """Whether an advertisement may come from it: it tells the end of the serial number only."""
        if protocol.SERVICE not in heard.services:
            return False
        advert = about.Advert.decode(heard.service_data.get(protocol.SERVICE, b""))
        end = self.serial[-4:].upper()
        return heard.name.upper().endswith(end) if advert is None else f"{advert.serial_low:04X}" == end


class Outlet:
    """Where records of all sensors go, and what time it is in the run.

    Before ``open`` nothing passes.
    """

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self._offer: Callable[[Record], bool] = lambda _: False
        self._zero_s = 0.0

    def open(self, offer: Callable[[Record], bool], *, zero_s: float) -> None:
        """The run begins.

        Parameters
        ----------
        offer : callable
            Takes a record at once, or says False.
        zero_s : float
            Loop time of session time zero.
        """
        self._offer, self._zero_s = offer, zero_s
        self.opened.set()

    async def begun_before(self, lost: asyncio.Event) -> bool:
        """Wait for the run to begin; False if a link ended first."""
        if not self.opened.is_set():
            waits = [asyncio.ensure_future(self.opened.wait()), asyncio.ensure_future(lost.wait())]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
        return self.opened.is_set() and not lost.is_set()

    def offer(self, record: Record) -> bool:
        """Hand a record over; False if it was refused."""
        return self._offer(record)

    def now_ns(self) -> int:
        """Session time, ns."""
        return max(0, round((asyncio.get_running_loop().time() - self._zero_s) * 1e9))


@dataclass(slots=True)
class LinkView:
    """What a person may want to know of a link."""

    state: str = "looking for it"
    trouble: str = ""
    """Why the last attempt failed."""
    battery_percent: float = nan
    rssi: int = 0
    frames: int = 0
    resent: int = 0
    refused: int = 0
    links: int = 0
    tick_ppm: float = nan
    """The sensor's crystal against the computer's clock."""
