"""What was heard of one sensor and what is missing, by sample index."""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from latemiles.sensors.protocol import Range

__all__ = ["GapBook"]

MOST_GAPS: Final = 512
"""Missing ranges that are remembered; beyond, the oldest is given up."""


class GapBook:
    """Missing ranges of the present epoch of one sensor, ascending and apart."""

    def __init__(self) -> None:
        self.missing: list[Range] = []
        self.next_index: int | None = None
        """Index after the newest sample heard; None before the first."""
        self.repaired = 0
        """Samples that were missing and came later."""
        self.given_up = 0
        """Samples that will never come."""
        self._epoch = -1

    def heard(self, epoch: int, first: int, n: int) -> bool:
        """Take note of samples ``first`` to ``first + n - 1``.

        Returns
        -------
        bool
            Whether a gap was found that was not known before.
        """
        stop = first + n
        if epoch != self._epoch:
            # The sensor started over: what is missing of its earlier life is gone.
            self.given_up += self.missing_samples
            self._epoch, self.missing, self.next_index = epoch, [], stop
            # It counts from 0: what came before the first frame heard is missing too.
            return self._lack(0, first)
        if self.next_index is None or first >= self.next_index:
            start = 0 if self.next_index is None else self.next_index
            self.next_index = stop
            return self._lack(start, first)
        self.next_index = max(self.next_index, stop)
        self._fill(first, stop)
        return False

    @property
    def missing_samples(self) -> int:
        """Samples that are missing now."""
        return sum(r.stop - r.first for r in self.missing)

    def newest_first(self, most: int) -> list[Range]:
        """Ranges to ask for."""
        return self.missing[: -most - 1 : -1]

    def give_up_below(self, oldest: int) -> int:
        """Forget what the sensor no longer has; how many samples that were."""
        before = self.missing_samples
        self.missing = [Range(max(r.first, oldest), r.stop) for r in self.missing if r.stop > oldest]
        lost = before - self.missing_samples
        self.given_up += lost
        return lost

    def give_up(self, ranges: list[Range]) -> int:
        """Forget ranges that the sensor could not send; how many samples that were."""
        before = self.missing_samples
        for r in ranges:
            self._remove(r.first, r.stop)
        lost = before - self.missing_samples
        self.given_up += lost
        return lost

    def _lack(self, first: int, stop: int) -> bool:
        if stop <= first:
            return False
        self.missing.append(Range(first, stop))
        if len(self.missing) > MOST_GAPS:
            lost = self.missing.pop(0)
            self.given_up += lost.stop - lost.first
        return True

    def _fill(self, first: int, stop: int) -> None:
        before = self.missing_samples
        self._remove(first, stop)
        self.repaired += before - self.missing_samples

    def _remove(self, first: int, stop: int) -> None:
        at = max(0, bisect_right(self.missing, (first,)) - 1)
        kept: list[Range] = self.missing[:at]
        for k in range(at, len(self.missing)):
            r = self.missing[k]
            if r.first >= stop:
                kept += self.missing[k:]
                break
            if r.stop <= first:
                kept.append(r)
                continue
            if r.first < first:
                kept.append(Range(r.first, first))
            if r.stop > stop:
                kept.append(Range(stop, r.stop))
        self.missing = kept
