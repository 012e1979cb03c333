"""Command ``report``: the report of a run that was recorded before."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latemiles.cli.context import console, shown_step, state_of

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(report)


def report(
    context: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's name, 'last', or a recording.")],
    out: Annotated[Path | None, typer.Option(file_okay=False, help="Folder for the report.")] = None,
    units: Annotated[str, typer.Option(help="metric or mile.")] = "metric",
) -> None:
    """Make the post-run report of one run again from its recording."""
    from latemiles.session.reprocess import AnalyzeOptions, analyze_file

    if units not in {"metric", "mile"}:
        raise typer.BadParameter(f"--units takes metric or mile, got '{units}'.")
    home = state_of(context).find_home()
    recording = home.recording_of(run)
    with shown_step(recording.name) as progress:
        outcome = analyze_file(recording, out, AnalyzeOptions(home=home.root, units=units), progress)
    console().print(outcome.headline)
    console().print(f"  {outcome.report}")
