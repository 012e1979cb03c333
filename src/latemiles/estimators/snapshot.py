"""State of a stage as bytes: a JSON head and the raw arrays after it, so equal states are equal bytes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import ConfigError, InputError

__all__ = ["Stage", "pack", "pack_stages", "unpack", "unpack_stages"]


class Stage(Protocol):
    """Whatever can go on from bytes."""

    def save(self) -> bytes:
        """State as bytes."""

    def load(self, state: bytes, /) -> None:
        """Go on from what ``save`` gave."""


def pack_stages(stages: Sequence[tuple[str, Stage]]) -> bytes:
    """State of several stages, each with its name."""
    parts = [(name, stage.save()) for name, stage in stages]
    head = json.dumps([[name, len(body)] for name, body in parts]).encode()
    return len(head).to_bytes(8, "little") + head + b"".join(body for _, body in parts)


def unpack_stages(saved: bytes, stages: Sequence[tuple[str, Stage]]) -> None:
    """Let stages go on from ``pack_stages``.

    Raises
    ------
    ConfigError
        If the bytes are of other stages.
    """
    size = int.from_bytes(saved[:8], "little")
    at = 8 + size
    names = json.loads(saved[8:at])
    if [name for name, _ in names] != [name for name, _ in stages]:
        raise ConfigError("checkpoint", "is of another pipeline. Start from the recording instead.")
    for (_, length), (_, stage) in zip(names, stages, strict=True):
        stage.load(saved[at : at + length])
        at += length


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
