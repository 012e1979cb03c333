"""The standing check: guided with sensors on, or read from a recording; kept in the library."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from latemiles.errors import InputError
from latemiles.recording.importers import FORMATS, import_to_recording
from latemiles.recording.reader import Recording
from latemiles.recording.writer import RecordingWriter
from latemiles.session.home import Home
from latemiles.signals.frames import SEGMENTS, Segment
from latemiles.store import Library, StandingRow, Store
from latemiles.trends.standing import StandingCheck, as_result, check_standing

if TYPE_CHECKING:
    from latemiles.session.live_run import LiveRun
    from latemiles.signals.blocks import ImuStream

__all__ = ["STEPS", "Step", "begin", "check_files", "folder", "forget", "keep", "record"]


@dataclass(frozen=True, slots=True)
class Step:
    """What a person is asked to do, and for how long."""

    words: str
    lasts_s: float


STANCE_S: Final = 33.0
"""Three seconds to settle and thirty that count."""


def _steps() -> tuple[Step, ...]:
    said = (
        "Stand still, feet under the hips, look ahead. Eyes open.",
        "Stand still again. Eyes closed.",
        "Stand still once more, eyes open.",
    )
    steps: list[Step] = []
    for k, words in enumerate(said):
        if k == 2:
            steps.append(Step("March on the spot, knees up.", 20.0))
        steps.append(Step(words, STANCE_S))
        steps.append(Step("Bend forward from the hips and come up, four times, slowly, knees soft.", 20.0))
        steps.append(Step("March on the spot, knees up, straight ahead.", 12.0))
    return (Step("Get ready.", 5.0), *steps, Step("Stand still. Done in a moment.", 3.0))


STEPS: Final = _steps()
"""The guided check, three and a half minutes."""


def folder(home: Home) -> Path:
    """Where recordings of standing checks are; apart from runs, which the library lists."""
    path = home.root / "standing"
    path.mkdir(parents=True, exist_ok=True)
    return path


def check_files(path: Path, turned: Path | None = None) -> StandingCheck:
    """Measure a standing check that was recorded.

    Parameters
    ----------
    path : Path
        A recording, or a file of samples that an importer understands.
    turned : Path or None
        The same with the pelvis sensor turned by half a turn on the skin.

    Raises
    ------
    LatemilesError
        If a file cannot be read, or a sensor is missing.
    """
    return check_standing(_streams(path), _streams(turned) if turned is not None else None)


def record(
    run: LiveRun,
    path: Path,
    say: Callable[[str], None],
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Guide a person through the check with sensors on, and record it.

    Parameters
    ----------
    run : LiveRun
        Linked.
    path : Path
        The recording to make.
    say : callable
        Tells a person one line.
    pause : callable
        Waits for so many seconds of a person's time.
    """
    from latemiles.pipeline import Pipeline
    from latemiles.sensors.registry import driver_for
    from latemiles.session.live import LiveSession

    session = LiveSession(
        run.receiver.records(run.header),
        Pipeline(run.header, driver_for),
        RecordingWriter(path, run.header),
        [],
    )
    run.receiver.attach(session)

    async def lead() -> None:
        while session.heard_ns == 0:  # noqa: ASYNC110 nobody tells of the first record
            await asyncio.sleep(0.2)
        # By the clock on the wall: what is heard may be taken late, and then must not hurry the person on.
        for step in STEPS:
            say(f"{step.words} ({step.lasts_s:.0f} s)")
            await pause(step.lasts_s)
        session.stop()

    session.optional["guide"] = lead
    asyncio.run(session.run())


def keep(
    home: Home, check: StandingCheck, recording: Path, *, athlete: str = "", notes: str = ""
) -> StandingRow:
    """Put a standing check into the library.

    Parameters
    ----------
    home : Home
        Whose library.
    check : StandingCheck
        What was found.
    recording : Path
        Where its samples are.
    athlete : str
        Whose; empty: as the recording says.
    notes : str
        A person's words.
    """
    header = None
    if recording.suffix.lower() == ".mcap":
        with Recording.open(recording) as opened:
            header = opened.header
    began_ns = header.started_utc_ns if header is not None else 0
    if began_ns <= 0:
        began_ns = round(recording.stat().st_mtime * 1e9)
    began = datetime.fromtimestamp(began_ns / 1e9, UTC)
    name = header.run if header is not None and header.run else f"{recording.stem}-{began:%Y%m%d}"
    whose = athlete or (header.athlete if header is not None else "me")
    row = StandingRow(name, whose, began_ns, str(recording.resolve()), notes, as_result(check))
    with Store(home.store) as store:
        Library(store).keep_standing(row)
    return row


def begin(run: LiveRun, home: Home) -> Path:
    """Name a linked run as a standing check; where its recording goes."""
    run.header = replace(run.header, run=f"standing-{run.header.run}", notes="standing check")
    return folder(home) / f"{run.header.run}.mcap"


def forget(home: Home, store: Store, row: StandingRow) -> list[str]:
    """Delete a check, and its recording if it lies in the home folder; what was done, a line each."""
    said = []
    recording = Path(row.recording)
    if row.recording and recording.is_file():
        if recording.resolve().parent == folder(home).resolve():
            recording.unlink()
            said.append(f"Deleted {recording}")
        else:
            said.append(f"Kept {recording}")
    Library(store).delete_standing(row.id)
    said.append(f"Deleted {row.id} from {home.store}")
    return said


def _streams(path: Path) -> dict[Segment, ImuStream]:
    ending = path.suffix.lower().lstrip(".")
    if ending == "mcap":
        with Recording.open(path) as recording:
            streams = recording.streams()
    elif ending in FORMATS:
        import tempfile

        # Through the importer, whose checks of units and order hold here too.
        with tempfile.TemporaryDirectory() as scratch:
            copy = import_to_recording(ending, path, Path(scratch) / "standing.mcap")
            with Recording.open(copy) as recording:
                streams = recording.streams()
    else:
        known = ", ".join(f".{name}" for name in sorted(FORMATS))
        raise InputError(f"a recording (.mcap) or one of {known}", f"'{path.name}'", "Import it first.")
    missing = [segment.label for segment in SEGMENTS if segment not in streams]
    if missing:
        raise InputError(
            "all three sensors", f"no samples of the {' and '.join(missing)} sensor", "Record it again."
        )
    return streams
