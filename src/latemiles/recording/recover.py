"""Saves what a torn or damaged recording still holds into a new, whole one."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from latemiles.errors import RecordingError
from latemiles.recording.format import RECOVERY_METADATA, kind_of
from latemiles.recording.reader import checked_size, open_file
from latemiles.recording.salvage import Loss, Salvage, find_header
from latemiles.recording.writer import RecordingWriter
from latemiles.signals.records import Record, RunHeader

__all__ = ["RecoverReport", "recover"]


@dataclass(frozen=True, slots=True)
class RecoverReport:
    """What was saved and what was not."""

    path: str
    out: str
    header: RunHeader
    has_header: bool
    """False where no copy of the header is sound; ``header`` is then a stand-in without sensors."""
    records: Mapping[str, int]
    """Saved records by kind, without the header."""
    duration_s: float
    """Session time of the last saved record, s."""
    torn_at: int | None
    losses: tuple[Loss, ...]

    @property
    def lost_records(self) -> int | None:
        """Number of lost records; None where it cannot be known, as at a torn end."""
        counts = [loss.records for loss in self.losses]
        return None if None in counts else sum(count or 0 for count in counts)

    @property
    def lost_s(self) -> float:
        """Session time inside the losses whose both ends are known, s."""
        return sum(max(0.0, loss.to_s - loss.from_s) for loss in self.losses if loss.to_s is not None)

    @property
    def lost_bytes(self) -> int:
        """Length of the file's stretches that gave nothing back, bytes."""
        return sum(loss.end_byte - loss.first_byte for loss in self.losses)

    def lines(self) -> list[str]:
        """The report in words, a line an entry."""
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.records.items()) or "no records"
        out = [f"saved {kinds} over {self.duration_s:.1f} s into {self.out}"]
        if not self.has_header:
            out.append(
                "the header is lost: sensors and drivers are unknown, so the packets cannot be decoded"
            )
        out.extend(f"lost: {loss.line()}" for loss in self.losses)
        if not self.losses:
            out.append("nothing was lost: the recording was whole")
        elif self.torn_at is not None and self.lost_records is None:
            out.append("a recording is flushed every second, so a torn end costs about a second at most")
        return out


def recover(path: str | PathLike[str], out: str | PathLike[str]) -> RecoverReport:
    """Write every sound record of a recording into a new one; the old one is only read.

    Parameters
    ----------
    path : path
        A recording, torn at any byte or damaged anywhere.
    out : path
        The file to make; it must not exist.

    Returns
    -------
    RecoverReport
        What was saved, and what was lost in records, seconds and bytes.

    Raises
    ------
    RecordingError
        If ``path`` holds nothing of a recording, or ``out`` exists or cannot be written (what was begun of
        it is then removed).
    """
    source, target = os.fspath(path), os.fspath(out)
    with open_file(source) as file:
        try:
            size = checked_size(file, source)
            salvage = Salvage(file, size)
            chunks = salvage.chunks()
            first = next(chunks, None)
            header = _header_of(first) or find_header(file)
            if header is None and first is None:
                raise RecordingError(
                    source,
                    "Nothing in this file can be saved: it has no header and no whole chunk of a recording. "
                    "Check that it is the right file.",
                )
            used = header or RunHeader(run=Path(source).stem, notes="recovered without its header")
            saved = _write(target, used, itertools.chain([first or []], chunks), salvage)
        except OSError as error:
            raise RecordingError(
                source, f"Cannot read on ({error.strerror}). Copy the file to another disk and try again."
            ) from error
    counts, duration_s = saved
    losses = tuple(salvage.losses)
    return RecoverReport(
        source, target, used, header is not None, counts, duration_s, salvage.torn_at, losses
    )


def _header_of(records: list[Record] | None) -> RunHeader | None:
    return next((record for record in records or [] if isinstance(record, RunHeader)), None)


def _write(
    target: str, header: RunHeader, chunks: Iterable[list[Record]], salvage: Salvage
) -> tuple[dict[str, int], float]:
    """Counts by kind and the last time of what was written; removes what was begun if it fails."""
    counts: Counter[str] = Counter()
    last_ns = 0
    writer = RecordingWriter(target, header)
    try:
        for record in itertools.chain.from_iterable(chunks):
            if not isinstance(record, RunHeader):
                writer.append(record)
                counts[kind_of(record)] += 1
                last_ns = max(last_ns, record.arrival_ns)
        writer.add_metadata(
            RECOVERY_METADATA, {f"loss_{k}": loss.line() for k, loss in enumerate(salvage.losses)}
        )
        writer.close()
    except BaseException:
        writer.abandon()
        Path(target).unlink(missing_ok=True)
        raise
    return dict(counts), last_ns * 1e-9
