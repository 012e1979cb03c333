"""Comma-separated values: one row a stride as in strides.csv, or one a sample as in angles.csv."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from latemiles.exports.format import ANGLES, STRIDES, Format
from latemiles.report.files import angle_lines

if TYPE_CHECKING:
    from latemiles.analysis_result import Analysis

__all__ = ["CSV"]


def _write(analysis: Analysis, path: Path, rows: str) -> None:
    lines = angle_lines(analysis) if rows == ANGLES else analysis.strides.csv_lines()
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(lines)


CSV: Final = Format("csv", ".csv", "text table, units in the column names", _write, (STRIDES, ANGLES))
