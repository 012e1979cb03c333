"""What else could explain a change, in words with its share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.metrics.catalogue import metric
from latemiles.metrics.table import StrideTable
from latemiles.signals.events import Slip
from latemiles.signals.frames import Segment
from latemiles.signals.quality import StrideQuality
from latemiles.signals.results import Rival
from latemiles.trends.case import Case
from latemiles.trends.covariates import Explained
from latemiles.trends.medians import Blocks, Series, make_series
from latemiles.trends.params import key_parts

__all__ = [
    "NOTABLE",
    "covariate_rivals",
    "heading_rival",
    "pace_rival",
    "slip_share",
    "slips_that_matter",
    "warm_up_rival",
]

F8 = NDArray[np.float64]

MEDIANS_AT_SLIP: Final = 6
"""Medians on either side of a slip that its step is read from: two minutes."""

LEAST_STEP_SDS: Final = 2.0
"""A step at a slip counts from this many of its standard errors on."""

NOTABLE: Final = 0.1
"""A rival is named when it may explain this share of the change, or of the detectable change."""

HEADING_SHARE: Final = 0.25
"""From this share of weak strides on, hip rotation and adduction cannot be trusted to a trend."""

SETTLED_S: Final = (900.0, 1500.0)
"""Running time in which a warm-up is over, s: minutes 15 to 25."""

CADENCE_NOTABLE_SPM: Final = 2.0
"""A change of cadence that hints at another pace, steps/min."""


def slips_that_matter(slips: Sequence[Slip], key: str) -> list[Slip]:
    """Slips of the sensors that feed a metric."""
    column, side = key_parts(key)
    angle = metric(column).angle
    if not angle:
        return []
    segments = {Segment.PELVIS}
    if angle.startswith("hip"):
        segments |= {Segment.LEFT_THIGH} if side != "right" else set()
        segments |= {Segment.RIGHT_THIGH} if side != "left" else set()
    return [slip for slip in slips if slip.segment in segments]


def slip_share(case: Case, slips: Sequence[Slip]) -> float:
    """What the steps at the slips add to late minus baseline; zero where they were re-anchored.

    A step that the wander alone may make is none: otherwise many harmless slips would add up to a share.
    """
    share = 0.0
    y = case.series.values
    for slip in slips:
        after = case.series.t_s > slip.t_s
        n = int(np.count_nonzero(~after))
        before, behind = slice(max(0, n - MEDIANS_AT_SLIP), n), slice(n, n + MEDIANS_AT_SLIP)
        if not y[before].size or not y[behind].size:
            continue
        step = float(np.median(y[behind]) - np.median(y[before]))
        weights = np.zeros(y.size)
        weights[before], weights[behind] = -1.0 / y[before].size, 1.0 / y[behind].size
        variance = float(case.model.weights @ case.model.contrast_variances(weights))
        if abs(step) > LEAST_STEP_SDS * math.sqrt(variance):
            share += step * float(case.contrast @ after)
    return share


def covariate_rivals(explained: Explained, change: float, detectable: float, unit: str) -> list[Rival]:
    """Speed, grade and cadence, where they matter."""
    rivals = []
    for name, difference, share in zip(explained.names, explained.differences, explained.shares, strict=True):
        if abs(share) >= NOTABLE * max(abs(change), detectable):
            amount = f"{100.0 * difference:+.1f} %" if name == "grade" else f"{difference:+.2f}"
            amount += {"speed": " m/s", "grade": "", "cadence": " steps/min"}[name]
            words = f"{name.capitalize()} differed by {amount}, which explains about {share:+.1f} {unit}."
            rivals.append(Rival(name, float(share), words))
    return rivals


def pace_rival(blocks: Blocks, t_s: F8, contrast: F8) -> list[Rival]:
    """Without a speed source: the pace may have changed; cadence gives a hint."""
    cadence = make_series(blocks, "cadence_spm", "both")
    if cadence.t_s.size < 2:
        return []
    difference = float(contrast @ np.interp(t_s, cadence.t_s, cadence.values))
    if abs(difference) < CADENCE_NOTABLE_SPM:
        return []
    words = (
        f"Cadence differed by {difference:+.1f} steps/min and no speed source was there: "
        "another pace may explain a part."
    )
    return [Rival("speed", math.nan, words)]


def warm_up_rival(series: Series, baseline: float, change: float, late_start_s: float) -> list[Rival]:
    """A change that was complete by minute 25 and then stood still is a warm-up's."""
    settled = (series.running_s >= SETTLED_S[0]) & (series.running_s <= SETTLED_S[1])
    settled &= series.t_s < late_start_s
    if np.count_nonzero(settled) < 3 or change == 0.0:
        return []
    early = float(np.median(series.values[settled])) - baseline
    if early / change < 0.7:
        return []
    words = f"{early:+.1f} of it was there by minute 25 of running: it may belong to the warm-up."
    return [Rival("warm-up", early, words)]


def heading_rival(table: StrideTable, key: str) -> list[Rival]:
    """Hip adduction and rotation hang on relative heading; many weak strides make their trend weak."""
    if metric(key_parts(key)[0]).angle not in ("hip_adduction", "hip_internal_rotation"):
        return []
    used = table.used
    if not used.any():
        return []
    weak = float(np.mean((table["quality"][used] & int(StrideQuality.HEADING_UNCERTAIN)) != 0))
    if weak < HEADING_SHARE:
        return []
    words = f"Pelvis and thigh headings disagreed in {100.0 * weak:.0f} % of the strides."
    return [Rival("heading", math.nan, words)]
