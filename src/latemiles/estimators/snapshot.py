"""State of a stage as bytes: a JSON head and the raw arrays after it, so equal states are equal bytes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import InputError

__all__ = ["pack", "unpack"]


def pack(plain: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> bytes:
    """Bytes of plain values (anything JSON takes, NaN included) and arrays."""
    shapes = {name: [a.dtype.str, list(a.shape)] for name, a in arrays.items()}
    head = json.dumps({"plain": plain, "arrays": shapes}, sort_keys=True).encode()
    body = b"".join(np.ascontiguousarray(arrays[name]).tobytes() for name in sorted(arrays))
    return len(head).to_bytes(8, "little") + head + body


def unpack(saved: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Plain values and writable arrays of ``pack``.

    Raises
    ------
    InputError
        If the bytes are not from ``pack``.
    """
    size = int.from_bytes(saved[:8], "little")
    try:
        head = json.loads(saved[8 : 8 + size])
        at = 8 + size
        arrays = {}
        for name, (dtype, shape) in head["arrays"].items():
            count = int(np.prod(shape))
            arrays[name] = np.frombuffer(saved, np.dtype(dtype), count, at).reshape(shape).copy()
            at += arrays[name].nbytes
        plain: dict[str, Any] = head["plain"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("a saved state", str(error), "Restore only what the same version saved.") from error
    return plain, arrays
