"""The MCAP container, read with suspicion: every length is checked before it is believed.

The strict reader and the salvage share these; both see bytes only, never the meaning of a record.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Collection, Iterator
from io import BytesIO
from typing import BinaryIO, Final, NamedTuple

import numpy as np
import zstandard
from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Channel, Footer, Header, Metadata, Statistics

from latemiles.recording.format import CHANNELS, Decoder, FormatError, decoder_for, packet_lane
from latemiles.signals.records import Record
from latemiles.signals.stretches import I8, Stretch

__all__ = [
    "CHUNK_LIMIT",
    "FRAME_MAGIC",
    "MAGIC",
    "UNREADABLE",
    "MessageDecoder",
    "Piece",
    "check_opening",
    "chunks",
    "first_sequence",
    "has_closing",
    "inflate",
    "open_chunk",
    "pieces",
    "read_metadata",
    "read_statistics",
    "section_crc",
]

MAGIC: Final = b"\x89MCAP0\r\n"
FRAME_MAGIC: Final = b"\x28\xb5\x2f\xfd"
"""First bytes of a zstd frame."""
CHUNK_LIMIT: Final = 64 * 1024 * 1024
"""Larger chunks are refused, so that a corrupt length cannot eat the memory; ours have 256 KiB."""
FOOTER_BYTES: Final = 9 + 20

UNREADABLE: Final = (struct.error, UnicodeDecodeError, McapError, OverflowError)
"""What the parsers of the mcap package raise on corrupt bytes; the last for a length beyond 2^63."""

_RECORD_HEAD: Final = struct.Struct("<BQ")
_MESSAGE_HEAD: Final = struct.Struct("<HIQQ")
_INNER_HEAD_BYTES: Final = _RECORD_HEAD.size
_CHUNK_HEAD: Final = struct.Struct("<QQQII")
"""Start, end, size and CRC of what a chunk holds, and the length of the name of its compression."""
_LENGTH: Final = struct.Struct("<Q")
_ENDS: Final = (Opcode.DATA_END, Opcode.FOOTER)
_BLOCK_BYTES: Final = 256 * 1024
"""So much of a file is read at once."""


class Piece(NamedTuple):
    """One record of the container."""

    offset: int
    end: int
    opcode: int
    body: bytes | memoryview
    """Empty unless it was asked for."""


def check_opening(file: BinaryIO) -> str:
    """Profile of an MCAP file whose opening is sound.

    Raises
    ------
    FormatError
        If the file does not begin with the magic and a header record.
    """
    file.seek(0)
    opening = file.read(4096)
    if not opening.startswith(MAGIC):
        raise FormatError("it does not begin as an MCAP file does")
    if len(opening) < len(MAGIC) + _RECORD_HEAD.size:
        raise FormatError("it ends inside its first record")
    opcode, length = _RECORD_HEAD.unpack_from(opening, len(MAGIC))
    body = opening[len(MAGIC) + _RECORD_HEAD.size :][:length]
    if opcode != Opcode.HEADER or len(body) != length:
        raise FormatError("its first record is not an MCAP header")
    try:
        return str(Header.read(ReadDataStream(BytesIO(body))).profile)
    except UNREADABLE as error:
        raise FormatError("its first record cannot be read") from error


def has_closing(file: BinaryIO, size: int) -> bool:
    """Whether the file ends with the magic, as one does that was closed."""
    if size < 2 * len(MAGIC):
        return False
    file.seek(size - len(MAGIC))
    return file.read(len(MAGIC)) == MAGIC


def pieces(file: BinaryIO, size: int, bodies: Collection[int], *, start: int = len(MAGIC)) -> Iterator[Piece]:
    """Records of the container in order, up to and with the footer.

    Parameters
    ----------
    file : binary file
        Its position is moved.
    size : int
        Length of the file, bytes.
    bodies : collection of int
        Opcodes whose bodies are read; the others are passed over.
    start : int
        Where to begin, which must be the start of a record.

    Raises
    ------
    FormatError
        At a record that does not fit into the file; everything before it has been yielded.
    """
    offset, block, block_start = start, b"", start
    while True:
        at = offset - block_start
        if len(block) - at < _RECORD_HEAD.size:
            block, block_start, at = _read(file, offset, _BLOCK_BYTES), offset, 0
            if len(block) < _RECORD_HEAD.size:
                raise FormatError(f"it ends at byte {size} inside a record")
        opcode, length = _RECORD_HEAD.unpack_from(block, at)
        end = offset + _RECORD_HEAD.size + length
        if opcode == 0 or end > size:
            raise FormatError(f"byte {offset} does not begin a sound record")
        body = b""
        if opcode in bodies:
            if length > CHUNK_LIMIT + 4096:
                raise FormatError(f"the record at byte {offset} claims {length} bytes")
            if end - block_start > len(block):
                wanted = max(_RECORD_HEAD.size + length, _BLOCK_BYTES)
                block, block_start, at = _read(file, offset, wanted), offset, 0
            body = block[at + _RECORD_HEAD.size : end - block_start]
            if len(body) < length:
                raise FormatError(f"it ends at byte {size} inside a record")
        yield Piece(offset, end, opcode, body)
        if opcode == Opcode.FOOTER:
            return
        offset = end
        if end - block_start > len(block):
            block, block_start = b"", end


def chunks(file: BinaryIO, size: int, *, start: int = len(MAGIC)) -> Iterator[Piece]:
    """The chunks of the file, up to the end of its data; arguments and errors as of ``pieces``."""
    # Compiled, and so slow to import: replaying a file does not need it.
    from latemiles.kernels.unpack import scan_records

    offset = start
    heads = np.empty((3, _BLOCK_BYTES // _RECORD_HEAD.size + 1), dtype=np.int64)
    while True:
        block = _read(file, offset, _BLOCK_BYTES)
        found, end = scan_records(np.frombuffer(block, dtype=np.uint8), *heads)
        if not found:
            # Longer than a block, or damaged: with care.
            piece = next(pieces(file, size, (Opcode.CHUNK,), start=offset))
            if piece.opcode in _ENDS:
                return
            if piece.opcode == Opcode.CHUNK:
                yield piece
            offset = piece.end
            continue
        opcodes = heads[0, :found]
        # Between two chunks lie several indices: only what matters goes through Python.
        which = np.flatnonzero((opcodes == Opcode.CHUNK) | (opcodes == _ENDS[0]) | (opcodes == _ENDS[1]))
        for opcode, start, stop in heads[:, which].T.tolist():
            if opcode != Opcode.CHUNK:
                return
            # As a view: a chunk is copied when it is inflated, and not before.
            yield Piece(
                offset + start - _RECORD_HEAD.size, offset + stop, opcode, memoryview(block)[start:stop]
            )
        offset += end


def _read(file: BinaryIO, start: int, count: int) -> bytes:
    file.seek(start)
    return file.read(count)


def open_chunk(body: bytes | memoryview, opener: zstandard.ZstdDecompressor | None = None) -> bytes:
    """Records inside a chunk, inflated and checked against its CRC; an opener is for one thread alone.

    Raises
    ------
    FormatError
        If the chunk is damaged, too large, or compressed in another way.
    """
    try:
        _, _, size, crc, named = _CHUNK_HEAD.unpack_from(body)
        at = _CHUNK_HEAD.size + named
        compression = bytes(body[_CHUNK_HEAD.size : at]).decode("utf-8")
        (length,) = _LENGTH.unpack_from(body, at)
    except UNREADABLE as error:
        raise FormatError("a chunk cannot be read") from error
    data = memoryview(body)[at + _LENGTH.size : at + _LENGTH.size + length]
    if len(data) < length:
        raise FormatError("a chunk cannot be read")
    if compression == "zstd":
        records = inflate(data, size, opener)
    elif compression == "":
        records = bytes(data)
    else:
        raise FormatError(f"a chunk is compressed with {compression!r:.20}, not zstd")
    if crc != 0 and zlib.crc32(records) != crc:
        raise FormatError("a chunk fails its CRC check")
    return records


def inflate(
    frame: bytes | memoryview, expected_size: int, opener: zstandard.ZstdDecompressor | None = None
) -> bytes:
    """Content of one zstd frame that must have the expected size; raises FormatError."""
    try:
        # A frame names its size and the library allocates that much: compare before believing it.
        if zstandard.frame_content_size(frame) not in (expected_size, -1) or expected_size > CHUNK_LIMIT:
            raise FormatError("a chunk's size is not what it says")
        opener = opener or zstandard.ZstdDecompressor()
        content = opener.decompress(frame, max_output_size=expected_size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise FormatError("a chunk cannot be decompressed") from error
    if len(content) != expected_size:
        raise FormatError("a chunk's size is not what it says")
    return content


def read_metadata(body: bytes) -> tuple[str, dict[str, str]]:
    """Name and entries of a metadata record; raises FormatError."""
    try:
        metadata = Metadata.read(ReadDataStream(BytesIO(body)))
    except UNREADABLE as error:
        raise FormatError("a metadata record cannot be read") from error
    return metadata.name, metadata.metadata


def section_crc(file: BinaryIO, start: int, end: int) -> int:
    """CRC-32 of the bytes from ``start`` to ``end``."""
    file.seek(start)
    crc, left = 0, end - start
    while left > 0 and (block := file.read(min(left, 1024 * 1024))):
        crc = zlib.crc32(block, crc)
        left -= len(block)
    return crc


def read_statistics(file: BinaryIO, size: int) -> Statistics | None:
    """The summary's statistics; None where there is no summary or it fails its CRC check."""
    start = size - len(MAGIC) - FOOTER_BYTES
    if start < len(MAGIC):
        return None
    try:
        footer_piece = next(pieces(file, size, (Opcode.FOOTER,), start=start))
        footer = Footer.read(ReadDataStream(BytesIO(footer_piece.body)))
        if not len(MAGIC) <= footer.summary_start < start:
            return None
        if footer.summary_crc not in (0, section_crc(file, footer.summary_start, footer_piece.end - 4)):
            return None
        for piece in pieces(file, size, (Opcode.STATISTICS,), start=footer.summary_start):
            if piece.opcode == Opcode.STATISTICS:
                statistics: Statistics = Statistics.read(ReadDataStream(BytesIO(piece.body)))
                return statistics
    except (*UNREADABLE, FormatError):
        return None
    return None


def first_sequence(data: bytes) -> int | None:
    """Running number of the first message inside an inflated chunk; None if there is none."""
    offset = 0
    while offset + _INNER_HEAD_BYTES + _MESSAGE_HEAD.size <= len(data):
        opcode, length = _RECORD_HEAD.unpack_from(data, offset)
        if opcode == Opcode.MESSAGE:
            return int(_MESSAGE_HEAD.unpack_from(data, offset + _INNER_HEAD_BYTES)[1])
        offset += _INNER_HEAD_BYTES + length
    return None


class MessageDecoder:
    """Turns the records inside chunks into records of ours; remembers the channels it has seen.

    Parameters
    ----------
    fixed_channels : bool
        Start with the ids that the format fixes, for a file whose first chunk is damaged.
    heard : dict, optional
        Records that are no packets, by channel, time and bytes, which ``stretch`` need not decode again: for
        whoever goes through a file twice.
    """

    def __init__(
        self, *, fixed_channels: bool = False, heard: dict[tuple[int, int, bytes], Record] | None = None
    ) -> None:
        self._heard = {} if heard is None else heard
        self._decoders: dict[int, Decoder | None] = {}
        self._lanes: dict[int, int] = {}
        if fixed_channels:
            for channel_id, spec in enumerate(CHANNELS, start=1):
                self._decoders[channel_id] = decoder_for(spec.topic)

    def records(self, data: bytes) -> Iterator[tuple[int, Record | None]]:
        """Sequence number and record of each message; None for a message of a topic that is not ours.

        Raises
        ------
        FormatError
            At the first message that cannot be read.
        """
        offset, size = 0, len(data)
        unpack_record, unpack_message = _RECORD_HEAD.unpack_from, _MESSAGE_HEAD.unpack_from
        while offset < size:
            if size - offset < _INNER_HEAD_BYTES:
                raise FormatError("a chunk ends inside a record")
            opcode, length = unpack_record(data, offset)
            start = offset + _INNER_HEAD_BYTES
            offset = start + length
            if offset > size:
                raise FormatError("a chunk ends inside a record")
            if opcode == 5:  # Opcode.MESSAGE; a literal, as this is the one hot loop of reading
                if length < _MESSAGE_HEAD.size:
                    raise FormatError("a message is too short")
                channel, sequence, log_time, _ = unpack_message(data, start)
                yield sequence, self.message(channel, log_time, data[start + _MESSAGE_HEAD.size : offset])
            elif opcode == Opcode.CHANNEL:
                self.add_channel(data[start:offset])

    def add_channel(self, body: bytes) -> None:
        """Take note of a channel record; raises FormatError."""
        try:
            channel = Channel.read(ReadDataStream(BytesIO(body)))
        except UNREADABLE as error:
            raise FormatError("a channel cannot be read") from error
        self._decoders[channel.id] = decoder_for(channel.topic)
        lane = packet_lane(channel.topic)
        if lane is not None:
            self._lanes[channel.id] = lane

    def message(self, channel: int, arrival_ns: int, data: bytes) -> Record | None:
        """One message as a record; None for a topic that is not ours; raises FormatError."""
        try:
            decoder = self._decoders[channel]
        except KeyError as error:
            raise FormatError(f"a message is of channel {channel}, which is not described") from error
        return None if decoder is None else decoder(arrival_ns, data)

    def stretch(self, data: bytes) -> tuple[I8, Stretch]:
        """Running numbers of all messages, and the same records as ``records`` gives, as one stretch.

        Raises
        ------
        FormatError
            If a message cannot be read.
        """
        channel, sequence, log_time, start, stop = self._heads(data)
        lane = np.full(len(channel), -1, dtype=np.int64)
        for known, of_packets in self._lanes.items():
            lane[channel == known] = of_packets
        packets = np.flatnonzero(lane >= 0)
        others: list[tuple[int, Record]] = []
        rest = np.flatnonzero(lane < 0)
        columns = (np.searchsorted(packets, rest), channel[rest], log_time[rest], start[rest], stop[rest])
        for before, of, at, a, b in zip(*(column.tolist() for column in columns), strict=True):
            body = data[a:b]
            record = self._heard.get((of, at, body)) or self.message(of, at, body)
            if record is not None:
                self._heard[of, at, body] = record
                others.append((before, record))
        arrival_ns, lane, start, stop = (column[packets] for column in (log_time, lane, start, stop))
        return sequence, Stretch(data, arrival_ns, lane, start, stop, tuple(others))

    def _heads(self, data: bytes) -> I8:
        """Channel, running number, time, start and stop of each message, (5, n); takes note of channels."""
        # Compiled, and so slow to import: replaying a file does not need it.
        from latemiles.kernels.unpack import scan_messages

        raw, size = np.frombuffer(data, dtype=np.uint8), len(data)
        room = size // (_INNER_HEAD_BYTES + _MESSAGE_HEAD.size) + 1
        heads = np.empty((5, room), dtype=np.int64)
        found, at = 0, 0
        while at < size:
            count, at = scan_messages(raw, at, *heads[:, found:])
            found += count
            if at == size:
                break
            if size - at < _INNER_HEAD_BYTES:
                raise FormatError("a chunk ends inside a record")
            opcode, length = _RECORD_HEAD.unpack_from(data, at)
            start = at + _INNER_HEAD_BYTES
            at = start + length
            if at > size:
                raise FormatError("a chunk ends inside a record")
            if opcode == Opcode.MESSAGE:
                raise FormatError("a message is too short")
            if opcode == Opcode.CHANNEL:
                self.add_channel(data[start:at])
        return heads[:, :found]
