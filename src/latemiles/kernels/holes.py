"""Which sample indexes of a sensor are missing: a short list of ranges in the clock's record."""

from __future__ import annotations

from typing import Final

from latemiles.kernels.jit import njit

__all__ = ["HOLES", "fill_hole", "note_hole"]

HOLES: Final = 64
"""Missing ranges that are remembered; older ones can no longer be filled."""


@njit(cache=True)
def note_hole(s, first, stop):
    """Remember that the indexes [first, stop) are missing; the oldest hole is given up for it if need be."""
    if s.hole_n == HOLES:
        for k in range(HOLES - 1):
            s.hole_first[k] = s.hole_first[k + 1]
            s.hole_stop[k] = s.hole_stop[k + 1]
        s.hole_n -= 1
    s.hole_first[s.hole_n] = first
    s.hole_stop[s.hole_n] = stop
    s.hole_n += 1


@njit(cache=True)
def fill_hole(s, index):
    """True if ``index`` was missing; it no longer is."""
    for k in range(s.hole_n - 1, -1, -1):
        first, stop = s.hole_first[k], s.hole_stop[k]
        if index < first or index >= stop:
            continue
        if index == first:
            s.hole_first[k] = index + 1
        elif index == stop - 1:
            s.hole_stop[k] = index
        else:
            s.hole_stop[k] = index
            note_hole(s, index + 1, stop)
            return True
        if s.hole_first[k] >= s.hole_stop[k]:
            for j in range(k, s.hole_n - 1):
                s.hole_first[j] = s.hole_first[j + 1]
                s.hole_stop[j] = s.hole_stop[j + 1]
            s.hole_n -= 1
        return True
    return False
