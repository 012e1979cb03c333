"""The files of one run: each is either all there or not there at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from latemiles.errors import StoreError
from latemiles.metrics.catalogue import NUMERIC_COLUMNS
from latemiles.metrics.table import numeric_fields
from latemiles.report.render import render_report
from latemiles.report.summary import summary_dict
from latemiles.signals.frames import ANGLES

if TYPE_CHECKING:
    from latemiles.analysis_result import Analysis

__all__ = ["ANGLE_COLUMNS", "SPLIT_COLUMNS", "angle_lines", "write_outputs"]

ANGLE_COLUMNS = (
    "t_s",
    *(f"{name}_deg" for name in ANGLES[:3]),
    *(f"left_{name}_deg" for name in ANGLES[3:]),
    *(f"right_{name}_deg" for name in ANGLES[3:]),
)
"""Columns of ``angles.csv``: time, pelvis, left hip, right hip."""

_ANGLE_ROWS = 12_000

# The catalogue's own ``index`` and ``distance_m`` are of strides; a median of them says nothing of a split.
_SPLIT_OWN = (
    "index",
    "start_s",
    "end_s",
    "distance_m",
    "strides",
    "strides_used",
    "heart_rate_bpm",
    "climb_m",
)
_SPLIT_MEDIANS = tuple(name for name in NUMERIC_COLUMNS if name not in (*_SPLIT_OWN, "t_ic_s", "t_to_s"))
SPLIT_COLUMNS = (*_SPLIT_OWN, *_SPLIT_MEDIANS)
"""Columns of ``splits.csv``: the split's own, then medians of the strides."""


def write_outputs(
    analysis: Analysis, out_dir: str | Path, *, angles: bool = False, units: str = "metric"
) -> dict[str, Path]:
    """Write ``strides.csv``, ``splits.csv``, ``summary.json``, ``report.html`` and maybe ``angles.csv``.

    Parameters
    ----------
    analysis : Analysis
        One run.
    out_dir : path
        Made if it is not there. Files of the same name are replaced, each at once.
    angles : bool
        Write the angles of every grid sample too; needs an analysis that kept them.
    units : str
        ``metric`` or ``mile``, for the report.

    Returns
    -------
    dict of str to Path
        File name to the file.

    Raises
    ------
    StoreError
        If the folder cannot be written, or angles are asked for and were not kept.
    ConfigError
        If the units are neither.
    """
    if angles and len(analysis.t) == 0:
        raise StoreError("The angles of this run were not kept. Analyze it again and ask for angles there.")
    summary = json.dumps(summary_dict(analysis, units=units), allow_nan=False, ensure_ascii=False, indent=1)
    contents: dict[str, Iterable[str]] = {
        "strides.csv": analysis.strides.csv_lines(),
        "splits.csv": _split_lines(analysis),
        "summary.json": [summary, "\n"],
        "report.html": [render_report(analysis, units=units)],
    }
    if angles:
        contents["angles.csv"] = angle_lines(analysis)
    folder = Path(out_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return {name: _write(folder / name, lines) for name, lines in contents.items()}
    except OSError as problem:
        raise StoreError(
            f"{folder} cannot be written ({problem.strerror}). Choose a folder that you may write to."
        ) from problem


def _write(path: Path, lines: Iterable[str]) -> Path:
    """Write beside the target and swap, so that a reader never sees half a file."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def _number(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}" if np.isfinite(value) else ""


def _split_lines(analysis: Analysis) -> Iterator[str]:
    yield ",".join(SPLIT_COLUMNS) + "\n"
    for split in analysis.splits:
        own = [
            str(split.index),
            _number(split.start_s, 3),
            _number(split.t_s, 3),
            _number(split.distance_m, 2),
        ]
        fields = dict(zip(NUMERIC_COLUMNS, numeric_fields(split.values), strict=True))
        medians = [fields[name] for name in _SPLIT_MEDIANS]
        counts = [str(split.strides), str(split.strides_used)]
        ground = [_number(split.heart_rate_bpm, 1), _number(split.climb_m, 1)]
        yield ",".join([*own, *counts, *ground, *medians]) + "\n"


def angle_lines(analysis: Analysis) -> Iterator[str]:
    """Lines of ``angles.csv``, header first, a minute of the run in memory at a time."""
    yield ",".join(ANGLE_COLUMNS) + "\n"
    for start in range(0, len(analysis.t), _ANGLE_ROWS):
        here = slice(start, start + _ANGLE_ROWS)
        rows = np.column_stack([analysis.pelvis[here], analysis.hip_left[here], analysis.hip_right[here]])
        for t_s, row in zip(analysis.t[here], np.degrees(rows), strict=True):
            yield ",".join([f"{t_s:.4f}", *(_number(float(v), 3) for v in row)]) + "\n"
