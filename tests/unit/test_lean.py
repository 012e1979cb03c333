"""Which sensors' orientations lean, by the mean of their force."""

from __future__ import annotations

import numpy as np
import pytest

from latemiles.estimators.lean import Leans
from latemiles.estimators.posture_params import PostureParams
from latemiles.estimators.thinned import Thinned
from latemiles.signals.frames import quat_rotate
from latemiles.signals.quality import SampleQuality

SECOND, HZ = 25, 25.0


def strides(seconds=12, leans=None, pushes=0.0):
    """Bins of three sensors that swing with the strides; their lanes lean (rad) from 6 s on."""
    t = np.arange(seconds * SECOND) / HZ
    rows = np.zeros((len(t), 3, 10))
    rows[..., 0] = 1.0
    for lane in range(3):
        wave = np.sin(2.0 * np.pi * 1.4 * t + lane)
        force = np.stack([6.0 * wave + pushes, 0.0 * t, 9.81 + 8.0 * np.sin(2.0 * np.pi * 2.8 * t)], axis=1)
        lean = np.where(t >= 6.0, (leans or {}).get(lane, 0.0), 0.0)
        rows[:, lane, :4] = np.stack([np.cos(lean / 2), 0.0 * t, np.sin(lean / 2), 0.0 * t], axis=1)
        rows[:, lane, 7:] = force
    return rows


def found(rows, gait=2):
    """Who leans in seconds 3 to the last, as bits."""
    seconds = len(rows) // SECOND
    thinned = Thinned(200.0, PostureParams(), 0.0)
    thinned.ring[: len(rows)] = rows
    leans = Leans(thinned)
    leans.judge(3, np.full(seconds - 3, gait))
    marked = leans.flags(np.arange(3, seconds), seconds - 1) == int(SampleQuality.SETTLING)
    return (marked @ [1, 2, 4]).tolist()


@pytest.mark.parametrize("lane", [0, 1, 2])
def test_a_sensor_whose_up_leans_off_its_force_is_named(lane):
    masks = found(strides(leans={lane: np.radians(8.0)}))
    assert masks[0] == 0
    assert masks[-5:] == [1 << lane] * 5


def test_small_leans_and_a_body_that_speeds_up_are_none():
    assert not any(found(strides(leans={1: np.radians(2.0)})))
    assert not any(found(strides(pushes=2.5)))


def test_who_stands_does_not_lean_and_a_lone_sensor_is_not_judged():
    assert not any(found(strides(leans={1: np.radians(8.0)}), gait=0))
    rows = strides(leans={1: np.radians(8.0)})
    rows[:, [0, 2]] = np.nan
    assert not any(found(rows))


def test_a_window_with_a_hole_says_what_the_one_before_it_said():
    rows = strides(seconds=14, leans={1: np.radians(8.0)})
    rows[290:294, 1] = np.nan
    assert found(rows)[-4:] == [2] * 4


def test_the_mean_force_is_taken_in_the_earth_frame():
    rows = strides(leans={2: np.radians(8.0)})
    turned = np.array([np.cos(0.7), 0.0, 0.0, np.sin(0.7)])
    rows[:, 0, 7:] = quat_rotate(turned, rows[:, 0, 7:])
    assert found(rows)[-5:] == [4] * 5
