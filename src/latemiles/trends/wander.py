"""How far a difference between two parts of a run can come from the runner's own slow wander.

Medians a minute apart are not independent, and their scatter within one window says little about how far
two windows stand apart. The wander is an Ornstein-Uhlenbeck process of unknown size and correlation time;
both are judged from the run itself (restricted likelihood, with a straight line taken out so that a
drift does not count as wander) together with a prior, on a grid. An interval is that of the mixture over
the grid, so it is wider where the run is too short to tell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.kernels import trends as kernel

__all__ = ["WanderModel", "fit_wander"]

F8 = NDArray[np.float64]

SIZES: Final = np.array([0.1, 0.2, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0])
"""SDs of the wander that are tried, over the prior's centre."""

SIZE_LOG_SD: Final = 0.7
"""Width of the prior of that SD: a factor of two either way."""

TAUS_S: Final = np.array([75.0, 150.0, 300.0, 600.0, 1200.0])
"""Correlation times that are tried, s."""

TAU_PRIOR: Final = np.array([0.15, 0.25, 0.35, 0.20, 0.05])
"""How likely each is beforehand: five minutes is what runners show."""

LEAST_NOISE: Final = 1e-3
"""Least SD of a median, over the prior's centre: keeps noiseless input from dividing by zero."""


@dataclass(frozen=True, slots=True)
class WanderModel:
    """Weighted pairs of wander variance and correlation time, and the noise of a median."""

    t_s: F8
    variances: F8
    """(g,) wander variance."""
    taus_s: F8
    """(g,)"""
    weights: F8
    """(g,) sum 1."""
    noise_var: float

    @property
    def best(self) -> tuple[float, float]:
        """Most likely variance and correlation time."""
        k = int(np.argmax(self.weights))
        return float(self.variances[k]), float(self.taus_s[k])

    @property
    def sd(self) -> float:
        """Expected SD of the wander."""
        return math.sqrt(float(np.sum(self.weights * self.variances)))

    def contrast_variances(self, contrast: F8) -> F8:
        """Variance of ``sum(contrast * medians)`` for each pair, shape (g,)."""
        unit = {tau: kernel.ou_quadratic(self.t_s, contrast, tau) for tau in set(self.taus_s.tolist())}
        of_wander = self.variances * np.array([unit[tau] for tau in self.taus_s])
        return np.asarray(of_wander + self.noise_var * float(np.sum(contrast**2)))

    def half_width(self, variances: F8, level: float) -> float:
        """Half width of the central interval of the mixture of normals, by bisection."""
        return mixture_half_width(self.weights, np.sqrt(variances), level)

    def whiten(self, columns: F8) -> F8:
        """Columns (p, m) whitened by the most likely pair."""
        out = np.empty_like(columns)
        variance, tau = self.best
        kernel.ou_whiten(self.t_s, columns, variance, tau, self.noise_var, out)
        return out


def fit_wander(t_s: F8, values: F8, prior_sd: float) -> WanderModel:
    """Judge the wander of a series of medians.

    Parameters
    ----------
    t_s : float64 array, shape (m,)
        Increasing times, s.
    values : float64 array, shape (m,)
        Medians, finite.
    prior_sd : float
        SD of the wander that is expected beforehand, in the unit of ``values``.

    Returns
    -------
    WanderModel
        With fewer than four medians the prior alone speaks.
    """
    noise_var = _noise_variance(values, prior_sd)
    sizes, taus = (axis.ravel() for axis in np.meshgrid(prior_sd * SIZES, TAUS_S, indexing="ij"))
    log_prior = -0.5 * (np.log(SIZES) / SIZE_LOG_SD) ** 2
    log_weight = (log_prior[:, None] + np.log(TAU_PRIOR)[None, :]).ravel()
    if values.size >= 4:
        centred = (t_s - t_s.mean()) / max(float(np.ptp(t_s)), 1.0)
        columns = np.stack([_tamed(values, centred), np.ones_like(values), centred])
        out = np.empty_like(columns)
        for k in range(sizes.size):
            log_weight[k] += _log_likelihood(t_s, columns, sizes[k] ** 2, taus[k], noise_var, out)
    weights = np.exp(log_weight - log_weight.max())
    return WanderModel(t_s, sizes**2, taus, weights / weights.sum(), noise_var)


def mixture_half_width(weights: F8, sds: F8, level: float) -> float:
    """Half width that holds ``level`` of a mixture of centred normals."""
    return float(kernel.mixture_half_width(weights, sds, level))


def _noise_variance(values: F8, prior_sd: float) -> float:
    """Variance of one median, from the scatter of neighbours; the wander adds a little to it."""
    least = (LEAST_NOISE * prior_sd) ** 2
    if values.size < 4:
        return max(least, prior_sd**2)
    # Differences of neighbours, robustly: 1.4826 MAD is an SD, and a difference has two of them.
    return max(least, 0.5 * (1.4826 * float(np.median(np.abs(np.diff(values))))) ** 2)


def _tamed(values: F8, t: F8) -> F8:
    """Values with outliers pulled in to four robust SDs from a straight line: one hill is not the wander."""
    slope, level = np.polyfit(t, values, 1)
    rest = values - (level + slope * t)
    centre = float(np.median(rest))
    limit = 4.0 * 1.4826 * float(np.median(np.abs(rest - centre)))
    return np.asarray(values - rest + np.clip(rest, centre - limit, centre + limit))


def _log_likelihood(t_s: F8, columns: F8, variance: float, tau: float, noise_var: float, out: F8) -> float:
    """Restricted log likelihood of the first column with the others as regressors (Harville 1974)."""
    log_det = kernel.ou_whiten(t_s, columns, variance, tau, noise_var, out)
    # Normal equations of level and slope, two by two, by hand: this is asked sixty times a metric.
    products = out @ out.T
    power, level, slope = products[0]
    a, b, c = products[1, 1], products[1, 2], products[2, 2]
    area = a * c - b * b
    rest = power - (c * level * level - 2.0 * b * level * slope + a * slope * slope) / area
    return -0.5 * (float(log_det) + math.log(area) + float(rest))
