"""Initial contacts and toe-offs from three sensors, one grid sample after the other.

Running is seen in the low-passed vertical force of the trunk: it falls deep in each flight. Walking is seen
in the humps of the same force, which come with each double support, while one leg is ahead of the other.
Both only say roughly when; the contact itself is picked by ``kernels.onset`` from the kink it makes in
pelvis and thigh, in running refined by ``kernels.landing`` with what the strides before looked like.

Output rows are (what, time, side, confidence): what is IC, TO or ACTIVITY, side 0 left, 1 right; a row of
ACTIVITY carries the activity's number in place of the side.
"""

from __future__ import annotations

import math
from typing import Final

from latemiles.kernels.foot import (
    ahead_of,
    believe,
    hips_ratio,
    impact_ratio,
    pelvis_ratio,
)
from latemiles.kernels.gait_activity import (
    ACTIVITY,
    IC,
    LONGEST_RUN_STEP_S,
    LONGEST_WALK_STEP_S,
    OTHER,
    STILL,
    TO,
    WALKING,
    become,
    follow_activity,
    put,
)
from latemiles.kernels.gait_follow import (
    FLIGHT_BELOW_M_S2,
    RISE_SURE,
    RUN_SWING_M_S2,
    RUNNING,
    UPRIGHT_M_S2,
    body_lifted,
    contact_due,
    flight_ended,
    learn_rise,
    lowest_at,
    range_of,
)
from latemiles.kernels.gait_state import append_samples, forget_steps, time_of
from latemiles.kernels.jit import njit
from latemiles.kernels.landing import land
from latemiles.kernels.onset import falling_foot, pick_onset, rising_foot

__all__ = ["ACTIVITY", "IC", "OTHER", "ROWS_PER_SAMPLE", "RUNNING", "STILL", "TO", "WALKING", "gait_push"]

ROWS_PER_SAMPLE: Final = 8
"""More rows than one grid sample can give."""

SCISSORS_RAD: Final = 0.2
"""Least swing of left minus right hip flexion in a walking step."""
LEAST_AHEAD: Final = 0.3
"""Least lead of the landing leg, as a share of half that swing: in mid-stance there is none."""
IN_STEP_RAD: Final = 0.1
"""Least range of the scissors in a running step, where they are known: a jump or squat has none."""
SHORTEST_STEP_S: Final = 0.18
HUMP_SHARE: Final = 0.6
"""In walking the push-off lifts the trunk a second time, well before the next step is due."""
NOTHING: Final = 1e-9
"""A belief this near to none is none."""
SURE_GAIN: Final = 3.0
"""Log ratio of bending after and before a contact (a factor of 20) from which the contact is sure."""
STARK_GAIN: Final = 4.5
"""The same (a factor of 90) from which it is one though none was due; a toe-off's kink reaches 3.5."""
LEAST_GAIN: Final = 1.2
LEAST_CONFIDENCE: Final = 0.2
"""Less certain steps are not put out: out of turn and faint, they are the ringing of another."""
MISSED_SHARE: Final = 1.6
SHORT_SHARE: Final = 0.67
"""Against the steps before: a longer step is two, a shorter one may be none."""
WALK_IMPACT: Final = 0.35
"""A walking step shakes the thighs little, and both."""
WALK_AHEAD_LOG: Final = 4.0
"""Log likelihood ratio of a leg that is wholly ahead in a walking step."""
WITHIN: Final = 0.5
"""A contact lies between the last sample before its kink and the next: in the middle, samples."""
BEFORE_VALLEY_S: Final = 0.03
"""How long before the low-passed force is lowest a contact may lie, s: from 16 ms before to 75 ms after it,
from a slow shuffle to a sprint."""
SLOW: Final = 1.05
"""A sensor whose samples are further apart than so many of the grid's is slower than it."""
ALONE: Final = 1.5
"""How far from a contact that both sensors showed one of them may put it, in its samples."""
SETTLED_AFTER: Final = 4
SETTLE_GAIN: Final = 1.0 / 16.0
TOE_OFF_S: Final = 0.02
"""A contact picked this near to the toe-off before it may be that toe-off's own kink, s."""
DUE_S: Final = 0.03
"""How far from where the steps before were a contact is looked for, s."""
LONG_FALL_S: Final = 0.05
"""Time from toe-off to the middle of a flight from which the two ends cannot be taken for each other, s."""


@njit(cache=True)
def gait_push(state, force, flexion, pelvis, out):
    """Take in grid samples, put out the events that became certain.

    Parameters
    ----------
    state : array of ``gait_dtype``, shape (1,)
        Changed in place.
    force : float64 array, shape (3, k)
        Vertical specific force of pelvis, left and right thigh, m/s^2, 9.81 at rest; NaN where missing.
    flexion : float64 array, shape (2, k)
        Hip flexion, left and right, rad; NaN where missing.
    pelvis : float64 array, shape (2, k)
        Pelvic obliquity and rotation, rad; NaN where missing.
    out : float64 array, shape (ROWS_PER_SAMPLE * (k + 1), 4)
        Gets the rows, see the head of this file.

    Returns
    -------
    int
        Number of rows.
    """
    s = state[0]
    count, taken = 0, 0
    while taken < force.shape[1]:
        before, taken = taken, append_samples(s, force, flexion, pelvis, taken)
        for _ in range(before, taken):
            s.n += 1
            j = s.n - 1 - s.half
            if j >= s.half:
                count = _follow(s, j, out, count)
    return count


@njit(cache=True)
def _follow(s, j, out, count):
    """Go on to sample j, the newest whose low-passed force is known."""
    if math.isnan(s.low[j]):
        forget_steps(s)
        s.turn, s.usual, s.is_armed = math.nan, math.nan, 0
        return count
    if flight_ended(s, j):
        count = _running_step(s, j, out, count)
    if body_lifted(s, j):
        count = _walking_step(s, j, out, count)
    count = _walking_toe_off(s, j, out, count)
    return follow_activity(s, j, out, count)


@njit(cache=True)
def _contact(s, start, stop, leave):
    """Onset of the impact in [start, stop), which is not the kink that the toe-off at ``leave`` makes."""
    at, gain = pick_onset(s.bent, s.use, start, stop, s.rate, s.sums)
    near = TOE_OFF_S * s.rate + 1.5 * (s.step - 1.0)
    if not at <= leave + near:
        return at, gain
    # So long after it, no second difference holds the toe-off any more. If nothing begins there, then
    # what is there was the contact: in a short flight the two are close.
    later, later_gain = pick_onset(s.bent, s.use, int(leave + near), stop, s.rate, s.sums)
    if later_gain > 0.5 * SURE_GAIN:
        return later, later_gain
    return at, gain


@njit(cache=True)
def _within(s):
    # Samples of a slow sensor are further apart, and the line between them bends between samples of the grid.
    return WITHIN * s.step


@njit(cache=True)
def _landing_window(s, j, leave):
    """Where in the flight that ends at sample j the contact is to be looked for.

    Returns a pick by all lanes, the samples [start, stop) and where it is due, NaN if that is not known.
    """
    start = max(2, s.valley_at - int(BEFORE_VALLEY_S * s.rate + s.step))
    if s.valley_at - leave > LONG_FALL_S * s.rate:
        # Early in a flight the leg that has left whips forward, which bends its force as a contact would.
        start = max(start, int(0.5 * (leave + s.valley_at)))
    stop = min(s.n, j + 1 + int(0.06 * s.rate))
    s.use[:] = 1
    at, gain = _contact(s, start, stop, leave)
    due, rise = contact_due(s, j)
    # A pick that went astray still has its vote, or the first mistake would confirm itself for ever.
    learn_rise(s, (rise - at) / s.rate, min(1.0, gain / SURE_GAIN))
    if math.isnan(due):
        return at, start, stop, due
    near, far = max(2, int(due - DUE_S * s.rate)), min(s.n, int(due + DUE_S * s.rate) + 2)
    again, kink = _contact(s, near, far, leave)
    # An impact where none is due, and nothing where one is: a stumble, a stop.
    if kink < LEAST_GAIN and gain > STARK_GAIN:
        return at, start, stop, math.nan
    return (again if kink >= LEAST_GAIN else int(due)), near, far, due


@njit(cache=True)
def _each_alone(s, side, contact):
    """Mean of what the pelvis and the landing thigh say alone about a contact that both showed; NaN: nothing.

    A sensor's own line bends half a sample before the contact on average, but the first of two that do not
    sample at once bends two thirds before it.
    """
    first, last = contact - _within(s) - ALONE * s.step, contact - _within(s) + ALONE * s.step
    total, count = 0.0, 0
    for lane in range(0, 2 + side, 1 + side):
        s.use[:] = 0
        s.use[lane] = 1
        at, gain = pick_onset(s.bent, s.use, int(first), min(s.n, int(last) + 2), s.rate, s.sums)
        if gain >= LEAST_GAIN:
            total, count = total + at + _within(s), count + 1
    return total / count if count > 0 else math.nan


@njit(cache=True)
def _settled(s, j, side, contact, is_next, is_seen):
    """Contact of a slow sensor, by the rise of the low-passed force and the mean time between the two.

    What a slow sensor shows of an impact depends on where its samples happen to lie, by a whole sample either
    way. The low-passed force's rise does not: it follows the contact by the same time within 6 ms.
    """
    rise = contact_due(s, j)[1]
    memory = s.settled[side]
    if not is_next:
        memory[1] = 0.0
    alone = _each_alone(s, side, contact)
    if is_seen and s.rise_votes >= RISE_SURE and not math.isnan(alone):
        if memory[1] == 0.0:
            # A first pick that went astray would be believed for a hundred strides; the vote of all is not.
            memory[0], memory[1] = s.rise_lag * s.rate, 1.0
        memory[1] += 1.0
        off = max(-s.step, min(s.step, rise - alone - memory[0]))
        memory[0] += max(SETTLE_GAIN, 1.0 / memory[1]) * off
    return rise - memory[0] if memory[1] >= SETTLED_AFTER else contact


@njit(cache=True)
def _running_step(s, j, out, count):
    """The flight that ends at sample j: toe-off before it, initial contact after it."""
    rate = s.rate
    bottom = lowest_at(s.brief, s.peak_at, s.valley_at + 1)
    leave = falling_foot(s.brief, s.peak_at, bottom + 1, s.brief[bottom], s.peak - s.brief[bottom])
    low, high = range_of(s.scissors, s.valley_at - int(0.4 * rate), j + 1)
    if 0.0 <= high - low < IN_STEP_RAD:
        return count
    at, start, stop, due = _landing_window(s, j, leave)
    since = time_of(s, at) - (s.ic if s.gait != 0 else s.held_ic)
    is_next = (s.gait != 0 or s.held != 0) and since < LONGEST_RUN_STEP_S
    if is_next and since < SHORTEST_STEP_S:
        return count
    steps = _steps_since(s, since) if is_next else 0
    is_odd = steps > 0 and since < SHORT_SHARE * s.interval
    # By now the foot is on the ground, wherever exactly the contact was: no other leg goes back.
    shaken, swung = impact_ratio(s, at, steps), hips_ratio(s, j)
    if math.isnan(shaken) and math.isnan(swung):
        shaken = pelvis_ratio(s, at)
    belief = believe(s.which, steps, is_odd, shaken, swung)
    side = 0 if belief > 0.0 else 1
    is_blind = abs(belief) < NOTHING
    if is_blind and steps % 2 == 1:
        # Nothing tells which foot it is; that it is not the same one again is known all the same.
        side = 1 - (s.side if s.gait != 0 else s.held_side)
    s.use[1 + (1 - side)] = 0
    at, gain = _contact(s, start, stop, leave)
    contact, confidence = at + _within(s), 0.4 + 0.6 * min(1.0, gain / SURE_GAIN)
    if gain < LEAST_GAIN:
        foot = rising_foot(s.brief, bottom, j, s.brief[bottom], s.low[j] - s.brief[bottom])
        foot = foot if math.isnan(due) else due + _within(s)
        contact, confidence = (contact if math.isnan(foot) else foot), 0.4
    elif is_next:
        contact = land(
            s.force,
            s.n,
            1 + side,
            contact,
            s.step,
            s.landing[side],
            s.landing_noise[side],
            s.landing_memory[side],
            s.landing_scratch,
        )
    if s.step > SLOW:
        contact = _settled(s, j, side, contact, is_next, gain >= LEAST_GAIN)
    confidence *= 0.4 + 0.6 * abs(belief)
    if is_blind:
        confidence = max(LEAST_CONFIDENCE, confidence)
    return _step(s, RUNNING, time_of(s, contact), side, confidence, time_of(s, leave), out, count)


@njit(cache=True)
def _walking_step(s, j, out, count):
    """The trunk comes down from a hump: initial contact of the leg that was ahead lifted it."""
    rate = s.rate
    high = s.walk_high_at
    bottom, top = range_of(s.low, high - int(0.4 * rate), j + 1)
    last = s.ic if s.gait != 0 else s.held_ic
    was_running = s.gait == RUNNING or s.held == RUNNING
    if (bottom < FLIGHT_BELOW_M_S2 and top - bottom > RUN_SWING_M_S2) or (
        was_running and time_of(s, high) - last < LONGEST_RUN_STEP_S
    ):
        return count
    s.use[:] = 1
    start, stop = max(2, high - int(0.2 * rate)), min(s.n, high + 1 + int(0.03 * rate))
    at, gain = pick_onset(s.bent, s.use, start, stop, rate, s.sums)
    ahead = _ahead(s, high)
    if abs(ahead) < LEAST_AHEAD or (math.isnan(ahead) and gain < LEAST_GAIN):
        return count
    known = (s.gait != 0 or s.held != 0) and time_of(s, at) - last < LONGEST_WALK_STEP_S
    steps = _steps_since(s, time_of(s, at) - last) if known else 0
    belief = believe(s.which, steps, True, WALK_IMPACT * impact_ratio(s, at, steps), WALK_AHEAD_LOG * ahead)
    if belief == 0.0:
        return count
    side = 0 if belief > 0.0 else 1
    s.use[1 + (1 - side)] = 0
    at, gain = pick_onset(s.bent, s.use, start, stop, rate, s.sums)
    confidence = (0.4 + 0.4 * min(1.0, gain / SURE_GAIN)) * (0.4 + 0.6 * abs(belief))
    before = count
    count = _step(s, WALKING, time_of(s, at + _within(s)), side, confidence, math.nan, out, count)
    if count > before:
        s.to_side = 1 - side
    return count


@njit(cache=True)
def _ahead(s, at):
    """Which leg is ahead at sample ``at``: 1 left, -1 right, less in between; 0 if the legs do not swing.

    Against the middle of the last stride, so that a single hip, or two that are zeroed differently, will do.
    NaN where no hip is known.
    """
    low, high = range_of(s.scissors, at - int(LONGEST_WALK_STEP_S * s.rate), at + 1)
    if math.isnan(s.scissors[at]) or high < low:
        return math.nan
    if high - low < SCISSORS_RAD:
        return 0.0
    return ahead_of(s.scissors, at, low, high)


@njit(cache=True)
def _steps_since(s, since):
    """Steps in so much time, by the length of those before: a step that was missed leaves a foot out."""
    return 2 if s.interval > 0.0 and since > MISSED_SHARE * s.interval else 1


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
        count = become(s, gait, s.held_ic, out, count)
        count = put(out, count, IC, s.held_ic, s.side, 0.6 * s.held_confidence)
    since = t - s.ic
    if since < SHORTEST_STEP_S or (gait == WALKING and since < HUMP_SHARE * s.interval):
        return count
    is_missed = since > MISSED_SHARE * s.interval
    if (side == s.side) != is_missed:
        confidence *= 0.3
    if is_missed or since < SHORT_SHARE * s.interval:
        confidence *= 0.7
    # A flight that comes when one is due is a step, however doubtful the foot: left out, it would make the
    # next one look like the same foot's.
    if confidence < LEAST_CONFIDENCE and (gait == WALKING or since < SHORT_SHARE * s.interval):
        return count
    if gait == RUNNING and not is_missed and s.ic + 0.08 < leave < t:
        count = put(out, count, TO, leave, s.side, 0.8 * min(1.0, confidence / 0.7))
    s.strange = s.strange + 1 if gait != s.gait else 0
    if s.strange >= 2:
        s.gait, s.strange = gait, 0
        count = become(s, gait, t, out, count)
    one = 0.5 * since if is_missed else since
    s.interval = since if s.interval == 0.0 else s.interval + 0.3 * (min(one, longest) - s.interval)
    s.ic, s.side = t, side
    return put(out, count, IC, t, side, confidence)


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
        count = put(out, count, TO, time_of(s, j - 1 + share), s.to_side, 0.4)
        s.to_side = -1
    return count
