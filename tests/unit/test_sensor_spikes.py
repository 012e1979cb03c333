"""A rate that leaps up and back within a sample or two is a hole, not a turn."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latemiles.errors import ConfigError
from latemiles.estimators.decode import DecodeStage
from latemiles.estimators.spikes import SpikeStage
from latemiles.recording.importers import import_file
from latemiles.sensors.drivers import samples
from latemiles.signals.frames import Segment
from latemiles.signals.packets import DecodedPacket
from latemiles.signals.records import SensorInfo

FULL = np.radians(2000.0)


def moving(n: int = 120) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    swing = np.radians(700.0) * np.sin(2.0 * np.pi * 1.4 * np.arange(n) / 100.0)
    gyr = rng.normal(0.0, 1.0, (n, 3))
    gyr[:, 1] += swing
    return rng.normal([0.0, 0.0, 9.81], 3.0, (n, 3)), gyr


def through(stage: SpikeStage, acc, gyr, cuts=(), *, is_resent: bool = False) -> np.ndarray:
    """Which samples were taken out."""
    flags, edges = np.zeros(len(acc), dtype=np.int64), [0, *sorted(set(cuts)), len(acc)]
    parts = [
        stage.push(DecodedPacket(acc[a:b], gyr[a:b], flags[a:b], is_resent=is_resent))
        for a, b in itertools.pairwise(edges)
        if b > a
    ]
    gone = np.isnan(np.concatenate([p.gyr for p in parts])).all(axis=1)
    assert (gone == np.isnan(np.concatenate([p.acc for p in parts])).all(axis=1)).all()
    return np.flatnonzero(gone)


@given(st.lists(st.integers(1, 119), max_size=12))
def test_spikes_of_one_and_two_samples_are_taken_out_however_packets_are_cut(cuts):
    acc, gyr = moving()
    gyr[20, 0] = FULL
    gyr[50, 2], gyr[51, 2] = -FULL, -FULL
    gyr[80:83, 1] = FULL
    # What stays up is let through from its third sample on.
    assert through(SpikeStage(), acc, gyr, cuts).tolist() == [20, 50, 51, 80, 81]


@given(st.lists(st.integers(1, 119), max_size=12))
def test_what_no_sensor_can_measure_is_taken_out_however_long_it_lasts(cuts):
    acc, gyr = moving()
    acc[20, 0], acc[21, 2] = 700.0, -1e30
    gyr[50:56, 1] = -90.0
    gyr[0, 2] = np.inf
    acc[90, 1], gyr[90, 1] = np.nan, 1e6
    gyr[100, 0] = FULL
    assert through(SpikeStage(), acc, gyr, cuts).tolist() == [0, 20, 21, 50, 51, 52, 53, 54, 55, 90, 100]
    # A hard landing on a sensor for shocks is none of that.
    acc, gyr = moving()
    acc[30, 2] = 45.0 * 9.81
    assert through(SpikeStage(), acc, gyr, cuts).tolist() == []


def test_the_first_sample_and_fast_swings_are_no_spikes():
    acc, gyr = moving()
    gyr[:, 1] *= 2.0
    gyr[0] = FULL
    assert through(SpikeStage(), acc, gyr).tolist() == []


def test_many_packets_at_once_give_the_same_as_one_by_one():
    acc, gyr = moving()
    gyr[[11, 12, 47], 0] = FULL
    acc[80, 1], gyr[70:73, 0] = 900.0, 100.0
    t = np.arange(120) / 100.0
    payloads = [samples.encode(t[k : k + 12], acc[k : k + 12], gyr[k : k + 12]) for k in range(0, 120, 12)]
    info = SensorInfo(segment=Segment.PELVIS, driver=samples.NAME, rate_hz=100.0)
    one, many = DecodeStage(info, samples.Samples()), DecodeStage(info, samples.Samples())
    parts = [packet.gyr for payload in payloads if (packet := one.push(payload)) is not None]
    stop = np.cumsum([len(p) for p in payloads])
    start = np.concatenate([[0], stop[:-1]])
    found, _ = many.push_many(b"".join(payloads), start, stop)
    np.testing.assert_array_equal(found.gyr, np.concatenate(parts))
    assert np.flatnonzero(np.isnan(found.gyr[:, 0])).tolist() == [11, 12, 47, 70, 71, 72, 80]
    assert one.save() == many.save()


def test_samples_sent_again_are_followed_by_themselves_and_a_state_goes_on_the_same():
    acc, gyr = moving()
    gyr[30, 0] = FULL
    stage, other = SpikeStage(), SpikeStage()
    assert through(stage, acc[:31], gyr[:31]).tolist() == [30]
    assert through(stage, acc[:5], gyr[:5] + FULL, is_resent=True).tolist() == []
    other.load(stage.save())
    gyr[31, 0] = FULL
    assert through(other, acc[31:], gyr[31:]).tolist() == through(stage, acc[31:], gyr[31:]).tolist() == [0]
    with pytest.raises(ConfigError, match="state"):
        other.load(b"")


@pytest.mark.parametrize("name", ["jogging_on_the_spot", "walking_with_turns"])
def test_nothing_of_real_people_is_taken_out(name, data_dir):
    streams, header = import_file("npz", data_dir / f"{name}.npz")
    for info in header.sensors:
        stream, stage = streams[info.segment], DecodeStage(info, samples.Samples())
        for k in range(0, len(stream.t), 1000):
            acc, gyr = stream.acc[k : k + 1000], stream.gyr[k : k + 1000]
            packet = stage.push(samples.encode(stream.t[k : k + 1000], acc, gyr))
            assert packet is not None
            np.testing.assert_array_equal(packet.gyr, gyr)
            np.testing.assert_array_equal(packet.acc, acc)
    # Clips that ring with every landing: the case is worth something.
    assert name != "jogging_on_the_spot" or np.degrees(np.abs(streams[Segment.LEFT_THIGH].gyr).max()) > 1400.0


def test_a_stage_that_does_not_judge_leaves_samples_as_they_were_written():
    acc, gyr = moving()
    gyr[20, 0] = FULL
    acc[40:], gyr[40:] = acc[40], gyr[40]
    info = SensorInfo(segment=Segment.PELVIS, driver=samples.NAME, rate_hz=100.0)
    payload = samples.encode(np.arange(120) / 100.0, acc, gyr)
    judged = DecodeStage(info, samples.Samples()).push(payload)
    plain = DecodeStage(info, samples.Samples(), judges=False)
    assert judged is not None
    assert np.isnan(judged.gyr[[20, 119]]).all()
    np.testing.assert_array_equal(plain.push(payload).gyr, gyr)
    found, stuck = plain.push_many(payload, np.array([0]), np.array([len(payload)]))
    np.testing.assert_array_equal(found.gyr, gyr)
    assert stuck.tolist() == [False]
