"""Tables of the store: one a kind of event, with columns taken from the event's own fields.

A row's ``id`` is its place in the outbox, so that the rows of all kinds have one order. Metric columns are
those of the catalogue; a column that a newer catalogue brings is added when the store is opened, and old
rows read as NaN there.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, get_type_hints

from latemiles.signals.events import (
    Activity,
    CalibrationFound,
    DriftFound,
    DriftUpdate,
    Event,
    Gap,
    LinkChanged,
    Marked,
    RunReplaced,
    Slip,
    Split,
    Stride,
    ThighsDoubted,
)
from latemiles.signals.frames import Segment, Side

__all__ = ["APPLICATION_ID", "MIGRATIONS", "VERSION", "EventTable", "create", "event_tables"]

APPLICATION_ID = 0x6C6D_7331
"""``lms1`` in the file's header: tells a store of ours from any other SQLite file."""

VERSION = 3
"""Schema version of this software, kept in ``user_version``. 2: shoes and routes, figures of runs, exercises,
standing checks. 3: whether the thigh sensors of a run were on each other's legs."""

Migration = Callable[[sqlite3.Connection], None]


def _shoes_and_routes(db: sqlite3.Connection) -> None:
    for name in ("shoes", "route"):
        db.execute(f"ALTER TABLE runs ADD COLUMN {name} TEXT NOT NULL DEFAULT ''")


def _thighs(db: sqlite3.Connection) -> None:
    db.execute("ALTER TABLE runs ADD COLUMN thighs TEXT NOT NULL DEFAULT ''")


MIGRATIONS: dict[int, Migration] = {1: _shoes_and_routes, 2: _thighs}
"""Version -> what brings a store of that version to the next one; each runs in one transaction."""

_NAN = float("nan")
_METRICS = "values"
_SQL_TYPES: dict[type[Any], str] = {float: "REAL", int: "INTEGER", str: "TEXT", Segment: "TEXT", Side: "TEXT"}
# `index` is a word of SQL, and a split's length must not meet the catalogue's running distance.
_RENAMED: dict[tuple[type[Any], str], str] = {(Stride, "index"): "idx", (Split, "index"): "idx"}
_RENAMED[Split, "distance_m"] = "length_m"

_KINDS: tuple[tuple[str, str, type[Any]], ...] = (
    ("stride", "strides", Stride),
    ("split", "splits", Split),
    ("mark", "marks", Marked),
    ("slip", "slips", Slip),
    ("thighs_doubted", "thighs_doubted", ThighsDoubted),
    ("gap", "gaps", Gap),
    ("calibration", "calibrations", CalibrationFound),
    ("form_drift", "form_drifts", DriftUpdate),
    ("link", "links", LinkChanged),
    ("activity", "activities", Activity),
    ("drift_found", "drifts_found", DriftFound),
    ("replaced", "replacements", RunReplaced),
)


def _real(value: Any) -> float:
    return _NAN if value is None else float(value)


def _sql_real(value: Any) -> float | None:
    number = float(value)
    return None if math.isnan(number) else number


def _to_json(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_to_json(v) for v in value]
    return _sql_real(value)


def _from_json(value: Any) -> Any:
    return tuple(_from_json(v) for v in value) if isinstance(value, list) else _real(value)


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    column: str
    kind: type[Any] | None
    """None: nested numbers, kept as JSON."""

    @property
    def sql_type(self) -> str:
        return "TEXT" if self.kind is None else _SQL_TYPES[self.kind]

    def encode(self, value: Any) -> Any:
        if self.kind is None:
            return json.dumps(_to_json(value))
        if self.kind is float:
            return _sql_real(value)
        return int(value) if self.kind is int else str(value)

    def decode(self, value: Any) -> Any:
        if self.kind is None:
            # A store that is older than the column has nothing in it.
            return () if value is None else _from_json(json.loads(value))
        return _real(value) if self.kind is float else self.kind(value)


class EventTable:
    """One kind of event as a table.

    Parameters
    ----------
    kind : str
        Name in the outbox.
    table : str
        Name of the table.
    event_type : type
        The event; its fields give the columns.
    metrics : sequence of str
        Names of the metric columns, for events that carry one value a metric.
    """

    def __init__(self, kind: str, table: str, event_type: type[Any], metrics: Sequence[str]) -> None:
        self.kind, self.table, self.event_type = kind, table, event_type
        hints = get_type_hints(event_type)
        names = [f.name for f in fields(event_type)]
        self.fields = tuple(
            _Field(n, _RENAMED.get((event_type, n), n), hints[n] if hints[n] in _SQL_TYPES else None)
            for n in names
            if n != _METRICS
        )
        self.metrics = tuple(metrics) if _METRICS in names else ()
        self.columns = tuple(f.column for f in self.fields) + self.metrics
        places = ", ".join("?" * (len(self.columns) + 2))
        self.insert_sql = f"INSERT INTO {table} (id, run, {_quoted(self.columns)}) VALUES ({places})"
        self.select_sql = f"SELECT id, run, {_quoted(self.columns)} FROM {table}"

    def encode(self, event: Event) -> list[Any]:
        """Values of the event's columns, NaN as NULL."""
        row = [f.encode(getattr(event, f.name)) for f in self.fields]
        if self.metrics:
            values = getattr(event, _METRICS)
            if len(values) != len(self.metrics):
                raise ValueError(
                    f"{self.event_type.__name__} carries {len(values)} values, the catalogue names "
                    f"{len(self.metrics)}. Make events and store from one catalogue."
                )
            row.extend(_sql_real(v) for v in values)
        return row

    def decode(self, row: Sequence[Any]) -> Event:
        """The event of a row as ``select_sql`` gives it, NULL as NaN."""
        known = {f.name: f.decode(v) for f, v in zip(self.fields, row[2:], strict=False)}
        if self.metrics:
            known[_METRICS] = tuple(_real(v) for v in row[2 + len(self.fields) :])
        event: Event = self.event_type(**known)
        return event


def event_tables(metrics: Sequence[str]) -> dict[type[Any], EventTable]:
    """The tables of all events that are kept, by event type."""
    return {event: EventTable(kind, table, event, metrics) for kind, table, event in _KINDS}


def _quoted(columns: Sequence[str]) -> str:
    return ", ".join(f'"{c}"' for c in columns)


def create(db: sqlite3.Connection, tables: Sequence[EventTable]) -> None:
    """Make what is missing; runs inside the caller's transaction.

    ``AUTOINCREMENT`` keeps the id of a deleted row from being given again, which would hide a new row
    from a sink whose cursor is already past it.
    """
    db.execute(
        "CREATE TABLE IF NOT EXISTS runs (id TEXT PRIMARY KEY, athlete TEXT NOT NULL, "
        "started_utc_ns INTEGER NOT NULL, source TEXT NOT NULL, recording TEXT NOT NULL, "
        "status TEXT NOT NULL, notes TEXT NOT NULL, software TEXT NOT NULL, basis TEXT NOT NULL, "
        "summary TEXT, shoes TEXT NOT NULL DEFAULT '', route TEXT NOT NULL DEFAULT '', "
        "thighs TEXT NOT NULL DEFAULT '')"
    )
    db.execute(
        "CREATE TABLE IF NOT EXISTS outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, "
        "run TEXT NOT NULL REFERENCES runs (id), kind TEXT NOT NULL)"
    )
    db.execute("CREATE INDEX IF NOT EXISTS outbox_run ON outbox (run)")
    db.execute("CREATE TABLE IF NOT EXISTS cursors (sink TEXT PRIMARY KEY, id INTEGER NOT NULL)")
    db.execute(
        "CREATE TABLE IF NOT EXISTS set_aside (sink TEXT NOT NULL, id INTEGER NOT NULL, "
        "problem TEXT NOT NULL, PRIMARY KEY (sink, id))"
    )
    for table in tables:
        types = {f.column: f.sql_type for f in table.fields} | dict.fromkeys(table.metrics, "REAL")
        columns = ", ".join(f'"{name}" {kind}' for name, kind in types.items())
        db.execute(
            f"CREATE TABLE IF NOT EXISTS {table.table} "
            f"(id INTEGER PRIMARY KEY, run TEXT NOT NULL REFERENCES runs (id), {columns})"
        )
        db.execute(f"CREATE INDEX IF NOT EXISTS {table.table}_run ON {table.table} (run, t_s)")
        there = {row[1] for row in db.execute(f"PRAGMA table_info({table.table})")}
        for name in types:
            if name not in there:
                db.execute(f'ALTER TABLE {table.table} ADD COLUMN "{name}" {types[name]}')
