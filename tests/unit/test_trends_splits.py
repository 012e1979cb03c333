"""Splits count from where the way is known, and say what the source said meanwhile."""

from __future__ import annotations

import math

import numpy as np
import pytest

from latemiles.metrics.catalogue import COLUMN_INDEX, NUMERIC_COLUMNS
from latemiles.metrics.rows import StrideBatch
from latemiles.signals.events import Stride
from latemiles.signals.frames import Side
from latemiles.signals.records import Speed
from latemiles.trends.splits import SplitMaker, SplitParams


def splits_of(distance_at, *, words=(), until_s=900, params=None, saved_at=-1):
    """Splits of a run of one stride a second; ``distance_at`` gives its way at a time."""
    maker = SplitMaker(params or SplitParams(length_m=1000.0))
    found = []
    for t in range(until_s):
        for word in words:
            if t - 1 < word.t_s <= t:
                maker.tell(word)
        values = [math.nan] * len(NUMERIC_COLUMNS)
        values[COLUMN_INDEX["distance_m"]] = distance_at(t)
        values[COLUMN_INDEX["stride_time_s"]] = 0.7
        stride = Stride(float(t), Side.LEFT, t, tuple(values), 0)
        found += [split for _, split in maker.push_many(StrideBatch.of(stride))]
        if t == saved_at:
            facts, rows = maker.save()
            maker = SplitMaker(params or SplitParams(length_m=1000.0))
            maker.load(facts, rows)
    last = maker.finish()
    return found + ([] if last is None else [last])


def test_a_watch_that_starts_late_still_gives_whole_kilometres():
    late = splits_of(lambda t: math.nan if t < 20 else 3.0 * (t - 20))
    assert [round(split.distance_m, -1) for split in late] == [1000.0, 1000.0, 640.0]
    assert late[0].start_s == 0.0
    assert late[0].t_s == pytest.approx(20.0 + 1000.0 / 3.0, abs=1.0)


def test_a_run_without_any_distance_is_split_by_time():
    assert [split.t_s for split in splits_of(lambda _t: math.nan)][:2] == [300.0, 600.0]


WORDS = [
    Speed(
        0,
        float(t),
        speed_m_s=3.0,
        grade=0.02 if t < 400 else -0.02,
        distance_m=3.0 * t,
        heart_rate_bpm=120.0 + t // 100,
    )
    for t in range(900)
]


def test_a_split_has_the_mean_heart_rate_and_the_climb_of_its_own_time():
    first, second, third = splits_of(lambda t: 3.0 * t, words=WORDS)
    assert first.heart_rate_bpm == pytest.approx(121.3, abs=0.2)
    assert first.climb_m == pytest.approx(20.0, abs=0.2)
    assert second.climb_m == pytest.approx(0.02 * 200.0 - 0.02 * 800.0, abs=0.3)
    assert third.climb_m == pytest.approx(-0.02 * (3.0 * 899.0 - 2000.0), abs=0.3)
    assert third.heart_rate_bpm > second.heart_rate_bpm > first.heart_rate_bpm


def test_what_the_source_does_not_say_is_not_known():
    quiet = splits_of(lambda t: 3.0 * t, words=[Speed(0, float(t), speed_m_s=3.0) for t in range(900)])
    assert all(math.isnan(split.heart_rate_bpm) and math.isnan(split.climb_m) for split in quiet)


def test_stopping_and_going_on_changes_nothing():
    whole = splits_of(lambda t: 3.0 * t, words=WORDS)
    again = splits_of(lambda t: 3.0 * t, words=WORDS, saved_at=450)
    assert repr(again) == repr(whole)


@pytest.mark.parametrize("size", [7, 100, 900])
@pytest.mark.parametrize("known_from", [0, 20, 350, 2000], ids=["at once", "late", "later", "never"])
def test_strides_in_batches_are_split_as_one_by_one(size, known_from):
    def way(t):
        # A watch that loses its satellites for a while.
        return math.nan if t < known_from or 500 <= t < 520 else 3.0 * (t - known_from)

    params = SplitParams(length_m=1000.0, most_strides=320)
    one, many, strides = SplitMaker(params), SplitMaker(params), []
    for t in range(900):
        values = [math.nan] * len(NUMERIC_COLUMNS)
        values[COLUMN_INDEX["distance_m"]] = way(t)
        strides.append(StrideBatch.of(Stride(float(t), Side.RIGHT, t, tuple(values), 0)))
    single = [(t, split) for t, stride in enumerate(strides) for _, split in one.push_many(stride)]
    together = []
    for first in range(0, 900, size):
        columns = [stride[1:] for stride in strides[first : first + size]]
        batch = StrideBatch(first, *map(np.concatenate, zip(*columns, strict=True)))
        together += [(first + k, split) for k, split in many.push_many(batch)]
    assert len(single) >= 2
    assert repr(together) == repr(single)
    assert repr(many.save()) == repr(one.save())
