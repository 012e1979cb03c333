"""Command ``athlete``: who is in the library, all of one's data in one file, and its deletion."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latemiles.cli.context import console, state_of

__all__ = ["register"]

NameArgument = Annotated[str, typer.Argument(metavar="ATHLETE", help="As 'latemiles athlete' names it.")]

app = typer.Typer(help="Athletes: list, export or delete everything of one.", invoke_without_command=True)


def register(parent: typer.Typer) -> None:
    """Add the commands."""
    parent.add_typer(app, name="athlete")


@app.callback()
def list_(context: typer.Context) -> None:
    """Everyone of whom something is kept."""
    if context.invoked_subcommand is not None:
        return
    from latemiles.session.library import entries
    from latemiles.store import Library, Store

    home = state_of(context).find_home()
    with Store(home.store) as store:
        names = Library(store).athletes()
        counts = {name: len(entries(home, store, athlete=name)) for name in names}
    for name, runs in counts.items():
        console().print(f"{name}: {runs} run{'' if runs == 1 else 's'}")
    if not counts:
        console().print("Nobody yet.")


@app.command()
def export(
    context: typer.Context,
    athlete: NameArgument,
    out: Annotated[Path | None, typer.Option(dir_okay=False, help="The zip file to write.")] = None,
) -> None:
    """Write everything this machine keeps of an athlete into one zip file."""
    from latemiles.session.athletes import belongings_of, export_athlete
    from latemiles.sinks.messages import safe_name
    from latemiles.store import Store

    home = state_of(context).find_home()
    with Store(home.store) as store:
        found = belongings_of(home, store, athlete)
        target = out or Path(f"latemiles-{safe_name(athlete)}.zip")
        written = export_athlete(home, store, found, target)
    for line in found.words():
        console().print(f"  {line}")
    console().print(f"{written}: {written.stat().st_size / 1e6:.1f} MB")


@app.command()
def delete(
    context: typer.Context,
    athlete: NameArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete everything this machine keeps of an athlete; says what was sent away and stays there."""
    from latemiles.session.athletes import belongings_of, delete_athlete, what_stays
    from latemiles.store import Store

    home = state_of(context).find_home()
    out = console()
    with Store(home.store) as store:
        found = belongings_of(home, store, athlete)
        out.print(f"Of '{athlete}', this will be gone for good:")
        for line in found.words():
            out.print(f"  {line}")
        for line in what_stays(found):
            out.print(f"  {line}")
        if not yes and not typer.confirm("Delete all of it?"):
            out.print("Nothing was deleted.")
            raise typer.Exit(1)
        for line in delete_athlete(home, store, found):
            out.print(line)
