"""Slow, obvious twin of kernels.unpack."""

from __future__ import annotations

import struct


def scan_records(data: bytes, most: int) -> list[tuple[int, int, int]]:
    """Kind, start and stop of the records of an MCAP file that lie whole in ``data``."""
    found, at = [], 0
    while len(found) < most and at + 9 <= len(data):
        opcode, length = struct.unpack_from("<BQ", data, at)
        if opcode == 0 or at + 9 + length > len(data):
            break
        found.append((opcode, at + 9, at + 9 + length))
        at += 9 + length
    return found
