"""How a runner's landing looks between the samples, learnt stride after stride, and when each one begins.

Samples are 5 or 10 ms apart; an impact rises faster. But strides meet the sample grid at ever other phases:
laid over one another by their contacts they show the second difference of the force at times in between as
well (stride-synchronous averaging). A contact is then where the stride's own samples fit that shape best,
plus where the shape begins, which is the same for all. What is learnt comes from strides before and from this
one, never from later ones.

A shape holds the second differences of two lanes, the pelvis's and the thigh's that lands, at ``KNOTS`` times
about the contact; linear in between. Times are in samples throughout.
"""

from __future__ import annotations

import math
from typing import Final

from latemiles.kernels.jit import njit

__all__ = ["KNOTS", "SPAN", "land", "where_it_begins"]

PER_SAMPLE: Final = 4
"""Knots from one sample to the next."""
BEFORE: Final = 8
AFTER: Final = 6
KNOTS: Final = (BEFORE + AFTER) * PER_SAMPLE + 1
SPAN: Final = BEFORE + AFTER + 4
"""Samples that the shape reaches over, and one more on either side."""
FIT_FROM: Final = -3.0
FIT_TO: Final = 4.5
"""Where samples are held against the shape: some of the flight, so that a beginning shows as one."""
REACH: Final = 1.5
"""How far from where it was picked a contact may lie: a pick is a sample or so off."""
PICK_SD: Final = 1.0
"""How uncertain the pick of a single stride is; it keeps the fit from slipping by a whole oscillation."""
KNOWN_AFTER: Final = 6
"""Strides from which the shape is trusted."""
SMOOTH_FOR: Final = 4
"""Strides whose samples are spread over the whole way to their neighbours; later ones over half of it."""
FIRST_BEND: Final = 0.1
"""The first bend stands out of what lies before it by at least so large a share of the strongest: at 100 Hz
it does by a seventh and more; between 0.06 and 0.125 hardly a contact moves."""
ABOVE: Final = 2.5
"""And by so many times what the size changes by while the leg swings, whose own bend is large but slow."""
LOWER: Final = 0.4
UPPER: Final = 0.8
"""Shares of the first bend's size that its flank is laid through."""
SPREAD: Final = 0.35
"""How much too early a shape begins, samples: 0.1 to 0.2 where sensors sample with the grid, as a knot takes
in samples half a sample off; 0.4 to 0.6 where they lie between, as those do that keep their own time."""
LINE: Final = 1.0
"""How much earlier it begins where a sensor is slower than the grid, as a share of the difference in samples:
the line between two samples bends at the first of them, which strides meet at any phase, and which itself
lies between two samples of the grid."""
LEAST_GAIN: Final = 1.0 / 16.0
"""Weight of a new stride: the shape follows pace, ground and shoes within some twenty strides."""
LEAST_NOISE: Final = 0.01
"""Square of ``onset.NOISE`` and of what samples are rounded to, (m/s^2)^2."""
WORST: Final = 0.5
"""Share of the shape's power that a stride may leave unexplained; else the shape is another's."""
OFF_CENTRE: Final = 0.3
"""The shape is moved by a knot when it begins so far from its middle."""


@njit(cache=True)
def land(force, size, thigh, pick, apart, shape, noise, memory, scratch):
    """When a picked contact began, and learn from it.

    Parameters
    ----------
    force : float64 array, shape (lanes, n)
        Vertical specific force, m/s^2; the pelvis first.
    size : int
        Samples that are there.
    thigh : int
        Lane of the leg that lands.
    pick : float
        Where the contact was picked, in samples.
    apart : float
        Samples from one sample of the sensor to the next, 1 at least.
    shape : float64 array, shape (2, KNOTS)
        What was learnt of this side, m/s^2; changed in place.
    noise : float64 array, shape (2,)
        Mean square of what the shape leaves unexplained, (m/s^2)^2; changed in place.
    memory : float64 array, shape (2,)
        Strides learnt from, and how far behind the pick the shape's middle lies on average; changed in place.
    scratch : float64 array, shape (2, SPAN)
        Room for one stride.

    Returns
    -------
    float
        The contact in samples: ``pick`` itself while the shape is not known or begins far from its middle, or
        where a sample is missing.
    """
    first, last = math.floor(pick) - BEFORE - 4, math.ceil(pick + FIT_TO + 2.0 * REACH)
    if first < 2 or not _is_whole(force, thigh, first, min(last, size)):
        return pick
    at = pick + memory[1]
    first = _bends(force, size, thigh, math.ceil(at + FIT_FROM - REACH), scratch)
    if memory[0] > 0.0:
        at = _fit(scratch, first, size, at, shape, noise)
    left = _unexplained_both(scratch, first, size, at, shape)
    if memory[0] > 0.0 and not _is_the_same(left[0] + left[1], shape, memory):
        memory[:], shape[:], at = 0.0, 0.0, pick
        first = _bends(force, size, thigh, math.ceil(at + FIT_FROM), scratch)
        left = _unexplained_both(scratch, first, size, at, shape)
    gain = max(LEAST_GAIN, 1.0 / (memory[0] + 1.0))
    for lane in range(2):
        noise[lane] += gain * (max(LEAST_NOISE, left[lane]) - noise[lane])
    memory[1] += gain * (at - pick - memory[1])
    first = _bends(force, size, thigh, math.floor(at) - BEFORE - 1, scratch)
    _learn(scratch, first, size, at, shape, memory[0], gain)
    memory[0] += 1.0
    begin = where_it_begins(shape)
    if abs(begin) > OFF_CENTRE:
        _move(shape, 1 if begin > 0.0 else -1)
        step = math.copysign(1.0 / PER_SAMPLE, begin)
        at, begin, memory[1] = at + step, begin - step, memory[1] + step
    if memory[0] < KNOWN_AFTER or abs(begin) > REACH:
        return pick
    return at + begin + SPREAD + LINE * (apart - 1.0)


@njit(cache=True)
def where_it_begins(shape):
    """Where the shape begins, in samples from its middle: the foot of the flank of its first bend.

    What a leg does before it lands is not smooth to a slow sensor, so the first thing that differs is not yet
    the contact; and a flank that samples or a line between them have worn round keeps its middle.
    """
    top, high = _knot(-2.5), _knot(4.0)
    strongest, most, least = 0.0, 0.0, math.inf
    for k in range(_knot(-4.0), top):
        most, least = max(most, _size(shape, k)), min(least, _size(shape, k))
    for k in range(top, high):
        strongest = max(strongest, _size(shape, k))
    rise = max(FIRST_BEND * strongest, ABOVE * (most - least))
    valley = math.inf
    while top < high - 1:
        size = _size(shape, top)
        valley = min(valley, size)
        if size - valley >= min(rise, strongest - valley) and size >= _size(shape, top + 1):
            break
        top += 1
    upper, lower = _crossed(shape, top, UPPER), _crossed(shape, top, LOWER)
    return (lower - (upper - lower) * LOWER / (UPPER - LOWER)) / PER_SAMPLE - BEFORE


@njit(cache=True)
def _size(shape, k):
    """Size of both lanes' second differences at a knot, m/s^2."""
    return math.sqrt(shape[0, k] ** 2 + shape[1, k] ** 2)


@njit(cache=True)
def _crossed(shape, top, share):
    """Where the flank before knot ``top`` comes up through a share of its size there, in knots."""
    level = share * _size(shape, top)
    k = top
    while k > 0 and _size(shape, k) > level:
        k -= 1
    before, after = _size(shape, k), _size(shape, k + 1)
    return k + (level - before) / (after - before) if after > before else float(k)


@njit(cache=True)
def _knot(u):
    return int((u + BEFORE) * PER_SAMPLE)


@njit(cache=True)
def _is_whole(force, thigh, first, last):
    total = 0.0
    for k in range(first, last):
        total += force[0, k] + force[thigh, k]
    return math.isfinite(total)


@njit(cache=True)
def _bends(force, size, thigh, first, out):
    """Second differences of both lanes from sample ``first`` on, which is returned; 0 where not heard."""
    for lane in range(2):
        values, bends = force[lane * thigh], out[lane]
        for j in range(bends.shape[0]):
            k = min(first + j, size - 1)
            b = values[k] - 2.0 * values[k - 1] + values[k - 2]
            bends[j] = b if math.isfinite(b) else 0.0
    return first


@njit(cache=True)
def _value(shape, u):
    """One lane's shape ``u`` samples from its middle; 0 outside."""
    x = (u + BEFORE) * PER_SAMPLE
    k = math.floor(x)
    if k < 0 or k >= KNOTS - 1:
        return 0.0
    return shape[k] + (x - k) * (shape[k + 1] - shape[k])


@njit(cache=True)
def _unexplained(bends, first, size, at, shape):
    """Mean square of one lane's second differences, from sample ``first`` on, less the shape's at ``at``."""
    total = 0.0
    start, stop = math.ceil(at + FIT_FROM), min(size, math.floor(at + FIT_TO) + 1)
    # The shape reaches further than this, and all samples lie equally far behind a knot.
    x = (start - at + BEFORE) * PER_SAMPLE
    knot = int(x)
    part = x - knot
    for k in range(start - first, stop - first):
        left = bends[k] - (shape[knot] + part * (shape[knot + 1] - shape[knot]))
        total += left * left
        knot += PER_SAMPLE
    return total / max(1, stop - start)


@njit(cache=True)
def _unexplained_both(bends, first, size, at, shape):
    return (
        _unexplained(bends[0], first, size, at, shape[0]),
        _unexplained(bends[1], first, size, at, shape[1]),
    )


@njit(cache=True)
def _misfit(bends, first, size, middle, off, shape, noise, enough):
    """What speaks against the shape's middle lying ``off`` from where it is expected; no less than it says.

    Once it is more than ``enough`` nothing more is added: it would not get less.
    """
    at = middle + off
    count = math.floor(at + FIT_TO) - math.ceil(at + FIT_FROM) + 1.0
    cost = (off / PICK_SD) ** 2
    for lane in range(2):
        if cost <= enough:
            cost += count * _unexplained(bends[lane], first, size, at, shape[lane]) / noise[lane]
    return cost


@njit(cache=True)
def _fit(bends, first, size, middle, shape, noise):
    """Where the shape's middle fits best, in units of the noise and of the pick's uncertainty."""
    found = middle
    # It seldom lies far from where it is expected: how well it fits there spares most of the others.
    best = _misfit(bends, first, size, middle, 0.0, shape, noise, math.inf)
    steps = int(2.0 * REACH * 2 * PER_SAMPLE)
    for j in range(steps + 1):
        off = -REACH + j / (2.0 * PER_SAMPLE)
        cost = _misfit(bends, first, size, middle, off, shape, noise, best)
        if cost < best:
            best, found = cost, middle + off
    return found


@njit(cache=True)
def _is_the_same(left, shape, memory):
    """Whether the shape, once known, still explains the stride, and lies where contacts are picked.

    ``left`` is what it leaves unexplained of both lanes.
    """
    if abs(memory[1]) > REACH:
        return False
    if memory[0] < KNOWN_AFTER:
        return True
    power = 0.0
    for k in range(KNOTS):
        power += shape[0, k] ** 2 + shape[1, k] ** 2
    return left <= WORST * power / KNOTS


@njit(cache=True)
def _learn(bends, first, size, at, shape, count, gain):
    """Move the shape towards one stride, at every knot by what the samples about it say."""
    reach = 1.0 if count < SMOOTH_FOR else 0.5
    for lane in range(2):
        left, knots = bends[lane], shape[lane]
        for j in range(SPAN):
            # Samples that have not come yet say nothing.
            left[j] = left[j] - _value(knots, first + j - at) if first + j < size else 0.0
        for knot in range(KNOTS):
            x = at + knot / PER_SAMPLE - BEFORE - first
            j = int(x)
            before, after = max(0.0, 1.0 - (x - j) / reach), max(0.0, 1.0 - (j + 1 - x) / reach)
            knots[knot] = (knots[knot] + gain * before * left[j]) + gain * after * left[j + 1]


@njit(cache=True)
def _move(shape, knots):
    """Let the shape begin one knot earlier (1) or later (-1)."""
    for lane in range(2):
        for k in range(KNOTS):
            j = k if knots > 0 else KNOTS - 1 - k
            inside = 0 <= j + knots < KNOTS
            shape[lane, j] = shape[lane, j + knots] if inside else 0.0
