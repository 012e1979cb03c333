"""A change after speed, grade and cadence are taken off, and whether they can be told apart from it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latemiles.signals.results import AdjustedChange, Rival
from latemiles.trends.case import Case
from latemiles.trends.covariates import Explained, collect_covariates, explain
from latemiles.trends.params import wander_prior
from latemiles.trends.rivals import covariate_rivals, pace_rival
from latemiles.trends.verdict import Judged, is_called
from latemiles.trends.wander import fit_wander

__all__ = ["adjust"]

F8 = NDArray[np.float64]


def adjust(case: Case, raw: Judged, grade: tuple[F8, F8] | None) -> tuple[AdjustedChange | None, list[Rival]]:
    """The change after speed, grade and cadence, and these as rivals.

    Parameters
    ----------
    case : Case
        The metric.
    raw : Judged
        Its change as measured.
    grade : tuple of arrays or None
        Times (s) and grade as a fraction.

    Returns
    -------
    tuple
        None without a speed source; and the rivals that matter.
    """
    series = case.series
    covariates = collect_covariates(case.blocks, series.t_s, case.key, grade)
    if not any(c.name == "speed" for c in covariates):
        return None, pace_rival(case.blocks, series.t_s, case.contrast)
    # What speed makes of the medians is no wander: judge that again on what is left.
    first = explain(series.values, covariates, case.contrast, case.model)
    model = fit_wander(series.t_s, first.adjusted, wander_prior(case.key))
    explained = explain(series.values, covariates, case.contrast, model)
    left = case.change - float(explained.shares.sum())
    after = case.judge(left, model, explained.sd)
    known = case.judge(left, model).detectable_change
    adjusted = AdjustedChange(
        left,
        after.interval,
        after.detectable_change,
        _separable(after, left, case.change, known, explained),
        explained.names,
        tuple(float(s) for s in explained.slopes),
        explained.adjusted,
    )
    return adjusted, covariate_rivals(explained, case.change, raw.detectable_change, case.unit)


def _separable(after: Judged, left: float, change: float, known: float, explained: Explained) -> str:
    """``cannot separate`` where what speed explains is so uncertain that it decides the verdict.

    That is so when its uncertainty alone reaches the change that could be detected if the explanation were
    known (``known``), or when what is left, or the whole, would have been called with it known.
    """
    if is_called(after.verdict):
        return after.verdict
    is_decisive = max(abs(left), abs(change)) >= known and explained.sd > 0.25 * abs(change)
    is_blind = 1.96 * explained.sd > known
    return "cannot separate" if is_decisive or is_blind else after.verdict
