"""The standing check on simulated people with a known truth, whatever way the sensors are clipped on."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from latemiles.signals.blocks import ImuStream
from latemiles.signals.frames import SEGMENTS, Segment, quat_multiply
from latemiles.sim.imu import ImuErrors, quat_from_rotvec
from latemiles.sim.standing import StandingPlan, simulate_standing
from latemiles.trends.standing import as_result, check_standing

CROOKED = StandingPlan(
    obliquity_rad=math.radians(2.0), thigh_out_rad=(0.0, math.radians(4.0)), stance_s=14.0, rate_hz=52.0
)
EXACT = replace(CROOKED, stance_sd_rad=0.0, clumsy_sd_rad=0.0, errors=ImuErrors.none())


@cache
def checked(plan, seed):
    return check_standing(simulate_standing(plan, seed))


def test_without_errors_the_truth_comes_back_from_any_mounting():
    for seed in (1, 2):
        check = checked(EXACT, seed)
        assert check.problem == ""
        assert check.obliquity.mean == pytest.approx(2.0, abs=0.2)
        assert check.thigh_difference.mean == pytest.approx(4.0, abs=0.5)


def test_the_truth_lies_within_the_stated_interval():
    checks = [checked(CROOKED, seed) for seed in range(8)]
    inside = [abs(c.obliquity.mean - 2.0) <= c.obliquity.half_width for c in checks]
    turned = [abs(c.thigh_difference.mean - 4.0) <= c.thigh_difference.half_width for c in checks]
    assert sum(inside) >= 7
    assert sum(turned) >= 7
    # Wide enough to be honest, narrow enough to say something.
    assert all(1.9 < c.obliquity.half_width < 3.5 for c in checks)
    assert abs(np.mean([c.obliquity.mean for c in checks]) - 2.0) < 1.0
    assert abs(np.mean([c.thigh_difference.mean for c in checks]) - 4.0) < 2.5


def test_a_person_who_stands_the_other_way_round_is_the_mirror_image():
    mirrored = replace(EXACT, obliquity_rad=-EXACT.obliquity_rad, thigh_out_rad=EXACT.thigh_out_rad[::-1])
    check = checked(mirrored, 3)
    assert check.obliquity.mean == pytest.approx(-2.0, abs=0.2)
    assert check.thigh_difference.mean == pytest.approx(-4.0, abs=0.5)


def turned_round(plan, axis):
    """The plan with its pelvis sensor turned by half a turn about an axis of the pelvis."""
    rng = np.random.default_rng(8)
    mounts = [quat_from_rotvec(rng.normal(0.0, 0.15, (1, 3)))[0] for _ in range(3)]
    half = quat_from_rotvec(math.pi * np.array([axis]))[0]
    first = replace(plan, mounting=tuple(map(tuple, mounts)))
    return first, replace(plan, mounting=(tuple(quat_multiply(half, mounts[0])), *first.mounting[1:]))


def test_a_flip_test_takes_the_sensors_own_offset_off():
    lean = math.radians(15.0)
    # The back of the pelvis leans by so much: its normal points back and up.
    normal = np.array([-math.cos(lean), 0.0, math.sin(lean)])
    first, second = turned_round(EXACT, normal)
    before, after = simulate_standing(first, 1), simulate_standing(second, 1)
    bias = np.array([0.0, 0.25, 0.0])

    def with_bias(streams):
        s = streams[Segment.PELVIS]
        return {**streams, Segment.PELVIS: ImuStream(s.t, s.acc + bias, s.gyr)}

    alone = check_standing(with_bias(before))
    flipped = check_standing(with_bias(before), with_bias(after))
    assert abs(alone.obliquity.mean - 2.0) > 1.0
    assert flipped.obliquity.mean == pytest.approx(2.0, abs=0.3)
    assert abs(flipped.sensor_offset_deg) > 1.0
    assert flipped.tilt_deg == pytest.approx(15.0, abs=0.5)
    assert math.isnan(alone.tilt_deg)


def test_movements_that_were_left_out_are_named_and_give_no_number():
    without = replace(EXACT, hinges=0)
    check = checked(without, 1)
    assert check.problem == "no hip hinges found"
    assert math.isnan(check.obliquity.mean)
    assert math.isnan(check.thigh_difference.mean)
    result = as_result(check)
    assert result["problem"] == "no hip hinges found"
    t = np.arange(0.0, 60.0, 0.02)
    busy = np.random.default_rng(1).normal(0.0, 2.0, (len(t), 3))
    force = busy + np.array([0.0, 0.0, 9.8])
    never = {segment: ImuStream(t, force, busy) for segment in SEGMENTS}
    assert check_standing(never).problem == "no quiet stance found"


def test_one_more_repeat_narrows_the_interval_and_holes_do_no_harm():
    one = checked(replace(EXACT, repeats=1, march_before_last=0), 1)
    assert one.problem == "one repeat only"
    assert one.obliquity.half_width > checked(EXACT, 1).obliquity.half_width
    streams = simulate_standing(EXACT, 1)
    holed = {}
    for segment, s in streams.items():
        acc, gyr = s.acc.copy(), s.gyr.copy()
        acc[300:330], gyr[300:330] = math.nan, math.nan
        holed[segment] = ImuStream(s.t, acc, gyr)
    assert check_standing(holed).obliquity.mean == pytest.approx(checked(EXACT, 1).obliquity.mean, abs=0.1)
