"""The run library: what is kept of each run, where its files are, and how it is found and deleted."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from latemiles.errors import InputError, StoreError
from latemiles.recording.reader import Recording
from latemiles.report.axis import unit_of
from latemiles.report.library.shown import ShownRun
from latemiles.session.figures import drift_found, figures_of
from latemiles.session.home import Home, base_name
from latemiles.signals.records import RunHeader
from latemiles.store import Library, RunRow, Store
from latemiles.trends.run_figures import RunFigures

if TYPE_CHECKING:
    from latemiles.analysis_result import Analysis

__all__ = [
    "RunEntry",
    "adopt",
    "delete_run",
    "entries",
    "find_entry",
    "keep_result",
    "local_time",
    "recording_of",
    "strangers",
    "thighs_swapped",
]

_WRITTEN_S: Final = 30.0
"""A recording is flushed every second: one that was not touched for so long is not being written."""


@dataclass(frozen=True, slots=True)
class RunEntry:
    """One run of the library."""

    row: RunRow
    figures: RunFigures | None
    """None until it was analysed."""
    folder: Path
    """Where its report and tables are, if they were made."""

    @property
    def recording(self) -> Path | None:
        """Its recording; None where that is not there any more."""
        path = Path(self.row.recording)
        return path if self.row.recording and path.is_file() else None

    @property
    def report(self) -> Path | None:
        """Its report; None where none was made."""
        path = self.folder / "report.html"
        return path if path.is_file() else None

    @property
    def started(self) -> datetime | None:
        """When it began, on the clock of this machine; None where that is not known."""
        return local_time(self.row.started_utc_ns)

    def shown(self, units: str = "metric") -> ShownRun:
        """The run as a person reads it."""
        row = self.row
        return ShownRun(
            row.id,
            row.athlete,
            self.started,
            row.status,
            row.notes,
            row.shoes,
            row.route,
            self.figures,
            self.report is not None,
            unit_of(units),
        )

    def matches(self, words: str) -> bool:
        """Whether every word is in its name, date, athlete, notes, shoes, route or headline."""
        row = self.row
        date = f"{self.started:%Y-%m-%d %A %B}" if self.started else ""
        headline = self.figures.headline if self.figures else ""
        text = " ".join((row.id, row.athlete, date, row.notes, row.shoes, row.route, row.source, headline))
        return all(word in text.casefold() for word in words.casefold().split())


def local_time(utc_ns: int) -> datetime | None:
    """A moment on the clock of this machine; None for 0, which is not known."""
    return datetime.fromtimestamp(utc_ns / 1e9, UTC).astimezone() if utc_ns > 0 else None


def entries(home: Home, store: Store, *, athlete: str | None = None, search: str = "") -> list[RunEntry]:
    """Runs, newest first.

    Parameters
    ----------
    home : Home
        Where their files are.
    store : Store
        Open.
    athlete : str or None
        Whose; None: everyone's.
    search : str
        Words that must all be found in a run's name, date, notes, shoes, route or headline.
    """
    figures = Library(store).figures()
    found = [RunEntry(row, figures.get(row.id), home.run_folder(row.id)) for row in store.runs(athlete)]
    return [entry for entry in found if entry.matches(search)]


def find_entry(found: list[RunEntry], name: str) -> RunEntry:
    """The run that is meant: its whole name, the beginning of only one name, or ``last``.

    Raises
    ------
    InputError
        If no run or several are meant.
    """
    if name == "last" and found:
        return found[0]
    exact = [entry for entry in found if entry.row.id == name]
    begins = exact or [entry for entry in found if entry.row.id.startswith(name)]
    if name and len(begins) == 1:
        return begins[0]
    if name and begins:
        names = ", ".join(entry.row.id for entry in begins[:5])
        raise InputError("the name of one run", f"'{name}'", f"It could be {names}. Give the whole name.")
    names = ", ".join(entry.row.id for entry in found[:5]) or "none yet"
    raise InputError("the name of a run in the library", f"'{name}'", f"Newest runs: {names}.")


def keep_result(home: Home, analysis: Analysis, recording: Path, units: str = "metric") -> str:
    """Put a run that was analysed into the library and return its name there.

    Parameters
    ----------
    home : Home
        Whose library.
    analysis : Analysis
        What was found.
    recording : Path
        Where its recording is.
    units : str
        What the headline counts in.
    """
    figures = figures_of(analysis, units)
    with Store(home.store) as store:
        run = _known_as(store, analysis.header, recording)
        if run is not None and recording.resolve().parent == home.recordings.resolve():
            # The figures rest on this one from now on.
            store.set_word(run, "recording", str(recording.resolve()))
        if run is None:
            run = store.begin_run(_unique(store, analysis.header), recording.resolve(), basis=analysis.basis)
            store.end_run(run)
        store.set_word(run, "thighs", analysis.provenance.get("thighs", ""))
        Library(store).keep_figures(run, figures)
        store.conclude(run, drift_found(analysis))
    return run


def thighs_swapped(home: Home, header: RunHeader, recording: Path) -> bool:
    """Whether the library was told that the thigh sensors of this run were on each other's legs."""
    if not home.has_store:
        return False
    with Store(home.store) as store:
        run = _known_as(store, header, recording)
        return run is not None and store.run(run).thighs == "swapped"


def recording_of(home: Home, run: str) -> Path:
    """The recording that is meant, wherever it lies: a path, a recorded run, or a run of the library.

    Raises
    ------
    InputError
        If there is none, with the names there are.
    """
    try:
        return home.recording_of(run)
    except InputError:
        # Analysed from elsewhere, the recording was never copied into the home folder.
        with Store(home.store) as store:
            found = [e for e in entries(home, store) if run in ("last", e.row.id)]
        paths = [path for entry in found if (path := entry.recording) is not None]
        if not paths:
            raise
        return paths[0]


def adopt(home: Home, recording: Path, joined: Path) -> str | None:
    """Let a run's recording be the one that a watch's file was joined to; its name and words stay.

    Parameters
    ----------
    home : Home
        Whose library.
    recording : Path
        What the run rested on.
    joined : Path
        The same with a watch's words in it.

    Returns
    -------
    str or None
        The run; None if the library does not know it yet, or ``joined`` lies elsewhere.
    """
    if joined.resolve().parent != home.recordings.resolve():
        return None
    with Recording.open(recording) as opened, Store(home.store) as store:
        run = _known_as(store, opened.header, recording)
        if run is not None:
            store.set_word(run, "recording", str(joined.resolve()))
    return run


def strangers(home: Home, found: Iterable[RunEntry]) -> list[Path]:
    """Recordings in the home folder that the library does not know, or whose figures are missing."""
    done = [entry.recording for entry in found if entry.recording and entry.figures]
    # What a run's recording was before a watch's file joined it needs no result of its own.
    known = {version.resolve() for path in done for version in (path, *_versions(home, path))}
    unknown = [path for path in home.recordings.glob("*.mcap") if path.resolve() not in known]
    # One a run: of those that a watch's file was joined to, the newest.
    newest = {base_name(path): path for path in sorted(unknown, key=lambda path: path.stat().st_mtime)}
    return sorted(newest.values())


def _versions(home: Home, recording: Path) -> list[Path]:
    is_ours = recording.resolve().parent == home.recordings.resolve()
    return home.versions_of(recording) if is_ours else []


def delete_run(home: Home, store: Store, entry: RunEntry, *, keep_recording: bool = False) -> list[str]:
    """Delete a run: its rows, its report and tables, and its recording.

    Parameters
    ----------
    home : Home
        Where its files are.
    store : Store
        Open.
    entry : RunEntry
        Which run.
    keep_recording : bool
        Leave the recording, from which all else can be made again.

    Returns
    -------
    list of str
        What was done, a line each.

    Raises
    ------
    StoreError
        If the run is being recorded.
    """
    recording = entry.recording
    if entry.row.status == "running" and recording is not None:
        quiet_s = time.time() - recording.stat().st_mtime
        if quiet_s < _WRITTEN_S:
            raise StoreError(f"Run '{entry.row.id}' is being recorded. End it first, with Ctrl-C.")
    said = []
    if entry.folder.is_dir():
        shutil.rmtree(entry.folder)
        said.append(f"Deleted {entry.folder}")
    # A recording that lies elsewhere was only replayed or analysed from there.
    is_ours = recording is not None and recording.resolve().parent == home.recordings.resolve()
    if recording is not None and is_ours and not keep_recording:
        for version in home.versions_of(recording):
            version.unlink()
            said.append(f"Deleted {version}")
    elif recording is not None:
        said.append(f"Kept {recording}")
    store.delete_run(entry.row.id)
    said.append(f"Deleted the run's rows from {home.store}")
    return said


def _known_as(store: Store, header: RunHeader, recording: Path) -> str | None:
    here = recording.resolve()
    rows = store.runs()
    for row in rows:
        if row.recording and Path(row.recording).resolve() == here:
            return row.id
    same = [row for row in rows if row.id == header.run and row.started_utc_ns == header.started_utc_ns]
    return same[0].id if same else None


def _unique(store: Store, header: RunHeader) -> RunHeader:
    """The header with a name that no other run has."""
    taken = {row.id for row in store.runs()}
    name, number = header.run, 1
    while name in taken:
        number += 1
        name = f"{header.run}-{number}"
    return replace(header, run=name)
