"""The live session: what fails beside the recording does not end the run, what fails in it does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from latemiles.errors import RecordingError, StoreError
from latemiles.pipeline import Pipeline
from latemiles.recording.reader import Recording
from latemiles.recording.writer import RecordingWriter
from latemiles.sensors.registry import driver_for
from latemiles.session.inbox import Inbox
from latemiles.session.live import LiveSession, supervise
from latemiles.session.pace import paced
from latemiles.signals.events import Event
from latemiles.signals.frames import Segment
from latemiles.signals.records import Mark, Packet, Pose, Record, RunHeader, SensorInfo

HEADER = RunHeader(run="test", sensors=tuple(SensorInfo(s, "latemiles-v1", 104.0) for s in list(Segment)[:3]))


class Broken:
    """A sink that cannot take anything."""

    def __init__(self) -> None:
        self.asked = 0

    def take(self, events: Sequence[Event]) -> None:
        """Fail."""
        self.asked += 1
        raise StoreError("The disk is full. Make room.")

    def finish(self) -> None:
        """Nothing."""


class Notebook:
    """A sink that keeps everything."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.is_over = False

    def take(self, events: Sequence[Event]) -> None:
        """Keep."""
        self.events += events

    def finish(self) -> None:
        """Note the end."""
        self.is_over = True


def marks(n: int) -> list[Record]:
    """A run of marks only."""
    return [HEADER, *(Mark(k * 1_000_000, f"mark {k}") for k in range(n))]


async def test_a_sink_that_fails_is_left_out_and_the_run_goes_on(tmp_path: Path, caplog):
    broken, notebook = Broken(), Notebook()
    recorder = RecordingWriter(tmp_path / "run.mcap", HEADER)
    pipeline = Pipeline(HEADER, driver_for)
    await LiveSession(paced(marks(50), None), pipeline, recorder, [broken, notebook]).run()
    assert broken.asked == 1
    assert len(notebook.events) == 50
    assert notebook.is_over
    assert "Make room" in caplog.text
    with Recording.open(tmp_path / "run.mcap") as recording:
        assert len(recording.marks) == 50


async def test_a_source_that_fails_ends_the_run_with_its_own_error_and_keeps_what_was_heard(tmp_path: Path):
    async def torn() -> AsyncIterator[Record]:
        for record in marks(20):
            yield record
        await asyncio.sleep(0)
        raise RecordingError("run.mcap", "The recording is damaged. Run recover.")

    recorder = RecordingWriter(tmp_path / "run.mcap", HEADER)
    session = LiveSession(torn(), Pipeline(HEADER, driver_for), recorder, [Notebook()])
    with pytest.raises(RecordingError, match="damaged"):
        await session.run()
    with Recording.open(tmp_path / "run.mcap") as recording:
        assert len(recording.marks) == 20


async def test_a_flush_that_is_due_when_the_recorder_closes_does_not_fail_the_run(
    tmp_path: Path, monkeypatch
):
    # At every turn of the loop, so one is due when the consumer is done.
    monkeypatch.setattr("latemiles.session.live.FLUSH_S", 0.0)
    recorder = RecordingWriter(tmp_path / "run.mcap", HEADER)
    await LiveSession(paced(marks(50), None), Pipeline(HEADER, driver_for), recorder, [Notebook()]).run()
    with Recording.open(tmp_path / "run.mcap") as recording:
        assert len(recording.marks) == 50


async def test_records_that_wait_are_taken_together_and_none_is_lost_or_moved(tmp_path: Path):
    notebook = Notebook()
    recorder = RecordingWriter(tmp_path / "run.mcap", HEADER)
    session = LiveSession(paced(marks(1000), None), Pipeline(HEADER, driver_for), recorder, [notebook])
    heard: list[Record] = []
    session.listeners.append(heard.append)
    await session.run()
    assert heard == marks(1000)
    assert [event.label for event in notebook.events] == [mark.label for mark in marks(1000)[1:]]
    with Recording.open(tmp_path / "run.mcap") as recording:
        assert [record for record in recording.records() if isinstance(record, Mark)] == heard[1:]


async def test_stop_ends_a_run_that_would_go_on_for_ever(tmp_path: Path):
    async def endless() -> AsyncIterator[Record]:
        yield HEADER
        number = 0
        while True:
            await asyncio.sleep(0)
            number += 1
            yield Mark(number, "again")
            if number == 30:
                session.stop()

    notebook = Notebook()
    session = LiveSession(endless(), Pipeline(HEADER, driver_for), None, [notebook])
    async with asyncio.timeout(5):
        await session.run()
    assert len(notebook.events) >= 30
    assert notebook.is_over


async def test_a_part_that_dies_is_started_again_and_does_not_end_the_run():
    starts = 0
    revived = asyncio.Event()

    async def mortal() -> None:
        nonlocal starts
        starts += 1
        if starts == 1:
            raise OSError("the port went away")
        revived.set()
        await asyncio.sleep(3600)

    async def until_revived() -> AsyncIterator[Record]:
        yield HEADER
        await revived.wait()
        yield Mark(1, "after")

    notebook = Notebook()
    session = LiveSession(
        until_revived(), Pipeline(HEADER, driver_for), None, [notebook], optional={"page": mortal}
    )
    async with asyncio.timeout(5):
        await session.run()
    assert starts == 2
    assert len(notebook.events) == 1


async def test_a_full_inbox_refuses_the_newest_packet_and_says_how_many():
    inbox = Inbox(size=4)
    for number in range(10):
        inbox.offer(Packet(number, Segment.PELVIS, bytes([number])))
    kept = [await inbox.get() for _ in range(4)]
    assert [r.payload for r in kept if isinstance(r, Packet)] == [bytes([k]) for k in range(4)]
    (gone,) = inbox.take_refusals(99)
    assert (gone.segment, gone.count) == (Segment.PELVIS, 6)
    assert inbox.take_refusals(100) == []


async def test_what_a_person_says_is_taken_by_a_full_inbox_and_a_file_waits_for_room():
    inbox = Inbox(size=2)
    packets = [Packet(k, Segment.PELVIS, b"x") for k in range(3)]
    assert [inbox.offer(packet) for packet in packets] == [True, True, False]
    said: list[Record] = [Pose(3, "standing", 1.0, 9.0), Mark(4, "hill")]
    assert all(inbox.offer(word) for word in said)
    waiting = asyncio.create_task(inbox.put(Mark(5, "of a file")))
    await asyncio.sleep(0)
    assert [await inbox.get() for _ in range(2)] == packets[:2]
    assert not waiting.done()
    assert inbox.get_more(1) == said[:1]
    async with asyncio.timeout(5):
        await waiting
    inbox.close()
    assert inbox.get_more(9) == [said[1], Mark(5, "of a file")]
    assert await inbox.get() is None


async def test_a_part_whose_wait_was_cancelled_by_others_is_started_again(monkeypatch):
    monkeypatch.setattr("latemiles.session.live._FIRST_WAIT_S", 0.0)
    begun = 0

    async def part() -> None:
        nonlocal begun
        begun += 1
        if begun == 1:
            answer = asyncio.get_running_loop().create_future()
            answer.cancel()
            await answer

    await supervise("the radio", part)
    assert begun == 2


async def test_a_part_that_is_asked_to_end_ends():
    begun = asyncio.Event()

    async def part() -> None:
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(supervise("the radio", part))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
