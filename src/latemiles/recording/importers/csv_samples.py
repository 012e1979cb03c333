"""The canonical text form: ``segment,t_s,acc_x_m_s2,...,gyr_z_rad_s``, a header and one row a sample."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Sequence
from io import TextIOWrapper
from math import nan
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import numpy as np

from latemiles.errors import InputError, TimeOrderError, UnitError
from latemiles.recording.checks import Imported
from latemiles.recording.reader import open_file
from latemiles.signals.blocks import ImuStream
from latemiles.signals.frames import Segment

__all__ = ["COLUMNS", "read_csv"]

COLUMNS: Final = (
    "segment",
    "t_s",
    "acc_x_m_s2",
    "acc_y_m_s2",
    "acc_z_m_s2",
    "gyr_x_rad_s",
    "gyr_y_rad_s",
    "gyr_z_rad_s",
)
"""Columns that must be there, in any order; others are passed over."""

_N_NUMBERS: Final = len(COLUMNS) - 1
_OTHER_UNITS: Final = (
    (
        "acc_x_",
        "acc in m/s^2 (acc_x_m_s2, ...)",
        "Multiply by 9.80665 if it is in g, and rename the columns.",
    ),
    ("gyr_x_", "gyr in rad/s (gyr_x_rad_s, ...)", "Multiply by pi / 180 if it is in deg/s, and rename them."),
    ("t_", "times in s (t_s)", "Convert them to s, and rename the column."),
)


class _Lane:
    """Rows of one segment, packed, with the line each came from."""

    def __init__(self) -> None:
        self.numbers = array("d")
        self.lines = array("q")

    def stream(self, file_name: str, segment: Segment) -> ImuStream:
        """The rows as a stream; raises TimeOrderError with the line of the first row that is out of order."""
        table = np.frombuffer(self.numbers, dtype=np.float64).reshape(-1, _N_NUMBERS)
        t = table[:, 0]
        lost = np.flatnonzero(~np.isfinite(t))
        if lost.size:
            raise TimeOrderError(
                "a time in each row",
                f"{t[lost[0]]} (line {self.lines[lost[0]]} of {file_name})",
                "Drop the rows without a time.",
            )
        late = np.flatnonzero(np.diff(t) <= 0.0)
        if late.size:
            k = int(late[0]) + 1
            is_repeated = t[k] == t[k - 1]
            raise TimeOrderError(
                f"times of {segment.value} that increase from row to row",
                f"{t[k]} s after {t[k - 1]} s (lines {self.lines[k]} and {self.lines[k - 1]} of {file_name})",
                "Drop the repeated rows." if is_repeated else "Sort the rows by time.",
            )
        return ImuStream(t, table[:, 1:4], table[:, 4:])


def read_csv(path: Path) -> Imported:
    """Read a file; about a million rows in three seconds.

    An empty cell of ``acc`` or ``gyr`` is NaN, as the words ``nan`` are: a missing sample. Rows of several
    segments may be mixed; within one they must be in order of time.

    Raises
    ------
    InputError
        If columns are missing, a cell is not a number, a segment is unknown or there are no rows.
    TimeOrderError
        If the times of a segment do not strictly increase.
    UnitError
        If the columns are named in other units.
    """
    # utf-8-sig: spreadsheets put a byte order mark in front.
    with open_file(str(path)) as raw, TextIOWrapper(raw, encoding="utf-8-sig", newline="") as text:
        reader = csv.reader(text)
        try:
            lanes = _Rows(path.name, reader).read()
        except (UnicodeDecodeError, csv.Error) as error:
            reason = "bytes that are not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
            raise InputError(
                "a text file of comma-separated values",
                f"{reason} (after line {reader.line_num} of {path.name})",
                "Save it as CSV in UTF-8.",
            ) from error
    if not lanes:
        raise InputError(
            "a header and one row a sample", f"a header and no rows ({path.name})", "Export the file again."
        )
    return Imported({segment: lanes[segment].stream(path.name, segment) for segment in lanes})


class _Rows:
    """The rows of one file, sorted by segment."""

    def __init__(self, file_name: str, reader: Any) -> None:
        self._name = file_name
        self._reader = reader
        self._columns: tuple[int, ...] = ()

    def read(self) -> dict[Segment, _Lane]:
        """Every row of the file."""
        reader = self._reader
        self._columns = _find_columns(self._name, next(reader, None))
        at_segment, numbers_of = self._columns[0], itemgetter(*self._columns[1:])
        lanes: dict[Segment, _Lane] = {}
        by_text: dict[str, _Lane] = {}
        for row in reader:
            try:
                lane = by_text[row[at_segment]]
                values = list(map(float, numbers_of(row)))
            except (KeyError, IndexError, ValueError):
                if not row:
                    continue
                segment, values = self._odd_row(row)
                lane = by_text[row[at_segment]] = lanes.setdefault(segment, _Lane())
            lane.numbers.extend(values)
            lane.lines.append(reader.line_num)
        return lanes

    def _odd_row(self, row: Sequence[str]) -> tuple[Segment, list[float]]:
        """A row with a new segment or an empty cell, or the error that it is."""
        here = f"line {self._reader.line_num} of {self._name}"
        if len(row) <= max(self._columns):
            raise InputError(
                f"{max(self._columns) + 1} cells or more", f"{len(row)} ({here})", "Complete or drop the row."
            )
        text = row[self._columns[0]].strip()
        if text not in list(Segment):
            raise InputError(
                "a segment out of " + ", ".join(s.value for s in Segment),
                f"{text!r:.40} ({here})",
                "Rename it, or drop its rows.",
            )
        return Segment(text), [
            self._number(column, row[place], here)
            for column, place in zip(COLUMNS[1:], self._columns[1:], strict=True)
        ]

    @staticmethod
    def _number(column: str, cell: str, here: str) -> float:
        if not cell.strip() and column != "t_s":
            return nan
        try:
            return float(cell)
        except ValueError as error:
            raise InputError(
                f"a number in column {column}",
                f"{cell!r:.40} ({here})",
                "Write numbers with a decimal point, and nothing or nan where a sample is missing.",
            ) from error


def _find_columns(file_name: str, header: Sequence[str] | None) -> tuple[int, ...]:
    """Places of `COLUMNS` in the header."""
    if header is None:
        raise InputError(
            "a header and one row a sample", f"an empty file ({file_name})", "Export the file again."
        )
    names = [name.strip() for name in header]
    missing = [column for column in COLUMNS if column not in names]
    twice = [column for column in COLUMNS if names.count(column) > 1]
    if twice:
        raise InputError(
            f"one column {twice[0]}", f"{names.count(twice[0])} ({file_name})", "Rename or drop the others."
        )
    if not missing:
        return tuple(names.index(column) for column in COLUMNS)
    for start, expected, advice in _OTHER_UNITS:
        other = next((name for name in names if name.startswith(start) and name not in COLUMNS), None)
        if other is not None and any(column.startswith(start) for column in missing):
            raise UnitError(expected, f"a column {other!r:.40} ({file_name})", advice)
    advice = f"The header must name {','.join(COLUMNS)}."
    if any(mark in name for name in names for mark in ";\t"):
        advice = "Separate the cells with commas, and write numbers with a decimal point."
    shown = ",".join(names)
    raise InputError(
        "the columns " + ", ".join(missing),
        f"{shown if len(shown) <= 60 else shown[:57] + '...'!r} as first line ({file_name})",
        advice,
    )
