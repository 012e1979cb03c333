"""Writes a run down as it is heard; what was flushed survives the death of the process."""

from __future__ import annotations

import contextlib
import os
import zlib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final

from mcap.writer import LIBRARY_IDENTIFIER, CompressionType, Writer

from latemiles.errors import RecordingError
from latemiles.recording.format import (
    CHANNELS,
    HEADER_METADATA,
    PROFILE,
    FormatError,
    encode,
    header_to_json,
)
from latemiles.signals.records import Record, RunHeader

__all__ = ["RecordingWriter"]

CHUNK_BYTES: Final = 256 * 1024
"""A chunk is closed at this size even within its second: bounds memory and what one bad byte can spoil."""


def _library() -> str:
    try:
        own = version("latemiles")
    except PackageNotFoundError:
        own = "unknown"
    return f"latemiles {own}; {LIBRARY_IDENTIFIER}"


class RecordingWriter:
    """One run on its way into one file; docs/recording-format.md.

    Parameters
    ----------
    path_or_stream : path or binary stream
        The file to make, which must not exist; or an open stream, which stays open after ``close``.
    header : RunHeader
        What is known at the start; on the disk before the constructor returns.
    flush_every_s : float
        A chunk goes to the operating system once it spans this much session time, s.

    Raises
    ------
    RecordingError
        If the file exists, cannot be made, or cannot be written any more (disk full). After a failed
        write nothing more is taken; the file is torn and ``latemiles recover`` saves it.
    """

    def __init__(
        self,
        path_or_stream: str | PathLike[str] | BinaryIO,
        header: RunHeader,
        *,
        flush_every_s: float = 1.0,
    ) -> None:
        self.header = header
        self.records_written = 0
        self._flush_every_ns = round(flush_every_s * 1e9)
        self._chunk_start_ns: int | None = None
        self._is_open = True
        self._owns_stream = isinstance(path_or_stream, (str, PathLike))
        if isinstance(path_or_stream, (str, PathLike)):
            self.path = os.fspath(path_or_stream)
            self._stream = _create(self.path)
        else:
            self.path = str(getattr(path_or_stream, "name", "recording"))
            self._stream = path_or_stream
        self._mcap = Writer(
            self._stream, chunk_size=CHUNK_BYTES, compression=CompressionType.ZSTD, enable_data_crcs=True
        )
        self._begin()

    def _begin(self) -> None:
        with self._failing_once("write the header"):
            self._mcap.start(profile=PROFILE, library=_library())
            self._mcap.add_metadata(HEADER_METADATA, _header_metadata(self.header))
            schemas: dict[str, int] = {}
            for spec in CHANNELS:
                if spec.schema_name not in schemas:
                    schemas[spec.schema_name] = self._mcap.register_schema(
                        spec.schema_name, spec.schema_encoding, spec.schema
                    )
                self._mcap.register_channel(spec.topic, spec.message_encoding, schemas[spec.schema_name])
            self._write(self.header)
            self._mcap.flush()
            self.sync()

    def append(self, record: Record) -> None:
        """Take one record; costs microseconds, and a write to the operating system about once a second.

        Raises
        ------
        RecordingError
            If the writer is closed, the record is a second header or has a negative arrival, or the
            file cannot be written any more.
        """
        self._check_open()
        if isinstance(record, RunHeader):
            raise RecordingError(self.path, "A recording has one header. Start a new file for a new run.")
        with self._failing_once("write"):
            arrival_ns = self._write(record)
            if self._chunk_start_ns is None or arrival_ns < self._chunk_start_ns:
                self._chunk_start_ns = arrival_ns
            if arrival_ns - self._chunk_start_ns >= self._flush_every_ns:
                self._flush()

    def flush(self) -> None:
        """Hand everything taken so far to the operating system: from here on it survives ``kill -9``."""
        self._check_open()
        with self._failing_once("write"):
            self._flush()

    def sync(self) -> None:
        """Force what was flushed onto the disk (``fsync``): from here on it survives a power cut.

        May take long on slow media; may be called from another thread than ``append``.
        """
        if self._owns_stream and self._is_open:
            with self._failing_once("write"):
                os.fsync(self._stream.fileno())

    def close(self) -> None:
        """Write the summary and close the file; does nothing the second time."""
        if not self._is_open:
            return
        with self._failing_once("finish"):
            self._mcap.flush()
            self._mcap.add_metadata(HEADER_METADATA, _header_metadata(self.header))
            self._mcap.finish()
            self._stream.flush()
            self.sync()
            if self._owns_stream:
                self._stream.close()
        self._is_open = False

    def add_metadata(self, name: str, entries: dict[str, str]) -> None:
        """Add a note on the file itself, such as what a recovery lost; not a record of the run."""
        self._check_open()
        with self._failing_once("write"):
            self._flush()
            self._mcap.add_metadata(name, entries)

    def abandon(self) -> None:
        """Close the file without finishing it: it stays as a process that dies would leave it."""
        self._is_open = False
        if self._owns_stream:
            with contextlib.suppress(OSError):
                self._stream.close()

    def __enter__(self) -> RecordingWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, record: Record) -> int:
        try:
            channel, arrival_ns, data = encode(record)
        except FormatError as error:
            raise RecordingError(self.path, f"{error}. Give times since the start of the run.") from error
        self._mcap.add_message(
            channel, arrival_ns, data, arrival_ns, sequence=self.records_written & 0xFFFFFFFF
        )
        self.records_written += 1
        return arrival_ns

    def _flush(self) -> None:
        self._mcap.flush()
        self._chunk_start_ns = None

    def _check_open(self) -> None:
        if not self._is_open:
            raise RecordingError(self.path, "The recording is closed. Start a new file for a new run.")

    @contextlib.contextmanager
    def _failing_once(self, doing: str) -> Iterator[None]:
        """Translate a failed write, and give the file up: what follows a lost block would not be readable."""
        try:
            yield
        except OSError as error:
            self.abandon()
            raise RecordingError(
                self.path,
                f"Cannot {doing} ({error.strerror or error}). Make room or use another disk; "
                f"`latemiles recover {Path(self.path).name}` saves what was recorded until now.",
            ) from error


def _create(path: str) -> BinaryIO:
    try:
        return open(path, "xb")
    except FileExistsError as error:
        raise RecordingError(
            path, "The file exists and a recording is never overwritten. Choose another name."
        ) from error
    except OSError as error:
        raise RecordingError(
            path, f"Cannot make the file ({error.strerror}). Choose a folder that exists and can be written."
        ) from error


def _header_metadata(header: RunHeader) -> dict[str, str]:
    data = header_to_json(header)
    return {"header": data.decode("ascii"), "crc32": f"{zlib.crc32(data):08x}"}
