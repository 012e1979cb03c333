"""Finds every sound chunk of a file, whatever lies between them; for `verify` and `recover`.

A chunk is known by its zstd frame, which says itself where it ends, and believed when its CRC fits. So
neither a torn end nor damage in between, not even in the lengths and codes of the container, hides a
chunk that is sound.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final, NamedTuple

import zstandard
from mcap.opcode import Opcode

from latemiles.recording.container import (
    CHUNK_LIMIT,
    FRAME_MAGIC,
    MAGIC,
    MessageDecoder,
    first_sequence,
    has_closing,
    inflate,
    pieces,
    read_metadata,
    read_statistics,
)
from latemiles.recording.format import HEADER_METADATA, FormatError, header_from_json
from latemiles.signals.records import Record, RunHeader

__all__ = ["Loss", "Salvage", "find_header"]

CHUNK_HEAD_BYTES: Final = 53
"""From the start of a chunk's record to its zstd frame: 9 + 8 + 8 + 8 + 4 + (4 + 4, "zstd") + 8."""
FRAME_WINDOW: Final = 1024 * 1024
"""How far a frame is followed when its length field is damaged; ours are below 256 KiB."""
_SEARCH_BLOCK: Final = 256 * 1024
_TAIL_OF_HEAD: Final = struct.Struct("<QII4sQ")
"""Before the frame: uncompressed size, CRC, 4, "zstd", length of the frame."""


@dataclass(frozen=True, slots=True)
class Loss:
    """A stretch of the file that gave nothing back."""

    first_byte: int
    end_byte: int
    records: int | None
    """How many records it held, by their running numbers; None where that cannot be known."""
    from_s: float
    """Session time of the last record before it, s."""
    to_s: float | None
    """Session time of the first record after it, s; None at the end of the file."""
    reason: str

    def line(self) -> str:
        """The loss in one line."""
        count = "an unknown number of records" if self.records is None else f"{self.records} records"
        until = "the end" if self.to_s is None else f"{self.to_s:.3f} s"
        return (
            f"bytes {self.first_byte} to {self.end_byte} ({self.end_byte - self.first_byte} bytes): "
            f"{count} between {self.from_s:.3f} s and {until}: {self.reason}"
        )


class _Frame(NamedTuple):
    content: bytes
    start: int
    """Where the chunk's record begins."""
    end: int


class Salvage:
    """One pass over a file that may be damaged.

    Parameters
    ----------
    file : binary file
        Open for reading; its position is moved.
    size : int
        Length, bytes.

    Attributes
    ----------
    losses : list of Loss
        Complete once `chunks` has ended.
    torn_at : int or None
        First byte that belongs to nothing whole, if the file ends in the middle; complete as ``losses``.
    n_chunks, n_bad_chunks : int
        Sound chunks; stretches where a chunk was expected and none is sound.
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.losses: list[Loss] = []
        self.torn_at: int | None = None
        self.n_chunks = 0
        self.n_bad_chunks = 0
        self._file = file
        self._size = size
        self._decoder = MessageDecoder(fixed_channels=True)
        self._expected = 0
        self._last_s = 0.0

    def chunks(self) -> Iterator[list[Record]]:
        """Records of each sound chunk, in file order; foreign topics are left out."""
        position = len(MAGIC)
        while True:
            walked = self._walk(position)
            frame = self._frame_at(walked + CHUNK_HEAD_BYTES) if walked is not None else None
            if frame is not None and first_sequence(frame.content) != self._expected:
                # A chunk whose code is damaged is walked past like any record of another kind.
                frame = self._search(position)
            if frame is None:
                if walked is None and self._ends_well(position):
                    break
                frame = self._search(position)
            if frame is None:
                break
            records = self._take(frame, position, frame.start == walked and self._has_sound_head(frame))
            self.n_chunks += 1
            position = frame.end
            yield records
        self._close(position)

    def _walk(self, position: int) -> int | None:
        """Start of the next chunk if the container is sound up to it."""
        try:
            for piece in pieces(self._file, self._size, (), start=position):
                if piece.opcode == Opcode.CHUNK:
                    return piece.offset
                if piece.opcode == Opcode.DATA_END:
                    return None
        except FormatError:
            pass
        return None

    def _ends_well(self, position: int) -> bool:
        """Whether only sound records up to the footer follow."""
        end, _ = self._sound_end(position)
        return end == self._size - len(MAGIC) and has_closing(self._file, self._size)

    def _sound_end(self, position: int) -> tuple[int, bool]:
        """Where the sound records end, and whether the end of the data section is among them."""
        end, has_data_end = position, False
        try:
            for piece in pieces(self._file, self._size, (), start=position):
                # A chunk here is one that was found unsound: the sound part ends before it.
                if piece.opcode == Opcode.CHUNK:
                    break
                end = piece.end
                has_data_end = has_data_end or (piece.opcode == Opcode.DATA_END and end - piece.offset == 13)
        except FormatError:
            pass
        return end, has_data_end

    def _has_sound_head(self, frame: _Frame) -> bool:
        for piece in pieces(self._file, self._size, (), start=frame.start):
            return piece.end == frame.end
        return False

    def _frame_at(self, start: int) -> _Frame | None:
        """The chunk whose zstd frame begins at ``start``, if its CRC fits."""
        if start < CHUNK_HEAD_BYTES:
            return None
        self._file.seek(start - _TAIL_OF_HEAD.size)
        head = self._file.read(_TAIL_OF_HEAD.size)
        if len(head) < _TAIL_OF_HEAD.size:
            return None
        content_size, crc, _, _, length = _TAIL_OF_HEAD.unpack(head)
        if 0 < length <= min(CHUNK_LIMIT, self._size - start):
            frame = self._file.read(length)
            try:
                content = inflate(frame, content_size)
            except FormatError:
                content = b""
            if content and zlib.crc32(content) == crc:
                return _Frame(content, start - CHUNK_HEAD_BYTES, start + length)
        self._file.seek(start)
        return _follow_frame(self._file.read(FRAME_WINDOW), start, crc)

    def _search(self, position: int) -> _Frame | None:
        while (found := _find(self._file, FRAME_MAGIC, position)) is not None:
            frame = self._frame_at(found)
            if frame is not None:
                return frame
            position = found + 1
        return None

    def _take(self, frame: _Frame, position: int, is_whole: bool) -> list[Record]:
        """Records of a sound chunk; notes what was lost before it and inside it."""
        records: list[Record] = []
        first: int | None = None
        reason = ""
        number = self._expected
        try:
            for number, record in self._decoder.records(frame.content):
                if first is None:
                    first = number
                if record is not None:
                    records.append(record)
        except FormatError as error:
            reason = str(error)
        lost = 0 if first is None else (first - self._expected) & 0xFFFFFFFF
        if lost or not is_whole:
            self.n_bad_chunks += 1
            to_s = _arrival_s(records[0]) if records else self._last_s
            self.losses.append(
                Loss(position, frame.start, lost, self._last_s, to_s, "the bytes there are damaged")
            )
        if records:
            self._last_s = _arrival_s(records[-1])
        if reason:
            self.losses.append(Loss(frame.start, frame.end, None, self._last_s, self._last_s, reason))
        if first is not None:
            self._expected = (number + 1) & 0xFFFFFFFF
        return records

    def _close(self, position: int) -> None:
        """Note what is wrong after the last sound chunk."""
        if self._ends_well(position):
            statistics = read_statistics(self._file, self._size)
            missing = 0 if statistics is None else (statistics.message_count - self._expected) & 0xFFFFFFFF
            if missing:
                self.n_bad_chunks += 1
                self._lose(position, missing, "the bytes there are damaged")
            return
        sound_end, has_data_end = self._sound_end(position)
        if not has_closing(self._file, self._size):
            self.torn_at = sound_end
            if has_data_end:
                self._lose(sound_end, 0, "the file ends here, after its last record")
            else:
                self._lose(sound_end, None, "the file ends here, inside what was being written")
            return
        statistics = read_statistics(self._file, self._size)
        missing_known = (
            None if statistics is None else (statistics.message_count - self._expected) & 0xFFFFFFFF
        )
        self.n_bad_chunks += missing_known != 0
        self._lose(sound_end, missing_known, "the bytes there are damaged")

    def _lose(self, first_byte: int, records: int | None, reason: str) -> None:
        self.losses.append(Loss(first_byte, self._size, records, self._last_s, None, reason))


def find_header(file: BinaryIO) -> RunHeader | None:
    """The header from the first of its metadata copies that is sound; None if none is."""
    name = HEADER_METADATA.encode()
    needle = struct.pack("<I", len(name)) + name
    position = 0
    while (found := _find(file, needle, position)) is not None:
        file.seek(found)
        try:
            _, entries = read_metadata(file.read(FRAME_WINDOW))
            data = entries["header"].encode()
            if f"{zlib.crc32(data):08x}" == entries["crc32"]:
                return header_from_json(data)
        except (FormatError, KeyError):
            pass
        position = found + 1
    return None


def _follow_frame(window: bytes, start: int, crc: int) -> _Frame | None:
    if not window.startswith(FRAME_MAGIC):
        return None
    try:
        content_size = zstandard.frame_content_size(window)
        if not 0 < content_size <= FRAME_WINDOW:
            return None
        inflater = zstandard.ZstdDecompressor(max_window_size=2 * FRAME_WINDOW).decompressobj()
        content = inflater.decompress(window)
    except zstandard.ZstdError:
        return None
    if not inflater.eof or zlib.crc32(content) != crc:
        return None
    return _Frame(content, start - CHUNK_HEAD_BYTES, start + len(window) - len(inflater.unused_data))


def _find(file: BinaryIO, needle: bytes, position: int) -> int | None:
    """First place at or after ``position`` where the needle begins; a block in memory at a time."""
    file.seek(position)
    kept = b""
    while block := file.read(_SEARCH_BLOCK):
        window = kept + block
        found = window.find(needle)
        if found >= 0:
            return position + found
        kept = window[-(len(needle) - 1) :]
        position += len(window) - len(kept)
    return None


def _arrival_s(record: Record) -> float:
    return 0.0 if isinstance(record, RunHeader) else record.arrival_ns * 1e-9
