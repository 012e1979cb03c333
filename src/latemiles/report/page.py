"""What the page says, worked out once: every view and the summary read their numbers here."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from latemiles.report.axis import RunAxis, run_axis
from latemiles.signals.frames import Segment
from latemiles.signals.quality import StrideQuality
from latemiles.trends.params import DriftParams

if TYPE_CHECKING:
    from latemiles.analysis_result import Analysis, ContextTrack
    from latemiles.signals.results import Ensemble, FormDrift, SensorQuality

__all__ = [
    "DROP",
    "DROP_DIFFERENCE",
    "LEAST_STRIDES",
    "TILT",
    "DropStory",
    "Page",
    "Shown",
    "build_page",
    "shown_of",
    "window_mean",
]

F8 = NDArray[np.float64]

TILT = "pelvic_tilt_mean_deg"
"""The headline metric."""
DROP = "pelvic_drop_excursion_deg"
"""Fall from initial contact to the lowest point of stance: free of the sensor's offset."""
DROP_DIFFERENCE = DROP + "_right_minus_left"
"""Form drift of its difference between the legs."""
LEAST_STRIDES = DriftParams().least_strides
"""Strides of a leg that the start and the late part each need."""

CHANGES = ("likely change", "clear change")
"""Verdicts beyond the band; colour is spent on these alone."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The change as the page states it: adjusted where there is a speed source, else raw."""

    change: float
    low: float
    high: float
    detectable: float
    verdict: str
    adjusted: bool
    raw_change: float

    @property
    def is_change(self) -> bool:
        """Whether the verdict is beyond the band."""
        return self.verdict in CHANGES

    @property
    def hidden(self) -> float:
        """What speed and the other covariates took off the raw change, in the change's own direction.

        Positive: they hid so much of it. Negative: they made so much of the raw change. NaN if not adjusted.
        """
        if not self.adjusted:
            return math.nan
        return (self.change - self.raw_change) * (1.0 if self.change >= 0.0 else -1.0)


@dataclass(frozen=True, slots=True)
class DropStory:
    """Right minus left of the offset-free drop: late against the runner's own start."""

    drift: FormDrift
    shown: Shown

    @property
    def start(self) -> float:
        """Level at the start."""
        return self.drift.baseline

    @property
    def late(self) -> float:
        """Level late in the run, as stated."""
        return self.drift.baseline + self.shown.change

    @property
    def beyond(self) -> bool:
        """Whether the difference between the legs changed."""
        return self.shown.is_change


@dataclass(frozen=True, slots=True)
class Page:
    """One run, ready to be told."""

    analysis: Analysis
    axis: RunAxis
    tilt: FormDrift | None
    shown: Shown | None
    drop: DropStory | None
    """None where the difference between the legs could not be compared."""
    context: ContextTrack
    """The sources, in order of time."""
    speed_start: float
    """Mean speed in the baseline window, m/s; NaN without a source."""
    speed_late: float
    strides: int
    running_strides: int
    has_speed: bool
    has_grade: bool

    @property
    def verdict(self) -> str:
        """The verdict of the headline metric; ``too short`` where it is not there at all."""
        return self.shown.verdict if self.shown else "too short"

    @property
    def measured(self) -> bool:
        """Whether there is a change with a number."""
        return self.shown is not None and self.verdict != "too short" and math.isfinite(self.shown.change)

    @property
    def reference_words(self) -> str:
        """What zero means, in words."""
        return {
            "standing": "your standing pose",
            "baseline": "the mean of your start",
            "absolute": "gravity",
            "unknown": "nothing, for the mounting was not found",
        }.get(self.analysis.reference, self.analysis.reference)

    @property
    def parts(self) -> tuple[Ensemble, ...]:
        """The parts of the run whose waveforms hold a stride."""
        return tuple(part for part in self.analysis.ensembles if part.strides > 0)

    def sensor(self, segment: Segment) -> SensorQuality | None:
        """What was heard of one sensor; None where the run never had it."""
        return next((s for s in self.analysis.quality.sensors if s.segment == segment), None)

    def heard(self, segment: Segment) -> bool:
        """Whether anything at all came from this sensor."""
        sensor = self.sensor(segment)
        return sensor is not None and sensor.samples > 0

    def heard_share(self, segment: Segment) -> float:
        """Share of the run in which a sensor was heard; after it died it was not."""
        sensor = self.sensor(segment)
        if sensor is None or sensor.samples == 0:
            return 0.0
        whole = max(float(sensor.expected), sensor.samples + max(0.0, sensor.missing_s) * sensor.rate_hz)
        return sensor.samples / whole if math.isfinite(whole) else math.nan

    def pelvis_slips_s(self) -> list[float]:
        """Times at which the pelvis sensor moved on the body."""
        return [s.t_s for s in self.analysis.quality.slips if s.segment == Segment.PELVIS]

    def pelvis_gaps_s(self) -> list[tuple[float, float]]:
        """Times in which the pelvis sensor was not heard."""
        return [(g.t_s, g.end_s) for g in self.analysis.quality.gaps if g.segment == Segment.PELVIS]

    def elevation(self) -> tuple[F8, F8] | None:
        """(time s, metres above the start), as told or summed from the grade; None without a source."""
        context = self.context
        told = np.isfinite(context.elevation_m)
        if told.any():
            above = context.elevation_m[told]
            return context.t_s[told], above - above[0]
        known = np.isfinite(context.grade)
        if not known.any():
            return None
        t_s = context.t_s[known]
        if self.axis.has_distance:
            metres = self.axis.at(t_s) * self.axis.unit.size
        else:
            heard = np.isfinite(context.speed_m_s)
            if not heard.any():
                return None
            speed = np.interp(t_s, context.t_s[heard], context.speed_m_s[heard])
            metres = np.cumsum(np.diff(t_s, prepend=t_s[:1]) * speed)
        return t_s, np.cumsum(context.grade[known] * np.diff(metres, prepend=metres[:1]))

    def band_after_slip(self) -> float:
        """Half width of the band after a slip: the detectable change with the step that the slip made."""
        if self.tilt is None or self.shown is None:
            return math.nan
        left = [r.share for r in self.tilt.rivals if r.name == "slip" and math.isfinite(r.share)]
        return math.hypot(self.shown.detectable, *left)


def build_page(analysis: Analysis, units: str) -> Page:
    """Work out what the page says.

    Parameters
    ----------
    analysis : Analysis
        One run.
    units : str
        ``metric`` or ``mile``.

    Raises
    ------
    ConfigError
        If the units are neither.
    """
    tilt = analysis.form_drift.get(TILT)
    shown = shown_of(tilt) if tilt else None
    context = _in_order(analysis.context)
    speed_t, speed = context.t_s, context.speed_m_s
    if not np.isfinite(speed).any():
        speed_t, speed = analysis.strides["t_ic_s"], analysis.strides["speed_m_s"]
    walking = (analysis.strides["quality"].astype(np.int64) & int(StrideQuality.NOT_RUNNING)) != 0
    return Page(
        analysis=analysis,
        axis=run_axis(analysis, context, units),
        context=context,
        tilt=tilt,
        shown=shown,
        drop=_drop_story(analysis.form_drift.get(DROP_DIFFERENCE)),
        speed_start=window_mean(speed_t, speed, tilt.baseline_window_s) if tilt else math.nan,
        speed_late=window_mean(speed_t, speed, tilt.late_window_s) if tilt else math.nan,
        strides=analysis.quality.strides,
        running_strides=int(np.count_nonzero(~walking)),
        has_speed=bool(np.isfinite(speed).any()),
        has_grade=bool(np.isfinite(context.grade).any()),
    )


def shown_of(drift: FormDrift) -> Shown:
    """Pick what is stated of a change: the adjusted numbers where there are any, and the one verdict."""
    adjusted = drift.adjusted
    if adjusted is None or not math.isfinite(adjusted.change):
        low, high = drift.interval
        return Shown(drift.change, low, high, drift.detectable_change, drift.verdict, False, drift.change)
    low, high = adjusted.interval
    # The drift's own verdict already weighs the adjusted change, slips and headings.
    return Shown(adjusted.change, low, high, adjusted.detectable_change, drift.verdict, True, drift.change)


def window_mean(t_s: F8, values: F8, window_s: tuple[float, float]) -> float:
    """Mean of the known values inside a window; NaN without any."""
    inside = (t_s >= window_s[0]) & (t_s < window_s[1]) & np.isfinite(values)
    return float(np.mean(values[inside])) if inside.any() else math.nan


def _in_order(context: ContextTrack) -> ContextTrack:
    """The sources sorted by time: a watch may tell late."""
    order = np.argsort(context.t_s, kind="stable")
    return replace(context, **{f.name: getattr(context, f.name)[order] for f in fields(context)})


def _drop_story(drift: FormDrift | None) -> DropStory | None:
    if drift is None or not math.isfinite(drift.change):
        return None
    return DropStory(drift, shown_of(drift))
