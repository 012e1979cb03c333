"""What ``analyze`` returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from latemiles.metrics.table import StrideTable
from latemiles.signals.events import Split
from latemiles.signals.records import RunHeader
from latemiles.signals.results import Asymmetry, Ensemble, FormDrift, QualityReport

__all__ = ["Analysis", "ContextTrack", "GaitEvents"]

F8 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GaitEvents:
    """Initial contacts and toe-offs as arrays of one length, in order of time."""

    t_s: F8
    """(m,) session time, s."""
    kind: NDArray[np.str_]
    """(m,) ``initial_contact`` or ``toe_off``."""
    side: NDArray[np.str_]
    """(m,) ``left`` or ``right``."""
    confidence: F8
    """(m,) 0 to 1."""

    @property
    def initial_contact(self) -> NDArray[np.bool_]:
        """(m,) which events are initial contacts: ``events.t_s[events.initial_contact]``."""
        return np.asarray(self.kind == "initial_contact")

    @property
    def toe_off(self) -> NDArray[np.bool_]:
        """(m,) which events are toe-offs."""
        return np.asarray(self.kind == "toe_off")


@dataclass(frozen=True, slots=True)
class ContextTrack:
    """Speed, grade, distance and heart rate as told by a watch, pod or treadmill; empty without one."""

    t_s: F8
    speed_m_s: F8
    grade: F8
    distance_m: F8
    heart_rate_bpm: F8
    elevation_m: F8 = field(default_factory=lambda: np.empty(0))
    """NaN where the source gives none."""

    def __post_init__(self) -> None:
        """Make elevation that was not handed in as long as the rest."""
        if len(self.elevation_m) != len(self.t_s):
            object.__setattr__(self, "elevation_m", np.full(len(self.t_s), np.nan))


@dataclass(frozen=True, slots=True)
class Analysis:
    """Everything that was found in one run.

    Angles are rad, NaN where not known. ``reference`` says what zero means: ``standing`` or ``baseline``
    (the mean of the first minutes of running). ``basis`` says what was known: ``causal`` or ``smoothed``.
    """

    header: RunHeader
    basis: str
    reference: str
    t: F8
    """(n,) s, the common grid. Empty when angles were not asked for."""
    pelvis: F8
    """(n, 3) rad: tilt (anterior +), obliquity (right side up +), rotation (right side forward +)."""
    hip_left: F8
    """(n, 3) rad: flexion, adduction, internal rotation."""
    hip_right: F8
    """(n, 3) rad: flexion, adduction, internal rotation."""
    orientation: dict[str, F8]
    """Segment name -> (n, 4) sensor to earth on ``t``."""
    events: GaitEvents
    strides: StrideTable
    splits: tuple[Split, ...]
    form_drift: Mapping[str, FormDrift]
    """Metric column -> late against baseline; every angle column of the catalogue, headline ones first."""
    asymmetry: Mapping[str, Asymmetry]
    ensembles: tuple[Ensemble, ...]
    """Stride-normalised waveforms of the first and the last part of the run."""
    context: ContextTrack
    quality: QualityReport
    provenance: dict[str, str]
    """Version of the software and of each setting that is not the default."""
