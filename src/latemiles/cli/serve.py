"""Command ``serve``: the run library as pages, or runs whose sensors are elsewhere."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from latemiles.cli.context import UnitsOption, console, state_of, units_of
from latemiles.errors import EnvironmentMissing

if TYPE_CHECKING:
    from latemiles.session.home import Home

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(serve)


def serve(
    context: typer.Context,
    come_from: Annotated[
        str | None, typer.Option("--from", help="Take runs of gateways instead; where from: mqtt.")
    ] = None,
    port: Annotated[int, typer.Option(help="Port of the pages on this machine.")] = 8766,
    lan: Annotated[
        bool, typer.Option("--lan", help="Also for others on this network, by a link with a key.")
    ] = False,
    units: UnitsOption = None,
) -> None:
    """Show the run library in a browser on this machine; Ctrl-C stops.

    With `--from mqtt`: take the runs of `latemiles gateway`, of any number of athletes at once. Each run is
    recorded, interpreted, stored, delivered to the configured servers, and shown live on one page with a tab
    a runner. Stopped or killed in the middle of a run, it goes on with it when it is started again.
    """
    if come_from not in (None, "mqtt"):
        raise typer.BadParameter(f"--from takes mqtt, got '{come_from}'.")
    if lan and come_from is not None:
        raise typer.BadParameter("--lan shows the run library only. Leave out --lan or --from.")
    home = state_of(context).find_home()
    if come_from == "mqtt":
        _take_runs(home, port, units_of(home, units))
    else:
        _show_library(home, port, units_of(home, units), lan=lan)


def _show_library(home: Home, port: int, units: str, *, lan: bool) -> None:
    from latemiles.session.library_pages import LibraryPages, problem_page
    from latemiles.store import Store
    from latemiles.web.lan import KeyGuard, invite, told
    from latemiles.web.library import create_library_app
    from latemiles.web.server import serve as serve_pages

    say = console().print
    invitation = invite() if lan else None
    with Store(home.store) as store:
        library = LibraryPages(home, store, units)
        app = create_library_app(
            library.pages,
            library.actions,
            allowed_hosts=(invitation.address,) if invitation is not None else (),
            problem_page=problem_page,
        )

        def tell(at: int) -> None:
            only = "" if invitation is not None else " on this machine only"
            say(f"The run library is at http://127.0.0.1:{at}/{only}. Ctrl-C stops.")
            for line in told(invitation, at) if invitation is not None else ():
                say(line)

        if invitation is None:
            asyncio.run(serve_pages(app, port=port, on_ready=tell))
        else:
            guarded = KeyGuard(app, invitation.key)
            asyncio.run(serve_pages(guarded, "0.0.0.0", port, on_ready=tell))


def _take_runs(home: Home, port: int, units: str) -> None:
    from latemiles.session.gateway_run import run_server
    from latemiles.session.sink_settings import load_sinks

    sinks = load_sinks(home.settings)
    if sinks.mqtt is None:
        raise EnvironmentMissing(
            f"No broker is configured. Add [mqtt] to {home.settings}; docs/data-plane.md shows how."
        )
    say = console().print
    say(f"Waiting for gateways at {sinks.mqtt.address}. Ctrl-C stops.")
    # The follower keeps the configured client id; the server's receiver has its own lasting session.
    run_server(home, sinks, replace(sinks.mqtt, client_id=""), say, units=units, port=port)
