"""Student's t, for few runs: distribution and quantiles, also of mixtures of several of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

__all__ = ["mixture_quantile", "student_cdf", "student_quantile"]

_TERMS: Final = 200
_TINY: Final = 1e-300


def student_cdf(t: float, freedom: float) -> float:
    """Probability below ``t`` for so many degrees of freedom.

    By the incomplete beta function's continued fraction (Press et al., Numerical Recipes, 3rd ed., 2007,
    section 6.4).
    """
    tail = 0.5 * _incomplete_beta(freedom / (freedom + t * t), 0.5 * freedom, 0.5)
    return 1.0 - tail if t > 0.0 else tail


def student_quantile(probability: float, freedom: float) -> float:
    """Value with so much probability below it."""
    return mixture_quantile(probability, [1.0], [0.0], [1.0], freedom)


def mixture_quantile(
    probability: float,
    weights: Sequence[float],
    centres: Sequence[float],
    scales: Sequence[float],
    freedom: float,
) -> float:
    """Value with so much probability below it, of a mixture of shifted and scaled t distributions.

    Parameters
    ----------
    probability : float
        Between 0 and 1.
    weights, centres, scales : sequence of float
        Of the parts; weights sum to 1, scales above 0.
    freedom : float
        Degrees of freedom, the same for all parts.
    """

    def below(x: float) -> float:
        parts = zip(weights, centres, scales, strict=True)
        return sum(w * student_cdf((x - c) / s, freedom) for w, c, s in parts)

    widest = max(scales)
    low, high = min(centres) - widest, max(centres) + widest
    while below(low) > probability:
        low -= 2.0 * (high - low)
    while below(high) < probability:
        high += 2.0 * (high - low)
    for _ in range(200):
        middle = 0.5 * (low + high)
        if high - low <= 1e-7 * widest:
            break
        low, high = (middle, high) if below(middle) < probability else (low, middle)
    return 0.5 * (low + high)


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """Regularised incomplete beta function."""
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    # The fraction converges fast only on this side of its symmetry.
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - math.exp(log_front) * _fraction(1.0 - x, b, a) / b
    return math.exp(log_front) * _fraction(x, a, b) / a


def _fraction(x: float, a: float, b: float) -> float:
    """Continued fraction of the incomplete beta function, by Lentz's method."""
    c, d = 1.0, 1.0 / _away_from_zero(1.0 - (a + b) * x / (a + 1.0))
    value = d
    for m in range(1, _TERMS):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 / _away_from_zero(1.0 + term * d)
            c = _away_from_zero(1.0 + term / c)
            value *= c * d
        if abs(c * d - 1.0) < 1e-14:
            break
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
