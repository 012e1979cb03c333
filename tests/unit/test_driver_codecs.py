"""The two own codecs: what is put in comes out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latemiles.errors import PacketError
from latemiles.sensors.drivers import latemiles_v1, samples
from latemiles.signals.blocks import ImuStream
from latemiles.signals.frames import Segment
from latemiles.signals.records import Packet, RunHeader


@given(
    n=st.integers(1, 19),
    index=st.integers(0, 2**32 - 1),
    tick=st.integers(0, 2**32 - 1),
    seed=st.integers(0, 99),
)
def test_a_frame_keeps_every_count(n, index, tick, seed):
    counts = np.random.default_rng(seed).integers(-32768, 32768, (n, 6)).astype("<i2")
    payload = latemiles_v1.encode(counts, first_index=index, tick=tick, epoch=3)
    assert len(payload) == 12 + 12 * n
    p = latemiles_v1.LatemilesV1().decode(payload)
    assert (p.first_index, p.tick, p.epoch) == (index, tick, 3)
    np.testing.assert_array_equal(latemiles_v1.counts_from_si(p.acc, p.gyr), counts)


def test_index_and_tick_wrap_at_32_bits():
    payload = latemiles_v1.encode(np.zeros((1, 6), "<i2"), first_index=2**32 + 5, tick=2**32 + 9)
    p = latemiles_v1.LatemilesV1().decode(payload)
    assert (p.first_index, p.tick) == (5, 9)


def test_a_frame_with_temperature_and_a_mark_tells_both():
    payload = latemiles_v1.encode(
        np.ones((2, 6), "<i2"),
        first_index=0,
        tick=0,
        kind=latemiles_v1.WITH_TEMPERATURE,
        flags=latemiles_v1.MARK,
        temperature_c=31.25,
    )
    p = latemiles_v1.LatemilesV1().decode(payload)
    assert p.temperature_c == 31.25
    assert p.is_marked
    assert len(p.acc) == 2


@pytest.mark.parametrize("n", [0, 20])
def test_a_frame_of_too_few_or_too_many_samples_is_not_built(n):
    with pytest.raises(PacketError):
        latemiles_v1.encode(np.zeros((n, 6), "<i2"), first_index=0, tick=0)


@pytest.mark.parametrize("first", [0x00, 0x20, 0x13, 0xFF])
def test_a_frame_of_another_version_or_kind_is_refused(first):
    payload = bytearray(latemiles_v1.encode(np.zeros((1, 6), "<i2"), first_index=0, tick=0))
    payload[0] = first
    with pytest.raises(PacketError):
        latemiles_v1.LatemilesV1().decode(bytes(payload))


def stream(seed, n=500):
    rng = np.random.default_rng(seed)
    t = np.cumsum(rng.uniform(0.004, 0.006, n)) + 3.0
    acc, gyr = rng.standard_normal((2, n, 3))
    acc[100:120] = np.nan
    return ImuStream(t, acc, gyr)


def test_imported_streams_come_back_to_the_bit():
    streams = {segment: stream(k) for k, segment in enumerate(reversed(list(Segment)))}
    header, *packets = samples.records(streams, {"run": "r1", "source": "imported from a test"})
    assert isinstance(header, RunHeader)
    assert [i.segment for i in header.sensors] == list(Segment)
    assert header.sensors[0].rate_hz == pytest.approx(200.0, rel=0.02)
    assert all(isinstance(p, Packet) for p in packets)
    assert [p.arrival_ns for p in packets] == sorted(p.arrival_ns for p in packets)
    driver = samples.Samples()
    for segment, whole in streams.items():
        parts = [driver.decode(p.payload) for p in packets if p.segment == segment]
        np.testing.assert_array_equal(np.concatenate([p.t_s for p in parts]), whole.t)
        np.testing.assert_array_equal(np.concatenate([p.acc for p in parts]), whole.acc)
        np.testing.assert_array_equal(np.concatenate([p.gyr for p in parts]), whole.gyr)
        assert max(len(p.acc) for p in parts) < 30


def test_an_empty_stream_makes_a_header_and_no_packets():
    empty = ImuStream(np.empty(0), np.empty((0, 3)), np.empty((0, 3)))
    assert len(list(samples.records({Segment.PELVIS: empty}, {"run": "r"}))) == 1


def test_packed_samples_whose_time_stands_still_are_refused():
    payload = samples.encode(np.array([1.0, 1.0]), np.zeros((2, 3)), np.zeros((2, 3)))
    with pytest.raises(PacketError, match="increase"):
        samples.Samples().decode(payload)
