"""State of a stage as bytes: equal states are equal bytes, on every machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import InputError

__all__ = ["pack", "unpack"]

ArrayOf = NDArray[np.float64] | NDArray[np.int64]


def pack(facts: Mapping[str, Any], arrays: Mapping[str, ArrayOf]) -> bytes:
    """Plain facts and arrays as one string of bytes: a line of JSON, then the arrays little-endian."""
    shapes = [[name, value.dtype.kind, list(value.shape)] for name, value in arrays.items()]
    head = json.dumps({"facts": facts, "arrays": shapes}, sort_keys=True, separators=(",", ":"))
    body = b"".join(np.ascontiguousarray(a, dtype=f"<{a.dtype.kind}8").tobytes() for a in arrays.values())
    return head.encode() + b"\n" + body


def unpack(state: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """What ``pack`` was given.

    Raises
    ------
    InputError
        If the bytes are not a saved state.
    """
    head, _, body = state.partition(b"\n")
    try:
        top = json.loads(head)
        arrays: dict[str, NDArray[Any]] = {}
        at = 0
        for name, kind, shape in top["arrays"]:
            n = int(np.prod(shape, dtype=np.int64))
            flat = np.frombuffer(body, dtype=f"<{kind}8", count=n, offset=at)
            arrays[name] = flat.reshape(shape).astype(np.int64 if kind == "i" else np.float64)
            at += 8 * n
    except (ValueError, KeyError, TypeError) as problem:
        raise InputError(
            "a state saved by this version", f"{len(state)} other bytes", "Start the stage afresh."
        ) from problem
    facts: dict[str, Any] = top["facts"]
    return facts, arrays
