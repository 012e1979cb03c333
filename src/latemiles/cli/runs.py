"""Command ``runs``: the run library in the terminal."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latemiles.cli.context import (
    UnitsOption,
    console,
    print_table,
    progress_bar,
    shown_step,
    state_of,
    units_of,
)

if TYPE_CHECKING:
    from latemiles.session.library import RunEntry
    from latemiles.store import Store

__all__ = ["register"]

NameArgument = Annotated[str, typer.Argument(metavar="RUN", help="A run's name, its beginning, or 'last'.")]
AthleteOption = Annotated[str | None, typer.Option(help="Only this athlete's runs.")]

app = typer.Typer(help="The run library: list, show, compare, annotate, delete.", invoke_without_command=True)


def register(parent: typer.Typer) -> None:
    """Add the commands."""
    parent.add_typer(app, name="runs")


@app.callback()
def list_(
    context: typer.Context,
    athlete: AthleteOption = None,
    search: Annotated[str, typer.Option(help="Words in the name, date, notes, shoes, route or result.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Every run as JSON, one a line.")] = False,
) -> None:
    """List the runs, newest first."""
    if context.invoked_subcommand is not None:
        return
    from latemiles.session.library import entries, strangers
    from latemiles.store import Store

    home = state_of(context).find_home()
    with Store(home.store) as store:
        everyone = entries(home, store)
        found = [e for e in everyone if athlete in (None, e.row.athlete) and e.matches(search)]
    if as_json:
        for entry in found:
            typer.echo(json.dumps(entry_json(entry), ensure_ascii=False, allow_nan=False))
        return
    _print_list(found, searched=bool(search or athlete))
    unknown = strangers(home, everyone)
    if unknown:
        many = "1 recording has" if len(unknown) == 1 else f"{len(unknown)} recordings have"
        console().print(f"{many} no result yet: 'latemiles runs refresh' makes them.")


@app.command()
def show(context: typer.Context, run: NameArgument = "last") -> None:
    """Everything that is known of one run, and where its files are."""
    from latemiles.session.library import find_entry

    out = console()
    with _library(context) as (found, _store):
        entry = find_entry(found, run)
    for name, words in describe(entry):
        out.print(f"{name + ':':18}{words}")


@app.command()
def compare(context: typer.Context, first: NameArgument, second: NameArgument) -> None:
    """Two runs side by side."""
    from latemiles.report.library.compared import compared_rows
    from latemiles.session.library import find_entry

    with _library(context) as (found, _store):
        pair = find_entry(found, first), find_entry(found, second)
    a, b = (entry.shown() for entry in pair)
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for words, side in (("", "left"), (a.title, "right"), (b.title, "right"), ("difference", "right")):
        table.add_column(words, justify="left" if side == "left" else "right", overflow="fold")
    for row in compared_rows(a, b):
        table.add_row(row.name, row.first, row.second, row.difference)
    print_table(table)


@app.command()
def note(context: typer.Context, run: NameArgument, words: list[str]) -> None:
    """Keep words about a run; no words ('') take them away."""
    _annotate(context, run, "notes", " ".join(words))


@app.command()
def shoes(context: typer.Context, run: NameArgument, name: list[str]) -> None:
    """Say in which shoes a run was."""
    _annotate(context, run, "shoes", " ".join(name))


@app.command()
def route(context: typer.Context, run: NameArgument, name: list[str]) -> None:
    """Say on which route a run was."""
    _annotate(context, run, "route", " ".join(name))


@app.command("swap-thighs")
def swap_thighs(
    context: typer.Context,
    run: NameArgument,
    undo: Annotated[bool, typer.Option("--undo", help="They were on the right legs after all.")] = False,
    units: UnitsOption = None,
) -> None:
    """Say that the thigh sensors were on each other's legs, and make the run's result anew."""
    from latemiles.errors import InputError
    from latemiles.session.library import find_entry
    from latemiles.session.reprocess import AnalyzeOptions, analyze_file

    home = state_of(context).find_home()
    with _library(context) as (found, _store):
        entry = find_entry(found, run)
    if entry.recording is None:
        raise InputError(
            f"the recording of '{entry.row.id}'",
            f"none at '{entry.row.recording}'",
            "Put it back there; without it nothing can be made anew.",
        )
    options = AnalyzeOptions(home=home.root, units=units_of(home, units), swap_thighs=not undo)
    with shown_step(entry.recording.name) as progress:
        outcome = analyze_file(entry.recording, None, options, progress)
    done = "taken as they were clipped on" if undo else "taken for each other's, also from now on"
    console().print(f"{entry.row.id}: thigh sensors {done}.")
    console().print(outcome.headline)


@app.command("athlete")
def athlete_(context: typer.Context, run: NameArgument, name: str) -> None:
    """Say whose run it was."""
    _annotate(context, run, "athlete", name)


@app.command()
def delete(
    context: typer.Context,
    run: NameArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    keep_recording: Annotated[bool, typer.Option("--keep-recording", help="Leave the recording.")] = False,
) -> None:
    """Delete a run: its rows, its report, its recording."""
    from latemiles.session.library import delete_run, find_entry

    out = console()
    home = state_of(context).find_home()
    with _library(context) as (found, store):
        entry = find_entry(found, run)
        what = "its report and rows" if keep_recording else "its recording, report and rows"
        out.print(f"{entry.shown().title}: {what} will be gone for good.")
        if not yes and not typer.confirm("Delete it?"):
            out.print("Nothing was deleted.")
            raise typer.Exit(1)
        for line in delete_run(home, store, entry, keep_recording=keep_recording):
            out.print(line)


@app.command()
def refresh(
    context: typer.Context,
    everything: Annotated[
        bool, typer.Option("--all", help="Every recording, not only those without a result.")
    ] = False,
    units: UnitsOption = None,
) -> None:
    """Make results again from the recordings, for the runs that have none or for all."""
    from latemiles.errors import LatemilesError
    from latemiles.session.library import strangers
    from latemiles.session.reprocess import AnalyzeOptions, analyze_file

    home = state_of(context).find_home()
    options = AnalyzeOptions(home=home.root, units=units_of(home, units))
    with _library(context) as (found, _store):
        todo = strangers(home, [] if everything else found)
    out, failed = console(), 0
    with progress_bar("analysing", float(len(todo))) as (bar, task):
        for path in todo:
            bar.update(task, description=path.name)
            try:
                outcome = analyze_file(path, None, options)
                out.print(f"{path.name}: {outcome.headline}")
            except LatemilesError as error:
                failed += 1
                typer.echo(f"latemiles: {path.name}: {' '.join(str(error).split())}", err=True)
            bar.advance(task)
    out.print(f"{len(todo) - failed} of {len(todo)} recordings have a new result.")
    if failed:
        raise typer.Exit(1)


def entry_json(entry: RunEntry) -> dict[str, Any]:
    """A run as plain values; missing numbers are None."""
    row = entry.row
    figures = asdict(entry.figures) if entry.figures is not None else None
    return {
        "run": row.id,
        "athlete": row.athlete,
        "started": entry.started.isoformat() if entry.started else None,
        "status": row.status,
        "notes": row.notes,
        "shoes": row.shoes,
        "route": row.route,
        "thighs": row.thighs,
        "recording": row.recording,
        "report": str(entry.report) if entry.report else None,
        "figures": {
            k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in figures.items()
        }
        if figures is not None
        else None,
    }


def describe(entry: RunEntry) -> list[tuple[str, str]]:
    """Lines of ``show``."""
    shown, row, figures = entry.shown(), entry.row, entry.figures
    lines = [("run", row.id), ("athlete", row.athlete), ("started", shown.when or "not known")]
    if row.status == "running":
        lines.append(("status", "not ended"))
    lines += [(name, words) for name, words in shown.facts() if words]
    lines += [(name, words) for name, words in (("shoes", row.shoes), ("route", row.route)) if words]
    lines += [("notes", row.notes)] if row.notes else []
    lines += [("thigh sensors", "swapped: they were on each other's legs")] if row.thighs else []
    if figures is None:
        lines.append(("result", "none yet; 'latemiles runs refresh' makes it"))
    lines.append(("report", str(entry.report) if entry.report else "none yet"))
    lines.append(("recording", str(entry.recording or "not there any more")))
    return lines


def _print_list(found: list[RunEntry], *, searched: bool) -> None:
    from rich.table import Table

    if not found:
        empty = (
            "No run matches." if searched else "No runs yet. 'latemiles live' or 'latemiles demo' makes one."
        )
        console().print(empty)
        return
    table = Table(box=None, pad_edge=False)
    numeric = {"km", "time", "tilt"}
    shown = [entry.shown() for entry in found]
    several = len({entry.row.athlete for entry in found}) > 1
    names = [
        "run",
        "started",
        *(["athlete"] if several else []),
        "km",
        "time",
        "tilt",
        "verdict",
        "shoes, route",
    ]
    for name in names:
        table.add_column(name, justify="right" if name in numeric else "left", no_wrap=name != "shoes, route")
    for entry, s in zip(found, shown, strict=True):
        told = ", ".join(filter(None, (entry.row.shoes, entry.row.route)))
        whose = [entry.row.athlete] if several else []
        verdict = "not ended" if entry.row.status == "running" and not entry.figures else s.verdict
        table.add_row(entry.row.id, s.when, *whose, s.distance, s.time, s.change, verdict, told)
    print_table(table)


def _annotate(context: typer.Context, run: str, what: str, words: str) -> None:
    from latemiles.session.library import find_entry
    from latemiles.session.season_marks import note_season
    from latemiles.store import Library

    with _library(context) as (found, store):
        entry = find_entry(found, run)
        library = Library(store)
        setters = {
            "notes": store.set_notes,
            "shoes": library.set_shoes,
            "route": library.set_route,
            "athlete": library.set_athlete,
        }
        setters[what](entry.row.id, words.strip())
        note_season(store, entry.row.athlete, store.run(entry.row.id).athlete)
    console().print(
        f"{entry.row.id}: {what} {'are' if what in ('notes', 'shoes') else 'is'} '{words.strip()}'."
    )


@contextmanager
def _library(context: typer.Context) -> Iterator[tuple[list[RunEntry], Store]]:
    from latemiles.session.library import entries
    from latemiles.store import Store

    home = state_of(context).find_home()
    with Store(home.store) as store:
        yield entries(home, store), store
