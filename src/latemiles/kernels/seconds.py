"""What the posture stage does once a second, for one second or many: gait, relative headings, turning.

A second is the whole number of bins nearest to one. What only Python can decide (calibration, slips, the
second opinion of the hips) is decided between two seconds; a run of seconds ends where it is due.
"""

from __future__ import annotations

import math

import numpy as np

from latemiles.kernels.heading import delta_at_samples, swing_plane, window_features
from latemiles.kernels.jit import njit
from latemiles.kernels.posture_bins import count_missing, fill_bins, follow_heading, heading_at_samples
from latemiles.kernels.relative_heading import doubt_of, heading_step, loosen

__all__ = [
    "HIPS_DUE",
    "OFFSET_DUE",
    "RUNNING",
    "SECOND_SETTINGS",
    "SECOND_STATE",
    "STILL",
    "WALKING",
    "go_on",
    "hips_due",
    "judge_second",
    "run_seconds",
    "turning_rate",
]

STILL, WALKING, RUNNING = 0, 1, 2
"""Gaits."""
WINDOW_SECONDS = 3.0
"""For how long a clipped second is remembered: the length of the windows of the swing."""
CLIPPED_SHARE = 0.19
"""How round clipping can make a swing: it is heard all the same, for nothing else tells the heading."""
HIPS_DUE = 1
"""Bit: the hips' second opinion is to be heard now."""
OFFSET_DUE = 2
"""Bit: the runner has run for as long as the swing offsets are waited for."""

SECOND_STATE = np.dtype(
    [
        ("gait", np.int64),
        ("moves", np.int64),
        ("is_over_ground", np.int64),  # 1 once the runner has run through a bend
        ("running_s", np.float64),  # for how long so far
        ("turned", np.float64),  # in the present bend, rad
        ("since_s", np.float64),  # since the pelvis was last missing
        ("turning", np.float64),  # of the runner, rad/s; zero while unknown
        ("steady_s", np.float64, (3,)),  # for how long each sensor was heard in walking or running
        ("missing_s", np.float64, (3,)),  # of the last second
        ("lost_s", np.float64, (3,)),  # the same, only what the orientation did not go on through
        ("clipped", np.float64, (3,)),  # share of the window in which a rate was beyond the sensor's limit
        ("spared", np.float64, (3,)),  # how far it turned if the last second was no rest, rad^2
        ("doubt", np.float64, (3, 3)),  # how far each earth frame may turn in this second and the next, rad^2
    ]
)
"""What is remembered from second to second."""

SECOND_SETTINGS = np.dtype(
    [
        ("step_s", np.float64),  # length of a second
        ("bin_s", np.float64),
        ("bin_hz", np.float64),
        ("at_rest", np.float64),  # rad/s
        ("moving_gyr", np.float64),  # rad/s
        ("swings_hz", np.float64),
        ("moving_force", np.float64),  # m/s^2
        ("running_force", np.float64),  # m/s^2
        ("lost_packets_s", np.float64),
        ("gap", np.float64),  # rad/s^2
        ("restless", np.float64),  # rad/s
        ("straight", np.float64),
        ("filled", np.float64),  # rad^2/s
        ("lost", np.float64),  # rad
        ("uncertain", np.float64),  # rad
        ("rate_span_s", np.float64),
        ("bend", np.float64),  # rad/s
        ("a_bend", np.float64),  # rad
        ("heading_lost_s", np.float64),
        ("hips_every_s", np.float64),
        ("offset_after_s", np.float64),
        ("rate_span", np.int64),  # bins
        ("half_span", np.int64),  # bins
        ("second", np.int64),  # bins
        ("per_bin", np.int64),  # samples
        ("hips_window", np.int64),  # bins; 0: the hips are not asked
        ("lag", np.int64),  # seconds after which samples are released; 0: at once
    ]
)
"""What parameters and rate come down to; made by ``estimators.posture_settings``."""


@njit(cache=True)
def turning_rate(settings, headings, end):
    """Turning rate of the runner by the bins before ``end``, rad/s; zero while unknown."""
    co = settings[0]
    n = headings.shape[1]
    turned = headings[1, (end - 1) % n] - headings[1, (end - 1 - co.rate_span) % n]
    rate = turned / co.rate_span_s
    return rate if math.isfinite(rate) else 0.0


@njit(cache=True)
def judge_second(state, settings, ring, first, end, window, features, missing, sums):
    """Tell standing, walking and running by the window before bin ``end``, and who was heard.

    Parameters
    ----------
    state, settings : arrays of SECOND_STATE and SECOND_SETTINGS, shape (1,)
    ring : float64 array, shape (n, lanes, 10)
        Bins; ``first`` is the first there ever was.
    first, end : int
    window : float64 array, shape (w,)
        Weights.
    features : float64 array, shape (lanes, 7)
        Out, see ``heading.window_features``; left alone before the first whole window.
    missing : int64 array, shape (lanes,)
        Out: bins of the last second that are missing.
    sums : float64 array, shape (lanes, 10)
        As ``posture_bins.fill_bins`` leaves them; the missing and the clipped samples are taken out.
    """
    s, co = state[0], settings[0]
    if end - first >= window.shape[0]:
        window_features(ring, end, window, features)
    thighs, rates, swings = 0, 0.0, -math.inf
    s.moves = 0
    for lane in range(features.shape[0]):
        rate = features[lane, 3]
        if rate >= co.at_rest:
            s.moves = 1
        if lane > 0 and math.isfinite(rate):
            thighs += 1
            rates += rate
            swings = max(swings, features[lane, 6])
    s.gait = STILL
    force = features[0, 4]
    is_lively = thighs > 0 and rates / thighs > co.moving_gyr
    if is_lively and swings * co.bin_hz > co.swings_hz and force > co.moving_force:
        s.gait = RUNNING if force > co.running_force else WALKING
    count_missing(ring, end, co.second, missing)
    for lane in range(features.shape[0]):
        s.missing_s[lane] = missing[lane] * co.bin_s
        is_steady = s.missing_s[lane] < co.lost_packets_s and s.gait != STILL
        s.steady_s[lane] = s.steady_s[lane] + co.step_s if is_steady else 0.0
        clipped_s = sums[lane, 9] * co.bin_s / co.per_bin
        s.clipped[lane] += (clipped_s / co.step_s - s.clipped[lane]) / WINDOW_SECONDS
        filled_s = sums[lane, 7] * co.bin_s / co.per_bin + clipped_s
        s.lost_s[lane] = sums[lane, 8] * co.bin_s / co.per_bin
        sums[lane, 7] = sums[lane, 8] = sums[lane, 9] = 0.0
        _doubt_frame(s, co, ring, end, lane, filled_s)


@njit(cache=True)
def _doubt_frame(s, co, ring, end, lane, filled_s):
    # Windows of three seconds see a turn little by little, so a hole that was filled opens the filter over
    # as many. Where the sensor was lost only a straight line, if that, says how it turned.
    lost_s = s.lost_s[lane]
    turned, late = 0.0, 0.0
    if lost_s > 0.0 or s.spared[lane] > 0.0:
        rate, bent, heard = _rates_about(ring, end, 2 * co.second, lane)
        # Who hardly turns before and after a hole hardly turned in it; what comes after it may be heard late.
        restless = min(1.0, rate / co.restless) if heard > co.second else 1.0
        late = restless * restless * s.spared[lane]
        spared = (1.0 - restless) * co.gap * lost_s * lost_s
        s.spared[lane] = spared * spared
        bent *= co.bin_hz * co.bin_hz
        turned = restless * co.gap * lost_s * lost_s
        turned += min(co.straight * rate * lost_s, bent * lost_s * lost_s * lost_s / 12.0)
    spread = co.filled * filled_s / 3.0
    s.doubt[lane, 0] = s.doubt[lane, 1] + spread + turned * turned + late
    s.doubt[lane, 1] = s.doubt[lane, 2] + spread
    s.doubt[lane, 2] = spread


@njit(cache=True)
def _rates_about(ring, end, count, lane):
    """Rms of a lane's rate over the last bins, rad/s, and of its second difference; how many were heard."""
    n = ring.shape[0]
    total, bends, heard, bent = 0.0, 0.0, 0, 0
    for b in range(end - count, end):
        a, m, z = ring[(b - 2) % n, lane], ring[(b - 1) % n, lane], ring[b % n, lane]
        size, bend = 0.0, 0.0
        for j in range(4, 7):
            size += z[j] * z[j]
            bend += (a[j] - 2.0 * m[j] + z[j]) ** 2
        if math.isfinite(size):
            total += size
            heard += 1
        if math.isfinite(bend):
            bends += bend
            bent += 1
    return math.sqrt(total / max(1, heard)), math.sqrt(bends / max(1, bent)), heard


@njit(cache=True)
def _mind_gaps(s, co, relative_co, P, known):
    for side in range(2):
        turned = s.doubt[0, 0] + s.doubt[1 + side, 0]
        if turned > 0.0:
            loosen(P[side], turned, relative_co)
            if math.sqrt(P[side, 0, 0]) > co.lost:
                known[side] = -1


@njit(cache=True)
def _mind_bends(s, co):
    """Look for a bend in running; after a gap the heading starts anew, which is none."""
    s.since_s = 0.0 if s.lost_s[0] > 0.0 else min(s.since_s + co.step_s, co.heading_lost_s)
    turns = s.since_s >= co.heading_lost_s and s.gait == RUNNING and abs(s.turning) > co.bend
    s.turned = s.turned + s.turning * co.step_s if turns else 0.0
    if abs(s.turned) > co.a_bend:
        s.is_over_ground = 1


@njit(cache=True)
def hips_due(counts, is_running, every_s, step_s, bin_hz, window):
    """Go on by a second; whether the runner ran for long enough and the last opinion is old enough.

    ``counts`` (2,) or longer: seconds of running in a row, seconds since the last opinion; changed in place.
    """
    counts[0] = counts[0] + 1 if is_running else 0
    counts[1] += 1
    return counts[1] * step_s >= every_s and math.floor(counts[0] * step_s * bin_hz + 0.5) > window


@njit(cache=True)
def go_on(
    state, settings, relative_settings, ring, headings, end, window, axes, parallel, relative, hip_counts
):
    """The rest of a second that ``judge_second`` has judged: relative headings and turning.

    Parameters
    ----------
    state, settings, relative_settings : arrays, shape (1,)
        Of SECOND_STATE, SECOND_SETTINGS and HEADING_SETTINGS.
    ring, headings : float64 arrays
        Bins and the heading of the pelvis over them, see ``posture_bins``.
    end : int
        One past the last bin.
    window : float64 array, shape (w,)
    axes : float64 array, shape (2, lanes, 3)
        Forward and up axes of the segments in their sensors' axes; NaN while unknown.
    parallel : float64 array, shape (2,)
        Relative heading at which pelvis and thigh face the same way in standing; NaN if not now.
    relative : tuple of arrays
        x, P, history, smoothed, counts and known of ``estimators.heading.RelativeHeading``, and swing planes
        (2, 4), which are scratch.
    hip_counts : int64 array
        As for ``hips_due``.

    Returns
    -------
    int
        HIPS_DUE and OFFSET_DUE.
    """
    s, co = state[0], settings[0]
    x, P, history, smoothed, counts, known, swing = relative
    _mind_gaps(s, co, relative_settings[0], P, known)
    for side in range(2):
        swing[side, 1] = math.nan
        up = axes[1, 1 + side]
        if s.gait != STILL and math.isfinite(up[0]):
            swing_plane(ring, headings, end, window, 1 + side, up, axes[0, 1 + side], swing[side])
            # A swing that was clipped bends out of its plane by what was cut off.
            bent = (s.clipped[0] + s.clipped[1 + side]) * swing[side, 1]
            swing[side, 2] = max(swing[side, 2], min(swing[side, 2] + bent, CLIPPED_SHARE * swing[side, 1]))
    heading_step(
        relative_settings,
        s.moves == 1,
        s.gait,
        swing,
        parallel,
        (x, P, history, smoothed, counts, known),
    )
    due = 0
    if co.hips_window > 0 and hips_due(
        hip_counts, s.gait == RUNNING, co.hips_every_s, co.step_s, co.bin_hz, co.hips_window
    ):
        due |= HIPS_DUE
    s.turning = turning_rate(settings, headings, end)
    _mind_bends(s, co)
    if s.gait == RUNNING:
        before = s.running_s
        s.running_s = before + co.step_s
        if before < co.offset_after_s and s.running_s >= co.offset_after_s:
            due |= OFFSET_DUE
    return due


@njit(cache=True)
def run_seconds(
    state,
    settings,
    relative_settings,
    samples,
    at,
    sample,
    most,
    thinned,
    axes,
    parallel,
    relative,
    hip_counts,
    start,
    out,
):
    """Whole seconds of samples, one after the other, up to ``most`` or until something is due.

    Parameters
    ----------
    state, settings, relative_settings : arrays, shape (1,)
    samples : tuple of float64 arrays
        acc, gyr (lanes, k, 3), quat (lanes, k, 4) and quality (lanes, k).
    at, sample : int
        Column of the first second's first sample, and its grid index.
    most : int
    thinned : tuple of arrays
        Ring of bins, headings, weights of window and heading, open sums, features, missing bins.
    axes, parallel, relative, hip_counts
        As for ``go_on``; in a run no pose says that pelvis and thighs are parallel.
    start : tuple of int
        First bin, first second, and in bins when the first step of the relative headings is true.
    out : tuple of arrays
        Of each second features (m, lanes, 7), gait (m,); and, of the second that is released with it, the
        heading (m, k), relative headings (m, 2, k), whether those are sound, unknown (1) or uncertain (2)
        (m, 2), and the turning rate (m,), rad/s.

    Returns
    -------
    tuple of int
        Seconds done, and what is due after the last of them.
    """
    co = settings[0]
    acc, gyr, quat, quality = samples
    ring, headings, window, span, sums, features, missing = thinned
    _x, P, history, smoothed, counts, _known, _swing = relative
    first_bin, first_second, made = start
    all_features, gaits, heading, delta, doubt, rates = out
    size = co.second * co.per_bin
    for k in range(most):
        begin = sample + k * size
        end = (begin + size) // co.per_bin
        fill_bins(acc, gyr, quat, quality, at + k * size, at + (k + 1) * size, begin, co.per_bin, sums, ring)
        follow_heading(ring, max(begin // co.per_bin, first_bin), end, axes[0, 0], span, headings)
        judge_second(state, settings, ring, first_bin, end, window, features, missing, sums)
        due = go_on(
            state,
            settings,
            relative_settings,
            ring,
            headings,
            end,
            window,
            axes,
            parallel,
            relative,
            hip_counts,
        )
        gaits[k] = state[0].gait
        for lane in range(features.shape[0]):
            for j in range(features.shape[1]):
                all_features[k, lane, j] = features[lane, j]
        if co.lag > 0:
            old = begin - co.lag * size
            heading_at_samples(headings, old, co.per_bin, 0, co.half_span, 1.0, heading[k])
            step = old // size - first_second
            delta_at_samples(smoothed, counts[0], step, made, co.second, co.per_bin, old, delta[k])
            rates[k] = turning_rate(settings, headings, (old + size) // co.per_bin + co.half_span)
            for side in range(2):
                doubt[k, side] = doubt_of(
                    history[side], P[side], counts[0], step, delta[k, side], co.uncertain
                )
        if due:
            return k + 1, due
    return most, 0
