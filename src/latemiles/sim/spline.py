"""Smooth curves through uniform samples, with exact derivatives: where simulated sensors get their motion."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import comb

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import ShapeError

__all__ = ["UniformSpline", "low_pass_taps"]

F8 = NDArray[np.float64]

_PREFILTER_HALF = 40  # the slowest pole of the quintic prefilter is 0.43: 0.43**40 is below double precision
_KAISER_BETA = 6.0  # 63 dB stop band
_TRANSITION = 0.5  # width of the transition band as a share of the cut-off


def _prefilter_taps() -> F8:
    """Impulse response that turns samples into quintic B-spline coefficients."""
    n = 2 * _PREFILTER_HALF + 1
    matrix = np.zeros((n, n))
    for offset, value in ((0, 66.0), (1, 26.0), (2, 1.0)):
        matrix += np.diag(np.full(n - offset, value / 120.0), offset)
        if offset:
            matrix += np.diag(np.full(n - offset, value / 120.0), -offset)
    impulse = np.zeros(n)
    impulse[_PREFILTER_HALF] = 1.0
    return np.asarray(np.linalg.solve(matrix, impulse), dtype=np.float64)


def low_pass_taps(cutoff_hz: float, rate_hz: float) -> F8:
    """Symmetric (zero-delay) low-pass of unit gain at rest: a Kaiser-windowed sinc.

    Parameters
    ----------
    cutoff_hz : float
        Half-amplitude frequency, Hz; the transition band is half as wide.
    rate_hz : float
        Sample rate, Hz.

    Returns
    -------
    float64 array, odd length
    """
    width = 2.0 * np.pi * _TRANSITION * cutoff_hz / rate_hz
    half = int(np.ceil((63.0 - 8.0) / (2.285 * width) / 2.0))
    k = np.arange(-half, half + 1)
    taps = np.sinc(2.0 * cutoff_hz / rate_hz * k) * np.kaiser(2 * half + 1, _KAISER_BETA)
    return np.asarray(taps / taps.sum(), dtype=np.float64)


def _convolve(x: F8, taps: F8) -> F8:
    """Filter each column, carrying the ends on by odd reflection so that value and slope stay continuous."""
    half = (len(taps) - 1) // 2
    reach = min(half, len(x) - 1)
    head = 2.0 * x[0] - x[reach:0:-1]
    tail = 2.0 * x[-1] - x[-2 : -reach - 2 : -1]
    padded = np.concatenate([head, x, tail])
    if reach < half:
        padded = np.pad(padded, ((half - reach, half - reach), (0, 0)), mode="edge")
    return np.stack([np.convolve(padded[:, j], taps, mode="valid") for j in range(x.shape[1])], axis=1)


@cache
def _pieces(order: int) -> F8:
    """Polynomials (6 powers, 6 taps) of the order-th derivative of the quintic B-splines around a point.

    The point lies a fraction f in [0, 1) beyond tap 2 of 0..5; row p belongs to f**p.
    """
    pieces = np.zeros((6, 6))
    for tap in range(6):
        # B5(x) = sum_j (-1)^j C(6, j) (x + 3 - j)_+^5 / 120 at x = f + 2 - tap.
        for j in range(6 - tap):
            shift = 5.0 - tap - j
            pieces[:, tap] += (
                (-1) ** j * comb(6, j) / 120.0 * np.array([comb(5, p) * shift ** (5 - p) for p in range(6)])
            )
    for _ in range(order):
        pieces = np.concatenate([pieces[1:] * np.arange(1.0, 6.0)[:, None], np.zeros((1, 6))])
    return pieces


def _weights(fraction: F8, order: int) -> F8:
    """Values (n, 6) of the order-th derivative of the six B-splines that reach each point."""
    return np.asarray(np.vander(fraction, 6, increasing=True) @ _pieces(order), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class UniformSpline:
    """Quintic spline through uniform samples of a vector: four times continuously differentiable."""

    start_s: float
    rate_hz: float
    coefficients: F8
    """(n + 6, d) B-spline coefficients, three beyond each end."""

    @classmethod
    def through(
        cls, samples: F8, *, rate_hz: float, start_s: float = 0.0, low_pass_hz: float | None = None
    ) -> UniformSpline:
        """Lay the curve through samples (n, d), low-passed first if asked for.

        Raises
        ------
        ShapeError
            If there are fewer than 8 samples or they are not a table.
        """
        x = np.asarray(samples, dtype=np.float64)
        if x.ndim != 2 or x.shape[0] < 8:
            raise ShapeError("samples (n, d) with n >= 8", f"shape {x.shape}", "Hand in a longer stretch.")
        if low_pass_hz is not None:
            x = _convolve(x, low_pass_taps(low_pass_hz, rate_hz))
        extended = np.concatenate([2.0 * x[0] - x[3:0:-1], x, 2.0 * x[-1] - x[-2:-5:-1]])
        return cls(start_s, rate_hz, _convolve(extended, _prefilter_taps()))

    def at(self, t_s: F8, order: int = 0) -> F8:
        """Value (order 0) or derivative (1, 2) at times (m,), shape (m, d); held at the ends."""
        last = len(self.coefficients) - 7
        u = np.clip((np.asarray(t_s, dtype=np.float64) - self.start_s) * self.rate_hz, 0.0, last)
        left = np.minimum(u.astype(np.int64), last)
        weights = _weights(u - left, order) * self.rate_hz**order
        total = np.zeros((len(u), self.coefficients.shape[1]))
        for j in range(6):
            total += weights[:, j : j + 1] * self.coefficients[left + 1 + j]
        return total
