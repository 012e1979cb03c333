"""What an analysis ends in: form drift, asymmetry, waveforms, quality. Plain data, unit in the name."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from latemiles.signals.events import Activity, CalibrationFound, Gap, Marked, Slip
from latemiles.signals.frames import Segment

__all__ = [
    "VERDICTS",
    "AdjustedChange",
    "Asymmetry",
    "Ensemble",
    "FormDrift",
    "QualityReport",
    "Rival",
    "SensorQuality",
]

F8 = NDArray[np.float64]

VERDICTS = (
    "no change",
    "small, inside noise",
    "likely change",
    "clear change",
    "cannot separate",
    "slip",
    "too short",
)
"""Every verdict there is, in the words shown. ``too short``: the baseline or the late part is missing."""


@dataclass(frozen=True, slots=True)
class Rival:
    """Something else that could explain a change."""

    name: str
    """``speed``, ``grade``, ``cadence``, ``slip``, ``warm-up``, ``heading``, ``temperature``."""
    share: float
    """How much of the change it may explain, metric's unit, signed like the change; NaN unknown."""
    words: str
    """One plain sentence."""


@dataclass(frozen=True, slots=True)
class AdjustedChange:
    """A change after what speed, grade and cadence explain is taken off."""

    change: float
    interval: tuple[float, float]
    detectable_change: float
    verdict: str
    covariates: tuple[str, ...]
    coefficients: tuple[float, ...]
    """Metric's unit per covariate unit (m/s, fraction, steps/min)."""
    adjusted_medians: F8
    """(m,) the 25-stride medians after adjustment, on the same times as ``FormDrift.medians_t_s``."""


@dataclass(frozen=True, slots=True)
class FormDrift:
    """Late against baseline for one metric of one runner in one run."""

    metric: str
    unit: str
    change: float
    """Late minus baseline, metric's unit; NaN when the run is too short."""
    interval: tuple[float, float]
    """95 % interval of the change, with the runner's own slow wander in it."""
    detectable_change: float
    """The smallest change this run could have told from noise."""
    slope_per_hour: float
    """Theil-Sen, metric's unit an hour."""
    slope_interval: tuple[float, float]
    change_point_s: float | None
    """When the change began; None if there is none."""
    change_point_interval_s: tuple[float, float] | None
    adjusted: AdjustedChange | None
    """None without a speed source."""
    verdict: str
    """One of ``VERDICTS``."""
    rivals: tuple[Rival, ...]
    baseline: float
    """Level of the metric in the baseline window."""
    baseline_window_s: tuple[float, float]
    late_window_s: tuple[float, float]
    strides_baseline: int
    strides_late: int
    medians_t_s: F8
    """(m,) centre times of the 25-stride medians, s."""
    medians: F8
    """(m,) the medians, metric's unit, not relative to the baseline."""
    medians_side: str
    """``both``, ``left`` or ``right``: which strides the medians are made of."""


@dataclass(frozen=True, slots=True)
class Asymmetry:
    """Right minus left for one metric."""

    metric: str
    unit: str
    right_minus_left: float
    """Median over the used strides."""
    interval: tuple[float, float]
    offset_part: float
    """What a constant offset of the sensor can make; large offsets say little about the body."""
    offset_free: float
    """What remains without it (from excursions); NaN where the metric has no offset-free form."""
    alignment_uncertainty: float
    """One standard deviation of what the mounting alone may cause."""
    medians_t_s: F8
    right_minus_left_medians: F8
    offset_medians: F8


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Mean and spread of the stride-normalised waveforms of one part of the run."""

    label: str
    start_s: float
    end_s: float
    strides: int
    mean_deg: dict[str, F8]
    """``pelvic_tilt`` ... of right strides, ``left_hip_flexion`` ..., ``right_...``: (101,) deg."""
    sd_deg: dict[str, F8]
    toe_off_percent: dict[str, float]
    """Mean toe-off of the ``left`` and the ``right`` side, % of the stride."""


@dataclass(frozen=True, slots=True)
class SensorQuality:
    """What was heard of one sensor."""

    segment: Segment
    samples: int
    expected: int
    rate_hz: float
    """True rate as estimated, Hz."""
    missing_s: float
    clipped_samples: int
    clock_residual_ms: float
    """Spread of arrival around the clock fit, 95th percentile, ms; NaN where time came with the samples."""


@dataclass(frozen=True, slots=True)
class QualityReport:
    """How far the numbers can be trusted, and why."""

    duration_s: float
    basis: str
    reference: str
    sensors: tuple[SensorQuality, ...]
    calibration: CalibrationFound | None
    gaps: tuple[Gap, ...]
    slips: tuple[Slip, ...]
    activities: tuple[Activity, ...]
    marks: tuple[Marked, ...]
    strides: int
    strides_used: int
    left_out: dict[str, int]
    """Reason in words -> strides."""
    notes: tuple[str, ...] = field(default_factory=tuple)
    """Plain sentences a reader must see, such as an absent standing pose or a missing sensor."""

    @property
    def share_used(self) -> float:
        """Share of the strides that form drift uses, 0 to 1; NaN without strides."""
        return self.strides_used / self.strides if self.strides else float("nan")
