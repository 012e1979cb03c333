"""Numbers of one stride from its window of samples: the kernels, family by family, into one row."""

from __future__ import annotations

import math
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from latemiles.kernels import strides as kernel
from latemiles.metrics import temporal
from latemiles.metrics.angles import ANGLE_NAMES, FEATURES
from latemiles.metrics.catalogue import COLUMN_INDEX, NUMERIC_COLUMNS
from latemiles.metrics.drop import drop_sign
from latemiles.metrics.harmonic import N_HARMONICS
from latemiles.metrics.pelvis_motion import SHOCK_WINDOW_S, VO_HARMONICS
from latemiles.signals.frames import GRAVITY_M_S2, SIDES, Side

__all__ = ["MOST", "FeatureMaker", "StrideTimes", "temporal_columns"]

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

DEG: Final = 180.0 / math.pi

WINDOW_ROW: Final = {
    "pelvic_tilt": 0,
    "pelvic_obliquity": 1,
    "pelvic_rotation": 2,
    "pelvic_drop": 1,
    "hip_flexion": 3,
    "hip_adduction": 4,
    "hip_internal_rotation": 5,
}

FIRST_FORBIDDEN: Final = {"pelvic_tilt": 1, "pelvic_obliquity": 2, "pelvic_rotation": 2}
"""First stride harmonic that symmetric gait does not have; every second from there on."""


COLUMNS: Final = np.array(
    [
        COLUMN_INDEX[name]
        for name in (
            "pelvic_drop_ic_deg",
            "pelvic_drop_stance_peak_deg",
            "pelvic_drop_excursion_deg",
            *(f"{angle}_harmonic_asymmetry_deg" for angle in FIRST_FORBIDDEN),
            "pelvis_vo_m",
            "pelvis_shock_m_s2",
        )
    ],
    dtype=np.int64,
)
"""Columns that ``kernels.strides.measure_stride`` reads and writes beside the angles'."""
FIRST: Final = np.array(list(FIRST_FORBIDDEN.values()), dtype=np.int64)
MOST: Final = 32
"""Strides that are measured at once."""


class StrideTimes(Protocol):
    """Events and speed of one stride, session seconds."""

    @property
    def t_ic(self) -> float:
        """Initial contact that starts it."""

    @property
    def t_to(self) -> float:
        """Toe-off; NaN where none was found."""

    @property
    def t_end(self) -> float:
        """Initial contact that ends it."""

    @property
    def t_other_ic(self) -> float:
        """Initial contact of the other foot; NaN where none was found."""

    @property
    def distance(self) -> float:
        """Distance at the initial contact, m."""

    @property
    def speed(self) -> float:
        """Speed over the stride, m/s."""


def _peak_sign(angle: str, side: Side) -> float:
    """+1 where the stance peak is a maximum of the angle as it is measured, -1 where a minimum."""
    if angle == "pelvic_obliquity":
        return float(drop_sign(side.sign))
    if angle == "pelvic_rotation":
        return float(-side.sign)
    return -1.0 if angle == "hip_flexion" else 1.0


def _plan(side: Side) -> tuple[I8, F8]:
    """For each angle: row of the window and first column of its features; factor and sign of the peak."""
    places, signs = [], []
    for angle in ANGLE_NAMES:
        # The peak of the drop is its maximum after the sign of the leg was put on.
        factor = DEG * drop_sign(side.sign) if angle == "pelvic_drop" else DEG
        places.append((WINDOW_ROW[angle], COLUMN_INDEX[f"{angle}_{FEATURES[0]}_deg"]))
        signs.append((factor, _peak_sign(angle, side)))
    return np.array(places, dtype=np.int64), np.array(signs, dtype=np.float64)


class FeatureMaker:
    """Scratch arrays and tables, made once, for strides of up to ``longest_s`` seconds."""

    def __init__(self, rate_hz: float, longest_s: float) -> None:
        self._rate = rate_hz
        self._trig: F8 = kernel.trig_table(max(N_HARMONICS, VO_HARMONICS))
        width = max(int(longest_s * rate_hz) + 8, kernel.N_PHASES)
        self._scratch = np.full((kernel.WINDOW_ROWS + 2, width), np.nan)
        self._times = np.full(6, np.nan)
        self._times[3], self._times[5] = SHOCK_WINDOW_S * rate_hz, GRAVITY_M_S2
        self._waves = np.full((MOST, 6, kernel.N_PHASES), np.nan)
        self._plans = tuple(part for side in SIDES for part in _plan(side))

    def measure(self, ring: F8, quality: I8, oldest: int, lanes: I8, events: F8) -> tuple[F8, I8, F8]:
        """Every number of some strides that comes from samples.

        Parameters
        ----------
        ring, quality : arrays
            See ``kernels.strides``.
        oldest : int
            First sample that is still there.
        lanes : int64 array, shape (n,)
            The stance leg of each, up to ``MOST`` strides.
        events : float64 array, shape (n, 3)
            Initial contact, toe-off (NaN: none) and the end, session s.

        Returns
        -------
        rows : float64 array, shape (n, n_columns)
            In which the columns of time are NaN; all are where a stride began before the oldest sample.
        seen : int64 array, shape (n, 3)
            Quality bits of the pelvis and the own thigh, and 1 where the stride was measured.
        waves_deg : float64 array, shape (n, 6, 101)
            Waveforms: pelvis tilt, obliquity, rotation and the own hip, deg. Written over by the next call.
        """
        n = len(lanes)
        rows = np.full((n, len(NUMERIC_COLUMNS)), np.nan)
        seen = np.empty((n, 3), dtype=np.int64)
        kernel.measure_strides(
            (ring, quality),
            self._rate,
            oldest,
            lanes,
            events,
            self._plans,
            self._times,
            COLUMNS,
            FIRST,
            self._trig,
            self._scratch,
            seen,
            self._waves,
            rows,
        )
        return rows, seen, self._waves


def temporal_columns(index: int, times: StrideTimes) -> tuple[float, ...]:
    """The first columns of a row: those that come from events and from the speed source."""
    stride = temporal.stride_time(times.t_ic, times.t_end)
    contact = temporal.contact_time(times.t_ic, times.t_to)
    return (
        index,
        times.t_ic,
        times.t_to,
        stride,
        temporal.cadence(stride),
        contact,
        temporal.flight_time(times.t_ic, times.t_to, times.t_other_ic),
        temporal.duty_factor(contact, stride),
        times.distance,
        times.speed,
    )
