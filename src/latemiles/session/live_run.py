"""A run with real sensors: found, linked, recorded, shown; and gone on with after a crash."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from latemiles.errors import ConfigError, TornRecording
from latemiles.pipeline import GIVEN
from latemiles.recording.reader import Recording
from latemiles.recording.recover import recover
from latemiles.sensors.assignments import Assignments
from latemiles.sensors.ble import BleStack
from latemiles.sensors.drivers import latemiles_v1
from latemiles.sensors.gaps import GapBook
from latemiles.sensors.outlet import Wanted
from latemiles.sensors.protocol import Start, frame_head
from latemiles.sensors.recipes import recipe_of
from latemiles.session.air import Air
from latemiles.session.connect import ReceptionPlan
from latemiles.session.home import Home
from latemiles.session.kept_calibration import KeptCalibration
from latemiles.session.live import LiveSession
from latemiles.session.play import PlayOptions, PlayOutcome, play
from latemiles.session.receiver import GATHER_S
from latemiles.session.warm import warm_up
from latemiles.signals.frames import Segment
from latemiles.signals.records import Packet, Record, RunHeader, SensorInfo

__all__ = ["LivePlan", "LiveRun", "Unfinished", "elapsed_s", "open_unfinished", "unfinished_run"]

log = logging.getLogger(__name__)

_ZERO: Final = "monotonic_zero_ns"
_BOOT: Final = "booted_utc_s"
_SAME_BOOT_S: Final = 60.0
"""Wall clock and monotonic clock may disagree so much before it was another boot, s."""


@dataclass(frozen=True, slots=True)
class LivePlan:
    """How a live run is made."""

    home: Home
    assignments: Assignments
    stack: BleStack = field(default_factory=BleStack)
    athlete: str = "me"
    port: int | None = 8765
    units: str = "metric"
    lan: bool = False
    gather_s: float = GATHER_S
    start: Start = field(default_factory=Start)
    calibration: KeptCalibration | None = None
    """Made before the run; used if it fits the sensors that answer."""
    air: Air = field(default_factory=Air)
    """Where it listens."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A run whose program died."""

    path: Path
    """The torn recording."""
    header: RunHeader
    last_s: float
    """Session time of the last record that was saved."""
    records: Path
    """What was saved of it, as a whole recording beside it."""
    books: dict[Segment, GapBook]
    """What was heard of each sensor in its last epoch."""


def unfinished_run(home: Home) -> Path | None:
    """Recording of the newest run if nobody ended it; None otherwise."""
    newest = max(home.recordings.glob("*.mcap"), key=lambda p: p.stat().st_mtime, default=None)
    if newest is None:
        return None
    try:
        with Recording.open(newest):
            return None
    except TornRecording:
        return newest


def open_unfinished(path: Path) -> Unfinished:
    """Save what a torn recording holds and read what it says of the sensors.

    Raises
    ------
    RecordingError
        If nothing can be saved.
    """
    number = 1
    while (torn := path.with_name(f"{path.stem}.torn-{number}")).exists():
        number += 1
    saved = path.with_name(f"{path.stem}.saved-{number}")
    saved.unlink(missing_ok=True)
    report = recover(path, saved)
    path.rename(torn)
    books: dict[Segment, GapBook] = {}
    with Recording.open(saved) as recording:
        for record in recording.records():
            if isinstance(record, Packet) and (head := frame_head(record.payload)) is not None:
                books.setdefault(record.segment, GapBook()).heard(head.epoch, head.first, head.n)
    return Unfinished(torn, report.header, report.duration_s, saved, books)


class LiveRun:
    """One live run, from the search for its sensors to its report.

    Parameters
    ----------
    plan : LivePlan
        What is wanted.
    unfinished : Unfinished or None
        An earlier part of the run to go on with.

    Raises
    ------
    ConfigError
        If no sensor has a place yet.
    """

    def __init__(self, plan: LivePlan, unfinished: Unfinished | None = None) -> None:
        if not plan.assignments.wanted:
            raise ConfigError("sensors", "no sensor has a place yet. Give each one with 'latemiles assign'.")
        self.plan, self.unfinished = plan, unfinished
        self._zero_ns = time.monotonic_ns()
        self.receiver = plan.air.receiver(self._reception, begun_s=self._begun_s, gather_s=plan.gather_s)
        self.header = RunHeader("")

    def link(self) -> RunHeader:
        """Find and link the sensors; the header of the run.

        Raises
        ------
        LinkFailed
            If none answered.
        """
        # Kernels that are loaded at the first sample would hold the run up for a second then.
        infos = self.receiver.gather(meanwhile=warm_up)
        self.header = self._header(infos)
        return self.header

    def play(
        self, say: Callable[[str], None], beside: Callable[[LiveSession], None] | None = None
    ) -> PlayOutcome:
        """Run until it is stopped; then make the report.

        Parameters
        ----------
        say : callable
            Tells a person one line.
        beside : callable or None
            As of ``session.play.play``.
        """
        options = PlayOptions(self.plan.home, None, self.plan.port, self.plan.units, self.plan.lan)

        def attach(session: LiveSession) -> None:
            self.receiver.attach(session)
            if beside is not None:
                beside(session)

        return play(self._records(), self.header, options, recording=None, say=say, beside=attach)

    def _reception(self) -> ReceptionPlan:
        plan = self.plan
        return ReceptionPlan(
            plan.assignments.wanted,
            plan.stack,
            start=plan.start,
            pods=plan.assignments.pods,
            books=self.unfinished.books if self.unfinished is not None else {},
        )

    def _header(self, infos: tuple[SensorInfo, ...]) -> RunHeader:
        if self.unfinished is not None:
            return self.unfinished.header
        there = {info.segment: info for info in infos}
        # One that does not answer yet may come later: its place is kept.
        sensors = tuple(
            there.get(wanted.segment) or self._expected(wanted) for wanted in self.plan.assignments.wanted
        )
        now = datetime.now(tz=UTC)
        self._zero_ns = time.monotonic_ns()
        extra = {_ZERO: str(self._zero_ns), _BOOT: f"{_booted_s():.0f}"}
        kept = self.plan.calibration
        if kept is not None and kept.fits(sensors, now.timestamp()):
            extra |= {GIVEN: kept.calibration.to_text(), f"{GIVEN}_recording": kept.recording}
        return RunHeader(
            run=f"{now:%Y%m%d-%H%M%S}",
            athlete=self.plan.athlete,
            started_utc_ns=round(now.timestamp() * 1e9),
            sensors=sensors,
            source=self.plan.air.source,
            extra=extra,
        )

    def _expected(self, wanted: Wanted) -> SensorInfo:
        """What a sensor will say of itself that does not answer yet."""
        if wanted.driver != latemiles_v1.NAME:
            r = recipe_of(wanted.driver)
            return SensorInfo(
                wanted.segment, r.driver, r.rate_hz, wanted.serial, r.acc_range_m_s2, r.gyr_range_rad_s
            )
        return SensorInfo(
            wanted.segment,
            latemiles_v1.NAME,
            float(self.plan.start.rate_hz),
            wanted.serial,
            latemiles_v1.ACC_RANGE_M_S2,
            latemiles_v1.GYR_RANGE_RAD_S,
        )

    def _begun_s(self) -> float:
        """Session time now: above zero when a run is gone on with."""
        if self.unfinished is None:
            return (time.monotonic_ns() - self._zero_ns) * 1e-9
        return max(self.unfinished.last_s, elapsed_s(self.unfinished.header))

    async def _records(self) -> AsyncIterator[Record]:
        live = self.receiver.records(self.header)
        if self.unfinished is not None:
            # The thread begins to listen at once, while what was saved goes through the pipeline again.
            yield await anext(live)
            with Recording.open(self.unfinished.records) as recording:
                for number, record in enumerate(recording.records()):
                    if not isinstance(record, RunHeader):
                        yield record
                    if number % 200 == 0:
                        await asyncio.sleep(0.0)
            self.unfinished.records.unlink(missing_ok=True)
        async for record in live:
            yield record


def elapsed_s(header: RunHeader) -> float:
    """Seconds since a run began: exact while the computer has not been restarted, else by its clock."""
    zero, booted = header.extra.get(_ZERO), header.extra.get(_BOOT)
    if zero is not None and booted is not None and abs(float(booted) - _booted_s()) < _SAME_BOOT_S:
        return (time.monotonic_ns() - int(zero)) * 1e-9
    return time.time() - header.started_utc_ns * 1e-9


def _booted_s() -> float:
    return time.time() - time.monotonic()
