"""Rows as the store hands them out."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import chain, count
from typing import Any

import numpy as np

from latemiles.signals.events import Event
from latemiles.signals.records import RunHeader

__all__ = ["RUNS_SQL", "RUN_COLUMNS", "OutboxRow", "RunRow", "SetAside", "own_id", "run_row", "summary_json"]

RUN_COLUMNS = (
    "id, athlete, started_utc_ns, source, recording, status, notes, software, basis, summary, shoes, route, "
    "thighs"
)


RUNS_SQL = (
    f"SELECT {RUN_COLUMNS}, (SELECT count(*) FROM strides WHERE run = runs.id), "
    "(SELECT max(t_s) FROM strides WHERE run = runs.id) FROM runs"
)


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run of the library."""

    id: str
    athlete: str
    started_utc_ns: int
    """ns since 1970 UTC; 0 where unknown."""
    source: str
    recording: str
    """Path of the recording; empty where there is none."""
    status: str
    """``running`` or ``ended``; a crash leaves ``running``."""
    notes: str
    software: str
    basis: str
    summary: dict[str, Any]
    """What the analysis concluded; empty until it did. Missing numbers are None."""
    shoes: str
    """In a person's words; empty until told."""
    route: str
    thighs: str
    """``swapped`` where the thigh sensors were on each other's legs, as a person said; else empty."""
    strides: int
    last_t_s: float
    """Session time of the last stride, s; NaN without strides."""


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One event on its way to a sink."""

    id: int
    run: str
    athlete: str
    started_utc_ns: int
    kind: str
    """``stride``, ``split``, ``mark``, ``slip``, ``thighs_doubted``, ``gap``, ``calibration``,
    ``form_drift``, ``link`` or ``activity``."""
    event: Event


@dataclass(frozen=True, slots=True)
class SetAside:
    """A row that a sink will never take."""

    id: int
    run: str
    kind: str
    problem: str
    """What the sink's other side said."""


def run_row(row: Sequence[Any]) -> RunRow:
    """A row of ``RUNS_SQL``."""
    names = [f.name for f in fields(RunRow)]
    known = dict(zip(names, row, strict=True))
    known["summary"] = json.loads(known["summary"]) if known["summary"] else {}
    known["last_t_s"] = math.nan if known["last_t_s"] is None else known["last_t_s"]
    return RunRow(**known)


def summary_json(summary: Mapping[str, Any]) -> str:
    """The summary as JSON; what is not finite becomes null, arrays become lists."""
    return json.dumps(_finite(summary), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    if isinstance(value, np.ndarray):
        return _finite(value.tolist())
    if isinstance(value, np.generic):
        return _finite(value.item())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def own_id(db: sqlite3.Connection, header: RunHeader, recording: str) -> str:
    """The id under which this recording is kept already, or else the first that nobody has."""
    mine = "SELECT id FROM runs WHERE athlete = ? AND recording = ? AND recording <> ''"
    known = db.execute(mine, (header.athlete, recording)).fetchone()
    if known is not None:
        return str(known[0])
    names = chain(
        (header.run, f"{header.athlete}.{header.run}"),
        (f"{header.athlete}.{header.run}.{number}" for number in count(2)),
    )
    taken = "SELECT 1 FROM runs WHERE id = ?"
    return next(name for name in names if db.execute(taken, (name,)).fetchone() is None)
