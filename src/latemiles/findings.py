"""What a pipeline said in one pass, sorted by kind, and what that says about how far to trust it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from latemiles.estimators.gait_events import KINDS
from latemiles.metrics.catalogue import COLUMN_INDEX
from latemiles.metrics.needs import SIDES_UNSURE
from latemiles.metrics.rows import StrideRows
from latemiles.metrics.sides import EXCHANGED_WORDS, may_be_exchanged
from latemiles.metrics.table import StrideTable
from latemiles.pipeline import Pipeline
from latemiles.signals.events import (
    Activity,
    CalibrationFound,
    Event,
    GaitEvent,
    Gap,
    Marked,
    PoseRefused,
    Slip,
    Split,
    Stride,
)
from latemiles.signals.frames import SEGMENTS, SIDES, Segment
from latemiles.signals.records import Speed
from latemiles.signals.results import QualityReport
from latemiles.signals.stretches import Stretch

__all__ = ["Findings", "quality_report"]

MUCH: Final = 0.1
"""Share of a run that a sensor may be silent for without a note of its own."""

FEW_HZ: Final = 45.0
"""Sensors of 50 samples a second are the slowest that still show the impacts of running."""

_THIGHS: Final = (Segment.LEFT_THIGH, Segment.RIGHT_THIGH)


class GaitRows:
    """Gait events appended one by one, kept in flat arrays: events of a whole run make memory slow."""

    def __init__(self) -> None:
        self._parts: list[NDArray[np.float64]] = [np.empty((0, 4))]
        """(n, 4) each, as ``GaitStage.rows`` gives them."""
        self._zero_s = 0.0

    def append(self, event: GaitEvent) -> None:
        """Keep one event."""
        self.extend(np.array([(KINDS.index(event.kind), event.t_s, event.side.lane, event.confidence)]))

    def extend(self, rows: NDArray[np.float64]) -> None:
        """Keep some as ``GaitStage.rows`` gives them; activities are passed over."""
        if len(rows):
            self._parts.append(rows)

    def move(self, by_s: float) -> None:
        """Count all times from elsewhere."""
        self._zero_s += by_s

    def columns(self) -> tuple[NDArray[np.float64], NDArray[np.str_], NDArray[np.str_], NDArray[np.float64]]:
        """Time, s, kind, side and confidence of each, in their order."""
        rows = np.concatenate(self._parts)
        what, t_s, lane, confidence = rows[rows[:, 0] < len(KINDS)].T
        sides = np.array([side.value for side in SIDES])
        return (
            t_s + self._zero_s,
            np.array(KINDS)[what.astype(int)],
            sides[lane.astype(int)],
            confidence.copy(),
        )


@dataclass(slots=True)
class Findings:
    """Events of one pass by kind, each in order."""

    strides: StrideRows = field(default_factory=StrideRows)
    gait: GaitRows = field(default_factory=GaitRows)
    splits: list[Split] = field(default_factory=list)
    slips: list[Slip] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    activities: list[Activity] = field(default_factory=list)
    marks: list[Marked] = field(default_factory=list)
    calibrations: list[CalibrationFound] = field(default_factory=list)
    refused: list[PoseRefused] = field(default_factory=list)
    speeds: list[Speed] = field(default_factory=list)
    duration_s: float = 0.0

    @property
    def calibration(self) -> CalibrationFound | None:
        """The last one found."""
        return self.calibrations[-1] if self.calibrations else None

    def hear(self, stretch: Stretch) -> None:
        """Note what the records themselves say."""
        self.speeds += [record for _, record in stretch.others if isinstance(record, Speed)]
        self.duration_s = max(self.duration_s, stretch.end_ns * 1e-9)

    def move(self, by_s: float) -> None:
        """Count all times from elsewhere."""
        self.strides.move(by_s)
        self.gait.move(by_s)
        for kind in fields(self):
            told = getattr(self, kind.name)
            if isinstance(told, list):
                setattr(self, kind.name, [_moved(event, by_s) for event in told])

    def take(self, events: Iterable[Event]) -> None:
        """Sort events by kind."""
        for event in events:
            match event:
                case Stride():
                    self.strides.append(event)
                case GaitEvent():
                    self.gait.append(event)
                case Split():
                    self.splits.append(event)
                case Slip():
                    self.slips.append(event)
                case Gap():
                    self.gaps.append(event)
                case Activity():
                    self.activities.append(event)
                case Marked():
                    self.marks.append(event)
                case CalibrationFound():
                    self.calibrations.append(event)
                case PoseRefused():
                    self.refused.append(event)
                case _:
                    # Drift updates and link changes are for those who watch; the table says it better.
                    pass


def _moved(event: Any, by_s: float) -> Any:
    """The same event on another time axis: every field of an event that is in s is a time."""
    changes: dict[str, Any] = {
        f.name: getattr(event, f.name) + by_s for f in fields(event) if f.name.endswith("_s")
    }
    if isinstance(event, Split):
        values = np.array(event.values, dtype=np.float64)
        values[[COLUMN_INDEX["t_ic_s"], COLUMN_INDEX["t_to_s"]]] += by_s
        changes["values"] = tuple(values.tolist())
    return replace(event, **changes)


def quality_report(pipeline: Pipeline, found: Findings, table: StrideTable) -> QualityReport:
    """Put together how far the numbers of a pass can be trusted, and why.

    Parameters
    ----------
    pipeline : Pipeline
        That has finished.
    found : Findings
        What it said.
    table : StrideTable
        Its strides.
    """
    calibration = found.calibration
    return QualityReport(
        duration_s=found.duration_s,
        basis=pipeline.basis,
        reference=calibration.reference if calibration else "unknown",
        sensors=pipeline.sensor_quality(),
        calibration=calibration,
        gaps=tuple(found.gaps),
        slips=tuple(found.slips),
        activities=tuple(found.activities),
        marks=tuple(found.marks),
        strides=len(table),
        strides_used=int(table.used.sum()),
        left_out=table.left_out(),
        notes=(*_notes(pipeline, found, calibration), *_exchanged(table)),
    )


def _exchanged(table: StrideTable) -> Iterable[str]:
    return [EXCHANGED_WORDS] if may_be_exchanged(table) else []


def _notes(pipeline: Pipeline, found: Findings, calibration: CalibrationFound | None) -> Iterable[str]:
    """Plain sentences that a reader must see."""
    heard = {q.segment: q for q in pipeline.sensor_quality() if q.samples}
    for segment in SEGMENTS:
        if segment not in heard:
            yield f"The {segment.label} sensor was not heard; its angles are missing."
        elif segment in pipeline.tally.useless:
            yield f"The {segment.label} sensor gave no usable sample; its angles are missing."
        elif heard[segment].missing_s > MUCH * found.duration_s:
            yield (
                f"The {segment.label} sensor was not heard for {heard[segment].missing_s / 60.0:.1f} of "
                f"{found.duration_s / 60.0:.1f} minutes; its angles are missing there."
            )
        if segment in heard and segment not in pipeline.tally.useless and heard[segment].rate_hz < FEW_HZ:
            yield (
                f"The {segment.label} sensor gave {heard[segment].rate_hz:.0f} samples a second; "
                f"below {FEW_HZ:.0f} the impacts of running are missed and its angles are coarse."
            )
    is_alone = Segment.PELVIS in heard and heard.keys().isdisjoint(_THIGHS)
    if found.strides and is_alone and SIDES_UNSURE not in pipeline.limits:
        yield SIDES_UNSURE
    for pose in found.refused:
        yield (
            f"The {pose.kind} told at {pose.start_s:.10g} to {pose.end_s:.10g} s was not used "
            f"because {pose.reason}."
        )
    yield from pipeline.limits
    if calibration is None:
        yield "How the sensors sit on the body could not be found; there are no angles."
    else:
        if calibration.reference == "standing" and not np.isfinite(calibration.standing_start_s):
            yield "Standing and squats were done before the run; a sensor that was moved since reads crooked."
        elif not np.isfinite(calibration.standing_start_s):
            yield "No quiet stance was found; zero means the average of the first minutes."
        for segment, stood in zip(SEGMENTS, calibration.zero_standing, strict=False):
            if calibration.reference == "standing" and not stood and segment in heard:
                yield (
                    f"The {segment.label} sensor came after the standing pose: upright is its "
                    "average in the first running with it. Compare it with itself, not with the other side."
                )
        if calibration.axes_from != "movement":
            yield "No squats were found; side to side angles rest on the running itself and are less certain."
    if found.strides and not any(np.isfinite(s.distance_m) or np.isfinite(s.speed_m_s) for s in found.speeds):
        yield "No speed source; what speed and grade explain could not be taken off."
    for segment, stuck_s in pipeline.tally.stuck_s.items():
        if stuck_s > 0.0:
            yield (
                f"The {segment.label} sensor repeated one value for {stuck_s:.1f} s; that counts as a gap. "
                "Switch it off and on before the next run, and replace it if this comes back."
            )
    for segment, count in pipeline.tally.bad_packets.items():
        if count:
            yield f"{count} packets of the {segment.label} sensor made no sense and were passed over."
