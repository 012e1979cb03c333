"""Cutting a stream anywhere, or saving and restoring in between, changes no byte; garbage never gets out."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latemiles.estimators.course import Course
from latemiles.estimators.orientation import OrientationFilter, OrientationStage, orientation
from latemiles.signals.blocks import GridBlock

RATE_HZ = 20.0
N = 5000
FIRST = 300


def _stream() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two lanes of 250 s: motion, rest, short and long holes, islands, garbage."""
    rng = np.random.default_rng(11)
    t = np.arange(N) / RATE_HZ
    move = ((t < 60) | (t > 90))[:, None]
    gyr = move * 1.5 * np.sin(5.0 * t[:, None] + np.arange(3)) + 0.005 * rng.standard_normal((2, N, 3))
    acc = move * 4.0 * np.cos(9.0 * t[:, None] + np.arange(3)) + 0.02 * rng.standard_normal((2, N, 3))
    acc[..., 2] += 9.81
    quality = (rng.random((2, N)) < 0.01).astype(np.int64) * 4
    for lane, start, length in [
        (0, 0, 30),
        (0, 700, 1),
        (0, 1180, 60),
        (0, 2400, 900),
        (1, 2399, 2),
        (1, 2402, 5),
    ]:
        gyr[lane, start : start + length] = np.nan
    gyr[1, 3000:3200:4] = np.inf
    acc[1, 3300:3500:3] = 0.0
    acc[0, N - 40 :] = np.nan
    return gyr, acc, quality


GYR, ACC, QUALITY = _stream()
PACE = np.where(np.arange(N) % 1500 < 1400, 3.0 + np.sin(np.arange(N) / 70.0), np.nan)
GAINED = np.nan_to_num(np.diff(PACE, prepend=3.0))
AHEAD = np.array([[0.8, -0.6, 0.0], [0.0, 0.8, 0.6]])


def _run(basis: str, is_told: bool, cuts: list[int], *, restores: bool, turns: int = 0) -> bytes:
    """All that comes out; with ``turns`` the segments face another way from that sample on."""
    stage = OrientationStage(RATE_HZ, lanes=2, basis=basis)
    if is_told:
        stage.aim(AHEAD)
    parts = []
    edges = [0, *sorted([*cuts, turns] if turns else cuts), N]
    for a, b in itertools.pairwise(edges):
        if turns and a == turns:
            stage.aim(AHEAD[::-1])
        if restores:
            saved = stage.save()
            stage = OrientationStage(RATE_HZ, lanes=2, basis=basis)
            stage.load(saved)
        block = GridBlock(FIRST + a, RATE_HZ, ACC[:, a:b], GYR[:, a:b], QUALITY[:, a:b])
        grid, out = stage.push(block, Course(PACE[a:b], GAINED[a:b]) if is_told else None)
        assert grid.first == out.first
        parts.append((grid, out))
    state = stage.save()
    parts.append(stage.finish())
    names = ("quat", "gyr_bias", "rest", "quality")
    joined = [np.concatenate([getattr(out, name) for _, out in parts], axis=1) for name in names]
    joined += [np.concatenate([getattr(grid, name) for grid, _ in parts], axis=1) for name in ("gyr", "acc")]
    assert joined[0].shape == (2, N, 4)
    return b"".join(x.tobytes() for x in joined) + state


@cache
def _whole(basis: str, is_told: bool) -> bytes:
    return _run(basis, is_told, [], restores=False)


@pytest.mark.parametrize("is_told", [False, True], ids=["nothing told", "speed told"])
@pytest.mark.parametrize("basis", ["causal", "smoothed"])
@given(cuts=st.lists(st.integers(0, N), max_size=12), restores=st.booleans())
@settings(max_examples=15, deadline=None, derandomize=True)
def test_cutting_saving_and_restoring_change_no_byte(basis, is_told, cuts, restores):
    assert _run(basis, is_told, cuts, restores=restores) == _whole(basis, is_told)


@pytest.mark.parametrize("basis", ["causal", "smoothed"])
@given(cuts=st.lists(st.integers(0, N), max_size=6), restores=st.booleans())
@settings(max_examples=5, deadline=None, derandomize=True)
def test_segments_that_face_another_way_do_so_from_that_sample_on_however_it_is_cut(basis, cuts, restores):
    turned = _run(basis, True, cuts, restores=restores, turns=1337)
    assert turned == _run(basis, True, [], restores=False, turns=1337)
    assert turned != _whole(basis, True)


@pytest.mark.parametrize("basis", ["causal", "smoothed"])
def test_numbers_of_another_kind_give_the_bytes_of_doubles(basis):
    quats = []
    for kind in (np.float64, np.float32):
        stage = OrientationStage(RATE_HZ, lanes=2, basis=basis)
        gyr, acc = GYR[:, :900].astype(np.float32).astype(kind), ACC[:, :900].astype(np.float32).astype(kind)
        first = stage.push(GridBlock(0, RATE_HZ, acc, gyr, QUALITY[:, :900]))[1]
        quats.append(np.concatenate([first.quat, stage.finish()[1].quat], axis=1).tobytes())
    assert quats[0] == quats[1]


@pytest.mark.parametrize("basis", ["causal", "smoothed"])
def test_what_is_told_matters_and_telling_nothing_does_not(basis):
    assert _whole(basis, True) != _whole(basis, False)
    blank = Course(np.full(N, np.nan), np.ones(N))
    quats = []
    for course in (blank, None):
        stage = OrientationStage(RATE_HZ, lanes=2, basis=basis)
        stage.aim(AHEAD)
        first = stage.push(GridBlock(FIRST, RATE_HZ, ACC, GYR, QUALITY), course)[1]
        quats.append(first.quat.tobytes() + stage.finish()[1].quat.tobytes())
    assert quats[0] == quats[1]


@given(cuts=st.lists(st.integers(0, 600), max_size=20))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_a_filter_gives_the_same_bytes_in_blocks_of_any_size(cuts):
    f = OrientationFilter(RATE_HZ)
    parts = []
    edges = [0, *sorted(cuts), 600]
    for a, b in itertools.pairwise(edges):
        parts.append(f.update(GYR[0, 600 + a : 600 + b], ACC[0, 600 + a : 600 + b]))
        state = f.state
        f = OrientationFilter(RATE_HZ)
        f.state = state
    whole = orientation(GYR[0, 600:1200], ACC[0, 600:1200], RATE_HZ)
    assert np.concatenate(parts).tobytes() == whole.quat.tobytes()


NUMBERS = st.one_of(
    st.sampled_from(
        [0.0, -0.0, np.nan, np.inf, -np.inf, 1e-320, 1e-160, 1e160, 1e308, 9.81, -9.81, 1e3, 1e4]
    ),
    st.floats(-200.0, 200.0),
)


@pytest.mark.parametrize("basis", ["causal", "smoothed"])
@given(
    rows=st.lists(st.tuples(*[NUMBERS] * 6), min_size=1, max_size=19), length=st.sampled_from([5, 40, 150])
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_no_input_gives_a_silent_wrong_number(basis, rows, length):
    samples = np.resize(np.array(rows, dtype=np.float64), (length, 6))
    stage = OrientationStage(RATE_HZ, lanes=1, basis=basis)
    flags = np.zeros((1, length), dtype=np.int64)
    gyr, acc = np.ascontiguousarray(samples[:, :3]), np.ascontiguousarray(samples[:, 3:])
    outs = [stage.push(GridBlock(0, RATE_HZ, acc[None], gyr[None], flags))[1], stage.finish()[1]]
    quat = np.concatenate([o.quat[0] for o in outs])
    bias = np.concatenate([o.gyr_bias[0] for o in outs])
    known = np.isfinite(quat).all(axis=1)
    # All or nothing, of unit length, and never from a sample that said nothing.
    assert np.isnan(quat[~known]).all()
    assert np.abs(np.linalg.norm(quat[known], axis=1) - 1.0).max(initial=0.0) < 1e-9
    unusable = ~np.isfinite(samples).all(axis=1) | (samples[:, 3:] == 0.0).all(axis=1)
    assert not (known & unusable).any()
    assert np.isfinite(bias[known]).all()
