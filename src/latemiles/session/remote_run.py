"""One run whose sensors are elsewhere: its recording, its pipeline, its events, and how far all of them are.

It is resumed after any crash by its recording alone: what that holds goes through the pipeline again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from latemiles.errors import LatemilesError, TornRecording
from latemiles.pipeline import Pipeline
from latemiles.recording.reader import Recording
from latemiles.recording.recover import recover
from latemiles.recording.writer import RecordingWriter
from latemiles.sensors.registry import driver_for
from latemiles.session.gateway_frames import Frame, raw_topic
from latemiles.session.home import Home
from latemiles.session.remote_page import ShownRun
from latemiles.session.settings import load_config
from latemiles.signals.events import Event
from latemiles.signals.records import Record, RunHeader
from latemiles.store import Store

__all__ = ["RemoteRun", "resumed"]


class RemoteRun:
    """One run: its recording, its pipeline, and how far both are.

    Parameters
    ----------
    home : Home
        Where the recording goes.
    store : Store
        Where events go.
    header : RunHeader
        Record number 0.
    units : str
        ``metric`` or ``mile``: how long a split is.
    """

    def __init__(self, home: Home, store: Store, header: RunHeader, units: str = "metric") -> None:
        self.header = header
        self.path = _path(home, raw_topic(header))
        self._store = store
        self._pipeline: Pipeline | None = Pipeline(
            header, driver_for, config=load_config(home.settings, units)
        )
        # Two athletes may have a run of one name.
        self._run = store.begin_run(header, self.path, replace=True, apart=True)
        self._recorder = RecordingWriter(self.path, header)
        self.shown = ShownRun(self._run, header.athlete, units)
        """What a live page shows of it."""

    @property
    def next(self) -> int:
        """Number of the next record it wants."""
        return self._recorder.records_written

    def take(self, record: Record) -> None:
        """Take the next record: written down, interpreted, stored."""
        self._recorder.append(record)
        if self._pipeline is not None:
            events = self._pipeline.push(record)
            self._keep(events)
            self.shown.take(record, events, self._pipeline.posture)

    def take_frame(self, frame: Frame) -> bool:
        """Take what is new of a frame; False if something before it is missing.

        A last frame ends the run.
        """
        if frame.first > self.next:
            return False
        for record in frame.records[self.next - frame.first :]:
            self.take(record)
        if frame.is_last and self._pipeline is not None:
            events = self._pipeline.finish()
            self._keep(events)
            self._recorder.close()
            self._store.end_run(self._run)
            self.shown.finish(events)
            # Only now: a run that fails in its last step is gone on with like any other. The pipeline of a
            # run that is over would be kept for as long as the server lives.
            self._pipeline = None
        return True

    @property
    def is_over(self) -> bool:
        """Whether its last frame was taken."""
        return self._pipeline is None

    def flush(self) -> None:
        """Make what was taken survive the death of this process."""
        if not self.is_over:
            self._recorder.flush()

    def leave(self) -> None:
        """Stop in the middle of the run; it can be gone on with."""
        if not self.is_over:
            self._recorder.close()

    def abandon(self) -> None:
        """Let go of the recording as it stands, after a failure: it can be gone on with."""
        self._recorder.abandon()

    def _keep(self, events: list[Event]) -> None:
        if events:
            self._store.commit(self._run, events)


def resumed(
    home: Home, store: Store, raw: str, header: RunHeader | None = None, units: str = "metric"
) -> RemoteRun | None:
    """A run as far as its recording goes, ready for more.

    Parameters
    ----------
    home : Home
        Where recordings are.
    store : Store
        Where events go.
    raw : str
        Topic of the run's frames.
    header : RunHeader or None
        Record number 0, where it is known.
    units : str
        ``metric`` or ``mile``: how long a split is.

    Returns
    -------
    RemoteRun or None
        A new run where there is no recording; None where the header is not known either.
    """
    path = _path(home, raw)
    part = path.with_suffix(".part")
    if path.exists() and not part.exists():
        path.rename(part)
    # With both there, the process died while it copied: the copy is the shorter one.
    path.unlink(missing_ok=True)
    if not part.exists():
        return RemoteRun(home, store, header, units) if header is not None else None
    with _saved(part) as recording:
        run = RemoteRun(home, store, recording.header, units)
        try:
            for record in recording.records():
                if not isinstance(record, RunHeader):
                    run.take(record)
            run.flush()
        except LatemilesError:
            run.abandon()
            raise
    part.unlink()
    return run


@contextmanager
def _saved(part: Path) -> Iterator[Recording]:
    """What a recording holds, torn or whole."""
    whole = part.with_suffix(".saved")
    whole.unlink(missing_ok=True)
    try:
        recording = Recording.open(part)
    except TornRecording:
        recover(part, whole)
        recording = Recording.open(whole)
    try:
        with recording:
            yield recording
    finally:
        whole.unlink(missing_ok=True)


def _path(home: Home, raw: str) -> Path:
    athlete, run, _, key = raw.split("/")[2:]
    return home.recordings / f"{athlete}.{run}.{key}.mcap"
