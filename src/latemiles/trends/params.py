"""Settings of form drift, each with the reason for its value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from latemiles.metrics.catalogue import metric

__all__ = ["HEADLINE", "DriftParams", "change_floor", "is_headline", "key_parts", "wander_prior"]

HEADLINE: Final = (
    "pelvic_tilt_mean_deg",
    "pelvic_drop_excursion_deg_left",
    "pelvic_drop_excursion_deg_right",
    "pelvic_drop_excursion_deg_right_minus_left",
    "hip_internal_rotation_mean_deg_right_minus_left",
)
"""The metrics that were named before any run was looked at: tilt, drop and its asymmetry, hip rotation
asymmetry. All others are secondary and must pass a stricter rule, for there are many of them."""

SIDE_ENDINGS: Final = (("_right_minus_left", "right_minus_left"), ("_left", "left"), ("_right", "right"))

ANGLE_FLOOR_DEG: Final = 0.4
"""Smallest change of an angle that is ever called: below it steady runners with a wander of 0.4 deg over
5 min give false calls whatever the statistics say."""

HIP_FLOOR_DEG: Final = {"hip_adduction": 0.7, "hip_internal_rotation": 1.0}
"""The same for the two hip angles that hang on the relative heading of pelvis and thigh."""

OTHER_FLOOR: Final = 0.6
"""The same for other units, in stride-to-stride SDs: tilt's 0.4 of 0.7 deg."""

WANDER_SHARE: Final = 0.4
"""Where the estimate of the wander's SD starts, in stride-to-stride SDs: 0.28 deg for tilt."""


@dataclass(frozen=True, slots=True)
class DriftParams:
    """What form drift is compared with, and how strict it is."""

    block_strides: int = 25
    """Strides of one leg in a median (Zandbergen 2023)."""
    fewest_in_block: int = 10
    """A median of fewer is not made."""
    block_gap_s: float = 60.0
    """A pause this long ends a block, s."""
    warm_up_s: float = 180.0
    """Running time before the baseline, s."""
    baseline_end_s: float = 600.0
    """End of the baseline in running time, s."""
    baseline_window_s: tuple[float, float] | None = None
    """A baseline the user marked, session seconds; None: from the two above."""
    least_strides: int = 300
    """Strides of a leg that the baseline and the late part each need: 3.7 min."""
    late_s: float = 600.0
    """Least length of the late part, s of running; shorter only where the run is."""
    late_share: float = 0.2
    """Length of the late part as a share of the run, where that is longer."""
    headline_level: float = 0.98
    """A change must lie outside the interval of this level to be called: one steady hour in fifty."""
    secondary_level: float = 0.999
    """The same for the metrics that are not the headline."""
    clear_ratio: float = 1.5
    """A change this many times the detectable one is clear."""


def key_parts(key: str) -> tuple[str, str]:
    """Column and side of a form-drift key.

    A key is a column name, or a column name and ``_left``, ``_right`` or ``_right_minus_left``; the plain
    column stands for the mean of both sides' medians.

    Returns
    -------
    tuple of str
        Column, and ``both``, ``left``, ``right`` or ``right_minus_left``.
    """
    for ending, side in SIDE_ENDINGS:
        if key.endswith(ending):
            column = key.removesuffix(ending)
            metric(column)
            return column, side
    metric(key)
    return key, "both"


def is_headline(key: str) -> bool:
    """Whether the metric was named in advance."""
    return key in HEADLINE


def change_floor(key: str) -> float:
    """Smallest change that is ever called, in the metric's unit."""
    entry = metric(key_parts(key)[0])
    if entry.unit == "deg":
        return HIP_FLOOR_DEG.get(entry.angle, ANGLE_FLOOR_DEG)
    return OTHER_FLOOR * entry.stride_sd


def wander_prior(key: str) -> float:
    """Where the estimate of the wander's SD starts, in the metric's unit."""
    return WANDER_SHARE * metric(key_parts(key)[0]).stride_sd
