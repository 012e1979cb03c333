"""Command ``serve``: runs whose sensors are elsewhere, interpreted here."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from latemiles.cli.context import console, state_of
from latemiles.errors import EnvironmentMissing

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(serve)


def serve(
    context: typer.Context,
    come_from: Annotated[str, typer.Option("--from", help="Where runs come from: mqtt.")] = "mqtt",
    units: Annotated[str, typer.Option(help="metric or mile.")] = "metric",
) -> None:
    """Take the runs of `latemiles gateway`, of any number of athletes at once; Ctrl-C stops.

    Each run is recorded, interpreted, stored, and delivered to the configured servers. Stopped or killed in
    the middle of a run, it goes on with it when it is started again.
    """
    from latemiles.session.gateway_run import run_server
    from latemiles.session.sink_settings import load_sinks

    if come_from != "mqtt":
        raise typer.BadParameter(f"--from takes mqtt, got '{come_from}'.")
    if units not in ("metric", "mile"):
        raise typer.BadParameter(f"--units takes metric or mile, got '{units}'.")
    home = state_of(context).find_home()
    sinks = load_sinks(home.settings)
    if sinks.mqtt is None:
        raise EnvironmentMissing(
            f"No broker is configured. Add [mqtt] to {home.settings}; docs/data-plane.md shows how."
        )
    say = console().print
    say(f"Waiting for gateways at {sinks.mqtt.address}. Ctrl-C stops.")
    # The follower keeps the configured client id; the server's receiver has its own lasting session.
    run_server(home, sinks, replace(sinks.mqtt, client_id=""), say, units=units)
