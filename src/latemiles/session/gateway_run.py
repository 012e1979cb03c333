"""A gateway's run and a server of runs, from the first record to the last; what the two commands do."""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, count
from pathlib import Path

from latemiles.errors import EnvironmentMissing
from latemiles.session.followers import Deliveries, make_sinks
from latemiles.session.gateway import SpoolSender, fill
from latemiles.session.home import Home
from latemiles.session.live import supervise
from latemiles.session.remote_runs import RemoteRuns
from latemiles.session.sink_settings import SinkSettings
from latemiles.session.spool import Spool, waiting_spools
from latemiles.signals.records import Record, RunHeader
from latemiles.sinks.messages import safe_name
from latemiles.sinks.mqtt import MqttSettings
from latemiles.store import Store
from latemiles.web import LiveBoard, create_app, serve

__all__ = ["NewRun", "run_gateway", "run_server", "spool_folder"]

Say = Callable[[str], None]


def spool_folder(home: Home) -> Path:
    """Where a gateway keeps what its server does not have yet."""
    return home.root / "gateway"


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run that a gateway hears."""

    header: RunHeader
    source: AsyncIterator[Record]
    """The header first."""
    stop: Callable[[], None] | None = None
    """Lets the source end by itself; None: it is cut off."""


def run_gateway(
    home: Home, settings: MqttSettings, new: NewRun | None, say: Say, *, grace_s: float = 60.0
) -> int:
    """Send a run and whatever earlier runs left behind.

    Parameters
    ----------
    home : Home
        Where spools lie.
    settings : MqttSettings
        Which broker, and as whom.
    new : NewRun or None
        The run that begins; None: only what waits is sent.
    say : callable
        Tells a person one line.
    grace_s : float
        How long the end of the run waits for the server to have everything, s.

    Returns
    -------
    int
        Runs that the server does not have whole yet; they stay here.
    """
    return asyncio.run(_gateway(home, settings, new, say, grace_s))


async def _gateway(home: Home, settings: MqttSettings, new: NewRun | None, say: Say, grace_s: float) -> int:
    folder = spool_folder(home)
    spools = waiting_spools(folder)
    if spools:
        say(f"{len(spools)} earlier runs wait here for the server; they are sent too.")
    if new is not None:
        spools.append(_new_spool(folder, new.header))
    senders = [SpoolSender(spool, settings, say) for spool in spools]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(s.run(), name=f"send {s.spool.run}") for s in senders]
        if new is not None:
            await _heard(new, senders[-1])
            say("The run is over here. Waiting for the server to have all of it.")
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace_s)
            for task in late:
                task.cancel()
    left = [s for s in senders if not s.is_over]
    for one in senders:
        if one.is_over:
            one.spool.remove()
        else:
            say(
                f"Run {one.spool.run}: {one.spool.bytes_waiting / 1e6:.1f} MB wait here. "
                "'latemiles gateway --flush' sends them."
            )
            one.spool.close()
    return len(left)


def _new_spool(folder: Path, header: RunHeader) -> Spool:
    """A spool beside whatever waits; its run is told from every other one that is named alike."""
    name = f"{safe_name(header.athlete)}.{safe_name(header.run)}"
    # A small computer without a clock of its own may give today's run the name of yesterday's.
    paths = (folder / f"{name}{more}.spool" for more in chain([""], (f".{k}" for k in count(2))))
    path = next(path for path in paths if not path.exists())
    return Spool(path, replace(header, extra={**header.extra, "gateway": secrets.token_hex(4)}))


async def _heard(new: NewRun, sender: SpoolSender) -> None:
    """Take the run to its end, or to Ctrl-C, which ends it cleanly."""
    hearing = asyncio.create_task(fill(sender.spool, new.source, sender.wake, sender.say), name="sensors")
    with _on_interrupt(new.stop or hearing.cancel):
        await asyncio.wait({hearing})
    if not hearing.cancelled():
        hearing.result()


def run_server(
    home: Home,
    sinks: SinkSettings,
    settings: MqttSettings,
    say: Say,
    *,
    units: str = "metric",
    port: int | None = None,
) -> None:
    """Take the runs of gateways until Ctrl-C, and deliver them to the configured sinks.

    Parameters
    ----------
    home : Home
        Where recordings and the store are.
    sinks : SinkSettings
        Where events go.
    settings : MqttSettings
        Which broker the gateways speak to, and as whom.
    say : callable
        Tells a person one line.
    units : str
        ``metric`` or ``mile``.
    port : int or None
        Port of the live page on this machine, with a tab a runner; None: no page.
    """
    asyncio.run(_server(home, sinks, settings, say, units, port))


async def _server(
    home: Home, sinks: SinkSettings, settings: MqttSettings, say: Say, units: str, port: int | None
) -> None:
    board = LiveBoard()
    with Store(home.store) as store:
        runs = RemoteRuns(home, store, settings, say, units=units, board=board)
        async with Deliveries(store, make_sinks(sinks), say).running():
            serving = asyncio.create_task(runs.serve(), name="gateways")
            page = partial(_show, board, store, say, units, port)
            showing = asyncio.create_task(supervise("live page", page), name="live page")
            with _on_interrupt(serving.cancel):
                await asyncio.wait({serving})
            showing.cancel()
            await asyncio.wait({showing})
            if not serving.cancelled():
                serving.result()
    over = sum(run.is_over for run in runs.runs)
    say(f"{len(runs.runs)} runs were heard, {over} of them to their end. The others go on when this does.")


async def _show(board: LiveBoard, store: Store, say: Say, units: str, port: int | None) -> None:
    """Show all runs on one page."""
    if port is None:
        return
    # Marks belong into the recording, and that is written where the sensors are heard.
    app = create_app(store, board, unit="km" if units == "metric" else "mile")

    def ready(at: int) -> None:
        say(f"Live page of all runners: http://127.0.0.1:{at}/coach")

    try:
        await serve(app, port=port, on_ready=ready)
    except EnvironmentMissing:
        say(f"Port {port} is taken; another one is used.")
        await serve(app, port=0, on_ready=ready)


@contextmanager
def _on_interrupt(stop: Callable[[], object]) -> Iterator[None]:
    """Let Ctrl-C, or the system's wish to stop, end the work cleanly."""
    loop = asyncio.get_running_loop()
    wanted = (signal.SIGINT, signal.SIGTERM)
    try:
        for number in wanted:
            loop.add_signal_handler(number, stop)
    except NotImplementedError:
        # Windows: KeyboardInterrupt ends the program, and what was heard is in the spool.
        yield
        return
    try:
        yield
    finally:
        for number in wanted:
            loop.remove_signal_handler(number)
