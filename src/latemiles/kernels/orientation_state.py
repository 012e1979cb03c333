"""What the causal filter remembers of a sensor, and the numbers it works with; see ``orientation``."""

from __future__ import annotations

import numpy as np

from latemiles.kernels.course import COURSE_COEFFICIENTS, COURSE_FIELDS
from latemiles.kernels.orientation_shared import REST_FIELDS

__all__ = ["COEFFICIENTS", "STATE", "new_state"]

STATE = np.dtype(
    (
        np.record,
        [
            ("gyr_quat", np.float64, (4,)),  # sensor to almost inertial frame
            ("acc_quat", np.float64, (4,)),  # almost inertial to earth frame
            ("bias", np.float64, (3,)),  # rad/s, sensor frame
            ("bias_cov", np.float64, (6,)),  # its covariance: xx, xy, xz, yy, yz, zz, (rad/s)^2
            ("force_1", np.float64, (3,)),  # delay elements of the force low-pass; the sum while it averages
            ("force_2", np.float64, (3,)),
            ("turn_1", np.float64, (11,)),  # the same for rotation matrix (9) and matrix times bias (2)
            ("turn_2", np.float64, (11,)),
            *REST_FIELDS,
            *COURSE_FIELDS,
            (
                "last_gyr",
                np.float64,
                (3,),
            ),  # rad/s, last good sample: carries the strapdown over a short hole
            ("averaged", np.float64),  # samples in the running mean of force and turn; -1 once filtered
            ("missing", np.float64),  # samples since the last good one
            ("resumed", np.float64),  # 1 while the mean follows a long hole: no bias from motion then
        ],
    )
)
"""State of one sensor; every field of 8-byte floats, so that a group has them in lanes."""

COEFFICIENTS = np.dtype(
    (
        np.record,
        [
            ("dt", np.float64),  # s
            ("rate", np.float64),  # 1/s
            ("force_tau", np.float64),  # s
            ("force_b0", np.float64),  # low-pass y = b0 x + ..., b1 = 2 b0, b2 = b0
            ("force_a1", np.float64),
            ("force_a2", np.float64),
            ("rest_tau", np.float64),
            ("rest_b0", np.float64),
            ("rest_a1", np.float64),
            ("rest_a2", np.float64),
            ("rest_min", np.float64),  # s
            ("rest_gyr_squared", np.float64),  # (rad/s)^2
            ("rest_acc_squared", np.float64),  # (m/s^2)^2
            ("cov_init", np.float64),  # (rad/s)^2
            ("cov_step", np.float64),  # (rad/s)^2 a sample
            ("weight_motion", np.float64),  # 1 / (rad/s)^2
            ("weight_vertical", np.float64),
            ("weight_rest", np.float64),
            ("bias_clip", np.float64),  # rad/s
            *COURSE_COEFFICIENTS,
            ("hold_samples", np.float64),
        ],
    )
)
"""What parameters and rate come down to; made by ``estimators.orientation_params``."""


def new_state(lanes, coefficients):
    """State of ``lanes`` sensors that have not seen a sample: array of ``STATE``, shape (lanes,)."""
    state = np.zeros(lanes, dtype=STATE)
    state["gyr_quat"][:, 0] = 1.0
    state["acc_quat"][:, 0] = 1.0
    state["bias_cov"][:, [0, 3, 5]] = coefficients["cov_init"]
    return state
