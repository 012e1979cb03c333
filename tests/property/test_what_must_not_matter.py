"""Headings, turns and the pace of time must not matter; a sensor at its limit must not pass in silence."""

from __future__ import annotations

from dataclasses import replace
from math import pi

import numpy as np
import pytest

from latemiles.analysis import analyze
from latemiles.estimators.orientation import OrientationParams, orientation
from latemiles.estimators.posture import PostureStage
from latemiles.metrics.table import EXCLUDING
from latemiles.signals.blocks import ImuStream
from latemiles.signals.frames import quat_multiply
from latemiles.signals.quality import StrideQuality
from latemiles.sim.plan import Phase, RunnerPlan, Sensors, easy_run
from latemiles.sim.runner import simulate
from reference.posture_streams import RATE_HZ, drive, stream
from reference.posture_twins import about_z
from reference.rbds import has_rbds

ANGLES = ("pelvic_tilt", "pelvic_obliquity", "hip_flexion", "hip_adduction", "hip_internal_rotation")
HEADING_BOUND = ("hip_adduction", "hip_internal_rotation")


@pytest.mark.skipif(not has_rbds(), reason="real running poses not found; set LATEMILES_DATA")
@pytest.mark.parametrize(("turns", "within_rad"), [((0.5 * pi,) * 3, 1e-9), ((0.3, -2.0, 1.1), 1e-3)])
def test_whichever_way_a_run_or_an_earth_frame_faces_the_angles_are_the_same(turns, within_rad):
    whole = stream()
    turn = about_z(np.array(turns))[:, None]
    turned = replace(whole, orient=whole.orient._replace(quat=quat_multiply(turn, whole.orient.quat)))
    plain, other = (drive(PostureStage(RATE_HZ), s) for s in (whole, turned))
    # Earth frames that face apart: the first heading is sought with a prior, which leaves 1e-4 of the angle.
    np.testing.assert_allclose(other.pelvis, plain.pelvis, atol=1e-9)
    np.testing.assert_allclose(other.hip, plain.hip, atol=within_rad)


def test_the_filter_has_no_time_of_its_own():
    rng = np.random.default_rng(3)
    t = np.arange(6000) / 100.0
    gyr = np.stack([np.sin(7.0 * t), 2.0 * np.cos(9.0 * t), 0.5 * np.sin(3.0 * t)], axis=1) + 0.01
    acc = np.array([0.0, 0.0, 9.81]) + np.stack([np.sin(9.0 * t), np.cos(5.0 * t), np.sin(11.0 * t)], axis=1)
    acc = acc + 0.05 * rng.standard_normal(acc.shape)
    slow, p = 2.0, OrientationParams()
    stretched = OrientationParams(
        force_tau=slow * p.force_tau,
        rest_tau=slow * p.rest_tau,
        rest_min=slow * p.rest_min,
        rest_gyr=p.rest_gyr / slow,
        bias_sigma_init=p.bias_sigma_init / slow,
        # What the bias gains in a sample is the variance of a rate, in a longer sample.
        bias_forgetting=slow**3 * p.bias_forgetting,
        bias_sigma_motion=p.bias_sigma_motion / slow,
        bias_sigma_rest=p.bias_sigma_rest / slow,
        bias_clip=p.bias_clip / slow,
        hold=slow * p.hold,
    )
    one = orientation(gyr, acc, 100.0)
    two = orientation(gyr / slow, acc, 100.0 / slow, params=stretched)
    np.testing.assert_allclose(two.quat, one.quat, atol=1e-10)
    np.testing.assert_allclose(slow * two.gyr_bias, one.gyr_bias, atol=1e-12)


def medians(table, where) -> dict[str, float]:
    return {a: float(np.nanmedian(np.asarray(table[f"{a}_mean_deg"])[where])) for a in ANGLES}


def steady(table) -> np.ndarray:
    return (np.asarray(table["quality"]).astype(np.int64) & int(EXCLUDING)) == 0


def test_a_clock_that_runs_slow_scales_times_and_leaves_the_angles():
    run = simulate(easy_run(0.7, sensors=Sensors(rate_hz=104.0)), seed=22)
    slow = 1.01
    plain = analyze({s.value: x for s, x in run.streams().items()})
    other = analyze({s.value: ImuStream(slow * x.t, x.acc, x.gyr / slow) for s, x in run.streams().items()})
    assert len(other.strides) == len(plain.strides)
    np.testing.assert_allclose(other.strides["t_ic_s"], slow * plain.strides["t_ic_s"], atol=0.02)
    a, b = (medians(x.strides, steady(x.strides)) for x in (plain, other))
    for angle in ANGLES:
        assert b[angle] == pytest.approx(a[angle], abs=0.5 if angle in HEADING_BOUND else 0.15)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_gyro_whose_zero_is_far_off_costs_nothing_once_the_runner_has_stood(axis):
    phases = (
        Phase("standing", 8.0),
        Phase("squats", 10.0),
        Phase("running", 40.0, 3.0),
        Phase("standing", 12.0),
        Phase("running", 40.0, 3.0),
    )
    run = simulate(RunnerPlan(phases, sensors=Sensors(rate_hz=104.0)), seed=31)
    streams = {s.value: x for s, x in run.streams().items()}
    plain = analyze(streams).strides
    for name, degrees_s in (("pelvis", 4.0), ("left_thigh", -5.0)):
        x, off = streams[name], np.zeros(3)
        off[axis] = np.radians(degrees_s)
        streams[name] = ImuStream(x.t, x.acc, x.gyr + off)
    other = analyze(streams).strides
    for begins, ends in ((25.0, 58.0), (72.0, 110.0)):
        a, b = (medians(s, steady(s) & (s["t_ic_s"] > begins) & (s["t_ic_s"] < ends)) for s in (plain, other))
        for angle in ANGLES:
            assert b[angle] == pytest.approx(a[angle], abs=0.6 if angle in HEADING_BOUND else 0.3)


def test_a_runner_who_turns_round_a_corner_reads_the_same_after_it():
    phases = (
        Phase("standing", 8.0),
        Phase("squats", 10.0),
        Phase("running", 40.0, 3.0),
        Phase("running", 8.0, 3.0, turn_rad=0.5 * pi),
        Phase("running", 40.0, 3.0),
    )
    run = simulate(RunnerPlan(phases, sensors=Sensors(rate_hz=104.0)), seed=23)
    table = analyze({s.value: x for s, x in run.streams().items()}).strides
    truth = run.truth.strides
    t, used = np.asarray(table["t_ic_s"]), steady(table)
    for angle in ANGLES:
        off = []
        for a, b in ((30.0, 56.0), (70.0, 105.0)):
            true = np.mean(truth[f"{angle}_mean_deg"][run.truth.steady(a, b)])
            off.append(medians(table, used & (t > a) & (t < b))[angle] - true)
        assert off[1] == pytest.approx(off[0], abs=1.5 if "rotation" in angle else 0.8)
    # The corner itself is marked: without speed it leans.
    corner = (t > 60.5) & (t < 63.5)
    assert (np.asarray(table["quality"])[corner].astype(np.int64) & int(StrideQuality.TURN)).all()


def test_a_sensor_at_its_limit_is_marked_in_every_stride_it_touches():
    run = simulate(easy_run(0.5, sensors=Sensors(rate_hz=104.0)), seed=24)
    streams = {s.value: x for s, x in run.streams().items()}
    thigh = streams["left_thigh"]
    streams["left_thigh"] = ImuStream(thigh.t, thigh.acc, np.clip(thigh.gyr, -3.0, 3.0))
    found = analyze(streams)
    clipped = (np.asarray(found.strides["quality"]).astype(np.int64) & int(StrideQuality.CLIPPED)) != 0
    running = np.asarray(found.strides["t_ic_s"]) > 40.0
    is_left = np.asarray(found.strides["side"]) == "left"
    assert clipped[running & is_left].mean() > 0.9
    assert not clipped[running & ~is_left].any()
    left = next(q for q in found.quality.sensors if q.segment.value == "left_thigh")
    assert left.clipped_samples > 100
