"""What is known of each sensor's link, battery and seat, for the three dots and the table."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

from latemiles.signals.events import Gap, LinkChanged, LiveState, Slip
from latemiles.signals.frames import Segment

__all__ = ["BODY_ORDER", "SensorState"]

BODY_ORDER = (Segment.LEFT_THIGH, Segment.PELVIS, Segment.RIGHT_THIGH)
"""As they sit on the runner, left to right."""

_SHORT = {Segment.LEFT_THIGH: "left", Segment.PELVIS: "pelvis", Segment.RIGHT_THIGH: "right"}
_SHARE_WINDOW_S = 300.0
_BINS = 30
"""Pieces of that window that are drawn one by one: ten seconds each."""
_SILENT_S = 3.0
"""Angles missing for this long count as a lost signal; shorter holes are bridged or too short to tell."""
_WEAK_SHARE = 0.9
_LOW_BATTERY = 15.0
_RESEATED_S = 10.0
"""A slip needs this long before a later calibration or verdict can speak for the new seat."""


class SensorState:
    """One sensor.

    Parameters
    ----------
    segment : Segment
        Where it sits.
    """

    __slots__ = (
        "_down_since_s",
        "_first_s",
        "_gaps",
        "_is_stuck",
        "_silent_since_s",
        "battery",
        "heard",
        "is_doubted",
        "segment",
        "slip_s",
    )

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self.battery = math.nan
        """Percent; NaN until the sensor said."""
        self.heard = False
        """Whether anything was ever heard."""
        self.slip_s = math.nan
        """When it slipped; NaN if it did not, or was zeroed again since."""
        self._down_since_s = math.nan
        self._is_stuck = False
        self._silent_since_s = math.nan
        self._first_s = math.nan
        self.is_doubted = False
        """Whether it may be on the other leg."""
        self._gaps: deque[tuple[float, float]] = deque(maxlen=512)

    def link(self, event: LinkChanged) -> None:
        """Take a change of link or battery."""
        if math.isfinite(event.battery_percent):
            self.battery = event.battery_percent
        if event.state in ("down", "stuck"):
            self._down_since_s = event.t_s
            self._is_stuck = event.state == "stuck"
        elif event.state == "up":
            self._down_since_s = math.nan
            self._is_stuck = False
            self.heard_at(event.t_s)

    def gap(self, event: Gap) -> None:
        """Take a gap that is over."""
        self._gaps.append((event.t_s, event.end_s))

    def still(self, event: LiveState) -> None:
        """Take a still: the angles this sensor feeds are there or not."""
        angles = {
            Segment.PELVIS: event.pelvis,
            Segment.LEFT_THIGH: event.hip_left,
            Segment.RIGHT_THIGH: event.hip_right,
        }[self.segment]
        if math.isfinite(angles[0]):
            self._silent_since_s = math.nan
            self.heard_at(event.t_s)
        elif self.segment is not Segment.PELVIS and not math.isfinite(event.pelvis[0]):
            # Without the pelvis there is no hip angle: that says nothing of the thigh.
            self._silent_since_s = math.nan
        elif self.heard and math.isnan(self._silent_since_s):
            self._silent_since_s = event.t_s

    def slip(self, event: Slip) -> None:
        """Take a slip."""
        self.slip_s = event.t_s

    def zeroed(self, t_s: float) -> None:
        """Something that knows the new seat, such as a calibration, spoke at this time."""
        if t_s >= self.slip_s + _RESEATED_S:
            self.slip_s = math.nan

    def heard_at(self, t_s: float) -> None:
        """Something of this sensor was heard at this time."""
        self.heard = True
        if math.isnan(self._first_s):
            self._first_s = t_s

    @property
    def name(self) -> str:
        """``left``, ``pelvis`` or ``right``."""
        return _SHORT[self.segment]

    def lost_since(self, t_s: float) -> float:
        """When it was last heard; NaN while it is heard."""
        if math.isfinite(self._down_since_s):
            return self._down_since_s
        silent = self._silent_since_s
        return silent if t_s - silent >= _SILENT_S else math.nan

    def lost_share(self, t_s: float) -> float:
        """Share of the last five minutes that was not heard, 0 to 1; NaN before anything was heard."""
        if math.isnan(self._first_s):
            return math.nan
        begin = max(t_s - _SHARE_WINDOW_S, self._first_s)
        return min(1.0, self._lost_s(begin, t_s) / max(t_s - begin, 1.0))

    def _lost_s(self, begin: float, end: float) -> float:
        """How much of a stretch of time was not heard, s."""
        holes = [*self._gaps]
        if math.isfinite(since := self.lost_since(end)):
            holes.append((since, math.inf))
        return sum(max(0.0, min(b, end) - max(a, begin)) for a, b in holes)

    def _lost_lately(self, t_s: float) -> list[float | None]:
        """Share lost in each ten seconds of the last five minutes, oldest first; None before it was heard."""
        width = _SHARE_WINDOW_S / _BINS
        last = math.floor(t_s / width)
        bins: list[float | None] = []
        for k in range(last - _BINS + 1, last + 1):
            begin, end = max(k * width, self._first_s), min((k + 1) * width, t_s)
            known = end > begin  # False with NaN: nothing was ever heard
            bins.append(round(self._lost_s(begin, end) / (end - begin), 3) if known else None)
        return bins

    def state(self, t_s: float) -> dict[str, Any]:
        """The dot: ``status`` is its shape, ``words`` what stands beside it."""
        lost_since, share = self.lost_since(t_s), self.lost_share(t_s)
        status, words = "good", "good"
        if math.isfinite(lost_since):
            words = f"{'stuck' if self._is_stuck else 'lost'} {_age(t_s - lost_since)}"
            status = "lost"
        elif math.isfinite(self.slip_s):
            status, words = "slipped", "slipped"
        elif not self.heard:
            status, words = "unknown", "not yet"
        elif self.is_doubted:
            status, words = "doubted", "swapped?"
        elif self.battery < _LOW_BATTERY:
            words = f"low, {self.battery:.0f}%"
        elif share > 1.0 - _WEAK_SHARE:
            words = "weak"
        return {
            "name": self.name,
            "status": status,
            "words": words,
            "battery": None if math.isnan(self.battery) else self.battery / 100.0,
            "lost_share": None if math.isnan(share) else share,
            "lately": self._lost_lately(t_s),
        }


def _age(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
