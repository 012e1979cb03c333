"""GPX tracks, through gpxpy; heart rate and cadence from the extensions that watches write."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from latemiles.errors import InputError
from latemiles.optional import needed
from latemiles.recording.reader import open_file
from latemiles.recording.watches.track import Track

__all__ = ["read_gpx"]

LARGEST_BYTES: Final = 100_000_000
"""gpxpy takes the file whole; this is days of points at one a second."""
_EXTENSIONS: Final = {"hr": "heart_rate_bpm", "cad": "cadence_spm", "speed": "speed_m_s"}


def read_gpx(path: Path) -> Track:
    """Read every point of every track in order.

    Raises
    ------
    EnvironmentMissing
        If gpxpy is not installed.
    InputError
        If the file is not GPX, is torn, or is too large.
    """
    gpxpy: Any = needed("gpxpy", "gpxpy", "A GPX file")
    parser: Any = needed("gpxpy.gpx", "gpxpy", "A GPX file")
    text = _text(path)
    try:
        gpx = gpxpy.parse(text)
    except (parser.GPXException, ValueError) as problem:
        raise InputError(
            "a whole GPX file", f"{path.name}: {str(problem) or 'not XML'}", "Export the activity again."
        ) from problem
    points = [point for track in gpx.tracks for segment in track.segments for point in segment.points]
    columns: dict[str, list[float]] = {name: [] for name in _EXTENSIONS.values()}
    for point in points:
        said = dict(_extensions(point.extensions))
        if point.speed is not None:
            said.setdefault("speed_m_s", float(point.speed))
        for name, column in columns.items():
            column.append(said.get(name, np.nan))
    elevation = np.array([np.nan if p.elevation is None else float(p.elevation) for p in points])
    naive = any(p.time is not None and p.time.tzinfo is None for p in points)
    return Track(
        utc_s=np.array([_utc_s(p.time) for p in points], dtype=np.float64),
        elevation_m=elevation,
        latitude_deg=np.array([float(p.latitude) for p in points]),
        longitude_deg=np.array([float(p.longitude) for p in points]),
        device=str(gpx.creator or ""),
        elevation_from="not stated" if np.isfinite(elevation).any() else "",
        notes=("Its times name no zone and were taken as UTC.",) if naive else (),
        **{name: np.array(column) for name, column in columns.items()},
    )


def _text(path: Path) -> str:
    with open_file(str(path)) as file:
        data = file.read(LARGEST_BYTES + 1)
    if len(data) > LARGEST_BYTES:
        raise InputError(
            f"a GPX file of at most {LARGEST_BYTES // 1_000_000} MB",
            f"more in {path.name}",
            "Export the one run that is meant, or export it as FIT.",
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise InputError(
            "a GPX file", f"bytes that are not UTF-8 in {path.name}", "Export it again."
        ) from problem
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        # Entities can blow a small file up to gigabytes; no watch writes them.
        raise InputError("a GPX file", f"a document type in {path.name}", "Export the activity again.")
    return text


def _utc_s(time: datetime | None) -> float:
    if time is None:
        return np.nan
    return (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp()


def _extensions(elements: list[Any]) -> Iterator[tuple[str, float]]:
    """Names and numbers of a point's extensions, whoever's namespace they are in."""
    for element in elements:
        name = str(element.tag).rpartition("}")[2]
        if name in _EXTENSIONS and element.text:
            try:
                yield _EXTENSIONS[name], float(element.text)
            except ValueError:
                # A word where a number should be is a missing number.
                continue
        yield from _extensions(list(element))
