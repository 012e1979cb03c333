"""A sensor that hangs at one value is a gap that the runner is told of, not a measurement."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latemiles.analysis import analyze
from latemiles.estimators.stuck import StuckStage
from latemiles.kernels.unpack import survey
from latemiles.pipeline import Pipeline
from latemiles.sensors.drivers import samples
from latemiles.sensors.registry import driver_for
from latemiles.signals.blocks import ImuStream
from latemiles.signals.events import Gap, LinkChanged
from latemiles.signals.frames import SEGMENTS, Segment
from latemiles.signals.packets import DecodedPacket, DecodedStretch
from latemiles.web.view_model import LiveView

RATE_HZ = 100.0


def moving(n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal([0.0, 0.0, 9.81], 3.0, (n, 3)), rng.normal(0.0, 2.0, (n, 3))


def packet(acc, gyr, *, is_resent: bool = False) -> DecodedPacket:
    return DecodedPacket(acc, gyr, np.zeros(len(acc), dtype=np.int64), is_resent=is_resent)


def through(stage: StuckStage, acc, gyr, cuts=(), *, is_resent: bool = False) -> np.ndarray:
    edges = [0, *sorted(set(cuts)), len(acc)]
    parts = [
        stage.push(packet(acc[a:b], gyr[a:b], is_resent=is_resent)).acc
        for a, b in itertools.pairwise(edges)
        if b > a
    ]
    return np.concatenate(parts)


@given(
    st.lists(st.integers(1, 299), max_size=20), st.integers(0, 250), st.sampled_from(["both", "acc", "gyr"])
)
def test_however_packets_are_cut_the_same_samples_are_taken_out(cuts, start, what):
    acc, gyr = moving(300)
    # While it turns fast and is pushed about, so that either half alone would show that it moves.
    acc[start : start + 40, 0] += 20.0
    gyr[start : start + 40, 0] += 20.0
    if what != "gyr":
        acc[start : start + 40] = acc[start]
    if what != "acc":
        gyr[start : start + 40] = gyr[start]
    whole = through(StuckStage(RATE_HZ), acc, gyr)
    np.testing.assert_array_equal(through(StuckStage(RATE_HZ), acc, gyr, cuts), whole)
    # The first tenth of a second is let through; then nothing until it moves again.
    gone = np.flatnonzero(np.isnan(whole[:, 0]))
    np.testing.assert_array_equal(gone, np.arange(start + 10, start + 40))


def test_a_quiet_stance_is_not_stuck_unless_it_lasts_a_minute():
    acc = np.tile([0.0, 0.0, 9.81], (7000, 1))
    gyr = np.zeros((7000, 3))
    got = through(StuckStage(RATE_HZ), acc, gyr)
    assert np.isfinite(got[:5900]).all()
    assert np.isnan(got[6100:]).all()


def test_a_gyroscope_that_says_nothing_in_a_quiet_stance_is_not_stuck():
    rng = np.random.default_rng(5)
    acc = rng.normal([0.0, 0.0, 9.81], 0.03, (9000, 3))
    assert np.isfinite(through(StuckStage(RATE_HZ), acc, np.zeros((9000, 3)))).all()


def test_one_that_says_nothing_in_running_stays_stuck_where_the_force_passes_that_of_rest():
    acc, gyr = moving(200)
    gyr[50:150] = 0.0
    acc[100:110] = [0.0, 0.0, 9.81]
    got = through(StuckStage(RATE_HZ), acc, gyr)
    assert np.isfinite(got[:50]).all()
    assert np.isnan(got[75:150]).all()
    assert np.isfinite(got[150:]).all()


def test_a_few_equal_samples_are_chance():
    acc, gyr = moving(100)
    acc[20:27], gyr[20:27] = acc[20], gyr[20]
    acc[40:48], gyr[60:68] = acc[40], gyr[60]
    assert np.isfinite(through(StuckStage(RATE_HZ), acc, gyr)).all()


def test_samples_sent_again_are_followed_by_themselves():
    acc, gyr = moving(60)
    stage = StuckStage(RATE_HZ)
    old_acc, old_gyr = np.repeat(acc[:1], 5, axis=0), np.repeat(gyr[:1], 5, axis=0)
    for k in range(0, 60, 5):
        assert np.isfinite(stage.push(packet(acc[k : k + 5], gyr[k : k + 5])).acc).all()
        stage.push(packet(old_acc, old_gyr, is_resent=True))
    assert not stage.is_stuck
    assert stage.samples == 50


@given(
    st.lists(st.tuples(st.integers(0, 298), st.integers(1, 14), st.sampled_from(["both", "acc", "gyr"]))),
    st.lists(st.integers(1, 59), max_size=6),
)
def test_many_packets_at_once_are_one_after_the_other(repeats, cuts):
    acc, gyr = moving(300)
    for start, count, what in repeats:
        if what != "gyr":
            acc[start : start + count + 1] = acc[start]
        if what != "acc":
            gyr[start : start + count + 1] = gyr[start]
    one, many = StuckStage(RATE_HZ), StuckStage(RATE_HZ)
    for a, b in itertools.pairwise([0, *sorted(set(cuts)), 60]):
        here = slice(5 * a, 5 * b)
        singly = [one.push(packet(acc[k : k + 5], gyr[k : k + 5])) for k in range(5 * a, 5 * b, 5)]
        stretch = stretch_of(acc[here].copy(), gyr[here].copy())
        found, _ = many.push_many(stretch, survey(stretch.acc, stretch.gyr)[2])
        np.testing.assert_array_equal(found.acc, np.concatenate([p.acc for p in singly]))
        np.testing.assert_array_equal(found.gyr, np.concatenate([p.gyr for p in singly]))
        assert many.save() == one.save()


def stretch_of(acc: np.ndarray, gyr: np.ndarray) -> DecodedStretch:
    """The same samples in packets of five."""
    m = len(acc) // 5
    none, no = np.full(m, -1), np.zeros(m, dtype=np.bool_)
    sizes, flags = np.full(m, 5), np.zeros(len(acc), dtype=np.int64)
    return DecodedStretch(acc, gyr, flags, sizes, no, none, none, none, no, no)


def test_a_state_that_was_saved_goes_on_the_same():
    acc, gyr = moving(60)
    acc[20:], gyr[20:] = acc[20], gyr[20]
    first, second = StuckStage(RATE_HZ), StuckStage(RATE_HZ)
    through(first, acc[:26], gyr[:26])
    second.load(first.save())
    np.testing.assert_array_equal(through(second, acc[26:], gyr[26:]), through(first, acc[26:], gyr[26:]))
    assert second.save() == first.save()


@pytest.fixture
def streams() -> dict[Segment, ImuStream]:
    n = 1500
    made = {}
    for k, segment in enumerate(SEGMENTS):
        acc, gyr = moving(n, k)
        if segment is Segment.LEFT_THIGH:
            acc[500:1000], gyr[500:1000] = acc[500], gyr[500]
        made[segment] = ImuStream(np.arange(n) / RATE_HZ, acc, gyr)
    return made


def test_the_runner_is_told_at_once_and_the_gap_carries_the_reason(streams):
    records = list(samples.records(streams, {"run": "stuck"}))
    pipeline = Pipeline(records[0], driver_for)
    events = [event for record in records for event in pipeline.push(record)] + pipeline.finish()
    stuck, again = [e for e in events if isinstance(e, LinkChanged)]
    assert (stuck.segment, stuck.state) == (Segment.LEFT_THIGH, "stuck")
    assert 5.1 <= stuck.t_s <= 5.3
    assert "switch it off and on" in stuck.detail
    assert again.state == "up"
    assert 10.0 <= again.t_s <= 10.2
    (gap,) = [e for e in events if isinstance(e, Gap)]
    assert (gap.segment, gap.reason) == (Segment.LEFT_THIGH, "stuck at one value")
    assert gap.t_s == pytest.approx(5.1, abs=0.05)
    assert gap.end_s == pytest.approx(10.0, abs=0.05)
    view = LiveView()
    view.push([e for e in events if getattr(e, "end_s", e.t_s) <= 9.0])
    view.push([stuck])
    view.finish()
    assert any("repeats one value" in str(entry.get("words")) for entry in view.log)
    (left,) = [sensor for sensor in view.state()["sensors"] if sensor["name"] == "left"]
    assert left["status"] == "lost"
    assert left["words"].startswith("stuck")


def test_an_analysis_says_for_how_long_a_sensor_hung(streams):
    notes = analyze(streams).quality.notes
    (note,) = [n for n in notes if "one value" in n]
    assert "left thigh" in note
    assert "4.9 s" in note
