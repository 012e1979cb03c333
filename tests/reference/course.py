"""Slow, obvious twin of the course kernel, and runners on a track."""

from __future__ import annotations

from math import pi

import numpy as np
from scipy.signal import lfilter
from scipy.spatial.transform import Rotation

from latemiles.sim.plan import Bend, RunnerPlan, easy_run

RADIUS_M = 36.8
TRACK = (Bend(84.39), Bend(pi * RADIUS_M, RADIUS_M))


def velocity_changes(
    quat: np.ndarray, ahead: np.ndarray, gains: tuple[float, float], pace: np.ndarray, gained: np.ndarray
) -> np.ndarray:
    """Change of the runner's velocity at each sample (n, 2): directions low-passed twice, then differences.

    A low-pass of them, with the second of the gains, tells how far they have turned since.

    For good samples whose forward axis is never near the vertical, speed known throughout.
    """
    level = Rotation.from_quat(np.roll(quat, -1, axis=1)).apply(ahead)[:, :2]
    course = level / np.linalg.norm(level, axis=1, keepdims=True)
    gain, slow = gains
    for _ in range(2):
        course = _lowpassed(course, gain)
    lag, slow_lag = 2.0 * (1.0 / gain - 1.0), 1.0 / slow - 1.0
    course = course + lag / slow_lag * (course - _lowpassed(course, slow))
    turns = np.diff(course, axis=0, prepend=course[:1])
    return pace[:, None] * turns + gained[:, None] * course


def _lowpassed(course: np.ndarray, gain: float) -> np.ndarray:
    return lfilter([gain], [1.0, gain - 1.0], course, axis=0, zi=(1.0 - gain) * course[:1])[0]


def on_a_track(minutes: float, speed_m_s: float = 3.5) -> RunnerPlan:
    """Standing, squats and running on a 400 m track, with perfect sensors on rigid segments."""
    return easy_run(minutes, speed_m_s, route=TRACK).without_errors()
