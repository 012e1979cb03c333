"""Records of a block of a recording, found as the slow twin finds them."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latemiles.kernels.unpack import scan_records
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
