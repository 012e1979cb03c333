"""The flash log: outages end up in it, whole. Power cuts byte by byte: test_firmware_torn.py."""

from __future__ import annotations

import binascii
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from firmware.host_core import (
    CONTROL,
    LOG,
    LOG_ERASE,
    LOG_LIST,
    LOG_READ,
    NOT_THERE,
    OK,
    SECTOR,
    STATUS,
    STOP,
    TICK_HZ,
    Flash,
    HostCore,
    Library,
    PowerCut,
)
from firmware.test_firmware_stream import counts_of, ramp

HEADER = struct.Struct("<HHIII")


class Sensor:
    """A HostCore with flash, that is fed samples that say which ones they are."""

    def __init__(self, library: Library, flash: Flash, store: bytearray | None = None, seed: int = 1) -> None:
        self.core = HostCore(library, flash=flash, ring_bytes=6000, settings=store, seed=seed)
        self.next = 0

    def start(self) -> None:
        self.core.connect()
        assert self.core.start()[0] == OK
        self.next = 0

    def live(self, frames: int) -> None:
        for _ in range(frames):
            self.next += 19
            self.core.tick = round(self.next / 208 * TICK_HZ)
            self.core.feed(ramp(self.next - 19, 19), self.core.tick)
            while self.core.poll() == 0:
                pass
            self.core.deliver()

    def offload(self) -> list[tuple[int, int, NDArray[np.int16], int]]:
        """Session, first index, samples and tick of all pages, as a host gets them."""
        code, payload = self.core.ask(LOG_LIST)
        assert code == OK
        first, pages, _ = struct.unpack("<III", payload)
        if pages == 0:
            return []
        assert self.core.ask(LOG_READ, struct.pack("<IH", first, min(pages, 65535)))[0] == OK
        heard: list[bytes] = []
        for _ in range(3 * pages + 10):
            self.core.poll()
            heard += [data for channel, data in self.core.deliver() if channel == LOG]
        assert struct.unpack("<II", heard[-1]) == (first, len(heard) - 1)
        found = []
        for page in heard[:-1]:
            magic, crc, number, session, _ = HEADER.unpack_from(page)
            assert magic == 0x4D4C
            assert crc == binascii.crc_hqx(page[4:], 0xFFFF)
            assert first <= number < first + pages
            n = page[17]
            frame = page[16 : 28 + 12 * n]
            found.append(
                (
                    session,
                    *struct.unpack_from("<I", frame, 4),
                    counts_of(frame),
                    *struct.unpack_from("<I", frame, 8),
                )
            )
        return found


def check(pages: list[tuple[int, int, NDArray[np.int16], int]]) -> set[tuple[int, int]]:
    """Every page holds what its index says; returns the samples there are, by session and index."""
    have = set()
    for session, first, counts, tick in pages:
        assert np.array_equal(counts, ramp(first, len(counts)))
        assert abs(tick - (first + 1) / 208 * TICK_HZ) <= 2
        have |= {(session, k) for k in range(first, first + len(counts))}
    return have


def test_a_long_outage_is_found_in_the_log_with_nothing_missing(core_library: Library) -> None:
    sensor = Sensor(core_library, Flash())
    sensor.start()
    sensor.live(50)
    lost = sensor.core.disconnect()
    sensor.live(150)
    sensor.core.connect()
    sensor.live(10)
    session = sensor.core.status().session
    have = check(sensor.offload())
    oldest = sensor.core.status().oldest_index
    assert oldest > 19 * 60
    assert {(session, k) for k in range(19 * 50, oldest)} <= have
    assert not lost
    assert sensor.core.most_queued <= 5


def test_what_a_silent_link_took_no_more_is_in_the_log_too(core_library: Library) -> None:
    sensor = Sensor(core_library, Flash())
    sensor.start()
    sensor.live(50)
    core = sensor.core
    # Out of reach: the radio takes what it has room for, and says seconds later that the link is gone.
    for _ in range(22):
        sensor.next += 19
        core.tick = round(sensor.next / 208 * TICK_HZ)
        core.feed(ramp(sensor.next - 19, 19), core.tick)
        while core.poll() == 0:
            pass
    assert core.disconnect()
    sensor.live(60)
    core.connect()
    have = check(sensor.offload())
    session, oldest = core.status().session, core.status().oldest_index
    assert oldest > 19 * 80
    assert {(session, k) for k in range(19 * 50, oldest)} <= have


def test_a_host_that_only_wants_the_log_need_not_listen_to_data(core_library: Library) -> None:
    sensor = Sensor(core_library, Flash())
    sensor.start()
    sensor.live(20)
    sensor.core.disconnect()
    sensor.live(30)
    sensor.core.connect(channels=(CONTROL, LOG))
    assert sensor.core.ask(STOP)[0] == OK
    assert len(check(sensor.offload())) >= 18 * 30


def test_a_host_that_only_looks_leaves_no_hole_in_the_log(core_library: Library) -> None:
    sensor = Sensor(core_library, Flash())
    sensor.start()
    sensor.live(20)
    sensor.core.disconnect()
    sensor.live(30)
    # It reads the status, and even the log, while sampling goes on.
    sensor.core.connect(channels=(CONTROL, STATUS, LOG))
    sensor.live(20)
    first = check(sensor.offload())
    sensor.live(20)
    sensor.core.disconnect()
    sensor.live(40)
    sensor.core.connect()
    session, oldest = sensor.core.status().session, sensor.core.status().oldest_index
    have = check(sensor.offload())
    assert first <= have
    assert oldest > 19 * 90
    assert {(session, k) for k in range(19 * 20, oldest)} <= have


def test_the_log_overwrites_its_oldest_pages(core_library: Library) -> None:
    sensor = Sensor(core_library, Flash(2 * SECTOR))
    sensor.start()
    sensor.live(20)
    sensor.core.disconnect()
    sensor.live(100)
    sensor.core.connect()
    have = check(sensor.offload())
    logged = sorted(k for _, k in have)
    assert logged == list(range(logged[0], logged[-1] + 1))
    assert len(logged) >= 17 * 18


def test_erase_forgets_all_and_survives_a_reboot(core_library: Library) -> None:
    flash = Flash()
    sensor = Sensor(core_library, flash)
    sensor.start()
    sensor.live(20)
    sensor.core.disconnect()
    sensor.live(60)
    sensor.core.connect()
    assert sensor.core.status().flags & 16
    assert sensor.core.ask(LOG_ERASE)[0] == OK
    for _ in range(40):
        sensor.core.poll()
    assert not sensor.core.status().flags & (16 | 32)
    assert sensor.offload() == []
    assert sensor.core.ask(LOG_READ, struct.pack("<IH", 0, 1))[0] == NOT_THERE
    assert flash.cells.count(0xFF) == flash.size
    again = Sensor(core_library, flash)
    again.core.connect()
    assert again.offload() == []


def test_an_end_without_a_host_flushes_the_last_samples(core_library: Library) -> None:
    flash = Flash()
    sensor = Sensor(core_library, flash)
    sensor.start()
    sensor.live(10)
    sensor.core.disconnect()
    sensor.live(33)
    session = sensor.core.status().session
    sensor.core.battery_mv = 3200
    for _ in range(40):
        sensor.core.advance(10)
        sensor.core.poll()
    assert sensor.core.restarts
    again = Sensor(core_library, flash, seed=2)
    again.core.connect()
    assert max(check(again.offload())) == (session, 19 * 43 - 1)


def _torn(
    library: Library, prepared: bytes, cut: int
) -> tuple[set[tuple[int, int]], set[tuple[int, int]], int]:
    """An outage cut after so many bytes of flash work: what was logged before and after, and its session."""
    flash = Flash(2 * SECTOR, bytearray(prepared))
    sensor = Sensor(library, flash, seed=cut + 10)
    sensor.core.connect()
    before = check(sensor.offload())
    sensor.start()
    sensor.live(20)
    session = sensor.core.status().session
    sensor.core.disconnect()
    flash.bytes_until_cut = cut
    with pytest.raises(PowerCut):
        sensor.live(150)
    flash.bytes_until_cut = None
    again = Sensor(library, flash, seed=cut + 11)
    again.core.connect()
    after = check(again.offload())
    # And it goes on: the next outage is logged whole.
    again.start()
    again.live(20)
    next_session = again.core.status().session
    again.core.disconnect()
    again.live(12)
    again.core.connect()
    third = check(again.offload())
    logged = sorted(k for s, k in third if s == next_session)
    assert len(logged) >= 18 * 12
    assert logged == list(range(logged[0], logged[-1] + 1))
    return before, after, session


@given(cut=st.integers(0, 3 * SECTOR), pages_before=st.integers(1, 40))
@settings(deadline=None, max_examples=40)
def test_a_power_cut_anywhere_leaves_whole_pages_only(
    core_library: Library, cut: int, pages_before: int
) -> None:
    flash = Flash(2 * SECTOR)
    sensor = Sensor(core_library, flash)
    sensor.start()
    sensor.live(20)
    sensor.core.disconnect()
    while sensor.core.core.log.next < pages_before:
        sensor.live(1)
    before, after, session = _torn(core_library, bytes(flash.cells), cut)
    newest_before = {k for k in before if k[0] != session}
    # At most the two sectors' worth that the ring of pages had to make room for may be gone.
    assert len(newest_before - after) <= 2 * 16 * 18
    fresh = sorted(k for s, k in after if s == session)
    assert fresh == list(range(fresh[0], fresh[-1] + 1)) if fresh else True


def test_worn_out_flash_is_reported_and_the_stream_goes_on(core_library: Library) -> None:
    flash = Flash(2 * SECTOR)
    sensor = Sensor(core_library, flash)
    sensor.start()
    sensor.live(5)
    flash.broken = True
    sensor.core.disconnect()
    sensor.live(40)
    sensor.core.connect()
    assert sensor.core.status().flags & 8
    assert sensor.core.status().next_index == 19 * 45


def test_a_loss_in_the_sensor_during_an_outage_splits_pages_and_does_not_spin(core_library: Library) -> None:
    sensor = Sensor(core_library, Flash())
    sensor.start()
    sensor.live(20)
    core = sensor.core
    core.disconnect()
    for lost in (0, 30, 1, 5000):
        sensor.next += lost
        for n in (7, 19, 25):
            sensor.next += n
            core.tick = round(sensor.next / 208 * TICK_HZ)
            core.feed(ramp(sensor.next - n, n), core.tick, lost)
            lost = 0
            assert [core.poll() for _ in range(40)][-1] > 0
    core.connect()
    session = core.status().session
    have = {k for s, k in check(sensor.offload()) if s == session}
    want, at = set(), 19 * 20
    for lost in (0, 30, 1):
        at += lost
        want |= set(range(at, at + 51))
        at += 51
    assert want <= have
    assert not have & set(range(at, at + 5000))


def test_pages_of_a_flash_of_another_size_are_not_believed(core_library: Library) -> None:
    flash = Flash(2 * SECTOR)
    sensor = Sensor(core_library, flash)
    sensor.start()
    sensor.live(20)
    sensor.core.disconnect()
    sensor.live(40)
    moved = Flash(4 * SECTOR, bytearray(b"\xff" * SECTOR) + flash.cells + bytearray(b"\xff" * SECTOR))
    again = Sensor(core_library, moved)
    again.core.connect()
    assert again.offload() == []
