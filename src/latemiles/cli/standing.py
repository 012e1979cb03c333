"""Commands ``standing`` and ``exercise``: how a person stands, and what is done about it on purpose."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latemiles.cli.context import console, print_table, state_of
from latemiles.errors import InputError

if TYPE_CHECKING:
    from latemiles.cli.context import State
    from latemiles.store import StandingRow

__all__ = ["register"]

DISCLAIMER = "Measures movement for training. Not a medical device, not a diagnosis."

AthleteOption = Annotated[str | None, typer.Option(help="Whose; needed where there are several.")]
DayOption = Annotated[str | None, typer.Option(help="Date as 2026-10-05; today if not given.")]

standing = typer.Typer(help="The standing check.", invoke_without_command=True)
exercise = typer.Typer(help="The exercise log: blocks and sessions.", invoke_without_command=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(standing, name="standing")
    app.add_typer(exercise, name="exercise")


@standing.callback()
def check(
    context: typer.Context,
    recorded: Annotated[
        Path | None,
        typer.Option(
            "--from", exists=True, dir_okay=False, help="A recording or .csv/.npz file, no sensors."
        ),
    ] = None,
    flip: Annotated[
        str | None,
        typer.Option(
            metavar="CHECK",
            help="The same with the pelvis sensor turned half round: 'last', a check's name or a file.",
        ),
    ] = None,
    athlete: Annotated[str, typer.Option(help="Whose check it is.")] = "",
    notes: Annotated[str, typer.Option(help="Words to keep with it.")] = "",
    wait: Annotated[float, typer.Option(min=1.0, help="Seconds to wait for all sensors.")] = 30.0,
    adapter: Annotated[str | None, typer.Option(help="Bluetooth adapter on Linux, such as hci1.")] = None,
) -> None:
    """Three stances of 30 s, each with hip hinges and a march; with sensors on, or --from a recording."""
    if context.invoked_subcommand is not None:
        return
    from latemiles.session.standing import check_files, keep

    home = state_of(context).find_home()
    # Found before the person stands for minutes.
    other = _recording_of_check(context, athlete, flip) if flip is not None else None
    source = recorded if recorded is not None else _record(state_of(context), athlete, wait, adapter)
    found = check_files(source, other)
    row = keep(home, found, source, athlete=athlete, notes=notes)
    _print_check(row)
    if found.problem:
        raise typer.Exit(1)


@standing.command("list")
def list_(context: typer.Context, athlete: AthleteOption = None) -> None:
    """Every standing check, the last one first."""
    from rich.table import Table

    from latemiles.report.library.standing_words import lines
    from latemiles.session.library import local_time

    rows = _standings(context, athlete)
    if not rows:
        console().print("No standing check yet. 'latemiles standing' makes one.")
        return
    table = Table(box=None, pad_edge=False)
    for name in ("check", "when", "obliquity", "thigh turn R-L", "not used"):
        table.add_column(name, no_wrap=True)
    for row in reversed(rows):
        when = local_time(row.started_utc_ns)
        values = [value for _, value, _ in lines(row.result)[:2]]
        problem = str(row.result.get("problem") or "")
        table.add_row(row.id, f"{when:%Y-%m-%d %H:%M}" if when else "", *values, problem)
    print_table(table)


@standing.command()
def show(
    context: typer.Context,
    check: Annotated[str, typer.Argument(metavar="CHECK", help="Its name, or 'last'.")] = "last",
    athlete: AthleteOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Every number as JSON.")] = False,
) -> None:
    """One standing check with what each value may be off by."""
    row = _one(_standings(context, athlete), check)
    if as_json:
        typer.echo(json.dumps({"check": row.id, "athlete": row.athlete, **row.result}, indent=1))
        return
    _print_check(row)


@standing.command()
def delete(
    context: typer.Context,
    check: Annotated[str, typer.Argument(metavar="CHECK")],
    athlete: AthleteOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a standing check and its recording."""
    from latemiles.session.standing import forget
    from latemiles.store import Store

    home = state_of(context).find_home()
    row = _one(_standings(context, athlete), check)
    if not yes and not typer.confirm(f"Delete {row.id} for good?"):
        raise typer.Exit(1)
    with Store(home.store) as store:
        for line in forget(home, store, row):
            console().print(line)


@exercise.callback()
def log(context: typer.Context, athlete: AthleteOption = None) -> None:
    """List blocks and sessions."""
    if context.invoked_subcommand is not None:
        return
    from latemiles.session.seasons import whose
    from latemiles.store import Library, Store

    home = state_of(context).find_home()
    out = console()
    with Store(home.store) as store:
        name = whose(store, athlete)
        library = Library(store)
        blocks, sessions = library.blocks(name), library.sessions(name)
    for block in blocks:
        words = f" ({block.words})" if block.words else ""
        out.print(f"block {block.id}: {block.first_day} to {block.last_day or 'now'}  {block.name}{words}")
    for session in sessions:
        out.print(f"session {session.id}: {session.day}  {session.words}")
    if not blocks and not sessions:
        out.print("Nothing yet. 'latemiles exercise begin NAME' begins a block, after five runs without it.")


@exercise.command()
def begin(
    context: typer.Context,
    name: Annotated[list[str], typer.Argument(help="What is done: side plank, single-leg bridge.")],
    often: Annotated[str, typer.Option(help="How often, how much, who said so.")] = "",
    day: DayOption = None,
    athlete: Annotated[str, typer.Option(help="Whose.")] = "me",
) -> None:
    """Begin a block of exercises; one that goes on ends the day before."""
    from latemiles.session.season_marks import note_season
    from latemiles.store import Library, Store

    with Store(state_of(context).find_home().store) as store:
        block = Library(store).begin_block(athlete, " ".join(name), _day(day), often)
        note_season(store, athlete)
    console().print(f"Block '{block.name}' begins on {block.first_day}.")


@exercise.command()
def end(
    context: typer.Context,
    day: DayOption = None,
    athlete: Annotated[str, typer.Option(help="Whose.")] = "me",
) -> None:
    """End the block that goes on; the day given is its last."""
    from latemiles.store import Library, Store

    with Store(state_of(context).find_home().store) as store:
        block = Library(store).end_block(athlete, _day(day))
    console().print(f"Block '{block.name}' ends on {block.last_day}.")


@exercise.command()
def did(
    context: typer.Context,
    words: Annotated[list[str] | None, typer.Argument(help="What was done.")] = None,
    day: DayOption = None,
    athlete: Annotated[str, typer.Option(help="Whose.")] = "me",
) -> None:
    """Note that the exercises were done."""
    from latemiles.store import Library, Store

    with Store(state_of(context).find_home().store) as store:
        Library(store).add_session(athlete, _day(day), " ".join(words or []))
    console().print(f"Noted for {_day(day)}.")


@exercise.command()
def remove(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="block or session.")],
    number: Annotated[int, typer.Argument(help="Its number in the list.")],
    athlete: Annotated[str, typer.Option(help="Whose.")] = "me",
) -> None:
    """Take a block or a session out of the log."""
    from latemiles.session.season_marks import note_season
    from latemiles.store import Library, Store

    if kind not in ("block", "session"):
        raise typer.BadParameter(f"say block or session, got '{kind}'.")
    with Store(state_of(context).find_home().store) as store:
        library = Library(store)
        (library.delete_block if kind == "block" else library.delete_session)(athlete, number)
        note_season(store, athlete)
    console().print(f"Removed {kind} {number}.")


def _day(text: str | None) -> str:
    """An ISO date, checked."""
    if text is None:
        return date.today().isoformat()  # noqa: DTZ011 the runner's own calendar
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise typer.BadParameter(f"a date looks like 2026-10-05, got '{text}'.") from error


def _record(state: State, athlete: str, wait: float, adapter: str | None) -> Path:
    """Guide a person with sensors on; the recording that came of it."""
    from latemiles.sensors.assignments import Assignments
    from latemiles.sensors.ble import BleStack
    from latemiles.sensors.drivers.latemiles_v1 import MAX_SAMPLES
    from latemiles.sensors.protocol import Start
    from latemiles.session.air import Air
    from latemiles.session.live_run import LivePlan, LiveRun
    from latemiles.session.standing import begin as name_it
    from latemiles.session.standing import record

    home = state.find_home()
    plan = LivePlan(
        home=home,
        assignments=Assignments.load(home.sensors),
        stack=BleStack(adapter=adapter),
        athlete=athlete or "me",
        port=None,
        gather_s=wait,
        # Nobody waits for a frame here: fewer and larger ones.
        start=Start(samples=MAX_SAMPLES),
        air=state.air or Air(),
    )
    run = LiveRun(plan)
    run.link()
    path = name_it(run, home)
    record(run, path, console().print, plan.air.pause)
    return path


def _recording_of_check(context: typer.Context, athlete: str, check: str) -> Path:
    if Path(check).is_file():
        return Path(check)
    row = _one(_standings(context, athlete or None), check)
    if not row.recording:
        raise InputError("a check with a recording", f"'{check}' has none", "Give the file itself.")
    return Path(row.recording)


def _standings(context: typer.Context, athlete: str | None) -> list[StandingRow]:
    from latemiles.session.seasons import whose
    from latemiles.store import Library, Store

    with Store(state_of(context).find_home().store) as store:
        return Library(store).standings(whose(store, athlete))


def _one(rows: list[StandingRow], name: str) -> StandingRow:
    if name == "last" and rows:
        return rows[-1]
    for row in rows:
        if row.id == name:
            return row
    known = ", ".join(row.id for row in rows[-5:]) or "none yet"
    raise InputError("the name of a standing check", f"'{name}'", f"There are: {known}.")


def _print_check(row: StandingRow) -> None:
    from latemiles.report.library.standing_words import LIMITS, lines, sentence

    out = console()
    out.print(sentence(row.result))
    for name, value, beside in lines(row.result):
        out.print(f"  {name:44}{value:20}{beside}")
    for words in LIMITS:
        out.print(f"  {words}")
    out.print(DISCLAIMER)
