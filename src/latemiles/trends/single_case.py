"""One runner, before against during: how far two blocks of days differ, and what they could tell apart.

Values of neighbouring days are not independent (a cold, a training week, a worn belt), so plain means would
be too sure. The spread has three parts of unknown shares: one that is new with every value, one that goes
with what each value may itself be off by, and one that fades over days. All shares are tried on a grid and
weighted by how well they explain the values (restricted likelihood, Harville 1974); the interval is that of
the mixture of Student's t over the grid. What a before-and-after of one person cannot show, whatever the
interval, is a cause (Kratochwill et al. 2013, Remedial and Special Education 34:26).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.trends.student import mixture_quantile, student_quantile

__all__ = ["LEAST_VALUES", "BlockDifference", "compare_blocks"]

F8 = NDArray[np.float64]

LEAST_VALUES: Final = 5
"""Values that each of the two blocks needs (What Works Clearinghouse, single-case standards)."""

LASTING_SHARES: Final = (0.0, 0.2, 0.4, 0.6, 0.8)
"""Shares of the variance that fade over days instead of being new each time."""

LASTING_PRIOR: Final = (0.30, 0.25, 0.20, 0.15, 0.10)
"""How likely each is beforehand."""

FADE_DAYS: Final = (3.0, 8.0, 20.0)
"""Times in which that part fades to a third, days: a bad night, a training week, a month."""

OWN_SHARES: Final = (0.0, 0.5, 1.0)
"""Shares of the rest that go with what each value may itself be off by."""

POWER: Final = 0.8
"""A difference counts as one that can be told apart if it would be found four times in five."""

CLEAR_RATIO: Final = 1.5
"""A difference this many times the smallest that can be told apart is clear."""

NAN = math.nan


@dataclass(frozen=True, slots=True)
class BlockDifference:
    """The block against what was before it."""

    before: float
    """Level before the block."""
    during: float
    """Level in the block."""
    difference: float
    """During minus before."""
    interval: tuple[float, float]
    """95 % interval of the difference."""
    detectable: float
    """The smallest difference that these two blocks can tell apart."""
    verdict: str
    """``no change``, ``small, inside noise``, ``likely change`` or ``clear change``."""
    n_before: int
    n_during: int
    slope: float
    """Change of the value per unit of the condition that was taken off; NaN if none was."""

    @property
    def is_beyond(self) -> bool:
        """Whether the difference is one that can be told apart."""
        return self.verdict in ("likely change", "clear change")


def compare_blocks(
    days: F8,
    values: F8,
    in_block: NDArray[np.bool_],
    *,
    own_sd: F8 | None = None,
    condition: F8 | None = None,
    level: float = 0.95,
    floor: float = 0.0,
) -> BlockDifference | None:
    """Compare the values of a block with those before it.

    Parameters
    ----------
    days : float64 array, shape (n,)
        When, in days, in any order.
    values : float64 array, shape (n,)
        Finite.
    in_block : bool array, shape (n,)
        Which values are from the block.
    own_sd : float64 array, shape (n,), optional
        What each value may itself be off by, one SD; None: all the same.
    condition : float64 array, shape (n,), optional
        A condition whose part is taken off, such as speed.
    level : float
        Confidence at which a difference is called; higher where several rows are looked at.
    floor : float
        Smallest difference that is ever called.

    Returns
    -------
    BlockDifference or None
        None if one of the two has fewer than ``LEAST_VALUES``.
    """
    n_during = int(np.count_nonzero(in_block))
    if min(n_during, len(values) - n_during) < LEAST_VALUES:
        return None
    columns = [np.ones(len(values)), np.asarray(in_block, dtype=np.float64)]
    if condition is not None:
        columns.append(condition - np.mean(condition))
    fit = _fit(days, values, np.stack(columns, axis=1), own_sd)
    freedom = float(len(values) - len(columns))
    low, high = fit.interval(0.95, freedom)
    call_low, call_high = fit.interval(level, freedom)
    reach = 1.0 + student_quantile(POWER, freedom) / student_quantile(0.5 + 0.5 * level, freedom)
    detectable = max(floor, 0.5 * (call_high - call_low) * reach)
    before, difference = fit.mean(0), fit.mean(1)
    return BlockDifference(
        before=before,
        during=before + difference,
        difference=difference,
        interval=(low, high),
        detectable=detectable,
        verdict=_verdict(difference, low, high, detectable),
        n_before=len(values) - n_during,
        n_during=n_during,
        slope=fit.mean(2) if condition is not None else NAN,
    )


def _verdict(difference: float, low: float, high: float, detectable: float) -> str:
    size = abs(difference)
    if size >= CLEAR_RATIO * detectable:
        return "clear change"
    if size >= detectable:
        return "likely change"
    return "no change" if low <= 0.0 <= high or size < 0.5 * detectable else "small, inside noise"


@dataclass(frozen=True, slots=True)
class _Fit:
    """Estimates under every structure of the spread that was tried."""

    weights: F8
    """(g,) sum 1."""
    estimates: F8
    """(g, p)"""
    scales: F8
    """(g,) scale of the difference's t distribution."""

    def mean(self, column: int) -> float:
        return float(self.weights @ self.estimates[:, column])

    def interval(self, level: float, freedom: float) -> tuple[float, float]:
        """Interval of the difference that leaves the same probability on either side."""
        kept = self.weights > 1e-4 * self.weights.max()
        weights = (self.weights[kept] / self.weights[kept].sum()).tolist()
        parts = weights, self.estimates[kept, 1].tolist(), self.scales[kept].tolist()
        tail = 0.5 * (1.0 - level)
        return mixture_quantile(tail, *parts, freedom), mixture_quantile(1.0 - tail, *parts, freedom)


def _fit(days: F8, values: F8, design: F8, own_sd: F8 | None) -> _Fit:
    n, p = design.shape
    apart = np.abs(days[:, None] - days[None, :])
    log_weights, estimates, scales = [], [], []
    for share, prior in zip(LASTING_SHARES, LASTING_PRIOR, strict=True):
        fades = FADE_DAYS if share > 0.0 else FADE_DAYS[:1]
        for fade in fades:
            for own in OWN_SHARES if own_sd is not None else OWN_SHARES[:1]:
                new = np.full(n, 1.0 - own)
                if own_sd is not None:
                    new += own * own_sd**2 / np.mean(own_sd**2)
                cov = share * np.exp(-apart / fade) + (1.0 - share) * np.diag(new)
                root = np.linalg.cholesky(cov)
                white = np.linalg.solve(root, np.column_stack([design, values]))
                x, y = white[:, :p], white[:, p]
                normal = x.T @ x
                estimate = np.linalg.solve(normal, x.T @ y)
                rest = max(float(np.sum((y - x @ estimate) ** 2)), 1e-12)
                log_weights.append(
                    math.log(prior / len(fades))
                    - float(np.sum(np.log(np.diag(root))))
                    - 0.5 * float(np.linalg.slogdet(normal)[1])
                    - 0.5 * (n - p) * math.log(rest)
                )
                estimates.append(estimate)
                scales.append(math.sqrt(rest / (n - p) * float(np.linalg.inv(normal)[1, 1])))
    weights = np.exp(np.array(log_weights) - max(log_weights))
    return _Fit(weights / weights.sum(), np.array(estimates), np.array(scales))
