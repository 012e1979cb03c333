"""The one big number: the change of the pelvic tilt, its interval and its band, as they are shown."""

from __future__ import annotations

import math
from typing import Any

from latemiles.signals.events import DriftUpdate

__all__ = ["TiltShown"]

_DEAD_BAND_DEG = 0.2


class TiltShown:
    """The tilt change as shown: it moves only past a dead-band, and after a slip its band never shrinks."""

    __slots__ = (
        "_band_before_slip",
        "_good_s",
        "_held_band",
        "_high",
        "_low",
        "_refused_since_s",
        "update",
        "value",
    )

    def __init__(self) -> None:
        self.update: DriftUpdate | None = None
        self.value = math.nan
        """Shown change, deg, forward +; NaN before the start is measured."""
        self._low = math.nan
        self._high = math.nan
        self._good_s = math.nan
        self._held_band = 0.0
        self._band_before_slip = math.nan
        self._refused_since_s = math.nan

    def take(self, update: DriftUpdate) -> None:
        """Take the newest form drift of the tilt; one without a number does not unlearn the last."""
        if math.isfinite(update.change) or self.update is None or update.verdict == "slip":
            self.update = update

    def slipped(self) -> None:
        """From here on the band may widen and not shrink."""
        if math.isnan(self._band_before_slip):
            self._band_before_slip = self.band
        self._held_band = max(self._held_band, self.band if math.isfinite(self.band) else 0.0)

    def refuse_if(self, reason: str, t_s: float) -> None:
        """Note since when the tilt cannot be told."""
        if not reason:
            self._refused_since_s = math.nan
        elif math.isnan(self._refused_since_s):
            self._refused_since_s = t_s

    def look(self, t_s: float, *, moved: bool) -> None:
        """Move the shown number if it is due, or if the word beside it has just changed."""
        update = self.update
        if update is None or math.isfinite(self._refused_since_s) or not math.isfinite(update.change):
            return
        self._good_s = t_s
        width_moved = abs((update.high - update.low) - (self._high - self._low)) >= 2.0 * _DEAD_BAND_DEG
        if moved or width_moved or not abs(update.change - self.value) < _DEAD_BAND_DEG:
            self.value, self._low, self._high = update.change, update.low, update.high

    @property
    def is_known(self) -> bool:
        """Whether there is a start to compare with."""
        return self.update is not None and math.isfinite(self.update.change)

    @property
    def is_slip(self) -> bool:
        """Whether form drift says that the number rests on a slip."""
        return self.update is not None and self.update.verdict == "slip"

    @property
    def band(self) -> float:
        """Smallest change that can be told from noise, deg."""
        if self.update is None or not math.isfinite(self.update.detectable_change):
            return self._held_band or math.nan
        return max(self.update.detectable_change, self._held_band)

    def state(self, t_s: float, word: str, reason: str, ready_in_s: float | None) -> dict[str, Any]:
        """What the page shows of it; ``words`` stands under the number."""
        known = math.isfinite(self.value)
        way = "forward" if self.value > 0 else "back"
        last = None
        if word == "sensor" and known:
            last = {"value": self.value, "way": way, "age_s": max(0.0, t_s - self._good_s)}
        return {
            "value": self.value if known and word not in ("sensor", "learning") else None,
            "low": _or_none(self._low),
            "high": _or_none(self._high),
            "band": _or_none(self.band),
            "band_before_slip": _or_none(self._band_before_slip),
            "way": way if word in ("watch", "drifting") else "",
            "words": {
                "learning": "measuring your start",
                "steady": "no clear change",
                "watch": f"{way}?",
                "drifting": way,
                "sensor": reason or "no pelvis signal",
            }[word],
            "verdict": self.update.verdict if self.update else "",
            "last_good": last,
            "ready_in_s": ready_in_s if word == "learning" else None,
        }


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
