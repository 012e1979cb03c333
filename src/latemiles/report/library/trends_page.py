"""The page of run-to-run trends: the answer, four rows on one date axis, the numbers, the log."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from latemiles.report.library.shell import page
from latemiles.report.library.shown import interval_words
from latemiles.report.library.trends_chart import Event, draw
from latemiles.report.library.trends_words import (
    ROW_NAMES,
    day_words,
    difference_words,
    headline,
    lead,
    row_about,
)
from latemiles.report.markup import table
from latemiles.report.numbers import DASH, magnitude, plural, signed
from latemiles.report.svg import esc
from latemiles.trends.across import Across, Point, Row
from latemiles.trends.donning import Donning

__all__ = ["as_json", "number_rows", "render"]


def render(
    across: Across,
    *,
    athlete: str,
    athletes: Sequence[str] = (),
    events: Sequence[Event] = (),
    log: Sequence[tuple[float, str]] = (),
    standing: str = "",
    alone: bool = False,
) -> str:
    """The page.

    Parameters
    ----------
    across : Across
        What is drawn.
    athlete : str
        Whose.
    athletes : sequence of str
        Everyone, to choose from.
    events : sequence of Event
        Named above the chart.
    log : sequence of (day, words)
        What happened, newest first.
    standing : str
        Markup of the last standing check.
    alone : bool
        The page is a file of its own.
    """
    sentences = " ".join(f"{esc(a)}{f'<b>{esc(b)}</b>' if b else ''}{esc(c)}" for a, b, c in lead(across))
    body = f'<h1>{esc(headline(across))}</h1><p class="lead">{sentences}</p>'
    if across.runs or across.row("standing").points:
        wide, narrow = (draw(across, tuple(events), narrow=narrow) for narrow in (False, True))
        body += f'<figure class="fig">{wide}{narrow}</figure>{_numbers(across)}'
    if not alone:
        body += _choices(across, athlete, athletes)
    logged = f'<div><h2>Log</h2><ul class="log">{"".join(_entry(*e) for e in log)}</ul></div>' if log else ""
    if standing or logged:
        body += f'<section class="two"><div>{standing}</div>{logged}</section>'
    return page(
        "run to run", body, here="/trends", top=_top(across, athlete), foot=_foot(across), alone=alone
    )


def _top(across: Across, athlete: str) -> str:
    days = [p.day for row in across.rows[:3] for p in row.points]
    name = "" if athlete == "me" else f"{athlete} · "
    runs = f"{plural(across.runs, 'run')} of {across.least_km:g} km or more"
    if not days:
        return f"{name}{runs}"
    return f"{name}{runs}, {day_words(min(days), year=True)} to {day_words(max(days), year=True)}"


def _foot(across: Across) -> str:
    start, drop = (_donning_words(across.row(key).donning) for key in ("start", "asymmetry"))
    left = f"{plural(across.shorter, 'shorter run')} left out. " if across.shorter else ""
    return (
        f"{left}Start values are relative to that day's standing pose. Bars hold 95%. "
        f"Putting the sensors on again may change a start value by {start}, the asymmetry by {drop}. "
        "Grey is the smallest difference that the two blocks can tell apart."
    )


def _donning_words(donning: Donning | None) -> str:
    if donning is None:
        return DASH
    source = (
        f"from your own {donning.repeats} repeat donnings" if donning.repeats else "assumed, no repeats yet"
    )
    return f"{magnitude(donning.half_width)}° ({source})"


def _choices(across: Across, athlete: str, athletes: Sequence[str]) -> str:
    """Other athletes, other lengths, other blocks: links and a form, no script."""
    names = "".join(f"<option{' selected' if n == athlete else ''}>{esc(n)}</option>" for n in athletes)
    whose = f'<label for="athlete">Whose</label><select id="athlete" name="athlete">{names}</select>'
    blocks = "".join(
        f"<option{' selected' if block is across.compared else ''}>{esc(block.name)}</option>"
        for block in across.blocks
    )
    which = f'<label for="block">Block</label><select id="block" name="block">{blocks}</select>'
    return (
        '<form class="find" action="/trends" method="get">'
        f"{whose if len(athletes) > 1 else ''}{which if len(across.blocks) > 1 else ''}"
        '<label for="least">Runs of at least</label>'
        f'<input id="least" name="least" type="number" min="1" max="100" step="any" '
        f'value="{across.least_km:g}" style="width:90px"> km<button>Show</button></form>'
    )


def number_rows(across: Across) -> list[list[str]]:
    """The numbers of the chart: row, before, during, difference, what can be told apart, verdict."""
    return [_number_row(row, across) for row in across.rows]


def _number_row(row: Row, across: Across) -> list[str]:
    about = " ".join(row_about(row.key, across)).strip()
    name = f"{ROW_NAMES[row.key]}: {about}"
    d = row.difference
    if d is None:
        return [name, f"{len(row.used)} used", "", DASH, DASH, row.needed]
    return [
        name,
        f"{signed(d.before)}° ({d.n_before})",
        f"{signed(d.during)}° ({d.n_during})",
        difference_words(row),
        f"{magnitude(d.detectable)}°",
        d.verdict,
    ]


def _numbers(across: Across) -> str:
    head = [
        ("row", ""),
        ("before (n)", ""),
        ("in the block (n)", ""),
        ("difference, 95%", ""),
        ("could tell apart", ""),
        ("verdict", "w"),
    ]
    rows = [[esc(cell) for cell in cells] for cells in number_rows(across)]
    runs = table(
        "Every run",
        [("run", ""), ("start", ""), ("drift", ""), ("asymmetry", ""), ("not used", "w")],
        _run_rows(across),
    )
    return (
        f"{table('The rows in numbers', head, rows, wraps=True)}"
        f'<details class="more"><summary>Every run in numbers</summary>{runs}</details>'
    )


def _run_rows(across: Across) -> list[list[str]]:
    found: dict[str, dict[str, Point]] = {}
    for row in across.rows[:3]:
        for point in row.points:
            found.setdefault(point.name, {})[row.key] = point
    ordered = sorted(found.items(), key=lambda item: -max(p.day for p in item[1].values()))
    return [
        [
            esc(day_words(next(iter(points.values())).day, year=True)),
            *(
                _cell(points.get(key), with_interval=key == "drift")
                for key in ("start", "drift", "asymmetry")
            ),
            esc("; ".join(sorted({p.problem for p in points.values() if p.problem}))),
        ]
        for _, points in ordered
    ]


def _cell(point: Point | None, *, with_interval: bool) -> str:
    if point is None:
        return DASH
    words = f"{signed(point.value)}°"
    return f"{words} ({interval_words(point.low, point.high)})" if with_interval else words


def _entry(day: float, words: str) -> str:
    return f"<li><span>{esc(day_words(day))}</span>{esc(words)}</li>"


def as_json(across: Across, athlete: str) -> dict[str, Any]:
    """The same numbers for programs; what is not known is None."""
    return {
        "schema": "latemiles/trends/1",
        "athlete": athlete,
        "headline": headline(across),
        "lead": ["".join(parts) for parts in lead(across)],
        "block": across.compared.name if across.compared is not None else None,
        "least_km": across.least_km,
        "drift_per": "10 km" if across.by_distance else "hour",
        "rows": {row.key: _row_json(row) for row in across.rows},
        "disclaimer": "Measures movement for training. Not a medical device, not a diagnosis.",
    }


def _row_json(row: Row) -> dict[str, Any]:
    d = row.difference
    return {
        "points": [
            {
                "name": p.name,
                "day": day_words(p.day, year=True),
                "value_deg": _finite(p.value),
                "interval_deg": [_finite(p.low), _finite(p.high)],
                "used": p.is_used,
                "problem": p.problem,
            }
            for p in row.points
        ],
        "donning_sd_deg": row.donning.sd if row.donning is not None else None,
        "donning_repeats": row.donning.repeats if row.donning is not None else None,
        "before_deg": d.before if d is not None else None,
        "during_deg": d.during if d is not None else None,
        "difference_deg": d.difference if d is not None else None,
        "interval_deg": list(d.interval) if d is not None else None,
        "detectable_deg": d.detectable if d is not None else None,
        "verdict": d.verdict if d is not None else None,
        "needed": row.needed,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
