"""One JSON line an event, a file a run: for `tail -f`, jq and whatever reads lines."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from latemiles.signals.events import RunReplaced
from latemiles.sinks.messages import encoded, message, safe_name
from latemiles.sinks.outbox import Rejected, Row, SinkUnavailable

__all__ = ["JsonlSettings", "JsonlSink"]

_TAIL_BYTES: Final = 64 * 1024
"""Longer than any line."""


@dataclass(frozen=True, slots=True)
class JsonlSettings:
    """Table ``[jsonl]`` of the settings."""

    folder: Path


class JsonlSink:
    """Appends rows to ``<folder>/<athlete>/<run>.jsonl``; a row that is there already is not written again.

    Parameters
    ----------
    settings : JsonlSettings
        Where the files lie.
    """

    resend_rows = 0

    def __init__(self, settings: JsonlSettings) -> None:
        self._folder = settings.folder
        self.name = f"jsonl {settings.folder}"
        self.label = f"The folder {settings.folder}"

    async def open(self) -> None:
        """Nothing is kept open between batches."""

    async def deliver(self, rows: Sequence[Row]) -> Sequence[Rejected]:
        """Append rows and bring them to the disk.

        Raises
        ------
        SinkUnavailable
            If a file cannot be written.
        """
        files: dict[Path, list[Row]] = {}
        for row in rows:
            path = self._folder / safe_name(row.athlete) / f"{safe_name(row.run)}.jsonl"
            files.setdefault(path, []).append(row)
        for path, wanted in files.items():
            try:
                await asyncio.to_thread(_append, path, wanted)
            except OSError as error:
                raise SinkUnavailable(
                    f"{path} cannot be written ({error.strerror}). Make room, or change folder of [jsonl]."
                ) from error
        return ()

    async def idle(self) -> None:
        """Nothing to notice."""

    async def close(self) -> None:
        """Nothing to let go of."""

    async def check(self) -> None:
        """Whether the folder can be written.

        Raises
        ------
        SinkUnavailable
            If not.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SinkUnavailable(
                f"{self._folder} cannot be made ({error.strerror}). Change folder of [jsonl]."
            ) from error
        if not os.access(self._folder, os.W_OK):
            raise SinkUnavailable(f"{self._folder} cannot be written. Change folder of [jsonl].")


def _append(path: Path, rows: Sequence[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+b") as file:
        last_id = _mend(file)
        replaced = [place for place, row in enumerate(rows) if isinstance(row.event, RunReplaced)]
        if replaced and rows[replaced[-1]].id > last_id:
            # The run goes through the pipeline again: what is there is void.
            file.truncate(0)
            rows = rows[replaced[-1] :]
        lines = [encoded({"kind": row.kind, **message(row)}) + b"\n" for row in rows if row.id > last_id]
        file.write(b"".join(lines))
        file.flush()
        os.fsync(file.fileno())


def _mend(file: Any) -> int:
    """Cut off a line that a crash tore, and return the id of the last whole one; 0 without any."""
    size = file.seek(0, os.SEEK_END)
    start = max(0, size - _TAIL_BYTES)
    file.seek(start)
    tail = file.read()
    whole = tail.rfind(b"\n") + 1
    if whole < len(tail):
        file.truncate(start + whole)
    lines = tail[:whole].splitlines()
    return int(json.loads(lines[-1])["id"]) if lines else 0
