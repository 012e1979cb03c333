"""Command ``gateway``: near the sensors; raw records go over MQTT to a machine that runs ``serve``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latemiles.cli.context import console, state_of
from latemiles.errors import EnvironmentMissing

if TYPE_CHECKING:
    from latemiles.session.gateway_run import NewRun
    from latemiles.session.home import Home

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(gateway)


def gateway(
    context: typer.Context,
    athlete: Annotated[str, typer.Option(help="Whose run it is.")] = "me",
    replay: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A recording instead of sensors.")
    ] = None,
    speed: Annotated[float, typer.Option(min=0.1, help="Times real time, with --replay.")] = 1.0,
    flush: Annotated[bool, typer.Option("--flush", help="Only send what earlier runs left here.")] = False,
    wait: Annotated[float, typer.Option(min=1.0, help="Seconds to wait for all sensors.")] = 30.0,
    grace: Annotated[float, typer.Option(min=0.0, help="Seconds to wait at the end for the server.")] = 60.0,
    adapter: Annotated[str | None, typer.Option(help="Bluetooth adapter on Linux, such as hci1.")] = None,
) -> None:
    """Hear the sensors here, run the pipeline elsewhere: raw records go to `latemiles serve --from mqtt`.

    What the server does not have yet is kept here, through outages and restarts.
    """
    from latemiles.session.gateway_run import run_gateway
    from latemiles.session.sink_settings import load_sinks

    home = state_of(context).find_home()
    settings = load_sinks(home.settings).mqtt
    if settings is None:
        raise EnvironmentMissing(
            f"No broker is configured. Add [mqtt] to {home.settings}; docs/data-plane.md shows how."
        )
    # A gateway and a follower on one machine must not push each other out.
    settings = replace(settings, client_id="")
    say = console().print
    new: NewRun | None = None
    if not flush:
        new = _replayed(replay, speed, athlete) if replay else _sensors(home, athlete, wait, adapter)
        say(f"Run {new.header.run} of {new.header.athlete} goes to {settings.address}. Ctrl-C ends it.")
    if run_gateway(home, settings, new, say, grace_s=grace):
        raise typer.Exit(1)


def _replayed(path: Path, speed: float, athlete: str) -> NewRun:
    from latemiles.recording.reader import Recording
    from latemiles.session.gateway_run import NewRun
    from latemiles.session.pace import paced

    recording = Recording.open(path)
    header = replace(recording.header, athlete=athlete)
    return NewRun(header, paced(recording.records(), speed))


def _sensors(home: Home, athlete: str, wait: float, adapter: str | None) -> NewRun:
    from latemiles.sensors.assignments import Assignments
    from latemiles.sensors.ble import BleStack
    from latemiles.session.gateway_run import NewRun
    from latemiles.session.live_run import LivePlan, LiveRun

    plan = LivePlan(
        home=home,
        assignments=Assignments.load(home.sensors),
        stack=BleStack(adapter=adapter),
        athlete=athlete,
        port=None,
        gather_s=wait,
    )
    run = LiveRun(plan)
    header = run.link()
    return NewRun(header, run.receiver.records(header), run.receiver.end)
