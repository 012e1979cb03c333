"""Runs, strides, splits and marks in one SQLite file, which is also the outbox that sinks follow."""

from latemiles.store.rows import OutboxRow, RunRow, SetAside
from latemiles.store.store import Store

__all__ = ["OutboxRow", "RunRow", "SetAside", "Store"]
