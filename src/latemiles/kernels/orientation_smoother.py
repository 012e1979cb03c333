"""What the smoother remembers of a sensor, the numbers it works with, and the samples it holds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from latemiles.kernels.course import COURSE_COEFFICIENTS, COURSE_FIELDS
from latemiles.kernels.jit import njit
from latemiles.kernels.orientation_kalman import N

__all__ = ["SMOOTHER", "SMOOTHER_COEFFICIENTS", "Samples", "named", "new_smoother"]

SMOOTHER = np.dtype(
    (
        np.record,
        [
            ("quat", np.float64, (4,)),  # sensor to earth as integrated
            ("bias", np.float64, (3,)),  # rad/s, and the next: what the error state is relative to
            ("velocity", np.float64, (2,)),  # m/s
            ("gained", np.float64, (2,)),  # m/s: changes of the mean velocity, of late
            ("cov", np.float64, (N, N)),  # of the error state at the start of the open epoch
            ("last_gyr", np.float64, (3,)),  # rad/s
            ("force_sum", np.float64, (3,)),  # m/s: integral of force over the epoch so far
            ("velocity_sum", np.float64, (3,)),  # m: integral of that
            ("turn_sum", np.float64, (9,)),  # s: integral of R
            ("gyr_sum", np.float64, (3,)),  # rad
            *COURSE_FIELDS,
            ("age", np.float64),  # s since the last long hole
            ("hole", np.float64),  # s without an open epoch
            ("start", np.int64),  # sample index: first of the open epoch
            ("end", np.int64),  # first after it
            ("is_open", np.int64),
            ("weight", np.float64),  # samples in it, bridged ones counted
            ("quiet", np.float64),  # samples in it at rest
            ("acc_clipped", np.float64),
            ("gyr_clipped", np.float64),
            ("level", np.float64),  # 1: the open epoch follows a long hole; its mean force will level it
            ("missing", np.float64),  # samples since the last good one
        ],
    )
)
"""Forward state of one sensor."""

SMOOTHER_COEFFICIENTS = np.dtype(
    (
        np.record,
        [
            ("dt", np.float64),
            ("rest_tau", np.float64),
            ("rest_b0", np.float64),
            ("rest_a1", np.float64),
            ("rest_a2", np.float64),
            ("rest_min", np.float64),
            ("rest_gyr_squared", np.float64),
            ("rest_acc_squared", np.float64),
            ("bias_clip", np.float64),
            ("tilt_init", np.float64),  # variances: rad^2
            ("velocity_init", np.float64),  # (m/s)^2
            ("bias_init", np.float64),  # (rad/s)^2, also what the bias wanders within
            ("tilt_noise", np.float64),  # rad^2/s
            ("force_noise", np.float64),  # (m/s)^2/s
            ("bias_tau", np.float64),  # s
            ("velocity_spread", np.float64),  # (m/s)^2 s: variance of mean velocity over T is this over T
            ("velocity_spread_rest", np.float64),
            ("rate_spread_rest", np.float64),  # (rad/s)^2 s
            ("acc_clip_noise", np.float64),  # (m/s)^2 a clipped sample
            ("gyr_clip_noise", np.float64),  # rad^2 a clipped sample
            ("settling", np.float64),  # s
            *COURSE_COEFFICIENTS,
            ("hold_samples", np.float64),
            ("epoch_samples", np.int64),
        ],
    )
)
"""What parameters and rate come down to; made by ``estimators.orientation_smoothed``."""


class Samples(NamedTuple):
    """Samples of all lanes that lie one after another, and what the forward filter says of them."""

    gyr: np.ndarray
    """float64 (lanes, n, 3), rad/s."""
    acc: np.ndarray
    """float64 (lanes, n, 3), m/s^2."""
    quality: np.ndarray
    """int64 (lanes, n), SampleQuality bits."""
    told: np.ndarray
    """float64 (2, n): speed over ground, m/s (NaN while unknown), and what of it was gained since the sample
    before."""
    quat: np.ndarray
    """float64 (lanes, n, 4): orientation as integrated, NaN in a hole."""
    rest: np.ndarray
    """int8 (lanes, n): 1 at rest, else 0; -1 in a hole."""


@njit(cache=True)
def named(samples):
    """Give a plain tuple of ``Samples`` their names; Python hands in that, which needs no compiler."""
    gyr, acc, quality, told, quat, rest = samples
    return Samples(gyr, acc, quality, told, quat, rest)


def new_smoother(lanes, coefficients):
    """State of ``lanes`` sensors that have not seen a sample: array of ``SMOOTHER``, shape (lanes,)."""
    state = np.zeros(lanes, dtype=SMOOTHER)
    state["quat"][:, 0] = 1.0
    for j in range(3):
        state["cov"][:, 4 + j, 4 + j] = coefficients["bias_init"]
    # Nothing was heard before the first sample: it starts like one after a long hole.
    state["missing"] = coefficients["hold_samples"] + 1
    return state
