"""Commands ``live`` and ``calibrate``: a run with real sensors."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from latemiles.cli.context import UnitsOption, console, state_of, units_of
from latemiles.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from latemiles.cli.live_view import Guide, TerminalView
    from latemiles.session.air import Air
    from latemiles.session.home import Home
    from latemiles.session.live import LiveSession
    from latemiles.session.live_run import LivePlan, LiveRun, Unfinished

__all__ = ["register"]

AdapterOption = Annotated[str | None, typer.Option(help="Bluetooth adapter on Linux, such as hci1.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(live)
    app.command()(calibrate)


def live(
    context: typer.Context,
    athlete: Annotated[str, typer.Option(help="Whose run it is.")] = "me",
    port: Annotated[int, typer.Option(help="Port of the live page, on this machine only.")] = 8765,
    units: UnitsOption = None,
    lan: Annotated[
        bool, typer.Option("--lan", help="The page also for others on this network, by a link with a key.")
    ] = False,
    headless: Annotated[bool, typer.Option("--headless", help="No live page and no view.")] = False,
    calibration: Annotated[
        bool | None,
        typer.Option(
            "--calibration/--no-calibration",
            help="Ask for standing and squats at the start. Default: unless 'calibrate' was just run.",
        ),
    ] = None,
    go_on: Annotated[
        bool, typer.Option("--continue", help="Go on with the last run, which nobody ended.")
    ] = False,
    wait: Annotated[float, typer.Option(min=1.0, help="Seconds to wait for all sensors.")] = 30.0,
    adapter: AdapterOption = None,
) -> None:
    """Connect to the sensors, record, show the live page; Ctrl-C ends the run and makes the report."""
    from latemiles.pipeline import GIVEN
    from latemiles.session.kept_calibration import KeptCalibration

    home = state_of(context).find_home()
    out = console()
    plan = _plan(
        home,
        athlete=athlete,
        port=None if headless else port,
        units=units_of(home, units),
        wait=wait,
        adapter=adapter,
        lan=lan,
        air=state_of(context).air,
    )
    if calibration is not True:
        plan = replace(plan, calibration=KeptCalibration.load(home.calibration))
    run = _run(plan, home, go_on=go_on, say=out.print)
    header = run.link()
    for info in header.sensors:
        out.print(f"{info.segment.label}: {info.serial}, firmware {info.firmware or 'not linked yet'}")
    is_given = GIVEN in header.extra
    if is_given and not go_on:
        out.print(
            "Calibrated just now ('latemiles calibrate'). If a sensor was moved since: live --calibration."
        )
    asks = calibration is not False and not go_on and not is_given
    outcome = run.play(out.print, _beside(run, out if not headless else None, calibration=asks))
    out.print(outcome.headline)
    out.print(f"  report:    {outcome.report}")
    out.print(f"  recording: {outcome.recording}")


def calibrate(
    context: typer.Context,
    wait: Annotated[float, typer.Option(min=1.0, help="Seconds to wait for all sensors.")] = 30.0,
    adapter: AdapterOption = None,
) -> None:
    """Stand still, three squats: how well it repeats and what to do better; kept for the run that follows."""
    from latemiles.session.calibrate import calibrate as measure

    home = state_of(context).find_home()
    out = console()
    plan = _plan(home, wait=wait, adapter=adapter, air=state_of(context).air)
    run = _run(plan, home, go_on=False, say=out.print)
    run.link()
    from latemiles.cli.live_view import Guide

    for line in measure(run, Guide(), out.print, home):
        out.print(line)


def _plan(
    home: Home,
    *,
    wait: float,
    adapter: str | None,
    air: Air | None,
    athlete: str = "me",
    port: int | None = None,
    units: str = "metric",
    lan: bool = False,
) -> LivePlan:
    from latemiles.sensors.assignments import Assignments
    from latemiles.sensors.ble import BleStack
    from latemiles.session.air import Air
    from latemiles.session.live_run import LivePlan

    return LivePlan(
        home=home,
        assignments=Assignments.load(home.sensors),
        stack=BleStack(adapter=adapter),
        athlete=athlete,
        port=port,
        units=units,
        lan=lan,
        gather_s=wait,
        air=air or Air(),
    )


def _run(plan: LivePlan, home: Home, *, go_on: bool, say: Callable[[str], None]) -> LiveRun:
    from latemiles.session.live_run import LiveRun, open_unfinished, unfinished_run

    torn = unfinished_run(home)
    unfinished: Unfinished | None = None
    if go_on:
        if torn is None:
            raise ConfigError("--continue", "the last run was ended. Start a new one without it.")
        unfinished = open_unfinished(torn)
        say(f"Going on with {unfinished.header.run}: {unfinished.last_s:.0f} s were saved.")
    elif torn is not None:
        say(f"The last run, {torn.stem}, was not ended. 'latemiles live --continue' goes on with it.")
    return LiveRun(plan, unfinished)


def _beside(run: LiveRun, out: Console | None, *, calibration: bool) -> Callable[[LiveSession], None]:
    """What stands beside a session in the terminal; ``out`` is where the view is drawn, if anywhere.

    The same console that lines are printed on: what is printed on another one is drawn over.
    """
    from latemiles.cli.live_view import Guide, TerminalView

    def attach(session: LiveSession) -> None:
        guide = Guide() if calibration else None
        if guide is not None:
            session.optional["calibration"] = lambda: tell_poses(session, guide)
        reception = run.receiver.reception
        if out is None or reception is None or not out.is_terminal:
            return
        home = run.plan.home
        writing = (f"writing {home.recordings / run.header.run}.mcap", f"and     {home.store}")
        shown: TerminalView = TerminalView(reception, writing, guide)
        session.sinks = [*session.sinks, shown]
        session.optional["view"] = lambda: shown.draw(session, out)

    return attach


async def tell_poses(session: LiveSession, guide: Guide) -> None:
    """Put the poses on record once they were held."""
    from latemiles.signals.records import Pose

    for kind, (start_s, end_s) in (("standing", guide.standing_s), ("movement", guide.movement_s)):
        while session.heard_ns * 1e-9 < end_s:  # noqa: ASYNC110 session time is not the loop's
            await asyncio.sleep(0.2)
        session.inbox.offer(Pose(session.heard_ns, kind, start_s, end_s))
