"""A run whose radio loses packets: angles stay right, or say that they are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import latemiles as lm
from latemiles.metrics.table import EXCLUDING
from latemiles.signals.quality import StrideQuality
from latemiles.sim.plan import Phase, RunnerPlan
from latemiles.sim.runner import simulate

PACKET = 12


@pytest.fixture(scope="module")
def lossy():
    """A fast runner at 100 Hz who walks and runs again; 3 % of the packets get lost under way."""
    phases = ("standing", 8.0, np.nan), ("squats", 10.0, np.nan), ("standing", 3.0, np.nan)
    phases += ("running", 60.0, 4.6), ("walking", 15.0, 1.4), ("running", 60.0, 4.6)
    plan = RunnerPlan(tuple(Phase(*p) for p in phases))
    run = simulate(replace(plan, sensors=replace(plan.sensors, rate_hz=100.0)), 31)
    rng = np.random.default_rng(31)
    streams = {}
    for segment, s in run.streams().items():
        lost = np.repeat(rng.random(len(s.t) // PACKET + 1) < 0.03, PACKET)[: len(s.t)] & (s.t > 24.0)
        streams[segment.value] = lm.ImuStream(s.t[~lost], s.acc[~lost], s.gyr[~lost])
    return run.truth, lm.analyze(streams)


def errors(lossy, angle):
    """Of each side's used strides, against the true one at the same contact; degrees."""
    truth, found = lossy
    rows, true = found.strides, truth.strides
    used = (np.asarray(rows["quality"]).astype(np.int64) & int(EXCLUDING)) == 0
    out = []
    for k, side in enumerate(("left", "right")):
        mine = used & (np.asarray(rows["side"]) == side)
        its = truth.steady() & (true["side"] == k)
        off = np.abs(np.asarray(rows["t_ic_s"])[mine][:, None] - true["t_ic_s"][its])
        near, at = off.min(axis=1) < 0.08, off.argmin(axis=1)
        wrong = np.asarray(rows[f"{angle}_mean_deg"])[mine] - true[f"{angle}_mean_deg"][its][at]
        out.append(wrong[near & np.isfinite(wrong)])
    return out


def test_hip_angles_keep_their_heading_through_lost_packets(lossy):
    for angle, spread in (("hip_internal_rotation", 1.5), ("hip_adduction", 1.0), ("hip_flexion", 1.5)):
        for wrong in errors(lossy, angle):
            assert np.std(wrong) < spread
            assert abs(np.median(wrong)) < 2.5


def test_lost_packets_do_not_cost_the_strides_around_them(lossy):
    truth, found = lossy
    used = (np.asarray(found.strides["quality"]).astype(np.int64) & int(EXCLUDING)) == 0
    assert used.sum() > 0.85 * truth.steady().sum()


@pytest.mark.parametrize("hole", [(7.95, 8.15), (8.1, 8.4)])
def test_a_hole_as_the_running_starts_turns_no_hip_in_silence(hole):
    """Nothing repeats yet that could fill it, and the thigh's heading may turn by ten degrees over it."""
    plan = RunnerPlan((Phase("standing", 8.0, np.nan), Phase("running", 45.0, 3.2)))
    run = simulate(replace(plan, sensors=replace(plan.sensors, rate_hz=100.0)), 4)
    streams = {}
    for segment, s in run.streams().items():
        lost = (s.t > hole[0]) & (s.t < hole[1]) & (segment.value == "right_thigh")
        streams[segment.value] = lm.ImuStream(s.t[~lost], s.acc[~lost], s.gyr[~lost])
    found = run.truth, lm.analyze(streams)
    left, right = errors(found, "hip_internal_rotation")
    rows = found[1].strides
    bits = np.asarray(rows["quality"]).astype(np.int64) & int(StrideQuality.HEADING_UNCERTAIN)
    is_right = np.asarray(rows["side"]) == "right"
    assert abs(np.median(left)) < 2.0
    assert not bits[~is_right].any()
    assert abs(np.median(right)) < 3.0 or np.mean(bits[is_right] != 0) > 0.9
