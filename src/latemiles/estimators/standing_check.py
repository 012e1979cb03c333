"""Standing measured against the axes that the body itself turns about, so that the mounting cancels.

Each repeat is a quiet stance, some hip hinges and a short march. In a hinge the pelvis turns about the line
through both hips: that line, seen in the sensor's own axes, has an elevation over the level in the stance,
which is the obliquity, however the sensor is clipped on. A hinge also swings both thighs straight fore and
aft, which shows each thigh's sensor which way is sideways on the earth; a march shows the axis about which
that leg lifts. The turn from one to the other, about the vertical, is how far the leg is turned out, again
whatever the mounting (functional axes: Woltring 1994, J Biomech 27:1399, and Cutti et al. 2010, Med Biol
Eng Comput 48:17, for the idea with sensors). What stays in is the accelerometer's own offset, and how
straight a person hinges and marches: both are part of the stated uncertainty.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.signals.blocks import ImuStream
from latemiles.signals.frames import SEGMENTS, SIDES, Segment

__all__ = [
    "Repeat",
    "Windows",
    "find_repeats",
    "measure_repeat",
    "sensor_offset",
    "surface_inclination",
    "tilt_between",
]

F8 = NDArray[np.float64]
NAN = math.nan

CELL_S: Final = 0.5
"""Length of the cells in which still and moving are told apart, s."""
STILL_RAD_S: Final = math.radians(8.0)
"""Largest rms rate of any sensor in quiet standing; sway and breath make 1 to 5 deg/s."""
LEAST_STAND_S: Final = 12.0
"""Shorter stances are pauses between two hinges."""
HINGE_SHARE: Final = 0.5
"""A hinge turns the pelvis at least so much as the thighs; a march turns it far less."""
LEAST_MOVING_S: Final = 3.0
"""Less hinging or marching gives no axis."""
EDGE_S: Final = 1.0
"""Left out at both ends of a stance: still settling, or already moving."""
MOVING_SHARE: Final = 0.3
"""Samples slower than this share of the movement's fast ones say little of its axis."""
LOW_PASS_S: Final = 0.12
"""Width of the smoothing of rates, s: muscles shake the sensor above."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Times of one repeat, session s."""

    stance: tuple[float, float]
    hinges: tuple[tuple[float, float], ...]
    march: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """One stance with the movements that give its axes. Angles in rad; NaN is not known."""

    windows: Windows
    obliquity: float
    """Right side up +."""
    thigh_out: tuple[float, float]
    """Left, right: how far the leg is turned outwards against the way it lifts."""
    sway_fore: float
    """Rms of the pelvis's tilt about its mean."""
    sway_side: float
    """Rms of the pelvis's obliquity about its mean."""
    axis_spread: float
    """How far the hinge axes of the halves of the movement differ in elevation."""
    up: tuple[float, float, float]
    """Earth-up in the pelvis sensor's axes."""
    left: tuple[float, float, float]
    """The line through the hips, to the left, in the pelvis sensor's axes."""

    @property
    def thigh_difference(self) -> float:
        """Right minus left thigh rotation, outwards +."""
        return self.thigh_out[1] - self.thigh_out[0]


def find_repeats(streams: Mapping[Segment, ImuStream]) -> list[Windows]:
    """Find the stances and what follows each of them, at whatever pace they were done.

    Parameters
    ----------
    streams : mapping of Segment to ImuStream
        Pelvis and both thighs.
    """
    start = max(float(stream.t[0]) for stream in streams.values())
    end = min(float(stream.t[-1]) for stream in streams.values())
    cells = int((end - start) / CELL_S)
    rms = np.array([_rms(streams[s], start, cells) for s in SEGMENTS])
    still: NDArray[np.bool_] = np.all(rms < STILL_RAD_S, axis=0)
    hinge: NDArray[np.bool_] = ~still & (rms[0] > HINGE_SHARE * rms[1:].max(axis=0))
    stances = [(a, b) for a, b in _runs(still) if (b - a) * CELL_S >= LEAST_STAND_S]
    found = []
    for k, (a, b) in enumerate(stances):
        until = stances[k + 1][0] if k + 1 < len(stances) else cells
        after = np.arange(b, until)

        def spans(mask: NDArray[np.bool_], b: int = b) -> tuple[tuple[float, float], ...]:
            pieces = _runs(mask)
            return tuple((start + (b + p) * CELL_S, start + (b + q) * CELL_S) for p, q in pieces)

        found.append(
            Windows(
                (start + a * CELL_S + EDGE_S, start + b * CELL_S - EDGE_S),
                spans(hinge[after]),
                spans(~still[after] & ~hinge[after]),
            )
        )
    return found


def measure_repeat(streams: Mapping[Segment, ImuStream], windows: Windows) -> Repeat:
    """Measure one repeat.

    Parameters
    ----------
    streams : mapping of Segment to ImuStream
        Pelvis and both thighs.
    windows : Windows
        From ``find_repeats``.

    Returns
    -------
    Repeat
        What could not be measured, for want of hinges or of marching, is NaN.
    """
    pelvis = streams[Segment.PELVIS]
    up, bias = _stance(pelvis, windows.stance)
    left, spread = _hinge_axis(pelvis, windows.hinges, up, bias)
    obliquity = -math.asin(float(np.clip(left @ up, -1.0, 1.0)))
    fore, side = _sway(pelvis, windows.stance, up, left)
    return Repeat(
        windows=windows,
        obliquity=obliquity,
        thigh_out=(_turned_out(streams, windows, 0), _turned_out(streams, windows, 1)),
        sway_fore=fore,
        sway_side=side,
        axis_spread=spread,
        up=(float(up[0]), float(up[1]), float(up[2])),
        left=(float(left[0]), float(left[1]), float(left[2])),
    )


def surface_inclination(first: Repeat, turned: Repeat) -> float:
    """Inclination of the surface under the pelvis sensor, top forward +, from a second clipping.

    The sensor was turned by half a turn on the skin between the two. What the turn leaves in place, in the
    sensor's own axes, is the normal of the surface: its elevation is that of the back of the pelvis, free of
    how the sensor is built and clipped, except for the accelerometer's offset along the normal itself.

    Parameters
    ----------
    first, turned : Repeat
        A repeat before and one after the sensor was turned.

    Returns
    -------
    float
        rad; NaN where a line through the hips is missing or the sensor was not turned by about half a turn.
    """
    frames = []
    for repeat in (first, turned):
        up = np.array(repeat.up)
        left = np.array(repeat.left) - (np.array(repeat.left) @ up) * up
        left /= np.linalg.norm(left)
        frames.append(np.stack([np.cross(left, up), left, up], axis=1))
    turn = frames[1] @ frames[0].T
    if (
        not np.isfinite(turn).all()
        or math.acos(float(np.clip(0.5 * (np.trace(turn) - 1.0), -1.0, 1.0))) < 2.5
    ):
        return NAN
    # Near half a turn the symmetric part of the matrix is the axis' square.
    normal = np.linalg.eigh(0.5 * (turn + turn.T))[1][:, -1]
    forward = np.cross(np.array(first.left), np.array(first.up))
    backward = normal if normal @ forward < 0.0 else -normal
    middle = 0.5 * (np.array(first.up) + np.array(turned.up))
    return math.asin(float(np.clip(backward @ middle, -1.0, 1.0)))


def tilt_between(first: Repeat, other: Repeat) -> float:
    """How much further forward the pelvis tips in another stance, rad; the sensor has not been moved."""
    up, left = np.array(first.up), np.array(first.left)
    forward = np.cross(left, up)
    forward /= np.linalg.norm(forward)
    # Leaning forward, up falls behind in the pelvis's own axes.
    return -math.asin(float(np.clip(np.array(other.up) @ forward, -1.0, 1.0)))


def sensor_offset(first: Repeat, turned: Repeat) -> float:
    """Half the difference of the obliquity before and after the turn: what the sensor itself adds, rad."""
    return 0.5 * (first.obliquity - turned.obliquity)


def _rms(stream: ImuStream, start: float, cells: int) -> F8:
    """Rms rate of each cell, the bias taken off; a cell without samples counts as moving."""
    place = np.floor((stream.t - start) / CELL_S).astype(np.int64)
    inside = (place >= 0) & (place < cells) & np.isfinite(stream.gyr).all(axis=1)
    gyr = stream.gyr[inside] - np.median(stream.gyr[inside], axis=0)
    square = np.sum(gyr * gyr, axis=1)
    count = np.bincount(place[inside], minlength=cells)
    total = np.bincount(place[inside], weights=square, minlength=cells)
    return np.asarray(np.sqrt(np.where(count > 0, total / np.maximum(count, 1), np.inf)))


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int64), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _inside(t: F8, spans: Sequence[tuple[float, float]]) -> NDArray[np.bool_]:
    out = np.zeros(len(t), dtype=np.bool_)
    for a, b in spans:
        out |= (t >= a) & (t < b)
    return out


def _stance(stream: ImuStream, window: tuple[float, float]) -> tuple[F8, F8]:
    """Earth-up in sensor axes and the gyro's bias."""
    inside = _inside(stream.t, [window])
    force, gyr = np.nanmean(stream.acc[inside], axis=0), np.nanmean(stream.gyr[inside], axis=0)
    return np.asarray(force / np.linalg.norm(force)), np.asarray(gyr)


def _smooth(x: F8, t: F8) -> F8:
    """Rows (n, 3) smoothed; holes are bridged by straight lines."""
    heard = np.isfinite(x).all(axis=1)
    if not heard.any():
        return np.full_like(x, NAN)
    if not heard.all():
        x = np.stack([np.interp(t, t[heard], x[heard, k]) for k in range(3)], axis=1)
    step = float(np.median(np.diff(t)))
    taps = np.hanning(2 * max(1, round(LOW_PASS_S / step)) + 3)[1:-1]
    taps /= taps.sum()
    return np.stack([np.convolve(x[:, k], taps, mode="same") for k in range(3)], axis=1)


def _moving(stream: ImuStream, spans: Sequence[tuple[float, float]], bias: F8) -> F8:
    """Rates (n, 3) of a movement, its slow moments left out; empty where there is too little of it."""
    if sum(b - a for a, b in spans) < LEAST_MOVING_S:
        return np.zeros((0, 3))
    rates = _smooth(stream.gyr - bias, stream.t)
    rates = rates[_inside(stream.t, spans)]
    speed = np.linalg.norm(rates, axis=1)
    return np.asarray(rates[speed > MOVING_SHARE * np.percentile(speed, 95.0)]) if len(speed) else rates


def _principal(vectors: F8) -> F8:
    if len(vectors) < 10:
        return np.full(3, NAN)
    return np.asarray(np.linalg.eigh(vectors.T @ vectors)[1][:, -1])


def _hinge_axis(
    stream: ImuStream, spans: Sequence[tuple[float, float]], up: F8, bias: F8
) -> tuple[F8, float]:
    """Line through the hips, to the left, in sensor axes; how far its elevation differs between halves."""
    rates = _moving(stream, spans, bias)
    axis = _principal(rates)
    if not np.isfinite(axis).all():
        return axis, NAN
    axis = axis * _forward_sign(stream, spans, up, axis)
    halves = [_principal(part) for part in np.array_split(rates, 2)]
    tilts = [math.asin(float(np.clip(abs(h @ axis) / (h @ axis) * (h @ up), -1.0, 1.0))) for h in halves]
    return axis, abs(tilts[0] - tilts[1])


def _forward_sign(stream: ImuStream, spans: Sequence[tuple[float, float]], up: F8, axis: F8) -> float:
    """+1 if the movement's lean is a turn about ``axis`` by the right hand: forwards, if it points left."""
    inside = _inside(stream.t, spans)
    force = _smooth(stream.acc, stream.t)[inside]
    now = force / np.linalg.norm(force, axis=1, keepdims=True)
    # Leaning forward about the left, up moves, in the body's axes, against that turn.
    return 1.0 if float(np.cross(now, up).sum(axis=0) @ axis) > 0.0 else -1.0


def _turned_out(streams: Mapping[Segment, ImuStream], windows: Windows, lane: int) -> float:
    """How far a leg is turned outwards: from the earth's sideways to the axis about which it lifts, rad."""
    side = SIDES[lane]
    stream = streams[SEGMENTS[1 + lane]]
    up, bias = _stance(stream, windows.stance)
    across = _principal(_level(_moving(stream, windows.hinges, bias), up))
    lifting = _principal(_level(_moving(stream, windows.march, bias), up))
    if not (np.isfinite(across).all() and np.isfinite(lifting).all()):
        return NAN
    if across @ lifting < 0.0:
        lifting = -lifting
    turn = math.atan2(float(np.cross(across, lifting) @ up), float(across @ lifting))
    # Seen from above the left leg turns out with the left hand's turn, the right leg against it.
    return -side.sign * turn


def _level(rates: F8, up: F8) -> F8:
    """The part of rates that lies level in the stance."""
    return np.asarray(rates - (rates @ up)[:, None] * up)


def _sway(stream: ImuStream, window: tuple[float, float], up: F8, left: F8) -> tuple[float, float]:
    """Rms of tilt and of obliquity about their means, from the smoothed direction of gravity."""
    inside = _inside(stream.t, [window])
    force = _smooth(stream.acc, stream.t)[inside]
    now = force / np.linalg.norm(force, axis=1, keepdims=True)
    if not np.isfinite(left).all():
        return NAN, NAN
    forward = np.cross(left, up)
    forward /= np.linalg.norm(forward)
    sideways = np.cross(up, forward)
    return float(np.std(now @ forward)), float(np.std(now @ sideways))
