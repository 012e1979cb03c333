"""Rest of each sensor over a block of samples, by itself: it depends on no orientation."""

from __future__ import annotations

import numpy as np

from latemiles.kernels.jit import njit
from latemiles.kernels.lanes import all_of, any_of, fields, gather, keep, put_back, scatter, select
from latemiles.kernels.orientation_shared import REST_FIELDS, clear_rest, detect_rest, is_usable

__all__ = ["REST", "follow_rest"]

REST = np.dtype(
    (
        np.record,
        [
            *REST_FIELDS,
            ("missing", np.float64),  # samples since the last good one
        ],
    )
)
"""What is known of one sensor's last seconds."""


@njit(cache=True)
def follow_rest(groups, co, gyr, acc, first, stop, rest):
    """Say of samples ``first`` to ``stop`` whether the sensor rests, and which of them can be used.

    Parameters
    ----------
    groups : float64 array, shape (groups + 2, words, LANES)
        ``REST`` from ``lanes.pack``; changed in place.
    co : record of SMOOTHER_COEFFICIENTS
    gyr, acc : float64 arrays, shape (lanes, n, 3)
        rad/s and m/s^2.
    first, stop : int
        Rows of these arrays.
    rest : float64 array, shape (lanes, n, 1)
        Out: 1 at rest, else 0; -1 where the sample cannot be used.
    """
    spare = groups.shape[0] - 2
    for group in range(spare):
        st = fields(groups, group, REST)
        for p in range(first, stop):
            gx, gy, gz = gather(gyr, group, p, 0), gather(gyr, group, p, 1), gather(gyr, group, p, 2)
            ax, ay, az = gather(acc, group, p, 0), gather(acc, group, p, 1), gather(acc, group, p, 2)
            usable = is_usable(gx, gy, gz, ax, ay, az)
            missing = st.missing
            st.missing = select(usable, 0.0, missing + 1.0)
            if not any_of(usable):
                scatter(rest, group, p, 0, 0.0 * missing - 1.0)
                continue
            is_lost = usable & (missing > co.hold_samples)
            if any_of(is_lost):
                clear_rest(st, is_lost)
            if all_of(usable):
                detect_rest(st, co, gx, gy, gz, ax, ay, az)
                scatter(rest, group, p, 0, st.rest)
                continue
            # Lanes in a hole go along with what they have, and are put back.
            counted = st.missing
            keep(groups, group, spare)
            gx, gy, gz = select(usable, gx, 0.0), select(usable, gy, 0.0), select(usable, gz, 0.0)
            ax, ay, az = select(usable, ax, 0.0), select(usable, ay, 0.0), select(usable, az, 0.0)
            detect_rest(st, co, gx, gy, gz, ax, ay, az)
            scatter(rest, group, p, 0, select(usable, st.rest, -1.0))
            put_back(groups, group, spare, usable)
            st.missing = counted
