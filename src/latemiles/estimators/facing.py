"""Which way segments face: what standing and a movement tell about relative headings and mounts."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.estimators.calibration import STILL, Calibrator
from latemiles.estimators.calibration_windows import Stance
from latemiles.estimators.heading import RelativeHeading
from latemiles.estimators.mounting import Calibration
from latemiles.estimators.thinned import Thinned
from latemiles.signals.frames import quat_conj, quat_multiply, quat_rotate

__all__ = ["Turns", "face_forward", "facing", "facing_over", "refine_pelvis", "start_headings"]

F8 = NDArray[np.float64]

_OTHER_WAY_RAD: Final = 1.0
"""Turn of an axis that is no refinement any more, rad."""
_FRESH_S: Final = 60.0
"""How long after standing a relative heading still belongs to it, s: 0.06 deg/s make 4 degrees by then."""
_REMEMBERED_S: Final = 130.0
"""How long gaps are remembered, s: all of the thinned streams, and a stance that was fresh at their start."""
_MOST_TURNED_RAD: Final = 0.6
"""Nobody stands with a hip turned further than this: then the earth frames have turned."""
_FORWARD: Final = np.array([1.0, 0.0, 0.0])
_LEFT: Final = np.array([0.0, 1.0, 0.0])


class Turns:
    """How far the earth frames of pelvis and thighs may have turned against each other since some second.

    Parameters
    ----------
    thinned : Thinned
    """

    def __init__(self, thinned: Thinned) -> None:
        self._second = thinned.second
        self._hz = thinned.params.bin_hz
        self._rate = thinned.params.rate_sd_rad_s**2
        self.sums: F8 = np.zeros((round(_REMEMBERED_S / thinned.step_s), 2))
        """Left, right: variance of all gaps up to a second, rad^2; second k in row ``k % n``."""
        self.newest = -1
        """Number of the last second."""

    def note(self, second: int, doubt: F8) -> None:
        """Hear of a second: variances (3,) of the turns of the earth frames over its gaps, rad^2."""
        before = self.sums[self.newest % len(self.sums)].copy()
        start = max(self.newest, second - len(self.sums))
        self.sums[np.arange(start + 1, second) % len(self.sums)] = before
        self.sums[second % len(self.sums)] = before + doubt[0] + doubt[1:]
        self.newest = second

    def between(self, start: int, end: int) -> F8:
        """Variances (2,) of the turns from bin ``start`` to bin ``end``, gaps alone, rad^2."""
        last = min(-(-end // self._second), self.newest + 1) - 1
        first = max(min(start // self._second, last + 1), self.newest + 1 - len(self.sums)) - 1
        turned: F8 = self.sums[last % len(self.sums)] - self.sums[first % len(self.sums)]
        return np.maximum(turned, 0.0)

    def since(self, start: int, end: int) -> F8:
        """The same with what the gyros let them turn besides."""
        return self.between(start, end) + self._rate * ((end - start) / self._hz) ** 2


def facing(quats: F8, mounts: F8) -> F8:
    """Relative headings at which the left axes of pelvis and thighs are parallel on average.

    Parameters
    ----------
    quats : float64 array, shape (n, lanes, 4)
        Sensor to earth, each lane in its own earth frame.
    mounts : float64 array, shape (lanes, 4)

    Returns
    -------
    float64 array, shape (2,)
        Left and right, rad; NaN where a lane is missing.
    """
    across = quat_rotate(quat_multiply(quats, quat_conj(mounts)), _LEFT)
    flat = across[..., 0] + 1j * across[..., 1]
    found = np.full(2, np.nan)
    for side in (0, 1):
        both = flat[:, 0] * np.conj(flat[:, 1 + side])
        both = both[np.isfinite(both)]
        if len(both):
            found[side] = float(np.angle(both.sum()))
    return found


def facing_over(thinned: Thinned, end: int, start_s: float, end_s: float, mounts: F8) -> F8:
    """``facing`` over a time of the last minute, as seen before bin ``end``."""
    rows, first = thinned.rows(end)
    hz = thinned.params.bin_hz
    a, b = max(round(start_s * hz) - first, 0), max(round(end_s * hz) - first, 0)
    return facing(rows[a:b, :, :4], mounts)


def start_headings(
    relative: RelativeHeading,
    thinned: Thinned,
    calibrator: Calibrator,
    found: Calibration,
    mounts: F8,
    end: int,
    turns: Turns,
) -> None:
    """First relative headings: axes parallel in the movement or in standing, and the swing so far."""
    p = thinned.params
    relative.reset(found.swing_offset_rad, found.swing_offset_sd_rad)
    parallel, then = np.full(2, np.nan), end
    if found.axes_from == "movement":
        parallel = facing_over(thinned, end, found.movement_start_s, found.movement_end_s, mounts)
        then = round(found.movement_end_s * p.bin_hz)
    elif calibrator.stance is not None:
        parallel = facing(np.array(calibrator.stance.quat)[None], mounts)
        then = calibrator.stance.end
    turned = turns.since(then, end)
    for side in (0, 1):
        known = np.hypot(p.parallel_sd_rad, found.yaw_sd_rad[1 + side])
        relative.parallel(side, parallel[side], float(np.sqrt(known**2 + turned[side])))
    if calibrator.gait != STILL and calibrator.gait_end == end:
        relative.turn_to(calibrator.gait)
        oldest = max(calibrator.gait_start, thinned.oldest(end)) + len(thinned.window)
        for window_end in range(end, oldest - 1, -thinned.second)[::-1]:
            planes = thinned.swing(window_end)
            turned = turns.between(window_end - thinned.second, window_end)
            for side in (0, 1):
                if window_end - thinned.second >= oldest:
                    relative.turned(side, turned[side])
                relative.swing(side, planes[side])


def refine_pelvis(relative: RelativeHeading, was: F8, mounts: F8) -> bool:
    """Take over a better pelvis mount: the thighs keep theirs, in place, and the headings turn with it.

    The thighs face as they did when standing was fresh; now the earth frames have turned since.

    Returns
    -------
    bool
        False if a thigh was not known before or faces quite another way now: all must start anew.
    """
    turns = np.array([_turn(was[lane], mounts[lane]) for lane in range(len(mounts))])
    fresh = np.isnan(was[:, 0]) & np.isfinite(mounts[:, 0])
    if fresh.any() or np.abs(turns).max() > _OTHER_WAY_RAD:
        return False
    mounts[1:] = was[1:]
    relative.x[:, 0] += turns[0]
    return True


def face_forward(
    relative: RelativeHeading, stance: Stance, found: Calibration, mounts: F8, turns: Turns, end: int
) -> None:
    """Turn the thighs' mounts about the vertical, in place, so that hip rotation is zero in standing.

    By how much a heading is off standing is the error of a mount's axis and what the earth frames turned by
    since: gaps let them turn further than an axis errs. Each is believed by its variance.

    Parameters
    ----------
    relative : RelativeHeading
    stance : Stance
        If the heading is of long after it, the earth frames have turned too much since: the mounts stay.
    found : Calibration
        Whose mounts they are; if from a movement, the heading is of that.
    mounts : float64 array, shape (lanes, 4)
    turns : Turns
    end : int
        The bin that is now.
    """
    p = relative.params
    then = end if found.axes_from != "movement" else round(found.movement_end_s * p.bin_hz)
    if then - stance.end > _FRESH_S * p.bin_hz:
        return
    parallel = facing(np.array(stance.quat)[None], mounts)
    turned, later = turns.since(stance.end, then), turns.since(then, end)
    for side in (0, 1):
        off = relative.x[side, 0] - parallel[side]
        off = float(np.arctan2(np.sin(off), np.cos(off)))
        # NaN where a sensor is missing.
        if not (relative.known[side] and abs(off) <= _MOST_TURNED_RAD):
            continue
        axis = found.yaw_sd_rad[1 + side] ** 2
        off *= axis / (axis + turned[side])
        # The thigh faces `off` to the left of the pelvis: its axes turn right by as much.
        turn = np.array([np.cos(off / 2.0), 0.0, 0.0, np.sin(off / 2.0)])
        mounts[1 + side] = quat_multiply(turn, mounts[1 + side])
        doubted = axis + p.swing_offset_sd_rad**2
        turned_by = turned[side] * doubted / (doubted + turned[side])
        relative.faced(side, p.parallel_sd_rad**2 + turned_by + later[side])


def _turn(old: F8, new: F8) -> float:
    """Angle about the segment's vertical by which a mount's forward axis moved; 0 if unknown."""
    if not (np.isfinite(old[0]) and np.isfinite(new[0])):
        return 0.0
    moved = quat_rotate(quat_multiply(old, quat_conj(new)), _FORWARD)
    return float(np.arctan2(moved[1], moved[0]))
