"""Finding the quiet stance and the calibration movement in the thinned streams.

Bins are those of ``kernels.posture_bins``. Both finders see no mounting: they work on how the earth-up
direction moves in each sensor's own axes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latemiles.estimators.posture_params import PostureParams
from latemiles.signals.frames import quat_conj, quat_rotate

__all__ = [
    "Movement",
    "Stance",
    "StillFinder",
    "bridged",
    "find_movement",
    "stance_of",
    "told_movement",
    "up_in_sensor",
    "why_no_movement",
    "why_no_stance",
]

F8 = NDArray[np.float64]
Vectors = tuple[tuple[float, ...], ...]

_UP = np.array([0.0, 0.0, 1.0])
_ONE_WAY = 0.85
"""Net over total turning of a thigh in a calibration movement; hinges and squats have 0.95, walking 0.4."""
_HEARD = 0.7
"""Part of a movement that must be heard of a sensor."""
_PAUSE_S = 5.0
"""Longest pause between two repeats, s."""
_TOLD_LIMITS = 2.0
"""A told stance may be this many times as restless as one that is found by itself,"""
_TOLD_STILL = 0.5
"""and must be still for this part of it: somebody asked for it, and a shift of the feet does no harm."""
_RETURNED = 0.4
"""A repeat ends where the tilt has come back below this part of the smallest repeat."""


@dataclass(frozen=True, slots=True)
class Stance:
    """A quiet stance: bins ``start`` to ``end`` (one past the last)."""

    start: int
    end: int
    up: Vectors
    """Mean earth-up direction in each lane's sensor axes, unit; NaN where the sensor is missing."""
    gyr: Vectors
    """Mean rate of each lane, rad/s: the gyro's bias."""
    quat: Vectors
    """Mean orientation of each lane, sensor to earth: which way the segments faced, in each lane's earth."""
    is_told: bool = False


@dataclass(frozen=True, slots=True)
class Movement:
    """A calibration movement: bins ``start`` to ``end`` (one past the last)."""

    start: int
    end: int
    kind: str
    """``squat`` (or hinge: trunk and thighs bend together) or ``march``."""
    repeats: tuple[tuple[int, int], ...]
    is_told: bool = False


def up_in_sensor(rows: F8) -> F8:
    """Earth-up direction (n, lanes, 3) in sensor axes, of bins (n, lanes, 10)."""
    return quat_rotate(quat_conj(rows[..., :4]), _UP)


def bridged(rows: F8, longest: int) -> F8:
    """Bins (n, lanes, 10) with every hole of at most ``longest`` bins filled by a straight line.

    A hole at the end stays until what follows is heard.
    """
    holes: list[tuple[int, int, int]] = []
    for lane in range(rows.shape[1]):
        heard = np.flatnonzero(np.isfinite(rows[:, lane, 0]))
        steps = np.diff(heard)
        short = np.flatnonzero((steps > 1) & (steps <= longest + 1))
        holes += [(lane, int(heard[k]), int(heard[k + 1])) for k in short.tolist()]
    if not holes:
        return rows
    out = rows.copy()
    for lane, before, after in holes:
        share = np.arange(1, after - before)[:, None] / (after - before)
        filled = (1.0 - share) * rows[before, lane] + share * rows[after, lane]
        size = np.linalg.norm(filled[:, :4], axis=1, keepdims=True)
        filled[:, :4] /= np.where(size > 0.0, size, 1.0)
        out[before + 1 : after, lane] = filled
    return out


def stance_of(rows: F8, start: int, is_told: bool = False) -> Stance:
    """Mean over the bins ``rows`` (n, lanes, 10), the first of which is bin ``start``.

    Who stands still feels gravity and nothing else, so up is the mean force itself: the orientation still
    leans by degrees after a sudden stop, and a short stance is over before it has come back.
    """
    heard = np.isfinite(rows[..., 0])
    count = heard.sum(axis=0)[:, None]
    weight = np.where(count > 0, count, np.nan)
    up = np.where(heard[..., None], rows[..., 7:10], 0.0).sum(axis=0) / weight
    up /= np.linalg.norm(up, axis=1, keepdims=True)
    gyr = np.where(heard[..., None], rows[..., 4:7], 0.0).sum(axis=0) / weight
    quat = [_mean_quat(rows[heard[:, lane], lane, :4]) for lane in range(rows.shape[1])]
    return Stance(start, start + len(rows), _tuples(up), _tuples(gyr), _tuples(np.array(quat)), is_told)


def _mean_quat(quats: F8) -> F8:
    """Mean rotation (4,) of quaternions (n, 4) that lie near each other, of either sign; NaN of none."""
    if len(quats) == 0:
        return np.full(4, np.nan)
    mean: F8 = np.linalg.eigh(quats.T @ quats)[1][:, -1]
    return mean


def _tuples(vectors: F8) -> Vectors:
    return tuple(tuple(float(x) for x in v) for v in vectors)


class StillFinder:
    """Collects the quiet stances of a stream, half a second at a time; keeps the last eight."""

    KEPT = 8

    def __init__(self, params: PostureParams) -> None:
        self._params = params
        self.stances: list[Stance] = []
        self.open_start = -1
        """First bin of the still stretch that is going on; -1 if none is."""
        self.open_up: Vectors = ()
        """Its inclination at its first cell."""

    def push(self, rows: F8, start: int, memory: F8, memory_start: int) -> None:
        """Judge the cell ``rows`` (n, lanes, 10) from bin ``start``.

        Parameters
        ----------
        rows : float64 array, shape (n, lanes, 10)
            The cell.
        start : int
            Its first bin.
        memory, memory_start
            All the bins that are still kept, this cell included, from which the stance's mean is taken.
        """
        p = self._params
        if not _is_still(rows, p):
            self.open_start = -1
            return
        up = np.array(stance_of(rows, start).up)
        if self.open_start >= 0:
            shift = np.arccos(np.clip((up * np.array(self.open_up)).sum(axis=1), -1.0, 1.0))
            if np.nanmax(shift, initial=0.0) > p.still_shift_rad:
                self.open_start = -1
        if self.open_start < 0:
            self.open_start, self.open_up = start, _tuples(up)
            return
        end = start + len(rows)
        first = max(self.open_start, memory_start)
        if end - first < round(p.still_min_s * p.bin_hz):
            return
        stance = stance_of(memory[first - memory_start : end - memory_start], first)
        if self.stances and self.stances[-1].end > self.open_start:
            self.stances.pop()
        self.stances = [*self.stances[1 - self.KEPT :], stance]


def find_movement(
    rows: F8, start: int, stance: Stance, params: PostureParams, *, is_over: bool = False
) -> Movement | None:
    """Look for repeats of a squat, hinge or march after a stance.

    Parameters
    ----------
    rows : float64 array, shape (n, lanes, 10)
        Bins from the end of the stance on, up to now or to where walking or running begins.
    start : int
        Bin of ``rows[0]``.
    stance : Stance
        What upright is.
    params : PostureParams
        What counts as a repeat.
    is_over : bool
        Whether walking or running has begun since, so that no further repeat can come.

    Returns
    -------
    Movement or None
        None while there is none, or while it may go on: a pause of one and a half seconds ends it, four
        seconds if there were fewer than three repeats.
    """
    if len(rows) < 2.0 * params.bin_hz:
        return None
    lean = _lean(rows, stance)
    if not np.isfinite(lean).all():
        return None
    thighs = lean[:, 1:].min(axis=1)
    for kind, signal in (
        ("squat", np.maximum(thighs, lean[:, 0])),
        ("march", lean[:, 1:].max(axis=1)),
    ):
        repeats = _together(_repeats(signal, params), params)
        if len(repeats) < params.repeats:
            continue
        part = rows[repeats[0][0] : repeats[-1][1]]
        if not (_is_calm(part, params) and _is_one_way(part, stance)):
            continue
        pause = 1.5 if len(repeats) >= 3 else 4.0
        upright = len(signal) - repeats[-1][1]
        if not is_over and upright < pause * params.bin_hz:
            return None
        bins = tuple((start + a, start + b) for a, b in repeats)
        return Movement(bins[0][0], bins[-1][1], kind, bins)
    return None


def told_movement(rows: F8, start: int, stance: Stance, params: PostureParams) -> Movement:
    """Name the movement in bins ``rows`` (n, lanes, 10), the first of which is bin ``start``, as told."""
    lean = np.nan_to_num(_lean(rows, stance))
    both, one = lean[:, 1:].min(axis=1), lean[:, 1:].max(axis=1)
    kind = "march" if both.max() < 0.5 * one.max() and lean[:, 0].max() < params.repeat_rad else "squat"
    repeats = _repeats(one if kind == "march" else np.maximum(both, lean[:, 0]), params)
    bins = tuple((start + a, start + b) for a, b in repeats)
    return Movement(start, start + len(rows), kind, bins, is_told=True)


def why_no_stance(rows: F8, params: PostureParams) -> str:
    """Why bins (n, lanes, 10) cannot be the quiet stance that they were told to be; empty if they can."""
    half = round(0.5 * params.bin_hz)
    cells = [rows[k : k + half] for k in range(0, len(rows) - half + 1, half)]
    heard = [cell for cell in cells if np.isfinite(cell[..., 0]).all(axis=0).any()]
    if not heard:
        return "no sensor was heard in it"
    still = [_is_still(cell, params, _TOLD_LIMITS) for cell in heard]
    return "" if np.mean(still) >= _TOLD_STILL else "the runner moved in it"


def why_no_movement(rows: F8, stance: Stance, params: PostureParams) -> str:
    """Why bins (n, lanes, 10) cannot be the movement that they were told to be; empty if they can."""
    lean = _lean(rows, stance)
    if not np.isfinite(lean).any():
        return "no sensor was heard in it"
    if np.nanmax(lean) < params.repeat_rad:
        return "nothing bent far enough in it"
    return "" if _is_calm(rows, params) else "the runner ran or jumped in it"


def _is_still(cell: F8, params: PostureParams, times: float = 1.0) -> bool:
    """Whether each sensor that was heard all through the cell is still; the limits are ``times`` wider."""
    heard = np.flatnonzero(np.isfinite(cell[:, :, 0]).all(axis=0))
    return len(heard) > 0 and all(
        float(cell[:, lane, 4:7].std(axis=0).max()) < times * params.still_gyr_rad_s
        and float(cell[:, lane, 7:10].std(axis=0).max()) < times * params.still_acc_m_s2
        for lane in heard
    )


def _lean(rows: F8, stance: Stance) -> F8:
    """Angle (n, lanes) between each lane's up direction and standing; a missing lane copies the others.

    Short holes are bridged; a lane that is mostly missing counts as missing.
    """
    cosine = (up_in_sensor(rows) * np.array(stance.up)).sum(axis=2)
    lean: F8 = np.arccos(np.clip(cosine, -1.0, 1.0))
    heard = np.isfinite(lean)
    known = heard.mean(axis=0) > _HEARD
    at = np.arange(len(lean))
    for lane in np.flatnonzero(known):
        lean[:, lane] = np.interp(at, at[heard[:, lane]], lean[heard[:, lane], lane])
    if known.any():
        lean[:, ~known] = lean[:, known].min(axis=1, keepdims=True)
    return lean


def _is_calm(rows: F8, params: PostureParams) -> bool:
    """Whether the feet stay on the ground or are set down softly: no running in it."""
    for lane in range(rows.shape[1]):
        force = np.linalg.norm(rows[:, lane, 7:10], axis=1)
        force = force[np.isfinite(force)]
        if len(force) and float(force.std()) > params.running_force_m_s2:
            return False
    return True


def _is_one_way(rows: F8, stance: Stance) -> bool:
    """Whether every thigh bends to one side of upright only, as in squats and marches but not in walking."""
    for lane in range(1, rows.shape[1]):
        turned = np.cross(up_in_sensor(rows[:, lane]), np.array(stance.up[lane]))
        turned = turned[np.isfinite(turned[:, 0])]
        size = float(np.linalg.norm(turned, axis=1).sum())
        if size > 0.0 and float(np.linalg.norm(turned.sum(axis=0))) < _ONE_WAY * size:
            return False
    return True


def _together(repeats: list[tuple[int, int]], params: PostureParams) -> list[tuple[int, int]]:
    """Return the last repeats that follow each other within a few seconds."""
    kept: list[tuple[int, int]] = []
    for repeat in repeats:
        if kept and repeat[0] - kept[-1][1] > _PAUSE_S * params.bin_hz:
            kept = []
        kept.append(repeat)
    return kept


def _repeats(lean: F8, params: PostureParams) -> list[tuple[int, int]]:
    """Stretches in which the lean rises over the threshold and comes back, one to eight seconds each."""
    low = _RETURNED * params.repeat_rad
    inside = np.concatenate([[False], lean > low, [False]])
    edges = np.flatnonzero(np.diff(inside.astype(np.int64)))
    found = []
    for a, b in edges.reshape(-1, 2):
        long_enough = 0.8 * params.bin_hz <= b - a <= 8.0 * params.bin_hz
        if long_enough and b < len(lean) and lean[a:b].max() >= params.repeat_rad:
            found.append((int(a), int(b)))
    return found
