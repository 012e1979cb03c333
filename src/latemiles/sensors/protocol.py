"""The project's own GATT service, version 1: numbers, commands and results.

docs/sensor-protocol.md tells what the numbers mean; a test compares them with docs/sensor-protocol.toml, as
the firmware's tests do. Pure: bytes to values and back; used by the host and by the simulated sensors.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import Final, NamedTuple

from latemiles.errors import PacketError
from latemiles.signals.frames import Segment

__all__ = [
    "BOOTLOADER_KEY",
    "CLOCK",
    "CONTROL",
    "DATA",
    "INFO",
    "LOG",
    "LOG_END_BYTES",
    "MAX_RANGES",
    "MIN_MTU",
    "PAYLOAD_BYTES",
    "ROLES",
    "SERVICE",
    "STATUS",
    "VERSION",
    "ClockAnswer",
    "Code",
    "Command",
    "FrameHead",
    "Range",
    "Result",
    "Start",
    "Started",
    "State",
    "characteristic",
    "clock_answer",
    "clock_request",
    "command",
    "frame_head",
    "resend_payload",
    "resend_ranges",
]

VERSION: Final = 1
MIN_MTU: Final = 247
"""Below this a frame of 19 samples does not fit one notification."""
LOG_END_BYTES: Final = 8
"""Length of the word that ends a reading of the log."""
MAX_RANGES: Final = 16
"""Most ranges of one request to send again."""
BOOTLOADER_KEY: Final = 0x544F4F42
"""Keeps a stray write from ending a run."""


def characteristic(number: int) -> str:
    """UUID of a member of the service; 0 is the service itself."""
    return f"b3a9{number:04x}-c752-47b2-a224-501169ffa1c1"


SERVICE: Final = characteristic(0)
DATA: Final = characteristic(1)
CONTROL: Final = characteristic(2)
STATUS: Final = characteristic(3)
CLOCK: Final = characteristic(4)
INFO: Final = characteristic(5)
LOG: Final = characteristic(6)

ROLES: Final = (None, Segment.PELVIS, Segment.LEFT_THIGH, Segment.RIGHT_THIGH, Segment.TRUNK)
"""Segment of each role number."""


class Command(IntEnum):
    """First byte written to the control characteristic."""

    START = 0x01
    STOP = 0x02
    RESEND = 0x03
    SET_ROLE = 0x04
    SET_UTC = 0x05
    MARK = 0x06
    IDENTIFY = 0x07
    LOG_LIST = 0x08
    LOG_READ = 0x09
    LOG_ERASE = 0x0A
    CONNECTION = 0x0B
    BOOTLOADER = 0x0C
    SLEEP = 0x0D
    SET_CALIBRATION = 0x0E


PAYLOAD_BYTES: Final = {
    Command.START: 6,
    Command.STOP: 0,
    Command.SET_ROLE: 1,
    Command.SET_UTC: 8,
    Command.MARK: 0,
    Command.IDENTIFY: 1,
    Command.LOG_LIST: 0,
    Command.LOG_READ: 6,
    Command.LOG_ERASE: 0,
    Command.CONNECTION: 8,
    Command.BOOTLOADER: 4,
    Command.SLEEP: 0,
    Command.SET_CALIBRATION: 28,
}
"""Bytes of each command's payload; that of RESEND says itself how long it is."""


class Code(IntEnum):
    """Outcome of a command."""

    OK = 0
    UNKNOWN_COMMAND = 1
    WRONG_LENGTH = 2
    BAD_VALUE = 3
    WRONG_STATE = 4
    BUSY = 5
    HARDWARE = 6
    MTU_TOO_SMALL = 7
    NOT_THERE = 8


class State(IntEnum):
    """What the sensor does."""

    IDLE = 0
    READY = 1
    STREAMING = 2
    UNLINKED = 3
    """Samples go to the ring; the link is down."""
    OFF = 4


_MARKER: Final = 0x80
_FRAME_HEAD: Final = struct.Struct("<BBBBII")
_CLOCK: Final = struct.Struct("<III")
_START: Final = struct.Struct("<HBHB")
_STARTED: Final = struct.Struct("<IBI")
_RANGE: Final = struct.Struct("<IH")
_COUNT_LIMIT: Final = 0xFFFF


class FrameHead(NamedTuple):
    """What the host needs of a data frame to know what it missed."""

    kind: int
    n: int
    flags: int
    epoch: int
    first: int
    """Index of the first sample."""
    tick: int


def frame_head(payload: bytes) -> FrameHead | None:
    """Header of a data frame; None for bytes that are none of this version."""
    if len(payload) < _FRAME_HEAD.size:
        return None
    first, n, flags, epoch, index, tick = _FRAME_HEAD.unpack_from(payload)
    if first >> 4 != VERSION or n == 0:
        return None
    return FrameHead(first & 0x0F, n, flags, epoch, index, tick)


class Range(NamedTuple):
    """Samples ``first`` to ``stop - 1``."""

    first: int
    stop: int


def command(number: Command, tag: int, payload: bytes = b"") -> bytes:
    """One command; ``tag`` comes back with its result."""
    return bytes((number, tag & 0xFF)) + payload


class Result(NamedTuple):
    """Outcome of a command, as the sensor indicates it."""

    command: int
    tag: int
    code: int
    payload: bytes = b""

    def encode(self) -> bytes:
        """The bytes."""
        return bytes((_MARKER, self.command, self.tag, self.code)) + self.payload

    @classmethod
    def decode(cls, payload: bytes) -> Result:
        """Read the bytes.

        Raises
        ------
        PacketError
            If they are no result.
        """
        if len(payload) < 4 or payload[0] != _MARKER:
            raise PacketError(
                f"{len(payload)} bytes are no result of a command. Update the sensor's firmware."
            )
        return cls(payload[1], payload[2], payload[3], bytes(payload[4:]))


class Start(NamedTuple):
    """Payload of the start command."""

    rate_hz: int = 208
    acc_range_g: int = 16
    gyr_range_dps: int = 2000
    samples: int = 10
    """Samples a frame. 10 at 208 Hz are 48.1 ms, no multiple of the connection interval."""

    def encode(self) -> bytes:
        """The bytes."""
        return _START.pack(*self)

    @classmethod
    def decode(cls, payload: bytes) -> Start:
        """Read the bytes.

        Raises
        ------
        PacketError
            If there are not six.
        """
        if len(payload) != _START.size:
            raise PacketError(f"{len(payload)} bytes are no set-up of a sensor. Update the program.")
        return cls(*_START.unpack(payload))


class Started(NamedTuple):
    """Payload of the result of a start."""

    session: int
    epoch: int
    next_index: int

    def encode(self) -> bytes:
        """The bytes."""
        return _STARTED.pack(*self)

    @classmethod
    def decode(cls, payload: bytes) -> Started:
        """Read the bytes.

        Raises
        ------
        PacketError
            If there are too few.
        """
        if len(payload) < _STARTED.size:
            raise PacketError("The sensor does not say what it started. Update the sensor's firmware.")
        return cls(*_STARTED.unpack_from(payload))


class ClockAnswer(NamedTuple):
    """Answer on the clock characteristic."""

    token: int
    received_tick: int
    sent_tick: int

    def encode(self) -> bytes:
        """The bytes."""
        return _CLOCK.pack(self.token, self.received_tick & 0xFFFFFFFF, self.sent_tick & 0xFFFFFFFF)


def clock_request(token: int) -> bytes:
    """Question on the clock characteristic."""
    return struct.pack("<I", token & 0xFFFFFFFF)


def clock_answer(payload: bytes) -> ClockAnswer:
    """Read an answer of the clock.

    Raises
    ------
    PacketError
        If it has not 12 bytes.
    """
    if len(payload) != _CLOCK.size:
        raise PacketError(
            f"A clock answer of {len(payload)} bytes is damaged. It is left out; nothing to do."
        )
    return ClockAnswer(*_CLOCK.unpack(payload))


def resend_payload(ranges: Sequence[Range]) -> bytes:
    """Payload that asks for samples again, in the order given.

    Parameters
    ----------
    ranges : sequence of Range
        The first ``MAX_RANGES`` are asked for; of one of more than 65535 samples, the newest.
    """
    wanted = ranges[:MAX_RANGES]
    body = b"".join(
        _RANGE.pack(max(r.first, r.stop - _COUNT_LIMIT) & 0xFFFFFFFF, min(r.stop - r.first, _COUNT_LIMIT))
        for r in wanted
    )
    return bytes((len(wanted),)) + body


def resend_ranges(payload: bytes) -> list[Range]:
    """Read the payload of a request to send again.

    Raises
    ------
    PacketError
        If its length does not fit its count.
    """
    if not payload or len(payload) != 1 + _RANGE.size * payload[0]:
        raise PacketError(f"{len(payload)} bytes are no request to send again. Update the program.")
    return [Range(first, first + count) for first, count in _RANGE.iter_unpack(payload[1:])]
