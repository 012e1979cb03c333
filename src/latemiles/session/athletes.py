"""All data of one athlete: given out in one file, or deleted, with what cannot be deleted from here."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from latemiles.errors import LatemilesError, StoreError
from latemiles.recording.reader import Recording
from latemiles.report.numbers import plural
from latemiles.session.gateway_run import spool_folder
from latemiles.session.home import Home
from latemiles.session.library import RunEntry, delete_run, entries
from latemiles.session.library_pages import sent_to
from latemiles.session.sink_settings import load_sinks
from latemiles.session.spool import Spool
from latemiles.session.standing import folder as standing_folder
from latemiles.session.standing import forget
from latemiles.signals.events import event_dict
from latemiles.sinks.messages import safe_name
from latemiles.store import Library, StandingRow, Store

__all__ = ["Belongings", "belongings_of", "delete_athlete", "export_athlete"]

README = """Everything latemiles kept of one athlete on this machine.

recordings/  raw bytes of every sensor, MCAP; `latemiles analyze` makes every number again
runs/        report.html, strides.csv, splits.csv, summary.json of each run
rows/        what the store holds of each run: figures, notes, shoes, route; every event, one JSON a line
standing/    recordings of standing checks
standing.json, exercise.json   standing checks; blocks and sessions of exercises
lines/       JSON lines that were written for other programs
waiting/     raw records of runs that wait for a server

Measures movement for training. Not a medical device, not a diagnosis.
"""


@dataclass(slots=True)
class Belongings:
    """What this machine keeps of an athlete."""

    athlete: str
    runs: list[RunEntry] = field(default_factory=list)
    standings: list[StandingRow] = field(default_factory=list)
    recordings: list[Path] = field(default_factory=list)
    """In the home folder and not of a run in the library."""
    lines: list[Path] = field(default_factory=list)
    waiting: list[Path] = field(default_factory=list)
    """Records that a gateway keeps for its server."""
    sent_to: tuple[str, ...] = ()
    """Servers that the settings name, and folders outside that other programs read."""

    def words(self) -> list[str]:
        """What there is, a line each."""
        said = [
            f"{plural(len(self.runs), 'run')} with rows, reports and recordings",
            f"{plural(len(self.standings), 'standing check')}, and the exercise log",
        ]
        for paths, what in (
            (self.recordings, "recordings that no run of the library has"),
            (self.lines, "files of JSON lines"),
            (self.waiting, "runs that wait for a server"),
        ):
            if paths:
                said.append(f"{len(paths)} {what}")
        return said


def belongings_of(home: Home, store: Store, athlete: str) -> Belongings:
    """Find everything that this machine keeps of an athlete.

    Raises
    ------
    StoreError
        If nothing is kept of anyone of that name.
    """
    runs = entries(home, store, athlete=athlete)
    known = {e.recording.resolve() for e in entries(home, store) if e.recording}
    found = Belongings(
        athlete=athlete,
        runs=runs,
        standings=Library(store).standings(athlete),
        recordings=[
            path
            for path in sorted(home.recordings.iterdir())
            if path.resolve() not in known and _is_of(path, athlete, runs)
        ],
        lines=_lines(home, athlete),
        waiting=[path for path in sorted(spool_folder(home).glob("*.spool")) if _spool_of(path) == athlete],
        sent_to=sent_to(home),
    )
    everyone = Library(store).athletes()
    if athlete not in everyone and not (found.recordings or found.lines or found.waiting):
        raise StoreError(f"Nothing is kept of '{athlete}'. There is {', '.join(everyone) or 'nobody yet'}.")
    return found


def export_athlete(home: Home, store: Store, found: Belongings, target: Path) -> Path:
    """Write everything of an athlete into one zip file.

    Parameters
    ----------
    home : Home
        Where it is.
    store : Store
        Open.
    found : Belongings
        From ``belongings_of``.
    target : Path
        The file; must not be there yet.

    Raises
    ------
    StoreError
        If the file is there or cannot be written.
    """
    part = target.with_name(f"{target.name}.part")
    if target.exists():
        raise StoreError(f"{target} is there already. Give another name with --out.")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("README.txt", README)
            for name, text in _texts(store, found):
                archive.writestr(name, text)
            for name, path in _files(home, found):
                archive.write(path, name)
        part.replace(target)
    except OSError as error:
        raise StoreError(f"{target} cannot be written ({error.strerror}). Choose another place.") from error
    finally:
        part.unlink(missing_ok=True)
    return target


def delete_athlete(home: Home, store: Store, found: Belongings) -> list[str]:
    """Delete everything of an athlete from this machine.

    Returns
    -------
    list of str
        What was done, a line each, and what cannot be done from here.

    Raises
    ------
    StoreError
        If a run of the athlete is being recorded.
    """
    said: list[str] = []
    for entry in found.runs:
        said += delete_run(home, store, entry)
    for row in found.standings:
        said += forget(home, store, row)
    for path in (*found.recordings, *found.lines, *found.waiting):
        path.unlink(missing_ok=True)
        for beside in (path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
            beside.unlink(missing_ok=True)
        said.append(f"Deleted {path}")
    Library(store).delete_athlete(found.athlete)
    said.append(f"Deleted the exercise log of '{found.athlete}'")
    return said + what_stays(found)


def what_stays(found: Belongings) -> list[str]:
    """What was given away and cannot be taken back from here."""
    if not found.sent_to:
        return ["No server is named in the settings; what was sent under earlier settings stays there."]
    return [f"{place}: what was sent there stays there. Delete it there." for place in found.sent_to]


def _is_of(path: Path, athlete: str, runs: list[RunEntry]) -> bool:
    """Whether a recording, whole or torn, is of an athlete: by what it says, else by a run's name."""
    try:
        with Recording.open(path) as recording:
            return recording.header.athlete == athlete
    except LatemilesError:
        names = {entry.row.id for entry in runs}
        return path.name.split(".", 1)[0] in names or path.name.startswith(f"{safe_name(athlete)}.")


def _lines(home: Home, athlete: str) -> list[Path]:
    jsonl = load_sinks(home.settings).jsonl
    return sorted((jsonl.folder / safe_name(athlete)).glob("*.jsonl")) if jsonl is not None else []


def _spool_of(path: Path) -> str:
    try:
        spool = Spool(path)
    except StoreError:
        # In use by a gateway, or damaged.
        return ""
    try:
        return spool.athlete
    finally:
        spool.close()


def _texts(store: Store, found: Belongings) -> Iterator[tuple[str, str]]:
    library = Library(store)
    for entry in found.runs:
        row = asdict(entry.row) | {"figures": asdict(entry.figures) if entry.figures else None}
        name = safe_name(entry.row.id)
        yield f"rows/{name}.json", _json(row)
        events = (json.dumps(_finite(event_dict(event))) for event in store.history(entry.row.id))
        yield f"rows/{name}.events.jsonl", "".join(f"{line}\n" for line in events)
    yield "standing.json", _json([asdict(row) for row in found.standings])
    log = {
        "blocks": [asdict(block) for block in library.blocks(found.athlete)],
        "sessions": [asdict(session) for session in library.sessions(found.athlete)],
    }
    yield "exercise.json", _json(log)


def _files(home: Home, found: Belongings) -> Iterator[tuple[str, Path]]:
    for entry in found.runs:
        if entry.recording is not None:
            yield f"recordings/{entry.recording.name}", entry.recording
        for path in sorted(entry.folder.rglob("*")) if entry.folder.is_dir() else ():
            if path.is_file():
                yield f"runs/{entry.folder.name}/{path.relative_to(entry.folder)}", path
    ours = standing_folder(home).resolve()
    for row in found.standings:
        path = Path(row.recording)
        if row.recording and path.is_file() and path.resolve().parent == ours:
            yield f"standing/{path.name}", path
    for folder, paths in (
        ("recordings", found.recordings),
        ("lines", found.lines),
        ("waiting", found.waiting),
    ):
        for path in paths:
            yield f"{folder}/{path.name}", path


def _json(value: Any) -> str:
    return json.dumps(_finite(value), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
