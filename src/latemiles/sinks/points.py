"""Rows as points of a time-series database: measurement, tags, fields, time. No database is known here.

Measurements ``stride``, ``split``, ``form_drift``, ``mark`` and ``link``; tags ``athlete``, ``run`` and,
where they apply, ``side`` or ``segment``. Every field is a float but the label of a mark. A
point is made from its row alone, so that a row delivered again overwrites itself; docs/data-plane.md lists
the fields.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from latemiles.metrics.catalogue import NUMERIC_COLUMNS
from latemiles.metrics.table import EXCLUDING
from latemiles.signals.events import (
    CalibrationFound,
    DriftFound,
    DriftUpdate,
    Gap,
    LinkChanged,
    Marked,
    Slip,
    Split,
    Stride,
    ThighsDoubted,
)
from latemiles.signals.frames import SEGMENTS, Segment
from latemiles.sinks.outbox import Row

__all__ = ["DECIMALS", "MEASUREMENTS", "TAGS", "VERDICTS", "Point", "points"]

MEASUREMENTS: Final = ("stride", "split", "form_drift", "mark", "link")
TAGS: Final = ("athlete", "run", "side", "segment")
"""Fixed from the first release: InfluxDB 3 cannot change the tags of a table."""

VERDICTS: Final = (
    "too short",
    "no change",
    "small, inside noise",
    "likely change",
    "clear change",
    "cannot separate",
    "slip",
)
"""A verdict is written as its place in this list; append only."""

DECIMALS: Final = 6
"""Of every number that leaves for a server."""

_OF_A_STRIDE: Final = frozenset({"index", "t_ic_s", "t_to_s"})
"""Columns whose median over a split means nothing."""


@dataclass(frozen=True, slots=True)
class Point:
    """One point; NaN fields are left out."""

    measurement: str
    tags: dict[str, str]
    fields: dict[str, float | str]
    time_ns: int
    """ns since 1970 UTC."""


def points(row: Row, distance_m: float = math.nan) -> list[Point]:
    """The points of one row; none for a kind that a database has no use for.

    Parameters
    ----------
    row : Row
        From the outbox.
    distance_m : float
        Distance at the last stride before it, for form drift, which does not know it; NaN where unknown.
    """
    tags = {"athlete": row.athlete, "run": row.run}
    event = row.event
    match event:
        case Stride():
            made = [_stride(event, tags)]
        case Split():
            made = [_split(event, tags)]
        case DriftUpdate():
            made = [_form_drift(event, tags, distance_m)]
        case DriftFound():
            made = [_drift_found(event, tags)]
        case Marked():
            made = [("mark", tags, {"label": event.label, "t_s": event.t_s}, event.t_s)]
        case LinkChanged() | Gap() | Slip():
            made = [_link(event, tags)]
        case ThighsDoubted():
            made = [
                ("link", {**tags, "segment": str(segment)}, {"may_be_exchanged": 1.0}, event.t_s)
                for segment in (Segment.LEFT_THIGH, Segment.RIGHT_THIGH)
            ]
        case CalibrationFound():
            made = list(_calibration(event, tags))
        case _:
            made = []
    return [
        Point(measurement, tags, kept, row.started_utc_ns + round(t_s * 1e9))
        for measurement, tags, fields, t_s in made
        if (kept := _present(fields))
    ]


_Raw = tuple[str, dict[str, str], dict[str, float | str], float]


def _present(fields: dict[str, float | str]) -> dict[str, float | str]:
    """What is there, to a millionth of its unit: no sensor is finer, and some databases keep 13 digits."""
    return {
        k: v if isinstance(v, str) else round(float(v), DECIMALS)
        for k, v in fields.items()
        if isinstance(v, str) or math.isfinite(v)
    }


def _stride(stride: Stride, tags: dict[str, str]) -> _Raw:
    fields: dict[str, float | str] = dict(zip(NUMERIC_COLUMNS, stride.values, strict=True))
    fields["index"] = float(stride.index)
    fields["quality"] = float(stride.quality)
    # InfluxQL has no bit test on floats, and every chart of form drift needs this one.
    fields["used"] = float(stride.quality & int(EXCLUDING) == 0)
    return "stride", {**tags, "side": str(stride.side)}, fields, stride.t_s


def _split(split: Split, tags: dict[str, str]) -> _Raw:
    medians = zip(NUMERIC_COLUMNS, split.values, strict=True)
    fields: dict[str, float | str] = {name: v for name, v in medians if name not in _OF_A_STRIDE}
    fields |= {
        "split_index": float(split.index),
        "start_s": split.start_s,
        "end_s": split.t_s,
        "length_m": split.distance_m,
        "strides": float(split.strides),
        "strides_used": float(split.strides_used),
        "heart_rate_bpm": split.heart_rate_bpm,
        "climb_m": split.climb_m,
    }
    return "split", tags, fields, split.t_s


def _form_drift(update: DriftUpdate, tags: dict[str, str], distance_m: float) -> _Raw:
    # All metrics of a moment meet in one point: fields of the same series and time are merged.
    key = update.metric
    known = update.verdict in VERDICTS
    fields: dict[str, float | str] = {
        key: update.change,
        f"{key}_low": update.low,
        f"{key}_high": update.high,
        f"{key}_detectable": update.detectable_change,
        f"{key}_alarm": float(update.alarm),
        f"{key}_verdict": float(VERDICTS.index(update.verdict)) if known else math.nan,
        "t_s": update.t_s,
        "distance_m": distance_m,
    }
    return "form_drift", tags, fields, update.t_s


def _drift_found(found: DriftFound, tags: dict[str, str]) -> _Raw:
    key = found.metric
    known = found.verdict in VERDICTS
    fields: dict[str, float | str] = {
        f"{key}_final": found.change,
        f"{key}_final_low": found.low,
        f"{key}_final_high": found.high,
        f"{key}_final_detectable": found.detectable_change,
        f"{key}_final_verdict": float(VERDICTS.index(found.verdict)) if known else math.nan,
        f"{key}_final_adjusted": float(found.is_adjusted),
        # What a later analysis does not find any more is no field, and would stand here for ever without it.
        f"{key}_changed": float(math.isfinite(found.change_point_s)),
        f"{key}_change_point_s": found.change_point_s,
        f"{key}_change_point_low_s": found.change_point_low_s,
        f"{key}_change_point_high_s": found.change_point_high_s,
    }
    return "form_drift", tags, fields, found.t_s


def _link(event: LinkChanged | Gap | Slip, tags: dict[str, str]) -> _Raw:
    fields: dict[str, float | str]
    match event:
        case LinkChanged():
            up = {"up": 1.0, "down": 0.0, "stuck": 0.0}.get(event.state, math.nan)
            fields = {"up": up, "battery_percent": event.battery_percent}
        case Gap():
            fields = {"gap_s": event.end_s - event.t_s}
        case Slip():
            fields = {"slip_deg": math.degrees(event.angle_rad)}
    return "link", {**tags, "segment": str(event.segment)}, fields, event.t_s


def _calibration(found: CalibrationFound, tags: dict[str, str]) -> Iterable[_Raw]:
    for segment in SEGMENTS:
        residual = found.residual_rad[segment.lane] if segment.lane < len(found.residual_rad) else math.nan
        fields: dict[str, float | str] = {"calibration_residual_deg": math.degrees(residual)}
        if segment is SEGMENTS[0]:
            fields["donning_uncertainty_deg"] = math.degrees(found.obliquity_uncertainty_rad)
        yield "link", {**tags, "segment": str(segment)}, fields, found.t_s
