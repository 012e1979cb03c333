"""Opening the SQLite file, and SQLite's errors in our words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from latemiles.errors import StoreError

__all__ = ["connect", "in_our_words", "transaction"]

BUSY_TIMEOUT_S = 5.0
"""How long a writer waits for another one; a commit takes milliseconds."""

_ADVICE = {
    sqlite3.SQLITE_BUSY: (
        "another program is writing to it and did not finish in time",
        "Wait for it to end, or give this one its own --home.",
    ),
    sqlite3.SQLITE_LOCKED: (
        "another part of the program holds it",
        "Close the other reader and try again.",
    ),
    sqlite3.SQLITE_FULL: (
        "the disk is full",
        "Free some space; the recording holds the run, so `latemiles analyze` can rebuild it.",
    ),
    sqlite3.SQLITE_NOTADB: (
        "it is not a database",
        "Move the file away, or choose another folder with --home.",
    ),
    sqlite3.SQLITE_CORRUPT: (
        "the file is damaged",
        "Move it away and run `latemiles analyze` on the recordings to rebuild it.",
    ),
    sqlite3.SQLITE_READONLY: (
        "it cannot be written",
        "Check the rights of the file and of its folder.",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "it cannot be opened",
        "Check that the folder exists and that you may write there.",
    ),
    sqlite3.SQLITE_IOERR: (
        "the disk does not read or write it",
        "Check the disk; the recording may still be whole.",
    ),
}


@contextmanager
def in_our_words(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into `StoreError` with advice."""
    try:
        yield
    except sqlite3.Error as error:
        # The low byte is the primary code; the rest only refines it.
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        problem, advice = _ADVICE.get(
            code, (f"SQLite says: {error}", "Run `latemiles doctor`; the recordings are not touched by this.")
        )
        raise StoreError(f"The store {path} cannot be used: {problem}. {advice}") from error


def connect(path: Path) -> sqlite3.Connection:
    """Open a connection in WAL mode, without Python's hidden transactions.

    WAL lets other processes read while one writes. ``synchronous=NORMAL`` may lose the last commits when
    the power fails, never the file; the recording holds those strides. ``secure_delete`` writes zeros over
    what is deleted, since a run is personal.
    """
    db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        db.execute("PRAGMA secure_delete=ON")
    except sqlite3.Error:
        db.close()
        raise
    return db


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All or nothing; takes the write lock at once, so that it cannot fail half way for a reader's sake."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
    except BaseException:
        # A full disk makes SQLite roll back by itself.
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")
