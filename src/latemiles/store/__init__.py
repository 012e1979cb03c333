"""Runs, strides, splits and marks in one SQLite file, which is also the outbox that sinks follow."""

from latemiles.store.library import ExerciseBlock, ExerciseSession, Library, StandingRow
from latemiles.store.rows import OutboxRow, RunRow, SetAside
from latemiles.store.store import Store

__all__ = [
    "ExerciseBlock",
    "ExerciseSession",
    "Library",
    "OutboxRow",
    "RunRow",
    "SetAside",
    "StandingRow",
    "Store",
]
