"""What a watch's file says, as arrays on one clock, checked and completed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import InputError

__all__ = ["Track", "completed", "metres_between", "slope", "steps_per_minute"]

F8 = NDArray[np.float64]
Flags = NDArray[np.bool_]

FASTEST_M_S: Final = 12.5
"""Nobody runs faster: what implies more is a jump of the receiver."""
PAUSE_S: Final = 30.0
"""A silence this long is a pause of the watch: nothing is known of it. Smart recording is silent for less."""
SPEED_S: Final = 6.0
"""Speed that a file does not hold is the slope of its distance over this long, s."""
SMOOTH_S: Final = 5.0
"""Positions are averaged over this long: the wobble of a receiver would lengthen the way, s."""
GIVE_UP: Final = 5
"""So many positions in a row that agree with each other and not with those before are believed: the runner
was carried, or the first ones were wrong."""
EARTH_M: Final = 6_371_008.8
"""Mean radius of the earth, m (IUGG)."""
STRIDES_BELOW: Final = 120.0
"""A cadence of running that is lower counts strides, not steps, a minute."""


def _none() -> F8:
    return np.empty(0)


@dataclass(frozen=True, slots=True)
class Track:
    """Columns of one length; empty or NaN where the file does not say."""

    utc_s: F8
    """(n,) s since 1970, strictly increasing."""
    speed_m_s: F8 = field(default_factory=_none)
    distance_m: F8 = field(default_factory=_none)
    elevation_m: F8 = field(default_factory=_none)
    heart_rate_bpm: F8 = field(default_factory=_none)
    cadence_spm: F8 = field(default_factory=_none)
    """Steps of both feet a minute."""
    latitude_deg: F8 = field(default_factory=_none)
    longitude_deg: F8 = field(default_factory=_none)
    device: str = ""
    """Who made the file, in the file's words."""
    elevation_from: str = ""
    """``barometer``, or ``not stated``; empty without elevation."""
    notes: tuple[str, ...] = ()
    """What a person should know, a plain sentence each."""

    def __len__(self) -> int:
        return len(self.utc_s)


def completed(track: Track, file_name: str) -> Track:
    """The track in order of time, with speed and distance where they can be had, positions dropped.

    Distance that the file does not hold comes from positions, or from speed; speed from distance. What only a
    jump of the receiver explains is taken out of all of them, and said.

    Parameters
    ----------
    track : Track
        As read; times may repeat or be out of order.
    file_name : str
        For the error.

    Raises
    ------
    InputError
        If there are fewer than two times, or neither speed, distance, positions nor heart rate.
    """
    track = _in_order(_filled(track))
    if len(track) < 2:
        raise InputError(
            "a track of at least two points with times",
            f"{len(track)} in {file_name}",
            "Export the activity again, as it was recorded; a planned course has no times.",
        )
    track = _with_distance(track)
    if not np.isfinite(track.speed_m_s).any():
        track = replace(track, speed_m_s=slope(track.utc_s, track.distance_m, SPEED_S))
    track = _without_impossible(track)
    if not (np.isfinite(track.speed_m_s).any() or np.isfinite(track.heart_rate_bpm).any()):
        raise InputError(
            "speed, distance, positions or heart rate",
            f"none of them in {file_name}",
            "Export the activity as FIT: it holds all that the watch measured.",
        )
    cadence, counted = steps_per_minute(track.cadence_spm)
    notes = (*track.notes, *counted)
    empty = np.full(len(track), np.nan)
    return replace(track, cadence_spm=cadence, latitude_deg=empty, longitude_deg=empty, notes=notes)


def steps_per_minute(cadence: F8) -> tuple[F8, tuple[str, ...]]:
    """Cadence in steps of both feet, from a file that may count strides of one foot; and a note if it did."""
    moving = cadence[np.isfinite(cadence) & (cadence > 20.0)]
    if moving.size and float(np.median(moving)) < STRIDES_BELOW:
        return 2.0 * cadence, ("Its cadence counts one foot and was doubled.",)
    return cadence, ()


def slope(t: F8, values: F8, width_s: float) -> F8:
    """Rate of change over ``width_s`` around each time, NaN across pauses and at what is not known.

    Parameters
    ----------
    t, values : float64 array, shape (n,)
        Times (s, increasing) and values.
    width_s : float
        Span of the secant, s.
    """
    out = np.full(len(t), np.nan)
    known = np.flatnonzero(np.isfinite(values))
    if known.size < 2:
        return out
    # Each stretch without a pause by itself.
    for part in np.split(known, np.flatnonzero(np.diff(t[known]) > PAUSE_S) + 1):
        if part.size < 2:
            continue
        low = np.clip(t[part] - 0.5 * width_s, t[part[0]], None)
        high = np.clip(t[part] + 0.5 * width_s, None, t[part[-1]])
        rise = np.interp(high, t[part], values[part]) - np.interp(low, t[part], values[part])
        out[part] = rise / np.maximum(high - low, 1e-9)
    return out


def metres_between(latitude_deg: F8, longitude_deg: F8) -> F8:
    """Way from each position to the next (n - 1,), m: haversine on a sphere."""
    lat, lon = np.radians(latitude_deg), np.radians(longitude_deg)
    north, east = np.diff(lat), np.diff(lon)
    chord = np.sin(north / 2.0) ** 2 + np.cos(lat[1:]) * np.cos(lat[:-1]) * np.sin(east / 2.0) ** 2
    way: F8 = 2.0 * EARTH_M * np.arcsin(np.sqrt(np.clip(chord, 0.0, 1.0)))
    return way


_COLUMNS: Final = (
    "speed_m_s",
    "distance_m",
    "elevation_m",
    "heart_rate_bpm",
    "cadence_spm",
    "latitude_deg",
    "longitude_deg",
)


def _filled(track: Track) -> Track:
    """Every column as long as the times."""
    n = len(track.utc_s)
    columns: dict[str, Any] = {name: getattr(track, name) for name in _COLUMNS}
    absent = {name: np.full(n, np.nan) for name, column in columns.items() if len(column) != n}
    return replace(track, **(columns | absent))


def _in_order(track: Track) -> Track:
    """Sorted by time; of points at one time the first is kept."""
    known = np.flatnonzero(np.isfinite(track.utc_s))
    times, first = np.unique(track.utc_s[known], return_index=True)
    keep = known[first]
    was_sorted = np.array_equal(keep, np.arange(len(track)))
    notes = (
        track.notes if was_sorted else (*track.notes, "Points out of order or without a time were mended.")
    )
    changes: dict[str, Any] = {name: getattr(track, name)[keep] for name in _COLUMNS}
    changes |= {"utc_s": times, "notes": notes}
    return replace(track, **changes)


def _with_distance(track: Track) -> Track:
    if np.isfinite(track.distance_m).any():
        return track
    if np.isfinite(track.latitude_deg).sum() >= 2:
        return _from_positions(track)
    if np.isfinite(track.speed_m_s).any():
        known = np.isfinite(track.speed_m_s)
        speed = np.interp(track.utc_s, track.utc_s[known], track.speed_m_s[known])
        step = np.diff(track.utc_s, prepend=track.utc_s[:1])
        step[step > PAUSE_S] = 0.0
        return replace(track, distance_m=np.cumsum(step * speed))
    return track


def _from_positions(track: Track) -> Track:
    """Distance along the positions, those that the receiver jumped to left out."""
    known = np.isfinite(track.latitude_deg) & np.isfinite(track.longitude_deg)
    good = np.flatnonzero(known)[_steady(track, np.flatnonzero(known))]
    notes = track.notes
    if good.size < known.sum():
        notes = (*notes, f"{int(known.sum()) - good.size} positions that only a jump explains were left out.")
    t = track.utc_s[good]
    lat, lon = (_averaged(t, values[good]) for values in (track.latitude_deg, track.longitude_deg))
    step = metres_between(lat, lon)
    # Across a pause, or where the runner was carried, nobody ran.
    step[(np.diff(t) > PAUSE_S) | (step > FASTEST_M_S * np.diff(t))] = 0.0
    distance = np.full(len(track), np.nan)
    distance[good] = np.concatenate([[0.0], np.cumsum(step)])
    return replace(track, distance_m=distance, notes=(*notes, "Distance and speed come from positions."))


def _steady(track: Track, known: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places in ``known`` of the positions that could be run to from the one before."""
    keep: list[int] = []
    apart: list[int] = []
    for k in range(len(known)):
        if not keep or _reachable(track, known[keep[-1]], known[k]):
            keep.append(k)
            apart = []
        elif apart and not _reachable(track, known[apart[-1]], known[k]):
            apart = [k]
        else:
            apart.append(k)
            if len(apart) >= GIVE_UP:
                # The odd ones out are those that were believed, if they were as few.
                keep = [*(keep if len(keep) >= GIVE_UP else []), *apart]
                apart = []
    return np.array(keep, dtype=np.int64)


def _reachable(track: Track, before: int, after: int) -> bool:
    pair = [before, after]
    way = float(metres_between(track.latitude_deg[pair], track.longitude_deg[pair])[0])
    # A receiver's own scatter is a few metres, whatever the time between.
    return way <= FASTEST_M_S * float(track.utc_s[after] - track.utc_s[before]) + 5.0


def _averaged(t: F8, values: F8) -> F8:
    """Mean over ``SMOOTH_S`` around each time, within stretches without a pause."""
    stretch = np.concatenate([[0], np.cumsum(np.diff(t) > PAUSE_S)])
    low = np.maximum(np.searchsorted(t, t - 0.5 * SMOOTH_S), np.searchsorted(stretch, stretch))
    high = np.minimum(
        np.searchsorted(t, t + 0.5 * SMOOTH_S, side="right"), np.searchsorted(stretch, stretch, side="right")
    )
    # As many before as after: at an end the mean of one side would pull the position inwards.
    here = np.arange(len(t))
    reach = np.minimum(here - low, high - 1 - here)
    low, high = here - reach, here + reach + 1

    def mean(x: F8) -> F8:
        # Around the first, so that sums of degrees keep millimetres.
        total = np.concatenate([[0.0], np.cumsum(x - x[0])])
        return np.asarray(x[0] + (total[high] - total[low]) / (high - low))

    # Points that are not evenly spaced have their mean at another time.
    span = t[high - 1] - t[low]
    rate = np.where(span > 0.0, values[high - 1] - values[low], 0.0) / np.where(span > 0.0, span, 1.0)
    return mean(values) + rate * (t - mean(t))


def _without_impossible(track: Track) -> Track:
    """Distance that nobody runs taken out, speeds that nobody runs not believed."""
    notes = track.notes
    known = np.flatnonzero(np.isfinite(track.distance_m))
    distance = track.distance_m.copy()
    if known.size > 1:
        step = np.diff(distance[known])
        jump = (step > FASTEST_M_S * np.diff(track.utc_s[known]) + 5.0) | (step < 0.0)
        if jump.any():
            notes = (*notes, f"{int(jump.sum())} jumps of the distance that nobody runs were taken out.")
            distance[known[1:]] -= np.cumsum(np.where(jump, step, 0.0))
    wrong = ~(track.speed_m_s <= FASTEST_M_S) | (track.speed_m_s < 0.0)
    speed = np.where(wrong, np.nan, track.speed_m_s)
    heart = np.where(
        (track.heart_rate_bpm > 20.0) & (track.heart_rate_bpm < 255.0), track.heart_rate_bpm, np.nan
    )
    return replace(track, distance_m=distance, speed_m_s=speed, heart_rate_bpm=heart, notes=notes)
