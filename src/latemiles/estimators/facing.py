"""Which way segments face: what standing and a movement tell about relative headings and mounts."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.estimators.calibration import STILL, Calibrator
from latemiles.estimators.heading import RelativeHeading
from latemiles.estimators.mounting import Calibration
from latemiles.estimators.thinned import Thinned
from latemiles.signals.frames import quat_conj, quat_multiply, quat_rotate

__all__ = ["face_forward", "facing", "facing_over", "start_headings", "turn_headings"]

F8 = NDArray[np.float64]

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
    relative.reset(found.swing_offset_rad, found.swing_offset_sd_rad)
    if found.axes_from == "movement":
        parallel = facing_over(thinned, end, found.movement_start_s, found.movement_end_s, mounts)
    elif calibrator.stance is not None:
        parallel = facing(np.array(calibrator.stance.quat)[None], mounts)
    else:
        parallel = np.full(2, np.nan)
    for side in (0, 1):
        sd = np.hypot(thinned.params.parallel_sd_rad, found.yaw_sd_rad[1 + side])
        relative.parallel(side, parallel[side], float(sd))
    if calibrator.gait != STILL:
        oldest = max(calibrator.gait_start, end - len(thinned.ring)) + len(thinned.window)
        for window_end in range(end, oldest - 1, -thinned.second)[::-1]:
            planes = thinned.swing(window_end)
            for side in (0, 1):
                relative.swing(side, planes[side])


def turn_headings(relative: RelativeHeading, was: F8, now: F8, is_movement: bool) -> None:
    """Mounts that turn about the vertical turn the headings that were made from them."""
    turns = [_turn(was[lane], now[lane]) for lane in range(len(now))]
    for side in (0, 1):
        # Without a movement a thigh's axis only says which of its two ways is forward.
        thigh = turns[1 + side] if is_movement else 0.0
        relative.x[side, 0] += turns[0] - thigh
        relative.x[side, 2] += thigh


def face_forward(relative: RelativeHeading, stood: F8, mounts: F8) -> None:
    """Turn the thighs' mounts about the vertical, in place, so that hip rotation is zero in standing.

    Parameters
    ----------
    relative : RelativeHeading
    stood : float64 array, shape (lanes, 4)
        Orientation of each lane in standing.
    mounts : float64 array, shape (lanes, 4)
    """
    parallel = facing(stood[None], mounts)
    for side in (0, 1):
        off = relative.x[side, 0] - parallel[side]
        if relative.known[side] and np.isfinite(off):
            # The thigh faces `off` to the left of the pelvis: its axes turn right by as much.
            turn = np.array([np.cos(off / 2.0), 0.0, 0.0, np.sin(off / 2.0)])
            mounts[1 + side] = quat_multiply(turn, mounts[1 + side])


def _turn(old: F8, new: F8) -> float:
    """Angle about the segment's vertical by which a mount's forward axis moved; 0 if unknown."""
    if not (np.isfinite(old[0]) and np.isfinite(new[0])):
        return 0.0
    moved = quat_rotate(quat_multiply(old, quat_conj(new)), _FORWARD)
    return float(np.arctan2(moved[1], moved[0]))
