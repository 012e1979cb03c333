"""Form drift: late against the runner's own baseline, with what it could be instead."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import UnknownName
from latemiles.kernels import trends as kernel
from latemiles.metrics.catalogue import CATALOGUE, metric
from latemiles.metrics.table import StrideTable
from latemiles.signals.events import Slip
from latemiles.signals.results import AdjustedChange, FormDrift, Rival
from latemiles.trends import rivals as rival
from latemiles.trends.adjusted import adjust
from latemiles.trends.baseline import Windows, choose_windows
from latemiles.trends.case import Case, late_minus_baseline, make_case
from latemiles.trends.change_point import ChangePoint, find_change_point
from latemiles.trends.medians import Blocks, Series, make_blocks, make_series
from latemiles.trends.params import HEADLINE, DriftParams, key_parts, wander_prior
from latemiles.trends.verdict import Judged, is_called
from latemiles.trends.wander import fit_wander

__all__ = ["DRIFT_METRICS", "FormDrifts", "form_drift"]

F8 = NDArray[np.float64]
NAN = math.nan

DRIFT_METRICS: Final = tuple(
    m.name for m in CATALOGUE if math.isfinite(m.stride_sd) and m.name != "pelvic_rotation_mean_deg"
)
"""Columns whose form drift means something; mean rotation is taken off with the heading."""

MOST_SLOPE_MEDIANS: Final = 300
"""Theil-Sen looks at all pairs; longer series are averaged down to about this many points."""


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
    UnknownName
        If the key names no column, or one that is a condition of the run, such as its speed.
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
    if not math.isfinite(metric(column).stride_sd):
        raise UnknownName(
            "a metric of form",
            f"'{column}'",
            "Times, distance and speed are conditions of a run, not its form.",
        )
    series = make_series(blocks, column, side)
    contrast = late_minus_baseline(series, windows)
    blank = _too_short(key, series, windows, side)
    if windows.needed or contrast is None:
        return blank
    case = make_case(blocks, series, contrast, key, params)
    raw = case.judge(case.change, case.model)
    adjusted, rivals = adjust(case, raw, grade)
    verdict, slip_rivals = _with_slips(adjusted.verdict if adjusted else raw.verdict, case, raw, slips)
    rivals += slip_rivals
    found = None
    if is_called(verdict) or verdict == "cannot separate":
        rivals += rival.warm_up_rival(series, case.baseline, case.change, windows.late_s[0])
        found = _dated(case, adjusted, verdict)
    headings = rival.heading_rival(blocks.table, key)
    if headings and is_called(verdict):
        verdict = "cannot separate"
    slope, slope_interval = _slope(case, windows.baseline_s[0])
    return replace(
        blank,
        change=case.change,
        interval=raw.interval,
        detectable_change=raw.detectable_change,
        slope_per_hour=slope,
        slope_interval=slope_interval,
        change_point_s=found.t_s if found else None,
        change_point_interval_s=found.interval_s if found else None,
        adjusted=adjusted,
        verdict=verdict,
        rivals=(*rivals, *headings),
        baseline=case.baseline,
    )


def _dated(case: Case, adjusted: AdjustedChange | None, verdict: str) -> ChangePoint | None:
    """When the change that is stated began: the adjusted one, where it could be told from speed's."""
    if adjusted is None or not is_called(verdict):
        return find_change_point(case.series.values, case.model)
    values = adjusted.adjusted_medians
    return find_change_point(values, fit_wander(case.series.t_s, values, wander_prior(case.key)))


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


def _with_slips(verdict: str, case: Case, raw: Judged, slips: Sequence[Slip]) -> tuple[str, list[Rival]]:
    """A change that steps at slips explain, or hide, has the verdict ``slip``."""
    matter = rival.slips_that_matter(slips, case.key)
    if not matter:
        return verdict, []
    share = rival.slip_share(case, matter)
    change, detectable = case.change, raw.detectable_change
    words = f"A sensor moved on the body; the steps then make {share:+.1f} {case.unit} of the change."
    remaining = change - share
    if is_called(verdict) or verdict == "cannot separate":
        is_most = share * change > 0.0 and abs(share) >= 0.5 * abs(change)
        is_slip = abs(share) >= 0.25 * abs(change) and (is_most or abs(remaining) < detectable)
    else:
        is_slip = abs(share) >= detectable and abs(remaining) >= detectable
    return ("slip" if is_slip else verdict), [Rival("slip", share, words)]


def _slope(case: Case, start_s: float) -> tuple[float, tuple[float, float]]:
    """Theil-Sen slope an hour from the baseline on, with a 95 % interval that carries the wander."""
    keep = case.series.t_s >= start_s
    t, y = case.series.t_s[keep], case.series.values[keep]
    fold = max(1, -(-t.size // MOST_SLOPE_MEDIANS))
    n = t.size // fold
    t_mean = t[: n * fold].reshape(n, fold).mean(axis=1)
    y_mean = y[: n * fold].reshape(n, fold).mean(axis=1)
    slopes = np.empty(n * (n - 1) // 2)
    kernel.theil_sen_slopes(t_mean, y_mean, slopes)
    slope = 3600.0 * float(np.median(slopes))
    # The straight line's weights: its spread is that of the Theil-Sen slope within a tenth.
    weights = np.zeros(keep.size)
    weights[keep] = 3600.0 * (t - t.mean()) / float(np.sum((t - t.mean()) ** 2))
    half = case.model.half_width(case.model.contrast_variances(weights), 0.95)
    return slope, (slope - half, slope + half)
