"""Commands on recordings: ``import``, ``verify``, ``recover``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latemiles.cli.context import console, progress_bar, shown_step, state_of

__all__ = ["register"]

FileArgument = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A recording (.mcap).")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("import")(import_)
    app.command()(verify)
    app.command()(recover)


def import_(
    context: typer.Context,
    format_: Annotated[
        str, typer.Argument(metavar="FORMAT", help="csv, dot or npz; fit, gpx or tcx from a watch.")
    ],
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", exists=True, help="Files; for dot, the folder of one run."),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Recording to write; only with one PATH. Default: in the home folder.")
    ] = None,
    athlete: Annotated[str, typer.Option(help="Whose run it is.")] = "me",
    into: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="For a watch: the run it joins, a name, 'last' or a recording."),
    ] = None,
    offset: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="With --into: session time of the watch's first point."),
    ] = None,
) -> None:
    """Turn files of other systems into recordings; join a watch's file to the recording of the same run."""
    from latemiles.recording.importers import import_to_recording, run_of
    from latemiles.recording.watches import FORMATS, read_watch, write_recording

    if into is not None:
        _join(context, format_, paths, into, out, offset)
        return
    if offset is not None:
        raise typer.BadParameter("--offset needs --into RUN: it is the place in that run.")
    if out is not None and len(paths) > 1:
        raise typer.BadParameter("--out takes one PATH; leave it away to import several.")
    folder = state_of(context).find_home().recordings
    with progress_bar("importing", len(paths)) as (bar, task):
        for path in paths:
            target = out or folder / f"{run_of(path)}.mcap"
            if format_ in FORMATS:
                made = write_recording(read_watch(format_, path), target, athlete=athlete)
            else:
                made = import_to_recording(format_, path, target, athlete=athlete)
            bar.advance(task)
            console().print(f"{path.name} -> {made}")


def _join(
    context: typer.Context, format_: str, paths: list[Path], into: str, out: Path | None, offset: float | None
) -> None:
    from latemiles.recording.watches import FORMATS
    from latemiles.session.join_watch import join_watch
    from latemiles.session.library import adopt, recording_of

    if format_ not in FORMATS:
        raise typer.BadParameter(f"--into takes a watch's file ({', '.join(FORMATS)}), not {format_}.")
    if len(paths) > 1:
        raise typer.BadParameter("--into takes one PATH: one watch speaks at a time.")
    home = state_of(context).find_home()
    recording = recording_of(home, into)
    target = out or home.joined_path(recording, format_)
    with shown_step(paths[0].name) as progress:
        made = join_watch(format_, paths[0], recording, target, offset_s=offset, progress=progress)
    text = console()
    text.print(f"{paths[0].name} + {recording.name} -> {made.path}")
    for line in made.lines:
        text.print(f"  {line}")
    run = adopt(home, recording, made.path)
    if run is not None:
        text.print(
            f"Run {run} keeps its name, notes, shoes and marks; 'latemiles report {run}' makes its report."
        )


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
