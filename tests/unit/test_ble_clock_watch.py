"""The rate of a crystal from questions and answers, across the wrap of its tick."""

from __future__ import annotations

import math

import pytest

from latemiles.sensors.clock_watch import ClockWatch
from latemiles.sensors.protocol import ClockAnswer


def watched(ppm: float, start_tick: int, *, steps: int = 40, every_s: float = 30.0) -> ClockWatch:
    """A clock that gains ``ppm``, asked so often; each third answer is late."""
    watch = ClockWatch()
    for k in range(steps):
        asked_s = 100.0 + k * every_s
        token = int.from_bytes(watch.question(asked_s), "little")
        late_s = 0.2 if k % 3 == 0 else 0.0
        received_s = asked_s + 0.01
        tick = start_tick + int(received_s * 32768 * (1.0 + ppm * 1e-6))
        assert watch.answer(ClockAnswer(token, tick, tick + 5).encode(), received_s + 0.01 + late_s)
    return watch


@pytest.mark.parametrize("ppm", [-80.0, 0.0, 35.0])
@pytest.mark.parametrize("start_tick", [0, 2**32 - 20_000_000])
def test_the_rate_is_found_to_a_few_parts_in_a_million_also_over_the_wrap(ppm, start_tick):
    watch = watched(ppm, start_tick)
    assert watch.rate_ppm == pytest.approx(ppm, abs=8.0)
    assert watch.round_trip_ms == pytest.approx(20.0, abs=1.0)


def test_nothing_is_said_too_early_and_strange_answers_are_left_out():
    watch = ClockWatch()
    assert math.isnan(watch.rate_ppm)
    assert math.isnan(watch.round_trip_ms)
    watch.question(0.0)
    assert not watch.answer(b"short", 0.1)
    assert not watch.answer(ClockAnswer(99, 0, 0).encode(), 0.1)
    assert math.isnan(watch.rate_ppm)


def test_a_sensor_that_started_over_is_watched_anew():
    watch = watched(10.0, 0)
    watch.restart()
    assert math.isnan(watch.rate_ppm)
