"""Follows the low-passed vertical force of the trunk: where a flight ends, where a walking step lifts it."""

from __future__ import annotations

import math
from typing import Final

from latemiles.kernels.jit import njit

__all__ = [
    "FLIGHT_BELOW_M_S2",
    "RISE_SURE",
    "RUNNING",
    "RUN_SWING_M_S2",
    "UPRIGHT_M_S2",
    "body_lifted",
    "contact_due",
    "flight_ended",
    "learn_rise",
    "lowest_at",
    "range_of",
]

RUNNING: Final = 2
"""The activity's number in ``gait``."""
UPRIGHT_M_S2: Final = 9.81
TURN_M_S2: Final = 1.5
"""The low-passed force has turned when it has come back by so much."""
FLIGHT_BELOW_M_S2: Final = 6.4
"""The low-passed force of a running step falls below this; walking stays above 7."""
RUN_SWING_M_S2: Final = 7.5
"""Least fall of the low-passed force from its peak into flight; walking has 3 to 6."""
STILL_FLIGHT_M_S2: Final = 7.2
STILL_SWING_M_S2: Final = 5.0
"""The same two in the middle of a run, where a lazy step is no walking step yet."""
WALK_SWING_M_S2: Final = 1.2
"""Least swing of the low-passed force in a walking step: a leg swung while standing lifts nobody."""
WALK_TURN_M_S2: Final = 0.6
RISE_SLACK_S: Final = 0.025
"""How much the time from a contact to the rise after it may differ from step to step."""
RISE_SHARE: Final = 0.2
RISE_SURE: Final = 2.0
RISE_MOST: Final = 5.0
"""Votes from which that time is known, and the most that count: a new pace is followed in five steps."""


@njit(cache=True)
def flight_ended(s, j):
    """Follow the low-passed force to sample j; true when it comes up from a flight."""
    value = s.low[j]
    if math.isnan(s.turn):
        s.turn, s.turn_at, s.is_rising, s.is_armed = value, j, 1, 0
        s.peak, s.peak_at = value, j
        return False
    if s.is_rising == 1:
        if value >= s.turn:
            s.turn, s.turn_at = value, j
        elif value < s.turn - TURN_M_S2:
            s.peak, s.peak_at = s.turn, s.turn_at
            s.turn, s.turn_at, s.is_rising, s.is_armed = value, j, 0, 0
    elif value <= s.turn:
        s.turn, s.turn_at = value, j
    elif value > s.turn + TURN_M_S2:
        s.valley_at = s.turn_at
        is_running = s.gait == RUNNING
        below = STILL_FLIGHT_M_S2 if is_running else FLIGHT_BELOW_M_S2
        swing = STILL_SWING_M_S2 if is_running else RUN_SWING_M_S2
        s.is_armed = 1 if s.turn < below and s.peak - s.turn > swing else 0
        s.turn, s.turn_at, s.is_rising = value, j, 1
    if s.is_armed == 1 and value >= UPRIGHT_M_S2:
        s.is_armed = 0
        return True
    return False


@njit(cache=True)
def body_lifted(s, j):
    """Follow the low-passed force to sample j with a finer step; true when it comes down from a hump."""
    value = s.low[j]
    if math.isnan(s.walk_turn):
        s.walk_turn, s.walk_turn_at, s.walk_is_rising, s.walk_low = value, j, 1, value
        return False
    if s.walk_is_rising == 0:
        if value <= s.walk_turn:
            s.walk_turn, s.walk_turn_at = value, j
        elif value > s.walk_turn + WALK_TURN_M_S2:
            s.walk_low = s.walk_turn
            s.walk_turn, s.walk_turn_at, s.walk_is_rising = value, j, 1
        return False
    if value >= s.walk_turn:
        s.walk_turn, s.walk_turn_at = value, j
    elif value < s.walk_turn - WALK_TURN_M_S2:
        is_hump = s.walk_turn - s.walk_low >= WALK_SWING_M_S2 and s.walk_turn > UPRIGHT_M_S2
        s.walk_high_at = s.walk_turn_at
        s.walk_turn, s.walk_turn_at, s.walk_is_rising = value, j, 0
        return is_hump
    return False


@njit(cache=True)
def range_of(values, start, stop):
    """Lowest and highest value over samples [start, stop); NaN is passed over, inf and -inf if all are."""
    low, high = math.inf, -math.inf
    for k in range(max(0, start), stop):
        if values[k] < low:
            low = values[k]
        if values[k] > high:
            high = values[k]
    return low, high


@njit(cache=True)
def lowest_at(values, start, stop):
    """Sample of the lowest value in [start, stop)."""
    at = max(0, start)
    for k in range(at, stop):
        if values[k] < values[at]:
            at = k
    return at


@njit(cache=True)
def learn_rise(s, lag, vote):
    """Take one pick's word on how long before the force's rise through its mean a contact lies, s.

    The low-passed force comes up through its mean a fixed time after a runner's contacts, within a
    hundredth of a second, while picks that went astray lie anywhere before it. So the majority is right
    (Boyer and Moore's vote): picks that agree strengthen what is held, others weaken and at last replace it.
    """
    if abs(lag - s.rise_lag) <= RISE_SLACK_S:
        s.rise_lag += RISE_SHARE * (lag - s.rise_lag)
        s.rise_votes = min(RISE_MOST, s.rise_votes + vote)
        return
    s.rise_votes -= vote
    if s.rise_votes < 0.0:
        s.rise_lag, s.rise_votes = lag, vote


@njit(cache=True)
def contact_due(s, j):
    """Where in the buffers a contact is due before the rise at sample ``j``, and where that rise is.

    The first is NaN until enough picks have agreed on it.
    """
    share = (s.low[j] - UPRIGHT_M_S2) / max(1e-9, s.low[j] - s.low[j - 1])
    rise = j - max(0.0, min(1.0, share))
    return (rise - s.rise_lag * s.rate if s.rise_votes >= RISE_SURE else math.nan), rise
