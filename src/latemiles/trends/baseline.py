"""What is compared with what: the baseline after the warm-up, and the late part."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from latemiles.trends.medians import Blocks
from latemiles.trends.params import DriftParams

__all__ = ["Windows", "choose_windows"]


@dataclass(frozen=True, slots=True)
class Windows:
    """The two parts of the run that are compared."""

    baseline_s: tuple[float, float]
    """Session seconds; NaN where the run is too short."""
    late_s: tuple[float, float]
    strides_baseline: int
    """Strides of a leg (the mean of the legs that were heard)."""
    strides_late: int
    needed: str
    """Empty, or what a longer run would need, in one sentence."""


def choose_windows(blocks: Blocks, params: DriftParams) -> Windows:
    """Baseline and late part of a run.

    The baseline is minutes 3 to 10 of running (or what the user marked), the late part the last 10 minutes
    or the last fifth, whichever is longer. Neither is longer than a third of what follows the warm-up, so
    that short runs keep two parts that do not touch; a part with fewer than 300 strides of a leg is too
    short to be compared.

    Parameters
    ----------
    blocks : Blocks
        The run.
    params : DriftParams
        Lengths.
    """
    running = blocks.stride_running_s
    total = float(running[-1]) if running.size else 0.0
    third = max(0.0, total - params.warm_up_s) / 3.0
    late_from = total - min(max(params.late_s, params.late_share * total), third)
    late = _session(blocks, late_from, math.inf)
    if params.baseline_window_s is not None:
        baseline = params.baseline_window_s
        late = (max(late[0], baseline[1]), late[1])
    else:
        end = params.warm_up_s + min(params.baseline_end_s - params.warm_up_s, third)
        baseline = _session(blocks, params.warm_up_s, end)
    n_baseline, n_late = _strides(blocks, baseline), _strides(blocks, late)
    needed = ""
    if min(n_baseline, n_late) < params.least_strides:
        needed = (
            f"The baseline has {n_baseline} and the late part {n_late} steady strides of each leg; both need "
            f"{params.least_strides}, which takes about 15 minutes of steady running."
        )
    return Windows(baseline, late, n_baseline, n_late, needed)


def _session(blocks: Blocks, start: float, end: float) -> tuple[float, float]:
    """Session time of the first and last used stride inside a piece of running time."""
    inside = (blocks.stride_running_s >= start) & (blocks.stride_running_s <= end)
    if not inside.any():
        return math.nan, math.nan
    t = blocks.stride_t_s[inside]
    return float(t[0]), float(t[-1])


def _strides(blocks: Blocks, window: tuple[float, float]) -> int:
    inside = (blocks.stride_t_s >= window[0]) & (blocks.stride_t_s <= window[1])
    return int(np.count_nonzero(inside)) // blocks.sides
