"""What the person does by the trunk's low-passed force and the steps: whether it still steps, or stands."""

from __future__ import annotations

import math
from typing import Final

from latemiles.kernels.gait_follow import RUNNING
from latemiles.kernels.gait_state import UNKNOWN, forget_steps, time_of
from latemiles.kernels.jit import njit

__all__ = [
    "ACTIVITY",
    "IC",
    "LONGEST_RUN_STEP_S",
    "LONGEST_WALK_STEP_S",
    "OTHER",
    "STILL",
    "TO",
    "WALKING",
    "become",
    "follow_activity",
    "put",
]

IC: Final = 0
TO: Final = 1
ACTIVITY: Final = 2
STILL: Final = 0
WALKING: Final = 1
OTHER: Final = 3
"""What a row says, and the numbers of activities."""
LONGEST_RUN_STEP_S: Final = 0.75
LONGEST_WALK_STEP_S: Final = 1.2
STILL_M_S2: Final = 0.3
STIRRED_M_S2: Final = 0.6
STILL_FOR_S: Final = 1.0


@njit(cache=True)
def put(out, count, what, t, side, confidence):
    """Append a row of ``gait_events``; how many there are then."""
    out[count, 0], out[count, 1], out[count, 2], out[count, 3] = what, t, side, confidence
    return count + 1


@njit(cache=True)
def become(s, activity, t, out, count):
    """Put out that the person does something else from ``t`` on, if it is news."""
    if activity == s.activity:
        return count
    s.activity = activity
    s.activity_t = max(t, s.activity_t)
    return put(out, count, ACTIVITY, s.activity_t, activity, 1.0)


@njit(cache=True)
def follow_activity(s, j, out, count):
    """Whether the person still steps, and else whether it stands still."""
    t = time_of(s, j)
    if math.isnan(s.usual):
        s.usual, s.spread, s.quiet = s.low[j], STIRRED_M_S2, 0
    away = s.low[j] - s.usual
    s.usual += s.usual_gain * away
    s.spread += s.spread_gain * (abs(away) - s.spread)
    s.quiet = s.quiet + 1 if s.spread < STILL_M_S2 else 0
    is_stepping = s.activity == WALKING or s.activity == RUNNING
    longest = 1.3 * (LONGEST_RUN_STEP_S if s.activity == RUNNING else LONGEST_WALK_STEP_S)
    if is_stepping and t - s.ic > longest:
        last = s.ic + s.interval
        forget_steps(s)
        return become(s, OTHER, last, out, count)
    if is_stepping:
        return count
    if s.quiet >= STILL_FOR_S * s.rate:
        return become(s, STILL, t - STILL_FOR_S, out, count)
    if s.spread > STIRRED_M_S2 and (s.activity == STILL or s.activity == UNKNOWN):
        return become(s, OTHER, t, out, count)
    return count
