"""What run-to-run trends say, in words: the headline, the lead, and each row's difference."""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import Final

from latemiles.report.library.shown import interval_words
from latemiles.report.numbers import DASH, listed, magnitude, plural, signed
from latemiles.trends.across import Across, Row

__all__ = ["ROW_NAMES", "beyond_words", "day_of", "day_words", "headline", "lead", "row_about", "rows_beyond"]

ROW_NAMES: Final = {
    "start": "start of the run",
    "drift": "drift",
    "asymmetry": "asymmetry",
    "standing": "standing check",
}
"""What a row is called."""

_PLAIN: Final = {
    "start": "start value",
    "drift": "drift",
    "asymmetry": "asymmetry",
    "standing": "standing check",
}


def day_of(day: float) -> date:
    """The date of a day number."""
    return date(1970, 1, 1) + timedelta(days=math.floor(day))


def day_words(day: float, *, year: bool = False) -> str:
    """``5 Oct``, or ``5 October 2026``."""
    when = day_of(day)
    return f"{when.day} {when:%B %Y}" if year else f"{when.day} {when:%b}"


def row_about(key: str, across: Across) -> tuple[str, str]:
    """Two short lines: what the row's value is."""
    row = across.row(key)
    per = "tilt per 10 km" if across.by_distance else "tilt per hour"
    at_pace = row.difference is not None and math.isfinite(row.difference.slope)
    against = "from standing, usual pace" if at_pace else "against that day's standing"
    return {
        "start": ("pelvic tilt, minutes 3 to 10,", against),
        "drift": (f"{per}, after speed", "and grade, with its interval"),
        "asymmetry": ("drop, right leg minus left,", "offset-free"),
        "standing": ("obliquity, right side up +", ""),
    }[key]


def rows_beyond(across: Across) -> list[Row]:
    """Rows whose difference can be told apart."""
    return [row for row in across.rows if row.difference is not None and row.difference.is_beyond]


def beyond_words(row: Row) -> str:
    """``inside the band``, ``beyond the band``, or what is needed."""
    if row.difference is None:
        return row.needed
    return "beyond the band" if row.difference.is_beyond else "inside the band"


def headline(across: Across) -> str:
    """The one sentence."""
    drift = across.row("drift")
    if across.runs == 0:
        return f"No run of {across.least_km:g} km or more yet."
    if across.compared is None:
        return f"{plural(across.runs, 'run')} laid side by side. No exercise block to compare yet."
    if drift.difference is None:
        return f"{_length(across)} of exercises: too early to compare."
    difference = drift.difference
    less = "less" if abs(difference.during) < abs(difference.before) else "more"
    if difference.is_beyond:
        sure = "" if difference.verdict == "clear change" else "likely "
        by = magnitude(difference.difference)
        return f"{_length(across)} of exercises: {sure}{less} drift, by {by} degrees."
    if difference.verdict == "small, inside noise":
        return f"{_length(across)} of exercises: perhaps a little {less} drift. Too early to tell."
    return f"{_length(across)} of exercises: no change of drift that two blocks can tell apart."


def lead(across: Across) -> list[tuple[str, str, str]]:
    """The sentences below it, each as (before, in bold or nothing, after)."""
    drift = across.row("drift")
    if across.runs == 0:
        left_out = f"{plural(across.shorter, 'shorter run')} left out. " if across.shorter else ""
        return [("", "", f"{left_out}Runs appear here as they are made.")]
    if across.compared is None:
        return [
            ("", "", "Points show each run with what it may be off by."),
            ("", "", "Begin a block with latemiles exercise begin, after five runs without it."),
        ]
    if drift.difference is None:
        return [("", "", f"Drift: {drift.needed}. Until then points only, no means.")]
    d = drift.difference
    per = "per 10 km" if across.by_distance else "per hour"
    low, high = d.interval
    sentences = [
        (
            f"Drift {per} went from {signed(d.before)} to {signed(d.during)}°, a difference of ",
            f"{signed(d.difference)}° (95% interval {interval_words(low, high)})",
            f". Two blocks of this length can tell apart {magnitude(d.detectable)}° or more.",
        )
    ]
    others = [row for row in rows_beyond(across) if row.key != "drift"]
    compared = [row for row in across.rows if row.difference is not None and row.key != "drift"]
    if others:
        names = listed(
            [f"{_PLAIN[r.key]} ({signed(r.difference.difference)}°)" for r in others if r.difference]
        )
        sentences.append(("", "", f"Beyond its band too: {names}."))
    elif len(compared) == 3:
        sentences.append(("", "", "Nothing else moved beyond its band."))
    elif compared:
        names = listed([_PLAIN[row.key] for row in compared])
        sentences.append(("", "", f"Inside their bands: {names}."))
    sentences.append(("", "", "Before and after on one runner cannot say what caused a change."))
    return sentences


def _length(across: Across) -> str:
    """``Six weeks``: how long the compared block has values."""
    block = across.compared
    if block is None:
        return ""
    last = max(
        (p.day for row in across.rows for p in row.points if block.holds(p.day)), default=block.first_day
    )
    days = last - block.first_day
    weeks = round(days / 7.0)
    if weeks < 2:
        return f"{plural(max(1, math.ceil(days)), 'day')}"
    names = ("Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve")
    return f"{names[weeks - 2] if weeks <= 12 else weeks} weeks"


def difference_words(row: Row) -> str:
    """``−0.4° (−0.9 to +0.1)``; a dash without one."""
    if row.difference is None:
        return DASH
    return f"{signed(row.difference.difference)}° ({interval_words(*row.difference.interval)})"
