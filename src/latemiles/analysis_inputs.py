"""What ``analyze`` is handed, checked and turned into the records that a run would have heard.

The pipeline counts from the start of a run. Streams whose time was counted from elsewhere (since 1970, or
before a gun) are moved by whole seconds, which keeps the grid, and what was found is moved back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import floor
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import InputError, ShapeError, TimeOrderError, UnitError
from latemiles.estimators.mounting import Calibration
from latemiles.pipeline import GIVEN
from latemiles.recording.checks import check_stream, check_together, with_full_scales
from latemiles.recording.reader import Recording
from latemiles.sensors.drivers.samples import records as sample_records
from latemiles.signals.blocks import ImuStream
from latemiles.signals.frames import Segment
from latemiles.signals.records import Gone, Link, Packet, Pose, Record, RunHeader, Speed
from latemiles.signals.stretches import Stretch, stretches_of, with_lanes, with_speeds

__all__ = [
    "Run",
    "Track",
    "header_with_thighs_swapped",
    "records_with_thighs_swapped",
    "run_of_recording",
    "run_of_streams",
    "told_poses",
    "told_tracks",
]

F8 = NDArray[np.float64]
Track = tuple[Any, Any]

FASTEST_M_S: Final = 12.5
"""No human runs faster, m/s; a median above it is not m/s."""
STEEPEST: Final = 1.0
"""Rise over run; a grade whose median size is above is in percent."""


OTHER_THIGH: Final = {
    Segment.LEFT_THIGH: Segment.RIGHT_THIGH,
    Segment.RIGHT_THIGH: Segment.LEFT_THIGH,
}


@dataclass(frozen=True, slots=True)
class Run:
    """Records that can be gone through more than once."""

    header: RunHeader
    stretches: Callable[[], Iterable[Stretch]]
    duration_s: float
    """Session time of the last sample, s."""
    zero_s: float = 0.0
    """Session time zero on the time axis of whoever called, s."""

    @property
    def span(self) -> str:
        """The time of the run, in words, on the axis of whoever called."""
        return f"{self.zero_s:.10g} to {self.zero_s + self.duration_s:.10g} s"

    def with_tracks(self, tracks: list[Speed]) -> Run:
        """The same run with what was told of speed, grade and distance in its place.

        Raises
        ------
        InputError
            If a track says nothing of any moment of the run.
        """
        if not tracks:
            return self
        times = [track.t_s - self.zero_s for track in tracks]
        if times[-1] < 0.0 or times[0] > self.duration_s:
            raise InputError(
                f"speed, grade or distance within the run, {self.span}",
                f"times from {tracks[0].t_s:.10g} to {tracks[-1].t_s:.10g} s",
                "Bring them onto the time axis of the samples.",
            )
        timed = [
            replace(track, t_s=t, arrival_ns=max(0, round(t * 1e9)))
            for track, t in zip(tracks, times, strict=True)
        ]
        stretches = self.stretches
        return replace(self, stretches=lambda: with_speeds(stretches(), timed))

    def with_thighs_swapped(self) -> Run:
        """The same run with each thigh's sensor taken for the other's."""
        stretches = self.stretches
        return replace(
            self,
            header=header_with_thighs_swapped(self.header),
            stretches=lambda: with_lanes(stretches(), OTHER_THIGH),
        )


def header_with_thighs_swapped(header: RunHeader) -> RunHeader:
    """The header with each thigh's sensor taken for the other's."""
    extra = dict(header.extra)
    if GIVEN in extra:
        extra[GIVEN] = Calibration.from_text(extra[GIVEN]).with_thighs_swapped().to_text()
    sensors = tuple(
        replace(info, segment=OTHER_THIGH.get(info.segment, info.segment)) for info in header.sensors
    )
    return replace(header, sensors=sensors, extra=extra)


def records_with_thighs_swapped(records: Iterable[Record]) -> Iterator[Record]:
    """The records, one by one, with each thigh's sensor taken for the other's."""
    for record in records:
        if isinstance(record, RunHeader):
            yield header_with_thighs_swapped(record)
        elif isinstance(record, Packet | Link | Gone):
            yield replace(record, segment=OTHER_THIGH.get(record.segment, record.segment))
        else:
            yield record


def run_of_recording(recording: Recording) -> Run:
    """A recording as it is."""
    return Run(recording.header, recording.stretches, recording.duration_s)


def run_of_streams(streams: Mapping[str, ImuStream]) -> Run:
    """Streams as the records that a run would have heard.

    Raises
    ------
    InputError
        If a name is no segment, a stream is no ImuStream, or its time or units cannot be right.
    """
    if not streams:
        raise InputError(
            "streams of at least one segment", "none", "Hand in {'pelvis': ImuStream(...), ...}."
        )
    by_segment: dict[Segment, ImuStream] = {}
    known = ", ".join(s.value for s in Segment)
    for name, stream in streams.items():
        if name not in set(Segment):
            raise InputError(f"segments named {known}", repr(name), "Rename the stream.")
        if not isinstance(stream, ImuStream):
            raise InputError(
                f"an ImuStream for '{name}'", type(stream).__name__, "Wrap it: lm.ImuStream(t, acc, gyr)."
            )
        by_segment[Segment(name)] = stream
        check_stream(f"the stream '{name}'", stream)
    check_together("the streams", by_segment)
    starts = [float(s.t[0]) for s in by_segment.values() if len(s.t)]
    first_s = min(starts, default=0.0)
    zero_s = 0.0 if 0.0 <= first_s < 1.0 else float(floor(first_s))
    if zero_s:
        by_segment = {name: ImuStream(s.t - zero_s, s.acc, s.gyr) for name, s in by_segment.items()}
    last_s = max((float(s.t[-1]) for s in by_segment.values() if len(s.t)), default=0.0)
    known_of = {"run": "streams", "source": "streams handed to analyze"}
    header = next(iter(sample_records(by_segment, known_of)))
    if not isinstance(header, RunHeader):
        raise TypeError("sample_records must begin with the header.")
    header = with_full_scales(header, by_segment)
    return Run(header, lambda: stretches_of(sample_records(by_segment, known_of)), last_s, zero_s)


def told_poses(run: Run, standing: object, movement: object) -> list[Pose]:
    """Windows that were told, as poses.

    Raises
    ------
    InputError
        If a window is not (start_s, end_s) with start before end, or lies outside the run.
    """
    out: list[Pose] = []
    for kind, window in (("standing", standing), ("movement", movement)):
        if window is None:
            continue
        try:
            start, end = (float(x) for x in window)  # type: ignore[attr-defined]
        except (TypeError, ValueError):
            start = end = float("nan")
        if not (np.isfinite(start) and np.isfinite(end) and start < end):
            raise InputError(
                f"{kind} as (start_s, end_s) with start before end", repr(window), "Swap or mend them."
            )
        start, end = start - run.zero_s, end - run.zero_s
        if end <= 0.0 or start >= run.duration_s:
            raise InputError(
                f"{kind} within the run, {run.span}",
                repr(window),
                "Give it on the time axis of the samples, or leave it away to have it found.",
            )
        out.append(Pose(0, kind, start, end))
    return out


def told_tracks(speed: Track | None, grade: Track | None, distance: Track | None) -> list[Speed]:
    """Tracks as records, one a time stamp.

    Raises
    ------
    InputError
        If one is not (t, value) of one length, its time does not increase, or its unit cannot be right.
    """
    rows: dict[float, dict[str, float]] = {}
    for name, track in (("speed_m_s", speed), ("grade", grade), ("distance_m", distance)):
        if track is None:
            continue
        t, values = _track(name, track)
        for when, value in zip(t.tolist(), values.tolist(), strict=True):
            rows.setdefault(when, {})[name] = value
    return [Speed(arrival_ns=0, t_s=t, source="told to analyze", **rows[t]) for t in sorted(rows)]


def _track(name: str, track: Track) -> tuple[F8, F8]:
    try:
        t, values = (np.asarray(x, dtype=np.float64) for x in track)
    except (TypeError, ValueError) as error:
        raise ShapeError(
            f"{name} as (t, value), two arrays", str(error), "Hand in two arrays of one length."
        ) from error
    if t.ndim != 1 or t.shape != values.shape:
        raise ShapeError(
            f"{name} as (t, value) of one length",
            f"shapes {t.shape} and {values.shape}",
            "Hand in two arrays of one length.",
        )
    if not np.isfinite(t).all() or np.any(np.diff(t) <= 0.0):
        raise TimeOrderError(
            f"times of {name} that are finite and strictly increase",
            "others",
            "Sort them and drop repeated ones; a missing value is NaN.",
        )
    size = float(np.median(np.abs(values[np.isfinite(values)]))) if np.isfinite(values).any() else 0.0
    if name == "speed_m_s" and size > FASTEST_M_S:
        raise UnitError("speed in m/s", f"a median of {size:.3g}", "Divide by 3.6 if it is in km/h.")
    if name == "grade" and size > STEEPEST:
        raise UnitError(
            "grade as a fraction (0.05 is 5 %)", f"a median of {size:.3g}", "Divide by 100 if it is in %."
        )
    return t, np.where(np.isfinite(values), values, np.nan)
