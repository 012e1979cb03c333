"""Initial contacts and toe-offs from three sensors, one grid sample after the other.

Running is seen in the low-passed vertical force of the trunk: it falls deep in each flight. Walking is seen
in the thighs' scissors (left minus right hip flexion): they are widest at each contact. Both only say
roughly when; the contact itself is picked by ``kernels.onset`` from the kink it makes in pelvis and thigh.

Output rows are (what, time, side, confidence): what is IC, TO or ACTIVITY, side 0 left, 1 right; a row of
ACTIVITY carries the activity's number in place of the side.
"""

from __future__ import annotations

import math
from typing import Final

from numba import njit

from latemiles.kernels.gait_state import UNKNOWN, append_sample, forget_steps, time_of
from latemiles.kernels.onset import bent_energy, falling_foot, pick_onset, rising_foot

__all__ = ["ACTIVITY", "IC", "OTHER", "ROWS_PER_SAMPLE", "RUNNING", "STILL", "TO", "WALKING", "gait_push"]

IC: Final = 0
TO: Final = 1
ACTIVITY: Final = 2
STILL: Final = 0
WALKING: Final = 1
RUNNING: Final = 2
OTHER: Final = 3
ROWS_PER_SAMPLE: Final = 8
"""More rows than one grid sample can give."""

UPRIGHT_M_S2: Final = 9.81
TURN_M_S2: Final = 1.5
"""The low-passed force has turned when it has come back by so much."""
FLIGHT_BELOW_M_S2: Final = 6.4
"""The low-passed force of a running step falls below this; walking stays above 7."""
RUN_SWING_M_S2: Final = 7.5
"""Least fall of the low-passed force from its peak into flight; walking has 3 to 6."""
SCISSORS_RAD: Final = 0.2
"""Least swing of left minus right hip flexion in a walking step."""
SCISSORS_TURN_RAD: Final = 0.05
IN_STEP_RAD: Final = 0.1
"""Least range of the scissors in a running step, where they are known: a jump or squat has none."""
WALK_SWING_M_S2: Final = 1.0
"""Least swing of the low-passed force in a walking step: a leg swung while standing lifts nobody."""
SHORTEST_STEP_S: Final = 0.18
LONGEST_RUN_STEP_S: Final = 0.75
LONGEST_WALK_STEP_S: Final = 1.2
SURE_GAIN: Final = 3.0
"""Log ratio of bending after and before a contact (a factor of 20) from which the contact is sure."""
LEAST_GAIN: Final = 1.2
MEMORY: Final = 0.8
"""Share of the belief about which foot lands that one step hands on to the next."""
SLOPE_S: Final = 0.08
IMPACT_S: Final = 0.045
STILL_M_S2: Final = 0.3
STIRRED_M_S2: Final = 0.6
STILL_FOR_S: Final = 1.0


@njit(cache=True)
def gait_push(state, force, flexion, out):
    """Take in grid samples, put out the events that became certain.

    Parameters
    ----------
    state : array of ``gait_dtype``, shape (1,)
        Changed in place.
    force : float64 array, shape (3, k)
        Vertical specific force of pelvis, left and right thigh, m/s^2, 9.81 at rest; NaN where missing.
    flexion : float64 array, shape (2, k)
        Hip flexion, left and right, rad; NaN where missing.
    out : float64 array, shape (ROWS_PER_SAMPLE * (k + 1), 4)
        Gets the rows, see the head of this file.

    Returns
    -------
    int
        Number of rows.
    """
    s = state[0]
    count = 0
    for i in range(force.shape[1]):
        j = append_sample(s, force[0, i], force[1, i], force[2, i], flexion[0, i], flexion[1, i])
        if j < 0:
            continue
        if math.isnan(s.low[j]):
            forget_steps(s)
            s.turn, s.mean, s.is_armed = math.nan, math.nan, 0
            continue
        if _flight_ended(s, j):
            count = _running_step(s, j, out, count)
        widest = _widest(s, j)
        if widest >= 0:
            count = _walking_step(s, j, widest, out, count)
        count = _walking_toe_off(s, j, out, count)
        count = _activity(s, j, out, count)
    return count


@njit(cache=True)
def _put(out, count, what, t, side, confidence):
    out[count, 0], out[count, 1], out[count, 2], out[count, 3] = what, t, side, confidence
    return count + 1


@njit(cache=True)
def _flight_ended(s, j):
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
        s.is_armed = 1 if s.turn < FLIGHT_BELOW_M_S2 and s.peak - s.turn > RUN_SWING_M_S2 else 0
        s.turn, s.turn_at, s.is_rising = value, j, 1
    if s.is_armed == 1 and value >= UPRIGHT_M_S2:
        s.is_armed = 0
        return True
    return False


@njit(cache=True)
def _widest(s, j):
    """Follow the scissors to sample j; the side ahead (0 left, 1 right) when they were widest, else -1."""
    value = s.wide[j]
    if math.isnan(value) or math.isnan(s.wide_turn):
        s.wide_turn, s.wide_turn_at, s.is_opening, s.wide_last = value, j, 1, value
        return -1
    sign = 1.0 if s.is_opening == 1 else -1.0
    if sign * (value - s.wide_turn) >= 0.0:
        s.wide_turn, s.wide_turn_at = value, j
        return -1
    if sign * (s.wide_turn - value) < SCISSORS_TURN_RAD:
        return -1
    side = 0 if s.is_opening == 1 else 1
    is_step = sign * (s.wide_turn - s.wide_last) >= SCISSORS_RAD
    s.wide_last = s.wide_turn
    s.widest_at = s.wide_turn_at
    s.wide_turn, s.wide_turn_at, s.is_opening = value, j, 1 - s.is_opening
    return side if is_step else -1


@njit(cache=True)
def _range_of(values, start, stop):
    """Lowest and highest value over samples [start, stop); NaN is passed over, inf and -inf if all are."""
    low, high = math.inf, -math.inf
    for k in range(max(0, start), stop):
        if values[k] < low:
            low = values[k]
        if values[k] > high:
            high = values[k]
    return low, high


@njit(cache=True)
def _lowest(values, start, stop):
    """Sample of the lowest value in [start, stop)."""
    at = max(0, start)
    for k in range(at, stop):
        if values[k] < values[at]:
            at = k
    return at


@njit(cache=True)
def _evidence(s, at):
    """How much says that the contact near sample ``at`` is the left foot's (+) or the right's (-).

    The landing leg's own thigh is shaken most; it comes back (extends) in the last moments before the
    contact while the other one swings up; and it is ahead, unless one jogs on the spot. Where one thigh is
    missing, the other one's last step stands in for it: half a stride ago it was where the other is now.
    """
    for lane in range(2):
        start = max(2, at - 1)
        stop = min(s.n, at + 1 + int(IMPACT_S * s.rate))
        known = not math.isnan(s.force[1 + lane, min(s.n - 1, at)])
        s.now[0, lane] = bent_energy(s.force, 1 + lane, start, stop) if known else math.nan
        back = max(0, at - int(SLOPE_S * s.rate))
        s.now[1, lane] = s.flexion[lane, at] - s.flexion[lane, back]
        s.now[2, lane] = s.flexion[lane, at]
    total = 0.0
    for f in range(3):
        left, right = s.now[f, 0], s.now[f, 1]
        if math.isnan(left):
            left = s.before[f, 1]
        if math.isnan(right):
            right = s.before[f, 0]
        if math.isnan(left) or math.isnan(right):
            continue
        if f == 0:
            total += (left - right) / (left + right + 1.0)
        elif f == 1:
            total += max(-1.0, min(1.0, (right - left) / 0.12))
        else:
            total += 0.5 * max(-1.0, min(1.0, (left - right) / 0.4))
    s.before[:] = s.now
    return total


@njit(cache=True)
def _running_step(s, j, out, count):
    """The flight that ends at sample j: toe-off before it, initial contact after it."""
    rate = s.rate
    start = max(2, s.valley_at - int(0.1 * rate))
    stop = min(s.n, j + 1 + int(0.06 * rate))
    low, high = _range_of(s.wide, s.valley_at - int(0.4 * rate), j + 1)
    if 0.0 <= high - low < IN_STEP_RAD:
        return count
    s.use[:] = 1
    at, _ = pick_onset(s.force, s.use, start, stop, rate)
    since = time_of(s, at) - (s.ic if s.gait != 0 else s.held_ic)
    is_next = (s.gait != 0 or s.held != 0) and since < LONGEST_RUN_STEP_S
    if is_next and since < SHORTEST_STEP_S:
        return count
    # A step that was missed leaves the same foot to land.
    flip = 1.0 if s.interval > 0.0 and since > 1.6 * s.interval else -1.0
    prior = flip * MEMORY * s.belief if is_next else 0.0
    s.belief = prior + _evidence(s, at)
    side = 0 if s.belief > 0.0 else 1
    s.use[1 + (1 - side)] = 0
    at, gain = pick_onset(s.force, s.use, start, stop, rate)
    contact, confidence = float(at), 0.4 + 0.6 * min(1.0, gain / SURE_GAIN)
    if gain < LEAST_GAIN:
        bottom = _lowest(s.brief, s.valley_at - s.half // 2, s.valley_at + s.half // 2)
        foot = rising_foot(s.brief, bottom, j, s.brief[bottom], s.low[j] - s.brief[bottom])
        contact = contact if math.isnan(foot) else foot
        confidence = 0.4
    # The impact's own ringing may dip below the flight: look for the end of stance before it.
    bottom = _lowest(s.brief, s.peak_at, max(s.peak_at + 1, int(contact) - s.brief_half))
    leave = falling_foot(s.brief, s.peak_at, bottom + 1, s.brief[bottom], s.peak - s.brief[bottom])
    confidence *= min(1.0, 0.4 + abs(s.belief))
    return _step(s, RUNNING, time_of(s, contact), side, confidence, time_of(s, leave), out, count)


@njit(cache=True)
def _walking_step(s, j, side, out, count):
    """The scissors were widest: initial contact of the leg ahead."""
    rate = s.rate
    at = s.widest_at
    low, high = _range_of(s.low, at - int(0.4 * rate), j + 1)
    is_running = low < FLIGHT_BELOW_M_S2 and high - low > RUN_SWING_M_S2
    if is_running or not high - low >= WALK_SWING_M_S2:
        return count
    if (s.gait == RUNNING or s.held == RUNNING) and time_of(s, at) - max(
        s.ic, s.held_ic
    ) < LONGEST_RUN_STEP_S:
        return count
    s.use[0], s.use[1], s.use[2] = 1, 1 - side, side
    start, stop = max(2, at - int(0.15 * rate)), min(s.n, at + 1 + int(0.12 * rate))
    onset, gain = pick_onset(s.force, s.use, start, stop, rate)
    if gain < LEAST_GAIN:
        onset = at
    confidence = 0.4 + 0.4 * min(1.0, gain / SURE_GAIN)
    s.belief = 1.0 if side == 0 else -1.0
    before = count
    count = _step(s, WALKING, time_of(s, onset), side, confidence, math.nan, out, count)
    if count > before:
        s.to_side = 1 - side
    return count


@njit(cache=True)
def _step(s, gait, t, side, confidence, leave, out, count):
    """A step was found: put out its contact and the toe-off before it, unless it might be no step at all."""
    longest = LONGEST_RUN_STEP_S if gait == RUNNING else LONGEST_WALK_STEP_S
    if s.gait == 0:
        since = t - s.held_ic
        if s.held != gait or since > longest or since < SHORTEST_STEP_S:
            s.held, s.held_ic, s.held_side, s.held_confidence = gait, t, side, confidence
            return count
        # Two steps in a row: now the first one counts, and the second knows better which foot it was.
        s.gait, s.side, s.ic = gait, 1 - side, s.held_ic
        s.interval, s.strange, s.held = since, 0, 0
        count = _become(s, gait, s.held_ic, out, count)
        count = _put(out, count, IC, s.held_ic, s.side, 0.6 * s.held_confidence)
    since = t - s.ic
    if since < SHORTEST_STEP_S:
        return count
    if side == s.side:
        confidence *= 0.3
    if since > 1.5 * s.interval or since < 0.67 * s.interval:
        confidence *= 0.7
    if gait == RUNNING and leave > s.ic + 0.08 and leave < t:
        count = _put(out, count, TO, leave, s.side, 0.8 * min(1.0, confidence / 0.7))
    s.strange = s.strange + 1 if gait != s.gait else 0
    if s.strange >= 2:
        s.gait, s.strange = gait, 0
        count = _become(s, gait, t, out, count)
    s.interval = since if s.interval == 0.0 else s.interval + 0.3 * (min(since, longest) - s.interval)
    s.ic, s.side = t, side
    return _put(out, count, IC, t, side, confidence)


@njit(cache=True)
def _walking_toe_off(s, j, out, count):
    """In walking the other foot leaves about when the trunk's force comes down through its mean."""
    if s.to_side < 0 or s.gait != WALKING:
        return count
    t = time_of(s, j)
    if t - s.ic > 0.3:
        s.to_side = -1
    elif t > s.ic + 0.04 and s.low[j] < UPRIGHT_M_S2 and s.low[j - 1] >= UPRIGHT_M_S2:
        share = (s.low[j - 1] - UPRIGHT_M_S2) / (s.low[j - 1] - s.low[j])
        count = _put(out, count, TO, time_of(s, j - 1 + share), s.to_side, 0.4)
        s.to_side = -1
    return count


@njit(cache=True)
def _become(s, activity, t, out, count):
    if activity == s.activity:
        return count
    s.activity = activity
    s.activity_t = max(t, s.activity_t)
    return _put(out, count, ACTIVITY, s.activity_t, activity, 1.0)


@njit(cache=True)
def _activity(s, j, out, count):
    """Whether the person still steps, and else whether it stands still."""
    t = time_of(s, j)
    if math.isnan(s.mean):
        s.mean, s.spread, s.quiet = s.low[j], STIRRED_M_S2, 0
    away = s.low[j] - s.mean
    s.mean += away / (0.5 * s.rate)
    s.spread += (abs(away) - s.spread) / (0.3 * s.rate)
    s.quiet = s.quiet + 1 if s.spread < STILL_M_S2 else 0
    is_stepping = s.activity == WALKING or s.activity == RUNNING
    longest = 1.3 * (LONGEST_RUN_STEP_S if s.activity == RUNNING else LONGEST_WALK_STEP_S)
    if is_stepping and t - s.ic > longest:
        last = s.ic + s.interval
        forget_steps(s)
        return _become(s, OTHER, last, out, count)
    if is_stepping:
        return count
    if s.quiet >= STILL_FOR_S * s.rate:
        return _become(s, STILL, t - STILL_FOR_S, out, count)
    if s.spread > STIRRED_M_S2 and (s.activity == STILL or s.activity == UNKNOWN):
        return _become(s, OTHER, t, out, count)
    return count
