"""Numbers in lanes: each lane is what plain numbers are, and no lane knows of its neighbours."""

from __future__ import annotations

import hashlib
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from numba import njit
from numba.core.errors import NumbaError

import latemiles.kernels.lanes_memory  # noqa: F401 - numba's own decorator learns of lanes
from latemiles.estimators.course import Course
from latemiles.estimators.orientation import OrientationStage
from latemiles.kernels.jit import njit as kernel
from latemiles.kernels.lanes import (
    LANES,
    all_of,
    along,
    any_of,
    bits_of,
    fields,
    gather,
    gather_four,
    gather_three,
    ladder,
    least_of,
    mask_of,
    most_of,
    pack,
    scatter,
    scatter_four,
    select,
    sum_of,
    unpack,
)
from latemiles.kernels.quaternion import exp_rotation
from latemiles.signals.blocks import GridBlock

RATE_HZ = 50.0
PAIR = np.dtype((np.record, [("rows", np.float64, (2,)), ("number", np.float64)]))


@njit
def _arithmetic(a, b):
    low, high = min(a, b), max(a, b)
    mask = ((a < b) | (a >= 2.0 * b)) & (a != 0.5)
    x = select(mask, (a + b) * high, a - b / low)
    return x, math.sqrt(abs(x)), -x + 3.0, select(a == b, 1.0, 0.0), select(a <= b, a, math.nan)


@njit
def _folded(values, at):
    here = along(values, at)
    return sum_of(here), least_of(here), most_of(here), sum_of(here * ladder())


@njit
def _of_arrays(x, out):
    for group in range(-(-x.shape[0] // LANES)):
        for i in range(x.shape[1]):
            values = _arithmetic(gather(x, group, i, 0), gather(x, group, i, 1))
            for j in range(5):
                scatter(out, group, i, j, values[j])


@njit
def _turn(x, out):
    for i in range(x.shape[1]):
        w, rx, ry, rz = exp_rotation(gather(x, 0, i, 0), gather(x, 0, i, 1), gather(x, 0, i, 2))
        scatter(out, 0, i, 0, w)
        scatter(out, 0, i, 1, rx)
        scatter(out, 0, i, 2, ry)
        scatter(out, 0, i, 3, rz)


@njit
def _fours(x, out):
    for group in range(-(-x.shape[0] // LANES)):
        for i in range(x.shape[1]):
            a, b, c, d = gather_four(x, group, i)
            scatter_four(out, group, i, d, a + 1.0, c, b)


@njit
def _threes(x, out):
    for group in range(-(-x.shape[0] // LANES)):
        for i in range(x.shape[1]):
            a, b, c = gather_three(x, group, i)
            scatter(out, group, i, 0, c)
            scatter(out, group, i, 1, a)
            scatter(out, group, i, 2, b + 1.0)


@njit
def _masks(x):
    positive = gather(x, 0, 0, 0) > 0.0
    back = mask_of(bits_of(positive))
    return any_of(positive), all_of(positive), bits_of(positive), bits_of(back)


@njit
def _double(groups):
    for group in range(groups.shape[0] - 2):
        one = fields(groups, group, PAIR)
        all_have = fields(groups, groups.shape[0] - 1, PAIR)
        one.number = one.number * 2.0 + all_have.rows[1]
        one.rows[1] += one.number


@pytest.mark.interpreted
@pytest.mark.parametrize("sensors", [1, 3, 4, 6])
def test_each_lane_is_what_plain_numbers_are(sensors):
    rng = np.random.default_rng(sensors)
    x = rng.normal(size=(sensors, 40, 2))
    x[:, ::7, 0] = x[:, ::7, 1]
    x[:, 3, 0] = math.nan
    got = np.zeros((sensors, 40, 5))
    _of_arrays(x, got)
    plain = getattr(_arithmetic, "py_func", _arithmetic)
    for sensor in range(sensors):
        for i in range(40):
            want = plain(*x[sensor, i])
            np.testing.assert_array_equal(got[sensor, i], want)


@pytest.mark.interpreted
def test_large_and_small_turns_can_lie_side_by_side():
    x = np.zeros((3, 2, 3))
    x[0, :, 0] = 0.01
    x[1, :, 1] = 2.5
    x[2, 1] = math.nan
    got = np.zeros((3, 2, 4))
    for sensor in range(3):
        alone = np.zeros((1, 2, 4))
        _turn(x[sensor : sensor + 1], alone)
        got[sensor] = alone[0]
    beside = np.zeros((3, 2, 4))
    if LANES > 1:
        _turn(x, beside)
        assert beside.tobytes() == got.tobytes()
    assert got[1, 0] == pytest.approx([math.cos(1.25), 0.0, math.sin(1.25), 0.0], abs=1e-15)
    assert got[2, 0].tolist() == [1.0, 0.0, 0.0, 0.0]
    assert np.isnan(got[2, 1]).all()


def test_lanes_of_neighbours_fold_into_one_number_in_pairs():
    values = np.random.default_rng(3).normal(size=11)
    for at in range(11 - LANES):
        here = values[at : at + LANES]
        pairs = here.copy()
        while len(pairs) > 1:
            pairs = pairs[::2] + pairs[1::2]
        total, low, high, moment = _folded(values, at)
        assert (total, low, high) == (pairs[0], here.min(), here.max())
        assert moment == pytest.approx(here @ np.arange(LANES), abs=1e-12)
    values[LANES - 1] = math.nan
    assert math.isnan(_folded(values, 0)[0])


def test_masks_tell_of_one_lane_and_of_all():
    assert _masks(np.array([1.0, 2.0, 3.0]).reshape(3, 1, 1)) == (True, True, 15, 15)
    # The lane behind the last sensor mirrors it.
    assert _masks(np.array([1.0, -2.0, 3.0]).reshape(3, 1, 1)) == (True, False, 13, 13)
    assert _masks(np.array([math.nan]).reshape(1, 1, 1)) == (False, False, 0, 0)


@pytest.mark.interpreted
@pytest.mark.parametrize("sensors", [1, 3, 4, 5])
def test_groups_have_the_fields_of_their_records(sensors):
    records = np.zeros(sensors, dtype=PAIR)
    records["number"] = np.arange(sensors)
    records["rows"][:, 1] = 10.0
    constants = np.zeros(1, dtype=PAIR)
    constants["rows"][0, 1] = 0.5
    groups = pack(records, constants)
    assert unpack(groups, PAIR, sensors).tobytes() == records.tobytes()
    _double(groups)
    got = unpack(groups, PAIR, sensors)
    assert got["number"].tolist() == [2.0 * k + 0.5 for k in range(sensors)]
    assert got["rows"][:, 1].tolist() == [10.5 + 2.0 * k for k in range(sensors)]


def _stream(seed: int, n: int) -> tuple[GridBlock, Course]:
    """Three sensors of 50 Hz: motion, rest, holes, garbage, clipping, a speed with gaps."""
    rng = np.random.default_rng(seed)
    t = np.arange(n) / RATE_HZ
    moves = np.repeat(rng.random((3, n // 100 + 1)) < 0.7, 100, axis=1)[:, :n, None]
    gyr = moves * 3.0 * np.sin(9.0 * t[:, None] + rng.random((3, 1, 3)) * 6.0)
    gyr = gyr + 0.005 * rng.standard_normal((3, n, 3))
    acc = moves * 8.0 * np.cos(17.0 * t[:, None] + rng.random((3, 1, 3)) * 6.0)
    acc = acc + 0.02 * rng.standard_normal((3, n, 3)) + np.array([0.0, 0.0, 9.81])
    quality = (rng.random((3, n)) < 0.05).astype(np.int64) * 4
    for lane in range(3):
        for _ in range(8):
            at = rng.integers(0, n)
            gyr[lane, at : at + rng.choice([1, 2, 5, 6, 40, 150])] = rng.choice([math.nan, math.inf, 1e30])
        gyr[lane, rng.integers(0, n)] = 90.0
        acc[lane, rng.integers(0, n, 3)] = 0.0
    acc[1, : rng.integers(0, 200)] = math.nan
    pace = np.where(rng.random(n // 50 + 1).repeat(50)[:n] < 0.8, 3.0 + np.sin(t / 7.0), math.nan)
    return GridBlock(0, RATE_HZ, acc, gyr, quality), Course(pace, np.nan_to_num(np.diff(pace, prepend=3.0)))


def _outputs(grid: GridBlock, course: Course | None, basis: str, cuts: list[int]) -> list[np.ndarray]:
    lanes, n = grid.quality.shape
    stage = OrientationStage(RATE_HZ, lanes=lanes, basis=basis)
    if course:
        stage.aim(np.full((lanes, 3), [0.6, 0.8, 0.0]))
    blocks = []
    for a, b in zip([0, *cuts], [*cuts, n], strict=True):
        part = GridBlock(a, RATE_HZ, grid.acc[:, a:b], grid.gyr[:, a:b], grid.quality[:, a:b])
        told = Course(course.pace_m_s[a:b], course.gained_m_s[a:b]) if course else None
        blocks.append(stage.push(part, told)[1])
    blocks.append(stage.finish()[1])
    names = ("quat", "gyr_bias", "rest", "quality")
    return [np.concatenate([getattr(b, name) for b in blocks], axis=1) for name in names]


@pytest.mark.interpreted
def test_four_numbers_of_a_sample_come_and_go_at_once():
    x = np.random.default_rng(3).standard_normal((6, 5, 4))
    out = np.full_like(x, np.nan)
    _fours(x, out)
    assert np.array_equal(out, x[..., [3, 0, 2, 1]] + [0.0, 1.0, 0.0, 0.0])


def test_three_numbers_of_a_sample_come_at_once():
    x = np.random.default_rng(4).standard_normal((7, 5, 3))
    out = np.full_like(x, np.nan)
    _threes(x, out)
    assert np.array_equal(out, x[..., [2, 0, 1]] + [0.0, 0.0, 1.0])


@pytest.mark.parametrize("basis", ["causal", "smoothed"])
@pytest.mark.parametrize("is_told", [False, True], ids=["nothing told", "speed told"])
@pytest.mark.parametrize("seed", range(6))
def test_a_sensor_beside_others_gives_the_bytes_of_one_alone(basis, is_told, seed):
    grid, course = _stream(seed, 4000)
    told = course if is_told else None
    cuts = sorted(np.random.default_rng(seed).integers(0, 4000, 9).tolist())
    together = _outputs(grid, told, basis, cuts)
    assert np.isnan(together[0]).any()
    assert together[2].any()
    for lane in range(3):
        own = slice(lane, lane + 1)
        alone = GridBlock(0, RATE_HZ, grid.acc[own], grid.gyr[own], grid.quality[own])
        for whole, single in zip(together, _outputs(alone, told, basis, []), strict=True):
            assert whole[own].tobytes() == single.tobytes()


def digest() -> str:
    """Of both bases on a stream with everything in it."""
    said = hashlib.sha256()
    for basis in ("causal", "smoothed"):
        for block in _outputs(*_stream(7, 1500), basis, []):
            # One NaN is as good as another.
            said.update(np.where(np.isnan(block), 0.0, block).tobytes())
    return said.hexdigest()


def test_lanes_give_the_bytes_of_plain_python():
    code = "import sys; sys.path.insert(0, sys.argv[1]); import test_kernel_lanes as t; print(t.digest())"
    done = subprocess.run(
        [sys.executable, "-c", code, os.path.dirname(__file__)],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == digest()


def test_a_kernel_that_allocates_does_not_compile():
    @kernel()
    def allocates(n):
        return np.zeros(n).sum()

    with pytest.raises(NumbaError, match="zeros"):
        allocates(3)
