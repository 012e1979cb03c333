"""Command ``demo``: the whole system on a simulated runner who tires."""

from __future__ import annotations

from typing import Annotated

import typer

from latemiles.cli.context import console, state_of

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    context: typer.Context,
    speed: Annotated[float, typer.Option(min=0.1, help="Times real time.")] = 30.0,
    duration: Annotated[
        float, typer.Option(min=1.0, metavar="MIN", help="Length of the run, minutes.")
    ] = 40.0,
    headless: Annotated[bool, typer.Option("--headless", help="No live page; as fast as it goes.")] = False,
    port: Annotated[int, typer.Option(help="Port of the live page, on this machine only.")] = 8765,
    seed: Annotated[int, typer.Option(help="Another runner for each number.")] = 1,
    units: Annotated[str, typer.Option(help="metric or mile.")] = "metric",
) -> None:
    """Three simulated sensors on a simulated runner who tires: live page, recording, report."""
    from latemiles.session.demo import demo_records
    from latemiles.session.play import PlayOptions, play

    home = state_of(context).find_home()
    out = console()
    header, records = demo_records(duration_min=duration, seed=seed)
    out.print(
        f"A simulated runner, {duration:g} minutes at "
        f"{'full speed' if headless else f'{speed:g} times real time'}. Nothing here is a real person."
    )
    options = PlayOptions(
        home=home, speed=None if headless else speed, port=None if headless else port, units=units
    )
    outcome = play(records, header, options, recording=None, say=out.print)
    out.print(outcome.headline)
    out.print(f"  report:    {outcome.report}")
    out.print(f"  recording: {outcome.recording}")
    out.print("Open the report in a browser; play the recording again with 'latemiles replay'.")
