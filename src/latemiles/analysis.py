"""``analyze``: streams or a recording in, strides, form drift and asymmetry out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from os import PathLike
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles import __version__
from latemiles.analysis_inputs import (
    Run,
    Track,
    run_of_recording,
    run_of_streams,
    told_poses,
    told_tracks,
)
from latemiles.analysis_result import Analysis, ContextTrack, GaitEvents
from latemiles.config import Config
from latemiles.errors import InputError
from latemiles.findings import Findings, quality_report
from latemiles.metrics.table import StrideTable
from latemiles.pipeline import FirstPass, Pipeline, Watch
from latemiles.recording.reader import Recording
from latemiles.scout import Scout
from latemiles.sensors.registry import driver_for
from latemiles.signals.blocks import AngleBlock, GridBlock, ImuStream, OrientationBlock
from latemiles.signals.events import PoseRefused
from latemiles.signals.frames import SEGMENTS
from latemiles.signals.records import Speed
from latemiles.signals.results import Ensemble
from latemiles.trends.asymmetry import Asymmetries
from latemiles.trends.baseline import Windows
from latemiles.trends.form_drift import FormDrifts

__all__ = ["analyze"]

MINUTE_S: Final = 60.0
SHORTEST_IN_HALVES_S: Final = 6.0 * MINUTE_S
"""Shorter runs show one waveform: kept by the minute, their halves would overlap."""

F8 = NDArray[np.float64]
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
    swap_thighs: bool = False,
    watch: Watch | None = None,
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
    swap_thighs : bool
        Take each thigh's sensor for the other's: they were clipped on the wrong way round.
    watch : Watch, optional
        Sees the samples and angles of the last pass go by, where they are not kept.
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
    settings = config or Config()
    if isinstance(source, str | PathLike):
        source = Recording.open(source)
    if isinstance(source, Recording):
        run = run_of_recording(source)
    elif isinstance(source, Mapping):
        run = run_of_streams(source)
    else:
        raise InputError(
            "streams by segment, a Recording or a path", type(source).__name__, "See help(latemiles.analyze)."
        )
    if swap_thighs:
        run = run.with_thighs_swapped()
    told = told_poses(run, standing, movement)
    run = run.with_tracks(told_tracks(speed, grade, distance))
    keeper = _Keeper() if angles else None
    smoothed = basis == "smoothed"
    first: FirstPass | None = None
    refused: list[PoseRefused] = []
    if smoothed:
        # Poses are judged where the calibration is looked for.
        scout = partial(Scout, run.header, driver_for, config=settings, poses=told)
        first, refused = _scouted(scout, run, _part(progress, 0.0, 0.2))
    findings = Findings()
    pipeline = Pipeline(
        run.header,
        driver_for,
        config=settings,
        basis=basis,
        known=first,
        poses=told,
        watch=keeper or watch,
        kept=findings,
    )
    _play(pipeline, run, findings, _part(progress, 0.2 if smoothed else 0.0, 0.95))
    findings.refused = [*refused, *findings.refused]
    result = _result(run, pipeline, findings, keeper)
    if swap_thighs:
        result = replace(result, provenance={**result.provenance, "thighs": "swapped"})
    if progress is not None:
        progress(1.0)
    return result


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


def _scouted(
    make: Callable[..., Scout], run: Run, progress: Progress | None
) -> tuple[FirstPass, list[PoseRefused]]:
    """What a first, causal pass finds, and the poses that it refused."""
    scout, heard = make(may_rest=True), Findings()
    _play(scout, run, heard, progress)
    if scout.has_overslept:
        scout, heard = make(), Findings()
        _play(scout, run, heard, progress)
    return replace(scout.first_pass, speeds=tuple(heard.speeds)), heard.refused


def _play(pipeline: Pipeline, run: Run, findings: Findings, progress: Progress | None) -> None:
    """Every record through a pipeline; what it said, sorted by kind."""
    shown = 0.0
    for stretch in run.stretches():
        findings.hear(stretch)
        findings.take(pipeline.push_stretch(stretch))
        now_s = findings.duration_s
        if progress is not None and now_s >= shown:
            progress(min(1.0, now_s / run.duration_s) if run.duration_s > 0.0 else 1.0)
            shown = now_s + 10.0
    findings.take(pipeline.finish())


def _result(run: Run, pipeline: Pipeline, found: Findings, keeper: _Keeper | None) -> Analysis:
    if run.zero_s:
        found.move(run.zero_s)
    table = found.strides.table()
    quality = quality_report(pipeline, found, table)
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
        t=t + run.zero_s,
        pelvis=pelvis,
        hip_left=left,
        hip_right=right,
        orientation=quats,
        events=_gait_events(found),
        strides=table,
        splits=tuple(found.splits),
        form_drift=drift,
        asymmetry=Asymmetries(table, calibration=found.calibration),
        ensembles=_ensembles(run, pipeline, _parts(table, drift.windows)),
        context=context,
        quality=quality,
        provenance={"latemiles": __version__, **pipeline.config.changed()},
    )


def _ensembles(run: Run, pipeline: Pipeline, parts: list[tuple[str, float, float]]) -> tuple[Ensemble, ...]:
    """Waveforms of parts of the run; the pipeline counts from the run's start."""
    zero = run.zero_s
    found = pipeline.waveforms.ensembles([(label, start - zero, end - zero) for label, start, end in parts])
    return tuple(replace(e, start_s=e.start_s + zero, end_s=e.end_s + zero) for e in found)


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
    t_s, kind, side, confidence = found.gait.columns()
    return GaitEvents(t_s=t_s, kind=kind, side=side, confidence=confidence)


def _context(speeds: list[Speed]) -> ContextTrack:
    def column(name: str) -> F8:
        return np.array([getattr(s, name) for s in speeds], dtype=np.float64)

    names = ("t_s", "speed_m_s", "grade", "distance_m", "heart_rate_bpm", "elevation_m")
    return ContextTrack(*(column(name) for name in names))


def _part(progress: Progress | None, start: float, end: float) -> Progress | None:
    """The share of one pass as a share of the whole."""
    if progress is None:
        return None
    report = progress
    return lambda share: report(start + (end - start) * share)
