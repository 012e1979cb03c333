"""Slow, obvious twin of ``kernels.seconds.run_seconds``: one second after the other, one step a call."""

from __future__ import annotations

import numpy as np

from latemiles.kernels.heading import delta_at_samples
from latemiles.kernels.posture_bins import fill_bins, follow_heading, heading_at_samples
from latemiles.kernels.relative_heading import doubt_of
from latemiles.kernels.seconds import go_on, judge_second, turning_rate


def run_seconds(
    state, settings, relative_settings, samples, sample, most, thinned, relative, hip_counts, run
):
    """Take seconds from grid sample ``sample`` on, as many as lie in ``samples``; what is due at the end.

    ``thinned`` and ``relative`` are the estimators' own objects; ``run`` is filled in.
    """
    t, co = thinned, settings[0]
    size, lag = t.second * t.per_bin, int(co["lag"])
    never = np.full(2, np.nan)
    for k in range(most):
        begin, end = sample + k * size, (sample + (k + 1) * size) // t.per_bin
        acc, gyr, quat, quality = (x[:, k * size : (k + 1) * size].copy() for x in samples)
        fill_bins(acc, gyr, quat, quality, 0, size, begin, t.per_bin, t.sums, t.ring)
        follow_heading(t.ring, max(begin // t.per_bin, t.first), end, t.axes[0, 0], t.span, t.headings)
        judge_second(state, settings, t.ring, t.first, end, t.window, t.features, t.missing, t.sums)
        due = go_on(
            state,
            settings,
            relative_settings,
            t.ring,
            t.headings,
            end,
            t.window,
            t.axes,
            never,
            relative.arrays,
            hip_counts,
        )
        run.features[k], run.gait[k] = t.features, state["gait"][0]
        old, steps = begin - lag * size, int(relative.counts[0])
        heading_at_samples(t.headings, old, t.per_bin, 0, t.half_span, 1.0, run.heading[k])
        made = t.second - 0.5 * len(t.window)
        delta_at_samples(relative.smoothed, steps, old // size, made, t.second, t.per_bin, old, run.delta[k])
        run.turning[k] = turning_rate(settings, t.headings, (old + size) // t.per_bin + t.half_span)
        for side in (0, 1):
            history, spread = relative.history[side], relative.P[side]
            uncertain = float(co["uncertain"])
            run.doubt[k, side] = doubt_of(history, spread, steps, old // size, run.delta[k, side], uncertain)
        if due:
            return k + 1, due
    return most, 0
