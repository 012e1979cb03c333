"""Command ``report``: the report of a run that was recorded before."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latemiles.cli.context import UnitsOption, console, shown_step, state_of, units_of

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(report)


def report(
    context: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's name, 'last', or a recording.")],
    out: Annotated[Path | None, typer.Option(file_okay=False, help="Folder for the report.")] = None,
    units: UnitsOption = None,
) -> None:
    """Make the post-run report of one run again from its recording."""
    from latemiles.session.library import recording_of
    from latemiles.session.reprocess import AnalyzeOptions, analyze_file

    home = state_of(context).find_home()
    options = AnalyzeOptions(home=home.root, units=units_of(home, units))
    recording = recording_of(home, run)
    with shown_step(recording.name) as progress:
        outcome = analyze_file(recording, out, options, progress)
    console().print(outcome.headline)
    console().print(f"  {outcome.report}")
