"""Decode, clock and grid together on a simulated radio with loss, an outage, a reboot and damaged bytes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from latemiles.errors import ConfigError
from latemiles.estimators.align import AlignStage
from latemiles.estimators.clock import ClockFit, ClockStage
from latemiles.estimators.decode import DecodeStage
from latemiles.sensors.drivers.latemiles_v1 import LatemilesV1
from latemiles.signals.events import Gap
from latemiles.signals.frames import SEGMENTS, Segment
from latemiles.signals.quality import SampleQuality
from latemiles.signals.records import Packet, RunHeader, SensorInfo
from latemiles.sim.packets import records
from latemiles.sim.plan import Outage, Phase, Radio, Reboot, RunnerPlan
from latemiles.sim.runner import simulate

PLAN = RunnerPlan(
    (Phase("standing", 10.0), Phase("running", 50.0, 3.0)),
    radio=Radio(
        loss_share=0.01,
        outages=(Outage(Segment.PELVIS, 25.0, 28.0),),
        reboots=(Reboot(Segment.RIGHT_THIGH, 40.0),),
    ),
)


@dataclass
class Heard:
    acc: np.ndarray
    t: np.ndarray
    quality: np.ndarray
    gaps: list[Gap]
    clocks: list[ClockStage]


@cache
def bad_radio():
    return simulate(PLAN, seed=4)


@cache
def true_streams():
    return bad_radio().streams()


@cache
def first_pass() -> Heard:
    return hear(bad_radio())


def hear(run, known: list[ClockFit] | None = None) -> Heard:
    """What the first three stages make of the run's records."""
    source = records(run)
    head = next(source)
    assert isinstance(head, RunHeader)
    decoders = [DecodeStage(info, LatemilesV1()) for info in head.sensors]
    clocks = [
        ClockStage(info.segment, info.rate_hz, LatemilesV1().capabilities, known[k] if known else None)
        for k, info in enumerate(head.sensors)
    ]
    align = AlignStage(200.0, [info.rate_hz for info in head.sensors])
    pieces, gaps = [], []
    for record in source:
        if not isinstance(record, Packet):
            continue
        lane = record.segment.lane
        packet = decoders[lane].push(record.payload)
        assert packet is not None
        timed = clocks[lane].push(packet, record.arrival_ns)
        if timed.restart is not None:
            align.note(record.segment, timed.restart.t_s, timed.restart.reason)
        piece, found = align.push([] if timed.block is None else [timed.block])
        pieces.append(piece)
        gaps += found
    piece, found = align.finish()
    pieces.append(piece)
    acc = np.concatenate([p.acc for p in pieces], axis=1)
    quality = np.concatenate([p.quality for p in pieces], axis=1)
    first = next(p.first for p in pieces if p.acc.shape[1])
    return Heard(acc, (first + np.arange(acc.shape[1])) / 200.0, quality, gaps + found, clocks)


def shift_ms(heard: Heard, lane: int, window: tuple[float, float]) -> float:
    """How much later than the truth a lane's force is, ms (least squares on the slope)."""
    stream = true_streams()[SEGMENTS[lane]]
    inside = (heard.t > window[0]) & (heard.t < window[1]) & np.isfinite(heard.acc[lane, :, 0])
    t = heard.t[inside]
    want = np.stack([np.interp(t, stream.t, stream.acc[:, c]) for c in range(3)], axis=1)
    later = np.stack([np.interp(t - 0.002, stream.t, stream.acc[:, c]) for c in range(3)], axis=1)
    slope = (later - want).ravel() / 2.0
    return float(slope @ (heard.acc[lane][inside] - want).ravel() / (slope @ slope))


def test_three_sensors_on_a_bad_radio_come_onto_one_grid():
    run = simulate(PLAN, seed=4)
    heard = hear(run)
    pelvis, right = (
        [g for g in heard.gaps if g.segment is s and g.end_s - g.t_s > 0.5] for s in SEGMENTS[::2]
    )
    assert [g.reason for g in pelvis] == ["not heard"]
    assert (pelvis[0].t_s, pelvis[0].end_s) == pytest.approx((25.0, 28.0), abs=0.15)
    assert [g.reason for g in right] == ["sensor restarted"]
    assert (right[0].t_s, right[0].end_s) == pytest.approx((40.0, 42.0), abs=0.15)
    is_gap = (heard.quality & SampleQuality.GAP) != 0
    np.testing.assert_array_equal(np.isnan(heard.acc).any(axis=2), is_gap)
    shifts = [shift_ms(heard, lane, (15.0, 24.0)) for lane in range(3)]
    assert np.ptp(shifts) < 3.0
    # What the radio needs at least is in all of them: it moves the run, not one sensor against another.
    assert 0.0 < min(shifts) < max(shifts) < 12.0


def test_a_second_pass_keeps_the_sensors_together_from_the_start_and_across_a_reboot():
    heard = hear(bad_radio(), [clock.fit() for clock in first_pass().clocks])
    for window in ((10.5, 14.0), (30.0, 39.0), (43.0, 58.0)):
        assert np.ptp([shift_ms(heard, lane, window) for lane in range(3)]) < 2.0


def test_the_clock_states_what_it_heard():
    heard = first_pass()
    for clock, sensor in zip(heard.clocks, bad_radio().sensors, strict=True):
        assert clock.rate_hz == pytest.approx(sensor.sample_hz, rel=2e-4)
        assert 5.0 < clock.residual_ms < 40.0
        assert 0.8 * clock.expected < clock.samples < clock.expected
    assert heard.clocks[2].restarts == 1


def test_damaged_bytes_are_counted_and_left_out():
    stage = DecodeStage(SensorInfo(Segment.PELVIS, "latemiles-v1", 208.0), LatemilesV1())
    assert stage.push(b"") is None
    assert stage.push(b"\x10\x05garbage") is None
    assert (stage.packets, stage.damaged) == (0, 2)


def test_stated_ranges_reveal_clipping_and_unknown_ones_do_not():
    run = simulate(RunnerPlan((Phase("standing", 2.0),)), seed=1)
    payload = next(r for r in records(run) if isinstance(r, Packet)).payload
    usual = SensorInfo(Segment.PELVIS, "latemiles-v1", 208.0)
    assert not DecodeStage(usual, LatemilesV1()).push(payload).flags.any()
    narrow = SensorInfo(Segment.PELVIS, "latemiles-v1", 208.0, acc_range_m_s2=5.0)
    stage = DecodeStage(narrow, LatemilesV1())
    packet = stage.push(payload)
    assert np.all(packet.flags == int(SampleQuality.ACC_CLIPPED))
    assert stage.clipped_acc == len(packet.flags)
    again = DecodeStage(narrow, LatemilesV1())
    again.load(stage.save())
    assert again.save() == stage.save()
    with pytest.raises(ConfigError, match="Use a state"):
        again.load(b"")
