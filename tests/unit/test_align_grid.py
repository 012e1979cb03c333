"""Alignment on one grid: values against a slow twin, holes, waiting, late packets."""

from __future__ import annotations

import numpy as np
import pytest

from latemiles.errors import ConfigError
from latemiles.estimators.align import AlignParams, AlignStage, TimedRun
from latemiles.signals.blocks import GridBlock, SampleBlock
from latemiles.signals.events import Gap
from latemiles.signals.frames import SEGMENTS, Segment
from latemiles.signals.quality import SampleQuality
from reference import grid

RNG = np.random.default_rng(11)


def blocks_of(segment: Segment, t: np.ndarray, size: int = 10, flags: np.ndarray | None = None):
    acc = np.stack([np.sin(9.0 * t), np.cos(7.0 * t), 9.81 + 0.1 * t], axis=1)
    gyr = np.stack([np.cos(11.0 * t), t, np.sin(3.0 * t)], axis=1)
    bits = np.zeros(len(t), dtype=np.int64) if flags is None else flags
    cut = [slice(k, k + size) for k in range(0, len(t), size)]
    return [SampleBlock(segment, t[s], acc[s], gyr[s], bits[s]) for s in cut]


def merged(*streams: list[SampleBlock]) -> list[SampleBlock]:
    return sorted((b for s in streams for b in s), key=lambda b: float(b.t_s[-1]))


def run(stage: AlignStage, blocks: list[SampleBlock]) -> tuple[GridBlock, list[Gap]]:
    pieces, gaps = [], []
    for block in blocks:
        piece, found = stage.push([block])
        pieces.append(piece)
        gaps += found
    piece, found = stage.finish()
    pieces = [p for p in [*pieces, piece] if p.acc.shape[1]]
    ends = [p.first + p.acc.shape[1] for p in pieces]
    assert [p.first for p in pieces[1:]] == ends[:-1]
    whole = (np.concatenate([p[c] for p in pieces], axis=1) for c in (2, 3, 4))
    return GridBlock(pieces[0].first, stage.rate_hz, *whole), gaps + found


def times(rate: float, start: float, end: float, jitter: float = 0.0) -> np.ndarray:
    t = np.arange(start, end, 1.0 / rate)
    return t + RNG.uniform(-jitter, jitter, len(t)) / rate


@pytest.mark.interpreted
@pytest.mark.parametrize("rates", [(208.0, 202.3, 213.8), (100.0, 104.0, 52.0), (416.0, 833.0, 400.0)])
def test_the_grid_equals_the_slow_twin(rates):
    stage = AlignStage(200.0, rates)
    t = [times(r, 0.011 + 0.003 * k, 2.0, jitter=0.3) for k, r in enumerate(rates)]
    t[1] = t[1][(t[1] < 0.7) | (t[1] > 0.9)]
    streams = [blocks_of(s, x) for s, x in zip(SEGMENTS, t, strict=True)]
    got, _ = run(stage, merged(*streams))
    for lane, blocks in enumerate(streams):
        acc, gyr = (np.concatenate([getattr(b, name) for b in blocks]) for name in ("acc", "gyr"))
        limit = max(0.05, 1.6 / rates[lane])
        want = grid.resample(t[lane], acc, gyr, got.first, got.acc.shape[1], 200.0, limit)
        np.testing.assert_allclose(got.acc[lane], want[0], atol=1e-12)
        np.testing.assert_allclose(got.gyr[lane], want[1], atol=1e-12)
        np.testing.assert_array_equal(got.quality[lane] & SampleQuality.GAP, want[2])


def test_samples_on_the_grid_keep_their_force_to_the_last_bits():
    t = np.arange(300) / 100.0 + 0.02
    blocks = blocks_of(Segment.PELVIS, t)
    got, gaps = run(AlignStage(100.0), merged(blocks, *[blocks_of(s, t) for s in SEGMENTS[1:]]))
    assert got.first == 2
    assert got.acc.shape[1] == 300
    np.testing.assert_allclose(got.acc[0], np.concatenate([b.acc for b in blocks]), atol=1e-9)
    assert not np.isnan(got.gyr).any()
    assert gaps == []


def test_the_rate_integrates_to_the_same_angle():
    t = times(207.0, 0.0, 5.0, jitter=0.4)
    gyr = np.concatenate([b.gyr for b in blocks_of(Segment.PELVIS, t)])
    got, _ = run(AlignStage(200.0, (207.0,)), blocks_of(Segment.PELVIS, t))
    low, high = got.first / 200.0, (got.first + got.gyr.shape[1] - 1) / 200.0
    inside = np.unique(np.concatenate([[low, high], t[(t > low) & (t < high)]]))
    for c in range(3):
        angle = np.trapezoid(np.interp(inside, t, gyr[:, c]), inside)
        assert got.gyr[0, 1:, c].sum() / 200.0 == pytest.approx(angle, abs=1e-10)


def test_a_fast_sensor_does_not_alias():
    t = np.arange(0.0, 5.0, 1.0 / 1666.0)
    acc = np.zeros((len(t), 3))
    acc[:, 2] = np.sin(2.0 * np.pi * 198.0 * t)
    gyr = np.zeros_like(acc)
    block = SampleBlock(Segment.PELVIS, t, acc, gyr, np.zeros(len(t), dtype=np.int64))
    got, _ = run(AlignStage(200.0, (1666.0,)), [block])
    # Taken at the grid's instants it would read as a full swing at 2 Hz.
    assert np.abs(got.acc[0, 5:-5, 2]).max() < 0.02


def test_a_short_hole_is_bridged_and_marked():
    t = times(200.0, 0.0, 3.0)
    t = t[(t < 1.001) | (t > 1.029)]
    got, gaps = run(AlignStage(200.0), merged(*[blocks_of(s, t, 1) for s in SEGMENTS]))
    bridged = (got.quality[0] & SampleQuality.BRIDGED) != 0
    at = (got.first + np.flatnonzero(bridged)) / 200.0
    assert at.min() == pytest.approx(1.005)
    assert at.max() == pytest.approx(1.03)
    assert not np.isnan(got.acc).any()
    assert gaps == []


def test_a_long_hole_is_a_gap_with_nan_and_an_event():
    t = times(200.0, 0.0, 4.0)
    hole = t[(t < 1.0) | (t > 1.6)]
    got, gaps = run(
        AlignStage(200.0),
        merged(blocks_of(SEGMENTS[0], t), blocks_of(SEGMENTS[1], hole, 1), blocks_of(SEGMENTS[2], t)),
    )
    is_nan = np.isnan(got.acc[1]).all(axis=1)
    np.testing.assert_array_equal(is_nan, (got.quality[1] & SampleQuality.GAP) != 0)
    at = (got.first + np.flatnonzero(is_nan)) / 200.0
    assert len(gaps) == 1
    assert gaps[0] == Gap(at[0], pytest.approx(at[-1] + 0.005), SEGMENTS[1], "not heard")
    assert at[0] == pytest.approx(1.0)
    assert not np.isnan(got.acc[[0, 2]]).any()


def test_nan_samples_are_holes():
    t = times(200.0, 0.0, 3.0)
    blocks = blocks_of(Segment.PELVIS, t)
    for block in blocks[20:30]:
        block.acc[:, 1] = np.nan
    got, gaps = run(AlignStage(200.0, (200.0,)), blocks)
    assert np.isnan(got.gyr[0]).all(axis=1).sum() == pytest.approx(100, abs=2)
    assert len(gaps) == 1


def test_a_sensor_that_never_came_is_a_lane_of_nan():
    t = times(200.0, 0.0, 4.0)
    stage = AlignStage(200.0)
    got, gaps = run(stage, merged(blocks_of(SEGMENTS[0], t), blocks_of(SEGMENTS[2], t)))
    assert np.isnan(got.acc[1]).all()
    assert not np.isnan(got.acc[[0, 2]]).any()
    assert [(g.segment, g.reason) for g in gaps] == [(SEGMENTS[1], "never heard")]


def test_a_lagging_sensor_holds_the_grid_up_no_longer_than_the_wait():
    t = times(200.0, 0.0, 6.0)
    stage = AlignStage(200.0)
    stage.push(merged(*[blocks_of(s, t[t < 2.0]) for s in SEGMENTS]))
    for block in merged(*[blocks_of(s, t[t >= 2.0]) for s in SEGMENTS[1:]]):
        piece, _ = stage.push([block])
        if piece.acc.shape[1]:
            end = (piece.first + piece.acc.shape[1] - 1) / 200.0
            assert float(block.t_s[-1]) - end <= 1.0 + 2 * 0.05 + 1e-9


def test_a_resent_packet_is_taken_if_the_grid_still_waits():
    t = times(200.0, 0.0, 8.0)
    lost = slice(60, 80)
    one = blocks_of(SEGMENTS[0], t)
    held = one[lost]
    order = merged(one[:60] + one[80:], blocks_of(SEGMENTS[1], t), blocks_of(SEGMENTS[2], t))
    late = next(k for k, b in enumerate(order) if b.t_s[-1] > 6.0)
    order[late:late] = held
    causal = AlignStage(200.0)
    assert len(run(causal, order)[1]) == 1
    assert causal.late_samples == (200, 0, 0)
    patient = AlignStage(200.0, params=AlignParams(max_wait_s=60.0))
    got, gaps = run(patient, order)
    assert gaps == []
    assert not np.isnan(got.acc).any()
    assert patient.late_samples == (0, 0, 0)


@pytest.mark.interpreted
@pytest.mark.parametrize("max_wait_s", [0.4, 60.0])
@pytest.mark.parametrize("seed", range(4))
def test_many_packets_at_once_give_what_each_gives(seed, max_wait_s):
    rng = np.random.default_rng(seed)
    rates, params = (208.0, 104.0, 420.0), AlignParams(max_wait_s=max_wait_s)
    heard: list[tuple[float, SampleBlock]] = []
    for segment, rate in zip(SEGMENTS, rates, strict=True):
        blocks = blocks_of(segment, times(rate, 0.3 * rng.random(), 4.0, jitter=0.3), 7)
        for block in blocks[2 * segment.lane :]:
            fate = rng.random()
            is_out = segment.lane == 1 and 1.5 < block.t_s[0] < 2.3
            if fate > 0.06 and not is_out:
                # Some come again much later, or only then.
                heard.append((block.t_s[-1], block))
            if fate < 0.04:
                heard.append((block.t_s[-1] + rng.choice([0.1, 0.5, 1.2]), block))
    order = [block for _, block in sorted(heard, key=lambda item: item[0])]
    marks = np.arange(len(order) + 1)
    one, many = AlignStage(200.0, rates, params), AlignStage(200.0, rates, params)
    pieces, gaps, reached = [], [], []
    for block in order:
        reached.append(one.following)
        piece, found = one.push([block])
        pieces.append(piece)
        gaps += found
    whole, found = many.push_run(run_of(order), 0, len(order), marks)
    assert many.save() == one.save()
    assert many.reached.tolist() == [*reached, one.following]
    (rest, last), (rest_of_one, last_of_one) = many.finish(), one.finish()
    assert [*found, *last] == [*gaps, *last_of_one]
    assert max(p.first + p.acc.shape[1] for p in (*whole, rest)) > 700
    for c in (2, 3, 4):
        got, want = (
            np.concatenate([p[c] for p in ps], axis=1) for ps in ([*whole, rest], [*pieces, rest_of_one])
        )
        np.testing.assert_array_equal(got, want)


def run_of(blocks: list[SampleBlock]) -> TimedRun:
    stops = np.cumsum([len(b.t_s) for b in blocks])
    lanes = [b.segment.lane for b in blocks]
    columns = (np.concatenate([getattr(b, name) for b in blocks]) for name in ("t_s", "acc", "gyr", "flags"))
    packets = np.array([lanes, [0, *stops[:-1]], stops]).T.copy()
    return TimedRun(packets, np.ones(stops[-1], dtype=np.int64), *columns)


def test_clipping_bits_reach_every_grid_sample_that_is_touched():
    t = times(208.0, 0.0, 2.0)
    flags = np.zeros(len(t), dtype=np.int64)
    flags[200] = int(SampleQuality.ACC_CLIPPED)
    got, _ = run(AlignStage(200.0, (208.0,)), blocks_of(Segment.PELVIS, t, flags=flags))
    at = (got.first + np.flatnonzero(got.quality[0])) / 200.0
    assert np.all(np.abs(at - t[200]) < 0.0101)
    assert len(at) in (2, 3)


def test_a_reason_that_was_told_is_in_the_gap():
    t = times(200.0, 0.0, 5.0)
    stage = AlignStage(200.0, (200.0,))
    gaps = stage.push(blocks_of(Segment.PELVIS, t[t < 1.0]))[1]
    stage.note(Segment.PELVIS, 1.0, "link lost")
    gaps += stage.push(blocks_of(Segment.PELVIS, t[t > 3.0]))[1]
    assert [g.reason for g in gaps] == ["link lost"]


def test_memory_does_not_grow_with_the_run():
    stage = AlignStage(200.0)
    sizes = []
    for minute in range(4):
        t = minute * 20.0 + times(200.0, 0.0, 20.0)
        stage.push(merged(*[blocks_of(s, t, 100) for s in SEGMENTS[:2]]))
        sizes.append(len(stage.save()))
    assert max(sizes) < 200_000
    assert sizes[-1] == pytest.approx(sizes[1], rel=0.1)


def test_settings_that_cannot_be_are_refused():
    for make in (
        lambda: AlignStage(0.0),
        lambda: AlignParams(max_wait_s=0.0),
        lambda: AlignParams(bridge_s=-1.0),
        lambda: AlignStage(200.0).note(Segment.PELVIS, 0.0, "rain"),
    ):
        with pytest.raises(ConfigError, match="Use"):
            make()
