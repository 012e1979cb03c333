"""Squats that come late in a run: the stance before them counts, and a run in between turns no hip."""

from __future__ import annotations

import numpy as np
import pytest

from latemiles.analysis import analyze
from latemiles.metrics.table import EXCLUDING
from latemiles.signals.blocks import ImuStream
from latemiles.sim.imu import ImuErrors
from latemiles.sim.plan import Phase, RunnerPlan, Sensors
from latemiles.sim.runner import simulate

ANGLES = {"pelvic_tilt": 0.6, "pelvic_obliquity": 0.6, "hip_flexion": 2.0, "hip_internal_rotation": 6.0}


def test_a_stop_between_two_runs_gives_a_zero_as_good_as_any():
    phases = (
        Phase("running", 35.0, 4.3),
        Phase("standing", 8.0),
        Phase("running", 35.0, 4.5),
        Phase("standing", 10.0),
        Phase("squats", 9.0),
        Phase("standing", 4.0),
        Phase("running", 35.0, 4.3),
    )
    sensors = Sensors(rate_hz=104.0, errors=ImuErrors(gyr_bias=np.radians(1.0), acc_bias=0.0))
    run = simulate(RunnerPlan(phases, sensors=sensors), seed=31)
    found = analyze({s.value: x for s, x in run.streams().items()})
    assert found.reference == "standing"
    # The earlier stop is 57 s before the squats: it used to be taken, and was out by 4 degrees besides.
    assert found.quality.calibration.standing_start_s > 75.0
    table, truth = found.strides, run.truth.strides
    used = (np.asarray(table["quality"]).astype(np.int64) & int(EXCLUDING)) == 0
    late = used & (np.asarray(table["t_ic_s"]) > 105.0)
    for angle, limit in ANGLES.items():
        true = np.mean(truth[f"{angle}_mean_deg"][run.truth.steady(105.0, 135.0)])
        assert np.nanmedian(np.asarray(table[f"{angle}_mean_deg"])[late]) == pytest.approx(true, abs=limit)


def test_a_thigh_that_came_after_the_standing_takes_its_zero_from_a_later_one():
    phases = (
        Phase("standing", 10.0),
        Phase("squats", 9.0),
        Phase("standing", 4.0),
        Phase("running", 50.0, 3.1),
        Phase("standing", 12.0),
        Phase("running", 40.0, 3.1),
    )
    run = simulate(RunnerPlan(phases, sensors=Sensors(rate_hz=104.0)), seed=53)
    streams = {s.value: x for s, x in run.streams().items()}
    thigh = streams["right_thigh"]
    there = thigh.t > 35.0
    streams["right_thigh"] = ImuStream(thigh.t[there], thigh.acc[there], thigh.gyr[there])
    found = analyze(streams)
    assert found.quality.calibration.zero_standing == (1.0, 1.0, 1.0)
    table, truth = found.strides, run.truth.strides
    right = (np.asarray(table["side"]) == "right") & (np.asarray(table["t_ic_s"]) > 90.0)
    steady = run.truth.steady(90.0, 120.0) & (truth["side"] == 1)
    for angle, limit in (("hip_flexion", 1.0), ("hip_internal_rotation", 4.0)):
        true = np.mean(truth[f"{angle}_mean_deg"][steady])
        assert np.nanmedian(np.asarray(table[f"{angle}_mean_deg"])[right]) == pytest.approx(true, abs=limit)
