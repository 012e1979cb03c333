"""A run of seconds in one call against the slow twin, second by second."""

from __future__ import annotations

import numpy as np

from latemiles.estimators.heading import RelativeHeading
from latemiles.estimators.posture_known import Anchors, bends, flags_of, flags_of_each
from latemiles.estimators.posture_params import PostureParams
from latemiles.estimators.posture_run import blank_run
from latemiles.estimators.posture_settings import new_second_state, second_settings
from latemiles.estimators.thinned import Thinned
from latemiles.kernels.seconds import OFFSET_DUE, RUNNING, run_seconds
from latemiles.signals.frames import pelvis_quat
from latemiles.signals.quality import SampleQuality
from reference import slow_seconds as slow

RATE_HZ = 200.0
LAG = 3
GAP, BRIDGED = int(SampleQuality.GAP), int(SampleQuality.BRIDGED)


class Parts:
    """What a run of seconds works on, fresh; the offsets are due after nine seconds of running."""

    def __init__(self) -> None:
        self.thinned = Thinned(RATE_HZ, PostureParams(), float(LAG))
        self.thinned.use(np.tile([1.0, 0.0, 0.0, 0.0], (3, 1)))
        self.relative = RelativeHeading(self.thinned.params, self.thinned.step_s, LAG)
        self.settings = second_settings(self.thinned, LAG, has_hips=True)
        self.settings["offset_after_s"] = 9.0 * self.thinned.step_s
        self.state, self.hips = new_second_state(), np.zeros(4, dtype=np.int64)
        self.run = blank_run(40, self.thinned.second * self.thinned.per_bin)

    def state_bytes(self) -> bytes:
        t, r = self.thinned, self.relative
        arrays = (self.state, self.hips, t.ring, t.headings, t.sums, t.features, t.missing, *r.arrays[:-1])
        return b"".join(array.tobytes() for array in arrays)


def running(seconds: int, second: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Force, rates and orientations of a runner who leans to and fro; one thigh is missing for a while."""
    t = np.arange(seconds * second) / RATE_HZ
    swing = np.sin(2.0 * np.pi * 1.4 * t)
    angles = np.stack([0.1 * swing, 0.05 * swing, 0.02 * t], axis=1)
    quat = np.stack([pelvis_quat(angles * scale) for scale in (1.0, 5.0, -5.0)])
    acc = np.stack([np.stack([0.0 * t, 0.0 * t, 9.81 + 8.0 * np.sin(2.0 * np.pi * 2.8 * t)], axis=1)] * 3)
    gyr = np.stack(
        [
            np.stack([0.2 * t / t[-1], k * np.gradient(swing, t) * 0.5, 0.02 + 0.0 * t], axis=1)
            for k in (0.2, 1.0, -1.0)
        ]
    )
    quality = np.zeros(acc.shape[:2], dtype=np.int64)
    for lane, hole, bits in ((2, slice(2100, 2400), GAP), (1, slice(1500, 1530), GAP | BRIDGED)):
        acc[lane, hole] = gyr[lane, hole] = quat[lane, hole] = np.nan
        quality[lane, hole] = bits
    return acc, gyr, quat, quality


def test_a_run_of_seconds_gives_the_bytes_of_its_seconds_one_by_one():
    one, many = Parts(), Parts()
    second = one.thinned.second * one.thinned.per_bin
    samples = running(20, second)
    want = slow.run_seconds(
        one.state,
        one.settings,
        one.relative.settings,
        samples,
        0,
        20,
        one.thinned,
        one.relative,
        one.hips,
        one.run,
    )
    t = many.thinned
    got = run_seconds(
        many.state,
        many.settings,
        many.relative.settings,
        samples,
        0,
        0,
        20,
        (t.ring, t.headings, t.window, t.span, t.sums, t.features, t.missing),
        t.axes,
        np.full(2, np.nan),
        many.relative.arrays,
        many.hips,
        (t.first, 0, t.second - 0.5 * len(t.window)),
        tuple(many.run),
    )
    assert got == want
    assert want[1] == OFFSET_DUE
    assert 9 < want[0] < 20
    assert (one.run.gait[: want[0]] == RUNNING).sum() == 9
    assert many.state_bytes() == one.state_bytes()
    for mine, its in zip(many.run, one.run, strict=True):
        np.testing.assert_array_equal(mine[: got[0]], its[: got[0]])


def test_flags_of_many_seconds_are_those_of_each():
    rng = np.random.default_rng(3)
    mounts = np.where(rng.random((60, 3, 1)) < 0.2, np.nan, rng.standard_normal((60, 3, 4)))
    doubt, turns, slips = rng.integers(0, 3, (60, 2)), rng.random(60) < 0.3, rng.random(60) < 0.3
    for disagrees in ((False, True), (True, False)):
        found = flags_of_each(mounts, doubt, disagrees, turns, slips)
        for k in range(60):
            told = doubt[k].tolist()
            want = flags_of(mounts[k], told, disagrees, turns=bool(turns[k]), slips=bool(slips[k]))
            assert found[k].tolist() == want


def test_mounts_of_many_stretches_are_those_of_each_before_and_after_slips():
    rng = np.random.default_rng(4)
    anchors, firsts = Anchors(300.0), np.arange(0, 6000, 200)
    anchors.start(rng.standard_normal((3, 4)), 0)
    for slip in (None, 2500, 4100):
        if slip is not None:
            anchors.add(rng.standard_normal((3, 4)), slip, (slip == 2500, slip == 4100))
        mounts, slips, turned = anchors.at_each(firsts, 200)
        for k, first in enumerate(firsts.tolist()):
            one, slipped, lost = anchors.at(first, 200)
            np.testing.assert_array_equal(mounts[k], one)
            assert slips[k] == slipped
            assert tuple(turned[k]) == lost
    # What was lost stays so from the slip on, and not before.
    assert turned[firsts < 2500].tolist() == [[False, False]] * 13
    assert turned[firsts >= 4100].tolist() == [[True, True]] * 9


def test_a_turn_is_a_bend_where_speed_does_not_account_for_it():
    p, t = PostureParams(), np.arange(6.0)
    turning = np.array([0.5, 1.5, -1.5, 1.5, 9.0, np.nan]) * p.bend_rad_s
    speed = np.array([3.0, 0.5 * p.sharp_m_s2 / p.bend_rad_s, 0.5, np.nan, 0.1, 1.0])
    found = bends(p, turning, lambda asked: speed[asked.astype(int)], t)
    sharp = 9.0 * p.bend_rad_s > p.sharp_rad_s
    assert found.tolist() == [False, False, False, True, sharp, False]
