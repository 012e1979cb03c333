"""Right against left, with what a crooked sensor can make of it told apart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import UnknownName
from latemiles.metrics.catalogue import CATALOGUE, metric
from latemiles.metrics.table import StrideTable
from latemiles.signals.events import CalibrationFound
from latemiles.signals.frames import SIDES
from latemiles.signals.results import Asymmetry
from latemiles.trends.medians import Blocks, make_blocks, make_series
from latemiles.trends.params import DriftParams, wander_prior
from latemiles.trends.wander import fit_wander

__all__ = ["ASYMMETRY_METRICS", "Alignment", "Asymmetries", "alignment_of", "asymmetry"]

F8 = NDArray[np.float64]
NAN = math.nan

UNKNOWN_MOUNTING_RAD: Final = math.radians(5.0)
"""One SD of a mean angle where no calibration says better: a clip by hand."""
OTHER_ZERO_RAD: Final = math.radians(20.0)
"""Hip flexion of running against standing: what two thighs differ by of which one was zeroed in running."""

ASYMMETRY_METRICS: Final = tuple(
    m.name
    for m in CATALOGUE
    if m.family == "harmonic"
    or m.name == "pelvic_drop_excursion_deg"
    or (m.family == "angles" and m.angle.startswith(("pelvic_drop", "hip")))
    or m.name in ("stride_time_s", "contact_time_s", "flight_time_s", "duty_factor", "pelvis_shock_m_s2")
)
"""What can differ between the legs: features of the stance leg, and the one-sensor harmonic scores."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """How far the mounting may falsify mean angles, one standard deviation, deg."""

    obliquity_deg: float
    hips_deg: float
    """Difference of the two thighs' mountings."""


def alignment_of(calibration: CalibrationFound | None) -> Alignment:
    """Uncertainty of the mounting from what the calibration said; wide where it said nothing."""
    if calibration is None:
        both = math.degrees(UNKNOWN_MOUNTING_RAD)
        return Alignment(both, math.sqrt(2.0) * both)
    obliquity = calibration.obliquity_uncertainty_rad
    thighs = [calibration.residual_rad[1 + side.lane] for side in SIDES]
    known = [x if math.isfinite(x) else UNKNOWN_MOUNTING_RAD for x in (obliquity, *thighs)]
    zeros = {calibration.zero_standing[1 + side.lane] for side in SIDES if calibration.zero_standing}
    apart = OTHER_ZERO_RAD if len(zeros) > 1 else 0.0
    return Alignment(math.degrees(known[0]), math.degrees(math.hypot(*known[1:], apart)))


def asymmetry(
    table: StrideTable,
    name: str,
    *,
    calibration: CalibrationFound | None = None,
    params: DriftParams | None = None,
) -> Asymmetry:
    """Right minus left of one metric over the used strides.

    A constant error of a sensor's mounting shifts every value of an angle alike, so right minus left of an
    angle at an instant holds right minus left of its mean: the offset part. For drop that is twice the mean
    obliquity. What remains, the offset-free part, is about the body. Harmonic scores have no sides: their
    ``offset_free`` is the score itself and ``right_minus_left`` is NaN.

    Parameters
    ----------
    table : StrideTable
        All strides of the run.
    name : str
        One of ``ASYMMETRY_METRICS``.
    calibration : CalibrationFound, optional
        What is known of the mounting.
    params : DriftParams, optional
        Blocks of strides.

    Returns
    -------
    Asymmetry
        NaN where one leg has no strides.

    Raises
    ------
    UnknownName
        If the metric has no sides to compare.
    """
    return _of_blocks(make_blocks(table, params or DriftParams()), name, alignment_of(calibration))


class Asymmetries(Mapping[str, Asymmetry]):
    """Asymmetry of every metric that has one, each worked out when it is asked for.

    Parameters
    ----------
    table : StrideTable
        All strides of the run.
    calibration : CalibrationFound, optional
        What is known of the mounting.
    params : DriftParams, optional
        Blocks of strides.
    """

    def __init__(
        self,
        table: StrideTable,
        *,
        calibration: CalibrationFound | None = None,
        params: DriftParams | None = None,
    ) -> None:
        self._blocks = make_blocks(table, params or DriftParams())
        self._alignment = alignment_of(calibration)
        self._done: dict[str, Asymmetry] = {}

    def __getitem__(self, name: str) -> Asymmetry:
        """Asymmetry of one metric of ``ASYMMETRY_METRICS``."""
        if name not in self._done:
            self._done[name] = _of_blocks(self._blocks, name, self._alignment)
        return self._done[name]

    def __iter__(self) -> Iterator[str]:
        return iter(ASYMMETRY_METRICS)

    def __len__(self) -> int:
        return len(ASYMMETRY_METRICS)


def _of_blocks(blocks: Blocks, name: str, alignment: Alignment) -> Asymmetry:
    entry = metric(name)
    if name not in ASYMMETRY_METRICS:
        raise UnknownName(
            "a metric of the stance leg or a harmonic score",
            f"'{name}'",
            "See trends.asymmetry.ASYMMETRY_METRICS.",
        )
    is_score = entry.family == "harmonic"
    series = make_series(blocks, name, "both" if is_score else "right_minus_left")
    level, interval = _level(series.t_s, series.values, wander_prior(name))
    has_offset = bool(entry.angle) and not entry.offset_free
    offsets = np.zeros(series.t_s.size)
    if has_offset:
        means = make_series(blocks, f"{entry.angle}_mean_deg", "right_minus_left")
        offsets = np.interp(series.t_s, means.t_s, means.values) if means.t_s.size else offsets * NAN
    offset = float(np.median(offsets)) if offsets.size else NAN
    found = Asymmetry(
        metric=name,
        unit=entry.unit,
        right_minus_left=level,
        interval=interval,
        offset_part=offset,
        offset_free=level - offset if has_offset else level,
        alignment_uncertainty=_alignment_sd(entry.angle, alignment) if has_offset else 0.0,
        medians_t_s=series.t_s,
        right_minus_left_medians=series.values,
        offset_medians=offsets,
    )
    if is_score:
        return replace(found, right_minus_left=NAN, offset_part=0.0)
    return replace(found, offset_free=NAN) if entry.feature == "mean" else found


def _level(t_s: F8, values: F8, prior_sd: float) -> tuple[float, tuple[float, float]]:
    """Median over the run with a 95 % interval that carries the wander."""
    if values.size == 0:
        return NAN, (NAN, NAN)
    level = float(np.median(values))
    model = fit_wander(t_s, values, prior_sd)
    # A median of normal values has pi / 2 times the variance of their mean.
    variances = 0.5 * math.pi * model.contrast_variances(np.full(values.size, 1.0 / values.size))
    half = model.half_width(variances, 0.95)
    return level, (level - half, level + half)


def _alignment_sd(angle: str, alignment: Alignment) -> float:
    """One SD of right minus left that the mounting alone may make, deg."""
    if angle == "pelvic_drop":
        return 2.0 * alignment.obliquity_deg
    if angle == "hip_adduction":
        # A pelvis that reads crooked adds to one hip what it takes from the other.
        return math.hypot(2.0 * alignment.obliquity_deg, alignment.hips_deg)
    return alignment.hips_deg
