"""When a change began: a level, then a rise that lasts some time, then a new level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.trends.wander import WanderModel

__all__ = ["ChangePoint", "find_change_point"]

F8 = NDArray[np.float64]

RISES_S: Final = (0.0, 300.0, 600.0, 900.0, 1200.0, 1800.0, 2700.0, 3600.0, 5400.0, np.inf)
"""How long the rise may take, s: a step, five minutes and on, each about half as long again, until the end. A
coarser choice puts the beginning of a rise between two of them too early or too late, and calls that sure."""

MOST_STARTS: Final = 120
"""Times that are tried as the beginning."""

LEAST_GAIN: Final = 15.0
"""Least gain in whitened squares over no change: the scan over some 1,100 shapes alone reaches about 12."""

INTERVAL_DROP: Final = 3.84
"""Loss of whitened squares at the edge of a 95 % profile interval (chi-square, one parameter)."""


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """When a change began."""

    t_s: float
    interval_s: tuple[float, float]
    rise_s: float
    """How long it took; infinite: until the end."""


def find_change_point(values: F8, model: WanderModel) -> ChangePoint | None:
    """Beginning of the change in a series of medians, by least squares on the whitened series.

    Parameters
    ----------
    values : float64 array, shape (m,)
        Medians at ``model.t_s``.
    model : WanderModel
        Noise and wander.

    Returns
    -------
    ChangePoint or None
        None where no shape fits much better than a constant level.
    """
    t = model.t_s
    if t.size < 8:
        return None
    starts = t[2:-3]
    chosen = np.linspace(0, starts.size - 1, MOST_STARTS).astype(np.int64)
    starts = starts[chosen[np.diff(chosen, prepend=-1) > 0]]
    # A rise that began with the run must be in the choice, or its beginning would be put later.
    starts = np.concatenate([t[:1], starts])
    whole = max(float(t[-1] - t[0]), 1.0)
    shapes = [
        _shape(t, start, min(rise, max(float(t[-1] - start), 1.0)))
        for start in starts
        for rise in RISES_S
        if rise < whole or np.isinf(rise)
    ]
    per_start = len(shapes) // starts.size
    white = model.whiten(np.stack([values, np.ones_like(values), *shapes]))
    loss = _losses(white).reshape(starts.size, per_start)
    constant = white[0] - white[1] * (white[0] @ white[1]) / (white[1] @ white[1])
    profile = loss.min(axis=1)
    best = int(np.argmin(profile))
    if float(constant @ constant) - profile[best] < LEAST_GAIN:
        return None
    inside = starts[profile - profile[best] <= INTERVAL_DROP]
    rises = [rise for rise in RISES_S if rise < whole or np.isinf(rise)]
    return ChangePoint(
        float(starts[best]), (float(inside[0]), float(inside[-1])), rises[int(np.argmin(loss[best]))]
    )


def _shape(t: F8, start: float, rise: float) -> F8:
    if rise <= 0.0:
        return np.where(t > start, 1.0, 0.0)
    return np.clip((t - start) / rise, 0.0, 1.0)


def _losses(white: F8) -> F8:
    """Residual squares of the first row on a constant (second row) and each further row in turn."""
    y, constant, shapes = white[0], white[1], white[2:]
    unit = constant / np.sqrt(constant @ constant)
    y = y - unit * (unit @ y)
    shapes = shapes - np.outer(shapes @ unit, unit)
    power = np.maximum(np.sum(shapes**2, axis=1), 1e-12)
    return np.asarray(y @ y - (shapes @ y) ** 2 / power)
