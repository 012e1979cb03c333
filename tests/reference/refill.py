"""Slow, obvious twin of ``kernels.refill``: a whole stream at once."""

from __future__ import annotations

import numpy as np


def stride_before(gyr: np.ndarray, at: int, rate_hz: float) -> int:
    """Samples of the stride that ends before sample ``at`` of rates (n, 3); 0 where nothing repeats."""
    compared = int(0.6 * rate_hz)
    now = gyr[at - compared : at]
    if at < compared or not (now**2).sum() > 0.09 * compared:
        return 0
    best, found = 0.35, 0
    for stride in range(int(0.45 * rate_hz), int(1.4 * rate_hz) + 1):
        if at - compared - stride < 0:
            break
        then = gyr[at - compared - stride : at - stride]
        unlike = ((now - then) ** 2).sum() / ((now**2).sum() + (then**2).sum())
        if unlike < best:
            best, found = unlike, stride
    return found


def refill(acc: np.ndarray, gyr: np.ndarray, rate_hz: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Streams (lanes, n, 3) with holes filled, and which samples were (lanes, n)."""
    acc, gyr = acc.copy(), gyr.copy()
    filled = np.zeros(acc.shape[:2], dtype=bool)
    for lane in range(len(acc)):
        lasted = stride = 0
        for i in range(acc.shape[1]):
            if np.isfinite(acc[lane, i]).all() and np.isfinite(gyr[lane, i]).all():
                lasted = 0
                continue
            if lasted == 0:
                stride = stride_before(gyr[lane], i, rate_hz)
            lasted += 1
            if stride and lasted <= rate_hz:
                acc[lane, i], gyr[lane, i] = acc[lane, i - stride], gyr[lane, i - stride]
                filled[lane, i] = True
    return acc, gyr, filled
