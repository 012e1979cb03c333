"""What must not matter to an analysis: how a sensor is clipped on, which side is which; and garbage."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from latemiles.analysis import analyze
from latemiles.analysis_result import Analysis
from latemiles.signals.blocks import ImuStream
from latemiles.signals.quality import StrideQuality
from latemiles.sim.plan import Sensors, easy_run
from latemiles.sim.runner import simulate

OTHER = {"pelvis": "pelvis", "left_thigh": "right_thigh", "right_thigh": "left_thigh"}
MEANS = ("pelvic_tilt_mean_deg", "pelvic_obliquity_mean_deg", "hip_flexion_mean_deg")


@cache
def streams() -> dict[str, ImuStream]:
    """A minute of running after standing and squats."""
    run = simulate(easy_run(1.0, sensors=Sensors(rate_hz=104.0)), seed=21)
    return {segment.value: stream for segment, stream in run.streams().items()}


@cache
def plain() -> Analysis:
    """The analysis of these streams as they are."""
    return analyze(streams())


def means(analysis: Analysis, column: str, lane: int) -> float:
    """Median over the running strides of one side (1 left, 2 right)."""
    table = analysis.strides
    side = np.asarray(table["side"])
    named = side == ("left" if lane == 1 else "right") if side.dtype.kind in "UO" else side == lane - 1
    running = np.asarray(table["quality"]).astype(np.int64) & StrideQuality.NOT_RUNNING == 0
    return float(np.nanmedian(np.asarray(table[column])[named & running]))


@pytest.mark.parametrize("seed", [1, 2])
def test_how_a_sensor_is_clipped_on_does_not_matter(seed):
    turns = Rotation.random(3, random_state=np.random.default_rng(seed))
    remounted = {
        name: ImuStream(s.t, turn.apply(s.acc), turn.apply(s.gyr))
        for turn, (name, s) in zip(turns, streams().items(), strict=True)
    }
    found = analyze(remounted)
    assert len(found.strides) == len(plain().strides)
    for column in MEANS:
        for lane in (1, 2):
            assert means(found, column, lane) == pytest.approx(means(plain(), column, lane), abs=0.05)


def test_a_mirrored_runner_has_mirrored_obliquity_and_the_same_tilt():
    mirrored = {
        OTHER[name]: ImuStream(s.t, s.acc * [1.0, -1.0, 1.0], s.gyr * [-1.0, 1.0, -1.0])
        for name, s in streams().items()
    }
    found = analyze(mirrored)
    assert len(found.strides) == len(plain().strides)
    for column, sign in zip(MEANS, (1.0, -1.0, 1.0), strict=True):
        for lane in (1, 2):
            assert means(found, column, lane) == pytest.approx(
                sign * means(plain(), column, 3 - lane), abs=0.1
            )


@pytest.mark.parametrize("garbage", [np.nan, np.inf, -np.inf, 0.0])
@pytest.mark.parametrize("lane", ["pelvis", "left_thigh"])
def test_garbage_gives_no_silent_number(lane, garbage):
    s = streams()[lane]
    bad = (s.t > 60.0) & (s.t < 66.0)
    acc, gyr = s.acc.copy(), s.gyr.copy()
    acc[bad], gyr[bad] = garbage, garbage
    found = analyze({**streams(), lane: ImuStream(s.t, acc, gyr)})
    angles = found.pelvis if lane == "pelvis" else found.hip_left
    inside = (found.t > 60.1) & (found.t < 65.9)
    assert np.isnan(angles[inside]).all()
    assert np.isfinite(angles[(found.t > 50.0) & (found.t < 59.5)]).all()
    assert not np.isinf(angles).any()
