"""Marks on the days on which shoes change or exercises begin, for the boards that show run after run.

The library's own page reads shoes and blocks from the library. Servers hear of them as marks of the first
run they touch: ``shoes: blue`` and ``exercise: side plank``. What is changed afterwards is told again under
the same time, which overwrites it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Final

from latemiles.session.library import local_time
from latemiles.signals.events import Marked
from latemiles.store import Library, RunRow, Store

__all__ = ["WITHDRAWN", "new_shoes", "note_season"]

WITHDRAWN: Final = "withdrawn"
"""Label of a mark that does not hold any more: a server keeps the time, and boards do not show it."""
_SHOES_T_S: Final = 0.0
_EXERCISE_T_S: Final = 0.001
"""Marks of one run at one time would overwrite each other."""
_KINDS: Final = ("shoes: ", "exercise: ")


def new_shoes(runs: Iterable[RunRow]) -> list[RunRow]:
    """The first run in each pair of shoes after the first pair; runs in order of time."""
    found: list[RunRow] = []
    worn: set[str] = set()
    for row in runs:
        if row.shoes and row.shoes not in worn:
            if worn:
                found.append(row)
            worn.add(row.shoes)
    return found


def note_season(store: Store, *athletes: str) -> int:
    """Bring the marks of shoes and exercises in line with what the library says; how many were written.

    Parameters
    ----------
    store : Store
        Open.
    *athletes : str
        Whose.
    """
    written = 0
    for athlete in dict.fromkeys(athletes):
        runs = sorted(
            (r for r in store.runs(athlete) if r.started_utc_ns > 0), key=lambda r: r.started_utc_ns
        )
        wanted = _wanted(runs, Library(store), athlete)
        for row in runs:
            told = {
                mark.t_s: mark.label
                for mark in store.marks(row.id)
                if mark.label.startswith(_KINDS) or mark.label == WITHDRAWN
            }
            labels = wanted.get(row.id, {})
            stale = {t_s: WITHDRAWN for t_s in told if t_s not in labels}
            changed = {t: words for t, words in (stale | labels).items() if told.get(t) != words}
            written += store.commit(row.id, [Marked(t_s, words) for t_s, words in sorted(changed.items())])
    return written


def _wanted(runs: list[RunRow], library: Library, athlete: str) -> dict[str, dict[float, str]]:
    """Label by run and time."""
    wanted: dict[str, dict[float, str]] = {}
    for row in new_shoes(runs):
        wanted.setdefault(row.id, {})[_SHOES_T_S] = f"shoes: {row.shoes}"
    for block in library.blocks(athlete):
        first, last = date.fromisoformat(block.first_day), block.last_day
        for row in runs:
            started = local_time(row.started_utc_ns)
            if started is not None and started.date() >= first:
                if not last or started.date() <= date.fromisoformat(last):
                    wanted.setdefault(row.id, {})[_EXERCISE_T_S] = f"exercise: {block.name}"
                break
    return wanted
