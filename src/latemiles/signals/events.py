"""What the pipeline says: the output of ``Pipeline.push``, in order.

Every event is a frozen dataclass of plain numbers and words with a ``t_s`` in session seconds;
``event_bytes`` is the canonical form in which two runs of the pipeline are compared byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import Any

from latemiles.signals.frames import Segment, Side

__all__ = [
    "Activity",
    "CalibrationFound",
    "DriftFound",
    "DriftUpdate",
    "Event",
    "GaitEvent",
    "Gap",
    "LinkChanged",
    "LiveState",
    "Marked",
    "PoseRefused",
    "RunReplaced",
    "Slip",
    "Split",
    "Stride",
    "ThighsDoubted",
    "event_bytes",
]


@dataclass(frozen=True, slots=True)
class Gap:
    """Nothing was heard of one sensor between two times."""

    t_s: float
    """Start, s."""
    end_s: float
    segment: Segment
    reason: str


@dataclass(frozen=True, slots=True)
class GaitEvent:
    """Initial contact or toe-off of one foot."""

    t_s: float
    kind: str
    """``initial_contact`` or ``toe_off``."""
    side: Side
    confidence: float
    """0 to 1."""


@dataclass(frozen=True, slots=True)
class Activity:
    """From here on the person stands, walks or runs."""

    t_s: float
    activity: str
    """``still``, ``walking``, ``running`` or ``other``."""


@dataclass(frozen=True, slots=True)
class CalibrationFound:
    """The way the sensors sit on the body became known, or better known."""

    t_s: float
    reference: str
    """``standing`` or ``baseline``: what zero tilt and obliquity mean."""
    axes_from: str
    """``movement`` or ``running``: what the medio-lateral axes come from."""
    quat_segment_sensor: tuple[tuple[float, float, float, float], ...]
    """One a lane: takes sensor vectors to segment vectors; NaN where unknown."""
    obliquity_uncertainty_rad: float
    """One standard deviation of the mean obliquity that the mounting may cause, rad."""
    residual_rad: tuple[float, ...]
    """One a lane: how well the calibration repeats, rad; NaN where unknown."""
    standing_start_s: float
    standing_end_s: float
    movement_start_s: float
    movement_end_s: float
    zero_standing: tuple[float, ...] = ()
    """One a lane: 1 where zero is quiet standing, 0 where it is the mean of walking or running, because the
    sensor came later; empty: all as ``reference`` says."""


@dataclass(frozen=True, slots=True)
class PoseRefused:
    """A calibration pose that was told was none, and was not used."""

    t_s: float
    """When that was seen, s."""
    kind: str
    """``standing`` or ``movement``."""
    start_s: float
    end_s: float
    reason: str
    """Why, in words that follow "because"."""


@dataclass(frozen=True, slots=True)
class Slip:
    """One sensor moved on the body."""

    t_s: float
    segment: Segment
    angle_rad: float
    """Size of the step, rad."""


@dataclass(frozen=True, slots=True)
class ThighsDoubted:
    """The thigh sensors look as if they were on each other's legs; said once a run, while it goes on."""

    t_s: float


@dataclass(frozen=True, slots=True)
class Stride:
    """One stride, as a row of the metric catalogue."""

    t_s: float
    """Initial contact that starts it, s."""
    side: Side
    index: int
    """Running number in the run, over both sides, from 0."""
    values: tuple[float, ...]
    """One a numeric column of ``metrics.catalogue.NUMERIC_COLUMNS``, in that order; NaN is missing."""
    quality: int
    """StrideQuality bits."""


@dataclass(frozen=True, slots=True)
class Split:
    """Medians of the strides of one split (a mile or a kilometre, or a fixed time without distance)."""

    t_s: float
    """End, s."""
    index: int
    start_s: float
    distance_m: float
    """Length; NaN without a distance source."""
    strides: int
    strides_used: int
    values: tuple[float, ...]
    """Medians, one a numeric column of the catalogue."""
    heart_rate_bpm: float = float("nan")
    """Mean of what the source said in it; NaN where it did not."""
    climb_m: float = float("nan")
    """End above start, from the source's grade over its distance; NaN where it gives none."""


@dataclass(frozen=True, slots=True)
class DriftUpdate:
    """Where one headline metric stands against the runner's own start, now."""

    t_s: float
    metric: str
    change: float
    """Metric's unit (degrees for ``_deg``); smoothed recent value minus baseline; NaN before the baseline."""
    low: float
    high: float
    """95 % interval of the change."""
    detectable_change: float
    verdict: str
    alarm: int
    """-1, 0, +1: the online two-sided change detector."""


@dataclass(frozen=True, slots=True)
class LiveState:
    """A still of the posture, ten a second."""

    t_s: float
    pelvis: tuple[float, float, float]
    """tilt, obliquity, rotation, rad."""
    hip_left: tuple[float, float, float]
    hip_right: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Marked:
    """Somebody marked this moment."""

    t_s: float
    label: str


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """A sensor's link or battery changed, or it hangs."""

    t_s: float
    segment: Segment
    state: str
    """``up``, ``down``, ``battery`` or ``stuck``: heard, but it only repeats one value."""
    detail: str
    battery_percent: float


@dataclass(frozen=True, slots=True)
class DriftFound:
    """What the whole run says of one headline metric; made by the analysis afterwards, never by ``push``."""

    t_s: float
    """0: one result a run, so that a new analysis takes the place of the old one."""
    metric: str
    change: float
    """Late minus baseline, metric's unit, after speed and grade where ``is_adjusted``; NaN when too short."""
    low: float
    high: float
    """95 % interval of the change."""
    detectable_change: float
    verdict: str
    is_adjusted: int
    """1: speed and grade are taken off. 0: raw, for want of a source."""
    change_point_s: float
    """When the change began, s; NaN if there is none."""
    change_point_low_s: float
    change_point_high_s: float
    """95 % interval of that moment, s."""


@dataclass(frozen=True, slots=True)
class RunReplaced:
    """What was said of this run before is void: it goes through the pipeline again. Made by the store."""

    t_s: float
    """0."""


Event = (
    Gap
    | GaitEvent
    | Activity
    | CalibrationFound
    | PoseRefused
    | Slip
    | ThighsDoubted
    | Stride
    | Split
    | DriftUpdate
    | DriftFound
    | LiveState
    | Marked
    | LinkChanged
    | RunReplaced
)


def event_dict(event: Event) -> dict[str, Any]:
    """The event as plain values with its type's name under ``event``."""
    if not is_dataclass(event):
        raise TypeError(f"{type(event).__name__} is not an event; pass one of signals.events.Event.")
    return {"event": type(event).__name__, **asdict(event)}


def event_bytes(events: Iterable[Event]) -> bytes:
    """Canonical bytes: a JSON line an event; floats in shortest exact form, so equal bytes are equal bits."""
    return b"".join(
        json.dumps(event_dict(e), sort_keys=True, separators=(",", ":")).encode() + b"\n" for e in events
    )


def field_names(event_type: type[Any]) -> tuple[str, ...]:
    """Names of an event's fields, in order."""
    return tuple(f.name for f in fields(event_type))
