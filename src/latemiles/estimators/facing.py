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

__all__ = ["face_forward", "facing", "facing_over", "refine_pelvis", "start_headings"]

F8 = NDArray[np.float64]

_OTHER_WAY_RAD: Final = 1.0
"""Turn of an axis that is no refinement any more, rad."""
_FRESH_S: Final = 60.0
"""How long after standing a relative heading still belongs to it, s: 0.06 deg/s make 4 degrees by then."""
_MOST_TURNED_RAD: Final = 0.6
"""Nobody stands with a hip turned further than this: then the earth frames have turned."""
_FORWARD: Final = np.array([1.0, 0.0, 0.0])
_LEFT: Final = np.array([0.0, 1.0, 0.0])


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
) -> None:
    """First relative headings: axes parallel in the movement or in standing, and the swing so far."""
    p = thinned.params
    relative.reset(found.swing_offset_rad, found.swing_offset_sd_rad)
    parallel, ago_s = np.full(2, np.nan), 0.0
    if found.axes_from == "movement":
        parallel = facing_over(thinned, end, found.movement_start_s, found.movement_end_s, mounts)
        ago_s = end / p.bin_hz - found.movement_end_s
    elif calibrator.stance is not None:
        parallel = facing(np.array(calibrator.stance.quat)[None], mounts)
        ago_s = end / p.bin_hz - found.standing_end_s
    for side in (0, 1):
        known = np.hypot(p.parallel_sd_rad, found.yaw_sd_rad[1 + side])
        relative.parallel(side, parallel[side], float(np.hypot(known, p.rate_sd_rad_s * ago_s)))
    if calibrator.gait != STILL and calibrator.gait_end == end:
        relative.turn_to(calibrator.gait)
        oldest = max(calibrator.gait_start, thinned.oldest(end)) + len(thinned.window)
        for window_end in range(end, oldest - 1, -thinned.second)[::-1]:
            planes = thinned.swing(window_end)
            for side in (0, 1):
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


def face_forward(relative: RelativeHeading, stance: Stance, now_bin: float, mounts: F8, hz: float) -> None:
    """Turn the thighs' mounts about the vertical, in place, so that hip rotation is zero in standing.

    Parameters
    ----------
    relative : RelativeHeading
    stance : Stance
    now_bin : float
        When the relative heading is true, bins; if that is long after standing, the earth frames have
        turned too much since, and the mounts stay.
    mounts : float64 array, shape (lanes, 4)
    hz : float
        Bins a second.
    """
    if now_bin - stance.end > _FRESH_S * hz:
        return
    parallel = facing(np.array(stance.quat)[None], mounts)
    for side in (0, 1):
        off = relative.x[side, 0] - parallel[side]
        off = float(np.arctan2(np.sin(off), np.cos(off)))
        # NaN where a sensor is missing.
        if relative.known[side] and abs(off) <= _MOST_TURNED_RAD:
            # The thigh faces `off` to the left of the pelvis: its axes turn right by as much.
            turn = np.array([np.cos(off / 2.0), 0.0, 0.0, np.sin(off / 2.0)])
            mounts[1 + side] = quat_multiply(turn, mounts[1 + side])


def _turn(old: F8, new: F8) -> float:
    """Angle about the segment's vertical by which a mount's forward axis moved; 0 if unknown."""
    if not (np.isfinite(old[0]) and np.isfinite(new[0])):
        return 0.0
    moved = quat_rotate(quat_multiply(old, quat_conj(new)), _FORWARD)
    return float(np.arctan2(moved[1], moved[0]))
