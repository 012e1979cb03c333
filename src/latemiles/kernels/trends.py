"""Slow wander as a process of its own: whitening, variances of contrasts, block medians, Theil-Sen.

A runner's level is not constant between strides a minute apart. It is modelled as an Ornstein-Uhlenbeck
process (SD ``w``, correlation ``exp(-|dt| / tau)``) plus white noise of each median. Both are Markov, so a
scalar Kalman filter whitens a series in one pass.
"""

from __future__ import annotations

import math

from latemiles.kernels.jit import njit

__all__ = ["block_medians", "mixture_half_width", "ou_quadratic", "ou_whiten", "theil_sen_slopes"]


@njit(cache=True)
def ou_whiten(t, columns, wander_var, tau, noise_var, out):
    """Whitened columns and the log determinant of the covariance.

    Parameters
    ----------
    t : float64 array, shape (m,)
        Increasing times, s.
    columns : float64 array, shape (p, m)
        Series and regressors; each is filtered by the same gains.
    wander_var, tau, noise_var : float
        Variance and correlation time (s) of the wander, variance of the white noise (> 0).
    out : float64 array, shape (p, m)
        Innovations over their SD.

    Returns
    -------
    float
        ``log det`` of the covariance ``wander_var exp(-|dt|/tau) + noise_var I``.
    """
    p, m = columns.shape
    log_det = 0.0
    for c in range(p):
        state = 0.0
        var = wander_var
        for k in range(m):
            if k > 0:
                decay = math.exp(-(t[k] - t[k - 1]) / tau)
                state *= decay
                var = decay * decay * var + wander_var * (1.0 - decay * decay)
            total = var + noise_var
            step = columns[c, k] - state
            out[c, k] = step / math.sqrt(total)
            gain = var / total
            state += gain * step
            var *= 1.0 - gain
            if c == 0:
                log_det += math.log(total)
    return log_det


@njit(cache=True)
def ou_quadratic(t, weights, tau):
    """Variance of ``sum(weights * wander)`` for a wander of unit variance."""
    total = 0.0
    carried = 0.0
    for k in range(t.shape[0]):
        if k > 0:
            carried = math.exp(-(t[k] - t[k - 1]) / tau) * (carried + weights[k - 1])
        total += weights[k] * weights[k] + 2.0 * weights[k] * carried
    return total


@njit(cache=True)
def mixture_half_width(weights, sds, level):
    """Half width that holds ``level`` of a mixture of centred normals (weights sum to 1), by bisection."""
    low = 0.0
    high = 0.0
    for k in range(sds.shape[0]):
        high = max(high, 10.0 * sds[k])
    for _ in range(50):
        middle = 0.5 * (low + high)
        inside = 0.0
        for k in range(sds.shape[0]):
            if sds[k] > 0.0:
                inside += weights[k] * math.erf(middle / (sds[k] * math.sqrt(2.0)))
            else:
                inside += weights[k]
        if inside < level:
            low = middle
        else:
            high = middle
    return high


@njit(cache=True)
def block_medians(values, starts, ends, fewest, scratch, out):
    """Median of the finite values of each block of rows; NaN with fewer than ``fewest``.

    ``scratch`` must hold the longest block.
    """
    for b in range(starts.shape[0]):
        n = 0
        for row in range(starts[b], ends[b]):
            value = values[row]
            if math.isfinite(value):
                # Insertion sort: a block is some 25 values, nearly always in no order at all.
                k = n
                while k > 0 and scratch[k - 1] > value:
                    scratch[k] = scratch[k - 1]
                    k -= 1
                scratch[k] = value
                n += 1
        if n < fewest:
            out[b] = math.nan
        elif n % 2 == 1:
            out[b] = scratch[n // 2]
        else:
            out[b] = 0.5 * (scratch[n // 2 - 1] + scratch[n // 2])


@njit(cache=True)
def theil_sen_slopes(t, y, out):
    """Slopes of all pairs into ``out`` of m (m - 1) / 2 values."""
    at = 0
    for i in range(t.shape[0]):
        for j in range(i + 1, t.shape[0]):
            out[at] = (y[j] - y[i]) / (t[j] - t[i])
            at += 1
