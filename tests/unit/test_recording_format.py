"""The bytes of format version 1, literally: what old recordings hold must be read for ever."""

from __future__ import annotations

from dataclasses import fields
from math import inf, nan
from pathlib import Path

import pytest

from latemiles.recording.format import CHANNELS, FormatError, decode, encode, kind_of, profile_version
from latemiles.signals.frames import Segment
from latemiles.signals.records import Gone, Link, Mark, Packet, Pose, Record, RunHeader, SensorInfo, Speed
from reference.recording_samples import same

DOCUMENT = Path(__file__).parents[2] / "docs" / "recording-format.md"

LITERAL: list[tuple[Record, int, bytes]] = [
    (
        RunHeader("r1", "ann", 5, (SensorInfo(Segment.PELVIS, "samples", 208.0),), extra={"a": "\u00e9"}),
        1,
        b'{"run":"r1","athlete":"ann","started_utc_ns":5,"sensors":[{"segment":"pelvis","driver":"samples",'
        b'"rate_hz":208.0,"serial":"","acc_range_m_s2":null,"gyr_range_rad_s":null,"firmware":""}],'
        b'"source":"","software":"","notes":"","extra":{"a":"\\u00e9"}}',
    ),
    (Packet(1, Segment.PELVIS, b"\x00\xff"), 2, b"\x00\xff"),
    (Packet(1, Segment.LEFT_THIGH, b""), 3, b""),
    (Packet(1, Segment.RIGHT_THIGH, b"a"), 4, b"a"),
    (Packet(1, Segment.TRUNK, b"a"), 5, b"a"),
    (Gone(2, Segment.TRUNK, 3, "inbox full"), 6, b'{"segment":"trunk","count":3,"reason":"inbox full"}'),
    (
        Link(2, Segment.PELVIS, "battery", battery_percent=71.5),
        7,
        b'{"segment":"pelvis","state":"battery","detail":"","battery_percent":71.5}',
    ),
    (Mark(2, 'a "hill"'), 8, b'{"label":"a \\"hill\\""}'),
    (Pose(2, "standing", 0.1, 1e300), 9, b'{"kind":"standing","start_s":0.1,"end_s":1e+300}'),
    (
        Speed(2, -0.0, nan, inf, -inf, 5e-324, "pod"),
        10,
        b'{"t_s":-0.0,"speed_m_s":null,"grade":"Infinity","distance_m":"-Infinity",'
        b'"heart_rate_bpm":5e-324,"source":"pod","elevation_m":null,"cadence_spm":null}',
    ),
]


@pytest.mark.parametrize(("record", "channel", "data"), LITERAL)
def test_a_record_has_these_bytes(record: Record, channel: int, data: bytes) -> None:
    assert encode(record)[0] == channel
    assert encode(record)[2] == data
    back = decode(CHANNELS[channel - 1].topic, getattr(record, "arrival_ns", 0), data)
    assert same(back, record)


def test_a_word_of_speed_from_before_there_was_elevation_is_still_read() -> None:
    data = b'{"t_s":1.0,"speed_m_s":3.0,"grade":null,"distance_m":null,"heart_rate_bpm":null,"source":"pod"}'
    assert same(decode("speed", 2, data), Speed(2, 1.0, 3.0, source="pod"))


def test_the_document_lists_every_channel_and_every_field() -> None:
    text = DOCUMENT.read_text()
    for number, channel in enumerate(CHANNELS, start=1):
        assert f"| {number} | `{channel.topic}` |" in text
        assert f"`{channel.schema_name}`" in text
    for kind in (RunHeader, SensorInfo, Gone, Link, Mark, Pose, Speed):
        for field in fields(kind):
            assert f"`{field.name}`" in text


@pytest.mark.parametrize(
    ("topic", "data"),
    [
        ("mark", b"{}"),
        ("mark", b"[]"),
        ("mark", b'{"label":3}'),
        ("mark", b"\xff"),
        ("mark", b"[" * 100_000),
        ("gone", b'{"segment":"foot","count":1,"reason":""}'),
        ("gone", b'{"segment":"pelvis","count":1.5,"reason":""}'),
        ("pose", b'{"kind":"x","start_s":true,"end_s":1}'),
        ("pose", b'{"kind":"x","start_s":1' + b"0" * 400 + b',"end_s":1}'),
        ("header", b'{"run":"r","sensors":{}}'),
        ("header", b'{"run":"r","extra":[]}'),
        ("weather", b"{}"),
    ],
)
def test_bytes_that_are_not_the_format_are_a_format_error(topic: str, data: bytes) -> None:
    with pytest.raises(FormatError):
        decode(topic, 0, data)


def test_a_thing_that_is_no_record_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="str is not a record"):
        encode("mark")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("profile", "version"),
    [("latemiles/1", 1), ("latemiles/12", 12), ("latemiles", None), ("latemiles/x", None), ("ros2", None)],
)
def test_the_profile_tells_the_version(profile: str, version: int | None) -> None:
    assert profile_version(profile) == version


def test_kinds_have_words() -> None:
    assert [kind_of(record) for record, _, _ in LITERAL[:2]] == ["header", "packet"]
