"""Records of a block of a recording, found as the slow twin finds them."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latemiles.kernels.unpack import scan_records, survey
from reference.slow_unpack import scan_records as slow

RECORDS = st.lists(st.tuples(st.integers(1, 255), st.binary(max_size=40)), max_size=8)


def scanned(data: bytes, room: int) -> tuple[list[tuple[int, ...]], int]:
    heads = np.full((3, room), -1, dtype=np.int64)
    count, at = scan_records(np.frombuffer(data, dtype=np.uint8), *heads)
    return [tuple(row) for row in heads[:, :count].T.tolist()], at


@settings(deadline=None)  # The first call may compile.
@given(records=RECORDS, cut=st.integers(0, 400), room=st.integers(1, 10), tail=st.binary(max_size=20))
def test_records_of_a_block_are_found_as_the_twin_finds_them(records, cut, room, tail):
    data = b"".join(struct.pack("<BQ", kind, len(body)) + body for kind, body in records)
    data = data[:cut] + tail
    found, at = scanned(data, room)
    assert found == slow(data, room)
    assert at == (found[-1][2] if found else 0)


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 2**40])
def test_a_record_that_claims_to_be_huge_ends_the_block(length):
    sound = struct.pack("<BQ", 5, 3) + b"abc"
    assert scanned(sound + struct.pack("<BQ", 5, length) + sound, 4) == ([(5, 9, 12)], 12)


@pytest.mark.interpreted
@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 999), count=st.integers(1, 20))
def test_a_survey_sees_the_extremes_and_what_repeats(seed, count):
    rng = np.random.default_rng(seed)
    acc, gyr = rng.normal(size=(2, count, 3))
    again = np.flatnonzero(rng.random(count - 1) < 0.3)
    for k in again.tolist():
        acc[k + 1] = acc[k]
        if k % 2 == 0:
            gyr[k + 1] = gyr[k]
    for k in np.flatnonzero(rng.random(count - 1) < 0.2).tolist():
        gyr[k + 1] = gyr[k]
    acc[0, 1] = np.nan if seed % 2 else -9.0
    most_acc, most_gyr, same = survey(acc, gyr)
    assert most_acc == np.nanmax(np.abs(acc))
    assert most_gyr == np.abs(gyr).max()
    assert same == sum(
        bool((acc[k + 1] == acc[k]).all() or (gyr[k + 1] == gyr[k]).all()) for k in range(count - 1)
    )
