"""Slips among windows in which the whole body seems to lean, as it does in the bends of a track."""

from __future__ import annotations

import numpy as np
import pytest

from latemiles.estimators.posture_params import PostureParams
from latemiles.estimators.slip import SlipFinder, Slipped
from latemiles.signals.frames import quat_conj, quat_rotate


def found(
    slip_deg: float, lean_deg: float, seed: int = 3, lanes: tuple[int, ...] = (0, 1, 2)
) -> list[Slipped]:
    """Slips among windows of three sensors mounted anyhow; the right thigh's slips sideways at window 75.

    ``lanes`` are those that lean in bends; nobody's body does so with less than all three.
    """
    rng = np.random.default_rng(seed)
    mounts = rng.standard_normal((3, 4))
    mounts /= np.linalg.norm(mounts, axis=1, keepdims=True)
    finder, out = SlipFinder(PostureParams()), []
    leans = np.isin(np.arange(3), lanes)
    for k in range(150):
        bend = lean_deg * np.clip(3.0 * np.sin(2.0 * np.pi * k / 57.0), -1.0, 1.0)
        angles = np.radians(rng.normal(0.0, 0.2, (3, 2)) + np.outer(leans, [0.0, bend]))
        angles[2, 1] += np.radians(slip_deg) * (k >= 75)
        up = np.concatenate([np.sin(angles), np.ones((3, 1))], axis=1)
        features = np.zeros((3, 7))
        features[:, :3] = quat_rotate(quat_conj(mounts), up)
        features[:, 3], features[:, 4] = 4.0, 6.0
        slipped = finder.push(features, 2, mounts)
        if slipped is not None:
            out.append(slipped)
    return out


@pytest.mark.parametrize("slip_deg", [3.0, -3.0])
@pytest.mark.parametrize("lean_deg", [0.0, 2.0])
def test_a_slip_is_found_and_sized_between_bends_in_which_all_sensors_lean(slip_deg, lean_deg):
    sizes = []
    for seed in range(5):
        slips = found(slip_deg, lean_deg, seed)
        assert [s.lane for s in slips] == [2]
        sizes.append(np.degrees(slips[0].angle_rad))
    # What is taken off is no part of the slip: its whole size is found on average, with the lean or not.
    assert np.mean(sizes) == pytest.approx(3.0, abs=0.15)


def short(
    slips_deg: tuple[float, float], gaits: list[int], at: int, lane: int = 2
) -> list[tuple[int, Slipped]]:
    """Slips, with the windows they were found in, among few windows of these gaits; one at window ``at``."""
    rng = np.random.default_rng(8)
    mounts = rng.standard_normal((3, 4))
    mounts /= np.linalg.norm(mounts, axis=1, keepdims=True)
    finder, out = SlipFinder(PostureParams()), []
    for k, gait in enumerate(gaits):
        angles = np.radians(rng.normal(0.0, 0.4, (3, 2)))
        angles[lane] += np.radians(slips_deg) * (k >= at)
        # Who walks leans otherwise, and lifts the thighs less.
        angles[:, 0] += 0.2 * (gait == 1)
        up = np.concatenate([np.sin(angles), np.ones((3, 1))], axis=1)
        features = np.zeros((3, 7))
        features[:, :3] = quat_rotate(quat_conj(mounts), up)
        features[:, 3], features[:, 4] = (2.0, 2.0) if gait == 1 else (4.0, 6.0)
        slipped = finder.push(features, gait, mounts)
        if slipped is not None:
            out.append((k, slipped))
    return out


@pytest.mark.parametrize("lane", [0, 1, 2])
def test_a_large_slip_is_found_within_seconds_soon_after_the_start(lane):
    ((k, slipped),) = short((12.0, 9.0), [2] * 24, 10, lane)
    assert k <= 10 + 8
    assert slipped.lane == lane
    assert np.degrees(slipped.angle_rad) == pytest.approx(14.6, abs=0.8)
    assert k - slipped.ago == pytest.approx(9.5, abs=1.0)


@pytest.mark.parametrize("pause", [0, 1])
def test_a_sensor_that_was_moved_in_a_pause_is_found_after_it(pause):
    gaits = [2] * 20 + [pause] * 15 + [2] * 20
    ((k, slipped),) = short((0.0, 12.0), gaits, 28)
    assert k <= 35 + 8
    assert (slipped.lane, round(float(np.degrees(slipped.angle_rad)))) == (2, 12)
    assert 20.0 < k - slipped.ago < 35.0


def test_what_a_runner_may_change_in_a_pause_is_no_slip():
    gaits = [2] * 20 + [0] * 15 + [2] * 20
    assert short((0.0, 5.0), gaits, 28) == []
    assert short((0.0, 3.0), gaits, 28, lane=0) == []
    assert short((0.0, 5.0), [2] * 24, 12) == []


def test_a_lean_that_all_sensors_share_is_no_slip():
    assert found(0.0, 2.0) == []
    assert found(0.0, 4.0) == []


def test_what_both_thighs_do_together_is_no_slip_of_the_pelvis():
    assert found(0.0, 1.4, lanes=(1, 2)) == []
