"""Live, replay and analysis say the same, byte for byte, on every committed recording."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from latemiles.pipeline import Pipeline
from latemiles.recording.format import encode
from latemiles.recording.reader import Recording
from latemiles.recording.writer import RecordingWriter
from latemiles.sensors.registry import driver_for
from latemiles.session.live import LiveSession
from latemiles.session.pace import paced
from latemiles.signals.events import CalibrationFound, Event, Stride, event_bytes
from latemiles.signals.records import Record

pytestmark = pytest.mark.timeout(600)
"""The first test of a changed kernel waits for the compiler."""

RECORDINGS = sorted((Path(__file__).resolve().parents[2] / "recordings").glob("*.mcap"))
names = pytest.mark.parametrize("path", RECORDINGS, ids=lambda p: p.stem)


class Notebook:
    """A sink that keeps every event in order."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def take(self, events: Sequence[Event]) -> None:
        """Take the events of one record."""
        self.events += events

    def finish(self) -> None:
        """Nothing is left to do."""


def pushed(path: Path) -> list[Event]:
    """What the pipeline says of a recording when its records are pushed in a plain loop."""
    with Recording.open(path) as recording:
        pipeline = Pipeline(recording.header, driver_for)
        events = [e for record in recording.records() for e in pipeline.push(record)]
    return events + pipeline.finish()


def lived(path: Path, written: Path) -> list[Event]:
    """What a live session says when it hears the records of a recording; it writes them down itself."""
    with Recording.open(path) as recording:
        pipeline = Pipeline(recording.header, driver_for)
        notebook = Notebook()
        recorder = RecordingWriter(written, recording.header)
        session = LiveSession(paced(recording.records(), None), pipeline, recorder, [notebook])
        asyncio.run(session.run())
    return notebook.events


def test_there_are_recordings():
    assert len(RECORDINGS) >= 4


@names
def test_live_writes_down_what_it_heard_and_says_what_replay_and_analysis_say(path, tmp_path):
    said = event_bytes(pushed(path))
    assert event_bytes(lived(path, tmp_path / "live.mcap")) == said
    with Recording.open(path) as old, Recording.open(tmp_path / "live.mcap") as new:
        assert [encode(r) for r in new.records()] == [encode(r) for r in old.records()]
    assert event_bytes(pushed(tmp_path / "live.mcap")) == said


@names
def test_a_run_resumed_from_a_checkpoint_goes_on_as_if_nothing_had_happened(path):
    with Recording.open(path) as recording:
        records: list[Record] = list(recording.records())
        header = recording.header
    whole = Pipeline(header, driver_for)
    expected = _events(whole, records)
    cut = len(records) * 5 // 8
    first = Pipeline(header, driver_for)
    before = [e for record in records[:cut] for e in first.push(record)]
    second = Pipeline(header, driver_for)
    second.restore(first.checkpoint())
    assert second.checkpoint() == first.checkpoint()
    after = _events(second, records[cut:])
    assert event_bytes([*before, *after]) == event_bytes(expected)


def _events(pipeline: Pipeline, records: Iterable[Record]) -> list[Event]:
    return [e for record in records for e in pipeline.push(record)] + pipeline.finish()


@names
def test_every_recording_gives_strides_and_a_calibration(path):
    events = pushed(path)
    assert any(isinstance(e, CalibrationFound) for e in events)
    assert sum(isinstance(e, Stride) for e in events) > 50
