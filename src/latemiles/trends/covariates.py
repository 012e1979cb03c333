"""What speed, grade and cadence explain of a change, and whether it can be told apart from time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.metrics.catalogue import metric
from latemiles.trends.medians import Blocks, make_series
from latemiles.trends.params import key_parts
from latemiles.trends.wander import WanderModel

__all__ = ["Covariate", "Explained", "collect_covariates", "explain"]

F8 = NDArray[np.float64]

GRADE_SLOPE_SD_STRIDES: Final = 40.0
"""Prior SD of a metric's slope on grade, in stride-to-stride SDs per unit of grade: 4 SDs on 10 %."""

CADENCE_SLOPE_SD_STRIDES: Final = 0.15
"""Prior SD of a metric's slope on cadence, in stride-to-stride SDs per step/min."""

UNIT: Final = {"speed": "m/s", "grade": "%", "cadence": "steps/min"}


@dataclass(frozen=True, slots=True)
class Covariate:
    """Something that was different late in the run and moves the metric by itself."""

    name: str
    values: F8
    """(m,) at the medians' times."""
    slope: tuple[float, float]
    """Population mean and SD of the metric's slope on it."""


@dataclass(frozen=True, slots=True)
class Explained:
    """What the covariates explain of a change."""

    names: tuple[str, ...]
    slopes: F8
    """(q,) this runner's, shrunk to the population's."""
    differences: F8
    """(q,) covariate late minus baseline."""
    shares: F8
    """(q,) of the change, metric's unit."""
    sd: float
    """How uncertain their sum is."""
    adjusted: F8
    """(m,) medians with the covariates at their baseline level."""


def collect_covariates(blocks: Blocks, t_s: F8, key: str, grade: tuple[F8, F8] | None) -> list[Covariate]:
    """Speed, grade and cadence at the times of the medians; those that are not known throughout are left out.

    Parameters
    ----------
    blocks : Blocks
        The run.
    t_s : float64 array, shape (m,)
        Times of the metric's medians, s.
    key : str
        The metric, for its usual dependence on them. What is made of one of them is not adjusted for it.
    grade : tuple of arrays or None
        Times (s) and grade as a fraction; NaN where the source did not say.
    """
    entry = metric(key_parts(key)[0])
    is_difference = key.endswith("_right_minus_left")
    found: list[Covariate] = []
    speed = _at(blocks, "speed_m_s", t_s)
    if speed is not None and entry.name != "speed_m_s":
        mean, sd = entry.speed_slope
        # What speed does to both legs cancels between them; what is left is centred on none.
        found.append(Covariate("speed", speed, (0.0, 0.5 * sd) if is_difference else (mean, sd)))
    slopes = _grade_at(t_s, grade)
    if slopes is not None:
        found.append(Covariate("grade", slopes, (0.0, GRADE_SLOPE_SD_STRIDES * entry.stride_sd)))
    cadence = _at(blocks, "cadence_spm", t_s)
    if cadence is not None and entry.family != "temporal":
        found.append(Covariate("cadence", cadence, (0.0, CADENCE_SLOPE_SD_STRIDES * entry.stride_sd)))
    return found


def explain(values: F8, covariates: list[Covariate], contrast: F8, model: WanderModel) -> Explained:
    """Regress the medians on the covariates and time together, shrunk to the population's slopes.

    Time is a regressor as well, so that what merely went on in step with time is not ascribed to speed;
    where the two cannot be told apart the prior decides and ``sd`` says how little is known.

    Parameters
    ----------
    values : float64 array, shape (m,)
        Medians at ``model.t_s``.
    covariates : list of Covariate
        At least one.
    contrast : float64 array, shape (m,)
        Weights that make late minus baseline.
    model : WanderModel
        Noise and wander.
    """
    t = model.t_s
    baseline = contrast < 0.0
    columns = np.stack([c.values - np.mean(c.values[baseline]) for c in covariates])
    time = (t - t.mean()) / max(float(np.ptp(t)), 1.0)
    white = model.whiten(np.concatenate([[values, np.ones_like(values), time], columns]))
    design = white[1:].T
    prior_mean = np.array([0.0, 0.0, *(c.slope[0] for c in covariates)])
    precision = np.array([0.0, 0.0, *(1.0 / max(c.slope[1], 1e-9) ** 2 for c in covariates)])
    normal = design.T @ design + np.diag(precision)
    covariance = np.linalg.inv(normal)
    beta = covariance @ (design.T @ white[0] + precision * prior_mean)
    slopes = beta[2:]
    differences = columns @ contrast
    return Explained(
        tuple(c.name for c in covariates),
        slopes,
        differences,
        slopes * differences,
        math.sqrt(max(0.0, float(differences @ covariance[2:, 2:] @ differences))),
        values - slopes @ columns,
    )


def _grade_at(t_s: F8, grade: tuple[F8, F8] | None) -> F8 | None:
    """Grade at the medians' times; None where the source never said one (its words are NaN then)."""
    if grade is None:
        return None
    times, values = (np.asarray(part, dtype=np.float64) for part in grade)
    said = np.isfinite(times) & np.isfinite(values)
    return np.interp(t_s, times[said], values[said]) if said.any() else None


def _at(blocks: Blocks, column: str, t_s: F8) -> F8 | None:
    series = make_series(blocks, column, "both")
    if series.t_s.size < 0.8 * max(t_s.size, 1):
        return None
    return np.interp(t_s, series.t_s, series.values)
