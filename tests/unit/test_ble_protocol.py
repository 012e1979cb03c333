"""The host's numbers are those of docs/sensor-protocol.toml, which the firmware is held to as well."""

from __future__ import annotations

import struct
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latemiles.errors import PacketError
from latemiles.sensors import protocol
from latemiles.sensors.about import Advert, Info, Status, StatusFlag
from latemiles.sensors.drivers import latemiles_v1
from latemiles.sensors.protocol import Code, Command, Range, Result, Start, Started, State

TABLE = tomllib.loads(
    (Path(__file__).resolve().parents[2] / "docs" / "sensor-protocol.toml").read_text("utf-8")
)
SIZES = {"u8": 1, "u16": 2, "i16": 2, "u32": 4, "u64": 8}


def size_of(fields):
    total = 0
    for _, kind in fields:
        base, _, count = kind.partition("[")
        total += SIZES[base] * int(count.rstrip("]") or 1)
    return total


@pytest.mark.parametrize(
    ("numbers", "section"),
    [
        (Command, TABLE["command"]),
        (Code, TABLE["result"]["code"]),
        (State, TABLE["state"]),
        (StatusFlag, TABLE["status"]["flag"]),
    ],
    ids=["commands", "results", "states", "status flags"],
)
def test_numbers_are_those_of_the_table(numbers, section):
    assert {member.name.lower(): int(member) for member in numbers} == section


def test_uuids_limits_and_kinds_are_those_of_the_table():
    base = TABLE["uuid"]["base"]
    for name in ("service", "data", "control", "status", "clock", "info", "log"):
        assert getattr(protocol, name.upper()) == base.format(id=TABLE["uuid"][name])
    assert (TABLE["version"], TABLE["mtu_min"]) == (protocol.VERSION, protocol.MIN_MTU)
    assert TABLE["limits"]["max_ranges"] == protocol.MAX_RANGES
    assert TABLE["limits"]["bootloader_key"] == protocol.BOOTLOADER_KEY
    payloads = {name: size_of(f) for name, f in TABLE["command_payload"].items() if name != "resend"}
    assert {command.name.lower(): n for command, n in protocol.PAYLOAD_BYTES.items()} == payloads
    assert TABLE["tick_hz"] == latemiles_v1.TICK_HZ
    assert TABLE["frame"]["max_samples"] == latemiles_v1.MAX_SAMPLES
    kinds, flags = TABLE["frame"]["kind"], TABLE["frame"]["flag"]
    assert kinds == {
        "live": latemiles_v1.LIVE,
        "resend": latemiles_v1.RESEND,
        "with_temperature": latemiles_v1.WITH_TEMPERATURE,
    }
    assert flags == {
        "gap_before": latemiles_v1.GAP_BEFORE,
        "clipped": latemiles_v1.CLIPPED,
        "clock_step": latemiles_v1.CLOCK_STEP,
        "mark": latemiles_v1.MARK,
    }
    for name, number in TABLE["role"].items():
        segment = protocol.ROLES[number]
        assert (segment is None and name == "none") or segment.value == name


@pytest.mark.parametrize(
    ("encoded", "fields"),
    [
        (Status().encode(), TABLE["status"]["fields"]),
        (Info().encode(), TABLE["info"]["fields"]),
        (Advert(1, 0, 0, 0, 0).encode(), TABLE["advert"]["fields"]),
        (Start().encode(), TABLE["command_payload"]["start"]),
        (Started(1, 2, 3).encode(), TABLE["result"]["start"]),
        (Result(1, 2, 3).encode(), TABLE["result"]["header"]),
    ],
    ids=["status", "info", "advert", "start", "started", "result"],
)
def test_layouts_have_the_sizes_of_the_table(encoded, fields):
    assert len(encoded) == size_of(fields)


def test_a_status_is_read_field_by_field():
    payload = struct.pack("<BBBBHhIIII", 2, 1, 87, 2, 3900, 3125, 0xDEADBEEF, 1000, 100, 3)
    s = Status.decode(payload)
    assert s.battery == 87.0
    assert Status(battery_percent=255).battery != Status(battery_percent=255).battery
    assert (s.state, s.role, s.battery_percent, s.battery_mv) == (State.STREAMING, 1, 87, 3900)
    assert (s.temperature_c, s.session) == (31.25, 0xDEADBEEF)
    assert (s.next_index, s.oldest_index, s.dropped) == (1000, 100, 3)
    assert s.encode() == payload
    assert Status.decode(payload + b"later") == s


def test_info_of_another_version_is_refused_with_advice():
    with pytest.raises(PacketError, match="Update the program"):
        Info.decode(bytes([2]) + Info().encode()[1:])
    with pytest.raises(PacketError, match="Update the sensor's firmware"):
        Info.decode(b"\0" + Info().encode()[1:])
    assert Info.decode(Info(serial=7, rates_hz=(104, 208)).encode()).rates_hz == (104, 208)


@given(st.lists(st.tuples(st.integers(0, 2**31), st.integers(1, 65535)), max_size=16))
def test_requests_to_send_again_come_back_as_they_were(pairs):
    ranges = [Range(first, first + n) for first, n in pairs]
    assert protocol.resend_ranges(protocol.resend_payload(ranges)) == ranges


def test_of_a_range_too_long_to_ask_for_the_newest_part_is_asked_for():
    (asked,) = protocol.resend_ranges(protocol.resend_payload([Range(0, 100_000)]))
    assert asked == Range(100_000 - 65535, 100_000)


@pytest.mark.parametrize(
    "read",
    [
        Status.decode,
        Info.decode,
        Result.decode,
        Start.decode,
        Started.decode,
        Advert.decode,
        protocol.clock_answer,
        protocol.resend_ranges,
        protocol.frame_head,
    ],
)
@given(payload=st.binary(max_size=120))
def test_random_bytes_raise_a_packet_error_and_nothing_else(read, payload):
    try:
        read(payload)
    except PacketError:
        return
