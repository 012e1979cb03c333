"""The writer and the reader on real files."""

from __future__ import annotations

import errno
import io
import os
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from mcap.reader import make_reader
from mcap.writer import Writer

from latemiles.errors import RecordingError, TornRecording
from latemiles.recording.format import CHANNELS, HEADER_METADATA, header_from_json
from latemiles.recording.reader import Recording
from latemiles.recording.recover import recover
from latemiles.recording.verify import verify
from latemiles.recording.writer import RecordingWriter
from latemiles.signals.frames import SEGMENTS, Segment
from latemiles.signals.records import Mark, Packet, RunHeader
from reference.recording_samples import HEADER, same, some_run, write


def raises_one_line(path: object, *words: str) -> RecordingError:
    with pytest.raises(RecordingError) as caught:
        Recording.open(path)  # type: ignore[arg-type]
    text = str(caught.value)
    assert "\n" not in text
    assert text.endswith(".")
    for word in words:
        assert word in text
    return caught.value


def test_a_run_reads_back_as_it_was_written(tmp_path: Path) -> None:
    run = some_run()
    with Recording.open(write(tmp_path / "a.mcap", run)) as recording:
        back = list(recording.records())
        assert recording.marks == (Mark(1_200_000_000, "bridge"),)
        assert recording.duration_s == pytest.approx(2.900002)
    assert same(back[0], HEADER)
    assert same(recording.header, HEADER)
    assert len(back) == len(run) + 1
    assert all(same(a, b) for a, b in zip(back[1:], run, strict=True))


def test_two_readings_of_one_recording_do_not_disturb_each_other(tmp_path: Path) -> None:
    recording = Recording.open(write(tmp_path / "a.mcap", some_run()))
    for a, b in zip(recording.records(), recording.records(), strict=True):
        assert same(a, b)


def test_the_stock_reader_finds_every_message_schema_and_crc_in_order(tmp_path: Path) -> None:
    run = some_run()
    path = write(tmp_path / "a.mcap", run)
    with path.open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        assert reader.get_header().profile == "latemiles/1"
        summary = reader.get_summary()
        assert summary is not None
        assert summary.statistics is not None
        assert summary.statistics.message_count == len(run) + 1
        assert [summary.channels[k].topic for k in sorted(summary.channels)] == [c.topic for c in CHANNELS]
        messages = list(reader.iter_messages(log_time_order=False))
        metadata = list(reader.iter_metadata())
    assert [m.sequence for _, _, m in messages] == list(range(len(run) + 1))
    assert [m.data for _, c, m in messages if c.topic == "packet/pelvis"] == [
        r.payload for r in run if isinstance(r, Packet) and r.segment is Segment.PELVIS
    ]
    assert all(m.log_time == m.publish_time for _, _, m in messages)
    assert [m.name for m in metadata] == [HEADER_METADATA, HEADER_METADATA]
    assert header_from_json(metadata[0].metadata["header"].encode()).run == "run-1"


def test_a_recording_is_never_overwritten(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mcap", some_run())
    before = path.read_bytes()
    with pytest.raises(RecordingError, match="never overwritten"):
        RecordingWriter(path, HEADER)
    assert path.read_bytes() == before


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="Choose a folder"):
        RecordingWriter(tmp_path / "none" / "a.mcap", HEADER)


def test_a_writer_takes_streams_and_leaves_them_open() -> None:
    stream = io.BytesIO()
    with RecordingWriter(stream, HEADER) as writer:
        writer.append(Mark(5, "x"))
    assert make_reader(io.BytesIO(stream.getvalue())).get_summary() is not None


def test_a_closed_writer_and_a_second_header_and_a_negative_time_are_refused() -> None:
    writer = RecordingWriter(io.BytesIO(), HEADER)
    with pytest.raises(RecordingError, match="one header"):
        writer.append(HEADER)
    with pytest.raises(RecordingError, match="arrival_ns of -1"):
        writer.append(Mark(-1, "x"))
    writer.close()
    writer.close()
    with pytest.raises(RecordingError, match="closed"):
        writer.append(Mark(1, "x"))


def test_what_is_refused_leaves_the_recording_usable(tmp_path: Path) -> None:
    with RecordingWriter(tmp_path / "a.mcap", HEADER) as writer:
        with pytest.raises(RecordingError):
            writer.append(Mark(-1, "x"))
        writer.append(Mark(1, "y"))
    assert [m.label for m in Recording.open(tmp_path / "a.mcap").marks] == ["y"]


class FullDisk(io.BytesIO):
    """Takes so many bytes and no more."""

    room = 6000

    def write(self, data: object) -> int:
        if self.tell() + len(data) > self.room:  # type: ignore[arg-type]
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)  # type: ignore[arg-type]


def test_a_full_disk_is_one_clear_error_and_keeps_what_was_flushed(tmp_path: Path) -> None:
    stream = FullDisk()
    writer = RecordingWriter(stream, HEADER)
    run = some_run(60.0)

    def hear_all() -> None:
        for record in run:
            writer.append(record)

    with pytest.raises(RecordingError, match=r"No space left.*latemiles recover"):
        hear_all()
    with pytest.raises(RecordingError):
        writer.append(run[0])
    writer.close()
    torn = tmp_path / "torn.mcap"
    torn.write_bytes(stream.getvalue())
    saved = recover(torn, tmp_path / "saved.mcap").records["packet"]
    assert saved > 20


def test_wrong_files_are_each_one_line_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    raises_one_line(path, "no such file")
    raises_one_line(tmp_path, "folder")
    raises_one_line("a\0b", "Cannot open")
    path.write_bytes(b"")
    raises_one_line(path, "empty")
    path.write_text("segment,t_s,acc_x_m_s2\npelvis,0,0\n")
    raises_one_line(path, "text file", "latemiles import csv")
    path.write_bytes(b"PK\x03\x04 and so on")
    raises_one_line(path, "latemiles import npz")
    path.write_bytes(bytes(range(256)))
    raises_one_line(path, "Not a recording")


@pytest.mark.parametrize(
    ("profile", "word"), [("ros2", "not of latemiles"), ("latemiles/2", "Update latemiles")]
)
def test_another_profile_and_a_newer_version_are_told_apart(tmp_path: Path, profile: str, word: str) -> None:
    path = tmp_path / "a.mcap"
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start(profile=profile)
        writer.finish()
    raises_one_line(path, word)
    with pytest.raises(RecordingError, match=word):
        verify(path)


def test_unknown_topics_metadata_and_json_fields_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start(profile="latemiles/1")
        writer.add_metadata("of.another", {"a": "b"})
        writer.add_attachment(0, 0, "photo", "image/png", bytes(1000))
        ids = {t: writer.register_channel(t, "json", 0) for t in ("weather", "header", "mark")}
        writer.add_message(ids["header"], 0, b'{"run":"r","shoe":"old"}', 0, sequence=0)
        writer.add_message(ids["weather"], 1, b"rain", 1, sequence=1)
        writer.add_message(ids["mark"], 2, b'{"label":"hill","colour":3}', 2, sequence=2)
        writer.finish()
    records = list(Recording.open(path).records())
    assert records == [RunHeader("r"), Mark(2, "hill")]
    assert verify(path).ok


def test_a_torn_file_says_so_and_advises_recover(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mcap", some_run())
    path.write_bytes(path.read_bytes()[:-300])
    assert isinstance(raises_one_line(path, "latemiles recover"), TornRecording)


def hear(path: Path, n_packets: int) -> None:
    payload = os.urandom(150)
    with RecordingWriter(path, HEADER) as writer:
        for k in range(n_packets):
            writer.append(Packet(k * 19_000_000, SEGMENTS[k % 3], payload))


def peak_bytes(work: Callable[[], object]) -> int:
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_reading_a_long_run_keeps_one_chunk_in_memory(tmp_path: Path) -> None:
    hear(tmp_path / "long.mcap", 100_000)
    records = Recording.open(tmp_path / "long.mcap").records()
    assert peak_bytes(lambda: sum(1 for _ in records)) < 1e6


def test_writing_a_long_run_keeps_little_more_than_an_index(tmp_path: Path) -> None:
    assert peak_bytes(lambda: hear(tmp_path / "long.mcap", 20_000)) < 2e6


VICTIM = """
import sys
from reference.recording_samples import HEADER, some_run
from latemiles.recording.writer import RecordingWriter
writer = RecordingWriter(sys.argv[1], HEADER)
for k, record in enumerate(some_run(20.0)):
    writer.append(record)
    if k == 500:
        print("heard", flush=True)
        sys.stdin.read()
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_a_killed_process_loses_at_most_the_second_in_progress(tmp_path: Path) -> None:
    path = tmp_path / "killed.mcap"
    tests = Path(__file__).parents[1]
    with subprocess.Popen(
        [sys.executable, "-c", VICTIM, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(tests)},
    ) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == b"heard\n"
        victim.kill()
    report = recover(path, tmp_path / "saved.mcap")
    saved = list(Recording.open(tmp_path / "saved.mcap").records())[1:]
    run = some_run(20.0)[:501]
    assert all(same(a, b) for a, b in zip(saved, run, strict=False))
    assert run[-1].arrival_ns * 1e-9 - report.duration_s <= 1.1  # type: ignore[union-attr]
    assert report.torn_at is not None
