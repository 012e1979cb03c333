"""numpy archives with keys ``t``, ``acc_<segment>``, ``gyr_<segment>``."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import InputError, ShapeError
from latemiles.recording.checks import Imported, named
from latemiles.recording.reader import open_file
from latemiles.signals.blocks import ImuStream
from latemiles.signals.frames import Segment

__all__ = ["read_npz"]

_UNREADABLE = (ValueError, EOFError, OSError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError)
"""What numpy and zipfile raise on bytes that are no archive, or on a damaged one."""


def read_npz(path: Path) -> Imported:
    """Read an archive; a segment that is not in it is left out.

    ``t`` (n,) is s, ``acc_<segment>`` (n, 3) m/s^2 and ``gyr_<segment>`` (n, 3) rad/s in the sensor's
    frame; ``t_<segment>`` stands in for ``t`` where a sensor has its own time. Other keys are passed over.

    Raises
    ------
    InputError
        If it is no archive, lacks keys, or its arrays do not belong together.
    """
    with open_file(str(path)) as file:
        try:
            archive = np.load(file, allow_pickle=False)
        except _UNREADABLE as error:
            raise InputError(
                "a numpy archive (.npz)",
                f"bytes that are none ({path.name})",
                "Write it with numpy.savez, or import text with the format csv.",
            ) from error
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise InputError(
                "an archive of several arrays (.npz)",
                f"a single array ({path.name})",
                "Write it with numpy.savez(file, t=..., acc_pelvis=..., gyr_pelvis=..., ...).",
            )
        with archive:
            return Imported(_streams(path, archive))


def _streams(path: Path, archive: Any) -> dict[Segment, ImuStream]:
    keys = set(archive.files)
    found = [s for s in Segment if f"acc_{s.value}" in keys or f"gyr_{s.value}" in keys]
    if not found:
        raise InputError(
            "keys acc_<segment> and gyr_<segment>, segment one of " + ", ".join(s.value for s in Segment),
            f"{', '.join(sorted(keys))[:120] or 'no keys'} ({path.name})",
            "Rename the arrays.",
        )
    return {segment: _stream(path, archive, keys, segment) for segment in found}


def _stream(path: Path, archive: Any, keys: set[str], segment: Segment) -> ImuStream:
    name = segment.value
    time_key = f"t_{name}" if f"t_{name}" in keys else "t"
    wanted = (time_key, f"acc_{name}", f"gyr_{name}")
    missing = [key for key in wanted if key not in keys]
    if missing:
        raise InputError(
            f"the keys {', '.join(wanted)}",
            f"no {', no '.join(missing)} ({path.name})",
            "Add them, or leave that sensor out altogether.",
        )
    t, acc, gyr = (_array(path, archive, key) for key in wanted)
    for key, array in zip(wanted[1:], (acc, gyr), strict=True):
        if array.shape == (3, t.size) and t.size != 3:
            raise ShapeError(
                f"{key} of shape ({t.size}, 3)",
                f"(3, {t.size}) ({path.name})",
                "Transpose it: one row a sample.",
            )
    try:
        stream = ImuStream(t, acc, gyr)
    except InputError as error:
        raise named(error, f"{name} in {path.name}") from error
    if t.size == 0:
        raise InputError("one sample or more", f"none ({name} in {path.name})", "Leave that sensor out.")
    return stream


def _array(path: Path, archive: Any, key: str) -> NDArray[np.float64]:
    try:
        array = np.asarray(archive[key])
    except (*_UNREADABLE, MemoryError) as error:
        raise InputError(
            f"a readable array {key}", f"damaged or pickled bytes ({path.name})", "Write the file again."
        ) from error
    if array.dtype.kind not in "fiu":
        raise InputError(
            f"numbers in {key}", f"values of type {array.dtype} ({path.name})", "Store them as floats."
        )
    return array.astype(np.float64)
