"""Reads a run back, record by record, in the order in which it was heard."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from functools import cached_property
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Final, TypeVar

import numpy as np
import zstandard
from mcap.opcode import Opcode

from latemiles.errors import RecordingError, TornRecording
from latemiles.recording.container import (
    MAGIC,
    MessageDecoder,
    Piece,
    check_opening,
    chunks,
    has_closing,
    open_chunk,
    pieces,
    read_statistics,
)
from latemiles.recording.format import FORMAT_VERSION, FormatError, profile_version
from latemiles.signals.records import Mark, Record, RunHeader
from latemiles.signals.stretches import Stretch

if TYPE_CHECKING:
    from latemiles.signals.blocks import ImuStream
    from latemiles.signals.frames import Segment

__all__ = ["Recording"]

Read = TypeVar("Read", Record, Stretch)

STRETCH_BYTES: Final = 512 * 1024
"""So much of a recording is taken at once, most of a minute of three sensors: more does not fit a cache."""

KEPT_BYTES: Final = 160 * 1024 * 1024
"""So much of a recording is kept from the first of two passes to the second, more than four hours of three
sensors: inflating it takes longer than most of what is done with it."""

_BODIES = (Opcode.CHUNK,)


class Recording:
    """A whole recording; make one with `open`.

    Attributes
    ----------
    path : str
        The file.
    header : RunHeader
        What was known when the run started.
    """

    def __init__(self, path: str, header: RunHeader, size: int) -> None:
        self.path = path
        self.header = header
        self._size = size
        self._heard: dict[tuple[int, int, bytes], Record] = {}
        """What lies between the packets, as far as it was decoded: words of speed, marks."""
        self._start: _Start | None = None

    @classmethod
    def open(cls, path: str | PathLike[str]) -> Recording:
        """Open a recording and read its header.

        Parameters
        ----------
        path : path
            A file that `RecordingWriter`, ``latemiles import`` or ``latemiles recover`` made.

        Raises
        ------
        TornRecording
            If the file ends in the middle: the advice is ``latemiles recover``.
        RecordingError
            If it is missing, empty, not a recording of ours, of a newer version, or damaged at its start.
        """
        name = os.fspath(path)
        with open_file(name) as file:
            size = checked_size(file, name)
            check_profile(file, name)
            if not has_closing(file, size):
                raise TornRecording(
                    name,
                    f"The recording ends in the middle, at byte {size}. "
                    f"Run `latemiles recover {name}` to save what it holds.",
                )
        first = next(_records(name, size), None)
        if not isinstance(first, RunHeader):
            raise RecordingError(
                name, "The recording does not begin with its header. Make it again from its source."
            )
        return cls(name, first, size)

    def records(self) -> Iterator[Record]:
        """Every record in file order, the header first; one chunk in memory at a time.

        Raises
        ------
        RecordingError
            At the first damage; what came before it is sound (each chunk is checked before it is used).
        """
        return _records(self.path, self._size)

    def stretches(self) -> Iterator[Stretch]:
        """The same as ``records``, a minute at a time, for whoever wants them all quickly.

        Raises
        ------
        RecordingError
            At the first damage.
        """
        return _reading(self.path, self._size, self._read_stretches)

    def _read_stretches(self, file: BinaryIO, size: int) -> Iterator[Stretch]:
        start, self._start = self._start or _Start(self._heard), None
        # Kept is what the first of two passes read, and no longer than to the second one.
        keeps = None if start.stretches else _Start(self._heard)
        yield from _sound_stretches(file, size, start, keeps)
        self._start = keeps

    @cached_property
    def marks(self) -> tuple[Mark, ...]:
        """Every mark, in order; reads the file once."""
        return tuple(record for record in self.records() if isinstance(record, Mark))

    @cached_property
    def duration_s(self) -> float:
        """Session time of the last record, s; 0 for a recording with only a header."""
        with open_file(self.path) as file:
            statistics = read_statistics(file, self._size)
        if statistics is not None:
            return float(statistics.message_end_time * 1e-9)
        return max((getattr(record, "arrival_ns", 0) for record in self.records()), default=0) * 1e-9

    def streams(self) -> dict[Segment, ImuStream]:
        """Samples of each sensor in session time, whole in memory; see `recording.streams.decode_streams`."""
        # Decoding needs the compiled clock; replaying a file does not, and starts faster without.
        from latemiles.recording.streams import decode_streams

        return decode_streams(self)

    def close(self) -> None:
        """Nothing is held open between calls; here so that a recording can be used as a context."""

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_file(path: str) -> BinaryIO:
    """Open for reading; raises RecordingError with advice where that fails."""
    try:
        return open(path, "rb")
    except FileNotFoundError as error:
        raise RecordingError(path, "There is no such file. Check the name.") from error
    except IsADirectoryError as error:
        raise RecordingError(path, "This is a folder. Name one file in it.") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise RecordingError(path, f"Cannot open the file ({error}). Check its permissions.") from error


def checked_size(file: BinaryIO, path: str) -> int:
    """Length of the file, bytes; raises RecordingError if it is empty."""
    size = os.fstat(file.fileno()).st_size
    if size == 0:
        raise RecordingError(
            path, "The file is empty (0 bytes). There is nothing to read; record or copy it again."
        )
    return size


def check_profile(file: BinaryIO, path: str) -> None:
    """Raise RecordingError unless the file is a recording of ours of a version that can be read."""
    try:
        profile = check_opening(file)
    except FormatError as error:
        raise _not_a_recording(file, path, str(error)) from error
    except OSError as error:
        raise RecordingError(
            path, f"Cannot read the file ({error.strerror}). Copy it to another disk."
        ) from error
    version = profile_version(profile)
    if version is None:
        raise RecordingError(
            path,
            f"An MCAP file, but not of latemiles (its profile is {profile!r:.40}). "
            "Give a recording that latemiles made, or bring samples in with `latemiles import`.",
        )
    if version > FORMAT_VERSION:
        raise RecordingError(
            path,
            f"Written in format version {version}; this latemiles reads up to {FORMAT_VERSION}. "
            "Update latemiles.",
        )


def _not_a_recording(file: BinaryIO, path: str, reason: str) -> RecordingError:
    file.seek(0)
    opening = file.read(256)
    if opening.startswith(b"PK\x03\x04"):
        return RecordingError(
            path, "A zip or npz file, not a recording. Bring it in with `latemiles import npz`."
        )
    if opening[: len(MAGIC)] == MAGIC[: len(opening)] or opening.startswith(MAGIC):
        return TornRecording(
            path, f"The recording is torn at its start: {reason}. Try `latemiles recover {path}`."
        )
    if b"\0" not in opening and sum(byte < 0x80 for byte in opening) > 0.9 * len(opening):
        return RecordingError(
            path,
            "A text file, not a recording. If it holds samples, bring it in with `latemiles import csv`.",
        )
    return RecordingError(
        path, f"Not a recording: {reason}. Check the name, or try `latemiles recover {path}`."
    )


def _records(path: str, size: int) -> Iterator[Record]:
    return _reading(path, size, _sound_records)


def _reading(path: str, size: int, read: Callable[[BinaryIO, int], Iterator[Read]]) -> Iterator[Read]:
    with open_file(path) as file:
        try:
            yield from read(file, size)
        except FormatError as error:
            raise RecordingError(
                path, f"The recording is damaged: {error}. Run `latemiles recover {path}` to save the rest."
            ) from error
        except OSError as error:
            raise RecordingError(
                path, f"Cannot read on ({error.strerror}). Copy the file to another disk and try again."
            ) from error


def _sound_records(file: BinaryIO, size: int) -> Iterator[Record]:
    statistics = read_statistics(file, size)
    decoder = MessageDecoder()
    expected = 0
    for piece in _chunks(file, size):
        for sequence, record in decoder.records(open_chunk(piece.body)):
            # A damaged opcode makes a chunk look like something to be passed over: the count tells.
            if sequence != expected:
                raise FormatError(f"record {expected} is missing before byte {piece.offset}")
            expected = (expected + 1) & 0xFFFFFFFF
            if record is not None:
                yield record
    if statistics is not None and statistics.message_count & 0xFFFFFFFF != expected:
        raise FormatError(f"it holds {expected} records of {statistics.message_count}")


class _Start:
    """What was read of a file already, to be given out again, and where to go on."""

    def __init__(self, heard: dict[tuple[int, int, bytes], Record]) -> None:
        self.stretches: deque[Stretch] = deque()
        self.room = KEPT_BYTES
        self.offset = len(MAGIC)
        self.expected = 0
        self.decoder = MessageDecoder(heard=heard)

    def keep(self, stretch: Stretch, offset: int, expected: int, decoder: MessageDecoder) -> None:
        """Keep the next stretch, which ends at a byte of the file, unless there is no room for it."""
        self.room -= len(stretch.data)
        if self.room >= 0:
            self.stretches.append(stretch)
            self.offset, self.expected, self.decoder = offset, expected, decoder


def _sound_stretches(file: BinaryIO, size: int, start: _Start, keeps: _Start | None) -> Iterator[Stretch]:
    while start.stretches:
        yield start.stretches.popleft()
    statistics = read_statistics(file, size)
    decoder, expected = start.decoder, start.expected
    for offset, end, data in _joined_chunks(file, size, start.offset):
        sequence, stretch = decoder.stretch(data)
        wanted = (expected + np.arange(len(sequence))) & 0xFFFFFFFF
        wrong = np.flatnonzero(sequence != wanted)
        if wrong.size:
            raise FormatError(f"record {wanted[wrong[0]]} is missing before byte {offset}")
        expected = (expected + len(sequence)) & 0xFFFFFFFF
        if keeps is not None:
            keeps.keep(stretch, end, expected, decoder)
        yield stretch
    if statistics is not None and statistics.message_count & 0xFFFFFFFF != expected:
        raise FormatError(f"it holds {expected} records of {statistics.message_count}")


def _joined_chunks(file: BinaryIO, size: int, start: int) -> Iterator[tuple[int, int, bytes]]:
    """What the chunks hold, some in one: a recorder closes a chunk a second. Also where the last one lies."""
    parts: list[bytes] = []
    offset, end, room = 0, 0, STRETCH_BYTES
    opener = zstandard.ZstdDecompressor()
    for piece in chunks(file, size, start=start):
        parts.append(open_chunk(piece.body, opener))
        offset, end = piece.offset, piece.end
        room -= len(parts[-1])
        if room <= 0:
            yield offset, end, b"".join(parts)
            parts, room = [], STRETCH_BYTES
    if parts:
        yield offset, end, b"".join(parts)


def _chunks(file: BinaryIO, size: int) -> Iterator[Piece]:
    """The chunks of the file, up to the end of its data."""
    for piece in pieces(file, size, _BODIES):
        if piece.opcode == Opcode.DATA_END:
            return
        if piece.opcode == Opcode.CHUNK:
            yield piece
