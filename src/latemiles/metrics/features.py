"""Numbers of one stride from its window of samples: the kernels, family by family, into one row."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.kernels import strides as kernel
from latemiles.kernels.stride_events import T_IC
from latemiles.kernels.stride_rows import take_samples
from latemiles.metrics.angles import ANGLE_NAMES, FEATURES
from latemiles.metrics.catalogue import COLUMN_INDEX, NUMERIC_COLUMNS, blanked
from latemiles.metrics.drop import drop_sign
from latemiles.metrics.harmonic import N_HARMONICS
from latemiles.metrics.needs import Need
from latemiles.metrics.pelvis_motion import SHOCK_WINDOW_S, VO_HARMONICS
from latemiles.metrics.rows import StrideBatch
from latemiles.metrics.table import EXCLUDING
from latemiles.signals.frames import GRAVITY_M_S2, SIDES, Side

__all__ = ["MOST", "FeatureMaker", "Samples"]

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
PIECE_S: Final = 8.0
"""So much goes into the ring before strides are taken from it, s: with the longest, well below its length."""
Samples = tuple[F8, F8, F8, F8, I8]


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
    """Scratch arrays and tables, made once, for strides of up to ``longest_s`` seconds.

    Parameters
    ----------
    rate_hz : float
        Rate of the grid, Hz.
    longest_s : float
    lacking : Need
        What the sensors cannot give: columns that need it are left blank.
    """

    def __init__(self, rate_hz: float, longest_s: float, *, lacking: Need = Need.NOTHING) -> None:
        self._rate = rate_hz
        self._piece = max(1, int(PIECE_S * rate_hz))
        width = max(int(longest_s * rate_hz) + 8, kernel.N_PHASES)
        times = np.full(6, np.nan)
        times[3], times[5] = SHOCK_WINDOW_S * rate_hz, GRAVITY_M_S2
        self._waves = np.full((MOST, 6, kernel.N_PHASES), np.nan)
        self._tools = (
            tuple(part for side in SIDES for part in _plan(side)),
            times,
            COLUMNS,
            FIRST,
            kernel.trig_table(max(N_HARMONICS, VO_HARMONICS)),
            np.full((kernel.WINDOW_ROWS + 2, width), np.nan),
            np.empty((MOST, 3), dtype=np.int64),
            np.array([COLUMN_INDEX[m.name] for m in blanked(lacking)], dtype=np.int64),
            int(EXCLUDING),
        )
        """What strides are measured with, see ``kernels.stride_rows.finish_strides``."""

    def take(
        self, rings: tuple[F8, I8], begin: int, head: int, samples: Samples, index: int, waiting: F8
    ) -> tuple[StrideBatch, I8, F8]:
        """Put samples into the ring and work out every number of the strides that have all of theirs by then.

        Parameters
        ----------
        rings : tuple of arrays
            Of samples and of their quality, see ``kernels.strides``.
        begin, head : int
            First sample there ever was, and the one that comes next; of a stride that began before the
            oldest in the ring there are times only.
        samples : tuple of arrays
            pelvis, hip, force_up, force_horizontal and quality of an ``AngleBlock``.
        index : int
            Running number of the first stride.
        waiting : float64 array, shape (n, WAITING)
            What events say of the strides that wait, see ``kernels.stride_events``.

        Returns
        -------
        strides : StrideBatch
            The first ones of those that waited.
        steady : int64 array, shape (m,)
            Which of them are used, by form drift and in the waveforms.
        waves_deg : float64 array, shape (m, 6, 101)
            Waveforms of those: pelvis tilt, obliquity, rotation and the own hip, deg. Written over by the
            next call.
        """
        n = len(waiting)
        if n > len(self._waves):
            self._waves = np.empty((n, *self._waves.shape[1:]))
        rows = np.full((n, len(NUMERIC_COLUMNS)), np.nan)
        lanes, bits, steady = np.empty((3, n), dtype=np.int64)
        done, used = take_samples(
            rings,
            self._rate,
            self._tools,
            index,
            waiting,
            begin,
            head,
            self._piece,
            samples,
            self._waves,
            (rows, lanes, bits, steady),
        )
        batch = StrideBatch(index, waiting[:done, T_IC].copy(), lanes[:done], rows[:done], bits[:done])
        return batch, steady[:used], self._waves[:used]
