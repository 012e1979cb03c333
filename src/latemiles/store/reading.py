"""What the store hands out: runs, their strides and events, each read on a connection of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import StoreError
from latemiles.signals.events import CalibrationFound, DriftUpdate, Event, Marked, Split
from latemiles.store.connection import connect, in_our_words
from latemiles.store.rows import RUNS_SQL, RunRow, run_row
from latemiles.store.schema import EventTable, event_tables

__all__ = ["StoreReader"]

E = TypeVar("E", bound=Event)


class StoreReader:
    """The reading half of a store; ``Store`` adds what writes.

    Parameters
    ----------
    path : path
        The SQLite file.
    columns : sequence of str
        Names of the metric columns.
    """

    def __init__(self, path: str | Path, columns: Sequence[str]) -> None:
        self.path = Path(path)
        self.columns = tuple(columns)
        self._tables = event_tables(self.columns)
        self._by_kind = {t.kind: t for t in self._tables.values()}

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection to read from, for the parts of this package."""
        # A connection of its own: a long read must not hold up a commit of the run that goes on.
        with in_our_words(self.path):
            db = connect(self.path)
            try:
                yield db
            finally:
                db.close()

    def check_known(self, db: sqlite3.Connection, run: str) -> None:
        """Raise `StoreError` if there is no such run."""
        if db.execute("SELECT 1 FROM runs WHERE id = ?", (run,)).fetchone() is None:
            raise StoreError(f"No run '{run}' in {self.path}. `latemiles runs` names those there are.")

    def runs(self, athlete: str | None = None) -> list[RunRow]:
        """Runs of one athlete or of all, newest first."""
        where, values = ("", ()) if athlete is None else ("WHERE athlete = ?", (athlete,))
        with self.reading() as db:
            rows = db.execute(f"{RUNS_SQL} {where} ORDER BY started_utc_ns DESC, id DESC", values).fetchall()
        return [run_row(row) for row in rows]

    def run(self, run: str) -> RunRow:
        """One run; `StoreError` if there is none of that id."""
        with self.reading() as db:
            self.check_known(db, run)
            return run_row(db.execute(f"{RUNS_SQL} WHERE id = ?", (run,)).fetchone())

    def summary(self, run: str) -> dict[str, Any]:
        """What the analysis concluded; empty until it did."""
        return self.run(run).summary

    def strides(self, run: str) -> dict[str, NDArray[Any]]:
        """Columns of the run's strides, in order of time.

        Returns
        -------
        dict of array, each of shape (k,)
            ``side`` (``left`` or ``right``), ``index`` and ``quality`` (int64), and every metric column
            (float64, NaN where missing).
        """
        numeric = ", ".join(f'"{c}"' for c in self.columns)
        sql = f"SELECT side, idx, quality, {numeric} FROM strides WHERE run = ? ORDER BY t_s, id"
        with self.reading() as db:
            self.check_known(db, run)
            rows = db.execute(sql, (run,)).fetchall()
        columns: list[tuple[Any, ...]] = list(zip(*rows, strict=True)) or [()] * (len(self.columns) + 3)
        out: dict[str, NDArray[Any]] = {
            "side": np.array(columns[0], dtype="<U5"),
            "index": np.array(columns[1], dtype=np.int64),
            "quality": np.array(columns[2], dtype=np.int64),
        }
        for name, values in zip(self.columns, columns[3:], strict=True):
            # The catalogue's own `index` is the integer that is there already.
            out.setdefault(name, np.array(values, dtype=np.float64))
        return out

    def history(self, run: str) -> list[Event]:
        """Everything that is kept of a run, in the order in which it was committed."""
        found: list[tuple[int, Event]] = []
        with self.reading() as db:
            # One transaction, so that the tables are seen at one moment.
            db.execute("BEGIN")
            self.check_known(db, run)
            for table in self._tables.values():
                found += _decoded(table, db.execute(f"{table.select_sql} WHERE run = ?", (run,)))
        found.sort(key=lambda pair: pair[0])
        return [event for _, event in found]

    def events(self, run: str, kind: type[E]) -> list[E]:
        """The run's events of one type, in order; `KeyError` for a type that is not kept."""
        table = self._tables[kind]
        with self.reading() as db:
            self.check_known(db, run)
            rows = db.execute(f"{table.select_sql} WHERE run = ? ORDER BY id", (run,)).fetchall()
        return [event for _, event in _decoded(table, rows) if isinstance(event, kind)]

    def splits(self, run: str) -> list[Split]:
        """Splits in order."""
        return self.events(run, Split)

    def marks(self, run: str) -> list[Marked]:
        """Marks in order."""
        return self.events(run, Marked)

    def calibration(self, run: str) -> CalibrationFound | None:
        """The last calibration; None if there was none."""
        found = self.events(run, CalibrationFound)
        return found[-1] if found else None

    def latest_drift(self, run: str) -> dict[str, DriftUpdate]:
        """The newest form-drift update of each metric."""
        table = self._tables[DriftUpdate]
        newest = f"SELECT max(id) FROM {table.table} WHERE run = ? GROUP BY metric"
        with self.reading() as db:
            self.check_known(db, run)
            found = _decoded(table, db.execute(f"{table.select_sql} WHERE id IN ({newest})", (run,)))
        return {e.metric: e for _, e in found if isinstance(e, DriftUpdate)}


def _decoded(table: EventTable, rows: Iterable[Sequence[Any]]) -> list[tuple[int, Event]]:
    return [(int(row[0]), table.decode(row)) for row in rows]
