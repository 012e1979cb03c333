"""The grid in pieces of one length, however it comes in."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from latemiles.errors import ConfigError
from latemiles.estimators.chunks import GridChunks
from latemiles.signals.blocks import GridBlock

N = 1000
FIRST = 37
RATE_HZ = 100.0


def _grid() -> GridBlock:
    rng = np.random.default_rng(1)
    flags = rng.integers(0, 9, (3, N))
    return GridBlock(FIRST, RATE_HZ, rng.normal(size=(3, N, 3)), rng.normal(size=(3, N, 3)), flags)


def _chunks(cuts: list[int], *, from_first: bool, restores: bool) -> list[GridBlock]:
    whole, chunks = _grid(), GridChunks(100, 3, RATE_HZ, from_first=from_first)
    out = []
    for a, b in itertools.pairwise([0, *cuts, N]):
        chunks.push(whole.part(a, b))
        if restores:
            saved = chunks.save()
            chunks = GridChunks(100, 3, RATE_HZ, from_first=from_first)
            chunks.load(saved)
        out += chunks.take()
    return [*out, *chunks.rest()]


@pytest.mark.parametrize("restores", [False, True])
@pytest.mark.parametrize(("from_first", "first_ends"), [(False, [100, 200]), (True, [137, 237])])
@pytest.mark.parametrize("cuts", [[], [1, 2, 500], [63, 100, 163], list(range(7, N, 7))])
def test_pieces_begin_at_the_same_samples_however_they_come(cuts, from_first, first_ends, restores):
    got = _chunks(cuts, from_first=from_first, restores=restores)
    assert [c.first + c.quality.shape[1] for c in got[:2]] == first_ends
    assert {c.quality.shape[1] for c in got[1:-1]} == {100}
    assert all(x.flags.c_contiguous for c in got for x in c[2:])
    whole = _grid()
    at = FIRST
    for c in got:
        assert c.first == at
        at += c.quality.shape[1]
    for k in (2, 3, 4):
        assert np.array_equal(np.concatenate([c[k] for c in got], axis=1), whole[k])


def test_all_whole_pieces_can_be_had_as_one():
    whole, chunks = _grid(), GridChunks(100, 3, RATE_HZ)
    assert chunks.take_joined().quality.shape == (3, 0)
    chunks.push(whole.part(0, 300))
    chunks.push(whole.part(300, 480))
    got = chunks.take_joined()
    assert (got.first, got.first + got.quality.shape[1]) == (FIRST, 500)
    assert np.array_equal(got.acc, whole.acc[:, :463])
    assert chunks.held == (500, FIRST + 480)


def test_a_chunk_that_came_as_one_piece_of_memory_is_that_piece():
    room, chunks = _grid().part(0, 100), GridChunks(100, 3, RATE_HZ, from_first=True)
    for a, b in ((0, 30), (30, 99), (99, 100)):
        chunks.push(room.view(a, b))
    (got,) = chunks.take()
    for mine, given in zip(got[2:], room[2:], strict=True):
        assert np.shares_memory(mine, given)
        assert np.array_equal(mine, given)


def test_blocks_of_which_one_was_changed_are_joined_by_copying():
    room, chunks = _grid().part(0, 100), GridChunks(100, 3, RATE_HZ, from_first=True)
    chunks.push(room.view(0, 30))
    other = room.view(30, 100)
    chunks.push(other._replace(acc=other.acc + 1.0))
    (got,) = chunks.take()
    assert np.array_equal(got.acc[:, :30], room.acc[:, :30])
    assert np.array_equal(got.acc[:, 30:], room.acc[:, 30:] + 1.0)


def test_a_state_of_something_else_is_refused():
    chunks = GridChunks(100, 3, RATE_HZ)
    chunks.push(_grid())
    with pytest.raises(ConfigError, match="chunks"):
        GridChunks(100, 3, RATE_HZ).load(chunks.save()[:-8])
