"""The FIFO driver against a register-level LSM6DS3TR-C that runs fast, late, over and into lock-up."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from firmware.host_core import DATA, HARDWARE, OK, READY, STREAMING, TICK_HZ, HostCore, Library

I8 = NDArray[np.int64]


def running(library: Library, *, ppm: int = 0, samples: int = 10, tick: int = 0) -> HostCore:
    """A sensor that has found its IMU, with a host that has started it."""
    core = HostCore(library, imu=True, tick=tick)
    core.chip.ppm = ppm
    core.run(0.05)
    core.connect()
    assert core.start(samples=samples)[0] == OK
    return core


def samples_of(heard: list[tuple[int, bytes]]) -> tuple[I8, I8, I8, I8]:
    """Index, number in the chip, tick of each frame's first sample, and flags, of what was heard."""
    index, number, ticks, flags = [], [], [], []
    for channel, data in heard:
        if channel != DATA:
            continue
        kind, n, flag, _, first, tick = struct.unpack_from("<BBBBII", data)
        assert kind >> 4 == 1
        values = np.frombuffer(data, "<i2", 6 * n, 12).reshape(n, 6).astype(np.int64)
        k = values[:, 0] + (values[:, 1] << 15)
        assert np.array_equal(values[:, 2], k * 7 % 2001 - 1000)
        assert np.array_equal(values[:, 3], k * 13 % 4001 - 2000)
        assert np.all(values[:, 5] == 2048)
        index.append(first + np.arange(n))
        number.append(k)
        ticks.append(tick)
        flags.append(flag)
    return np.concatenate(index), np.concatenate(number), np.array(ticks), np.array(flags)


def all_kept(core: HostCore) -> list[tuple[int, bytes]]:
    """All that the ring holds, as a host would ask for it: after a pause live frames skip ahead."""
    core.deliver()
    assert core.resend((0, 65535))[0] == OK
    core.deliver()
    heard = []
    while core.core.link.range_count or core.held:
        core.poll()
        heard += [(channel, data) for channel, data in core.deliver() if data[0] == 0x11]
    return heard


@pytest.mark.parametrize("ppm", [0, 30_000, -30_000, 75_000])
def test_no_sample_is_lost_and_time_is_right_whatever_the_chips_clock(
    core_library: Library, ppm: int
) -> None:
    core = running(core_library, ppm=ppm, tick=2**32 - 3 * TICK_HZ)
    heard = core.run(12.0)
    index, number, ticks, flags = samples_of(heard)
    assert np.array_equal(index, np.arange(len(index)))
    assert np.all(np.diff(number) == 1)
    assert not flags.any()
    period = TICK_HZ / 208 / (1 + ppm * 1e-6)
    # The chip's sample k was stored k periods after a start that is the same for all: what is left moves by
    # less than 0.2 ms once the estimate has settled.
    at = np.cumsum(np.concatenate([[0], np.diff(ticks.astype(np.uint32)).astype(np.int32)]))
    frame = number[::10][: len(at)] * period
    error = at - frame
    settled = error[len(error) // 4 :]
    assert settled.max() - settled.min() < 6.6
    assert core.core.clock.period_q16 / 65536 == pytest.approx(period, rel=2e-4)


def test_late_interrupts_move_time_by_less_than_they_are_late(core_library: Library) -> None:
    core = running(core_library, ppm=27_800)
    rng = np.random.default_rng(3)
    heard = []
    for _ in range(300):
        core.chip.irq_delay = int(rng.integers(0, 10))
        heard += core.run(0.048)
    index, number, ticks, _ = samples_of(heard)
    assert np.array_equal(index, np.arange(len(index)))
    period = TICK_HZ / 208 / 1.0278
    error = (ticks - number[::10][: len(ticks)] * period)[100:]
    assert error.max() - error.min() < 8.2  # 0.25 ms, of interrupts that are up to 0.3 ms late
    assert core.core.clock.period_q16 / 65536 == pytest.approx(period, rel=3e-4)


def test_the_chip_is_found_however_late_it_wakes(core_library: Library) -> None:
    core = HostCore(core_library, imu=True)
    core.chip.wake_after = 37
    core.run(0.2)
    core.connect()
    assert core.start()[0] == HARDWARE
    assert core.status().flags & 4
    core.run(2.0)
    assert not core.status().flags & 4
    assert core.start()[0] == OK


@given(pauses=st.lists(st.tuples(st.floats(0.05, 3.0), st.floats(0.2, 1.0)), min_size=1, max_size=3))
@settings(deadline=None, max_examples=12)
def test_after_an_overrun_index_still_counts_the_chips_samples(
    core_library: Library, pauses: list[tuple[float, float]]
) -> None:
    core = running(core_library, ppm=-12_000)
    core.run(1.5)
    for pause, between in pauses:
        core.advance(pause)
        core.run(between)
    index, number, ticks, flags = samples_of(all_kept(core))
    assert np.array_equal(index - index[0], number - number[0])
    gaps = np.flatnonzero(np.diff(index) > 1)
    assert np.count_nonzero(flags & 1) == len(gaps)
    assert core.status().dropped == int(np.sum(np.diff(index) - 1))
    # 341 samples fit, so shorter pauses cost nothing.
    if all(pause < 1.5 for pause, _ in pauses):
        assert len(gaps) == 0
    assert np.all(np.diff(ticks) > 0)


def test_a_lock_up_is_noticed_and_cured_in_a_third_of_a_second(core_library: Library) -> None:
    core = running(core_library)
    heard = core.run(3.0)
    core.chip.is_locked = True
    heard += core.run(3.0)
    index, number, _, flags = samples_of(heard)
    assert np.array_equal(index - index[0], number - number[0])
    assert core.core.imu.recoveries_total == 1
    gap = np.diff(index).max() / 208
    assert 0.2 < gap < 0.45
    assert np.count_nonzero(flags & 1) == 1


def test_a_chip_that_stays_dead_is_power_cycled_and_reported(core_library: Library) -> None:
    core = running(core_library)
    core.run(1.0)
    core.chip.is_locked = core.chip.needs_power_cycle = True
    for _ in range(100):
        core.run(0.02)
        if core.status().flags & 4:
            break
    assert core.status().flags & 4
    heard = core.run(2.0)
    assert core.state == STREAMING
    assert not core.status().flags & 4
    index, _, _, flags = samples_of(heard)
    assert np.all(np.diff(index) == 1)
    assert flags[0] & 1


def test_lost_interrupts_cost_time_but_no_samples(core_library: Library) -> None:
    core = running(core_library, ppm=20_000)
    heard = core.run(2.0)
    core.chip.drops_irq = True
    heard += core.run(3.0)
    core.chip.drops_irq = False
    heard += core.run(2.0)
    index, number, ticks, flags = samples_of(heard)
    assert np.array_equal(index, np.arange(len(index)))
    assert np.all(np.diff(number) == 1)
    assert not np.any(flags & 1)
    assert np.all(np.diff(ticks) > 0)


@given(
    faults=st.lists(
        st.tuples(st.integers(1, 40), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=6
    )
)
@settings(deadline=None, max_examples=15)
def test_a_bus_that_fails_now_and_then_never_gives_a_wrong_sample(
    core_library: Library, faults: list[tuple[int, int, int]]
) -> None:
    core = running(core_library)
    heard = core.run(1.5)
    for batches, reads, data in faults:
        core.chip.fail_reads = reads
        core.chip.fail_data_after = data
        heard += core.run(0.048 * batches)
    heard += core.run(1.0)
    # samples_of() checks that each sample is whole.
    index, number, _, _ = samples_of(heard)
    assert np.all(np.diff(number) >= 1)
    assert np.array_equal(index - index[0], number - number[0])


def test_temperature_comes_with_some_frames_and_in_the_status(core_library: Library) -> None:
    core = running(core_library)
    core.chip.regs[0x20], core.chip.regs[0x21] = 0x00, 0x05  # 5 degrees above 25
    heard = core.run(15.0)
    warm = [data for channel, data in heard if channel == DATA and data[0] == 0x12]
    assert warm
    assert all(struct.unpack("<h", p[-2:]) == (3000,) for p in warm)
    assert core.status().temperature_centi_c == 3000


def test_stop_powers_the_sensor_down(core_library: Library) -> None:
    core = running(core_library)
    core.run(1.0)
    assert core.ask(2)[0] == OK
    assert core.state == READY
    assert core.chip.regs[0x10] == 0
    assert core.chip.regs[0x11] == 0
    assert core.start(rate=416, acc=8, gyr=1000, samples=19)[0] == OK
    assert (core.chip.regs[0x10], core.chip.regs[0x11]) == (0x6E, 0x68)


def test_after_a_pause_samples_are_up_to_date_within_a_batch(core_library: Library) -> None:
    core = running(core_library)
    core.run(1.0)
    core.advance(1.2)
    core.run(0.06)
    # What came in while 250 samples were read is read at once, not when silence would be noticed.
    assert (core.chip.head - core.chip.tail) // 6 <= 12
