"""OpenSim's motion files: .mot in degrees by coordinate name, .sto in radians by path.

The coordinates are those of gait2392, Rajagopal 2015 and models made from them. Their pelvis turns about
its own axes in the order tilt, list, rotation (Z, X, Y with X forward, Y up, Z right), which is not Baker's:
the angles are taken apart anew, not renamed. In our axes that order reads Ry(-tilt) Rx(list) Rz(rotation),
the form of the right hip; so posterior tilt, right side down and right side forward are positive. The hips
have the same order and signs as ours on both sides.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

import numpy as np
from numpy.typing import NDArray

from latemiles.exports.format import Format
from latemiles.exports.pieces import Piece, known_span, pieces
from latemiles.signals.frames import Side, hip_angles, pelvis_quat

if TYPE_CHECKING:
    from latemiles.analysis_result import Analysis

__all__ = ["COORDINATES", "MOT", "STO", "opensim_pelvis"]

F8 = NDArray[np.float64]

COORDINATES: Final = (
    "pelvis_tilt",
    "pelvis_list",
    "pelvis_rotation",
    "hip_flexion_r",
    "hip_adduction_r",
    "hip_rotation_r",
    "hip_flexion_l",
    "hip_adduction_l",
    "hip_rotation_l",
)
"""Names of the coordinates in the order of the columns."""

_JOINTS: Final = ("ground_pelvis",) * 3 + ("hip_r",) * 3 + ("hip_l",) * 3


def opensim_pelvis(angles: F8) -> F8:
    """The pelvis as OpenSim's models turn it.

    Parameters
    ----------
    angles : float64 array, shape (..., 3)
        Tilt, obliquity, rotation in Baker's order, rad.

    Returns
    -------
    float64 array, shape (..., 3)
        pelvis_tilt (posterior +), pelvis_list (right side down +), pelvis_rotation (right side forward +),
        rad; NaN where the angles are.
    """
    return hip_angles(pelvis_quat(angles), Side.RIGHT)


def _coordinates(piece: Piece) -> F8:
    """(k, 9) rad in the order of ``COORDINATES``."""
    return np.concatenate([opensim_pelvis(piece.pelvis), piece.hip_right, piece.hip_left], axis=1)


def _known_columns(analysis: Analysis, span: slice) -> list[int]:
    """Coordinates that are known at any time; a model keeps its default in the others."""
    known = np.zeros(len(COORDINATES), dtype=bool)
    for piece in pieces(analysis, span):
        known |= np.isfinite(_coordinates(piece)).any(axis=0)
    return np.flatnonzero(known).tolist()


def _rows(analysis: Analysis, span: slice, columns: list[int], *, degrees: bool) -> Iterator[str]:
    for piece in pieces(analysis, span):
        values = _coordinates(piece)[:, columns]
        for t, row in zip(piece.t.tolist(), np.degrees(values) if degrees else values, strict=True):
            yield "\t".join([f"{t:.4f}", *(f"{v:.5f}" if degrees else f"{v:.7f}" for v in row)]) + "\n"


def _write(analysis: Analysis, path: Path, head: list[str], *, paths: bool) -> None:
    span = known_span(analysis)
    columns = _known_columns(analysis, span)
    labels = [f"/jointset/{_JOINTS[k]}/{COORDINATES[k]}/value" if paths else COORDINATES[k] for k in columns]
    counts = [f"nRows={span.stop - span.start}", f"nColumns={1 + len(columns)}"]
    with path.open("w", encoding="utf-8", newline="\n") as file:
        _head(file, [*head, *counts, *_notes(analysis), "endheader", "\t".join(["time", *labels])])
        file.writelines(_rows(analysis, span, columns, degrees=not paths))


def _head(file: TextIO, lines: list[str]) -> None:
    file.writelines(f"{line}\n" for line in lines)


def _notes(analysis: Analysis) -> list[str]:
    """What OpenSim passes over and a person should know; key=value lines, as its readers want."""
    return [
        f"basis={analysis.basis}",
        f"reference={analysis.reference}",
        "heading=progression",
    ]


def _write_mot(analysis: Analysis, path: Path, _rows: str) -> None:
    _write(analysis, path, ["Coordinates", "version=1", "inDegrees=yes"], paths=False)


def _write_sto(analysis: Analysis, path: Path, _rows: str) -> None:
    _write(analysis, path, ["Coordinates", "version=3", "DataType=double", "inDegrees=no"], paths=True)


MOT: Final = Format("mot", ".mot", "OpenSim motion, degrees", _write_mot)
STO: Final = Format("sto", ".sto", "OpenSim states table, radians", _write_sto)
