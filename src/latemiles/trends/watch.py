"""One headline metric while the run goes on: baseline, recent level, interval, change detector."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from statistics import NormalDist
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from latemiles.kernels import trends as kernel
from latemiles.kernels.jit import settled
from latemiles.signals.events import DriftUpdate
from latemiles.trends.params import ANGLE_FLOOR_DEG, DriftParams, change_floor, wander_prior
from latemiles.trends.verdict import call_level, judge
from latemiles.trends.wander import TAUS_S, fit_wander

__all__ = ["MetricWatch", "WatchParams"]

NAN = math.nan

SCALE_KEY: Final = "pelvic_tilt_mean_deg"
"""The metric that allowance and limit are given for."""

MOST_BASELINE: Final = 64
"""Medians of a baseline; it is fixed then at the latest."""


@dataclass(frozen=True, slots=True)
class WatchParams:
    """How a metric is watched online."""

    recent: int = 4
    """Medians in the recent level: 72 s of running."""
    allowance_deg: float = 0.8
    """CUSUM: how far the medians of tilt may stand from the baseline for any time, deg. With 0.8 and a limit
    of 3 a wander of 0.2 deg SD over 5 min makes 0.05 alarms in 20 h (0.9 at 0.3 deg), and 2 deg over 40 min
    are found after 21 min (with 1.0: after 25 min)."""
    limit_deg: float = 3.0
    """CUSUM: sum of excesses, one a median, that raises the alarm, deg."""


@lru_cache
def _contrast(before: int, after: int) -> NDArray[np.float64]:
    """Weights of the mean of the last points less that of the first."""
    return np.concatenate([np.full(before, -1.0 / before), np.full(after, 1.0 / after)])


@lru_cache
def _half_width(share: float) -> float:
    """Half of the interval that holds a share of a normal distribution, in standard deviations."""
    return NormalDist().inv_cdf(0.5 + 0.5 * share)


@cache
def _quadratic() -> Callable[[NDArray[np.float64], NDArray[np.float64], float], float]:
    """The kernel without a look at its arguments: thousands of calls, and always alike."""
    of: Callable[..., float] = settled(kernel.ou_quadratic, np.zeros(1), np.zeros(1), TAUS_S[0])
    return of


class MetricWatch:
    """State of one metric: some numbers, and the baseline's medians until it is fixed.

    The alarm is a two-sided CUSUM (Page 1954) in the metric's own unit rather than in standard errors: the
    danger is the runner's slow wander, which does not shrink with more strides.

    Parameters
    ----------
    key : str
        The metric, as in ``form_drift``.
    drift : DriftParams
        Baseline and strictness.
    params : WatchParams
        Recent level and alarm.
    """

    def __init__(self, key: str, drift: DriftParams, params: WatchParams) -> None:
        self.key = key
        self._drift = drift
        self._params = params
        # Tilt's allowance and limit, made larger for metrics that wander more.
        scale = max(change_floor(key), wander_prior(key) * ANGLE_FLOOR_DEG / wander_prior(SCALE_KEY))
        self._scale = scale / ANGLE_FLOOR_DEG
        self._points: list[tuple[float, float]] = []
        self._t_s = np.empty(0)
        """Times of the points, once they are fixed."""
        self._level = NAN
        self._recent: list[tuple[float, float]] = []
        self._high = self._low = 0.0
        self._variances: list[float] = []
        self._noise_var = NAN
        self._extra_var = 0.0
        self._anchor = NAN
        self._change = NAN

    def push(self, t_s: float, centre_s: float, running_s: float, value: float) -> DriftUpdate:
        """Take in one median.

        Parameters
        ----------
        t_s : float
            Now, session seconds.
        centre_s, running_s : float
            Its middle in session seconds and in running time.
        value : float
            The median; NaN where there is none.
        """
        if math.isnan(value):
            return self._blank(t_s, "too short")
        if math.isnan(self._level):
            return self._learn(t_s, centre_s, running_s, value)
        self._recent = [*self._recent, (centre_s, value)][-self._params.recent :]
        if math.isfinite(self._anchor):
            return self._anchor_again(t_s)
        self._accumulate(value - self._level)
        return self._update(t_s)

    def slip(self, t_s: float) -> DriftUpdate:
        """The sensor moved: what follows is tied to the level before, and is less sure from now on."""
        if math.isnan(self._level):
            self._points = []
            return self._blank(t_s, "slip")
        if math.isnan(self._anchor):
            self._anchor = self._level if not self._recent else self._mean_recent()
        self._recent = []
        self._high = self._low = 0.0
        return self._blank(t_s, "slip")

    def save(self) -> dict[str, Any]:
        """State as plain values."""
        return {
            "points": self._points,
            "recent": self._recent,
            "variances": self._variances,
            "numbers": [
                self._level,
                self._high,
                self._low,
                self._noise_var,
                self._extra_var,
                self._anchor,
                self._change,
            ],
        }

    def load(self, saved: dict[str, Any]) -> None:
        """Go on from what ``save`` gave."""
        self._points, self._t_s = [(p[0], p[1]) for p in saved["points"]], np.empty(0)
        self._recent = [(p[0], p[1]) for p in saved["recent"]]
        self._variances = list(saved["variances"])
        (
            self._level,
            self._high,
            self._low,
            self._noise_var,
            self._extra_var,
            self._anchor,
            self._change,
        ) = saved["numbers"]

    def _learn(self, t_s: float, centre_s: float, running_s: float, value: float) -> DriftUpdate:
        """Collect the baseline, and fix it when its window is over and it holds enough."""
        marked = self._drift.baseline_window_s
        start, end = marked or (self._drift.warm_up_s, self._drift.baseline_end_s)
        clock = centre_s if marked else running_s
        if clock >= start:
            self._points.append((centre_s, value))
        least = self._drift.least_strides // self._drift.block_strides
        is_over = clock >= end and len(self._points) >= least
        if is_over or len(self._points) >= MOST_BASELINE:
            self._fix()
        return self._blank(t_s, "too short")

    def _fix(self) -> None:
        t, values = (np.array(column) for column in zip(*self._points, strict=True))
        model = fit_wander(t, values, wander_prior(self.key))
        centre = float(np.median(values))
        spread = 4.0 * 1.4826 * float(np.median(np.abs(values - centre)))
        self._level = float(np.mean(np.clip(values, centre - spread, centre + spread)))
        self._noise_var = model.noise_var
        # Expected wander variance for each correlation time; later contrasts need no more than these.
        self._variances = [
            float(np.sum((model.weights * model.variances)[model.taus_s == tau])) for tau in TAUS_S
        ]

    def _accumulate(self, excess: float) -> None:
        allowance, limit = (x * self._scale for x in (self._params.allowance_deg, self._params.limit_deg))
        # Held at twice the limit, so that an alarm ends when the runner comes back.
        self._high = min(max(0.0, self._high + excess - allowance), 2.0 * limit)
        self._low = min(max(0.0, self._low - excess - allowance), 2.0 * limit)

    def _anchor_again(self, t_s: float) -> DriftUpdate:
        """After a slip: once the recent level is full, shift the baseline by the step."""
        if len(self._recent) < self._params.recent:
            return self._blank(t_s, "slip")
        self._level += self._mean_recent() - self._anchor
        self._anchor = NAN
        # Two short levels were compared, minutes apart: half the wander's variance, and their noise.
        self._extra_var += 0.5 * sum(self._variances) + 2.0 * self._noise_var / self._params.recent
        return self._update(t_s)

    def _update(self, t_s: float) -> DriftUpdate:
        self._change = self._mean_recent() - self._level
        sd = math.sqrt(self._variance())
        level = call_level(self.key, self._drift)
        half_95, half_call = sd * _half_width(0.95), sd * _half_width(level)
        judged = judge(self._change, half_95, half_call, self.key, self._drift)
        return DriftUpdate(
            t_s,
            self.key,
            self._change,
            *judged.interval,
            judged.detectable_change,
            judged.verdict,
            self._alarm(),
        )

    def _variance(self) -> float:
        """Variance of recent level minus baseline."""
        n, m = len(self._points), len(self._recent)
        if len(self._t_s) != n:
            self._t_s = np.array([t_s for t_s, _ in self._points])
        t = np.concatenate((self._t_s, [t_s for t_s, _ in self._recent]))
        weights = _contrast(n, m)
        of_unit = _quadratic()
        of_wander = sum(v * of_unit(t, weights, tau) for v, tau in zip(self._variances, TAUS_S, strict=True))
        return float(of_wander) + self._noise_var * (1.0 / n + 1.0 / m) + self._extra_var

    def _mean_recent(self) -> float:
        return sum(value for _, value in self._recent) / len(self._recent)

    def _alarm(self) -> int:
        limit = self._params.limit_deg * self._scale
        if self._high <= limit and self._low <= limit:
            return 0
        return 1 if self._high > self._low else -1

    def _blank(self, t_s: float, verdict: str) -> DriftUpdate:
        return DriftUpdate(t_s, self.key, NAN, NAN, NAN, NAN, verdict, 0)
