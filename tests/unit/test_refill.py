"""Holes of the grid filled from the stride before, and what the relative heading makes of them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from latemiles.errors import ConfigError
from latemiles.estimators.heading import RelativeHeading
from latemiles.estimators.posture_params import PostureParams
from latemiles.estimators.refill import Refill, hide
from latemiles.kernels.relative_heading import heading_step
from latemiles.signals.blocks import GridBlock, OrientationBlock
from latemiles.signals.quality import SampleQuality
from reference import refill as slow

RATE_HZ = 100.0
FILLED = int(SampleQuality.GAP | SampleQuality.BRIDGED)


def swinging(seconds: float = 8.0, stride_s: float = 0.71) -> GridBlock:
    """Three sensors of a runner, with noise; the lanes stand still for the first two seconds."""
    rng = np.random.default_rng(3)
    n = round(seconds * RATE_HZ)
    t = np.arange(n) / RATE_HZ
    phase = 2.0 * np.pi * np.maximum(0.0, t - 2.0) / stride_s
    moves = (t > 2.0)[:, None]
    waves = np.stack([np.sin(phase), 0.4 * np.sin(2.0 * phase + 1.0), 0.3 * np.cos(phase)], axis=1)
    gyr = np.stack([moves * k * waves for k in (1.0, 4.0, -4.0)]) + 0.03 * rng.standard_normal((3, n, 3))
    acc = np.stack([[0.0, 0.0, 9.81] + moves * k * waves for k in (3.0, 5.0, 5.0)])
    return GridBlock(0, RATE_HZ, acc, gyr, np.zeros((3, n), dtype=np.int64))


def with_holes(grid: GridBlock, *holes: tuple[int, int, int]) -> GridBlock:
    for lane, a, b in holes:
        grid.acc[lane, a:b] = grid.gyr[lane, a:b] = np.nan
        grid.quality[lane, a:b] = SampleQuality.GAP
    return grid


HOLES = ((0, 100, 112), (1, 460, 472), (2, 465, 650), (1, 520, 560), (0, 700, 799))


def pushed(stage: Refill, grid: GridBlock, cuts: tuple[int, ...] = ()) -> GridBlock:
    edges = [0, *cuts, grid.quality.shape[1]]
    parts = [stage.push(grid.part(a, b)) for a, b in itertools.pairwise(edges)]
    acc, gyr, quality = (np.concatenate([p[k] for p in parts], axis=1) for k in (2, 3, 4))
    return GridBlock(0, RATE_HZ, acc, gyr, quality)


def test_a_hole_in_steady_gait_is_filled_as_the_stride_before_had_it():
    whole = swinging()
    out = pushed(Refill(RATE_HZ, 3), with_holes(swinging(), *HOLES))
    for lane, a, b in ((1, 460, 472), (1, 520, 560), (2, 465, 565)):
        assert np.abs(out.gyr[lane, a:b] - whole.gyr[lane, a:b]).max() < 0.6
        assert (out.quality[lane, a:b] & FILLED == FILLED).all()


def test_neither_standing_nor_what_follows_a_second_of_silence_is_filled():
    out = pushed(Refill(RATE_HZ, 3), with_holes(swinging(), *HOLES))
    assert np.isnan(out.gyr[0, 100:112]).all()
    assert np.isnan(out.gyr[2, 565:650]).all()
    assert (out.quality[2, 565:650] == SampleQuality.GAP).all()


def test_the_kernel_matches_its_twin():
    grid = with_holes(swinging(), *HOLES)
    acc, gyr, filled = slow.refill(grid.acc, grid.gyr, RATE_HZ)
    out = pushed(Refill(RATE_HZ, 3), grid)
    np.testing.assert_array_equal(out.acc, acc)
    np.testing.assert_array_equal(out.gyr, gyr)
    np.testing.assert_array_equal(out.quality & FILLED == FILLED, filled)


@pytest.mark.parametrize("cuts", [(465, 466, 470), (100, 300, 520, 530, 699), tuple(range(10, 800, 10))])
def test_cutting_the_grid_changes_no_byte(cuts):
    one, two = Refill(RATE_HZ, 3), Refill(RATE_HZ, 3)
    whole = pushed(one, with_holes(swinging(), *HOLES))
    cut = pushed(two, with_holes(swinging(), *HOLES), cuts)
    for a, b in zip(whole[2:], cut[2:], strict=True):
        assert a.tobytes() == b.tobytes()
    assert one.save() == two.save()


def test_a_restored_stage_goes_on_within_a_hole():
    grid = with_holes(swinging(), *HOLES)
    one, two = Refill(RATE_HZ, 3), Refill(RATE_HZ, 3)
    pushed(one, grid.part(0, 468))
    two.load(one.save())
    rest = grid.part(468, 800)
    assert one.push(rest).gyr.tobytes() == two.push(rest).gyr.tobytes()
    with pytest.raises(ConfigError, match="Start from the recording"):
        two.load(b"")


def test_what_was_filled_is_missing_again_behind_the_orientation():
    grid = pushed(Refill(RATE_HZ, 3), with_holes(swinging(), *HOLES))
    n = grid.quality.shape[1]
    flat = np.zeros((3, n), dtype=np.int64)
    orient = OrientationBlock(0, RATE_HZ, np.ones((3, n, 4)), np.zeros((3, n, 3)), flat, grid.quality)
    hidden, turned = hide(grid, orient)
    for missing in (hidden.acc, hidden.gyr, turned.quat):
        assert np.isnan(missing[1, 460:472]).all()
        assert np.isfinite(missing[1, 300:460]).all()
    assert (hidden.quality[1, 460:472] == FILLED).all()
    assert (turned.quality[1, 460:472] == FILLED).all()


def test_a_runner_swings_the_legs_after_a_walk_as_before_it():
    """Offsets of 7 and 3 degrees; the earth frames turn by 10 degrees while the runner walks."""
    degrees = np.radians
    relative = RelativeHeading(PostureParams(), 1.0, 0)
    state = (*relative.arrays[:5], relative.known)
    relative.parallel(0, degrees(20.0), degrees(1.0))
    turned = 20.0
    for k in range(360):
        gait = 1 if 150 <= k < 210 else 2
        turned += 10.0 / 60.0 * (gait == 1)
        swing = np.full((2, 4), np.nan)
        swing[0] = degrees(turned + (3.0 if gait == 1 else 7.0)), 0.1, 0.001, 0.0
        heading_step(relative.settings, True, gait, swing, np.full(2, np.nan), state)
    assert np.degrees(relative.x[0, 0]) == pytest.approx(turned, abs=1.5)
    assert np.degrees(relative.running_offsets[0][0]) == pytest.approx(7.0, abs=1.5)


def test_a_heading_that_jumps_leaves_the_headings_before_the_jump_alone():
    """The smoother sees 40 s of a new heading; the jump lies where windows were first refused."""
    relative = RelativeHeading(PostureParams(), 1.0, 60)
    state = (*relative.arrays[:5], relative.known)
    relative.parallel(0, 0.0, np.radians(1.0))
    for k in range(90):
        swing = np.full((2, 4), np.nan)
        swing[0] = np.radians(5.0 if k < 50 else 50.0), 0.1, 0.001, 0.0
        heading_step(relative.settings, True, 2, swing, np.full(2, np.nan), state)
    seen = [np.degrees(relative.smoothed[0, k % relative.smoothed.shape[1], 0]) for k in range(35, 90)]
    np.testing.assert_allclose(seen[:14], 0.0, atol=2.0)
    np.testing.assert_allclose(seen[16:], 45.0, atol=4.0)


def test_walking_now_and_then_makes_no_heading_more_certain():
    """Nothing but the swing of the legs is known, whose plane differs by 5 degrees from runner to runner."""
    relative = RelativeHeading(PostureParams(), 1.0, 0)
    state = (*relative.arrays[:5], relative.known)
    for k in range(600):
        swing = np.full((2, 4), np.nan)
        swing[:] = 0.3, 0.1, 0.001, 0.0
        heading_step(relative.settings, True, 1 + (k // 50) % 2, swing, np.full(2, np.nan), state)
    assert np.degrees(relative.sd(0)) > 5.0
