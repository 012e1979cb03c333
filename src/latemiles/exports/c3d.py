"""C3D, through ezc3d: angles as motion laboratories keep them, initial contact and toe-off as events."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from latemiles.exports.format import Format
from latemiles.exports.pieces import known_span, pieces, rate_of
from latemiles.optional import needed

if TYPE_CHECKING:
    from latemiles.analysis_result import Analysis

__all__ = ["ANGLE_POINTS", "C3D"]

F8 = NDArray[np.float64]

ANGLE_POINTS: Final = ("LPelvisAngles", "RPelvisAngles", "LHipAngles", "RHipAngles")
"""Points of the group of angles; x, y, z of each are the three angles in degrees."""
_MEANING: Final = (
    "tilt (anterior +), obliquity (left side up +), rotation (left side forward +); Baker's order",
    "tilt (anterior +), obliquity (right side up +), rotation (right side forward +); Baker's order",
    "flexion, adduction, internal rotation; Grood-Suntay",
    "flexion, adduction, internal rotation; Grood-Suntay",
)
MOST_FRAMES: Final = 65_535
"""The header counts frames in 16 bits: longer runs are several files."""
MOST_ENTRIES: Final = 255
"""A parameter counts its entries in 8 bits: more events go on in LABELS2 and so forth."""
_EVENTS: Final = {"initial_contact": "Foot Strike", "toe_off": "Foot Off"}


def _write(analysis: Analysis, path: Path, _rows: str) -> None:
    """The run in as many files as it needs: ``run.c3d``, ``run.2.c3d``, ..."""
    ezc3d: Any = needed("ezc3d", "ezc3d", "C3D")
    span = known_span(analysis)
    starts = range(span.start, span.stop, MOST_FRAMES)
    for number, start in enumerate(starts, start=1):
        name = path if number == 1 else path.with_name(f"{path.stem}.{number}{path.suffix}")
        stop = min(start + MOST_FRAMES, span.stop)
        _write_part(ezc3d, analysis, slice(start, stop), name, f"{number} of {len(starts)}")


def _write_part(ezc3d: Any, analysis: Analysis, span: slice, path: Path, part: str) -> None:
    file = ezc3d.c3d()
    points = _points(analysis, span)
    missing = ~np.isfinite(points).all(axis=0)
    start_s, end_s = float(analysis.t[span.start]), float(analysis.t[span.stop - 1])
    file["parameters"]["POINT"]["RATE"]["value"] = [rate_of(analysis)]
    file["parameters"]["POINT"]["LABELS"]["value"] = list(ANGLE_POINTS)
    file["data"]["points"] = np.concatenate([points, np.ones((1, *points.shape[1:]))])
    # The format's own word for a point that is not there: a residual of -1.
    file["data"]["meta_points"]["residuals"] = np.where(missing, -1.0, 0.0)[None]
    file.add_parameter("POINT", "UNITS", ["deg"] * len(ANGLE_POINTS))
    file.add_parameter("POINT", "DESCRIPTIONS", list(_MEANING))
    file.add_parameter("POINT", "ANGLES", list(ANGLE_POINTS))
    file.add_parameter("POINT", "ANGLE_UNITS", ["deg"])
    file.add_parameter("SUBJECTS", "USED", [1])
    file.add_parameter("SUBJECTS", "NAMES", [analysis.header.athlete])
    for name, value in _facts(analysis, start_s, part).items():
        file.add_parameter("LATEMILES", name, value)
    for name, value in _events(analysis, start_s, end_s):
        file.add_parameter("EVENT", name, value)
    file.write(str(path))


def _points(analysis: Analysis, span: slice) -> F8:
    """(3, points, frames) deg."""
    points = np.empty((3, len(ANGLE_POINTS), span.stop - span.start))
    for piece in pieces(analysis, span):
        here = slice(piece.first - span.start, piece.first - span.start + len(piece.t))
        for k, angles in enumerate(
            (piece.pelvis * [1.0, -1.0, -1.0], piece.pelvis, piece.hip_left, piece.hip_right)
        ):
            points[:, k, here] = np.degrees(angles).T
    return points


def _facts(analysis: Analysis, start_s: float, part: str) -> dict[str, list[Any]]:
    return {
        "RUN": [analysis.header.run],
        "BASIS": [analysis.basis],
        "REFERENCE": [analysis.reference],
        "FRAME": ["progression: heading removed"],
        "PART": [part],
        "START_S": [start_s],
    }


def _events(analysis: Analysis, start_s: float, end_s: float) -> Iterator[tuple[str, Any]]:
    """The group of events, 255 a parameter; times count from the file's first frame."""
    events = analysis.events
    here = np.flatnonzero((events.t_s >= start_s) & (events.t_s <= end_s))
    yield "USED", [len(here)]
    for number, first in enumerate(range(0, len(here), MOST_ENTRIES), start=1):
        some = here[first : first + MOST_ENTRIES]
        more = str(number) if number > 1 else ""
        yield f"CONTEXTS{more}", [str(side).capitalize() for side in events.side[some]]
        yield f"LABELS{more}", [_EVENTS[str(kind)] for kind in events.kind[some]]
        minutes, seconds = np.divmod(events.t_s[some] - start_s, 60.0)
        yield f"TIMES{more}", np.stack([minutes, seconds])


C3D: Final = Format("c3d", ".c3d", "angles and gait events of a motion laboratory", _write)
