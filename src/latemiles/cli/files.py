"""Commands on recordings: ``import``, ``verify``, ``recover``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latemiles.cli.context import console, progress_bar, state_of

__all__ = ["register"]

FileArgument = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A recording (.mcap).")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("import")(import_)
    app.command()(verify)
    app.command()(recover)


def import_(
    context: typer.Context,
    format_: Annotated[str, typer.Argument(metavar="FORMAT", help="csv, dot or npz.")],
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", exists=True, help="Files; for dot, the folder of one run."),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Recording to write; only with one PATH. Default: in the home folder.")
    ] = None,
    athlete: Annotated[str, typer.Option(help="Whose run it is.")] = "me",
) -> None:
    """Turn files of other systems into recordings."""
    from latemiles.recording.importers import import_to_recording, run_of

    if out is not None and len(paths) > 1:
        raise typer.BadParameter("--out takes one PATH; leave it away to import several.")
    folder = state_of(context).find_home().recordings
    with progress_bar("importing", len(paths)) as (bar, task):
        for path in paths:
            target = out or folder / f"{run_of(path)}.mcap"
            made = import_to_recording(format_, path, target, athlete=athlete)
            bar.advance(task)
            console().print(f"{path.name} -> {made}")


def verify(file: FileArgument) -> None:
    """Check a recording: is it whole, in order, and what is missing."""
    from latemiles.recording.verify import verify as check

    report = check(file)
    out = console()
    for line in report.lines():
        out.print(line)
    if not report.ok:
        raise typer.Exit(1)


def recover(
    file: FileArgument,
    out: Annotated[Path | None, typer.Option(help="Where the saved recording goes.")] = None,
) -> None:
    """Save what a torn or damaged recording still holds into a new file."""
    from latemiles.recording.recover import recover as save

    report = save(file, out or file.with_name(f"{file.stem}.recovered.mcap"))
    text = console()
    for line in report.lines():
        text.print(line)
