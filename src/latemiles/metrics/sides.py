"""Whether the thigh sensors are on each other's legs, told from how hip and pelvis move after landing."""

from __future__ import annotations

from typing import Final

import numpy as np

from latemiles.metrics.table import StrideTable
from latemiles.signals.frames import SIDES

__all__ = ["EXCHANGED_WORDS", "may_be_exchanged"]

EXCHANGED_WORDS: Final = (
    "The thigh sensors may be on each other's legs: after landing both hips open and the pelvis rises, where "
    "nearly all runners' hips close and the pelvis drops. If they are, left and right are exchanged in all "
    "that is said here. Analyse the recording again with the option swap-thighs of 'latemiles analyze'."
)

FEWEST: Final = 20
"""Strides of each leg that are asked."""
LEAST_ADDUCTION_DEG: Final = 1.0
"""From contact to mid-stance the hip adducts by 3 to 11 degrees in our data; of sensors on the other leg
it seems to abduct by as much,"""
LEAST_DROP_DEG: Final = 0.5
"""and the pelvis, which drops by 1.3 to 6, to rise."""


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
    for column, least in (("hip_adduction", LEAST_ADDUCTION_DEG), ("pelvic_drop", LEAST_DROP_DEG)):
        change = table[f"{column}_midstance_deg"] - table[f"{column}_ic_deg"]
        for side in SIDES:
            known = change[table.used & (table.lanes == side.lane) & np.isfinite(change)]
            if len(known) < FEWEST or not np.median(known) < -least:
                return False
    return True
