"""Slow, obvious twin of ``kernels.pace``: one time after the other, from the words it may go by."""

from __future__ import annotations

import numpy as np


def pace_at(words, t, known, bridge_s, hold_s):
    """Speed (k,) at times (k,) from words (n, 2)."""
    out = np.full(len(t), np.nan)
    for i, (time, most) in enumerate(zip(t, known, strict=True)):
        heard = words[: max(most, 0)]
        before, after = heard[heard[:, 0] <= time], heard[heard[:, 0] > time]
        if not len(before):
            continue
        if not len(after):
            if time - before[-1, 0] <= hold_s:
                out[i] = before[-1, 1]
        elif after[0, 0] - before[-1, 0] <= bridge_s:
            out[i] = np.interp(time, *np.stack([before[-1], after[0]]).T)
    return out
