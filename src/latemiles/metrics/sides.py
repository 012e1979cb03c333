"""Whether the thigh sensors are on each other's legs, told from how hip and pelvis move after landing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan
from statistics import median
from typing import Any, Final

import numpy as np

from latemiles.metrics.table import StrideTable
from latemiles.signals.frames import SIDES

__all__ = ["ASKED", "EXCHANGED_WORDS", "LIVE_WORDS", "SidesWatch", "may_be_exchanged"]

EXCHANGED_WORDS: Final = (
    "The thigh sensors may be on each other's legs: after landing both hips open and the pelvis rises, where "
    "nearly all runners' hips close and the pelvis drops. If they are, left and right are exchanged in all "
    "that is said here; 'latemiles runs swap-thighs RUN' puts it right, and keeps that with the run."
)

LIVE_WORDS: Final = (
    "The thigh sensors may be on each other's legs: look at the next stop. If they are, left and right are "
    "exchanged here: change them over and begin a new run, or run on and swap them afterwards, with "
    "'latemiles runs swap-thighs last'."
)

FEWEST: Final = 20
"""Strides of each leg that are asked."""
LEAST_ADDUCTION_DEG: Final = 1.0
"""From contact to mid-stance the hip adducts by 3 to 11 degrees in our data; of sensors on the other leg
it seems to abduct by as much,"""
LEAST_DROP_DEG: Final = 0.5
"""and the pelvis, which drops by 1.3 to 6, to rise."""
ASKED: Final = (("hip_adduction", LEAST_ADDUCTION_DEG), ("pelvic_drop", LEAST_DROP_DEG))
"""Angles whose change from contact to mid-stance is asked, and by how much it must be mirrored, deg."""
IN_A_ROW: Final = 2
"""Blocks of strides that must say so in a row while a run goes on: there are many of them."""


def may_be_exchanged(table: StrideTable) -> bool:
    """Whether left and right of the thighs look exchanged.

    The pelvis knows its left from squats or hinges; without those from the thighs, and then nothing can be
    told. A thigh is believed to be the one it is said to be, and so is the foot that lands. On the other leg
    what follows a landing is mirrored: hip adduction, in which the thigh has a part, and the drop of the
    pelvis on the side that swings, in which it has none. Nothing is called unless both are, in both legs.
    Offsets of the mounting do not matter, for only changes within a stance count.

    Parameters
    ----------
    table : StrideTable
        Strides of a run.

    Returns
    -------
    bool
        False also where too few strides are known.
    """
    for column, least in ASKED:
        change = table[f"{column}_midstance_deg"] - table[f"{column}_ic_deg"]
        for side in SIDES:
            known = change[table.used & (table.lanes == side.lane) & np.isfinite(change)]
            if len(known) < FEWEST or not np.median(known) < -least:
                return False
    return True


class SidesWatch:
    """Asks the same of a run that goes on, a block of ``FEWEST`` strides of each leg at a time."""

    def __init__(self) -> None:
        self._changes: list[list[list[float]]] = [[], []]
        """The block so far: a row of the changes of ``ASKED`` for each stride, by leg."""
        self._in_a_row = 0
        self._is_said = False

    def push(self, lane: int, changes: Sequence[float]) -> bool:
        """Take in a stride that is used.

        Parameters
        ----------
        lane : int
            0 left, 1 right.
        changes : sequence of float
            Mid-stance less contact of each angle of ``ASKED``, deg; NaN where missing.

        Returns
        -------
        bool
            True, once a run, if the thigh sensors look exchanged.
        """
        if self._is_said or any(map(isnan, changes)):
            return False
        rows = self._changes[lane]
        rows.append(list(changes))
        # Where the other leg is not heard, nothing can be told.
        del rows[:-FEWEST]
        if min(map(len, self._changes)) < FEWEST:
            return False
        mirrored = all(
            median(column) < -least
            for leg in self._changes
            for column, (_, least) in zip(zip(*leg, strict=True), ASKED, strict=True)
        )
        self._in_a_row = self._in_a_row + 1 if mirrored else 0
        self._is_said = self._in_a_row >= IN_A_ROW
        for leg in self._changes:
            leg.clear()
        return self._is_said

    def save(self) -> dict[str, Any]:
        """State as plain values."""
        return {"changes": self._changes, "in_a_row": self._in_a_row, "is_said": self._is_said}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``save`` gave."""
        self._changes = state["changes"]
        self._in_a_row, self._is_said = state["in_a_row"], state["is_said"]
