"""Form drift: late against the runner's own baseline, with what it could be instead."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.kernels import trends as kernel
from latemiles.metrics.catalogue import CATALOGUE, metric
from latemiles.metrics.table import StrideTable
from latemiles.signals.events import Slip
from latemiles.signals.results import AdjustedChange, FormDrift, Rival
from latemiles.trends import rivals as rival
from latemiles.trends.baseline import Windows, choose_windows
from latemiles.trends.change_point import find_change_point
from latemiles.trends.covariates import Explained, collect_covariates, explain
from latemiles.trends.medians import Blocks, Series, make_blocks, make_series
from latemiles.trends.params import HEADLINE, DriftParams, key_parts, wander_prior
from latemiles.trends.verdict import Judged, call_level, is_called, judge
from latemiles.trends.wander import WanderModel, fit_wander, mixture_half_width

__all__ = ["DRIFT_METRICS", "FormDrifts", "form_drift"]

F8 = NDArray[np.float64]
NAN = math.nan

DRIFT_METRICS: Final = tuple(
    m.name for m in CATALOGUE if math.isfinite(m.stride_sd) and m.name != "pelvic_rotation_mean_deg"
)
"""Columns whose form drift means something; mean rotation is taken off with the heading."""

MOST_SLOPE_MEDIANS: Final = 300
"""Theil-Sen looks at all pairs; longer series are averaged down to about this many points."""

OUTLIER_SDS: Final = 4.0
"""Medians further than this from their window's own are pulled in to it, in robust SDs."""


def form_drift(
    table: StrideTable,
    key: str,
    *,
    grade: tuple[F8, F8] | None = None,
    slips: Sequence[Slip] = (),
    params: DriftParams | None = None,
) -> FormDrift:
    """Form drift of one metric over one run.

    Parameters
    ----------
    table : StrideTable
        All strides of the run; those that are not steady running are left out.
    key : str
        Column, or column with ``_left``, ``_right`` or ``_right_minus_left``.
    grade : tuple of arrays, optional
        Times (s) and grade as a fraction.
    slips : sequence of Slip
        Moments at which a sensor moved on the body.
    params : DriftParams, optional
        Windows and strictness.

    Returns
    -------
    FormDrift
        Verdict ``too short`` and NaN where there is not enough to compare.

    Raises
    ------
    InputError
        If the key names no column.
    """
    params = params or DriftParams()
    blocks = make_blocks(table, params)
    return drift_of_blocks(blocks, choose_windows(blocks, params), key, grade, slips, params)


class FormDrifts(Mapping[str, FormDrift]):
    """Form drift of every metric of a run, each worked out when it is asked for.

    Parameters
    ----------
    table : StrideTable
        All strides of the run.
    grade : tuple of arrays, optional
        Times (s) and grade as a fraction.
    slips : sequence of Slip
        Moments at which a sensor moved on the body.
    params : DriftParams, optional
        Windows and strictness.
    """

    def __init__(
        self,
        table: StrideTable,
        *,
        grade: tuple[F8, F8] | None = None,
        slips: Sequence[Slip] = (),
        params: DriftParams | None = None,
    ) -> None:
        self._params = params or DriftParams()
        self._blocks = make_blocks(table, self._params)
        self._grade = grade
        self._slips = tuple(slips)
        self.windows = choose_windows(self._blocks, self._params)
        """What is compared with what, and what a longer run would need."""
        self._done: dict[str, FormDrift] = {}

    def __getitem__(self, key: str) -> FormDrift:
        """Form drift of a column, or of a column with ``_left``, ``_right`` or ``_right_minus_left``."""
        if key not in self._done:
            self._done[key] = drift_of_blocks(
                self._blocks, self.windows, key, self._grade, self._slips, self._params
            )
        return self._done[key]

    def __iter__(self) -> Iterator[str]:
        """The headline, then every other column."""
        yield from HEADLINE
        yield from (name for name in DRIFT_METRICS if name not in HEADLINE)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def drift_of_blocks(
    blocks: Blocks,
    windows: Windows,
    key: str,
    grade: tuple[F8, F8] | None,
    slips: Sequence[Slip],
    params: DriftParams,
) -> FormDrift:
    """``form_drift`` with the run already cut into blocks."""
    column, side = key_parts(key)
    series = make_series(blocks, column, side)
    contrast = _contrast(series, windows)
    blank = _too_short(key, series, windows, side)
    if windows.needed or contrast is None:
        return blank
    model = fit_wander(series.t_s, series.values, wander_prior(key))
    change, judged = _judge_raw(series, contrast, model, key, params)
    adjusted, rivals = _adjust(blocks, series, contrast, model, grade, change, judged, key, params)
    verdict = adjusted.verdict if adjusted else judged.verdict
    rivals += rival.heading_rival(blocks.table, key)
    matter = rival.slips_that_matter(slips, key)
    share = rival.slip_share(series, contrast, matter)
    verdict, slip_rivals = _with_slips(verdict, change, judged, share, len(matter), metric(column).unit)
    rivals += slip_rivals
    baseline = float(-contrast[contrast < 0.0] @ _pulled_in(series.values, contrast)[contrast < 0.0])
    slope, slope_interval = _slope(series, model, windows)
    found = None
    if is_called(verdict) or verdict == "cannot separate":
        rivals += rival.warm_up_rival(series, baseline, change, windows.late_s[0])
        found = find_change_point(series.values, model)
    if any(r.name == "heading" for r in rivals) and is_called(verdict):
        verdict = "cannot separate"
    return replace(
        blank,
        change=change,
        interval=judged.interval,
        detectable_change=judged.detectable_change,
        slope_per_hour=slope,
        slope_interval=slope_interval,
        change_point_s=found.t_s if found else None,
        change_point_interval_s=found.interval_s if found else None,
        adjusted=adjusted,
        verdict=verdict,
        rivals=tuple(rivals),
        baseline=baseline,
    )


def _too_short(key: str, series: Series, windows: Windows, side: str) -> FormDrift:
    return FormDrift(
        metric=key,
        unit=metric(key_parts(key)[0]).unit,
        change=NAN,
        interval=(NAN, NAN),
        detectable_change=NAN,
        slope_per_hour=NAN,
        slope_interval=(NAN, NAN),
        change_point_s=None,
        change_point_interval_s=None,
        adjusted=None,
        verdict="too short",
        rivals=(),
        baseline=NAN,
        baseline_window_s=windows.baseline_s,
        late_window_s=windows.late_s,
        strides_baseline=windows.strides_baseline,
        strides_late=windows.strides_late,
        medians_t_s=series.t_s,
        medians=series.values,
        medians_side=side,
    )


def _contrast(series: Series, windows: Windows) -> F8 | None:
    """Weights that make late mean minus baseline mean of the medians; None where a part has under five."""
    t = series.t_s
    baseline = (t >= windows.baseline_s[0]) & (t <= windows.baseline_s[1])
    late = (t >= windows.late_s[0]) & (t <= windows.late_s[1])
    if min(np.count_nonzero(baseline), np.count_nonzero(late)) < 5:
        return None
    return np.asarray(late / np.count_nonzero(late) - baseline / np.count_nonzero(baseline))


def _pulled_in(values: F8, contrast: F8) -> F8:
    """Medians with outliers of each window pulled in, so that one stop or puddle does not make a change."""
    tamed = values.copy()
    for window in (contrast < 0.0, contrast > 0.0):
        inside = values[window]
        centre = float(np.median(inside))
        limit = OUTLIER_SDS * 1.4826 * float(np.median(np.abs(inside - centre)))
        tamed[window] = np.clip(inside, centre - limit, centre + limit)
    return tamed


def _judge_raw(
    series: Series, contrast: F8, model: WanderModel, key: str, params: DriftParams
) -> tuple[float, Judged]:
    change = float(contrast @ _pulled_in(series.values, contrast))
    variances = model.contrast_variances(contrast)
    half_95 = model.half_width(variances, 0.95)
    half_call = model.half_width(variances, call_level(key, params))
    return change, judge(change, half_95, half_call, key, params)


def _adjust(
    blocks: Blocks,
    series: Series,
    contrast: F8,
    model: WanderModel,
    grade: tuple[F8, F8] | None,
    change: float,
    judged: Judged,
    key: str,
    params: DriftParams,
) -> tuple[AdjustedChange | None, list[Rival]]:
    """The change after speed, grade and cadence, and these as rivals; None without a speed source."""
    covariates = collect_covariates(blocks, series.t_s, key, grade)
    if not any(c.name == "speed" for c in covariates):
        return None, rival.pace_rival(blocks, series.t_s, contrast)
    # What speed makes of the medians is no wander: judge that again on what is left.
    first = explain(series.values, covariates, contrast, model)
    model = fit_wander(series.t_s, first.adjusted, wander_prior(key))
    explained = explain(series.values, covariates, contrast, model)
    left = change - float(explained.shares.sum())
    variances = model.contrast_variances(contrast) + explained.sd**2
    level = call_level(key, params)
    half_call = mixture_half_width(model.weights, np.sqrt(variances), level)
    half_95 = mixture_half_width(model.weights, np.sqrt(variances), 0.95)
    after = judge(left, half_95, half_call, key, params)
    verdict = _separable(after, left, change, judged, explained)
    adjusted = AdjustedChange(
        left,
        after.interval,
        after.detectable_change,
        verdict,
        explained.names,
        tuple(float(s) for s in explained.slopes),
        explained.adjusted,
    )
    unit = metric(key_parts(key)[0]).unit
    return adjusted, rival.covariate_rivals(explained, change, judged.detectable_change, unit)


def _separable(after: Judged, left: float, change: float, raw: Judged, explained: Explained) -> str:
    """``cannot separate`` where what speed explains is so uncertain that it decides the verdict.

    That is so when its uncertainty alone is as large as the detectable change, or when without it the
    remaining change would have been called.
    """
    if is_called(after.verdict):
        return after.verdict
    is_decisive = max(abs(left), abs(change)) >= raw.detectable_change and explained.sd > 0.25 * abs(change)
    is_blind = 1.96 * explained.sd > raw.detectable_change
    return "cannot separate" if is_decisive or is_blind else after.verdict


def _with_slips(
    verdict: str, change: float, judged: Judged, share: float, n_slips: int, unit: str
) -> tuple[str, list[Rival]]:
    """A change that steps at slips explain, or hide, has the verdict ``slip``."""
    if not n_slips:
        return verdict, []
    words = f"A sensor moved on the body; the steps at those moments make {share:+.1f} {unit} of the change."
    rivals = [Rival("slip", share, words)]
    detectable = judged.detectable_change
    remaining = change - share
    if is_called(verdict) or verdict == "cannot separate":
        explains = abs(remaining) < detectable or (share * change > 0.0 and abs(share) >= 0.5 * abs(change))
        return ("slip" if explains and abs(share) >= 0.25 * abs(change) else verdict), rivals
    return ("slip" if abs(share) >= detectable and abs(remaining) >= detectable else verdict), rivals


def _slope(series: Series, model: WanderModel, windows: Windows) -> tuple[float, tuple[float, float]]:
    """Theil-Sen slope an hour from the baseline on, with a 95 % interval that carries the wander."""
    keep = series.t_s >= windows.baseline_s[0]
    t, y = series.t_s[keep], series.values[keep]
    fold = max(1, -(-t.size // MOST_SLOPE_MEDIANS))
    n = t.size // fold
    t_mean = t[: n * fold].reshape(n, fold).mean(axis=1)
    y_mean = y[: n * fold].reshape(n, fold).mean(axis=1)
    slopes = np.empty(n * (n - 1) // 2)
    kernel.theil_sen_slopes(t_mean, y_mean, slopes)
    slope = 3600.0 * float(np.median(slopes))
    weights = np.zeros(series.t_s.size)
    weights[keep] = 3600.0 * (t - t.mean()) / float(np.sum((t - t.mean()) ** 2))
    half = model.half_width(model.contrast_variances(weights), 0.95)
    return slope, (slope - half, slope + half)
