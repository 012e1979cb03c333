"""Mean and spread of the stride-normalised waveforms over parts of the run, in bounded memory.

Each minute of the run keeps running sums only (Welford); minutes merge exactly into longer parts (Chan,
Golub & LeVeque 1979), and when a run has more minutes than there is room for, neighbours are merged.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from latemiles.kernels.stride_waves import add_strides
from latemiles.kernels.strides import N_PHASES
from latemiles.signals.results import Ensemble

__all__ = ["WAVEFORMS", "WaveformBook"]

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

WAVEFORMS: Final = (
    "pelvic_tilt",
    "pelvic_obliquity",
    "pelvic_rotation",
    "left_hip_flexion",
    "left_hip_adduction",
    "left_hip_internal_rotation",
    "right_hip_flexion",
    "right_hip_adduction",
    "right_hip_internal_rotation",
)
"""The nine waveforms: the pelvis over right strides, each hip over strides of its own side."""

BIN_S: Final = 60.0
"""Length of the parts that are kept apart, s."""

MOST_BINS: Final = 128
"""Most parts that are kept; beyond it neighbours are merged and each part is twice as long."""


class _Sums:
    """Welford sums of one part: count, mean and summed squares of each waveform; toe-off of each side."""

    __slots__ = ("count", "mean", "squares", "toe_off", "toe_off_count")

    def __init__(self) -> None:
        self.count = np.zeros(len(WAVEFORMS))
        self.mean = np.zeros((len(WAVEFORMS), N_PHASES))
        self.squares = np.zeros((len(WAVEFORMS), N_PHASES))
        self.toe_off = np.zeros(2)
        self.toe_off_count = np.zeros(2)

    @property
    def arrays(self) -> tuple[F8, F8, F8, F8, F8]:
        return self.count, self.mean, self.squares, self.toe_off, self.toe_off_count

    def merge(self, other: _Sums) -> None:
        total = np.maximum(self.count + other.count, 1.0)
        share = (other.count / total)[:, None]
        step = other.mean - self.mean
        self.squares += other.squares + step**2 * share * self.count[:, None]
        self.mean += step * share
        self.count += other.count
        self.toe_off += other.toe_off
        self.toe_off_count += other.toe_off_count


class WaveformBook:
    """Running ensembles of the steady strides of a run."""

    def __init__(self) -> None:
        self._bin_s = BIN_S
        self._bins: dict[int, _Sums] = {}

    def add(self, t_s: F8, lanes: I8, waves_deg: F8, toe_off_percent: F8) -> None:
        """Take in some strides.

        Parameters
        ----------
        t_s : float64 array, shape (n,)
            Initial contact of each, s.
        lanes : int64 array, shape (n,)
            0 left, 1 right.
        waves_deg : float64 array, shape (n, 6, 101)
            Pelvis tilt, obliquity, rotation and the own hip's three angles, deg; a row with NaN is left out.
        toe_off_percent : float64 array, shape (n,)
            Toe-off of each, % of the stride; NaN where unknown.
        """
        at, times = 0, t_s.tolist()
        while at < len(times):
            key, stop = int(times[at] // self._bin_s), at + 1
            sums = self._bins.get(key)
            if sums is None:
                sums = self._bins[key] = _Sums()
            # One too many are merged after the first stride of the new one, however strides come together.
            while len(self._bins) <= MOST_BINS and stop < len(times) and times[stop] // self._bin_s == key:
                stop += 1
            part = slice(at, stop)
            add_strides(*sums.arrays, waves_deg[part], lanes[part], toe_off_percent[part])
            if len(self._bins) > MOST_BINS:
                self._halve()
            at = stop

    def ensemble(self, label: str, start_s: float, end_s: float) -> Ensemble:
        """Mean and SD over a part of the run.

        Parameters
        ----------
        label : str
            What to call it.
        start_s, end_s : float
            The part, s; it is taken in whole bins (a minute, longer in very long runs) whose middle it holds.

        Returns
        -------
        Ensemble
            NaN waveforms where no stride had that angle.
        """
        total = _Sums()
        for k in sorted(self._bins):
            if start_s <= (k + 0.5) * self._bin_s < end_s:
                total.merge(self._bins[k])
        n = total.count[:, None]
        blank = np.full((len(WAVEFORMS), N_PHASES), np.nan)
        mean = np.where(n > 0.0, total.mean, blank)
        sd = np.where(n > 1.0, np.sqrt(total.squares / np.maximum(n - 1.0, 1.0)), blank)
        toe_off = np.divide(
            total.toe_off, total.toe_off_count, out=np.full(2, np.nan), where=total.toe_off_count > 0.0
        )
        return Ensemble(
            label=label,
            start_s=start_s,
            end_s=end_s,
            strides=int(max(total.count[0], total.count[3:6].max()) if total.count.any() else 0),
            mean_deg=dict(zip(WAVEFORMS, mean, strict=True)),
            sd_deg=dict(zip(WAVEFORMS, sd, strict=True)),
            toe_off_percent={"left": float(toe_off[0]), "right": float(toe_off[1])},
        )

    def ensembles(self, parts: Iterable[tuple[str, float, float]]) -> list[Ensemble]:
        """``ensemble`` of several parts."""
        return [self.ensemble(label, start, end) for label, start, end in parts]

    def save(self) -> tuple[dict[str, Any], F8]:
        """Facts and sums, in order of time."""
        keys = sorted(self._bins)
        rows = [
            np.concatenate([s.count, s.mean.ravel(), s.squares.ravel(), s.toe_off, s.toe_off_count])
            for s in (self._bins[k] for k in keys)
        ]
        width = len(WAVEFORMS) * (1 + 2 * N_PHASES) + 4
        return {"bin_s": self._bin_s, "bins": keys}, np.array(rows).reshape(len(keys), width)

    def load(self, facts: dict[str, Any], rows: F8) -> None:
        """Go on from what ``save`` gave."""
        self._bin_s = float(facts["bin_s"])
        self._bins = {}
        n = len(WAVEFORMS)
        for key, row in zip(facts["bins"], rows, strict=True):
            sums = _Sums()
            count, mean, squares, toe_off, toe_off_count = np.split(
                row, np.cumsum([n, n * N_PHASES, n * N_PHASES, 2])
            )
            sums.count, sums.toe_off, sums.toe_off_count = count.copy(), toe_off.copy(), toe_off_count.copy()
            sums.mean = mean.reshape(n, N_PHASES).copy()
            sums.squares = squares.reshape(n, N_PHASES).copy()
            self._bins[int(key)] = sums

    def _halve(self) -> None:
        merged: dict[int, _Sums] = {}
        for k in sorted(self._bins):
            if k // 2 in merged:
                merged[k // 2].merge(self._bins[k])
            else:
                merged[k // 2] = self._bins[k]
        self._bins = merged
        self._bin_s *= 2.0
