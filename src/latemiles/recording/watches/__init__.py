"""Speed, distance, grade, heart rate and cadence from watches; a format is one file, one line in `FORMATS`.

Positions are read where distance needs them and go no further: a recording does not say where it was made.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from heapq import merge
from os import PathLike
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import ConfigError, InputError
from latemiles.recording.watches.fit import read_fit
from latemiles.recording.watches.gpx import read_gpx
from latemiles.recording.watches.grade import STRETCH_M, grade_of
from latemiles.recording.watches.tcx import read_tcx
from latemiles.recording.watches.track import Track, completed
from latemiles.recording.writer import RecordingWriter
from latemiles.signals.records import Record, RunHeader, Speed

__all__ = ["FORMATS", "Watch", "joined", "read_watch", "write_recording"]

FORMATS: Final[Mapping[str, Callable[[Path], Track]]] = {
    "fit": read_fit,
    "gpx": read_gpx,
    "tcx": read_tcx,
}
"""Readers by the name of their format."""

TOLD: Final = ("speed_m_s", "grade", "distance_m", "heart_rate_bpm", "elevation_m", "cadence_spm")
"""What a word of a watch may say, as the record names it."""


@dataclass(frozen=True, slots=True)
class Watch:
    """One activity of a watch, ready to go into a recording."""

    file: str
    """Name of the file."""
    track: Track
    grade: NDArray[np.float64]
    """(n,) rise over run."""

    @property
    def started_utc_s(self) -> float:
        """Time of its first point, s since 1970."""
        return float(self.track.utc_s[0])

    @property
    def facts(self) -> dict[str, str]:
        """What a header keeps of it."""
        facts = {"watch_file": self.file, "watch_device": self.track.device}
        source = self.track.elevation_from
        if source and np.isfinite(self.grade).any():
            facts["watch_grade"] = f"slope over {STRETCH_M[source]:.0f} m; source of the elevation: {source}"
        if self.track.notes:
            facts["watch_notes"] = " ".join(self.track.notes)
        return facts

    def says(self, name: str) -> bool:
        """Whether it says anything of one of ``TOLD``."""
        return bool(np.isfinite(self._column(name)).any())

    def words(self, zero_utc_s: float, until_s: float = np.inf) -> Iterator[Speed]:
        """What it says, on the session's time, from session zero on.

        Parameters
        ----------
        zero_utc_s : float
            What the watch's clock showed at session zero, s since 1970.
        until_s : float
            Session time after which nothing is wanted, s.
        """
        columns = [self._column(name).tolist() for name in TOLD]
        for utc_s, *values in zip(self.track.utc_s.tolist(), *columns, strict=True):
            t_s = round(utc_s - zero_utc_s, 6)
            if 0.0 <= t_s <= until_s and np.isfinite(values).any():
                said = dict(zip(TOLD, values, strict=True))
                yield Speed(round(t_s * 1e9), t_s, source=f"watch file {self.file}", **said)

    def _column(self, name: str) -> NDArray[np.float64]:
        column: NDArray[np.float64] = self.grade if name == "grade" else getattr(self.track, name)
        return column


def read_watch(format_name: str, path: str | PathLike[str]) -> Watch:
    """Read a watch's file.

    Parameters
    ----------
    format_name : str
        One of `FORMATS`.
    path : path
        The file.

    Raises
    ------
    ConfigError
        If the format is not known.
    EnvironmentMissing
        If its library is not installed.
    InputError
        If the file is not of that format, is torn, or says nothing of use.
    RecordingError
        If the file cannot be opened.
    """
    if format_name not in FORMATS:
        raise ConfigError("format", f"'{format_name}' is not known. Known are: {', '.join(FORMATS)}.")
    source = Path(os.fspath(path))
    track = completed(FORMATS[format_name](source), source.name)
    stretch = STRETCH_M.get(track.elevation_from, STRETCH_M["not stated"])
    return Watch(source.name, track, grade_of(track.distance_m, track.elevation_m, stretch))


def write_recording(
    watch: Watch, out_path: str | PathLike[str], *, athlete: str = "me", run: str | None = None
) -> Path:
    """Write a recording of the watch alone, whose time begins with its first point.

    Raises
    ------
    RecordingError
        If the file cannot be written, or exists.
    """
    header = RunHeader(
        run=run or Path(watch.file).stem,
        athlete=athlete,
        started_utc_ns=round(watch.started_utc_s * 1e9),
        source=f"imported from {watch.file}",
        extra={"watch_zero_utc_s": f"{watch.started_utc_s:.3f}", **watch.facts},
    )
    return _write(header, watch.words(watch.started_utc_s), out_path)


def joined(
    header: RunHeader,
    records: Iterable[Record],
    watch: Watch,
    zero_utc_s: float,
    until_s: float,
    facts: Mapping[str, str],
    out_path: str | PathLike[str],
) -> Path:
    """Write a recording with a watch's words in it.

    What the recording heard of speed before gives way to the watch, field by field, so that one source
    speaks at a time; what the watch does not say (heart rate from a strap, say) stays.

    Parameters
    ----------
    header, records : RunHeader and iterable of Record
        Of the recording.
    watch : Watch
        What joins it.
    zero_utc_s : float
        What the watch's clock showed at session zero, s since 1970.
    until_s : float
        End of the recording, session s.
    facts : mapping of str to str
        How the offset was found, for the header.
    out_path : path
        The recording to make, which must not exist.

    Raises
    ------
    InputError
        If the watch says nothing of any moment of the recording.
    RecordingError
        If a file cannot be read or written, or ``out_path`` exists.
    """
    words = list(watch.words(zero_utc_s, until_s))
    if not words:
        raise InputError(
            f"a watch that ran while the recording did (0 to {until_s:.0f} s)",
            f"one that ran from {watch.started_utc_s - zero_utc_s:.0f} s on, by this offset",
            "Check that both are of one run, or give the offset with --offset.",
        )
    clock = {"watch_zero_utc_s": f"{zero_utc_s:.3f}"}
    before = {name: text for name, text in header.extra.items() if not name.startswith("watch_")}
    header = replace(header, extra={**before, **watch.facts, **clock, **facts})
    replaced = frozenset(name for name in TOLD if watch.says(name))
    kept = (r for r in (_without(record, replaced) for record in records) if r is not None)
    return _write(header, merge(kept, words, key=_arrival_ns), out_path)


def _without(record: Record, replaced: frozenset[str]) -> Record | None:
    """A record without what another source says; None where nothing is left of it, and for the header."""
    if isinstance(record, RunHeader):
        return None
    if not isinstance(record, Speed):
        return record
    gone: dict[str, Any] = dict.fromkeys(replaced, np.nan)
    left = replace(record, **gone)
    return left if any(np.isfinite(getattr(left, name)) for name in TOLD) else None


def _arrival_ns(record: Record) -> int:
    return -1 if isinstance(record, RunHeader) else record.arrival_ns


def _write(header: RunHeader, records: Iterable[Record], out_path: str | PathLike[str]) -> Path:
    """Write a whole recording, or nothing."""
    writer = RecordingWriter(out_path, header)
    try:
        for record in records:
            writer.append(record)
        writer.close()
    except BaseException:
        writer.abandon()
        Path(out_path).unlink(missing_ok=True)
        raise
    return Path(out_path)
