"""Command ``export``: a run as a file of another program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latemiles.cli.context import UnitsOption, console, shown_step, state_of, units_of

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(export)


def export(
    context: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's name, 'last', or a recording.")],
    format_: Annotated[
        str,
        typer.Option("--format", "-f", help="csv, parquet, fit, sto, mot, c3d or bids; see docs/exports.md."),
    ],
    out: Annotated[
        Path | None, typer.Option(help="File to write, or a folder to put it in. Default: the run's folder.")
    ] = None,
    rows: Annotated[
        str | None, typer.Option(help="csv and parquet: strides (the default) or angles, every sample.")
    ] = None,
    basis: Annotated[
        str, typer.Option(help="smoothed, or causal: only what was knowable at the time.")
    ] = "smoothed",
    units: UnitsOption = None,
) -> None:
    """Write a run as a file of another program."""
    from latemiles.session.export import ExportPlan, export_run
    from latemiles.session.library import recording_of

    if basis not in {"smoothed", "causal"}:
        raise typer.BadParameter(f"--basis takes smoothed or causal, got '{basis}'.")
    home = state_of(context).find_home()
    recording = recording_of(home, run)
    plan = ExportPlan(home, format_, out, rows, basis, units_of(home, units))
    with shown_step(recording.name) as progress:
        made = export_run(recording, plan, progress)
    console().print(f"{recording.name} -> {made}")
