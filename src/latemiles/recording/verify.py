"""Reads a recording to its last byte and says what is in it and what is wrong with it."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from os import PathLike
from typing import BinaryIO

from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode
from mcap.records import DataEnd, Footer

from latemiles.errors import ConfigError, RecordingError
from latemiles.recording.container import MAGIC, UNREADABLE, pieces, section_crc
from latemiles.recording.format import FormatError, kind_of
from latemiles.recording.reader import check_profile, checked_size, open_file
from latemiles.recording.salvage import Loss, Salvage, find_header
from latemiles.recording.streams import SampleCount, SensorReader
from latemiles.signals.frames import Segment
from latemiles.signals.records import Gone, Packet, Record, RunHeader

__all__ = ["VerifyReport", "verify"]


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a recording holds and whether all of it is sound."""

    path: str
    header: RunHeader | None
    records: Mapping[str, int]
    """Sound records by kind, without the header."""
    packets: Mapping[Segment, int]
    refused: Mapping[Segment, int]
    """Packets that the run itself noted as lost before they could be written (`Gone`)."""
    samples: Mapping[Segment, SampleCount]
    """Samples heard and missing, of each sensor whose driver is known here."""
    longest_silence_s: Mapping[Segment, float]
    """Longest time between two packets of a sensor, s."""
    duration_s: float
    n_chunks: int
    n_bad_chunks: int
    n_steps_back: int
    """Records whose arrival is before that of the record ahead of them."""
    largest_step_back_s: float
    torn_at: int | None
    """First byte that belongs to nothing whole, if the file ends in the middle."""
    losses: tuple[Loss, ...]
    problems: tuple[str, ...]
    """What else is wrong with the container, in words; costs no records."""

    @property
    def ok(self) -> bool:
        """Whether the file is whole and every check passed."""
        return self.header is not None and self.torn_at is None and not self.losses and not self.problems

    def lines(self) -> list[str]:
        """The report in words, a line an entry; the last one says what to do."""
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.records.items()) or "no records"
        out = [f"{kinds} over {self.duration_s:.1f} s in {self.n_chunks} chunks"]
        for segment, count in self.packets.items():
            refused = self.refused.get(segment, 0)
            out.append(
                f"{segment.label}: {count} packets, longest silence {self.longest_silence_s[segment]:.3f} s"
                + (f", {refused} lost before they were written" if refused else "")
                + (f"; {_in_words(self.samples[segment])}" if segment in self.samples else "; not decoded")
            )
        if self.n_steps_back:
            out.append(
                f"{self.n_steps_back} records step back in time, by up to {self.largest_step_back_s:.6f} s"
            )
        if self.torn_at is not None:
            out.append(f"torn at byte {self.torn_at}")
        out.extend(f"lost: {loss.line()}" for loss in self.losses)
        out.extend(self.problems)
        if self.ok:
            out.append("whole and sound")
        elif self.header is None:
            out.append("the header is lost: sensors and drivers are unknown")
        if not self.ok:
            out.append(f"run `latemiles recover {self.path}` to save what is sound")
        return out


def verify(path: str | PathLike[str]) -> VerifyReport:
    """Check every chunk, CRC and count of a recording, and its order in time.

    Parameters
    ----------
    path : path
        A recording, also a torn or damaged one.

    Raises
    ------
    RecordingError
        If it cannot be opened or is no recording of ours at all (a text file, another profile, a newer
        version); damage does not raise but is reported.
    """
    name = os.fspath(path)
    with open_file(name) as file:
        try:
            size = checked_size(file, name)
            check_profile(file, name)
            salvage = Salvage(file, size)
            tally = _Tally(find_header(file))
            for records in salvage.chunks():
                for record in records:
                    tally.take(record)
            problems = () if salvage.torn_at is not None else tuple(_container_problems(file, size))
        except OSError as error:
            raise RecordingError(
                name, f"Cannot read on ({error.strerror}). Copy the file to another disk and try again."
            ) from error
    return VerifyReport(
        path=name,
        header=tally.header,
        records=dict(tally.records),
        packets=dict(tally.packets),
        refused=dict(tally.refused),
        samples={segment: reader.count() for segment, reader in tally.readers.items()},
        longest_silence_s={segment: gap * 1e-9 for segment, gap in tally.silence_ns.items()},
        duration_s=tally.last_ns * 1e-9,
        n_chunks=salvage.n_chunks,
        n_bad_chunks=salvage.n_bad_chunks,
        n_steps_back=tally.n_steps_back,
        largest_step_back_s=tally.step_back_ns * 1e-9,
        torn_at=salvage.torn_at,
        losses=tuple(salvage.losses),
        problems=problems,
    )


class _Tally:
    """Counts what passes by.

    Parameters
    ----------
    header : RunHeader or None
        From the metadata; the message takes its place.
    """

    def __init__(self, header: RunHeader | None) -> None:
        self.header = header
        self.readers = _sensor_readers(header)
        self.records: Counter[str] = Counter()
        self.packets: Counter[Segment] = Counter()
        self.refused: Counter[Segment] = Counter()
        self.silence_ns: dict[Segment, int] = {}
        self.last_ns = 0
        self.n_steps_back = 0
        self.step_back_ns = 0
        self._previous_ns = 0
        self._heard_ns: dict[Segment, int] = {}

    def take(self, record: Record) -> None:
        """Count one record."""
        if isinstance(record, RunHeader):
            self.header = record
            self.readers = _sensor_readers(record)
            return
        self.records[kind_of(record)] += 1
        arrival_ns = record.arrival_ns
        if arrival_ns < self._previous_ns:
            self.n_steps_back += 1
            self.step_back_ns = max(self.step_back_ns, self._previous_ns - arrival_ns)
        self._previous_ns = arrival_ns
        self.last_ns = max(self.last_ns, arrival_ns)
        if isinstance(record, Packet):
            segment = record.segment
            self.packets[segment] += 1
            silence = arrival_ns - self._heard_ns.get(segment, arrival_ns)
            self.silence_ns[segment] = max(self.silence_ns.get(segment, 0), silence)
            self._heard_ns[segment] = arrival_ns
            if segment in self.readers:
                self.readers[segment].push(record)
        elif isinstance(record, Gone):
            self.refused[record.segment] += record.count


def _sensor_readers(header: RunHeader | None) -> dict[Segment, SensorReader]:
    """Readers of the sensors whose drivers are known here; a file of a newer sensor can still be verified."""
    out = {}
    for info in header.sensors if header else ():
        with contextlib.suppress(ConfigError):
            out[info.segment] = SensorReader(info)
    return out


def _in_words(count: SampleCount) -> str:
    words = [f"{count.samples} samples", f"{count.missing} missing"]
    for number, what in (
        (count.duplicates, "heard twice"),
        (count.restarts, "restarts"),
        (count.damaged_packets, "damaged packets"),
    ):
        if number:
            words.append(f"{number} {what}")
    return ", ".join(words)


def _container_problems(file: BinaryIO, size: int) -> list[str]:
    """Checks over whole sections, beyond the chunks' own: data CRC, summary CRC, what follows the end."""
    out: list[str] = []
    try:
        for piece in pieces(file, size, (Opcode.DATA_END, Opcode.FOOTER)):
            if piece.opcode == Opcode.DATA_END:
                stated = DataEnd.read(_stream(piece.body)).data_section_crc
                if stated not in (0, section_crc(file, 0, piece.offset)):
                    out.append("the data section fails its CRC check")
            elif piece.opcode == Opcode.FOOTER:
                footer = Footer.read(_stream(piece.body))
                start = footer.summary_start or piece.offset
                is_inside = len(MAGIC) <= start <= piece.offset
                if not is_inside or footer.summary_crc not in (0, section_crc(file, start, piece.end - 4)):
                    out.append("the summary fails its CRC check")
                if piece.end + len(MAGIC) != size:
                    out.append("there are bytes after the end")
    except FormatError as error:
        out.append(f"the container is damaged: {error}")
    except UNREADABLE:
        out.append("the container's closing records cannot be read")
    return out


def _stream(body: bytes | memoryview) -> ReadDataStream:
    return ReadDataStream(BytesIO(body))
