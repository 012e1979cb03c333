"""Rest of each sensor over a block of samples, by itself: it depends on no orientation."""

from __future__ import annotations

import numpy as np

from latemiles.kernels.jit import njit
from latemiles.kernels.lanes import (
    LANES,
    all_of,
    any_of,
    bits_of,
    fields,
    gather_three,
    keep,
    put_back,
    select,
)
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
def _tell(usable, rests, group, p, rest):
    used, quiet = bits_of(usable), bits_of(rests > 0.0)
    for k in range(min(LANES, rest.shape[0] - group * LANES)):
        rest[group * LANES + k, p] = (quiet >> k & 1) if used >> k & 1 else -1


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
    rest : int8 array, shape (lanes, n)
        Out: 1 at rest, else 0; -1 where the sample cannot be used.

    Returns
    -------
    bool
        Whether every sample can be used.
    """
    spare = groups.shape[0] - 2
    are_whole = True
    for lane in range(rest.shape[0]):
        some = rest[lane]
        for p in range(first, stop):
            some[p] = 0
    for group in range(spare):
        st = fields(groups, group, REST)
        for p in range(first, stop):
            gx, gy, gz = gather_three(gyr, group, p)
            ax, ay, az = gather_three(acc, group, p)
            usable = is_usable(gx, gy, gz, ax, ay, az)
            missing = st.missing
            is_lost = usable & (missing > co.hold_samples)
            if any_of(is_lost):
                clear_rest(st, is_lost)
            if all_of(usable):
                st.missing = 0.0
                detect_rest(st, co, gx, gy, gz, ax, ay, az)
                if any_of(st.rest > 0.0):
                    _tell(usable, st.rest, group, p, rest)
                continue
            are_whole = False
            counted = select(usable, 0.0, missing + 1.0)
            # Lanes in a hole go along with what they have, and are put back.
            keep(groups, group, spare)
            gx, gy, gz = select(usable, gx, 0.0), select(usable, gy, 0.0), select(usable, gz, 0.0)
            ax, ay, az = select(usable, ax, 0.0), select(usable, ay, 0.0), select(usable, az, 0.0)
            detect_rest(st, co, gx, gy, gz, ax, ay, az)
            _tell(usable, st.rest, group, p, rest)
            put_back(groups, group, spare, usable)
            st.missing = counted
    return are_whole
