"""The outbox inside the store's file: rows in one order, a cursor a sink, and rows that were refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from latemiles.signals.events import Event
from latemiles.store.rows import OutboxRow, SetAside
from latemiles.store.schema import EventTable

__all__ = ["cursor", "move_cursor", "rows_after", "rows_set_aside", "set_aside", "waiting"]


def cursor(db: sqlite3.Connection, sink: str, back: int = 0) -> int:
    """Id of the last row a sink has confirmed, or of the one ``back`` rows before it; 0 before the first."""
    row = db.execute("SELECT id FROM cursors WHERE sink = ?", (sink,)).fetchone()
    if row is None or back == 0:
        return int(row[0]) if row else 0
    sql = "SELECT id FROM outbox WHERE id <= ? ORDER BY id DESC LIMIT 1 OFFSET ?"
    earlier = db.execute(sql, (row[0], back)).fetchone()
    return int(earlier[0]) if earlier else 0


def rows_after(
    db: sqlite3.Connection, tables: Mapping[str, EventTable], after: int, limit: int, run: str | None = None
) -> list[OutboxRow]:
    """Rows behind an id, in order, of one run or of all."""
    only, values = ("", ()) if run is None else ("AND outbox.run = ?", (run,))
    rows = db.execute(
        "SELECT outbox.id, outbox.kind, runs.id, athlete, started_utc_ns FROM outbox "
        f"JOIN runs ON runs.id = outbox.run WHERE outbox.id > ? {only} ORDER BY outbox.id LIMIT ?",
        (after, *values, limit),
    ).fetchall()
    if not rows:
        return []
    events: dict[int, Event] = {}
    span = (rows[0][0], rows[-1][0])
    for kind in {row[1] for row in rows}:
        table = tables[kind]
        for found in db.execute(f"{table.select_sql} WHERE id BETWEEN ? AND ?", span):
            events[int(found[0])] = table.decode(found)
    return [OutboxRow(i, run_id, athlete, utc, kind, events[i]) for i, kind, run_id, athlete, utc in rows]


def move_cursor(db: sqlite3.Connection, sink: str, row_id: int) -> None:
    """Note what a sink has confirmed; never moves back."""
    db.execute(
        "INSERT INTO cursors (sink, id) VALUES (?, ?) "
        "ON CONFLICT (sink) DO UPDATE SET id = max(id, excluded.id)",
        (sink, row_id),
    )


def waiting(db: sqlite3.Connection, sink: str) -> int:
    """Number of rows that a sink has not confirmed."""
    (count,) = db.execute("SELECT count(*) FROM outbox WHERE id > ?", (cursor(db, sink),)).fetchone()
    return int(count)


def set_aside(db: sqlite3.Connection, sink: str, row_id: int, problem: str) -> None:
    """Keep a row that a sink refused, with the reason; a second refusal replaces the first."""
    db.execute(
        "INSERT INTO set_aside (sink, id, problem) VALUES (?, ?, ?) "
        "ON CONFLICT (sink, id) DO UPDATE SET problem = excluded.problem",
        (sink, row_id, problem),
    )


def rows_set_aside(db: sqlite3.Connection, sink: str) -> list[SetAside]:
    """Rows that a sink refused, oldest first."""
    sql = (
        "SELECT set_aside.id, run, kind, problem FROM set_aside JOIN outbox ON outbox.id = set_aside.id "
        "WHERE sink = ? ORDER BY set_aside.id"
    )
    return [SetAside(*row) for row in db.execute(sql, (sink,))]
