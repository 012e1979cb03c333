"""The list of runs, with search and the choice of two to compare."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from latemiles.report.library.shell import page
from latemiles.report.library.shown import ShownRun
from latemiles.report.markup import table
from latemiles.report.numbers import DASH, MINUS, plural
from latemiles.report.svg import arrow, esc, triangle

__all__ = ["address", "render", "verdict_mark"]


def address(run: ShownRun, leaf: str = "run") -> str:
    """Address of a run's page, report or deletion."""
    return f"/{leaf}/{quote(run.id, safe='')}"


def render(
    runs: Sequence[ShownRun],
    *,
    every: int,
    search: str = "",
    athlete: str = "",
    athletes: Sequence[str] = (),
    said: str = "",
    without_result: int = 0,
) -> str:
    """The page.

    Parameters
    ----------
    runs : sequence of ShownRun
        What is shown, newest first.
    every : int
        How many there are, found or not.
    search : str
        What was searched for.
    athlete : str
        Whose runs are shown; empty: everyone's.
    athletes : sequence of str
        Everyone with a run.
    said : str
        What the last action did.
    without_result : int
        Recordings that were not analysed yet.
    """
    body = f"<h1>{esc(_headline(runs))}</h1>{_lead(runs, every)}"
    if said:
        body = f'<p class="said" role="status">{esc(said)}</p>{body}'
    body += _search(search, athlete, athletes)
    body += _table(runs, several=len(athletes) > 1) if runs else _nothing(every)
    if without_result:
        body += (
            f'<p class="more">{plural(without_result, "recording")} without a result: '
            "<code>latemiles runs refresh</code> makes what is missing.</p>"
        )
    return page("runs", body, here="/", top=plural(every, "run"))


def _headline(runs: Sequence[ShownRun]) -> str:
    last = next((run for run in runs if run.figures is not None), None)
    if last is not None and last.figures is not None:
        return last.figures.headline
    return "No results yet." if runs else "No runs here yet."


def _lead(runs: Sequence[ShownRun], every: int) -> str:
    last = next((run for run in runs if run.figures is not None), None)
    if last is None:
        return ""
    which = "Your newest run" if len(runs) == every else "The newest of these"
    where = f'<a href="{address(last, "report")}">Open its report</a>.' if last.has_report else ""
    size = f"{esc(last.distance)}, " if last.distance != DASH else ""
    return f'<p class="lead">{which}: {esc(last.title)}, {size}{esc(last.time)}. {where}</p>'


def _search(search: str, athlete: str, athletes: Sequence[str]) -> str:
    whose = ""
    if len(athletes) > 1:
        options = "".join(
            f"<option{' selected' if name == athlete else ''}>{esc(name)}</option>" for name in athletes
        )
        whose = (
            '<label for="athlete">Whose</label><select id="athlete" name="athlete">'
            f'<option value="">everyone</option>{options}</select>'
        )
    return (
        '<form class="find" role="search" action="/" method="get"><label for="search">Search</label>'
        f'<input id="search" name="search" type="search" value="{esc(search)}" maxlength="200" '
        'placeholder="date, shoes, route, words">'
        f"{whose}<button>Find</button></form>"
    )


def _nothing(every: int) -> str:
    if every:
        return '<p class="missing">No run holds all of these words. <a href="/">Show every run</a>.</p>'
    return (
        '<p class="missing">Runs appear here after <code>latemiles live</code>, '
        "<code>latemiles demo</code> or <code>latemiles analyze</code>.</p>"
    )


def _table(runs: Sequence[ShownRun], *, several: bool) -> str:
    head = [
        ("run", ""),
        ("distance", ""),
        ("time", "wide-only"),
        ("pace, start", "wide-only"),
        ("tilt, start", "wide-only"),
        ("tilt, late", ""),
        ("verdict", "word"),
        (f"drop, R{MINUS}L", "wide-only"),
        ("shoes, route, notes", "w wide-only"),
    ]
    rows = table("Runs", head, [_cells(run, several=several) for run in runs])
    rows = rows.replace("<table>", '<table class="runs">', 1).replace(
        '<table class="named">', '<table class="runs">', 1
    )
    return (
        f'<form action="/compare" method="get">{rows}<p class="more"><button>Compare two</button>'
        "Tick two runs to see them side by side.</p></form>"
    )


def _cells(run: ShownRun, *, several: bool) -> list[str]:
    told = " · ".join(filter(None, (run.shoes, run.route, run.notes)))
    whose = f"<small>{esc(run.athlete)}</small>" if several else ""
    name = (
        f'<label class="pick"><input type="checkbox" name="run" value="{esc(run.id)}">'
        f'<span class="vh">compare {esc(run.title)}</span></label>'
        f'<a href="{address(run)}">{_name(run)}</a>{whose}'
    )
    late = f"<b>{run.change}</b>" if run.is_change else run.change
    return [
        name,
        run.distance,
        run.time,
        run.pace,
        run.start,
        late,
        verdict_mark(run),
        run.asymmetry,
        esc(told),
    ]


def _name(run: ShownRun) -> str:
    """Its date, shorter on a phone; its name where the date is not known."""
    day, year, rest = run.when.partition(f" {run.started.year}" if run.started else ",")
    return f'{esc(day)}<span class="wide-only">{esc(year + rest)}</span>' if day else esc(run.id)


def verdict_mark(run: ShownRun) -> str:
    """The verdict with its mark: a shape beside the word, so that colour is never alone."""
    words = esc(run.verdict)
    if run.status == "running" and run.figures is None:
        return "not ended"
    if run.verdict == "clear change":
        return f"{arrow('f-change')} {words}"
    if run.verdict == "likely change":
        return f"{triangle('f-watch')} {words}"
    return words
