"""Command ``trends``: run to run, in words, as JSON, or as a page in a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from latemiles.cli.context import console, print_table, state_of

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(trends)


def trends(
    context: typer.Context,
    athlete: Annotated[str | None, typer.Option(help="Whose; needed where there are several.")] = None,
    least_km: Annotated[float, typer.Option(min=1.0, help="Leave shorter runs out.")] = 8.0,
    block: Annotated[str, typer.Option(help="Compare this block of exercises, not the last one.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Every number as JSON.")] = False,
    out: Annotated[Path | None, typer.Option(dir_okay=False, help="Write the page to a file.")] = None,
) -> None:
    """Start value, form drift, asymmetry and standing check from run to run; a block against before it."""
    from rich.table import Table

    from latemiles.report.library.trends_page import as_json as to_json
    from latemiles.report.library.trends_page import number_rows, render
    from latemiles.report.library.trends_words import headline, lead
    from latemiles.session.seasons import season_of, whose
    from latemiles.store import Store

    home = state_of(context).find_home()
    with Store(home.store) as store:
        season = season_of(home, store, whose(store, athlete), least_km=least_km, block=block)
    across = season.across
    if as_json:
        typer.echo(json.dumps(to_json(across, season.athlete), ensure_ascii=False, allow_nan=False, indent=1))
        return
    say = console().print
    say(headline(across))
    for sentence in lead(across):
        say(f"  {''.join(sentence)}")
    table = Table(box=None, pad_edge=False)
    for name in ("row", "before (n)", "in the block (n)", "difference, 95%", "could tell apart", "verdict"):
        table.add_column(name, justify="left" if name in ("row", "verdict") else "right")
    for cells in number_rows(across):
        table.add_row(*cells)
    if across.runs:
        print_table(table)
    say("Measures movement for training. Not a medical device, not a diagnosis.")
    if out is not None:
        page = render(across, athlete=season.athlete, events=season.events, log=season.log, alone=True)
        out.write_text(page, encoding="utf-8")
        say(f"  {out}")
