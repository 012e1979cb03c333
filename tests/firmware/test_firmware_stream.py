"""Samples to frames to the host's driver, with a radio that pushes back."""

from __future__ import annotations

import itertools
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from firmware.host_core import DATA, LOG, OK, READY, STREAMING, TICK_HZ, HostCore, Library
from latemiles.sensors.drivers.latemiles_v1 import ACC_RANGE_M_S2, GYR_RANGE_RAD_S, LatemilesV1

DRIVER = LatemilesV1()


def ramp(first: int, n: int) -> NDArray[np.int16]:
    """Samples that say which ones they are."""
    k = np.arange(first, first + n)
    return np.stack([k & 0x7FFF, k >> 15, k * 7 % 2001 - 1000, -k % 4001, k % 77, 0 * k], axis=1).astype(
        np.int16
    )


def started(library: Library, samples: int = 19, **options: object) -> HostCore:
    core = HostCore(library, **options)  # type: ignore[arg-type]
    core.connect()
    assert core.start(samples=samples)[0] == OK
    return core


def frames(heard: list[tuple[int, bytes]]) -> list[bytes]:
    return [data for channel, data in heard if channel == DATA]


def pump(core: HostCore) -> list[tuple[int, bytes]]:
    """All that wants out, over a radio that keeps up."""
    core.poll()
    heard = []
    while core.held:
        heard += core.deliver()
        core.poll()
    return heard


def counts_of(payload: bytes) -> NDArray[np.int16]:
    """What the project's own driver makes of a frame, back in counts."""
    packet = DRIVER.decode(payload)
    values = np.concatenate(
        [packet.gyr * (32768 / GYR_RANGE_RAD_S), packet.acc * (32768 / ACC_RANGE_M_S2)], axis=1
    )
    return np.rint(values).astype(np.int16)


@given(cuts=st.lists(st.integers(1, 30), min_size=1, max_size=30), samples=st.integers(4, 19))
@settings(deadline=None, max_examples=40)
def test_every_sample_reaches_the_driver_once_however_the_stream_is_cut(
    core_library: Library, cuts: list[int], samples: int
) -> None:
    core = started(core_library, samples)
    done, heard = 0, []
    for n in cuts:
        done += n
        core.feed(ramp(done - n, n), round(done / 208 * TICK_HZ))
        heard += pump(core)
    core.control(2)
    payloads = frames(heard + pump(core))
    assert np.array_equal(np.concatenate([counts_of(p) for p in payloads]), ramp(0, done))
    first = 0
    for payload in payloads:
        packet = DRIVER.decode(payload)
        assert packet.first_index == first
        # Cuts of one sample tell the period only to a tick; frames are within 0.5 ms all the same.
        assert abs(packet.tick - (first + 1) / 208 * TICK_HZ) <= 16
        first += len(packet.acc)


def test_index_and_tick_wrap_without_a_seam(core_library: Library) -> None:
    core = started(core_library, tick=2**32 - 5000)
    core.core.stream.next_index = 2**32 - 40
    heard = []
    for k in range(40):
        tick = 2**32 - 5000 + round((k + 1) * 10 / 208 * TICK_HZ)
        core.tick = tick & 0xFFFFFFFF
        core.feed(ramp(k * 10, 10), tick)
        core.poll()
        heard += core.deliver()
    packets = [DRIVER.decode(p) for p in frames(heard)]
    index = np.array([p.first_index for p in packets])
    ticks = np.array([p.tick for p in packets])
    assert np.all(np.diff(index) % 2**32 == 19)
    assert np.all(np.abs(np.diff(ticks) % 2**32 - 19 / 208 * TICK_HZ) <= 1.5)
    assert index[0] > index[-1]
    assert ticks[0] > ticks[-1]
    # A range across the wrap comes again as it was sent, but for its kind.
    core.resend((2**32 - 20, 40))
    core.poll()
    again = frames(core.deliver())
    live = frames(heard)
    assert [b"\x10" + p[1:] for p in again] == [p for p in live if (p[0] == 0x10)][1:4]


def test_a_loss_in_the_sensor_closes_the_frame_and_is_told(core_library: Library) -> None:
    core = started(core_library)
    core.feed(ramp(0, 25), 5000)
    core.feed(ramp(0, 19), 5000 + round(119 / 208 * TICK_HZ), lost=100)
    core.poll()
    packets = [DRIVER.decode(p) for p in frames(core.deliver())]
    assert [(p.first_index, len(p.acc), p.has_gap_before) for p in packets] == [
        (0, 19, False),
        (19, 6, False),
        (125, 19, True),
    ]
    assert core.status().dropped == 100


def test_a_full_radio_never_holds_more_than_five_and_live_goes_first(core_library: Library) -> None:
    core = started(core_library, 10, places=50)
    for k in range(200):
        core.feed(ramp(k * 10, 10), round((k + 1) * 10 / 208 * TICK_HZ))
        core.poll()
        core.deliver()
    core.resend((0, 1500))
    waited = []
    for k in range(200, 400):
        first = k * 10
        core.feed(ramp(first, 10), round((k + 1) * 10 / 208 * TICK_HZ))
        core.poll()
        indexes = [struct.unpack_from("<I", p, 4)[0] for p in frames(list(core.held))]
        waited.append(indexes.index(first))
        core.deliver(3)
    assert core.most_queued <= 5
    assert max(waited) <= 4
    assert not core.core.link.range_count


def test_a_radio_that_stops_gives_the_newest_first_and_the_rest_on_request(core_library: Library) -> None:
    core = started(core_library, 10)
    heard = []
    for k in range(60):
        core.feed(ramp(k * 10, 10), round((k + 1) * 10 / 208 * TICK_HZ))
        core.poll()
        if not 10 <= k < 40:
            heard += core.deliver()
    have = {struct.unpack_from("<I", p, 4)[0] for p in frames(heard)}
    missing = sorted(set(range(0, 600, 10)) - have)
    assert missing
    assert 590 in have
    core.resend(*[(first, 10) for first in reversed(missing[-16:])])
    if len(missing) > 16:
        for _ in range(20):
            core.poll()
            heard += core.deliver()
        core.resend(*[(first, 10) for first in missing[:-16]])
    for _ in range(20):
        core.poll()
        heard += core.deliver()
    got = np.concatenate([counts_of(p) for p in sorted(frames(heard), key=lambda p: p[4:8][::-1])])
    assert np.array_equal(got, ramp(0, 600))


@given(data=st.data())
@settings(deadline=None, max_examples=40)
def test_resend_gives_what_the_ring_holds_of_a_range_and_says_what_it_does_not(
    core_library: Library, data: st.DataObject
) -> None:
    samples = data.draw(st.integers(4, 19))
    total = data.draw(st.integers(1, 900))
    core = started(core_library, samples, ring_bytes=8000)
    for k in range(0, total, 50):
        n = min(50, total - k)
        core.feed(ramp(k, n), round((k + n) / 208 * TICK_HZ))
        core.poll()
        core.deliver()
    core.control(2)
    core.poll()
    core.deliver()
    first = data.draw(st.integers(0, total + 30))
    count = data.draw(st.integers(0, 300))
    code, payload = core.resend((first, count))
    assert code == OK
    oldest = struct.unpack("<I", payload)[0]
    assert oldest == core.status().oldest_index
    # Slots of whole frames, one of them kept open.
    assert total - oldest >= min(total, (8000 // (12 + 12 * samples) - 2) * samples)
    heard = []
    for _ in range(200):
        core.poll()
        heard += core.deliver()
    got = [counts_of(p) for p in frames(heard)]
    indexes = [
        k for p, c in zip(frames(heard), got, strict=True) for k in (*struct.unpack_from("<I", p, 4), len(c))
    ]
    have = {i for a, n in zip(indexes[::2], indexes[1::2], strict=True) for i in range(a, a + n)}
    assert {i for i in range(first, first + count) if oldest <= i < total} <= have
    for p, c in zip(frames(heard), got, strict=True):
        assert p[0] == 0x11
        assert np.array_equal(c, ramp(struct.unpack_from("<I", p, 4)[0], len(c)))


def test_frames_flag_a_clipped_sample_and_a_mark(core_library: Library) -> None:
    core = started(core_library, 4)
    block = ramp(0, 12)
    block[5, 4] = -32768
    core.feed(block[:4], 100)
    assert core.ask(6)[0] == OK
    core.feed(block[4:], 100 + round(8 / 208 * TICK_HZ))
    core.poll()
    payloads = frames(core.deliver())
    assert [p[2] for p in payloads] == [0, 2 | 8, 0]
    assert DRIVER.decode(payloads[1]).is_marked


def test_what_a_host_missed_while_away_waits_for_it(core_library: Library) -> None:
    core = started(core_library)
    tick = 0
    heard = []

    def live(first: int, n: int) -> None:
        nonlocal heard
        for k in range(first, first + n, 19):
            core.tick = round((k + 19) / 208 * TICK_HZ)
            core.feed(ramp(k, 19), core.tick)
            core.poll()
            heard += core.deliver()

    live(0, 19 * 20)
    session = core.status().session
    core.disconnect()
    live(19 * 20, 19 * 200)
    core.connect()
    assert core.state == STREAMING
    assert core.status().session == session
    live(19 * 220, 19 * 10)
    assert core.start()[0] == OK
    assert core.status().session == session
    core.resend((19 * 20, 19 * 200))
    for _ in range(200):
        core.poll()
        heard += core.deliver()
    got = np.concatenate([counts_of(p) for p in sorted(frames(heard), key=lambda p: p[4:8][::-1])])
    assert np.array_equal(got, ramp(0, 19 * 230))
    assert tick == 0
    assert not [c for c, _ in heard if c == LOG]


def test_a_link_with_a_small_mtu_gets_a_refusal_and_no_frames(core_library: Library) -> None:
    core = HostCore(core_library)
    core.connect(mtu=185)
    assert core.start()[0] == 7
    assert core.state == READY
    core.feed(ramp(0, 40), 1000)
    core.poll()
    assert not frames(core.deliver())


@pytest.mark.parametrize("epochs", [3])
def test_each_start_begins_a_new_epoch_and_session_at_index_zero(core_library: Library, epochs: int) -> None:
    settings_store = bytearray()
    seen = []
    for boot in range(2):
        core = HostCore(core_library, settings=settings_store, seed=boot)
        core.connect()
        for _ in range(epochs):
            code, payload = core.start()
            assert code == OK
            seen.append(struct.unpack("<IBI", payload))
            core.feed(ramp(0, 19), 1000)
            core.poll()
            assert struct.unpack_from("<BBBBI", frames(core.deliver())[0])[3:] == (seen[-1][1], 0)
            core.ask(2)
    assert len({s for s, _, _ in seen}) == 2 * epochs
    assert all((b - a) % 256 == 1 for (_, a, _), (_, b, _) in itertools.pairwise(seen))


def test_nothing_old_is_sent_live_to_a_host_that_comes_back(core_library: Library) -> None:
    core = started(core_library)
    core.feed(ramp(0, 19), 3000)
    core.disconnect()
    core.feed(ramp(19, 19 * 6), 3000 + round(19 * 6 / 208 * TICK_HZ))
    core.connect()
    assert frames(pump(core)) == []
    core.feed(ramp(19 * 7, 19), 3000 + round(19 * 7 / 208 * TICK_HZ))
    assert [struct.unpack_from("<I", p, 4)[0] for p in frames(pump(core))] == [19 * 7]


def test_a_new_session_forgets_what_was_asked_of_the_old_one(core_library: Library) -> None:
    core = started(core_library, places=1)
    for k in range(30):
        core.feed(ramp(19 * k, 19), round(19 * (k + 1) / 208 * TICK_HZ))
    core.ask(2)
    core.resend((0, 19 * 30))
    assert core.start()[0] == OK
    core.places = 8
    assert frames(pump(core)) == []


def test_a_new_request_takes_the_place_of_the_one_before(core_library: Library) -> None:
    core = started(core_library, 10, places=1)
    for k in range(60):
        core.feed(ramp(10 * k, 10), round(10 * (k + 1) / 208 * TICK_HZ))
        core.poll()
        core.deliver()
    # Sixteen ranges, twice: all that a host can ask for at once, again before any of it has come.
    assert core.resend(*[(30 * k, 10) for k in range(16)])[0] == OK
    assert core.resend(*[(500 - 30 * k, 10) for k in range(16)])[0] == OK
    core.places = 8
    again = [struct.unpack_from("<I", p, 4)[0] for p in frames(pump(core)) if p[0] == 0x11]
    assert [k for k in again if k not in (0, 10)] == [500 - 30 * k for k in range(16)]
