"""What Movella (Xsens) DOT sensors recorded inside themselves, as their app and exporter write it: CSV.

A folder with one file a sensor. Each begins with lines of ``name:,value`` (``DeviceTag``, ``StartTime``,
``SyncStatus``), then a header and a row a sample (Movella DOT User Manual XD0502P, sections 4.2 and 5).
``SampleTimeFine`` counts microseconds in 32 bits, which wrap after 71.6 minutes.
"""

from __future__ import annotations

import csv
import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from io import TextIOWrapper
from math import pi
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import InputError, TimeOrderError
from latemiles.recording.checks import Imported, named
from latemiles.recording.reader import open_file
from latemiles.signals.blocks import ImuStream
from latemiles.signals.frames import GRAVITY_M_S2, Segment, quat_conj, quat_multiply, quat_rotate

__all__ = ["read_dot"]

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

_TIME: Final = "sampletimefine"
_WRAP: Final = 1 << 32
_US: Final = 1e-6
_DEG: Final = pi / 180.0
_FARTHEST_START_S: Final = 60.0
"""Sensors that share a clock begin within this; the app starts them one after another."""
_LONGEST_PREAMBLE: Final = 40
_NAMES: Final[Mapping[str, Segment]] = {
    "pelvis": Segment.PELVIS,
    "sacrum": Segment.PELVIS,
    **dict.fromkeys(("leftthigh", "lthigh", "leftupperleg", "lfemur"), Segment.LEFT_THIGH),
    **dict.fromkeys(("rightthigh", "rthigh", "rightupperleg", "rfemur"), Segment.RIGHT_THIGH),
}
"""How people call the places, in small letters only."""
_RATES: Final = ("acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z")
_STEPS: Final = ("dq_w", "dq_x", "dq_y", "dq_z", "dv[1]", "dv[2]", "dv[3]")
_FREE: Final = ("freeacc_x", "freeacc_y", "freeacc_z")
_QUATS: Final = ("quat_w", "quat_x", "quat_y", "quat_z", *_FREE)
_EULERS: Final = ("euler_x", "euler_y", "euler_z", *_FREE)
_WAYS: Final[Mapping[str, tuple[str, ...]]] = {
    "acceleration and turning rate": _RATES,
    "increments of orientation and velocity": _STEPS,
    "orientation and free acceleration": _QUATS,
    "Euler angles and free acceleration": _EULERS,
}
"""Sets of columns from which samples can be made, the best first."""
_OTHER_SPELLINGS: Final = {
    f"dv{mark}{axis}": f"dv[{k}]" for mark in ("_", "") for k in (1, 2, 3) for axis in (str(k), "xyz"[k - 1])
}


@dataclass(frozen=True, slots=True)
class _Export:
    """One sensor's file."""

    path: Path
    about: Mapping[str, str]
    ticks: I8
    """(n,) us since an epoch of the sensor, without wraps."""
    acc: F8
    gyr: F8
    way: str


def read_dot(path: Path) -> Imported:
    """Read the files of one recording.

    ``Acc_`` and ``Gyr_`` columns are used where they are there; else ``dq_`` and ``dv_``; else orientation
    and free acceleration, from which the sensor's readings are worked out.

    Parameters
    ----------
    path : Path
        The folder with the files, one a sensor. Where each sensor sits is read from its name in the app
        (``DeviceTag``) or from the beginning of the file's name.

    Raises
    ------
    InputError
        If it is no folder, a file is no such export, a sensor's place is not said, or two claim one.
    TimeOrderError
        If times do not increase, or the sensors were not synchronized with each other.
    """
    if not path.is_dir():
        raise InputError(
            "the folder that holds the files of all sensors",
            f"a file ({path.name})",
            "Put the files of one run into a folder of their own and give that.",
        )
    files = sorted(p for p in path.iterdir() if p.suffix.lower() == ".csv")
    if not files:
        raise InputError("a CSV file of each sensor", f"none ({path.name})", "Export the recording as CSV.")
    exports: dict[Segment, _Export] = {}
    for file in files:
        export = _read(file)
        segment = _segment_of(export)
        if segment in exports:
            raise InputError(
                f"one file of the {segment.label}",
                f"two ({exports[segment].path.name}, {file.name})",
                "Keep the files of one run in a folder of their own.",
            )
        exports[segment] = export
    return Imported(_together(exports), _started(exports), _extra(exports))


def _segment_of(export: _Export) -> Segment:
    tag = export.about.get("devicetag", "")
    for name in (tag, export.path.stem):
        letters = re.sub(r"[^a-z]", "", name.lower())
        for word, segment in _NAMES.items():
            if letters.startswith(word):
                return segment
    raise InputError(
        "a sensor named pelvis, left_thigh or right_thigh",
        f"{tag!r:.40} ({export.path.name})",
        "Name the sensor so in the app, or begin the file's name with it.",
    )


def _together(exports: Mapping[Segment, _Export]) -> dict[Segment, ImuStream]:
    """Streams on one clock, which begins with the first sample of all."""
    starts = {segment: int(export.ticks[0]) for segment, export in exports.items()}
    base = next(iter(starts.values()))
    # Counted from one of them, as one may have wrapped before the others began.
    shifts = {s: (start - base + _WRAP // 2) % _WRAP - _WRAP // 2 for s, start in starts.items()}
    apart_s = (max(shifts.values()) - min(shifts.values())) * _US
    alone = [x.path.name for x in exports.values() if x.about.get("syncstatus", "").lower() == "unsynced"]
    if len(exports) > 1 and (alone or apart_s > _FARTHEST_START_S):
        got = f"{alone[0]} says Unsynced" if alone else f"clocks that begin {apart_s:.0f} s apart"
        raise TimeOrderError(
            "sensors that were synchronized with each other",
            f"{got} ({', '.join(sorted(x.path.name for x in exports.values()))})",
            "Synchronize them in the app before recording. One sensor can be imported by itself.",
        )
    first = min(shifts.values())
    streams = {}
    for segment, export in exports.items():
        t = (export.ticks - export.ticks[0] + shifts[segment] - first) * _US
        try:
            streams[segment] = ImuStream(t, export.acc, export.gyr)
        except InputError as error:
            raise named(error, export.path.name) from error
    return streams


def _started(exports: Mapping[Segment, _Export]) -> int:
    """Wall-clock time of session zero, ns since 1970; 0 where no file says it."""
    return min((ns for x in exports.values() if (ns := _utc_ns(x.about.get("starttime", "")))), default=0)


def _utc_ns(text: str) -> int:
    """``2021-08-30_17:05:05_000 GMT+8`` as ns since 1970; 0 for anything else."""
    found = re.fullmatch(
        r"(\d{4}-\d\d-\d\d)_(\d\d)[:-](\d\d)[:-](\d\d)_(\d{3}) (?:GMT|UTC)([+-]\d{1,2})?(?::?(\d\d))?", text
    )
    if found is None:
        return 0
    day, hour, minute, second, ms, ahead, more = found.groups()
    offset = timedelta(
        hours=int(ahead or 0), minutes=int(more or 0) * (-1 if (ahead or "").startswith("-") else 1)
    )
    try:
        then = datetime.fromisoformat(f"{day}T{hour}:{minute}:{second}").replace(tzinfo=timezone(offset))
    except ValueError:
        return 0
    return round(then.timestamp()) * 1_000_000_000 + int(ms) * 1_000_000


def _extra(exports: Mapping[Segment, _Export]) -> dict[str, str]:
    """What the header keeps of each file."""
    extra = {}
    for segment, x in exports.items():
        firmware = x.about.get("firmwareversion", "unknown")
        tag = x.about.get("devicetag", "")
        extra[segment.value] = f"DOT {tag}, firmware {firmware}, {x.path.name}, from {x.way}"
    return extra


def _read(path: Path) -> _Export:
    with open_file(str(path)) as raw, TextIOWrapper(raw, encoding="utf-8-sig", newline="") as text:
        try:
            return _parsed(path, text)
        except (UnicodeDecodeError, csv.Error) as error:
            raise InputError(
                "a text file of comma-separated values", f"{error} ({path.name})", "Export it again as CSV."
            ) from error


def _parsed(path: Path, text: TextIOWrapper) -> _Export:
    about, names, separator, line = _preamble(path, text)
    way, places = _columns(path, names)
    numbers, lines = array("d"), array("q")
    for row in csv.reader(text, delimiter=separator):
        line += 1
        if not any(cell.strip() for cell in row):
            continue
        try:
            numbers.extend([float(row[place]) for place in places])
        except (IndexError, ValueError) as error:
            raise InputError(
                f"{len(names)} numbers a row",
                f"{error} (line {line} of {path.name})",
                "Export the file again.",
            ) from error
        lines.append(line)
    if not lines:
        raise InputError("a row a sample", f"a header and no rows ({path.name})", "Export the file again.")
    table = np.frombuffer(numbers).reshape(-1, len(places))
    ticks = _unwrapped(path, table[:, 0], lines)
    acc, gyr = _samples(way, table[:, 1:], np.diff(ticks, prepend=ticks[:1]) * _US)
    # The first rows may be written before there is a measurement.
    empty = (table[:, 1:] == 0.0).all(axis=1)
    acc[empty], gyr[empty] = np.nan, np.nan
    return _Export(path, about, ticks, acc, gyr, way)


def _preamble(path: Path, text: TextIOWrapper) -> tuple[dict[str, str], list[str], str, int]:
    """What stands above the samples, the names of the columns, the separator and the lines read so far."""
    about: dict[str, str] = {}
    separator = ","
    for number, line in enumerate(_head(text), start=1):
        plain = line.strip()
        if plain.lower().startswith("sep=") and len(plain) > len("sep="):
            separator = plain[4]
            continue
        cells = [cell.strip() for cell in plain.split(separator)]
        if _TIME in (names := [_spelled(cell) for cell in cells]):
            return about, names, separator, number
        if cells[0].endswith(":"):
            about[cells[0].rstrip(": ").replace(" ", "").lower()] = separator.join(cells[1:]).strip()
    raise InputError(
        "a header with SampleTimeFine", f"none ({path.name})", "Export the recording of a DOT as CSV."
    )


def _head(text: TextIOWrapper) -> Iterator[str]:
    for _ in range(_LONGEST_PREAMBLE):
        line = text.readline(4096)
        if not line:
            return
        yield line


def _spelled(name: str) -> str:
    small = name.lower()
    return _OTHER_SPELLINGS.get(small, small)


def _columns(path: Path, names: Sequence[str]) -> tuple[str, list[int]]:
    """The best set of columns that is there: its name, and the places of the time and of its columns."""
    for way, wanted in _WAYS.items():
        if all(column in names for column in wanted):
            return way, [names.index(column) for column in (_TIME, *wanted)]
    raise InputError(
        "columns Acc_ and Gyr_, or dq_ and dv, or Quat_ or Euler_ and FreeAcc_",
        f"{','.join(names):.80} ({path.name})",
        "Export them as well; record in the mode 'rate quantities' for the best.",
    )


def _unwrapped(path: Path, times: F8, lines: Sequence[int]) -> I8:
    """Times in us without wraps."""
    good = np.isfinite(times) & (times >= 0.0) & (times < _WRAP) & (times == np.floor(times))
    if not good.all():
        k = int(np.flatnonzero(~good)[0])
        raise TimeOrderError(
            "SampleTimeFine in whole microseconds of 32 bits",
            f"{times[k]} (line {lines[k]} of {path.name})",
            "Export the file again.",
        )
    ticks = times.astype(np.int64)
    steps = np.diff(ticks) % _WRAP
    late = np.flatnonzero((steps == 0) | (steps >= _WRAP // 2))
    if late.size:
        k = int(late[0]) + 1
        raise TimeOrderError(
            "times that increase from row to row",
            f"{ticks[k]} after {ticks[k - 1]} us (lines {lines[k]} and {lines[k - 1]} of {path.name})",
            "If the sensor restarted in between, cut the file there.",
        )
    return np.concatenate([ticks[:1], ticks[0] + np.cumsum(steps)])


def _samples(way: str, values: F8, dt_s: F8) -> tuple[F8, F8]:
    """Specific force (n, 3) m/s^2 and turning rate (n, 3) rad/s in the sensor's frame."""
    columns = _WAYS[way]
    if columns is _RATES:
        return values[:, :3].copy(), values[:, 3:] * _DEG
    # The length of the first step is not known; it is taken to be the second one's.
    dt_s = np.where(dt_s > 0.0, dt_s, dt_s[1] if len(dt_s) > 1 else np.nan)
    if columns is _STEPS:
        return values[:, 4:] / dt_s[:, None], _turn(values[:, :4]) / dt_s[:, None]
    quat = values[:, :4] if columns is _QUATS else _from_euler(values[:, :3])
    size = np.linalg.norm(quat, axis=1, keepdims=True)
    quat = quat / np.where(size > 0.0, size, np.nan)
    acc = quat_rotate(quat_conj(quat), values[:, -3:] + [0.0, 0.0, GRAVITY_M_S2])
    gyr = np.full_like(acc, np.nan)
    gyr[1:] = _turn(quat_multiply(quat_conj(quat[:-1]), quat[1:])) / dt_s[1:, None]
    return acc, gyr


def _turn(quat: F8) -> F8:
    """Rotation vectors (n, 3), rad, of small rotations (n, 4)."""
    quat = np.where(quat[:, :1] < 0.0, -quat, quat)
    size = np.linalg.norm(quat[:, 1:], axis=1, keepdims=True)
    angle = 2.0 * np.arctan2(size, quat[:, :1])
    with np.errstate(invalid="ignore"):
        factor = np.where(size > 0.0, angle / np.where(size > 0.0, size, 1.0), 2.0)
    return np.asarray(quat[:, 1:] * factor)


def _from_euler(euler_deg: F8) -> F8:
    """Quaternions (n, 4) of roll, pitch and yaw, deg; about z, then y, then x (manual, table 10)."""
    half = euler_deg * (0.5 * _DEG)
    zero = np.zeros(len(half))
    x, y, z = (
        np.stack(
            [np.cos(half[:, k]), *(np.sin(half[:, k]) if axis == k else zero for axis in range(3))], axis=1
        )
        for k in range(3)
    )
    return np.asarray(quat_multiply(quat_multiply(z, y), x))
