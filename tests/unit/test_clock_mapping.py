"""The clock stage against simulated sensors whose true sample times are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from latemiles.errors import ConfigError
from latemiles.estimators.clock import ClockFit, ClockStage
from latemiles.kernels.clock import new_clock_state
from latemiles.kernels.clock_steps import STEPS, shift_at, take_step
from latemiles.kernels.envelope import lower_line, offset_at
from latemiles.signals.frames import Segment
from latemiles.signals.packets import Capabilities, DecodedPacket
from reference import clocks
from reference.clocks import CAPABILITIES, sensor


def stage(rate_hz: float = 208.0, known: ClockFit | None = None) -> ClockStage:
    return ClockStage(Segment.PELVIS, rate_hz, CAPABILITIES, known)


def run(clock: ClockStage, sent: list[clocks.Sent]) -> tuple[np.ndarray, np.ndarray]:
    """Session times and their errors, s, of all samples that came through."""
    times, truth = [], []
    for item in sent:
        block = clock.push(item.packet, item.arrival_ns).block
        if block is not None:
            times.append(block.t_s)
            by_index = dict(zip(item.packet.acc[:, 0], item.true_s, strict=True))
            truth.append([by_index[i] for i in block.acc[:, 0]])
    t = np.concatenate(times)
    return t, t - np.concatenate(truth)


def spread_ms(error: np.ndarray) -> float:
    return float(np.percentile(np.abs(error - np.median(error)), 95)) * 1e3


def test_the_lower_line_equals_trying_every_pair():
    rng = np.random.default_rng(3)
    for n in [1, 2, 3, 5, 20, 60]:
        x = np.cumsum(rng.uniform(0.5, 1.5, n))
        y = 0.01 * x + rng.exponential(1.0, n)
        got = lower_line(np.roll(x, 4), np.roll(y, 4), 4 % n, n, np.empty(n, dtype=np.int64))
        assert got == pytest.approx(clocks.lower_line(x, y), abs=1e-12)


def test_offsets_between_knots_equal_interpolation():
    rng = np.random.default_rng(4)
    x = np.cumsum(rng.uniform(0.1, 1.0, 9))
    y = rng.normal(size=9)
    for at in np.linspace(x[0] - 1.0, x[-1] + 1.0, 101):
        got = offset_at(at, np.roll(x, 3), np.roll(y, 3), 3, 9, 0.2)
        assert got == pytest.approx(clocks.offset_at(at, x, y, 0.2), abs=1e-12)


@pytest.mark.parametrize("skew_ppm", [-50.0, 0.0, 50.0])
@pytest.mark.parametrize("off_rate", [-0.028, 0.028])
def test_live_times_are_within_a_millisecond_after_the_first_half_minute(skew_ppm, off_rate):
    sent = sensor(300.0, skew_ppm=skew_ppm, off_rate=off_rate)
    clock = stage()
    t, error = run(clock, sent)
    settled = error[t > 30.0] - 0.004
    assert np.percentile(np.abs(settled), 95) < 0.001
    assert np.abs(settled).max() < 0.002
    assert clock.rate_hz == pytest.approx(208.0 * (1.0 + off_rate), rel=2e-5)
    assert clock.residual_ms == pytest.approx(47.5, abs=3.0)


def test_a_second_pass_is_right_from_the_first_sample():
    sent = sensor(300.0)
    first = stage()
    run(first, sent)
    _, error = run(stage(known=first.fit()), sent)
    assert np.abs(error - 0.004).max() < 0.001


def test_four_hours_of_two_sensors_stay_within_two_milliseconds():
    errors = []
    for seed, (skew, start) in enumerate([(-50.0, 3.3), (50.0, 3.9)]):
        # One packet in ten: the crystal drifts over the hours, not over the packets.
        sent = sensor(14400.0, skew_ppm=skew, per_packet=19, rate_hz=20.8, start_s=start, seed=seed)
        t, error = run(stage(20.8), sent)
        errors.append(np.interp(np.arange(60.0, 14400.0, 5.0), t, error))
    between = np.abs(errors[0] - errors[1])
    assert np.percentile(between, 95) < 0.002


def test_time_increases_strictly_and_does_not_jump_after_the_first_seconds():
    sent = sensor(60.0, jitter_s=0.05)
    t, error = run(stage(), sent)
    assert np.all(np.diff(t) > 0.0)
    late = t > 10.0
    # At most 2 % of a step of 5 ms.
    assert np.abs(np.diff(error[late])).max() < 2e-4


def test_the_tick_wraps_unseen():
    near = sensor(60.0, first_tick=2**32 - 900_000)
    far = sensor(60.0, first_tick=12_345)
    t_near, _ = run(stage(), near)
    t_far, _ = run(stage(), far)
    assert np.abs(t_near - t_far).max() < 1e-4


def test_a_lost_packet_leaves_a_hole_and_moves_nothing():
    sent = sensor(60.0)
    whole, _ = run(stage(), sent)
    t, error = run(stage(), sent[:500] + sent[503:])
    assert len(t) == len(whole) - 30
    assert np.abs(error[t > 30.0] - 0.004).max() < 0.002


def test_a_resent_packet_gets_the_time_it_would_have_had():
    sent = sensor(60.0)
    whole, _ = run(stage(), sent)
    held = [
        replace(s, packet=s.packet._replace(is_resent=True), arrival_ns=sent[560].arrival_ns)
        for s in sent[500:505]
    ]
    clock = stage()
    t, error = run(clock, sent[:500] + sent[505:560] + held + sent[560:])
    assert len(t) == len(whole)
    assert np.abs(np.sort(t) - whole).max() < 2e-4
    assert np.abs(error[t > 30.0] - 0.004).max() < 0.002
    assert clock.samples == clock.expected == len(t)


def test_what_was_heard_before_is_dropped_sample_by_sample():
    sent = sensor(20.0)
    again = [replace(s, packet=s.packet._replace(is_resent=True)) for s in sent[100:110]]
    clock = stage()
    t, _ = run(clock, sent[:104] + sent[106:200] + again + sent[200:])
    assert len(t) == 10 * len(sent)
    assert len(np.unique(t)) == len(t)
    assert clock.duplicates == 80


def test_a_restart_begins_a_new_fit_and_is_told():
    one = sensor(60.0, epoch=0)
    two = sensor(60.0, epoch=1, start_s=66.0, first_tick=77, skew_ppm=-30.0, seed=1)
    clock = stage()
    restarts = [clock.push(s.packet, s.arrival_ns).restart for s in one + two]
    told = [r for r in restarts if r is not None]
    assert len(told) == 1
    assert told[0].reason == "sensor restarted"
    assert told[0].t_s == pytest.approx(one[-1].true_s[-1], abs=0.01)
    assert told[0].end_s == pytest.approx(66.0, abs=0.06)
    fit = clock.fit()
    assert fit.first.tolist() == [0, 2, 4]
    t, error = run(stage(known=fit), one + two)
    assert np.all(np.diff(t) > 0.0)
    assert np.abs(error - 0.004).max() < 0.001


def stepping(step_s: float, at: int, duration_s: float = 90.0, **how) -> list[clocks.Sent]:
    """A sensor whose crystal steps from one packet to the next."""
    ticks = round(step_s * clocks.TICK_HZ)
    return [
        s if k < at else replace(s, packet=s.packet._replace(tick=(s.packet.tick + ticks) % 2**32))
        for k, s in enumerate(sensor(duration_s, **how))
    ]


@pytest.mark.parametrize("step_s", [-0.2, -0.1, -0.03, -0.01, 0.03, 0.1, 0.45])
def test_a_crystal_that_steps_is_followed_at_once(step_s):
    sent = stepping(step_s, 900, jitter_s=0.012)
    clock = stage()
    t, error = run(clock, sent)
    assert len(t) == 10 * len(sent)
    assert np.all(np.diff(t) > 0.0)
    assert clock.restarts == 0
    settled = error[t > 30.0] - np.median(error[(t > 30.0) & (t < 40.0)])
    assert np.abs(settled).max() < 0.002
    # And a second pass is told of the same clock.
    _, again = run(stage(known=clock.fit()), sent)
    assert np.abs(again - 0.004).max() < 0.002


def test_what_was_missed_before_a_step_gets_its_own_time_after_it():
    sent = stepping(-0.1, 900, jitter_s=0.012)
    held = [
        replace(s, packet=s.packet._replace(is_resent=True), arrival_ns=sent[960].arrival_ns)
        for s in sent[890:910]
    ]
    clock = stage()
    whole, _ = run(stage(), sent)
    t, error = run(clock, sent[:890] + sent[910:960] + held + sent[960:])
    assert len(t) == len(whole)
    assert np.abs(error[t > 30.0] - np.median(error[t > 30.0])).max() < 0.003
    assert clock.samples == clock.expected


def test_a_pause_that_the_sensor_does_not_count_is_no_step_of_its_clock():
    sent = stepping(0.3, 900, jitter_s=0.012)
    late = [s if k < 900 else replace(s, arrival_ns=s.arrival_ns + 300_000_000) for k, s in enumerate(sent)]
    t, error = run(stage(), late)
    after = t > t[9000] - 1e-9
    assert np.median(error[after]) == pytest.approx(0.304, abs=0.003)
    assert t[9000] - t[8999] == pytest.approx(0.3, abs=0.01)


def test_the_shift_of_a_clock_is_that_of_the_steps_before_an_index():
    rng = np.random.default_rng(9)
    state = new_clock_state(208.0)
    steps: list[tuple[int, float]] = []
    for index in np.cumsum(rng.integers(5, 500, STEPS)):
        steps.append((int(index), float(rng.normal())))
        state["next_index"] = index
        take_step(state[0], *steps[-1])
    for at in rng.integers(0, steps[-1][0] + 100, 200):
        assert shift_at(state[0], at, 0.0) == pytest.approx(clocks.shift_at(at, steps), abs=1e-12)


def test_a_sensor_that_starts_over_without_saying_so_is_followed():
    one = sensor(60.0)
    two = sensor(60.0, start_s=66.0, first_tick=4_000_000_000, seed=1)
    clock = stage()
    t, error = run(clock, one + two)
    assert clock.restarts == 1
    assert np.abs(error[t > 100.0] - 0.004).max() < 0.002


@pytest.mark.parametrize(("tells", "bound_ms"), [("tick", 1.0), ("index", 1.0), ("", 1.0)])
def test_sensors_that_tell_less_are_still_followed(tells, bound_ms):
    sent = sensor(300.0, off_rate=0.02, tells=tells)
    t, error = run(stage(), sent)
    assert spread_ms(error[t > 60.0]) < bound_ms


def test_without_an_index_a_loss_of_whole_packets_is_seen_in_the_tick():
    sent = sensor(60.0, off_rate=-0.028, per_packet=19, tells="tick")
    clock = stage()
    t, error = run(clock, sent[:200] + sent[203:])
    assert clock.expected - clock.samples == pytest.approx(57, abs=2)
    assert np.abs(error[t > 30.0] - 0.004).max() < 0.002


def test_imported_times_pass_unchanged():
    t_s = np.arange(100) / 100.0 + 0.3
    clock = ClockStage(Segment.LEFT_THIGH, 100.0)
    rows = np.zeros((100, 3))
    timed = clock.push(DecodedPacket(rows, rows, np.zeros(100, dtype=np.int64), t_s=t_s), 0)
    assert timed.block.t_s is t_s
    assert clock.rate_hz == pytest.approx(100.0)
    assert np.isnan(clock.residual_ms)
    assert clock.samples == clock.expected == 100


def test_a_clock_without_a_rate_is_refused_with_advice():
    with pytest.raises(ConfigError, match="Give the nominal one"):
        ClockStage(Segment.PELVIS, float("nan"), Capabilities(False, False, False, ()))
