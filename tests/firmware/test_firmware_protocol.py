"""One table, docs/sensor-protocol.toml, against the firmware's header, the host's driver and the document."""

from __future__ import annotations

import re
import struct
import tomllib
from typing import Any

import pytest

from firmware import host_core
from firmware.host_core import CORE, ROOT, STREAMING, HostCore, Library
from firmware.test_firmware_stream import ramp
from latemiles.sensors.drivers import latemiles_v1

TABLE: dict[str, Any] = tomllib.loads((ROOT / "docs" / "sensor-protocol.toml").read_text())
DOCUMENT = (ROOT / "docs" / "sensor-protocol.md").read_text()
SIZES = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q", "i16": "h"}


def size_of(fields: list[list[str]]) -> int:
    total = 0
    for _, kind in fields:
        base, _, count = kind.partition("[")
        total += struct.calcsize("<" + SIZES[base]) * int(count.rstrip("]") or 1)
    return total


def header_of_firmware() -> dict[str, int]:
    text = (CORE / "lm_protocol.h").read_text()
    return {
        name: int(value, 0) for name, value in re.findall(r"^#define LM_(\w+) (\w+)$", text, re.MULTILINE)
    }


def header_of_table() -> dict[str, int]:
    """The numbers that the header must define, by the table."""
    frame, log, limits = TABLE["frame"], TABLE["log"], TABLE["limits"]
    want = {
        "VERSION": TABLE["version"],
        "TICK_HZ": TABLE["tick_hz"],
        "MTU_MIN": TABLE["mtu_min"],
        "FRAME_MAX_SAMPLES": frame["max_samples"],
        "FRAME_MIN_SAMPLES_ASKED": frame["min_samples_asked"],
        "FRAME_SAMPLE_BYTES": size_of(frame["sample"]),
        "FRAME_HEADER_BYTES": size_of(frame["header"]),
        "RESULT_MARKER": TABLE["result"]["marker"],
        "RESULT_HEADER_BYTES": size_of(TABLE["result"]["header"]),
        "STATUS_BYTES": size_of(TABLE["status"]["fields"]),
        "CLOCK_REQUEST_BYTES": size_of(TABLE["clock"]["request"]),
        "CLOCK_ANSWER_BYTES": size_of(TABLE["clock"]["answer"]),
        "INFO_BYTES": size_of(TABLE["info"]["fields"]),
        "INFO_CALIBRATION": size_of(TABLE["info"]["fields"][:-1]),
        "CALIBRATION_BYTES": size_of(TABLE["info"]["fields"][-1:]),
        "LOG_PAGE_FLASH_BYTES": log["page_flash_bytes"],
        "LOG_PAGE_BYTES": log["page_bytes"],
        "LOG_PAGE_SAMPLES": log["page_samples"],
        "LOG_SECTOR_BYTES": log["sector_bytes"],
        "LOG_MAGIC": log["magic"],
        "LOG_HEADER_BYTES": size_of(log["header"]),
        "LOG_END_BYTES": size_of(log["end"]),
        "ADVERT_BYTES": size_of(TABLE["advert"]["fields"]),
        "RANGE_BYTES": size_of(TABLE["command_payload"]["resend"][1:]),
        "LIMIT_MAX_QUEUED": limits["max_queued"],
        "LIMIT_MAX_RANGES": limits["max_ranges"],
        "LIMIT_RESULT_BYTES": limits["result_bytes"],
        "LIMIT_BOOTLOADER_KEY": limits["bootloader_key"],
    }
    offset = 0
    for name, kind in frame["header"]:
        want[f"FRAME_{name.upper()}"] = offset
        offset += size_of([[name, kind]])
    groups = {
        "KIND": frame["kind"],
        "FLAG": frame["flag"],
        "UUID": {k: v for k, v in TABLE["uuid"].items() if k != "base"},
        "COMMAND": TABLE["command"],
        "CODE": TABLE["result"]["code"],
        "ROLE": TABLE["role"],
        "STATE": TABLE["state"],
        "STATUS": TABLE["status"]["flag"],
    }
    for prefix, group in groups.items():
        want |= {f"{prefix}_{name.upper()}": value for name, value in group.items()}
    payloads = {name: size_of(f) for name, f in TABLE["command_payload"].items() if name != "resend"}
    return want | {f"PAYLOAD_{name.upper()}": n for name, n in payloads.items()}


def test_the_firmwares_header_is_the_table() -> None:
    assert header_of_firmware() == header_of_table()


def test_the_hosts_driver_is_the_table() -> None:
    frame = TABLE["frame"]
    assert TABLE["version"] == latemiles_v1.VERSION
    assert TABLE["tick_hz"] == latemiles_v1.TICK_HZ
    assert frame["max_samples"] == latemiles_v1.MAX_SAMPLES
    assert frame["kind"] == {
        "live": latemiles_v1.LIVE,
        "resend": latemiles_v1.RESEND,
        "with_temperature": latemiles_v1.WITH_TEMPERATURE,
    }
    assert frame["flag"] == {
        "gap_before": latemiles_v1.GAP_BEFORE,
        "clipped": latemiles_v1.CLIPPED,
        "clock_step": latemiles_v1.CLOCK_STEP,
        "mark": latemiles_v1.MARK,
    }
    block = ramp(5, 3)
    encoded = latemiles_v1.encode(block, first_index=0x01020304, tick=0x05060708, epoch=9, flags=10)
    kinds = "".join(SIZES[kind] for _, kind in frame["header"])
    fields = dict(zip([n for n, _ in frame["header"]], struct.unpack_from("<" + kinds, encoded), strict=True))
    assert fields == {"type": 0x10, "n": 3, "flags": 10, "epoch": 9, "index": 0x01020304, "tick": 0x05060708}
    assert encoded[size_of(frame["header"]) :] == block.tobytes()


def test_firmware_and_driver_write_the_same_frame(core_library: Library) -> None:
    core = HostCore(core_library, tick=1000)
    core.connect()
    core.start(samples=7)
    assert core.state == STREAMING
    block = ramp(0, 7)
    core.feed(block, 3000)
    core.poll()
    heard = [data for channel, data in core.deliver() if channel == host_core.DATA]
    tick, epoch = struct.unpack_from("<I", heard[0], 8)[0], heard[0][3]
    assert heard == [latemiles_v1.encode(block, first_index=0, tick=tick, epoch=epoch)]


def test_every_page_and_frame_fits_one_notification_of_the_smallest_mtu() -> None:
    frame = TABLE["frame"]
    largest = size_of(frame["header"]) + frame["max_samples"] * size_of(frame["sample"]) + 2
    assert max(largest, TABLE["log"]["page_bytes"], size_of(TABLE["info"]["fields"])) <= TABLE["mtu_min"] - 3
    results = [f for name, f in TABLE["result"].items() if name in TABLE["command"]]
    assert max(map(size_of, results)) + size_of(TABLE["result"]["header"]) <= TABLE["limits"]["result_bytes"]


def test_a_log_page_is_a_header_and_a_frame() -> None:
    log, frame = TABLE["log"], TABLE["frame"]
    samples = log["page_samples"] * size_of(frame["sample"])
    assert size_of(log["header"]) + size_of(frame["header"]) + samples == log["page_bytes"]


@pytest.mark.parametrize("group", ["command", "role", "state"])
def test_the_document_names_every_number_of(group: str) -> None:
    for name, value in TABLE[group].items():
        shown = f"`{value:02x}`" if group == "command" else f"{value} {name.replace('_', ' ')}"
        assert shown in DOCUMENT, f"{group} {name}"


def test_the_document_names_every_characteristic() -> None:
    for name, value in TABLE["uuid"].items():
        if name != "base":
            assert TABLE["uuid"]["base"].format(id=value) in DOCUMENT, name


def test_the_document_names_every_result_code_and_flag() -> None:
    for name, value in TABLE["result"]["code"].items():
        assert f"{value} {name.replace('_', ' ')}" in DOCUMENT, name
    for name, value in TABLE["status"]["flag"].items():
        assert f"{value} {name.replace('_', ' ')}" in DOCUMENT, name


def test_the_zephyr_glue_has_the_tables_uuids_and_its_attributes_in_order() -> None:
    text = (ROOT / "firmware" / "zephyr" / "src" / "radio.c").read_text()
    first, second, third, fourth, last = TABLE["uuid"]["base"].format(id=0).split("-")
    parts = f"0x{first}U | (id), 0x{second}, 0x{third}, 0x{fourth}, 0x{last}ULL"
    assert f"BT_UUID_128_ENCODE({parts})" in text
    # One attribute for the service, two for a characteristic, one for its subscription.
    service = text[text.index("BT_GATT_SERVICE_DEFINE(") :]
    service = service[: service.index(";")]
    at, places = 1, {}
    for kind, name in re.findall(r"(BT_GATT_CHARACTERISTIC|CCC)\((?:UUID\(LM_UUID_(\w+)\))?", service):
        if kind == "CCC":
            at += 1
        else:
            places[name] = at + 1
            at += 2
    places.pop("INFO")
    assert places == {k: int(v) for k, v in re.findall(r"ATTRIBUTE_(\w+) = (\d+)", text)}
