"""Command ``sync``: what no server was there for, sent now."""

from __future__ import annotations

from typing import Annotated

import typer

from latemiles.cli.context import console, progress_bar, state_of
from latemiles.errors import EnvironmentMissing

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(sync)


def sync(
    context: typer.Context,
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUN...]", help="Runs to send whole, again; none: whatever waits."),
    ] = None,
) -> None:
    """Send runs to the configured servers (InfluxDB, MQTT, JSON lines); sending twice changes nothing."""
    from latemiles.session.sink_settings import load_sinks
    from latemiles.session.sync import sync_now
    from latemiles.store import Store

    home = state_of(context).find_home()
    settings = load_sinks(home.settings)
    if not settings:
        raise EnvironmentMissing(
            f"No server is configured. Add [influx], [mqtt] or [jsonl] to {home.settings}; "
            "docs/data-plane.md shows how."
        )
    with Store(home.store) as store, progress_bar("sending", None) as (bar, task):
        results = sync_now(
            store,
            settings,
            runs or [],
            lambda label, done, total: bar.update(task, description=label, completed=done, total=total),
        )
    out = console()
    for result in results:
        refused = f", {result.rejected} refused and set aside" if result.rejected else ""
        out.print(f"{result.label}: {result.delivered} rows sent{refused}.")
        if result.problem:
            typer.echo(f"latemiles: {result.problem}", err=True)
    if any(result.problem for result in results):
        raise typer.Exit(1)
