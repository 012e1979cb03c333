"""Many records at once say what they say one by one, wherever the stretches are cut."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latemiles.errors import PacketError
from latemiles.estimators.decode import DecodeStage, decode_each
from latemiles.findings import Findings
from latemiles.pipeline import Pipeline
from latemiles.recording import reader
from latemiles.recording.reader import Recording
from latemiles.scout import Scout
from latemiles.sensors.drivers import latemiles_v1, samples
from latemiles.sensors.registry import driver_for, driver_named
from latemiles.signals.events import DriftUpdate, Event, GaitEvent, Stride, event_bytes
from latemiles.signals.frames import Segment
from latemiles.signals.packets import HeadDriver, StretchDriver
from latemiles.signals.records import Packet, Record, RunHeader, SensorInfo, Speed
from latemiles.signals.stretches import Stretch, stretches_of, with_speeds

pytestmark = pytest.mark.timeout(600)
"""The first test of a changed kernel waits for the compiler."""

PATH = Path(__file__).resolve().parents[2] / "recordings" / "rough_radio.mcap"


def hanging(records: list[Record], segment: Segment, start: int, stop: int) -> list[Record]:
    """The same with the samples of one sensor's packets ``start`` to ``stop`` repeating one."""
    out, k, body = [], 0, b""
    for record in records:
        if isinstance(record, Packet) and record.segment == segment:
            k += 1
            if start < k <= stop:
                body = record.payload[12:24] if k == start + 1 else body
                record = replace(
                    record, payload=record.payload[:12] + body * ((len(record.payload) - 12) // 12)
                )
        out.append(record)
    return out


def by_kind(events: list[Event]) -> dict[str, bytes]:
    kinds = {type(event).__name__ for event in events}
    return {kind: event_bytes(e for e in events if type(e).__name__ == kind) for kind in kinds}


def records_of(stretch: Stretch) -> list[Record]:
    """The records of a stretch, one by one."""
    segments = {segment.lane: segment for segment in Segment}
    out: list[Record] = [
        Packet(int(ns), segments[int(lane)], stretch.data[a:b])
        for ns, lane, a, b in zip(stretch.arrival_ns, stretch.lane, stretch.start, stretch.stop, strict=True)
    ]
    for before, record in reversed(stretch.others):
        out.insert(before, record)
    return out


@pytest.fixture(scope="module")
def heard() -> tuple[RunHeader, list[Record]]:
    with Recording.open(PATH) as recording:
        records = list(recording.records())
        return recording.header, hanging(records, Segment.LEFT_THIGH, 600, 660)


@pytest.fixture(scope="module")
def one_by_one(heard) -> tuple[dict[str, bytes], bytes]:
    header, records = heard
    pipeline = Pipeline(header, driver_for)
    events = [event for record in records for event in pipeline.push(record)]
    state = pipeline.checkpoint()
    return by_kind(events + pipeline.finish()), state


@pytest.mark.parametrize("most", [7, 150, 10**6])
def test_stretches_of_any_length_change_no_event_and_no_state(heard, one_by_one, most):
    header, records = heard
    pipeline = Pipeline(header, driver_for)
    events = [e for stretch in stretches_of(records, most) for e in pipeline.push_stretch(stretch)]
    state = pipeline.checkpoint()
    assert (by_kind(events + pipeline.finish()), state) == one_by_one


def test_strides_and_gait_events_that_are_kept_are_those_that_are_put_out(heard):
    header, records = heard
    kept, told = Findings(), Findings()
    whole, pipeline = Pipeline(header, driver_for), Pipeline(header, driver_for, kept=kept)
    rest = []
    for stretch in stretches_of(records, 500):
        told.take(whole.push_stretch(stretch))
        rest += pipeline.push_stretch(stretch)
    told.take(whole.finish())
    kept.take([*rest, *pipeline.finish()])
    assert not any(isinstance(event, Stride | GaitEvent | DriftUpdate) for event in rest)
    assert repr(kept.splits) == repr(told.splits) != "[]"
    assert kept.activities == told.activities
    assert len(kept.strides) == len(told.strides) > 20
    for a, b in zip(kept.gait.columns(), told.gait.columns(), strict=True):
        assert a.tobytes() == b.tobytes()
    a, b = kept.strides.table(), told.strides.table()
    assert a.values.tobytes() == b.values.tobytes()
    assert (a.lanes == b.lanes).all()
    assert (a["quality"] == b["quality"]).all()


def test_a_scout_finds_what_the_whole_first_pass_finds(heard):
    header, records = heard
    passes = []
    for kind in (Pipeline, Scout):
        pipeline = kind(header, driver_for)
        for stretch in stretches_of(records):
            pipeline.push_stretch(stretch)
        pipeline.finish()
        passes.append(pipeline.first_pass)
    whole, scout = passes
    assert repr(scout.calibration) == repr(whole.calibration)
    assert scout.is_over_ground == whole.is_over_ground
    for segment, fit in whole.clocks.items():
        assert scout.clocks[segment].knots.tobytes() == fit.knots.tobytes()


def test_a_recording_gives_the_same_records_in_stretches():
    with Recording.open(PATH) as recording:
        assert [r for s in recording.stretches() for r in records_of(s)] == list(recording.records())


@pytest.mark.parametrize("kept", [0, 150_000, 10**9])
def test_a_second_pass_reads_the_same_whatever_was_kept_of_the_first(monkeypatch, kept):
    monkeypatch.setattr(reader, "KEPT_BYTES", kept)
    monkeypatch.setattr(reader, "STRETCH_BYTES", 60_000)
    with Recording.open(PATH) as recording:
        records = list(recording.records())
        for _ in range(4):
            assert [r for s in recording.stretches() for r in records_of(s)] == records
        # One that was not read to its end leaves nothing behind.
        next(recording.stretches())
        assert [r for s in recording.stretches() for r in records_of(s)] == records


@settings(max_examples=50, deadline=None)
@given(
    heard_s=st.lists(st.integers(0, 50), min_size=1, max_size=30).map(sorted),
    kinds=st.lists(st.booleans(), min_size=30, max_size=30),
    told_s=st.lists(st.integers(0, 60), max_size=10).map(sorted),
    most=st.integers(1, 8),
)
def test_told_speeds_come_after_all_that_arrived_before_them(heard_s, kinds, told_s, most):
    records: list[Record] = [
        Packet(s * 10**9, Segment.PELVIS, b"x") if is_packet else Speed(s * 10**9, float(s), source="heard")
        for s, is_packet in zip(heard_s, kinds, strict=False)
    ]
    told = [Speed(s * 10**9, float(s), source="told") for s in told_s]
    found = [r for x in with_speeds(stretches_of(records, most), told) for r in records_of(x)]
    assert found == sorted([*records, *told], key=lambda r: r.arrival_ns)


def frames() -> list[bytes]:
    """Frames of all kinds, and every way in which one can be damaged."""
    rng = np.random.default_rng(3)
    out = []
    for k in range(12):
        counts = rng.integers(-32768, 32768, size=(1 + k, 6)).astype(np.int16)
        counts[0, k % 6] = 32767
        kind, flags = k % 3, latemiles_v1.MARK if k == 5 else 0
        out.append(
            latemiles_v1.encode(
                counts, first_index=2**32 - 7 + k, tick=99 * k, epoch=k, flags=flags, kind=kind
            )
        )
    damaged = [b"", out[0][:11], out[1][:-1], out[2] + b"x", b"\x31" + out[3][1:], b"\x1f" + out[4][1:]]
    return [*out[:6], *damaged, *out[6:], out[0][:1] + b"\x00" + out[0][2:12]]


def packed() -> list[bytes]:
    rng = np.random.default_rng(4)
    out = [
        samples.encode(
            k + np.sort(rng.random(3 + k)), rng.normal(size=(3 + k, 3)), rng.normal(size=(3 + k, 3))
        )
        for k in range(6)
    ]
    backwards = samples.encode(np.array([2.0, 1.0]), np.zeros((2, 3)), np.zeros((2, 3)))
    lost = samples.encode(np.array([np.nan]), np.zeros((1, 3)), np.zeros((1, 3)))
    damaged = [b"", out[0][:5], b"LMS2" + out[1][4:], out[2][:-8], backwards, lost]
    return [*out[:3], *damaged, *out[3:]]


@pytest.mark.interpreted
@pytest.mark.parametrize(
    ("name", "payloads"), [(latemiles_v1.NAME, frames()), (samples.NAME, packed())], ids=["v1", "samples"]
)
def test_many_packets_decode_as_each_does(name, payloads):
    driver = driver_named(name)
    assert isinstance(driver, StretchDriver)
    # Bytes between the payloads belong to nobody.
    data = b"".join(payload + b"\x7f" for payload in payloads)
    stop = np.cumsum([len(p) + 1 for p in payloads]) - 1
    start = stop - [len(p) for p in payloads]
    many, each = driver.decode_many(data, start, stop), decode_each(driver, data, start, stop)
    sound = ~each.is_damaged
    for field in ("acc", "gyr", "flags", "sizes", "is_damaged", "is_marked"):
        np.testing.assert_array_equal(getattr(many, field), getattr(each, field))
    for field in ("first_index", "tick", "epoch", "is_resent"):
        np.testing.assert_array_equal(getattr(many, field)[sound], getattr(each, field)[sound])
    assert repr(many.t_s) == repr(each.t_s)
    assert each.is_damaged.sum() >= 6
    if isinstance(driver, HeadDriver):
        heads = driver.heads_many(data, start, stop)
        for field in ("sizes", "is_damaged", "is_marked", "first_index", "tick", "epoch", "is_resent"):
            np.testing.assert_array_equal(getattr(heads, field), getattr(many, field))


def test_clipping_is_counted_alike_in_a_stretch(heard):
    info = replace(heard[0].sensors[0], acc_range_m_s2=3.0, gyr_range_rad_s=0.5)
    payloads = [r.payload for r in heard[1] if isinstance(r, Packet) and r.segment == info.segment][:400]
    driver = driver_for(heard[0].sensors[0])
    one, many = DecodeStage(info, driver), DecodeStage(info, driver)
    decoded = [p for payload in [*payloads, b"?"] if (p := one.push(payload)) is not None]
    stop = np.cumsum([len(p) for p in [*payloads, b"?"]])
    found, _ = many.push_many(b"".join(payloads) + b"?", stop - [len(p) for p in [*payloads, b"?"]], stop)
    assert many.save() == one.save()
    assert one.clipped_acc > 0
    np.testing.assert_array_equal(found.flags, np.concatenate([p.flags for p in decoded]))


def test_a_driver_without_a_way_for_many_is_asked_for_each():
    driver = driver_named("movesense")
    found = DecodeStage(SensorInfo(Segment.PELVIS, "movesense", 104.0), driver)
    stretch, _ = found.push_many(b"abcd", np.array([0, 2]), np.array([2, 4]))
    assert found.damaged == 2
    assert stretch.is_damaged.all()
    assert stretch.acc.shape == (0, 3)
    with pytest.raises(PacketError):
        driver.decode(b"ab")
