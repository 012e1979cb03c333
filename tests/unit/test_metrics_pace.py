"""Speed as the filters are told it."""

from __future__ import annotations

import numpy as np
import pytest

from latemiles.kernels.pace import lag_words, pace_at
from latemiles.metrics.pace import Pace
from latemiles.metrics.speed import SpeedTrack, words_of
from latemiles.signals.records import Speed
from reference import slow_pace


def words(t, speed, **more):
    """Records of a source."""
    return [
        Speed(round(a * 1e9), float(a), speed_m_s=float(v), **more) for a, v in zip(t, speed, strict=True)
    ]


def heard(records):
    """A pace that heard them one by one."""
    pace = Pace()
    for record in records:
        pace.tell_many(words_of([record]))
    return pace


def test_noise_of_a_receiver_is_smoothed_and_its_mean_kept():
    rng = np.random.default_rng(5)
    records = words(np.arange(300.0), 3.5 + 0.2 * rng.standard_normal(300))
    live, whole = heard(records), Pace(records)
    t = np.arange(50.0, 290.0, 0.5)
    for pace, sd in ((live, 0.1), (whole, 0.07)):
        said = np.array([pace.at(x) for x in t])
        np.testing.assert_array_equal(pace.at_each(t), said)
        assert np.std(said) < sd
        assert abs(np.mean(said) - 3.5) < 0.03


def test_all_words_known_leave_no_lag():
    t = np.arange(100.0)
    records = words(t, np.where(t < 50.0, 3.0, 4.0))
    assert Pace(records).at(49.5) == pytest.approx(3.5, abs=0.02)
    assert heard(records[:53]).at(52.0) < 3.75


def test_silence_is_not_filled():
    pace = heard(words([10.0, 11.0, 12.0, 60.0, 61.0], [3.0, 3.0, 3.0, 4.0, 4.0]))
    said = pace.course(0, 900, 10.0).pace_m_s
    t = np.arange(900) / 10.0
    assert np.isnan(said[t < 10.0]).all()
    assert np.isfinite(said[(t >= 10.0) & (t < 12.0)]).all()
    assert np.isnan(said[(t >= 12.0) & (t < 60.0)]).all()
    assert said[t == 60.5] == pytest.approx(4.0)
    assert np.isfinite(said[(t >= 60.0) & (t < 71.0)]).all()
    assert np.isnan(said[t > 71.0]).all()


@pytest.mark.parametrize("rate_hz", [1.0, 10.0, 50.0])
def test_two_minutes_ago_are_remembered_however_often_a_source_speaks(rate_hz):
    t = np.arange(0.0, 1200.0, 1.0 / rate_hz)
    records = words(t, 3.0 + t / 1200.0)
    track, pace = SpeedTrack(), Pace()
    for record in records:
        track.tell(record)
        pace.tell_many(words_of([record]))
    asked = t[-1] - 120.0
    assert track.at(asked)[0] == pytest.approx(3.0 + asked / 1200.0)
    assert pace.at(asked) == pytest.approx(3.0 + asked / 1200.0, abs=0.01)


def test_a_source_that_speaks_often_fills_no_memory_without_end():
    records = words(np.arange(0.0, 6000.0, 0.5), np.full(12_000, 3.0))
    track, pace = SpeedTrack(), Pace()
    for record in records:
        track.tell(record)
        pace.tell_many(words_of([record]))
    assert len(track.save()) < 1100
    assert len(pace.save()) < 80_000


def test_words_that_cannot_be_are_left_out():
    nonsense = words([1.0, 2.0, 2.0, 3.0, 4.0], [3.0, np.nan, 3.0, -1.0, 99.0])
    pace = heard(nonsense)
    assert pace.at(1.5) == 3.0
    assert pace.at(4.0) == 3.0
    assert np.isnan(Pace([]).at(1.0))
    assert np.isnan(Pace(words([1.0], [np.inf])).at(1.0))


def test_distance_alone_gives_a_speed():
    t = np.arange(60.0)
    pace = heard([Speed(0, float(a), distance_m=float(round(3.2 * a))) for a in t])
    assert pace.at(59.0) == pytest.approx(3.2, abs=0.2)


def test_a_saved_pace_goes_on_as_if_nothing_had_happened():
    records = words(np.arange(700.0), 3.0 + 0.001 * np.arange(700.0))
    whole, second = heard(records), Pace()
    second.load(heard(records[:650]).save())
    for record in records[650:]:
        second.tell_many(words_of([record]))
    assert second.save() == whole.save()
    assert second.at(699.5) == whole.at(699.5)


def test_a_change_of_speed_counts_over_ground_only_and_only_with_hindsight():
    rng = np.random.default_rng(8)
    t = np.arange(200.0)
    records = words(t, np.where(t < 100.0, 2.0, 4.5) + 0.1 * rng.standard_normal(200))
    ground = Pace(records, is_over_ground=True).course(0, 2000, 10.0).gained_m_s
    assert ground.sum() == pytest.approx(2.5, abs=0.25)
    # Noise of the source is not taken for changes of speed.
    assert np.abs(ground[:850]).sum() < 0.1
    for pace in (Pace(records), heard(records)):
        assert not pace.course(0, 2000, 10.0).gained_m_s.any()


def test_samples_that_wait_go_by_the_words_known_when_they_came_however_late_they_are_asked_for():
    rng = np.random.default_rng(8)
    # A source that speaks late, falls silent, and comes back.
    said = np.concatenate([np.arange(0.0, 40.0), np.arange(55.0, 70.0), np.arange(120.0, 160.0)])
    records = words(said, 3.0 + rng.random(len(said)))
    ends = np.sort(rng.integers(1, 1700, len(records)))
    soon, late = Pace(), Pace()
    parts, first = [], 0
    for record, stop in zip(records, ends, strict=True):
        late.tell_settled(words_of([record]), 0, [int(stop)])
        if stop > first:
            parts.append(soon.course(first, int(stop) - first, 10.0).pace_m_s)
            first = int(stop)
        soon.tell_many(words_of([record]))
    whole = late.course(0, first, 10.0)
    assert np.isnan(whole.pace_m_s).any()
    assert np.isfinite(whole.pace_m_s).any()
    assert whole.pace_m_s.tobytes() == np.concatenate(parts).tobytes()
    assert late.course(first, 50, 10.0).pace_m_s.tobytes() == soon.course(first, 50, 10.0).pace_m_s.tobytes()


def test_the_pace_at_many_times_equals_the_slow_twin():
    rng = np.random.default_rng(2)
    words = np.stack([np.cumsum(rng.choice([0.5, 1.0, 12.0, 40.0], 60)), rng.uniform(2.0, 5.0, 60)], axis=1)
    t = np.sort(rng.uniform(-5.0, words[-1, 0] + 30.0, 900))
    for known in (np.full(900, 60), np.arange(900) // 20, np.arange(900) // 12 - 3):
        out = np.empty(900)
        pace_at(words, t, known, 30.0, 10.0, out)
        np.testing.assert_allclose(out, slow_pace.pace_at(words, t, known, 30.0, 10.0), atol=1e-12)


PAUSES = [0.1, 0.3, 0.3, 0.2, 0.08, 0.02]


def said_at_random(rng, count=300):
    """Words (m, 3) of a source that is now and then late, repeats itself, or does not tell this or that."""
    words = np.empty((count, 3))
    words[:, 0] = np.cumsum(rng.choice([0.0, 0.5, 1.0, 4.0, -1.0, 60.0], count, p=PAUSES))
    words[:, 1] = rng.uniform(2.0, 5.0, count)
    words[:, 2] = 3.0 * words[:, 0] + rng.uniform(0.0, 1.0, count)
    words[rng.random(count) < 0.3, 1] = np.nan
    words[rng.random(count) < 0.3, 2] = np.nan
    words[rng.integers(count, size=3), 0] = np.nan
    return words


def test_the_words_that_are_kept_equal_the_slow_twin():
    told = said_at_random(np.random.default_rng(12))
    track = SpeedTrack()
    taken = track.tell_many(told)
    rows = slow_pace.take_words(told, 5.0)
    assert 100 < len(rows) < 290
    np.testing.assert_allclose(taken[np.isfinite(taken[:, 0])], rows[:, :2], rtol=1e-12)
    kept = rows[rows[:, 0] >= rows[-1, 0] - 512.0]
    np.testing.assert_allclose(track.words, kept, rtol=1e-12)


def test_words_told_at_once_leave_what_they_leave_one_by_one():
    told = said_at_random(np.random.default_rng(13))
    one, many, paces = SpeedTrack(), SpeedTrack(), (Pace(), Pace())
    for word in told:
        one.tell_many(word[None])
        paces[0].tell_many(word[None])
    for part in np.array_split(told, 5):
        many.tell_many(part)
        paces[1].tell_many(part)
    assert repr(one.save()) == repr(many.save())
    assert paces[0].save() == paces[1].save()


@pytest.mark.parametrize("is_backward", [False, True])
def test_the_low_pass_of_words_equals_the_slow_twin(is_backward):
    rng = np.random.default_rng(3)
    words = np.stack([np.cumsum(rng.choice([0.5, 1.0, 40.0], 60)), rng.uniform(2.0, 5.0, 60)], axis=1)
    out, sign = words.copy(), -1.0 if is_backward else 1.0
    lag_words(out, 3.0, 30.0, is_backward)
    turned = words[:: int(sign)] * [sign, 1.0]
    expected = slow_pace.lag_words(turned, 3.0, 30.0)[:: int(sign)] * [sign, 1.0]
    np.testing.assert_allclose(out, expected, rtol=1e-12)
