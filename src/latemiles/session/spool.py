"""What a gateway has heard, until its server has it: one SQLite file a run.

A frame is on the disk before it is sent, and the file is removed when the server has the whole run: an
outage, or the death of the gateway, costs nothing that was heard. An hour of three sensors is 30 MB.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from latemiles.errors import PacketError, StoreError
from latemiles.session.gateway_frames import pack, unpack
from latemiles.signals.records import Record, RunHeader
from latemiles.store.connection import connect, in_our_words, transaction

__all__ = ["Spool", "SpooledFrame", "waiting_spools"]


@dataclass(frozen=True, slots=True)
class SpooledFrame:
    """A frame as it is sent."""

    first: int
    end: int
    payload: bytes


class Spool:
    """The frames of one run.

    Parameters
    ----------
    path : path
        The file; made if it is missing.
    header : RunHeader or None
        Record number 0 of a new run; None: the file is there already.

    Raises
    ------
    StoreError
        If it cannot be opened or written, or another process has it.
    """

    def __init__(self, path: Path, header: RunHeader | None = None) -> None:
        self.path = path
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        with in_our_words(path):
            self._db = connect(path)
            # Held until the file is closed: another gateway must not take this run for one left over.
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS frames (first INTEGER, last INTEGER, payload BLOB, "
                "number INTEGER PRIMARY KEY)"
            )
            self._db.execute("CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value)")
            with transaction(self._db) as db:
                _set(db, "format", 1)
        if header is not None:
            self._remember("athlete", header.athlete)
            self._remember("run", header.run)
            self.add([header])

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, in_our_words(self.path), transaction(self._db) as db:
            yield db

    def add(self, records: list[Record], *, is_last: bool = False) -> None:
        """Keep a frame of records, the next in the run; ``is_last`` says that the run is over."""
        first = self.length
        payload = pack(first, records, is_last=is_last)
        end = first + len(records)
        with self._writing() as db:
            db.execute("INSERT INTO frames (first, last, payload) VALUES (?, ?, ?)", (first, end, payload))
            _set(db, "length", end)
            if is_last:
                _set(db, "is_ended", 1)

    def frames(self, start: int, limit: int, after_number: int = 0) -> list[tuple[int, SpooledFrame]]:
        """Frames with anything from record ``start`` on, each with its running number, in order.

        An empty last frame is always among them.
        """
        with self._lock, in_our_words(self.path):
            rows = self._db.execute(
                "SELECT number, first, last, payload FROM frames "
                "WHERE number > ? AND (last > ? OR first = last) ORDER BY number LIMIT ?",
                (after_number, start, limit),
            ).fetchall()
        return [(number, SpooledFrame(first, end, payload)) for number, first, end, payload in rows]

    def confirm(self, next_record: int) -> None:
        """Note what the server has. Nothing is forgotten before the run is over there: servers lose disks."""
        with self._writing() as db:
            _set(db, "confirmed", next_record)

    def remove(self) -> None:
        """The server has the whole run: close and delete the file."""
        self.close()
        for ending in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + ending).unlink(missing_ok=True)

    @property
    def length(self) -> int:
        """Records of the run so far."""
        return int(self._recall("length") or 0)

    @property
    def confirmed(self) -> int:
        """Records that the server has."""
        return int(self._recall("confirmed") or 0)

    @property
    def is_ended(self) -> bool:
        """Whether the run is over."""
        return bool(self._recall("is_ended"))

    @property
    def athlete(self) -> str:
        """Whose run it is."""
        return str(self._recall("athlete") or "")

    @property
    def run(self) -> str:
        """Which run."""
        return str(self._recall("run") or "")

    @property
    def bytes_waiting(self) -> int:
        """Size of what is not confirmed."""
        with self._lock, in_our_words(self.path):
            sql = "SELECT coalesce(sum(length(payload)), 0) FROM frames WHERE last > ?"
            return int(self._db.execute(sql, (int(self._recall("confirmed") or 0),)).fetchone()[0])

    def header(self) -> RunHeader:
        """The run's header.

        Raises
        ------
        PacketError
            If it cannot be read.
        """
        for _, frame in self.frames(0, 1):
            records = unpack(frame.payload).records
            if records and isinstance(records[0], RunHeader):
                return records[0]
        raise PacketError(f"{self.path} does not begin with a run's header. Move it away.")

    def _remember(self, name: str, value: str | int) -> None:
        with self._writing() as db:
            _set(db, name, value)

    def _recall(self, name: str) -> str | int | None:
        with in_our_words(self.path):
            row = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None


def _set(db: sqlite3.Connection, name: str, value: str | int) -> None:
    db.execute("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", (name, value))


def waiting_spools(folder: Path) -> list[Spool]:
    """Spools of earlier runs whose gateway died or whose server did not answer; each is ended first.

    Parameters
    ----------
    folder : path
        Where spools lie.
    """
    found = []
    for path in sorted(folder.glob("*.spool")):
        try:
            spool = Spool(path)
        except StoreError:
            # In use by another gateway, or damaged: it must not keep the new run from being heard.
            continue
        try:
            if spool.length == 0:
                # Its gateway died before it had written anything.
                spool.remove()
                continue
            spool.header()
            if not spool.is_ended:
                spool.add([], is_last=True)
        except (StoreError, PacketError):
            spool.close()
            continue
        found.append(spool)
    return found
