"""Splits of a run as it goes on: a mile or a kilometre, or five minutes where no distance is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from latemiles.metrics.catalogue import COLUMN_INDEX, NUMERIC_COLUMNS
from latemiles.metrics.rows import StrideBatch
from latemiles.metrics.table import EXCLUDING
from latemiles.signals.events import Split
from latemiles.signals.records import Speed
from latemiles.trends.ground import GroundTrack
from latemiles.trends.medians import column_medians

__all__ = ["KILOMETRE_M", "MILE_M", "SplitMaker", "SplitParams"]

F8 = NDArray[np.float64]

MILE_M: Final = 1609.344
KILOMETRE_M: Final = 1000.0

_DISTANCE: Final = COLUMN_INDEX["distance_m"]
_STRIDE_TIME: Final = COLUMN_INDEX["stride_time_s"]


@dataclass(frozen=True, slots=True)
class SplitParams:
    """How a run is split."""

    length_m: float = MILE_M
    """Length of a split, m, where a distance is known."""
    length_s: float = 300.0
    """Length of a split without distance, s."""
    most_strides: int = 6000
    """A split is closed at this many strides whatever its length; bounds the memory."""
    least_last_s: float = 30.0
    """A last split that is shorter is left out, s."""


class SplitMaker:
    """Collects the strides of the present split; gives a ``Split`` when it is full.

    Parameters
    ----------
    params : SplitParams, optional
        How a run is split.
    """

    def __init__(self, params: SplitParams | None = None) -> None:
        self._params = params or SplitParams()
        self._rows: list[F8] = []
        self._lanes: list[int] = []
        self._quality: list[int] = []
        self._index = 0
        self._start_s = math.nan
        self._start_m = math.nan
        self._last = (math.nan, math.nan)
        self._ground = GroundTrack()

    def tell(self, record: Speed) -> None:
        """Take in a word of the speed source: its heart rate and grade."""
        self._ground.tell(record)

    def push_many(self, strides: StrideBatch) -> list[tuple[int, Split]]:
        """Take in strides; give the splits that are full, each with the first stride after it."""
        done: list[tuple[int, Split]] = []
        t_s, distance = strides.t_s, strides.values[:, _DISTANCE]
        n, at, kept, begun = len(t_s), 0, 0, bool(self._lanes)
        while at < n:
            if not begun:
                self._start(float(t_s[at]), float(distance[at]))
                at, begun = at + 1, True
            stop = n
            if math.isnan(self._start_m):
                # A watch that is started after the first steps: the way counts from its first word.
                known = np.flatnonzero(np.isfinite(distance[at:]))
                stop = at + int(known[0]) + 1 if len(known) else n
            full = self._are_full(len(self._lanes) + at - kept, t_s[at:stop], distance[at:stop])
            if full.any():
                at += int(np.argmax(full))
                self._keep(strides, kept, at)
                done.append((at, self._make(float(t_s[at]), float(distance[at]))))
                kept, begun = at, False
            else:
                at = stop
                if math.isnan(self._start_m):
                    self._start_m = float(distance[stop - 1])
        if n:
            duration = float(strides.values[-1, _STRIDE_TIME])
            end_s = float(t_s[-1]) + (duration if math.isfinite(duration) else 0.0)
            self._last = (end_s, float(distance[-1]))
        self._keep(strides, kept, n)
        return done

    def _keep(self, strides: StrideBatch, start: int, stop: int) -> None:
        self._rows.append(strides.values[start:stop])
        self._lanes += strides.lanes[start:stop].tolist()
        self._quality += strides.quality[start:stop].tolist()

    def finish(self) -> Split | None:
        """The last, incomplete split; None where it is too short to mean something."""
        if not self._lanes or self._last[0] - self._start_s < self._params.least_last_s:
            return None
        done = self._make(*self._last)
        self._rows, self._lanes, self._quality = [], [], []
        return done

    def save(self) -> tuple[dict[str, Any], F8]:
        """Facts and rows."""
        facts = {
            "index": self._index,
            "start": [self._start_s, self._start_m],
            "last": list(self._last),
            "lanes": self._lanes,
            "quality": self._quality,
            "ground": self._ground.save(),
        }
        return facts, self._table()

    def load(self, facts: dict[str, Any], rows: F8) -> None:
        """Go on from what ``save`` gave."""
        self._index = facts["index"]
        self._start_s, self._start_m = facts["start"]
        self._last = (facts["last"][0], facts["last"][1])
        self._lanes, self._quality = list(facts["lanes"]), list(facts["quality"])
        self._rows = [rows.copy()]
        self._ground.load(facts["ground"])

    def _start(self, t_s: float, distance: float) -> None:
        self._rows, self._lanes, self._quality = [], [], []
        self._start_s = t_s
        if math.isfinite(self._start_m) and math.isfinite(distance):
            # On the mile, not a stride after it: splits must not creep.
            whole = math.floor((distance - self._start_m) / self._params.length_m)
            self._start_m += max(0, whole) * self._params.length_m
        else:
            self._start_m = distance

    def _table(self) -> F8:
        """All rows of the split."""
        return np.concatenate([np.empty((0, len(NUMERIC_COLUMNS))), *self._rows])

    def _are_full(self, count: int, t_s: F8, distance: F8) -> NDArray[np.bool_]:
        """Whether the split is full before each of some strides, of which the first follows on ``count``."""
        way = distance - self._start_m
        # Without a distance, by the time.
        is_long = np.where(
            np.isfinite(way), way >= self._params.length_m, t_s - self._start_s >= self._params.length_s
        )
        full: NDArray[np.bool_] = is_long | (count + np.arange(len(t_s)) >= self._params.most_strides)
        return full

    def _make(self, end_s: float, distance: float) -> Split:
        used = (np.array(self._quality) & int(EXCLUDING)) == 0
        rows, lanes = self._table(), np.array(self._lanes)
        legs = np.stack([column_medians(rows[used & (lanes == lane)]) for lane in (0, 1)])
        # Mean of the legs' medians: the median of both together hops where the legs differ.
        values = np.where(np.isfinite(legs).all(axis=0), legs.mean(axis=0), np.fmax(legs[0], legs[1]))
        split = Split(
            end_s,
            self._index,
            self._start_s,
            distance - self._start_m,
            len(lanes),
            int(np.count_nonzero(used)),
            tuple(values.tolist()),
            *self._ground.over(self._start_s, end_s),
        )
        self._index += 1
        return split
