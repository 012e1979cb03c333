"""The sample clock by itself, against straight lines."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.host_core import TICK_HZ, Library


@given(
    ppm=st.integers(-80_000, 80_000),
    rate=st.sampled_from([52, 104, 208, 416]),
    start=st.integers(0, 2**32 - 1),
    seed=st.integers(0, 1000),
)
@settings(deadline=None, max_examples=40)
def test_period_and_time_are_found_from_batches_that_are_read_late(
    core_library: Library, ppm: int, rate: int, start: int, seed: int
) -> None:
    ffi, lib = core_library.ffi, core_library.lib
    clock = ffi.new("struct lm_clock *")
    lib.lm_clock_start(clock, rate)
    period = TICK_HZ / rate / (1 + ppm * 1e-6)
    rng = np.random.default_rng(seed)
    total, errors = 0, []
    for k in range(300):
        # Ten samples raise the interrupt, up to five more arrive before they are read.
        late = int(rng.integers(0, 6))
        lib.lm_clock_count(clock, 10 + late) if k else None
        total += 10 + late
        tick = start + (total - late) * period + rng.uniform(0, 3)
        assert lib.lm_clock_observe(clock, late, int(tick) & 0xFFFFFFFF) == 0
        newest = int(lib.lm_clock_tick(clock, 0))
        errors.append(((newest - start - total * period + 2**31) % 2**32) - 2**31)
    assert clock.period_q16 / 65536 == pytest.approx(period, rel=3e-4)
    # 0.1 ms, with interrupts up to 0.1 ms late and ticks of 0.03 ms.
    assert max(errors[100:]) - min(errors[100:]) < 4.5


@pytest.mark.parametrize("lost", [1, 2, 7, 300])
def test_lost_samples_are_counted_from_the_time_that_is_missing(core_library: Library, lost: int) -> None:
    clock = core_library.ffi.new("struct lm_clock *")
    lib = core_library.lib
    lib.lm_clock_start(clock, 208)
    period, total = TICK_HZ / 208 / 0.97, 0
    for k in range(60):
        if k:
            lib.lm_clock_count(clock, 10)
        total += 10 + (lost if k == 40 else 0)
        found = lib.lm_clock_observe(clock, 0, round(total * period))
        assert found == (lost if k == 40 else 0)
    assert abs(int(lib.lm_clock_tick(clock, 0)) - total * period) < 2


def test_a_period_far_outside_the_makers_tolerance_is_not_believed(core_library: Library) -> None:
    clock = core_library.ffi.new("struct lm_clock *")
    lib = core_library.lib
    lib.lm_clock_start(clock, 208)
    for k in range(1, 200):
        lib.lm_clock_count(clock, 10)
        lib.lm_clock_observe(clock, 0, round(k * 10 * TICK_HZ / 208 * 0.8))
    assert clock.period_q16 / 65536 == pytest.approx(TICK_HZ / 208 * (1 - 23 / 256), rel=1e-4)
