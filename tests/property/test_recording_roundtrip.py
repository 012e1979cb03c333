"""Any record survives the recording bit for bit; any damage raises RecordingError and nothing else."""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from latemiles.errors import RecordingError
from latemiles.recording.format import CHANNELS, FormatError, decode, encode
from latemiles.recording.reader import Recording
from latemiles.recording.recover import recover
from latemiles.recording.verify import verify
from latemiles.recording.writer import RecordingWriter
from latemiles.signals.records import Record, RunHeader
from reference.recording_samples import HEADERS, RECORDS, same, some_run, write


@given(record=RECORDS | HEADERS)
def test_every_record_comes_back_bit_for_bit(record: Record) -> None:
    channel, arrival_ns, data = encode(record)
    assert same(decode(CHANNELS[channel - 1].topic, arrival_ns, data), record)


@given(
    topic=st.sampled_from([c.topic for c in CHANNELS]),
    data=st.binary(max_size=60) | st.text().map(str.encode),
)
def test_any_bytes_decode_or_raise_format_error(topic: str, data: bytes) -> None:
    try:
        decode(topic, 0, data)
    except FormatError:
        assert not topic.startswith("packet")


@settings(max_examples=40, deadline=None)
@given(header=HEADERS, records=st.lists(RECORDS, max_size=30), flush_every_s=st.sampled_from([0.0, 1.0, 1e6]))
def test_any_run_comes_back_in_its_order(
    header: RunHeader, records: list[Record], flush_every_s: float
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.mcap")
        with RecordingWriter(path, header, flush_every_s=flush_every_s) as writer:
            for record in records:
                writer.append(record)
        back = list(Recording.open(path).records())
        report = verify(path)
        assert report.ok, report.lines()
    assert len(back) == len(records) + 1
    assert all(same(a, b) for a, b in zip(back, [header, *records], strict=True))


WHOLE = io.BytesIO()


def whole_bytes() -> bytes:
    if not WHOLE.getvalue():
        with tempfile.TemporaryDirectory() as folder:
            WHOLE.write(write(Path(folder, "a.mcap"), some_run(2.0)).read_bytes())
    return WHOLE.getvalue()


@settings(max_examples=150, deadline=None)
@given(pokes=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=20)), min_size=1, max_size=6))
def test_any_damage_raises_recording_error_and_nothing_else(pokes: list[tuple[float, bytes]]) -> None:
    data = bytearray(whole_bytes())
    for place, junk in pokes:
        start = int(place * (len(data) - 1))
        data[start : start + len(junk)] = junk
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder, "a.mcap"), Path(folder, "out.mcap")
        path.write_bytes(data)
        run = some_run(2.0)
        try:
            read = list(Recording.open(path).records())[1:]
            assert all(same(a, b) for a, b in zip(read, run, strict=True))
        except RecordingError:
            pass
        with contextlib.suppress(RecordingError):
            verify(path)
        try:
            recover(path, out)
        except RecordingError:
            return
        # What is saved is what was said, in its order, with whole chunks left out.
        remaining = iter(run)
        for record in list(Recording.open(out).records())[1:]:
            assert any(same(record, other) for other in remaining)
