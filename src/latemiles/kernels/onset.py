"""Where in a short window something begins: the picks behind initial contact and toe-off.

An impact is picked by its kink, not by its size: the second difference of a force is small while the body
flies or loads smoothly and large from the contact on. The change point is the one that maximises the
likelihood of two variances (as seismologists pick arrivals). Low-passes would smear the contact by tens of
milliseconds; this does not.

References
----------
.. [1] N. Maeda, A method for reading and checking phase times in autoprocessing system of seismic wave data,
   Zisin 38 (1985) 365-379.
"""

from __future__ import annotations

import math
from typing import Final

from latemiles.kernels.jit import njit

__all__ = ["bend", "bent_energy", "falling_foot", "pick_onset", "rising_foot"]

NOISE: Final = 0.05
"""Least second difference that means anything, m/s^2: bounds the likelihood of a perfectly smooth flight."""
FIRST_BURST: Final = 0.3
"""The first bend of at least this share of the strongest one's energy belongs to the contact."""
TAIL: Final = 2
"""Samples past the first burst that the change point may use."""
BACK_S: Final = 0.1


@njit(cache=True)
def bend(force, lane, k):
    """Second difference ending at sample k; 0 where the lane is not heard."""
    value = force[lane, k] - 2.0 * force[lane, k - 1] + force[lane, k - 2]
    return value if math.isfinite(value) else 0.0


@njit(cache=True)
def bent_energy(bent, lane, start, stop):
    """Sum of one lane's squared second differences, see ``pick_onset``, over samples [start, stop)."""
    total = 0.0
    for k in range(max(2, start), stop):
        total += bent[lane, k]
    return total


@njit(cache=True)
def pick_onset(bent, use, start, stop, rate_hz, sums):
    """Sample at which a burst of bending begins.

    Parameters
    ----------
    bent : float64 array, shape (lanes, n)
        Squares of the second differences (``bend``) of the vertical specific force, (m/s^2)^2.
    use : int64 array, shape (lanes,)
        1 for the lanes to look at.
    start, stop : int
        The window.
    rate_hz : float
        Sample rate.
    sums : float64 array, shape (2, lanes)
        Scratch.

    Returns
    -------
    tuple
        Sample of the onset (the middle of the first large second difference), and the gain: mean log ratio
        of the bending after and before it, 0 where there is no burst.
    """
    start = max(2, start)
    strongest = 0.0
    for k in range(start, stop):
        strongest = max(strongest, _energy(bent, use, k))
    burst = start
    while burst < stop - 1 and _energy(bent, use, burst) < FIRST_BURST * strongest:
        burst += 1
    stop = min(stop, burst + 1 + TAIL)
    start = max(start, burst - int(BACK_S * rate_hz))
    best, gain, at = math.inf, 0.0, burst
    for lane in range(bent.shape[0]):
        sums[0, lane] = bent_energy(bent, lane, start, min(start + 1, stop))
        sums[1, lane] = bent_energy(bent, lane, start, stop)
    for k in range(start + 2, stop):
        cost, ratio = _split_cost(bent, use, start, k, stop, sums)
        if cost < best:
            best, gain, at = cost, ratio, k
    return at - 1, max(0.0, gain)


@njit(cache=True)
def _energy(bent, use, k):
    total = 0.0
    for lane in range(bent.shape[0]):
        if use[lane]:
            total += bent[lane, k]
    return total


@njit(cache=True)
def _split_cost(bent, use, start, k, stop, sums):
    """Minus twice the log likelihood of one variance before sample k and another from it on.

    ``sums`` holds each lane's energy before sample k - 1, and afterwards that before sample k; and the whole.
    """
    low, high, lanes = 1.0, 1.0, 0
    before, after = k - start, stop - k
    for lane in range(bent.shape[0]):
        if use[lane]:
            sums[0, lane] += bent[lane, k - 1]
            left = max(0.0, sums[1, lane] - sums[0, lane])
            # One logarithm of the product, not one a lane.
            low *= sums[0, lane] / before + NOISE * NOISE
            high *= left / after + NOISE * NOISE
            lanes += 1
    low, high = math.log(low), math.log(high)
    return before * low + after * high, (high - low) / max(1, lanes)


@njit(cache=True)
def falling_foot(force, start, stop, level, height):
    """Where a falling flank would reach ``level``, in samples, by the line through 30 % and 15 % of it.

    The flank falls from near ``level + height`` at sample ``start`` to ``level`` before ``stop``; the first
    crossing of 30 % and the first of 15 % after it count. NaN where it does not fall so far.
    """
    upper, lower = level + 0.3 * height, level + 0.15 * height
    at_upper = math.nan
    for k in range(start + 1, stop):
        if math.isnan(at_upper) and force[k - 1] > upper and force[k] <= upper:
            at_upper = k - 1 + (force[k - 1] - upper) / (force[k - 1] - force[k])
        if not math.isnan(at_upper) and force[k - 1] > lower and force[k] <= lower:
            at_lower = k - 1 + (force[k - 1] - lower) / (force[k - 1] - force[k])
            return at_lower + (at_lower - at_upper)
    return math.nan


@njit(cache=True)
def rising_foot(force, start, stop, level, height):
    """Where a rising flank left ``level``, in samples: ``falling_foot`` in reversed time.

    The flank rises from ``level`` after sample ``start`` to near ``level + height`` before ``stop``.
    """
    upper, lower = level + 0.3 * height, level + 0.15 * height
    at_upper = math.nan
    for k in range(stop - 1, start, -1):
        if math.isnan(at_upper) and force[k] > upper and force[k - 1] <= upper:
            at_upper = k - (force[k] - upper) / (force[k] - force[k - 1])
        if not math.isnan(at_upper) and force[k] > lower and force[k - 1] <= lower:
            at_lower = k - (force[k] - lower) / (force[k] - force[k - 1])
            return at_lower - (at_upper - at_lower)
    return math.nan
