"""TCX activities, an element at a time."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from latemiles.errors import InputError
from latemiles.optional import needed
from latemiles.recording.reader import open_file
from latemiles.recording.watches.track import Track

__all__ = ["read_tcx"]

_NAMES: Final = {
    "AltitudeMeters": "elevation_m",
    "DistanceMeters": "distance_m",
    "LatitudeDegrees": "latitude_deg",
    "LongitudeDegrees": "longitude_deg",
    "Speed": "speed_m_s",
    "RunCadence": "cadence_spm",
    "Cadence": "cadence_spm",
}
"""Elements of a track point, whatever they are nested in; heart rate is the ``Value`` of ``HeartRateBpm``."""
_COLUMNS: Final = (*dict.fromkeys(_NAMES.values()), "heart_rate_bpm")


def read_tcx(path: Path) -> Track:
    """Read every track point of every lap in order.

    Raises
    ------
    EnvironmentMissing
        If defusedxml is not installed.
    InputError
        If the file is not TCX, or is torn.
    """
    tree: Any = needed("defusedxml.ElementTree", "defusedxml", "A TCX file")
    common: Any = needed("defusedxml.common", "defusedxml", "A TCX file")
    rows: list[dict[str, float]] = []
    device, naive, is_tcx = "", False, False
    with open_file(str(path)) as file:
        try:
            for _, element in tree.iterparse(file, events=("end",), forbid_dtd=True):
                name = _name(element)
                if name == "Trackpoint":
                    row, is_naive = _row(element)
                    rows.append(row)
                    naive |= is_naive
                    # What was read is not needed any more: a long file must not be in memory twice.
                    element.clear()
                elif name == "Creator":
                    device = next((child.text or "" for child in element if _name(child) == "Name"), "")
                elif name == "TrainingCenterDatabase":
                    is_tcx = True
        except (tree.ParseError, common.DefusedXmlException, ValueError) as problem:
            raise InputError(
                "a whole TCX file", f"{path.name}: {str(problem) or 'not XML'}", "Export the activity again."
            ) from problem
    if not is_tcx:
        raise InputError("a TCX file", f"another XML in {path.name}", "Check the name, or the format.")
    columns = {name: np.array([row.get(name, np.nan) for row in rows]) for name in _COLUMNS}
    return Track(
        utc_s=np.array([row.get("utc_s", np.nan) for row in rows], dtype=np.float64),
        device=device,
        elevation_from="not stated" if np.isfinite(columns["elevation_m"]).any() else "",
        notes=("Its times name no zone and were taken as UTC.",) if naive else (),
        **columns,
    )


def _name(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _row(point: Any) -> tuple[dict[str, float], bool]:
    """The numbers of one track point, and whether its time names no zone."""
    row: dict[str, float] = {}
    naive = False
    for element in point.iter():
        name, text = _name(element), (element.text or "").strip()
        if name == "Time" and text:
            time = datetime.fromisoformat(text)
            naive = time.tzinfo is None
            row["utc_s"] = (time.replace(tzinfo=UTC) if naive else time).timestamp()
        elif name == "HeartRateBpm":
            for value in element.iter():
                if _name(value) == "Value" and value.text:
                    row["heart_rate_bpm"] = float(value.text)
        elif name in _NAMES and text:
            row[_NAMES[name]] = float(text)
    return row, naive
