"""Cutting, turning, remounting and mirroring the stream of the posture stage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latemiles.estimators.posture import PostureStage
from latemiles.signals.events import Slip
from reference.posture_streams import RATE_HZ, drive, long_stream, slipping, stream, turned
from reference.rbds import has_rbds

pytestmark = pytest.mark.skipif(not has_rbds(), reason="real running poses not found; set LATEMILES_DATA")

LENGTH = 5400


@pytest.mark.parametrize("basis", ["causal", "smoothed"])
@settings(max_examples=4, deadline=None)
@given(cuts=st.lists(st.integers(1, LENGTH - 1), max_size=30))
def test_cutting_the_stream_changes_no_byte(basis, cuts):
    whole = stream()
    cuts = [c for c in cuts if c < len(whole)]
    cut = drive(PostureStage(RATE_HZ, basis=basis), whole, cuts)
    uncut = drive(PostureStage(RATE_HZ, basis=basis), whole)
    assert cut.tobytes() == uncut.tobytes()
    assert cut.state == uncut.state


@pytest.mark.parametrize("basis", ["causal", "smoothed"])
@pytest.mark.parametrize("at", [777, 2350, 4801])
def test_a_restored_stage_goes_on_as_if_nothing_had_happened(basis, at):
    whole = stream()
    uncut = drive(PostureStage(RATE_HZ, basis=basis), whole)
    stage = PostureStage(RATE_HZ, basis=basis)
    first, _ = stage.push(*whole.cut(0, at))
    other = PostureStage(RATE_HZ, basis=basis)
    other.load(stage.save())
    assert other.save() == stage.save()
    parts = [first, other.push(*whole.cut(at, len(whole)))[0], other.finish()[0]]
    assert np.concatenate([p.hip for p in parts], axis=1).tobytes() == uncut.hip.tobytes()
    assert other.save() == drive_to_end(whole, basis)


def test_a_run_of_seconds_that_holds_a_slip_is_worked_out_anew_from_there():
    """Whole, and cut so that no two seconds are handed over at once: the slip lies within a run of them."""
    whole = slipping(7000)
    known = drive(PostureStage(RATE_HZ), long_stream()).calibration
    seconds = range(50, len(whole), 100)
    results = [
        drive(PostureStage(RATE_HZ, basis="smoothed", known=known), whole, cuts) for cuts in ((), seconds)
    ]
    assert len(results[0].of(Slip)) == 1
    assert results[0].tobytes() == results[1].tobytes()
    assert results[0].state == results[1].state


def test_a_stage_without_angles_stops_where_a_sensor_sits_otherwise_and_goes_on_from_there():
    whole = slipping(7000)
    one, two = PostureStage(RATE_HZ, has_angles=False), PostureStage(RATE_HZ, has_angles=False)
    at, stops = 0, []
    while at < len(whole):
        one.push(*whole.cut(at, len(whole)))
        at += one.taken
        stops.append(at)
    for second in range(0, len(whole), 100):
        two.push(*whole.cut(second, min(second + 100, len(whole))))
    assert 7000 < stops[-2] < len(whole)
    assert one.save() == two.save()


def drive_to_end(whole, basis):
    stage = PostureStage(RATE_HZ, basis=basis)
    stage.push(*whole.cut(0, len(whole)))
    stage.finish()
    return stage.save()


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_the_way_the_sensors_are_mounted_does_not_matter(seed):
    q = np.random.default_rng(seed).standard_normal((3, 4))
    q /= np.linalg.norm(q, axis=1, keepdims=True)
    one, two = drive(PostureStage(RATE_HZ), stream()), drive(PostureStage(RATE_HZ), turned(stream(), q))
    np.testing.assert_allclose(two.pelvis, one.pelvis, atol=1e-9)
    np.testing.assert_allclose(two.hip, one.hip, atol=1e-9)


def test_facing_another_way_changes_nothing():
    whole = stream()
    o = whole.orient
    turn = np.array([np.cos(0.7), 0.0, 0.0, np.sin(0.7)])
    from latemiles.signals.frames import quat_multiply

    faced = type(whole)(whole.grid, o._replace(quat=quat_multiply(turn, o.quat)))
    one, two = drive(PostureStage(RATE_HZ), whole), drive(PostureStage(RATE_HZ), faced)
    np.testing.assert_allclose(two.pelvis, one.pelvis, atol=1e-9)
    np.testing.assert_allclose(two.hip, one.hip, atol=1e-9)


def test_swapping_left_and_right_mirrors_the_runner():
    whole = stream()
    # Seen in a mirror across x: polar vectors change sign in x, axial ones in y and z.
    polar, axial = np.array([-1.0, 1.0, 1.0]), np.array([1.0, -1.0, -1.0])
    swap = [0, 2, 1]
    g, o = whole.grid, whole.orient
    grid = g._replace(acc=g.acc[swap] * polar, gyr=g.gyr[swap] * axial, quality=g.quality[swap])
    quat = o.quat[swap] * np.array([1.0, 1.0, -1.0, -1.0])
    orient = o._replace(
        quat=quat, gyr_bias=o.gyr_bias[swap] * axial, rest=o.rest[swap], quality=o.quality[swap]
    )
    one = drive(PostureStage(RATE_HZ), whole)
    two = drive(PostureStage(RATE_HZ), type(whole)(grid, orient))
    np.testing.assert_allclose(two.pelvis, one.pelvis * [1.0, -1.0, -1.0], atol=1e-9)
    np.testing.assert_allclose(two.hip, one.hip[::-1], atol=1e-9)
