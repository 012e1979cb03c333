"""A sensor's clock that starts over, and one that steps: its count of samples goes on and its time does not.

A sensor that counts its samples and has a clock tells the same twice. Where the two part within one packet,
either the clock stepped, or samples were not taken and not counted. Time that goes back against the count can
only be a step. Time that runs ahead is one if the packet would otherwise have come before it was sent.
What a clock stepped is taken off its later times, so that everything after sees a clock that goes on.
"""

from __future__ import annotations

from typing import Final

from latemiles.kernels.jit import njit

__all__ = ["STEPS", "STEP_FIELDS", "forget_steps", "is_restart", "shift_at", "step_of", "take_step"]

STEPS: Final = 16
"""Steps that are remembered for packets that come late."""
STEP_FIELDS: Final = [
    ("shift", "f8"),  # what makes up for all steps until now
    ("step_n", "i8"),
    ("step_index", "i8", (STEPS,)),  # of the first sample that is known to come after it
    ("step_after", "i8", (STEPS,)),  # of the first sample that may
    ("step_before", "f8", (STEPS,)),  # shift of the samples before
]
"""Fields that a clock's state has for its steps."""

LEAST_HOLE_S: Final = 0.02
"""Across missing packets a step is at least so large: what the sensor lost itself it counts by its clock."""
UNSURE: Final = 0.05
"""A period that is not yet measured may be off by this share, a measured one by ``SURE``."""
SURE: Final = 0.001
LEARNT: Final = 16
"""Packets after which the period counts as measured."""

STALE_LIMIT: Final = 10
"""So many packets in a row that were all heard before are not repeats: the sensor has started over."""


@njit(cache=True, forceinline=True)
def is_restart(s, epoch, index, raw, has_tick, has_index, arrival):
    """Whether this packet cannot belong to the clock that is being followed."""
    if s.packets == 0:
        return False
    if epoch != s.epoch or s.stale >= STALE_LIMIT:
        return True
    if has_index and has_tick:
        predicted = s.taken + s.period * (index - s.device_index)
        far = abs(raw - predicted) > 0.25 + 0.05 * abs(raw - s.taken)
        if far and raw < s.taken:
            return True
    elif has_tick and raw < s.newest - 1.0:
        return True
    elif (
        not has_tick and not has_index and arrival - (s.newest + s.line_y) > 1.0 + 0.05 * (s.newest - s.start)
    ):
        # Nothing counts the samples that were lost, so their time cannot be bridged.
        return True
    early = s.line_y + s.slope * (s.newest - s.line_x) - (arrival - raw)
    return early > 0.5 and raw >= s.newest and s.newest - s.start > 10.0


@njit(cache=True, forceinline=True)
def shift_at(s, index, time):
    """What is added to the sensor's time of a sample to make up for the steps until then, s.

    A sample that was missing when a step was found came before it or after it, whichever fits its ``time``.
    """
    shift = s.shift
    for k in range(s.step_n - 1, max(0, s.step_n - STEPS) - 1, -1):
        j = k % STEPS
        if index >= s.step_index[j]:
            break
        before = s.step_before[j]
        if index >= s.step_after[j]:
            predicted = s.taken + s.period * (index - s.device_index)
            if abs(time + shift - predicted) < abs(time + before - predicted):
                break
        shift = before
    return shift


@njit(cache=True, forceinline=True)
def step_of(s, index, raw, n, arrival, is_resent):
    """How far the clock has stepped before this packet, s; 0 if it has not, or nobody can tell.

    Parameters
    ----------
    s : record of a clock's state
        Not changed; has heard one packet or more.
    index : int
        Of the packet's first sample, which continues the stream.
    raw : float
        Its time by the sensor's clock as it was until now, s.
    n : int
        Samples in the packet.
    arrival : float
        When it was heard, s of the session.
    is_resent : bool
        The arrival says nothing.
    """
    steps = index - s.device_index
    predicted = s.taken + s.period * steps
    step = raw - predicted
    least = 1.5 * s.period + 2.0 * s.tick_s + (SURE if s.packets >= LEARNT else UNSURE) * s.period * steps
    if index > s.next_index:
        least = max(least, LEAST_HOLE_S)
    if abs(step) <= least or steps > 4096:
        return 0.0
    if step < 0.0:
        return step
    last = predicted + (n - 1) * s.period
    early = s.line_y + s.slope * (last - s.line_x) - (arrival - last - step)
    return step if early > 0.5 * step and not is_resent else 0.0


@njit(cache=True)
def take_step(s, index, step):
    """Take a step that came with a sample, or with one that is missing before it, off all later times."""
    k = s.step_n % STEPS
    s.step_index[k] = index
    s.step_after[k] = s.next_index
    s.step_before[k] = s.shift
    s.step_n += 1
    s.shift -= step


@njit(cache=True)
def forget_steps(s):
    """The sensor started over."""
    s.shift = 0.0
    s.step_n = 0
