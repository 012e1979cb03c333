"""Slow twin of alignment: the whole of every sensor at once, one grid sample after the other."""

from __future__ import annotations

import numpy as np

from latemiles.signals.quality import SampleQuality


def _runs(t: np.ndarray, limit: float) -> list[slice]:
    cuts = np.flatnonzero(np.diff(t) > limit) + 1
    return [slice(a, b) for a, b in zip([0, *cuts], [*cuts, len(t)], strict=True)]


def _mean(t: np.ndarray, v: np.ndarray, low: float, high: float) -> np.ndarray:
    """Mean of the linear interpolant over [low, high] by the trapezoidal rule on all its corners."""
    corners = np.unique(np.concatenate([[low, high], t[(t > low) & (t < high)]]))
    value = np.stack([np.interp(corners, t, v[:, c]) for c in range(3)], axis=1)
    return np.trapezoid(value, corners, axis=0) / (high - low)


def resample(t, acc, gyr, first, count, rate_hz, limit):
    """(count, 3) acc, (count, 3) gyr, (count,) gap of one sensor on the grid."""
    step = 1.0 / rate_hz
    out_acc = np.full((count, 3), np.nan)
    out_gyr = np.full((count, 3), np.nan)
    quality = np.full(count, int(SampleQuality.GAP))
    keep = np.isfinite(acc).all(axis=1) & np.isfinite(gyr).all(axis=1)
    t, acc, gyr = t[keep], acc[keep], gyr[keep]
    for run in _runs(t, limit):
        tr, ar, gr = t[run], acc[run], gyr[run]
        for k in range(count):
            at = (first + k) * step
            if not tr[0] <= at <= tr[-1]:
                continue
            quality[k] = 0
            i = max(0, min(int(np.searchsorted(tr, at, side="right")) - 1, len(tr) - 2))
            if len(tr) > 1 and tr[i + 1] - tr[i] < 0.67 * step:
                out_acc[k] = _mean(tr, ar, max(at - step / 2, tr[0]), min(at + step / 2, tr[-1]))
            else:
                out_acc[k] = [np.interp(at, tr, ar[:, c]) for c in range(3)]
            low = max(at - step, tr[0])
            out_gyr[k] = _mean(tr, gr, low, at) if at - low > 1e-9 else gr[0]
    return out_acc, out_gyr, quality
