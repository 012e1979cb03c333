"""The session that estimators are benchmarked on holds what it says."""

import numpy as np
import pytest

from latemiles.signals.frames import SEGMENTS, Side, pelvis_angles, quat_conj, quat_multiply, quat_rotate
from reference.rbds import has_rbds, rbds_session

pytestmark = pytest.mark.skipif(
    not has_rbds(), reason="RBDS poses not found; set LATEMILES_DATA to include this test"
)


def test_truth_follows_from_true_sensor_orientation_and_mounting():
    s = rbds_session(has_errors=False, has_soft_tissue=False, seed=1)
    pelvis = SEGMENTS[0]
    tilt_obliquity = pelvis_angles(quat_multiply(s.quat_earth_sensor[pelvis], quat_conj(s.mounting[pelvis])))[
        :, :2
    ]
    np.testing.assert_allclose(tilt_obliquity, s.pelvis[:, :2], atol=1e-9)


def test_angles_relative_to_standing_are_zero_in_standing():
    s = rbds_session(seed=2)
    window = (s.t >= s.standing[0]) & (s.t <= s.standing[1])
    np.testing.assert_allclose(np.degrees(s.pelvis[window].mean(axis=0)), 0.0, atol=0.01)
    np.testing.assert_allclose(np.degrees(s.hip[:, window].mean(axis=1)), 0.0, atol=0.01)


def test_running_means_are_those_published_for_the_trial():
    s = rbds_session(seed=3)
    mean = np.degrees(s.pelvis_absolute[s.is_running].mean(axis=0))
    np.testing.assert_allclose(mean[:2], [16.71, -2.66], atol=0.3)
    hips = np.degrees(s.hip_absolute[:, s.is_running].mean(axis=1))
    np.testing.assert_allclose(hips, [[23.7, 4.5, 4.0], [24.1, 0.7, 8.5]], atol=0.5)


def test_mean_specific_force_points_up():
    s = rbds_session(seed=4, has_errors=False)
    for segment, stream in s.streams.items():
        up = quat_rotate(s.quat_earth_sensor[segment], stream.acc)[s.is_running].mean(axis=0)
        np.testing.assert_allclose(up, [0.0, 0.0, 9.81], atol=0.3)


def test_squats_flex_the_hips_and_tip_the_pelvis_forward():
    s = rbds_session(seed=5)
    moving = (s.t >= s.movement[0]) & (s.t <= s.movement[1])
    assert 15.0 < np.degrees(s.pelvis[moving, 0].max()) < 30.0
    for side in Side:
        assert 75.0 < np.degrees(s.hip[side.lane, moving, 0].max()) < 120.0


@pytest.mark.parametrize("trial", ["2.5ms", "3.5ms"])
def test_the_feet_touch_down_in_turn_and_in_their_rhythm(trial):
    s = rbds_session(trial)
    times = np.concatenate([s.contacts_s[side] for side in Side])
    order = np.argsort(times)
    feet = np.repeat([0, 1], [len(s.contacts_s[side]) for side in Side])[order]
    assert np.all(feet[1:] != feet[:-1])
    step = np.diff(times[order])
    assert np.abs(step / np.median(step) - 1.0).max() < 0.06


def test_a_seed_makes_one_session():
    one, two = rbds_session(seed=6), rbds_session(seed=6)
    for segment in SEGMENTS:
        np.testing.assert_array_equal(one.streams[segment].acc, two.streams[segment].acc)
        np.testing.assert_array_equal(one.streams[segment].gyr, two.streams[segment].gyr)
