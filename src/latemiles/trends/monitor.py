"""Form drift while the run goes on: the headline metrics against their baseline, a median at a time."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from latemiles.metrics.catalogue import COLUMN_INDEX
from latemiles.metrics.packing import pack, unpack
from latemiles.metrics.rows import StrideBatch
from latemiles.metrics.sides import ASKED, SidesWatch
from latemiles.metrics.table import EXCLUDING
from latemiles.signals.events import DriftUpdate, Event, Slip, Split, Stride, ThighsDoubted
from latemiles.signals.records import Speed
from latemiles.trends.medians import LONGEST_STEP_S, column_medians
from latemiles.trends.params import HEADLINE, DriftParams, key_parts
from latemiles.trends.rivals import slips_that_matter
from latemiles.trends.splits import SplitMaker, SplitParams
from latemiles.trends.watch import MetricWatch, WatchParams

__all__ = ["MonitorParams", "TrendMonitor"]

NAN = math.nan
_EXCLUDING = int(EXCLUDING)
_LANDED = [COLUMN_INDEX[f"{name}_ic_deg"] for name, _ in ASKED]
_BORNE = [COLUMN_INDEX[f"{name}_midstance_deg"] for name, _ in ASKED]


@dataclass(frozen=True, slots=True)
class MonitorParams:
    """Settings of the online monitor."""

    metrics: tuple[str, ...] = HEADLINE
    drift: DriftParams = field(default_factory=DriftParams)
    watch: WatchParams = field(default_factory=WatchParams)
    splits: SplitParams = field(default_factory=SplitParams)


class TrendMonitor:
    """Strides and slips in; drift updates, splits and a doubt about the thighs' places out.

    A point is the median of 25 strides of each leg, as in the report. The baseline is fixed once, from the
    same minutes of running as in the report, so nothing shown is ever taken back by it. Memory does not
    grow with the run.

    Parameters
    ----------
    params : MonitorParams, optional
        Settings.
    """

    def __init__(self, params: MonitorParams | None = None) -> None:
        self._params = params or MonitorParams()
        columns = dict.fromkeys(key_parts(key)[0] for key in self._params.metrics)
        self._columns = tuple(columns)
        self._at = [COLUMN_INDEX[name] for name in columns]
        self._watches = tuple(
            MetricWatch(key, self._params.drift, self._params.watch) for key in self._params.metrics
        )
        self._splits = SplitMaker(self._params.splits)
        self._sides = SidesWatch()
        self._block: deque[list[float]] = deque(maxlen=4 * self._params.drift.block_strides)
        self._last_t = NAN
        self._running_s = 0.0

    def push(self, event: Event) -> list[DriftUpdate | Split | ThighsDoubted]:
        """Take in one event.

        Parameters
        ----------
        event : Event
            Strides in order of time, and slips; others are passed over.

        Returns
        -------
        list
            A ``DriftUpdate`` for each headline metric when a median is complete or its sensor slipped, a
            ``Split`` when one is, and ``ThighsDoubted`` when they look exchanged.
        """
        if isinstance(event, Slip):
            return self._slip(event)
        if not isinstance(event, Stride):
            return []
        return self.push_many(StrideBatch.of(event))

    def push_many(self, strides: StrideBatch) -> list[DriftUpdate | Split | ThighsDoubted]:
        """Take in strides, as ``push`` of one after the other."""
        out: list[DriftUpdate | Split | ThighsDoubted] = []
        splits = self._splits.push_many(strides)
        if not self._watches:
            return [split for _, split in splits]
        lanes, times = strides.lanes.tolist(), strides.t_s.tolist()
        rows = strides.values[:, self._at].tolist()
        changes = (strides.values[:, _BORNE] - strides.values[:, _LANDED]).tolist()
        for k, is_left_out in enumerate((strides.quality & _EXCLUDING != 0).tolist()):
            if splits and splits[0][0] == k:
                out.append(splits.pop(0)[1])
            if not is_left_out:
                out += self._stride(lanes[k], times[k], rows[k])
                if self._sides.push(lanes[k], changes[k]):
                    out.append(ThighsDoubted(times[k]))
        return out

    def tell(self, record: Speed) -> None:
        """Take in a word of the speed source, for the splits."""
        self._splits.tell(record)

    def finish(self) -> list[DriftUpdate | Split]:
        """The last split."""
        split = self._splits.finish()
        return [] if split is None else [split]

    def save(self) -> bytes:
        """State as bytes."""
        facts, rows = self._splits.save()
        top: dict[str, Any] = {
            "splits": facts,
            "block": list(self._block),
            "clock": [self._last_t, self._running_s],
            "sides": self._sides.save(),
            "watches": [watch.save() for watch in self._watches],
        }
        return pack(top, {"splits": rows})

    def load(self, state: bytes) -> None:
        """Go on from what ``save`` gave, with the same parameters."""
        top, arrays = unpack(state)
        self._splits.load(top["splits"], arrays["splits"])
        self._block = deque(top["block"], maxlen=self._block.maxlen)
        self._last_t, self._running_s = top["clock"]
        self._sides.load(top["sides"])
        for watch, saved in zip(self._watches, top["watches"], strict=True):
            watch.load(saved)

    def _stride(self, lane: int, t_s: float, values: list[float]) -> list[DriftUpdate]:
        step = t_s - self._last_t
        if step > self._params.drift.block_gap_s:
            self._block.clear()
        if step > 0.0:
            self._running_s += min(step, LONGEST_STEP_S)
        self._last_t = t_s
        self._block.append([float(lane), t_s, self._running_s, *values])
        if not self._is_full():
            return []
        block = np.array(self._block)
        self._block.clear()
        medians = self._medians(block)
        t, running = float(np.mean(block[[0, -1], 1])), float(np.mean(block[[0, -1], 2]))
        updates = []
        for watch in self._watches:
            legs = medians[key_parts(watch.key)[0]]
            updates.append(watch.push(t_s, t, running, _of_side(legs, key_parts(watch.key)[1])))
        return updates

    def _is_full(self) -> bool:
        """Both legs' 25 strides, or enough of one leg where the other is not heard."""
        n, block = self._params.drift.block_strides, self._block
        count = len(block)
        if count < n or count >= 2 * n:
            return count >= n
        lane = block[0][0]
        # Legs take turns: the second row nearly always tells.
        return block[1][0] == lane and all(row[0] == lane for row in block)

    def _medians(self, block: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, tuple[float, float]]:
        """Left and right median of each column."""
        legs = []
        for lane in (0.0, 1.0):
            rows = block[block[:, 0] == lane, 3:]
            count = np.count_nonzero(np.isfinite(rows), axis=0)
            enough = count >= self._params.drift.fewest_in_block
            legs.append(np.where(enough, column_medians(rows), NAN).tolist())
        return dict(zip(self._columns, zip(*legs, strict=True), strict=True))

    def _slip(self, slip: Slip) -> list[DriftUpdate | Split | ThighsDoubted]:
        hit = [watch for watch in self._watches if slips_that_matter([slip], watch.key)]
        if hit:
            # The block that it falls in holds both levels.
            self._block.clear()
        return [watch.slip(slip.t_s) for watch in hit]


def _of_side(legs: tuple[float, float], side: str) -> float:
    left, right = legs
    if side == "left":
        return left
    if side == "right":
        return right
    if side == "right_minus_left":
        return right - left
    if math.isnan(left) or math.isnan(right):
        return right if math.isnan(left) else left
    return 0.5 * (left + right)
