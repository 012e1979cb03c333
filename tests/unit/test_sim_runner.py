"""The synthetic runner moves as physics and its plan say, and tells the truth about it."""

import tracemalloc
from dataclasses import replace
from math import radians

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from latemiles.errors import ConfigError
from latemiles.signals.frames import (
    SEGMENTS,
    Segment,
    Side,
    hip_angles,
    pelvis_angles,
    quat_conj,
    quat_multiply,
    quat_rotate,
)
from latemiles.sim.gait import THIGH
from latemiles.sim.imu import quat_from_rotvec
from latemiles.sim.plan import (
    AngleOffset,
    Bend,
    FormDrift,
    Phase,
    RunnerPlan,
    SlippingClip,
    Variability,
    easy_run,
)
from latemiles.sim.runner import simulate

CALM = Variability(
    stride_sd_rad=(0.0,) * 6,
    amplitude_sd=0.0,
    stride_time_sd=0.0,
    contact_time_sd=0.0,
    wander_sd_rad=0.0,
    pace_sd=0.0,
)


def whole(run):
    parts = list(run.chunks(20.0))
    return {
        s.segment: [
            np.concatenate([getattr(p[i], name) for p in parts])
            for name in ("t_s", "acc", "gyr", "quat_earth_sensor")
        ]
        for i, s in enumerate(run.sensors)
    }


def test_a_seed_makes_one_run_and_another_seed_another():
    plan = easy_run(0.3)
    one, two, other = (next(iter(simulate(plan, seed).chunks())) for seed in (4, 4, 5))
    for a, b, c in zip(one, two, other, strict=True):
        assert a.acc.tobytes() == b.acc.tobytes()
        assert a.gyr.tobytes() == b.gyr.tobytes()
        assert a.acc.tobytes() != c.acc[: len(a.acc)].tobytes()


def test_rates_integrate_to_the_true_orientation_across_chunks():
    run = simulate(easy_run(0.4).without_errors(), 1)
    for t, _, gyr, quat in whole(run).values():
        assert np.allclose(np.diff(t), 1.0 / 208.0, atol=1e-9)
        step = quat_multiply(quat_conj(quat[:-2:2]), quat[2::2])
        h = 2.0 / 208.0
        simpson = (gyr[:-2:2] + 4.0 * gyr[1:-1:2] + gyr[2::2]) / 6.0 * h + h * h / 12.0 * np.cross(
            gyr[:-2:2], gyr[2::2]
        )
        miss = quat_multiply(quat_conj(step), quat_from_rotvec(simpson[: len(step)]))
        # Two samples apart; the fastest thigh turns 0.06 rad in that time.
        assert np.degrees(2.0 * np.linalg.norm(miss[:, 1:], axis=1).max()) < 0.02


def test_mean_specific_force_of_steady_running_is_gravity():
    plan = replace(easy_run(0.7), variability=CALM)
    run = simulate(plan.without_errors(), 2)
    t, acc, _, quat = whole(run)[Segment.PELVIS]
    contacts = run.timeline.feet[Side.RIGHT].contact_s
    inside = contacts[(contacts > 45.0) & (contacts < 72.0)]
    steady = (t >= inside[0]) & (t < inside[-1])
    np.testing.assert_allclose(quat_rotate(quat, acc)[steady].mean(axis=0), [0.0, 0.0, 9.81], atol=0.1)


def test_the_pelvis_flies_and_lands():
    run = simulate(easy_run(0.5), 3)
    t, acc, _, quat = whole(run)[Segment.PELVIS]
    running = (t > 42.0) & (t < 60.0)
    up = quat_rotate(quat, acc)[running, 2] / 9.81
    assert np.percentile(up, 5) < 0.15
    assert 2.0 < np.percentile(up, 99) < 3.2


def test_truth_is_what_the_frames_make_of_the_true_orientation():
    plan = replace(easy_run(0.4, route=(Bend(40.0), Bend(60.0, 30.0))), variability=CALM)
    run = simulate(plan.without_errors(), 6)
    streams = whole(run)
    t = streams[Segment.PELVIS][0]
    body = {
        s.segment: quat_multiply(streams[s.segment][3], quat_conj(s.quat_segment_sensor)) for s in run.sensors
    }
    hips = {
        side: hip_angles(quat_multiply(quat_conj(body[Segment.PELVIS]), body[THIGH[side]]), side)
        for side in Side
    }
    strides = run.truth.strides
    pelvis = pelvis_angles(body[Segment.PELVIS])
    for k in np.flatnonzero(run.truth.steady())[::5]:
        inside = (t >= strides["t_ic_s"][k]) & (t < strides["t_ic_s"][k] + strides["stride_time_s"][k])
        side = Side.RIGHT if strides["side"][k] else Side.LEFT
        mean = np.degrees(np.concatenate([pelvis[inside].mean(axis=0), hips[side][inside].mean(axis=0)]))
        for column, name in (
            (0, "pelvic_tilt"),
            (1, "pelvic_obliquity"),
            (3, "hip_flexion"),
            (4, "hip_adduction"),
        ):
            assert mean[column] == pytest.approx(strides[f"{name}_mean_deg"][k], abs=0.35)
        assert np.degrees(np.ptp(pelvis[inside, 0])) == pytest.approx(
            strides["pelvic_tilt_rom_deg"][k], abs=0.1
        )


@pytest.mark.parametrize(
    ("angle", "side", "column", "factor"),
    [
        ("pelvic_tilt", None, "pelvic_tilt_mean_deg", 1.0),
        ("pelvic_obliquity", None, "pelvic_obliquity_mean_deg", 1.0),
        ("hip_internal_rotation", Side.LEFT, "hip_internal_rotation_mean_deg", 1.0),
        ("pelvic_drop", Side.RIGHT, "pelvic_drop_stance_peak_deg", 0.8),
    ],
)
def test_an_imposed_form_drift_is_in_the_truth(angle, side, column, factor):
    drift = FormDrift(angle, radians(4.0), 60.0, 120.0, side)
    run = simulate(replace(easy_run(3.0, drifts=(drift,)), variability=CALM), 7)
    change = run.truth.change(column, (36.0, 60.0), (120.0, 200.0), side)
    assert change == pytest.approx(4.0, abs=4.0 * (1.0 - factor) + 0.05)
    if side is not None:
        other = Side.LEFT if side is Side.RIGHT else Side.RIGHT
        assert abs(run.truth.change(column, (36.0, 60.0), (120.0, 200.0), other)) < 0.7


def test_a_form_drift_may_begin_at_a_place():
    drift = FormDrift("pelvic_tilt", radians(3.0), start_m=200.0, end_m=200.0)
    truth = simulate(replace(easy_run(3.0, drifts=(drift,)), variability=CALM), 7).truth
    tilt, place = truth.strides["pelvic_tilt_mean_deg"], truth.strides["distance_m"]
    ok = truth.steady()
    after, before = tilt[ok & (place > 205.0)], tilt[ok & (place < 195.0)]
    assert after.mean() - before.mean() == pytest.approx(3.0, abs=0.02)


def test_an_offset_on_one_side_is_an_asymmetry_of_that_size():
    plan = easy_run(1.0, offsets=(AngleOffset("hip_internal_rotation", radians(3.0), Side.RIGHT),))
    truth = simulate(replace(plan, variability=CALM), 8).truth
    rotation, side = truth.strides["hip_internal_rotation_mean_deg"], truth.strides["side"]
    ok = truth.steady()
    assert rotation[ok & (side == 1)].mean() - rotation[ok & (side == 0)].mean() == pytest.approx(
        3.0, abs=0.02
    )


def test_stride_to_stride_spread_is_the_published_one():
    truth = simulate(replace(easy_run(6.0), variability=Variability(wander_sd_rad=0.0, pace_sd=0.0)), 9).truth
    ok = truth.steady() & (truth.strides["side"] == 1)
    for name, sd in (("pelvic_tilt", 0.70), ("pelvic_obliquity", 0.38), ("hip_flexion", 1.02)):
        assert truth.strides[f"{name}_mean_deg"][ok].std() == pytest.approx(sd, rel=0.2)


def test_contacts_alternate_and_contact_comes_before_toe_off():
    truth = simulate(easy_run(1.0), 10).truth
    s, ok = truth.strides, truth.steady()
    assert np.all(np.diff(s["side"][ok]) != 0)
    assert np.all(np.diff(s["t_ic_s"]) > 0)
    assert np.all((s["contact_time_s"][ok] > 0.18) & (s["contact_time_s"][ok] < 0.34))
    assert 150.0 < s["cadence_spm"][ok].mean() < 180.0


def test_faster_running_tips_the_pelvis_and_widens_the_hips():
    slow, fast = (simulate(replace(easy_run(0.7, v), variability=CALM), 11).truth for v in (2.5, 3.5))
    means = [
        [t.strides[c][t.steady()].mean() for c in ("pelvic_tilt_mean_deg", "hip_flexion_rom_deg")]
        for t in (slow, fast)
    ]
    assert means[1][0] - means[0][0] == pytest.approx(2.0, abs=0.1)
    assert means[1][1] / means[0][1] == pytest.approx(1.29, abs=0.03)


def test_a_track_turns_the_runner_round_once_a_lap():
    run = simulate(
        easy_run(3.0, 3.5, route=(Bend(84.39), Bend(115.61, 36.8), Bend(84.39), Bend(115.61, 36.8))), 12
    )
    laps = run.timeline.distance[-1] / 400.0
    assert np.ptp(run.timeline.heading) / (2.0 * np.pi) == pytest.approx(laps, abs=0.3)


def test_a_slip_turns_one_sensor_and_leaves_the_body_alone():
    slip = SlippingClip(Segment.LEFT_THIGH, 45.0, (0.0, radians(5.0), 0.0))
    plan = easy_run(0.5).without_errors()
    straight, slipped = whole(simulate(plan, 13)), whole(simulate(replace(plan, slips=(slip,)), 13))
    for segment in SEGMENTS:
        t, before, after = straight[segment][0], straight[segment][3], slipped[segment][3]
        turn = np.degrees(2 * np.linalg.norm(quat_multiply(quat_conj(before), after)[:, 1:], axis=1))
        assert turn[t < 44.9].max() < 1e-6
        expected = 5.0 if segment is Segment.LEFT_THIGH else 0.0
        assert turn[t > 45.5].mean() == pytest.approx(expected, abs=0.05)


def test_standing_still_reads_gravity_and_little_else():
    run = simulate(RunnerPlan((Phase("standing", 12.0),)).without_errors(), 14)
    for _, acc, gyr, _ in whole(run).values():
        np.testing.assert_allclose(np.linalg.norm(acc, axis=1), 9.81, atol=0.02)
        assert np.degrees(np.abs(gyr).max()) < 1.5
    assert not run.truth.strides or not run.truth.steady().any()


@limits(max_examples=5, deadline=None)
@given(cut=st.sampled_from([7.0, 13.0, 33.0]))
def test_the_motion_does_not_depend_on_how_it_is_cut(cut):
    run = simulate(easy_run(0.3).without_errors(), 15)
    a, b = list(run.chunks(1000.0)), list(run.chunks(cut))
    for i in range(3):
        for name in ("t_s", "acc", "gyr"):
            one, two = (np.concatenate([getattr(p[i], name) for p in parts]) for parts in (a, b))
            np.testing.assert_allclose(one, two, atol=2e-6)


def test_a_long_run_takes_the_memory_of_a_chunk():
    def peak(minutes):
        run = simulate(easy_run(minutes), 16)
        tracemalloc.start()
        for k, _ in enumerate(run.chunks(20.0)):
            if k == 2:
                break
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    assert peak(120.0) < 1.3 * peak(5.0) + 5e6


@pytest.mark.parametrize(
    "bad",
    [
        lambda: Phase("flying", 3.0),
        lambda: Phase("running", 3.0),
        lambda: easy_run(1, waveforms="x"),
        lambda: FormDrift("pelvic_tilt", 0.1),
    ],
)
def test_a_plan_that_cannot_be_run_is_refused_with_advice(bad):
    with pytest.raises(ConfigError):
        bad()
