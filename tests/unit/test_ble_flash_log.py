"""Pages of the flash log: checked, of this session only, and never anything but a PacketError."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latemiles.errors import PacketError
from latemiles.sensors.drivers import latemiles_v1
from latemiles.sensors.flash_log import LogList, LogReader, page_bytes, page_frame, read_payload

FRAME = latemiles_v1.encode(
    np.arange(108).reshape(18, 6).astype(np.int16), first_index=77, tick=5, epoch=3, kind=latemiles_v1.RESEND
)
PAGE = page_bytes(12, 0xABCD, 0, FRAME)


def test_a_page_gives_the_frame_back_that_was_written():
    assert len(PAGE) == 244
    assert page_frame(PAGE, 0xABCD) == FRAME
    assert page_frame(PAGE, 0xABCE) is None


@pytest.mark.parametrize("at", range(0, 244, 7))
def test_a_page_with_one_wrong_bit_is_refused(at):
    torn = bytearray(PAGE)
    torn[at] ^= 0x10
    with pytest.raises(PacketError):
        page_frame(bytes(torn), 0xABCD)


@given(st.binary(max_size=300))
def test_random_bytes_raise_a_packet_error_and_nothing_else(payload):
    for read in (lambda: page_frame(payload, 1), lambda: LogList.decode(payload)):
        try:
            read()
        except PacketError:
            continue


def test_a_reading_ends_with_its_last_word_and_counts_what_was_torn():
    frames: list[bytes] = []
    reader = LogReader(0xABCD, frames.append)
    reader.take(PAGE)
    reader.take(PAGE[:-1] + b"\1")
    reader.take(page_bytes(13, 1, 0, FRAME))
    assert not reader.is_over
    reader.take(bytes(8))
    assert reader.is_over
    assert (frames, reader.pages, reader.damaged) == ([FRAME], 2, 1)
    assert read_payload(7, 100_000) == b"\x07\0\0\0\xff\xff"
