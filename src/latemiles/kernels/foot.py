"""Which foot lands: every step's evidence, handed on from step to step.

Three things tell: the landing leg's own thigh is shaken most; it is ahead of the other; it comes back
(extends) while the other one swings up. Shaking is faint at low rates and where a strap hangs loose; the hips
say the opposite, both at once, where the calibration faces backwards. Neither is trusted by itself: four
beliefs are kept, left or right foot times hips the right way round or not, as a hidden Markov model whose
feet take turns. So one odd impact changes nothing, hips that contradict the impacts step after step turn
round, and a step that was missed leaves the same foot to land.

References
----------
.. [1] L. R. Rabiner, A tutorial on hidden Markov models, Proc. IEEE 77 (1989) 257-286: eq. 19 and 20, the
   forward step.
"""

from __future__ import annotations

import math
from typing import Final

from latemiles.kernels.gait_follow import range_of
from latemiles.kernels.jit import njit
from latemiles.kernels.onset import bent_energy

__all__ = ["ahead_of", "believe", "doubt_feet", "hips_ratio", "impact_ratio", "pelvis_ratio"]

IMPACT_S: Final = 0.045
BACK_S: Final = 0.08
LOOK_BACK_S: Final = 0.8
"""At least a whole running stride: what the legs are ahead of is the middle of their last swing."""
LOOSE_SHARE: Final = 0.1
BEATS: Final = 40.0
"""Steps over which it is judged whether the impacts tell the feet apart,"""
BEAT_NOISE: Final = 0.9
"""and by how much one step's may differ by chance, as a share, three standard deviations:"""
BEAT_SURE: Final = 0.25
"""so much more than that, and they do. Fast runners on slow sensors have impacts that tell nothing."""
IMPACT_LOG: Final = 2.0
"""Log likelihood ratio of an impact that only one thigh felt."""
AHEAD_LOG: Final = 3.0
BACK_LOG: Final = 5.0
"""The same of a leg that is wholly ahead, and of one that goes through half its swing in ``BACK_S``."""
TURN_PHASE: Final = 1.75
LEAN_PHASE: Final = -0.87
"""Phase of the pelvis's rotation and obliquity, right side forward and up, as cosines of the stride that
begins at the right foot's contact, rad. Rotation: 1.8 and 2.1 in the group means of two laboratories (Fukuchi
et al. 2017; Running Injury Clinic), 1.3 to 1.7 in one runner. Obliquity: -0.5 and -1.7, -0.5 to -0.7."""
TURN_RAD: Final = 0.052
LEAN_RAD: Final = 0.044
"""Their usual size, rad."""
PELVIS_LOG: Final = 1.5
"""Log likelihood ratio of a pelvis that rotates, or leans, as most do."""
HIPS_LOG: Final = 3.0
"""The most that the hips may say in one step."""
TURN_DOUBT: Final = 0.003
"""How probable it is that the foot is not the one whose turn it is."""
COUNT_DOUBT: Final = 0.15
"""The same where the time between two steps says that one was missed or is too many."""
TURNING: Final = 2e-4
RIGHTING: Final = 2e-3
"""How probable it is that a new calibration has turned the hips round, or back, since the step before."""


@njit(cache=True)
def believe(which, steps, is_odd, impact, hips):
    """Hand the beliefs on by ``steps`` steps and weigh in what this one says.

    Parameters
    ----------
    which : float64 array, shape (2, 2)
        Probabilities: left or right foot, hips the right way round or not. Changed in place.
    steps : int
        Steps since these were held; 0: nothing is known of the foot before.
    is_odd : bool
        The time since then fits no whole number of steps well.
    impact, hips : float
        Log likelihood ratios of left against right; NaN says nothing.

    Returns
    -------
    float
        Probability of left less that of right.
    """
    doubt = 0.5 if steps == 0 else COUNT_DOUBT if is_odd or steps > 1 else TURN_DOUBT
    swap = 1.0 - doubt if steps % 2 == 1 else doubt
    shaken = 0.0 if math.isnan(impact) else 0.5 * impact
    swung = 0.0 if math.isnan(hips) else 0.5 * max(-HIPS_LOG, min(HIPS_LOG, hips))
    for h in range(2):
        left, right = which[0, h], which[1, h]
        which[0, h] = (1.0 - swap) * left + swap * right
        which[1, h] = (1.0 - swap) * right + swap * left
    for f in range(2):
        upright, turned = which[f, 0], which[f, 1]
        sign = 1.0 if f == 0 else -1.0
        moved = TURNING * upright - RIGHTING * turned
        which[f, 0] = (upright - moved) * math.exp(sign * (shaken + swung))
        which[f, 1] = (turned + moved) * math.exp(sign * (shaken - swung))
    left, right = which[0, 0] + which[0, 1], which[1, 0] + which[1, 1]
    which /= left + right
    return (left - right) / (left + right)


@njit(cache=True)
def doubt_feet(which):
    """Forget which foot was last; which way round the hips are stays known."""
    for h in range(2):
        which[:, h] = 0.5 * (which[0, h] + which[1, h])


@njit(cache=True)
def impact_ratio(s, at, steps):
    """Log likelihood ratio of the thighs' shaking from sample ``at`` on, + for the left foot; NaN unknown.

    Where one thigh is missing, the other one's last step stands in for it. A sensor that hangs looser shakes
    more at every step; over the steps the sides are equal.

    Hips that swing in turn fit both ways round, so which way is for the impacts alone to say, and pure noise
    would turn them round some day. Therefore impacts count in so far as they take turns themselves. That
    needs no foot to be known; ``steps`` were made since the last one, 0 if that is not known.
    """
    for lane in range(2):
        s.now[lane] = _impact(s, lane, at)
    left = s.before[1] if math.isnan(s.now[0]) else s.now[0]
    right = s.before[0] if math.isnan(s.now[1]) else s.now[1]
    s.before[0], s.before[1] = s.now[0], s.now[1]
    ratio = (left - right) / (left + right + 1.0)
    if math.isnan(ratio):
        return ratio
    told = max(-1.0, min(1.0, ratio - s.loose))
    s.loose += LOOSE_SHARE * (ratio - s.loose)
    if steps == 0:
        s.beats = 0.0
    s.turn_of *= -1.0 if steps % 2 == 1 else 1.0
    s.beats = min(BEATS, s.beats + 1.0)
    s.beat += (told * s.turn_of - s.beat) / s.beats
    if math.isnan(s.scissors[at]):
        return IMPACT_LOG * told
    known = (abs(s.beat) - BEAT_NOISE / math.sqrt(s.beats)) / BEAT_SURE
    return IMPACT_LOG * told * max(0.0, min(1.0, known))


@njit(cache=True)
def hips_ratio(s, at):
    """Log likelihood ratio of how the legs swing in a running step, + for the left foot; NaN unknown."""
    back = max(0, at - int(BACK_S * s.rate))
    low, high = range_of(s.scissors, at - int(LOOK_BACK_S * s.rate), at + 1)
    if math.isnan(s.scissors[at] - s.scissors[back]) or not high > low:
        return math.nan
    coming = 2.0 * (s.scissors[back] - s.scissors[at]) / (high - low)
    ahead = ahead_of(s.scissors, at, low, high)
    # On the spot the leg that lands comes back as well, but the other one's knee is up: it is not ahead.
    return BACK_LOG * coming + (AHEAD_LOG * ahead if ahead * coming > 0.0 else 0.0)


@njit(cache=True)
def pelvis_ratio(s, at):
    """Log likelihood ratio of how the pelvis went through the last stride, + for the left foot; NaN unknown.

    For a pelvis whose thighs are not heard. The first harmonic of a stride that ends with this contact tells
    which foot's it is: the other's is half a stride away.
    """
    size = int(2.0 * s.interval * s.rate)
    if size < 8 or at < size:
        return math.nan
    step = 2.0 * math.pi / size
    lean, turn = 0.0, 0.0
    for k in range(size):
        lean += s.pelvis[0, at - size + k] * math.cos(step * k + LEAN_PHASE)
        turn += s.pelvis[1, at - size + k] * math.cos(step * k + TURN_PHASE)
    right = 2.0 / size * (lean / LEAN_RAD + turn / TURN_RAD)
    if math.isnan(right):
        return math.nan
    return -PELVIS_LOG * max(-2.0, min(2.0, right))


@njit(cache=True)
def ahead_of(scissors, at, low, high):
    """Which leg is ahead at sample ``at``: 1 left, -1 right, less in between.

    Against the middle of the last swing, so that a single hip, or two that are zeroed differently, will do.
    """
    return (2.0 * scissors[at] - high - low) / (high - low)


@njit(cache=True)
def _impact(s, lane, at):
    stop = min(s.n, at + 1 + int(IMPACT_S * s.rate))
    if math.isnan(s.force[1 + lane, at]):
        return math.nan
    return bent_energy(s.bent, 1 + lane, max(2, at - 1), stop)
