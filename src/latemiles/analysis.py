"""``analyze``: streams or a recording in, strides, form drift and asymmetry out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from heapq import merge
from os import PathLike
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from latemiles import __version__
from latemiles.analysis_result import Analysis, ContextTrack, GaitEvents
from latemiles.config import Config
from latemiles.errors import InputError, ShapeError
from latemiles.estimators.orientation import check_units
from latemiles.findings import Findings, quality_report
from latemiles.metrics.table import StrideTable
from latemiles.pipeline import FirstPass, Pipeline
from latemiles.recording.reader import Recording
from latemiles.sensors.drivers.samples import records as sample_records
from latemiles.sensors.registry import driver_for
from latemiles.signals.blocks import AngleBlock, GridBlock, ImuStream, OrientationBlock
from latemiles.signals.frames import SEGMENTS, Segment
from latemiles.signals.records import Pose, Record, RunHeader, Speed
from latemiles.trends.asymmetry import Asymmetries
from latemiles.trends.baseline import Windows
from latemiles.trends.form_drift import FormDrifts

__all__ = ["analyze"]

MINUTE_S: Final = 60.0
SHORTEST_IN_HALVES_S: Final = 6.0 * MINUTE_S
"""Shorter runs show one waveform: kept by the minute, their halves would overlap."""

F8 = NDArray[np.float64]
Track = tuple[Any, Any]
Progress = Callable[[float], None]


def analyze(
    source: Mapping[str, ImuStream] | Recording | str | PathLike[str],
    *,
    standing: tuple[float, float] | None = None,
    movement: tuple[float, float] | None = None,
    speed: Track | None = None,
    grade: Track | None = None,
    distance: Track | None = None,
    basis: str = "smoothed",
    config: Config | None = None,
    angles: bool = True,
    progress: Progress | None = None,
) -> Analysis:
    """Find the strides of a run, their angles, and how they changed.

    Parameters
    ----------
    source : mapping of str to ImuStream, Recording or path
        Streams by segment: ``pelvis``, ``left_thigh``, ``right_thigh``; one may be missing. Or a recording.
    standing : tuple of float, optional
        Start and end of a quiet stance, session s. None: found by itself, or its absence is stated.
    movement : tuple of float, optional
        Start and end of three squats or hinges, or a march, session s. None: found, or done without.
    speed : tuple of array, optional
        Times (s) and speeds (m/s) from a watch, a foot pod or a treadmill.
    grade : tuple of array, optional
        Times (s) and rise over run as a fraction.
    distance : tuple of array, optional
        Times (s) and distance covered (m).
    basis : {"smoothed", "causal"}
        ``smoothed`` may use what came later and takes two passes; ``causal`` is what was knowable then.
    config : Config, optional
        Settings of every stage.
    angles : bool
        Keep the angles and orientations of every sample; without them memory does not grow with the run
        beyond its strides.
    progress : callable, optional
        Called with the share that is done, 0 to 1.

    Returns
    -------
    Analysis
        Angles in rad, signs as in ``signals.frames``; missing is NaN.

    Raises
    ------
    InputError
        If the streams cannot be used: wrong shapes, unsorted time, units that cannot be right.
    RecordingError
        If the recording cannot be read.
    """
    told = _poses(standing, movement)
    tracks = _speeds(speed, grade, distance)
    settings = config or Config()
    if isinstance(source, str | PathLike):
        source = Recording.open(source)
    if isinstance(source, Recording):
        run = _Run(source.header, source.records, source.duration_s)
    elif isinstance(source, Mapping):
        run = _from_streams(source)
    else:
        raise InputError(
            "streams by segment, a Recording or a path", type(source).__name__, "See help(latemiles.analyze)."
        )
    run = _Run(run.header, partial(_with, run.records, tracks), run.duration_s)
    make = partial(Pipeline, run.header, driver_for, config=settings, poses=told)
    keeper = _Keeper() if angles else None
    smoothed = basis == "smoothed"
    first: FirstPass | None = None
    if smoothed:
        scout = make(basis="causal")
        heard = _play(scout, run, _part(progress, 0.0, 0.4))
        first = replace(scout.first_pass, speeds=tuple(heard.speeds))
    pipeline = make(basis=basis, known=first, watch=keeper)
    findings = _play(pipeline, run, _part(progress, 0.4 if smoothed else 0.0, 0.95))
    result = _result(run, pipeline, findings, keeper)
    if progress is not None:
        progress(1.0)
    return result


@dataclass(frozen=True, slots=True)
class _Run:
    """Records that can be gone through more than once."""

    header: RunHeader
    records: Callable[[], Iterable[Record]]
    duration_s: float


@dataclass(slots=True)
class _Keeper:
    """Keeps the angles and orientations of every sample."""

    blocks: list[AngleBlock] = field(default_factory=list)
    quats: list[F8] = field(default_factory=list)
    first: int | None = None

    def samples(self, _grid: GridBlock, orient: OrientationBlock) -> None:
        """See samples with their orientation."""
        if self.first is None:
            self.first = orient.first
        self.quats.append(orient.quat)

    def angles(self, block: AngleBlock) -> None:
        """See angles."""
        self.blocks.append(block)

    def arrays(self, rate_hz: float) -> tuple[F8, F8, F8, F8, dict[str, F8]]:
        """``t``, ``pelvis``, ``hip_left``, ``hip_right`` and the orientations, whole."""
        quat = np.concatenate(self.quats, axis=1) if self.quats else np.empty((len(SEGMENTS), 0, 4))
        pelvis = np.concatenate([b.pelvis for b in self.blocks]) if self.blocks else np.empty((0, 3))
        hip = np.concatenate([b.hip for b in self.blocks], axis=1) if self.blocks else np.empty((2, 0, 3))
        t = ((self.first or 0) + np.arange(pelvis.shape[0])) / rate_hz
        return t, pelvis, hip[0], hip[1], {s.value: quat[s.lane] for s in SEGMENTS}


def _play(pipeline: Pipeline, run: _Run, progress: Progress | None) -> Findings:
    """Every record through a pipeline; what it said, sorted by kind."""
    findings = Findings()
    shown = 0.0
    for record in run.records():
        findings.hear(record)
        findings.take(pipeline.push(record))
        now_s = getattr(record, "arrival_ns", 0) * 1e-9
        if progress is not None and now_s >= shown:
            progress(min(1.0, now_s / run.duration_s) if run.duration_s > 0.0 else 1.0)
            shown = now_s + 10.0
    findings.take(pipeline.finish())
    return findings


def _result(run: _Run, pipeline: Pipeline, found: Findings, keeper: _Keeper | None) -> Analysis:
    table = StrideTable.from_strides(found.strides)
    quality = quality_report(run.header, pipeline, found, table)
    t, pelvis, left, right, quats = (keeper or _Keeper()).arrays(pipeline.rate_hz)
    context = _context(found.speeds)
    drift = FormDrifts(
        table,
        grade=(context.t_s, context.grade) if len(context.t_s) else None,
        slips=found.slips,
        params=pipeline.config.drift,
    )
    return Analysis(
        header=run.header,
        basis=pipeline.basis,
        reference=quality.reference,
        t=t,
        pelvis=pelvis,
        hip_left=left,
        hip_right=right,
        orientation=quats,
        events=_gait_events(found),
        strides=table,
        splits=tuple(found.splits),
        form_drift=drift,
        asymmetry=Asymmetries(table, calibration=found.calibration),
        ensembles=tuple(pipeline.waveforms.ensembles(_parts(table, drift.windows))),
        context=context,
        quality=quality,
        provenance={"latemiles": __version__, **pipeline.config.changed()},
    )


def _parts(table: StrideTable, windows: Windows) -> list[tuple[str, float, float]]:
    """The parts of the run whose waveforms are laid over each other."""
    start, late = windows.baseline_s, windows.late_s
    if np.isfinite(start).all() and np.isfinite(late).all() and not windows.needed:
        # Waveforms are kept by the minute, and a minute belongs where its middle lies.
        return [("start", *start), ("late", *late)]
    t = table["t_ic_s"]
    if not t.size:
        return []
    first, last = float(t[0]), float(t[-1])
    if last - first < SHORTEST_IN_HALVES_S:
        return [("whole run", first - MINUTE_S, last + MINUTE_S)]
    middle = 0.5 * (first + last)
    return [("first half", first - MINUTE_S, middle), ("second half", middle, last + MINUTE_S)]


def _gait_events(found: Findings) -> GaitEvents:
    events = found.gait
    return GaitEvents(
        t_s=np.array([e.t_s for e in events]),
        kind=np.array([e.kind for e in events], dtype=np.str_),
        side=np.array([e.side.value for e in events], dtype=np.str_),
        confidence=np.array([e.confidence for e in events]),
    )


def _context(speeds: list[Speed]) -> ContextTrack:
    def column(name: str) -> F8:
        return np.array([getattr(s, name) for s in speeds], dtype=np.float64)

    return ContextTrack(
        column("t_s"), column("speed_m_s"), column("grade"), column("distance_m"), column("heart_rate_bpm")
    )


def _from_streams(streams: Mapping[str, ImuStream]) -> _Run:
    """Streams as the records that a run would have heard."""
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
        if len(stream.t) > 1:
            check_units(stream.gyr, stream.acc, 1.0 / float(np.median(np.diff(stream.t))))
        by_segment[Segment(name)] = stream
    end_s = max((float(s.t[-1]) for s in by_segment.values() if len(s.t)), default=0.0)
    header = {"run": "streams", "source": "streams handed to analyze"}
    first = next(iter(sample_records(by_segment, header)))
    if not isinstance(first, RunHeader):
        raise InputError("a header first", type(first).__name__, "Report this as a fault of latemiles.")
    return _Run(first, partial(sample_records, by_segment, header), end_s)


def _with(records: Callable[[], Iterable[Record]], extra: list[Speed]) -> Iterator[Record]:
    """Records with the told speeds in their place."""
    if not extra:
        return iter(records())
    return merge(records(), extra, key=lambda r: getattr(r, "arrival_ns", -1))


def _poses(standing: tuple[float, float] | None, movement: tuple[float, float] | None) -> list[Pose]:
    out: list[Pose] = []
    for kind, window in (("standing", standing), ("movement", movement)):
        if window is None:
            continue
        start, end = float(window[0]), float(window[1])
        if not (np.isfinite(start) and np.isfinite(end) and start < end):
            raise InputError(
                f"{kind} as (start_s, end_s) with start before end", repr(window), "Swap or mend them."
            )
        out.append(Pose(0, kind, start, end))
    return out


def _speeds(speed: Track | None, grade: Track | None, distance: Track | None) -> list[Speed]:
    """Tracks as records, one a time stamp."""
    rows: dict[float, dict[str, float]] = {}
    for name, track in (("speed_m_s", speed), ("grade", grade), ("distance_m", distance)):
        if track is None:
            continue
        t = np.asarray(track[0], dtype=np.float64)
        values = np.asarray(track[1], dtype=np.float64)
        if t.ndim != 1 or t.shape != values.shape:
            raise ShapeError(
                f"{name} as (t, value) of one length",
                f"shapes {t.shape} and {values.shape}",
                "Hand in two arrays of one length.",
            )
        for when, value in zip(t.tolist(), values.tolist(), strict=True):
            rows.setdefault(when, {})[name] = value
    return [
        Speed(arrival_ns=max(0, round(t * 1e9)), t_s=t, source="told to analyze", **rows[t])
        for t in sorted(rows)
    ]


def _part(progress: Progress | None, start: float, end: float) -> Progress | None:
    """The share of one pass as a share of the whole."""
    if progress is None:
        return None
    report = progress
    return lambda share: report(start + (end - start) * share)
