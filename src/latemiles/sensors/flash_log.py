"""What a sensor wrote to its flash while nobody listened: pages over the log characteristic."""

from __future__ import annotations

import binascii
import struct
from collections.abc import Callable
from typing import Final, NamedTuple

from latemiles.errors import PacketError
from latemiles.sensors import protocol

__all__ = [
    "PAGE_BYTES",
    "PAGE_SAMPLES",
    "LogList",
    "LogReader",
    "Page",
    "page_bytes",
    "page_frame",
    "page_of",
    "read_payload",
]

PAGE_BYTES: Final = 244
PAGE_SAMPLES: Final = 18
_MAGIC: Final = 0x4D4C
_HEAD: Final = struct.Struct("<HHIII")
_CHECKED_FROM: Final = 4
_END: Final = struct.Struct("<II")
_LIST: Final = struct.Struct("<III")
_READ: Final = struct.Struct("<IH")
_FRAME_HEAD: Final = 12
_SAMPLE: Final = 12
_MOST_PAGES: Final = 0xFFFF


class LogList(NamedTuple):
    """Result of asking what is in the log."""

    first_page: int
    pages: int
    capacity: int

    def encode(self) -> bytes:
        """The bytes."""
        return _LIST.pack(*self)

    @classmethod
    def decode(cls, payload: bytes) -> LogList:
        """Read the bytes.

        Raises
        ------
        PacketError
            If there are too few.
        """
        if len(payload) < _LIST.size:
            raise PacketError("The sensor does not say what is in its log. Update the sensor's firmware.")
        return cls(*_LIST.unpack_from(payload))


def read_payload(first_page: int, pages: int) -> bytes:
    """Payload of the command that reads pages."""
    return _READ.pack(first_page & 0xFFFFFFFF, min(pages, _MOST_PAGES))


def page_bytes(page: int, session: int, utc_s: int, frame: bytes) -> bytes:
    """One page, as the firmware writes it."""
    body = struct.pack("<III", page, session, utc_s) + frame
    body += b"\xff" * (PAGE_BYTES - _CHECKED_FROM - len(body))
    return struct.pack("<HH", _MAGIC, binascii.crc_hqx(body, 0xFFFF)) + body


class Page(NamedTuple):
    """One page that came whole."""

    number: int
    session: int
    utc_s: int
    """Wall clock when it was written, s since 1970; 0: the sensor was not told."""
    frame: bytes
    """Its data frame."""


def page_of(payload: bytes) -> Page:
    """Read one page.

    Raises
    ------
    PacketError
        If it is damaged.
    """
    if len(payload) != PAGE_BYTES:
        raise PacketError(f"A log page of {len(payload)} bytes is damaged. It is left out; nothing to do.")
    magic, crc, number, session, utc_s = _HEAD.unpack_from(payload)
    if magic != _MAGIC or binascii.crc_hqx(payload[_CHECKED_FROM:], 0xFFFF) != crc:
        raise PacketError("The checksum of a log page does not fit. It is left out; nothing to do.")
    head = protocol.frame_head(payload[_HEAD.size :])
    if head is None or head.n > PAGE_SAMPLES:
        raise PacketError("A log page holds no frame. It is left out; nothing to do.")
    frame = payload[_HEAD.size : _HEAD.size + _FRAME_HEAD + _SAMPLE * head.n]
    return Page(number, session, utc_s, frame)


def page_frame(payload: bytes, session: int) -> bytes | None:
    """The data frame of a page; None if it is of another session.

    Raises
    ------
    PacketError
        If the page is damaged.
    """
    page = page_of(payload)
    return page.frame if page.session == session else None


class LogReader:
    """Takes the pages of one reading.

    Parameters
    ----------
    session : int
        Pages of other sessions are passed over.
    on_frame : callable
        Given each frame, as if it had been sent again.
    """

    def __init__(self, session: int, on_frame: Callable[[bytes], None]) -> None:
        self.is_over = False
        self.pages = 0
        self.damaged = 0
        self._session, self._on_frame = session, on_frame

    def take(self, payload: bytes) -> None:
        """Take one notification of the log characteristic."""
        if len(payload) == _END.size:
            self.is_over = True
            return
        try:
            frame = page_frame(payload, self._session)
        except PacketError:
            self.damaged += 1
            return
        self.pages += 1
        if frame is not None:
            self._on_frame(frame)
