"""What the library holds of one athlete, as run-to-run trends take it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from latemiles.errors import InputError
from latemiles.report.library.trends_chart import Event
from latemiles.session.home import Home
from latemiles.session.library import RunEntry, entries, local_time
from latemiles.session.season_marks import new_shoes
from latemiles.store import ExerciseBlock, Library, StandingRow, Store
from latemiles.trends.across import Across, Block, DayRun, DayStanding, across_runs

__all__ = ["Season", "day_number", "season_of", "whose"]

_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Season:
    """Everything the trends page shows of one athlete."""

    athlete: str
    athletes: tuple[str, ...]
    across: Across
    events: tuple[Event, ...]
    log: tuple[tuple[float, str], ...]
    """(day, words), newest first."""
    standings: tuple[StandingRow, ...]


def day_number(when: datetime) -> float:
    """Days since 1970 by the calendar of that clock, with the fraction of the day."""
    midnight = when.replace(hour=0, minute=0, second=0, microsecond=0)
    return (when.date() - _EPOCH).days + (when - midnight) / timedelta(days=1)


def whose(store: Store, athlete: str | None) -> str:
    """The athlete that is meant: the one who is named, or the only one there is.

    Raises
    ------
    InputError
        If nobody of that name is there, or several are and none is named.
    """
    everyone = Library(store).athletes()
    if athlete:
        if athlete not in everyone:
            known = ", ".join(everyone) or "nobody yet"
            raise InputError("an athlete of the library", f"'{athlete}'", f"There is {known}.")
        return athlete
    if len(everyone) > 1:
        raise InputError(
            "one athlete", f"{len(everyone)} in the library", f"Name one: {', '.join(everyone)}."
        )
    return everyone[0] if everyone else "me"


def season_of(home: Home, store: Store, athlete: str, *, least_km: float = 8.0, block: str = "") -> Season:
    """Gather what is known of an athlete and lay it side by side.

    Parameters
    ----------
    home : Home
        Where the runs' files are.
    store : Store
        Open.
    athlete : str
        Whose.
    least_km : float
        Shorter runs are left out.
    block : str
        Name of the block that is compared; empty: the last one.

    Raises
    ------
    InputError
        If there is no block of that name.
    """
    library = Library(store)
    blocks = library.blocks(athlete)
    if block and block not in {b.name for b in blocks}:
        known = ", ".join(f"'{b.name}'" for b in blocks) or "none yet"
        raise InputError("the name of a block of exercises", f"'{block}'", f"There is {known}.")
    dated = [(e, e.started) for e in entries(home, store, athlete=athlete)]
    runs = [(e, day_number(started)) for e, started in dated if started is not None]
    runs.sort(key=lambda pair: pair[1])
    days = [DayRun(e.row.id, day, e.figures, e.row.shoes) for e, day in runs if e.figures is not None]
    standings = library.standings(athlete)
    across = across_runs(
        days,
        [s for row in standings if (s := _standing(row)) is not None],
        [_block(b) for b in blocks],
        least_km=least_km,
        compared=block,
    )
    days_of = {e.row.id: day for e, day in runs}
    shoes = [(days_of[row.id], row.shoes) for row in new_shoes(e.row for e, _ in runs)]
    events = tuple(Event(day, "new shoes") for day, _ in shoes)
    return Season(
        athlete=athlete,
        athletes=tuple(library.athletes()),
        across=across,
        events=events,
        log=tuple(sorted(_log(runs, blocks, shoes), reverse=True)),
        standings=tuple(standings),
    )


def _day(iso: str) -> float:
    return float((date.fromisoformat(iso) - _EPOCH).days)


def _block(block: ExerciseBlock) -> Block:
    end = _day(block.last_day) + 1.0 if block.last_day else math.inf
    return Block(block.name, _day(block.first_day), end)


def _standing(row: StandingRow) -> DayStanding | None:
    when = local_time(row.started_utc_ns)
    if when is None:
        return None
    value = row.result.get("obliquity_deg")
    problem = str(row.result.get("problem") or "")
    return DayStanding(row.id, day_number(when), math.nan if value is None else float(value), problem)


def _log(
    runs: list[tuple[RunEntry, float]], blocks: list[ExerciseBlock], shoes: list[tuple[float, str]]
) -> list[tuple[float, str]]:
    log = [(day, f"New shoes: {name}") for day, name in shoes]
    for block in blocks:
        words = f", {block.words}" if block.words else ""
        log.append((_day(block.first_day), f"Exercises begin: {block.name}{words}"))
        if block.last_day:
            log.append((_day(block.last_day), f"Exercises end: {block.name}"))
    for entry, day in runs:
        if entry.figures is not None and (entry.figures.verdict == "slip" or entry.figures.pelvis_slips):
            log.append((day, "Pelvis clip slipped; the run is shown hollow and not used"))
    if runs:
        log.append((runs[0][1] - 1e-6, "First run here"))
    return log
