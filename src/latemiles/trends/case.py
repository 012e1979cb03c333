"""One metric of one run, ready to be judged: its medians, what is compared, and how much it wanders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.metrics.catalogue import metric
from latemiles.trends.baseline import Windows
from latemiles.trends.medians import Blocks, Series
from latemiles.trends.params import DriftParams, key_parts, wander_prior
from latemiles.trends.verdict import Judged, call_level, judge
from latemiles.trends.wander import WanderModel, fit_wander, mixture_half_width

__all__ = ["Case", "late_minus_baseline", "make_case"]

F8 = NDArray[np.float64]

OUTLIER_SDS: Final = 4.0
"""Medians further than this from their window's own are pulled in to it, in robust SDs."""


@dataclass(frozen=True, slots=True)
class Case:
    """What one verdict is made from."""

    key: str
    unit: str
    blocks: Blocks
    series: Series
    contrast: F8
    """(m,) weights that make late minus baseline of the medians."""
    model: WanderModel
    params: DriftParams

    @property
    def tamed(self) -> F8:
        """Medians with outliers of each window pulled in, so that one puddle does not make a change."""
        tamed = self.series.values.copy()
        for window in (self.contrast < 0.0, self.contrast > 0.0):
            inside = tamed[window]
            centre = float(np.median(inside))
            limit = OUTLIER_SDS * 1.4826 * float(np.median(np.abs(inside - centre)))
            tamed[window] = np.clip(inside, centre - limit, centre + limit)
        return tamed

    @property
    def change(self) -> float:
        """Late minus baseline."""
        return float(self.contrast @ self.tamed)

    @property
    def baseline(self) -> float:
        """Level in the baseline window."""
        before = self.contrast < 0.0
        return float(-self.contrast[before] @ self.tamed[before])

    def judge(self, change: float, model: WanderModel, extra_sd: float = 0.0) -> Judged:
        """Put a change into words under a wander model, with a further independent uncertainty."""
        sds = np.sqrt(model.contrast_variances(self.contrast) + extra_sd**2)
        half_95 = mixture_half_width(model.weights, sds, 0.95)
        half_call = mixture_half_width(model.weights, sds, call_level(self.key, self.params))
        return judge(change, half_95, half_call, self.key, self.params)


def make_case(blocks: Blocks, series: Series, contrast: F8, key: str, params: DriftParams) -> Case:
    """Judge the wander of a series and put everything together."""
    model = fit_wander(series.t_s, series.values, wander_prior(key))
    return Case(key, metric(key_parts(key)[0]).unit, blocks, series, contrast, model, params)


def late_minus_baseline(series: Series, windows: Windows) -> F8 | None:
    """Weights that make late mean minus baseline mean of the medians; None where a part has under five."""
    t = series.t_s
    baseline = (t >= windows.baseline_s[0]) & (t <= windows.baseline_s[1])
    late = (t >= windows.late_s[0]) & (t <= windows.late_s[1])
    if min(np.count_nonzero(baseline), np.count_nonzero(late)) < 5:
        return None
    return np.asarray(late / np.count_nonzero(late) - baseline / np.count_nonzero(baseline))
