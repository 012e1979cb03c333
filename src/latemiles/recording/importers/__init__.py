"""Files of other systems to recordings; a new format is one file here and one line in `FORMATS`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Final, NamedTuple

from latemiles.errors import ConfigError
from latemiles.recording.checks import (
    Imported,
    check_finite,
    check_stream,
    check_together,
    in_session_time,
    with_full_scales,
)
from latemiles.recording.importers.csv_samples import read_csv
from latemiles.recording.importers.dot_export import read_dot
from latemiles.recording.importers.npz_samples import read_npz
from latemiles.recording.writer import RecordingWriter
from latemiles.sensors.drivers import samples
from latemiles.signals.blocks import ImuStream
from latemiles.signals.frames import Segment
from latemiles.signals.records import Record, RunHeader

__all__ = ["FORMATS", "Format", "import_file", "import_to_recording", "run_of", "source_of"]


class Format(NamedTuple):
    """A format that can be read."""

    read: Callable[[Path], Imported]
    is_folder: bool = False
    """Whether a run is a folder of files; else it is one file, whose name ends in the format's."""


FORMATS: Final[Mapping[str, Format]] = {
    "csv": Format(read_csv),
    "dot": Format(read_dot, is_folder=True),
    "npz": Format(read_npz),
}
"""Readers by the name of their format."""


def source_of(path: Path) -> str:
    """What the header of a recording says of the file that it was imported from."""
    return f"imported from {path.name}"


def run_of(path: Path) -> str:
    """The name of a run that is imported from a file or a folder."""
    return path.name if path.is_dir() else path.stem


def import_file(
    format_name: str, path: str | PathLike[str], *, athlete: str = "me", run: str | None = None
) -> tuple[dict[Segment, ImuStream], RunHeader]:
    """Read a file of another system.

    Parameters
    ----------
    format_name : str
        One of `FORMATS`.
    path : path
        The file, or the folder where the format has one a run.
    athlete : str
        Whose run it is.
    run : str, optional
        Run id; the file's name by default.

    Returns
    -------
    streams : dict of Segment to ImuStream
        What the file holds of each sensor, checked, in session seconds. Times that begin below zero or
        beyond an hour (such as seconds since 1970) are moved by whole seconds; the header says by how many.
    header : RunHeader
        The header of a recording of it.

    Raises
    ------
    ConfigError
        If the format is not known.
    InputError
        If the file is not of that format, lacks columns, or its numbers cannot be what they claim: with
        what was expected, what came (with its line) and what to do.
    RecordingError
        If the file cannot be opened.
    """
    streams, header, _ = _imported(format_name, path, athlete, run)
    return streams, header


def import_to_recording(
    format_name: str,
    path: str | PathLike[str],
    out_path: str | PathLike[str],
    *,
    athlete: str = "me",
    run: str | None = None,
) -> Path:
    """Turn a file of another system into a recording.

    Parameters are those of `import_file`, and ``out_path``, the recording to make, which must not exist.
    The same streams come back from it to the bit. Nothing is left behind when it fails.

    Returns
    -------
    Path
        The recording.

    Raises
    ------
    ConfigError, InputError
        As `import_file`.
    RecordingError
        If a file cannot be opened or written, or ``out_path`` exists.
    """
    _, header, records = _imported(format_name, path, athlete, run)
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


def _imported(
    format_name: str, path: str | PathLike[str], athlete: str, run: str | None
) -> tuple[dict[Segment, ImuStream], RunHeader, Iterator[Record]]:
    if format_name not in FORMATS:
        raise ConfigError("format", f"'{format_name}' is not known. Known are: {', '.join(sorted(FORMATS))}.")
    source = Path(os.fspath(path))
    imported = in_session_time(FORMATS[format_name].read(source))
    for segment, stream in imported.streams.items():
        where = f"{segment.value} in {source.name}"
        check_finite(where, stream)
        check_stream(where, stream)
    check_together(source.name, imported.streams)
    known = {
        "run": run_of(source) if run is None else run,
        "athlete": athlete,
        "started_utc_ns": imported.started_utc_ns,
        "source": source_of(source),
        "extra": {"format": format_name, **imported.extra},
    }
    records = samples.records(imported.streams, known)
    header = next(records)
    if not isinstance(header, RunHeader):
        raise TypeError("samples.records must begin with the header.")
    return dict(imported.streams), with_full_scales(header, imported.streams), records
