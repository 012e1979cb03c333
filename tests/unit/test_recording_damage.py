"""Torn and damaged recordings give back everything that is sound, and only that."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import pytest
from mcap.opcode import Opcode
from mcap.stream_reader import StreamReader

from latemiles.errors import RecordingError, TornRecording
from latemiles.recording.container import pieces
from latemiles.recording.format import encode
from latemiles.recording.reader import Recording
from latemiles.recording.recover import recover
from latemiles.recording.salvage import Salvage
from latemiles.recording.verify import verify
from latemiles.signals.records import Record
from reference.recording_samples import HEADER, same, some_run, write

STEP = 5
"""Every fifth byte is flipped, to be quick; 1 was tried."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("whole") / "whole.mcap", some_run())


def chunk_ends(path: Path) -> list[tuple[int, int, int]]:
    """Start, end and number of messages of each chunk."""
    with path.open("rb") as file:
        found = [(p.offset, p.end) for p in pieces(file, path.stat().st_size, ()) if p.opcode == Opcode.CHUNK]
    with path.open("rb") as file:
        chunks = [r for r in StreamReader(file, emit_chunks=True).records if type(r).__name__ == "Chunk"]
    from mcap.stream_reader import breakup_chunk

    counts = [sum(type(r).__name__ == "Message" for r in breakup_chunk(c)) for c in chunks]
    return [(start, end, n) for (start, end), n in zip(found, counts, strict=True)]


def saved_records(path: Path) -> list[Record]:
    return list(Recording.open(path).records())


def test_a_file_torn_at_any_byte_still_holds_all_that_was_flushed(whole: Path) -> None:
    data = whole.read_bytes()
    chunks = chunk_ends(whole)
    records = [encode(record) for record in (HEADER, *some_run())]
    for cut in range(len(data)):
        salvage = Salvage(io.BytesIO(data[:cut]), cut)
        found = [encode(record) for chunk in salvage.chunks() for record in chunk]
        flushed = sum(n for _, end, n in chunks if end <= cut)
        assert len(found) == flushed, cut
        assert found == records[:flushed]
        assert salvage.torn_at is not None


def test_recovering_a_torn_file_makes_a_whole_one_or_says_that_nothing_is_left(
    whole: Path, tmp_path: Path
) -> None:
    data = whole.read_bytes()
    chunks = chunk_ends(whole)
    records = [HEADER, *some_run()]
    torn = tmp_path / "torn.mcap"
    edges = [end + k for _, end, _ in chunks for k in (-1, 0, 1)]
    for cut in sorted({*range(0, len(data), 251), *edges}):
        torn.write_bytes(data[:cut])
        flushed = sum(n for _, end, n in chunks if end <= cut)
        with pytest.raises(RecordingError, match=r"\.$"):
            Recording.open(torn)
        out = tmp_path / f"{cut}.mcap"
        if b"crc32" not in data[:cut]:
            with pytest.raises(RecordingError, match=r"Nothing in this file|empty"):
                recover(torn, out)
            continue
        report = recover(torn, out)
        assert report.torn_at is not None
        assert sum(report.records.values()) == max(0, flushed - 1)
        back = saved_records(out)
        assert len(back) == max(1, flushed)
        assert all(same(a, b) for a, b in zip(back, records, strict=False))
        assert verify(out).ok
    assert whole.read_bytes() == data


def test_a_flipped_byte_anywhere_costs_one_chunk_at_most(whole: Path, tmp_path: Path) -> None:
    data = whole.read_bytes()
    chunks = chunk_ends(whole)
    n_records = len(some_run()) + 1
    bad = tmp_path / "bad.mcap"
    for place in range(0, len(data), STEP):
        damaged = bytearray(data)
        damaged[place] ^= 1 + place % 255
        salvage = Salvage(io.BytesIO(damaged), len(damaged))
        saved = sum(len(chunk) for chunk in salvage.chunks())
        worst = max((n for start, end, n in chunks if start <= place < end), default=0)
        assert n_records - saved <= worst, place
        lost = [loss.records for loss in salvage.losses]
        assert None in lost or saved + sum(n or 0 for n in lost) == n_records, place
        bad.write_bytes(damaged)
        with contextlib.suppress(RecordingError):
            assert len(list(Recording.open(bad).records())) == n_records, place


def test_verify_notices_a_flipped_byte_anywhere_but_in_the_library_name(whole: Path, tmp_path: Path) -> None:
    data = whole.read_bytes()
    bad = tmp_path / "bad.mcap"
    for place in range(0, len(data), 17):
        damaged = bytearray(data)
        damaged[place] ^= 0x40
        bad.write_bytes(damaged)
        try:
            assert not verify(bad).ok, place
        except RecordingError:
            assert place < 30


def test_a_lost_chunk_is_named_in_records_seconds_and_bytes(whole: Path, tmp_path: Path) -> None:
    start, end, n = chunk_ends(whole)[2]
    damaged = bytearray(whole.read_bytes())
    damaged[(start + end) // 2] ^= 0xFF
    bad = tmp_path / "bad.mcap"
    bad.write_bytes(damaged)
    with pytest.raises(RecordingError, match="damaged") as caught:
        list(Recording.open(bad).records())
    assert not isinstance(caught.value, TornRecording)
    report = recover(bad, tmp_path / "out.mcap")
    assert report.lost_records == n
    assert report.lost_s == pytest.approx(1.1, abs=0.15)
    assert report.lost_bytes >= end - start
    checked = verify(bad)
    assert (checked.ok, checked.n_bad_chunks) == (False, 1)
    assert f"{n} records" in "\n".join(report.lines())


def test_a_damaged_first_chunk_does_not_take_the_rest_with_it(whole: Path, tmp_path: Path) -> None:
    """The channels and the header are in the first chunk: fixed ids and the metadata stand in."""
    start, end, _ = chunk_ends(whole)[0]
    damaged = bytearray(whole.read_bytes())
    damaged[start:end] = bytes(end - start)
    bad = tmp_path / "bad.mcap"
    bad.write_bytes(damaged)
    report = recover(bad, tmp_path / "out.mcap")
    assert report.has_header
    back = saved_records(tmp_path / "out.mcap")
    assert len(back) == len(some_run()) + 1
    assert all(same(a, b) for a, b in zip(back, [HEADER, *some_run()], strict=True))


def test_a_file_without_any_header_keeps_its_packets(whole: Path, tmp_path: Path) -> None:
    chunks = chunk_ends(whole)
    data = whole.read_bytes()
    bad = tmp_path / "bad.mcap"
    bad.write_bytes(bytes(chunks[1][0]) + data[chunks[1][0] : chunks[2][1]])
    report = recover(bad, tmp_path / "out.mcap")
    assert not report.has_header
    assert report.header.sensors == ()
    assert sum(report.records.values()) == chunks[1][2] + chunks[2][2]


def test_recover_never_overwrites_and_never_leaves_half_a_file(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mcap"
    out.write_bytes(b"mine")
    with pytest.raises(RecordingError, match="never overwritten"):
        recover(whole, out)
    assert out.read_bytes() == b"mine"
    with pytest.raises(RecordingError, match="never overwritten"):
        recover(whole, whole)
    text = tmp_path / "text.mcap"
    text.write_text("hello\n" * 100)
    with pytest.raises(RecordingError, match="Nothing in this file"):
        recover(text, tmp_path / "none.mcap")
    assert not (tmp_path / "none.mcap").exists()


def test_recovering_a_whole_file_copies_it(whole: Path, tmp_path: Path) -> None:
    report = recover(whole, tmp_path / "out.mcap")
    assert (report.losses, report.torn_at) == ((), None)
    assert "nothing was lost" in report.lines()[-1]
    again = saved_records(tmp_path / "out.mcap")
    assert all(same(a, b) for a, b in zip(again, saved_records(whole), strict=True))


def test_verify_counts_what_is_there(whole: Path) -> None:
    report = verify(whole)
    assert report.ok
    assert report.lines()[-1] == "whole and sound"
    assert report.records == {"packet": 90, "pose": 1, "mark": 1, "speed": 1, "link": 1}
    assert set(report.packets.values()) == {30}
    assert max(report.longest_silence_s.values()) == pytest.approx(0.1)
    assert report.n_steps_back == 3


def test_a_torn_file_is_verified_up_to_where_it_is_torn(whole: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mcap"
    start, _, _ = chunk_ends(whole)[1]
    bad.write_bytes(whole.read_bytes()[: start + 20])
    report = verify(bad)
    assert not report.ok
    assert report.torn_at == start
    assert "latemiles recover" in report.lines()[-1]


def test_a_file_torn_in_its_summary_has_lost_no_record(whole: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mcap"
    bad.write_bytes(whole.read_bytes()[:-200])
    report = recover(bad, tmp_path / "out.mcap")
    assert report.torn_at is not None
    assert report.lost_records == 0
    assert sum(report.records.values()) == len(some_run())
