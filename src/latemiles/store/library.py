"""The library inside the store's file: figures of runs, exercise blocks, standing checks."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING, Any, get_type_hints

from latemiles.errors import StoreError
from latemiles.store.rows import summary_json
from latemiles.trends.run_figures import RunFigures

if TYPE_CHECKING:
    from latemiles.store.store import Store

__all__ = ["ExerciseBlock", "ExerciseSession", "Library", "StandingRow", "create_library"]

_SQL_TYPES: dict[type[Any], str] = {float: "REAL", int: "INTEGER", str: "TEXT"}


@dataclass(frozen=True, slots=True)
class ExerciseBlock:
    """A stretch of days in which a runner does something on purpose."""

    id: int
    athlete: str
    name: str
    """What is done: ``side plank, single-leg bridge``."""
    first_day: str
    """ISO date."""
    last_day: str
    """ISO date; empty while it goes on."""
    words: str
    """How often, how much, who said so; free text."""


@dataclass(frozen=True, slots=True)
class ExerciseSession:
    """One day on which the exercises were done."""

    id: int
    athlete: str
    day: str
    """ISO date."""
    words: str


@dataclass(frozen=True, slots=True)
class StandingRow:
    """One standing check as it is kept."""

    id: str
    athlete: str
    started_utc_ns: int
    recording: str
    """Path of its recording; empty where there is none."""
    notes: str
    result: dict[str, Any]
    """What was found, as ``trends.standing`` says it; missing numbers are None."""


def _kinds() -> dict[str, type[Any]]:
    hints = get_type_hints(RunFigures)
    return {f.name: hints[f.name] for f in fields(RunFigures)}


def create_library(db: sqlite3.Connection) -> None:
    """Make the tables that are missing; runs inside the caller's transaction."""
    columns = ", ".join(f"{name} {_SQL_TYPES[kind]}" for name, kind in _kinds().items())
    db.execute(f"CREATE TABLE IF NOT EXISTS figures (run TEXT PRIMARY KEY REFERENCES runs (id), {columns})")
    there = {row[1] for row in db.execute("PRAGMA table_info(figures)")}
    for name, kind in _kinds().items():
        if name not in there:
            db.execute(f"ALTER TABLE figures ADD COLUMN {name} {_SQL_TYPES[kind]}")
    db.execute(
        "CREATE TABLE IF NOT EXISTS exercise_blocks (id INTEGER PRIMARY KEY AUTOINCREMENT, "
        "athlete TEXT NOT NULL, name TEXT NOT NULL, first_day TEXT NOT NULL, last_day TEXT NOT NULL, "
        "words TEXT NOT NULL)"
    )
    db.execute(
        "CREATE TABLE IF NOT EXISTS exercise_sessions (id INTEGER PRIMARY KEY AUTOINCREMENT, "
        "athlete TEXT NOT NULL, day TEXT NOT NULL, words TEXT NOT NULL)"
    )
    db.execute(
        "CREATE TABLE IF NOT EXISTS standing_checks (id TEXT PRIMARY KEY, athlete TEXT NOT NULL, "
        "started_utc_ns INTEGER NOT NULL, recording TEXT NOT NULL, notes TEXT NOT NULL, result TEXT NOT NULL)"
    )


class Library:
    """What a runner keeps beside the events of runs.

    Parameters
    ----------
    store : Store
        Open; stays its owner's.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    # Figures of runs

    def keep_figures(self, run: str, figures: RunFigures) -> None:
        """Keep what trends need of a run, in place of what was kept before.

        Raises
        ------
        StoreError
            If the run is not in the store.
        """
        values = [None if isinstance(v, float) and math.isnan(v) else v for v in astuple(figures)]
        places = ", ".join("?" * (1 + len(values)))
        names = ", ".join(["run", *_kinds()])
        with self._store.writing() as db:
            self._store.check_known(db, run)
            db.execute(f"INSERT OR REPLACE INTO figures ({names}) VALUES ({places})", [run, *values])

    def figures(self) -> dict[str, RunFigures]:
        """Figures by run, of the runs that have them."""
        names = ", ".join(["run", *_kinds()])
        with self._store.reading() as db:
            rows = db.execute(f"SELECT {names} FROM figures").fetchall()
        return {row[0]: _figures(row[1:]) for row in rows}

    # What a person says of a run

    def set_shoes(self, run: str, shoes: str) -> None:
        """Say in which shoes a run was."""
        self._store.set_word(run, "shoes", shoes)

    def set_route(self, run: str, route: str) -> None:
        """Say on which route a run was."""
        self._store.set_word(run, "route", route)

    def set_athlete(self, run: str, athlete: str) -> None:
        """Say whose run it was."""
        self._store.set_word(run, "athlete", athlete)

    # Exercises

    def begin_block(self, athlete: str, name: str, first_day: str, words: str = "") -> ExerciseBlock:
        """Begin a block of exercises; one that goes on ends the day before.

        Raises
        ------
        StoreError
            If another block begins that day or later.
        """
        with self._store.writing() as db:
            later = db.execute(
                "SELECT name, first_day FROM exercise_blocks WHERE athlete = ? AND first_day >= ?",
                (athlete, first_day),
            ).fetchone()
            if later:
                raise StoreError(
                    f"The block '{later[0]}' begins on {later[1]}, not before {first_day}. "
                    "Give a later day, or delete that block first."
                )
            db.execute(
                "UPDATE exercise_blocks SET last_day = date(?, '-1 day') "
                "WHERE athlete = ? AND (last_day = '' OR last_day >= ?)",
                (first_day, athlete, first_day),
            )
            done = db.execute(
                "INSERT INTO exercise_blocks (athlete, name, first_day, last_day, words) "
                "VALUES (?, ?, ?, '', ?)",
                (athlete, name, first_day, words),
            )
            return ExerciseBlock(int(done.lastrowid or 0), athlete, name, first_day, "", words)

    def end_block(self, athlete: str, last_day: str) -> ExerciseBlock:
        """End the block that goes on.

        Raises
        ------
        StoreError
            If none goes on, or it begins after that day.
        """
        with self._store.writing() as db:
            row = db.execute(
                "SELECT id, first_day FROM exercise_blocks WHERE athlete = ? AND last_day = ''", (athlete,)
            ).fetchone()
            if row is None:
                raise StoreError(
                    f"No block of '{athlete}' goes on. Begin one with `latemiles exercise begin`."
                )
            if row[1] > last_day:
                raise StoreError(f"The block begins on {row[1]}, after {last_day}. Give a later day.")
            db.execute("UPDATE exercise_blocks SET last_day = ? WHERE id = ?", (last_day, row[0]))
            found = db.execute(f"{_BLOCKS} WHERE id = ?", (row[0],)).fetchone()
        return ExerciseBlock(*found)

    def blocks(self, athlete: str) -> list[ExerciseBlock]:
        """Blocks of exercises, oldest first."""
        with self._store.reading() as db:
            rows = db.execute(f"{_BLOCKS} WHERE athlete = ? ORDER BY first_day, id", (athlete,)).fetchall()
        return [ExerciseBlock(*row) for row in rows]

    def delete_block(self, athlete: str, block: int) -> None:
        """Forget a block; `StoreError` if this athlete has none of that number."""
        self._delete("exercise_blocks", athlete, block, "block")

    def add_session(self, athlete: str, day: str, words: str = "") -> None:
        """Note that the exercises were done on a day."""
        with self._store.writing() as db:
            db.execute(
                "INSERT INTO exercise_sessions (athlete, day, words) VALUES (?, ?, ?)", (athlete, day, words)
            )

    def sessions(self, athlete: str) -> list[ExerciseSession]:
        """Days on which exercises were done, oldest first."""
        sql = "SELECT id, athlete, day, words FROM exercise_sessions WHERE athlete = ? ORDER BY day, id"
        with self._store.reading() as db:
            return [ExerciseSession(*row) for row in db.execute(sql, (athlete,))]

    def delete_session(self, athlete: str, session: int) -> None:
        """Forget a session; `StoreError` if this athlete has none of that number."""
        self._delete("exercise_sessions", athlete, session, "session")

    # Standing checks

    def keep_standing(self, row: StandingRow) -> None:
        """Keep a standing check, in place of one of the same name."""
        values = (row.id, row.athlete, row.started_utc_ns, row.recording, row.notes, summary_json(row.result))
        with self._store.writing() as db:
            db.execute("INSERT OR REPLACE INTO standing_checks VALUES (?, ?, ?, ?, ?, ?)", values)

    def standings(self, athlete: str) -> list[StandingRow]:
        """Standing checks, oldest first."""
        sql = (
            "SELECT id, athlete, started_utc_ns, recording, notes, result FROM standing_checks "
            "WHERE athlete = ? ORDER BY started_utc_ns, id"
        )
        with self._store.reading() as db:
            rows = db.execute(sql, (athlete,)).fetchall()
        return [StandingRow(i, who, utc, path, notes, json.loads(r)) for i, who, utc, path, notes, r in rows]

    def delete_standing(self, check: str) -> None:
        """Forget a standing check; `StoreError` if there is none of that name."""
        with self._store.writing() as db:
            if db.execute("DELETE FROM standing_checks WHERE id = ?", (check,)).rowcount == 0:
                raise StoreError(
                    f"No standing check '{check}'. `latemiles standing list` names those there are."
                )

    # Athletes

    def athletes(self) -> list[str]:
        """Everyone of whom something is kept, by name."""
        parts = (f"SELECT athlete FROM {table}" for table in ("runs", *_OF_ATHLETE))
        with self._store.reading() as db:
            return [row[0] for row in db.execute(f"{' UNION '.join(parts)} ORDER BY 1")]

    def delete_athlete(self, athlete: str) -> None:
        """Forget exercises and standing checks of an athlete; runs are deleted one by one by the store."""
        with self._store.writing() as db:
            for table in _OF_ATHLETE:
                db.execute(f"DELETE FROM {table} WHERE athlete = ?", (athlete,))

    def _delete(self, table: str, athlete: str, number: int, word: str) -> None:
        with self._store.writing() as db:
            sql = f"DELETE FROM {table} WHERE athlete = ? AND id = ?"
            if db.execute(sql, (athlete, number)).rowcount == 0:
                raise StoreError(
                    f"No {word} {number} of '{athlete}'. `latemiles exercise` lists them with their numbers."
                )


_OF_ATHLETE = ("exercise_blocks", "exercise_sessions", "standing_checks")
_BLOCKS = "SELECT id, athlete, name, first_day, last_day, words FROM exercise_blocks"


def _figures(row: Sequence[Any]) -> RunFigures:
    values: dict[str, Any] = {
        name: math.nan if value is None and kind is float else kind("" if value is None else value)
        for (name, kind), value in zip(_kinds().items(), row, strict=True)
    }
    return RunFigures(**values)
