"""The posture stage on real running kinematics."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from latemiles.errors import InputError, ShapeError, TimeOrderError
from latemiles.estimators.posture import PostureStage
from latemiles.signals.events import CalibrationFound, PoseRefused, Slip
from latemiles.signals.frames import Segment, quat_multiply
from latemiles.signals.quality import SampleQuality
from latemiles.signals.records import Pose
from reference.posture_streams import (
    RATE_HZ,
    Stream,
    drive,
    long_stream,
    session,
    slipping,
    stream,
    stream_of,
    two_passes,
    without,
)
from reference.rbds import has_rbds

pytestmark = pytest.mark.skipif(not has_rbds(), reason="real running poses not found; set LATEMILES_DATA")


def errors_deg(result, s, squats=3):
    """(5, 2) shape and size of the mean error: tilt, obliquity, flexion, adduction, rotation; worse side."""
    running = s.is_running
    out = []
    for k in (0, 1):
        e = np.degrees(result.pelvis[running, k] - s.pelvis[running, k])
        out.append((e.std(), abs(e.mean())))
    for k in (0, 1, 2):
        e = np.degrees(result.hip[:, running, k] - s.hip[:, running, k])
        out.append((e.std(axis=1).max(), abs(e.mean(axis=1)).max()))
    return np.array(out)


# Worse of the two sides of one session at 100 Hz of point samples, so wider than the means of the benchmark.
LIMITS_DEG = np.array([(0.5, 0.8), (0.5, 0.8), (2.0, 1.5), (2.0, 2.0), (2.0, 2.5)])


@pytest.mark.parametrize("squats", [3, 0])
def test_the_causal_angles_are_right(squats):
    result = drive(PostureStage(RATE_HZ), stream(squats=squats))
    # Without squats the first seconds of running have no angles yet.
    s = session(squats=squats)
    known = s.is_running & np.isfinite(result.hip[0, :, 0])
    assert known.sum() > 0.5 * s.is_running.sum()
    for k in (0, 1):
        e = np.degrees(result.pelvis[known, k] - s.pelvis[known, k])
        assert e.std() < LIMITS_DEG[k, 0]
        assert abs(e.mean()) < LIMITS_DEG[k, 1]
    for k in (0, 1, 2):
        e = np.degrees(result.hip[:, known, k] - s.hip[:, known, k])
        assert (e.std(axis=1) < LIMITS_DEG[2 + k, 0]).all()
        assert (abs(e.mean(axis=1)) < LIMITS_DEG[2 + k, 1]).all()


@pytest.mark.parametrize("squats", [3, 0])
def test_the_second_pass_has_angles_from_the_first_sample(squats):
    result = two_passes(squats=squats)
    s = session(squats=squats)
    assert (errors_deg(result, s) < LIMITS_DEG).all()
    assert np.isfinite(result.pelvis).all()
    assert np.isfinite(result.hip).all()
    standing = (s.t > 1.0) & (s.t < 11.0)
    assert np.degrees(abs(result.pelvis[standing].mean(axis=0))).max() < 0.5
    assert np.degrees(abs(result.hip[:, standing].mean(axis=1))).max() < 1.0


def test_every_sample_comes_once_and_in_order():
    whole = stream()
    for basis in ("causal", "smoothed"):
        result = drive(PostureStage(RATE_HZ, basis=basis), whole, [500, 501, 2777])
        assert len(result.pelvis) == len(whole)
        assert list(result.firsts) == sorted(result.firsts)
    assert list(drive(PostureStage(RATE_HZ), whole, [500, 501, 2777]).firsts) == [
        0,
        500,
        501,
        2777,
        len(whole),
    ]


def test_standing_and_movement_are_found_where_they_were():
    found = drive(PostureStage(RATE_HZ), stream()).of(CalibrationFound)
    s = session()
    assert len(found) == 1
    assert found[0].reference == "standing"
    assert found[0].axes_from == "movement"
    assert found[0].standing_end_s <= s.movement[0] + 1.5
    assert found[0].standing_end_s - found[0].standing_start_s > 8.0
    assert s.movement[0] <= found[0].movement_start_s < found[0].movement_end_s <= s.movement[1]
    assert found[0].t_s < s.running[0]
    assert max(np.degrees(found[0].residual_rad)) < 2.0


def test_a_told_pose_overrides_what_is_found():
    s = session()
    told = (Pose(0, "standing", 3.0, 7.0), Pose(0, "movement", *s.movement))
    found = drive(PostureStage(RATE_HZ, told=told), stream()).of(CalibrationFound)
    assert found[0].standing_start_s == pytest.approx(3.0, abs=0.05)
    assert found[0].standing_end_s == pytest.approx(7.0, abs=0.05)
    assert found[0].movement_end_s == pytest.approx(s.movement[1], abs=0.05)


def test_a_pose_may_be_told_during_the_run():
    whole, s = stream(), session()
    stage = PostureStage(RATE_HZ)
    stage.push(*whole.cut(0, 2300))
    stage.tell(Pose(0, "standing", 3.0, 7.0))
    stage.tell(Pose(0, "movement", *s.movement))
    _, events = stage.push(*whole.cut(2300, len(whole)))
    found = [e for e in events if isinstance(e, CalibrationFound)]
    assert found[-1].standing_start_s == pytest.approx(3.0, abs=0.05)


def test_without_a_stance_the_first_minute_of_running_is_the_reference():
    s = session(squats=0)
    start = round(s.running[0] * RATE_HZ)
    part = stream(squats=0).cut(start, len(s.t))[0]
    whole = stream_of(part.acc, part.gyr)
    result = drive(PostureStage(RATE_HZ), whole)
    found = result.of(CalibrationFound)
    assert found[0].reference == "baseline"
    assert np.isnan(found[0].standing_start_s)
    known = np.isfinite(result.pelvis[:, 0])
    assert known.mean() > 0.4
    assert np.degrees(abs(result.pelvis[known, :2].mean(axis=0))).max() < 1.0
    true = s.pelvis[start:][known, 1]
    assert np.corrcoef(result.pelvis[known, 1], true)[0, 1] > 0.95


def test_the_stated_obliquity_uncertainty_covers_the_error():
    ratios = []
    for seed in range(4):
        s = session(seed=seed, squats=0)
        result = two_passes(seed=seed, squats=0)
        error = (result.pelvis[:, 1] - s.pelvis[:, 1])[s.is_running].mean()
        ratios.append(abs(error) / result.calibration.obliquity_uncertainty_rad)
        assert np.degrees(result.calibration.obliquity_uncertainty_rad) < 2.0
    assert max(ratios) < 1.96


@pytest.mark.parametrize("lane", [0, 1, 2])
def test_a_missing_sensor_leaves_its_angles_nan_and_the_others_alone(lane):
    result = drive(PostureStage(RATE_HZ), without(stream(), lane))
    running = session().is_running
    assert np.isnan(result.pelvis[running]).all() == (lane == 0)
    for side in (0, 1):
        assert np.isnan(result.hip[side, running]).all() == (lane in (0, 1 + side))
    uncalibrated = result.quality[lane] & int(SampleQuality.UNCALIBRATED)
    assert uncalibrated.all()


@pytest.mark.parametrize("lane", [0, 1])
def test_after_a_gap_the_angles_come_back(lane):
    whole, s = stream(), session()
    result = drive(PostureStage(RATE_HZ), without(whole, lane, 4000, 4150))
    later = (s.t > 48.0) & s.is_running
    assert np.isnan(result.hip[0, 4000:4150]).all()
    e = np.degrees(result.hip[0, later] - s.hip[0, later])
    assert (abs(e.mean(axis=0)) < [2.0, 3.0, 5.0]).all()


@pytest.mark.parametrize("cuts", [(), range(100, 4000, 100)])
def test_a_gap_costs_no_angle_before_it_in_hindsight(cuts):
    # Two seconds of silence of the left thigh, when its heading is long known.
    first, stop = round(30.0 * RATE_HZ), round(32.0 * RATE_HZ)
    first_pass = drive(PostureStage(RATE_HZ), stream())
    second = PostureStage(RATE_HZ, basis="smoothed", known=first_pass.calibration)
    whole = stream(basis="smoothed")
    quat = whole.orient.quat.copy()
    acc, gyr = whole.grid.acc.copy(), whole.grid.gyr.copy()
    for samples in (quat, acc, gyr):
        samples[1, first:stop] = np.nan
    holed = Stream(whole.grid._replace(acc=acc, gyr=gyr), whole.orient._replace(quat=quat))
    found = drive(second, holed, cuts)
    missing = np.isnan(found.hip[0, :, 0])
    assert missing[first:stop].all()
    assert not missing[round(1.0 * RATE_HZ) : first].any()
    assert not missing[stop:].any()
    unknown = (found.quality[1] & int(SampleQuality.UNCALIBRATED)) != 0
    assert not unknown[round(2.0 * RATE_HZ) : first - round(2.0 * RATE_HZ)].any()


def test_an_orientation_that_leans_off_the_force_is_marked_and_no_other():
    first, stop = round(33.0 * RATE_HZ), round(41.0 * RATE_HZ)
    assert session().is_running[first - 400 : stop + 400].all()
    known = drive(PostureStage(RATE_HZ), stream()).calibration
    whole = stream(basis="smoothed")
    quat = whole.orient.quat.copy()
    lean = np.array([np.cos(np.radians(4.0)), np.sin(np.radians(4.0)), 0.0, 0.0])
    quat[1, first:stop] = quat_multiply(lean, quat[1, first:stop])
    second = PostureStage(RATE_HZ, basis="smoothed", known=known)
    found = drive(second, replace(whole, orient=whole.orient._replace(quat=quat)))
    marked = (found.quality & int(SampleQuality.SETTLING)) != 0
    assert marked[1, first + 100 : stop - 100].all()
    marked[1, first - 400 : stop + 400] = False
    assert not marked[:, session().is_running].any()


def test_a_slip_is_found_marked_and_reanchored():
    whole, at = long_stream(), 7000
    clean = drive(PostureStage(RATE_HZ), whole)
    slipped = drive(PostureStage(RATE_HZ), slipping(at))
    assert clean.of(Slip) == []
    found = slipped.of(Slip)
    assert [e.segment for e in found] == [Segment.PELVIS]
    assert found[0].t_s == pytest.approx(at / RATE_HZ, abs=3.0)
    assert np.degrees(found[0].angle_rad) == pytest.approx(3.0, abs=0.8)
    late = slice(at + 4000, None)
    off = np.degrees(slipped.pelvis[late, :2].mean(axis=0) - clean.pelvis[late, :2].mean(axis=0))
    assert abs(off).max() < 1.0


def test_the_vertical_force_needs_no_calibration():
    result = drive(PostureStage(RATE_HZ), stream())
    assert result.force_up[:, 300:900].mean() == pytest.approx(9.81, abs=0.15)


def test_wrong_input_is_refused_with_advice():
    whole = stream()
    with pytest.raises(InputError, match="Choose one"):
        PostureStage(RATE_HZ, basis="magic")
    with pytest.raises(InputError, match="50 Hz"):
        PostureStage(5.0)
    stage = PostureStage(RATE_HZ)
    stage.push(*whole.cut(0, 100))
    with pytest.raises(TimeOrderError, match="100"):
        stage.push(*whole.cut(150, 200))
    grid, orient = whole.cut(100, 200)
    with pytest.raises(ShapeError):
        stage.push(grid, orient._replace(quat=orient.quat[:, :50]))
    with pytest.raises(InputError, match="same version"):
        stage.load(b"not a state at all")


def holes(rng, acc, count):
    holed = acc.copy()
    for _ in range(count):
        at = rng.integers(0, acc.shape[1])
        holed[rng.integers(3), at : at + rng.integers(1, 60)] = np.nan
    return holed


@pytest.mark.parametrize("basis", ["causal", "smoothed"])
def test_broken_streams_raise_nothing_and_leave_no_silent_number(basis):
    rng = np.random.default_rng(1)
    acc, gyr = stream().grid.acc, stream().grid.gyr
    lost = np.full_like(acc, np.nan)
    table = np.tile(np.array([0.0, 0.0, 9.81]), (3, 3000, 1))
    for broken, rates in (
        (lost, gyr),
        (0.0 * acc, 0.0 * gyr),
        (table, 0.0 * table),
        (acc[:, :7], gyr[:, :7]),
    ):
        result = drive(PostureStage(RATE_HZ, basis=basis), stream_of(broken, rates))
        assert np.isnan(result.pelvis).all()
        assert (result.quality & int(SampleQuality.UNCALIBRATED)).all()
    result = drive(PostureStage(RATE_HZ, basis=basis), stream_of(holes(rng, acc, 40), gyr))
    assert len(result.of(CalibrationFound)) >= 1
    only_pelvis = acc.copy()
    only_pelvis[1:] = np.nan
    result = drive(PostureStage(RATE_HZ, basis=basis), stream_of(only_pelvis, gyr))
    assert np.isfinite(result.pelvis[-1000:]).all()
    assert np.isnan(result.hip).all()


@pytest.mark.parametrize("lane", [1, 2])
def test_a_thigh_sensor_that_joins_after_the_poses_is_calibrated_from_running(lane):
    s = session()
    joins = round((s.running[0] + 3.0) * RATE_HZ)
    result = drive(PostureStage(RATE_HZ), without(stream(), lane, 0, joins))
    last = result.of(CalibrationFound)[-1]
    assert s.running[0] + 14.0 < last.t_s < s.running[0] + 20.0
    assert last.reference == "standing"
    assert last.zero_standing == tuple(float(k != lane) for k in range(3))
    side = lane - 1
    known = np.isfinite(result.hip[side, :, 0]) & s.is_running
    known &= s.t > last.t_s + 5.0
    assert known.sum() > 6.0 * RATE_HZ
    # Shape is right; the thigh counts as upright on average, so what is left of the mean is the pelvis's.
    e = np.degrees(result.hip[side, known, 0] - s.hip[side, known, 0])
    assert e.std() < 2.0
    tilt = result.pelvis[known, 0].mean()
    assert abs(np.degrees(result.hip[side, known, 0].mean() - tilt)) < 3.0
    # The pelvis and the other thigh are what they are without it.
    whole = drive(PostureStage(RATE_HZ), stream())
    np.testing.assert_allclose(result.pelvis[known], whole.pelvis[known], atol=np.radians(0.05))
    assert np.isfinite(result.hip[1 - side, known, 0]).all()
    # A second pass knows it from the sensor's first sample on.
    smoothed = drive(
        PostureStage(RATE_HZ, basis="smoothed", known=result.calibration), without(stream(), lane, 0, joins)
    )
    assert np.isfinite(smoothed.hip[side, joins + 200 :, 0]).mean() > 0.95


def test_a_pelvis_sensor_that_joins_after_the_poses_is_calibrated_from_running():
    s = session()
    joins = round((s.running[0] + 1.0) * RATE_HZ)
    result = drive(PostureStage(RATE_HZ), without(stream(), 0, 0, joins))
    last = result.of(CalibrationFound)[-1]
    assert last.reference == "baseline"
    assert last.zero_standing == (0.0, 1.0, 1.0)
    known = np.isfinite(result.pelvis[:, 0]) & s.is_running
    assert known.sum() > 10.0 * RATE_HZ
    for k in (0, 1):
        assert np.degrees(result.pelvis[known, k] - s.pelvis[known, k]).std() < 1.0


def test_a_stage_cut_and_restored_while_a_sensor_is_late_goes_on_the_same():
    s = session()
    joins = round((s.running[0] + 3.0) * RATE_HZ)
    late = without(stream(), 2, 0, joins)
    whole = drive(PostureStage(RATE_HZ), late)
    cut = joins + 700
    first, second = PostureStage(RATE_HZ), PostureStage(RATE_HZ)
    first.push(*late.cut(0, cut))
    second.load(first.save())
    block, _ = second.push(*late.cut(cut, len(late)))
    np.testing.assert_array_equal(block.hip, whole.hip[:, cut : cut + block.hip.shape[1]])


@pytest.mark.parametrize(
    ("pose", "words"),
    [
        (Pose(0, "standing", 30.0, 36.0), "moved"),
        (Pose(0, "standing", 12.6, 21.0), "moved"),
        (Pose(0, "movement", 3.0, 9.0), "bent far enough"),
        (Pose(0, "movement", 28.0, 36.0), "ran or jumped"),
        (Pose(0, "movement", 6.0, 6.2), "shorter"),
    ],
)
def test_a_told_pose_that_is_none_is_not_used_and_is_named(pose, words):
    whole = stream()
    plain = drive(PostureStage(RATE_HZ), whole)
    result = drive(PostureStage(RATE_HZ, told=(pose,)), whole)
    refused = result.of(PoseRefused)
    assert [(e.kind, e.start_s, e.end_s) for e in refused] == [(pose.kind, pose.start_s, pose.end_s)]
    assert words in refused[0].reason
    assert result.of(CalibrationFound) == plain.of(CalibrationFound)
    assert result.pelvis.tobytes() == plain.pelvis.tobytes()


def test_a_told_movement_without_one_does_not_give_false_axes():
    s = session(squats=0)
    told = Pose(0, "movement", s.standing[1] + 0.5, s.standing[1] + 1.5)
    result = drive(PostureStage(RATE_HZ, told=(told,)), stream(squats=0))
    assert [e.kind for e in result.of(PoseRefused)] == ["movement"]
    assert [e.axes_from for e in result.of(CalibrationFound)][-1:] == ["running"]


def test_a_told_stance_that_came_too_late_is_named():
    s = session(squats=0)
    start = round(s.running[0] * RATE_HZ)
    g = stream(squats=0).grid
    # The standing after the run instead of before it.
    acc, gyr = (np.concatenate([x[:, start:], x[:, :1000]], axis=1) for x in (g.acc, g.gyr))
    late = (acc.shape[1] - 950) / RATE_HZ, acc.shape[1] / RATE_HZ - 1.0
    result = drive(PostureStage(RATE_HZ, told=(Pose(0, "standing", *late),)), stream_of(acc, gyr))
    assert [e.kind for e in result.of(PoseRefused)] == ["standing"]
    assert [e.reference for e in result.of(CalibrationFound)] == ["baseline"]
