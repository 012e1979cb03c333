"""One run through the live path from any source of records: recording, store, live page, report."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from latemiles.analysis_inputs import header_with_thighs_swapped, records_with_thighs_swapped
from latemiles.errors import EnvironmentMissing
from latemiles.pipeline import Pipeline
from latemiles.recording.writer import RecordingWriter
from latemiles.sensors.registry import driver_for
from latemiles.session.followers import Deliveries, make_sinks
from latemiles.session.home import Home
from latemiles.session.library import thighs_swapped
from latemiles.session.live import LiveSession
from latemiles.session.pace import paced
from latemiles.session.reprocess import AnalyzeOptions, Outcome, analyze_file
from latemiles.session.settings import load_config
from latemiles.session.sink_settings import load_sinks
from latemiles.signals.events import Event, LiveState
from latemiles.signals.records import Mark, Record, RunHeader
from latemiles.store import Store

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from latemiles.web.broadcast import LivePage

__all__ = ["PlayOptions", "PlayOutcome", "play"]

Say = Callable[[str], None]
Step = Callable[[str], AbstractContextManager[Callable[[float], None]]]
"""Shows a step of the work under a label; what it gives is told the share that is done."""


@dataclass(frozen=True, slots=True)
class PlayOptions:
    """How a run is played."""

    home: Home
    speed: float | None
    """Session seconds a second; None: as fast as it goes."""
    port: int | None
    """Port of the live page on this machine; None: no page."""
    units: str = "metric"
    lan: bool = False
    """The live page is also for others on this network, by a link with a key."""


@dataclass(frozen=True, slots=True)
class PlayOutcome:
    """What a played run came to."""

    headline: str
    report: Path
    recording: Path


@dataclass(slots=True)
class _StoreSink:
    """Hands events to the store, in one transaction a record that has any."""

    store: Store
    run: str

    def take(self, events: Sequence[Event]) -> None:
        """Take the events of one record."""
        if events:
            self.store.commit(self.run, events)

    def finish(self) -> None:
        """Mark the run as ended."""
        self.store.end_run(self.run)


@dataclass(slots=True)
class _PageSink:
    """Hands events to the live page, with a still of the posture whenever there is a new one."""

    page: LivePage
    pipeline: Pipeline
    shown: LiveState | None = None

    def take(self, events: Sequence[Event]) -> None:
        """Take the events of one record."""
        posture = self.pipeline.posture
        if posture is not self.shown:
            self.shown = posture
            self.page.take([*events, posture])
        elif events:
            self.page.take(events)

    def finish(self) -> None:
        """Show the end of the run."""
        self.page.finish()


@contextmanager
def _unseen(_label: str) -> Iterator[Callable[[float], None]]:
    """A step that nobody watches."""
    yield lambda _share: None


def play(
    records: Iterable[Record] | AsyncIterator[Record],
    header: RunHeader,
    options: PlayOptions,
    *,
    recording: Path | None,
    say: Say,
    beside: Callable[[LiveSession], None] | None = None,
    step: Step = _unseen,
) -> PlayOutcome:
    """Take a run through the live path to its end, then make its report from the recording.

    Parameters
    ----------
    records : iterable of Record, or async iterator of Record
        In order of arrival, the header first; an async iterator has a pace of its own.
    header : RunHeader
        Of the run.
    options : PlayOptions
        Pace, page and home.
    recording : Path or None
        Where the records come from; None: they are new and are written down.
    say : callable
        Tells a person one line.
    beside : callable or None
        Given the session before it begins: adds sinks and parts of its own.
    step : callable
        Shows the steps that take a while, such as making the report.

    Returns
    -------
    PlayOutcome
        Headline and files.

    Raises
    ------
    LatemilesError
        If the run cannot be recorded, stored or analysed.
    """
    home = options.home
    config = load_config(home.settings, options.units)
    target = recording or home.recordings / f"{header.run}.mcap"
    recorder = RecordingWriter(target, header) if recording is None else None
    if recorder is None and not isinstance(records, AsyncIterator) and thighs_swapped(home, header, target):
        header, records = header_with_thighs_swapped(header), records_with_thighs_swapped(records)
    pipeline = Pipeline(header, driver_for, config=config)
    with Store(home.store) as store:
        run = store.begin_run(header, target.resolve(), replace=True)
        source = records if isinstance(records, AsyncIterator) else paced(records, options.speed)
        session = LiveSession(source, pipeline, recorder, [_StoreSink(store, run)])
        tell = say
        if options.port is not None:
            tell = _add_page(session, store, header, options, say)
        for line in pipeline.limits:
            tell(line)
        sinks = make_sinks(load_sinks(home.settings), header)
        deliveries = Deliveries(store, sinks, tell, lambda: pipeline.posture)
        session.sinks = [*session.sinks, deliveries]
        if beside is not None:
            beside(session)
        asyncio.run(_until_over(session, deliveries))
        # A server that is away had its grace just now; it gets the result with what waits for it.
        there = {sink.name for sink in sinks if not store.waiting(sink.name)}
    say("The run is over. Making the report from the recording.")
    with step("report") as progress:
        outcome = analyze_file(target, None, AnalyzeOptions(home=home.root, units=options.units), progress)
    _send_result(home, there, say)
    return _outcome(outcome, target)


def _send_result(home: Home, there: set[str], say: Say) -> None:
    """Tell the sinks that have the whole run what its analysis found."""
    sinks = [sink for sink in make_sinks(load_sinks(home.settings)) if sink.name in there]
    if not sinks:
        return

    async def deliver(deliveries: Deliveries) -> None:
        async with deliveries.running():
            pass

    with Store(home.store) as store:
        asyncio.run(deliver(Deliveries(store, sinks, say)))


def _outcome(outcome: Outcome, target: Path) -> PlayOutcome:
    return PlayOutcome(outcome.headline, outcome.report, target)


async def _until_over(session: LiveSession, deliveries: Deliveries) -> None:
    with _stopping_on_interrupt(session):
        async with deliveries.running():
            await session.run()


@contextmanager
def _stopping_on_interrupt(session: LiveSession) -> Iterator[None]:
    """Let Ctrl-C end the run cleanly instead of the program at once."""
    loop = asyncio.get_running_loop()
    try:
        loop.add_signal_handler(signal.SIGINT, session.stop)
    except NotImplementedError:
        # Windows has no loop signal handlers: Ctrl-C arrives as KeyboardInterrupt, and the recording is
        # flushed every second anyway.
        yield
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def _add_page(session: LiveSession, store: Store, header: RunHeader, options: PlayOptions, say: Say) -> Say:
    """Give a session its live page; returns a ``say`` that is heard there too."""
    from latemiles.web.app import create_app
    from latemiles.web.broadcast import LiveBroadcast, LivePage
    from latemiles.web.lan import KeyGuard, invite, told
    from latemiles.web.server import serve
    from latemiles.web.view_model import LiveView

    unit = "km" if options.units == "metric" else "mile"
    broadcast = LiveBroadcast()
    page = LivePage(LiveView(header.run, header.athlete, unit=unit), broadcast)
    session.sinks = [*session.sinks, _PageSink(page, session.pipeline)]
    session.listeners.append(page.hear)

    def mark(label: str) -> None:
        session.inbox.offer(Mark(session.heard_ns, label))

    invitation = invite() if options.lan else None
    hosts = (invitation.address,) if invitation is not None else ()
    page_app: ASGIApp = create_app(store, broadcast, unit=unit, allowed_hosts=hosts, on_mark=mark)
    if invitation is not None:
        page_app = KeyGuard(page_app, invitation.key)
    host = "0.0.0.0" if invitation is not None else "127.0.0.1"

    def ready(port: int) -> None:
        say(f"Live page: http://127.0.0.1:{port}/  (coach: http://127.0.0.1:{port}/coach)")
        for line in told(invitation, port) if invitation is not None else ():
            say(line)

    async def web() -> None:
        try:
            await serve(page_app, host, options.port or 0, on_ready=ready)
        except EnvironmentMissing:
            say(f"Port {options.port} is taken; another one is used.")
            await serve(page_app, host, 0, on_ready=ready)

    session.optional["live page"] = web

    def say_there_too(line: str) -> None:
        say(line)
        page.notice(session.heard_ns * 1e-9, line)

    return say_there_too
