"""The store of runs: what the pipeline said, kept in one SQLite file."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from latemiles.errors import StoreError
from latemiles.metrics.catalogue import NUMERIC_COLUMNS
from latemiles.signals.events import (
    DriftFound,
    Event,
    RunReplaced,
)
from latemiles.signals.records import RunHeader
from latemiles.store import outbox
from latemiles.store.connection import connect, in_our_words, transaction
from latemiles.store.library import create_library
from latemiles.store.reading import StoreReader
from latemiles.store.rows import (
    RUN_COLUMNS,
    OutboxRow,
    SetAside,
    own_id,
    summary_json,
)
from latemiles.store.schema import APPLICATION_ID, MIGRATIONS, VERSION, create

__all__ = ["Store"]


class Store(StoreReader):
    """Runs with their strides, splits, marks, slips, gaps, calibrations and form drift.

    One object writes (any thread may call it, one at a time); any number of objects and processes read
    meanwhile. Rows become visible whole, in the order of their outbox id.

    Parameters
    ----------
    path : path
        The SQLite file; it and its folder are made if they are missing.
    columns : sequence of str
        Names of the metric columns; the catalogue's unless a test says otherwise.

    Raises
    ------
    StoreError
        If the file cannot be opened, is not a store, or was made by newer software.
    """

    def __init__(self, path: str | Path, columns: Sequence[str] = NUMERIC_COLUMNS) -> None:
        super().__init__(path, columns)
        self._lock = threading.RLock()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"The folder {self.path.parent} cannot be made: {error.strerror}. Choose another with --home."
            ) from error
        with in_our_words(self.path):
            self._db = connect(self.path)
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise

    def _prepare(self) -> None:
        db = self._db
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (application,) = db.execute("PRAGMA application_id").fetchone()
        (objects,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if objects and application != APPLICATION_ID:
            raise StoreError(
                f"{self.path} is a database of another program. Choose another folder with --home."
            )
        if version > VERSION:
            raise StoreError(
                f"The store {self.path} has schema {version}, this software knows {VERSION}. "
                "Update latemiles; nothing was changed."
            )
        with transaction(db):
            # Only now, with the write lock held, is the version sure: another process may have migrated.
            (version,) = db.execute("PRAGMA user_version").fetchone()
            for step in range(version, VERSION) if version else ():
                MIGRATIONS[step](db)
            create(db, list(self._tables.values()))
            create_library(db)
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {VERSION}")

    def close(self) -> None:
        """Close the file; committing afterwards is an error."""
        with self._lock:
            self._db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction on the file, for the parts of this package."""
        with self._lock, in_our_words(self.path), transaction(self._db) as db:
            yield db

    # Writing

    def begin_run(
        self,
        header: RunHeader,
        recording: str | Path = "",
        *,
        basis: str = "causal",
        replace: bool = False,
        apart: bool = False,
    ) -> str:
        """Open a run and return its id.

        Parameters
        ----------
        header : RunHeader
            The run's first record.
        recording : path
            Where its recording lies.
        basis : str
            ``causal`` or ``smoothed``: what its angles rest on.
        replace : bool
            Forget what is kept of this run and begin again, as a new analysis does.
            Notes, shoes, route and swapped thigh sensors stay.
        apart : bool
            Where the id is taken by another athlete's run, or by one with another recording, give this one
            an id of its own; the same recording always gets the same.

        Raises
        ------
        StoreError
            If the run is there already and ``replace`` is not set, or belongs to another athlete.
        """
        with self.writing() as db:
            # Chosen with the write lock held: two runs of one name may begin at the same moment.
            run = own_id(db, header, str(recording)) if apart else header.run
            sql = "SELECT athlete, notes, shoes, route, thighs FROM runs WHERE id = ?"
            old = db.execute(sql, (run,)).fetchone()
            if old and (not replace or old[0] != header.athlete):
                raise StoreError(
                    f"Run '{run}' of '{old[0]}' is in the store already. "
                    "Give the new one another id, or replace the old one on purpose."
                )
            was_told = old and self._delete(db, run)
            row = (
                run,
                header.athlete,
                header.started_utc_ns,
                header.source,
                str(recording),
                "running",
                (old[1] if old else "") or header.notes,
                header.software,
                basis,
                None,
                *(old[2:] if old else ("", "", "")),
            )
            db.execute(f"INSERT INTO runs ({RUN_COLUMNS}) VALUES ({', '.join('?' * len(row))})", row)
            if was_told:
                # Sinks have rows of before, at moments that need not come again.
                self._insert(db, run, RunReplaced(0.0))
        return run

    def commit(self, run: str, events: Iterable[Event]) -> int:
        """Keep the events of a run, all or none, and return how many were kept.

        Events that only matter at the moment (``LiveState``, ``GaitEvent``) are passed over.

        Raises
        ------
        StoreError
            If the run is not in the store, or the store cannot be written.
        """
        kept = [event for event in events if type(event) in self._tables]
        if not kept:
            return 0
        with self.writing() as db:
            self.check_known(db, run)
            for event in kept:
                self._insert(db, run, event)
        return len(kept)

    def conclude(self, run: str, found: Sequence[DriftFound]) -> None:
        """Keep what the analysis of a whole run found, in place of what an earlier one did.

        What is kept already is not written again, so that sinks are not told the same twice.
        """
        table = self._tables[DriftFound]
        with self.writing() as db:
            self.check_known(db, run)
            sql = f"{table.select_sql} WHERE run = ? ORDER BY id"
            kept = [tuple(row[2:]) for row in db.execute(sql, (run,))]
            if kept == [tuple(table.encode(event)) for event in found]:
                return
            db.execute("DELETE FROM outbox WHERE run = ? AND kind = ?", (run, table.kind))
            db.execute(f"DELETE FROM {table.table} WHERE run = ?", (run,))
            for event in found:
                self._insert(db, run, event)

    def end_run(self, run: str, *, summary: Mapping[str, Any] | None = None) -> None:
        """Mark the run as ended, with what was concluded where that is known."""
        with self.writing() as db:
            self.check_known(db, run)
            db.execute("UPDATE runs SET status = 'ended' WHERE id = ?", (run,))
            if summary is not None:
                db.execute("UPDATE runs SET summary = ? WHERE id = ?", (summary_json(summary), run))

    def set_summary(self, run: str, summary: Mapping[str, Any]) -> None:
        """Keep what the analysis concluded; NaN becomes null."""
        self.set_word(run, "summary", summary_json(summary))

    def set_notes(self, run: str, notes: str) -> None:
        """Keep a person's words about the run."""
        self.set_word(run, "notes", notes)

    def delete_run(self, run: str) -> None:
        """Forget a run; what was in the file is overwritten. Its recording is not touched."""
        with self.writing() as db:
            self.check_known(db, run)
            self._delete(db, run)
        with self._lock, in_our_words(self.path):
            # Readers may keep old pages in the log; then the next checkpoint does it.
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def set_word(self, run: str, column: str, value: str) -> None:
        """Change one column of a run, for the parts of this package."""
        with self.writing() as db:
            self.check_known(db, run)
            db.execute(f"UPDATE runs SET {column} = ? WHERE id = ?", (value, run))

    def _insert(self, db: sqlite3.Connection, run: str, event: Event) -> None:
        table = self._tables[type(event)]
        cursor = db.execute("INSERT INTO outbox (run, kind) VALUES (?, ?)", (run, table.kind))
        db.execute(table.insert_sql, [cursor.lastrowid, run, *table.encode(event)])

    def _delete(self, db: sqlite3.Connection, run: str) -> bool:
        """Delete a run and its rows; whether there were any for sinks."""
        for table in self._tables.values():
            db.execute(f"DELETE FROM {table.table} WHERE run = ?", (run,))
        db.execute("DELETE FROM figures WHERE run = ?", (run,))
        db.execute("DELETE FROM set_aside WHERE id IN (SELECT id FROM outbox WHERE run = ?)", (run,))
        rows = db.execute("DELETE FROM outbox WHERE run = ?", (run,)).rowcount
        db.execute("DELETE FROM runs WHERE id = ?", (run,))
        return rows > 0

    # Outbox

    def follow(self, sink: str, limit: int = 500, *, back: int = 0) -> list[OutboxRow]:
        """The next rows that a sink has not confirmed, in order; a new sink begins at the oldest.

        Parameters
        ----------
        sink : str
            Name of its cursor.
        limit : int
            Most rows.
        back : int
            Begin so many rows before the cursor, to deliver again what the other side may have lost.
        """
        with self.reading() as db:
            db.execute("BEGIN")
            return outbox.rows_after(db, self._by_kind, outbox.cursor(db, sink, back), limit)

    def run_rows(self, run: str, after: int = 0, limit: int = 500) -> list[OutboxRow]:
        """Rows of one run behind an id, in order, whoever has confirmed them."""
        with self.reading() as db:
            db.execute("BEGIN")
            self.check_known(db, run)
            return outbox.rows_after(db, self._by_kind, after, limit, run)

    def run_length(self, run: str) -> int:
        """Number of rows of one run."""
        with self.reading() as db:
            return int(db.execute("SELECT count(*) FROM outbox WHERE run = ?", (run,)).fetchone()[0])

    def advance(self, sink: str, row_id: int) -> None:
        """Note that a sink has delivered everything up to this row; never moves back."""
        with self.writing() as db:
            outbox.move_cursor(db, sink, row_id)

    def waiting(self, sink: str) -> int:
        """Number of rows that a sink has not confirmed."""
        with self.reading() as db:
            return outbox.waiting(db, sink)

    def set_aside(self, sink: str, row_id: int, problem: str) -> None:
        """Keep a row that a sink will never take, with the reason; the row itself stays in the run."""
        with self.writing() as db:
            outbox.set_aside(db, sink, row_id, problem)

    def rows_set_aside(self, sink: str) -> list[SetAside]:
        """Rows that a sink refused, oldest first."""
        with self.reading() as db:
            return outbox.rows_set_aside(db, sink)
