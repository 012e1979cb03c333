"""Several notifications in one packet: for families whose accelerometer and gyroscope speak apart.

The link keeps the bytes of each notification as heard and bundles those that belong together, so that a
driver stays without state: the letters ``LMB1``, a u8 count, then a u16 length and the bytes of each.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from latemiles.errors import PacketError

__all__ = ["bundled", "unbundled"]

_MAGIC: Final = b"LMB1"
MOST: Final = 64
_LENGTH: Final = struct.Struct("<H")


def bundled(notifications: Sequence[bytes]) -> bytes:
    """One packet of several notifications, 1 to 64.

    Raises
    ------
    PacketError
        If there are none or too many.
    """
    if not 1 <= len(notifications) <= MOST:
        raise PacketError(f"A bundle holds 1 to {MOST} notifications, not {len(notifications)}. Split them.")
    parts = [_LENGTH.pack(len(one)) + one for one in notifications]
    return _MAGIC + bytes([len(notifications)]) + b"".join(parts)


def unbundled(payload: bytes) -> list[bytes]:
    """The notifications of a packet.

    Raises
    ------
    PacketError
        If the bytes are no bundle.
    """
    if len(payload) < len(_MAGIC) + 1 or payload[: len(_MAGIC)] != _MAGIC:
        raise PacketError(f"{len(payload)} bytes are no bundle of notifications. They are left out.")
    at, found = len(_MAGIC) + 1, []
    for _ in range(payload[len(_MAGIC)]):
        if at + _LENGTH.size > len(payload):
            raise PacketError("A bundle of notifications is cut short. It is left out; nothing to do.")
        end = at + _LENGTH.size + _LENGTH.unpack_from(payload, at)[0]
        if end > len(payload):
            raise PacketError("A bundle of notifications is cut short. It is left out; nothing to do.")
        found.append(payload[at + _LENGTH.size : end])
        at = end
    if at != len(payload) or not found:
        raise PacketError("A bundle of notifications has a ragged end. It is left out; nothing to do.")
    return found
