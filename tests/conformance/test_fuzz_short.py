"""The short form of ``make fuzz``: nothing that comes off the air raises anything but PacketError."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from latemiles.sensors.registry import DRIVERS

SPEC = importlib.util.spec_from_file_location(
    "fuzz_drivers", Path(__file__).resolve().parents[2] / "scripts" / "fuzz_drivers.py"
)
fuzz = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(fuzz)


def test_random_and_spoilt_bytes_raise_packet_errors_only():
    every = fuzz.readers()
    assert set(DRIVERS) <= set(every)
    for payload in fuzz.by_chance(2000, seed=11):
        fuzz.one(payload, every)


def test_a_reader_that_breaks_is_named_with_its_payload():
    def breaks(payload: bytes) -> object:
        return payload[1000]

    with pytest.raises(IndexError) as caught:
        fuzz.one(b"\x01", {"breaks": breaks})
    assert "Reader 'breaks', payload 01" in caught.value.__notes__
