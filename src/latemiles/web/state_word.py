"""The one word of the runner's page, and how slowly it may change."""

from __future__ import annotations

import math

from latemiles.signals.events import DriftUpdate

__all__ = ["LEAST_WORD_S", "LOOK_S", "WordKeeper", "wanted_word"]

LOOK_S = 2.0
"""Time between two looks, s: live numbers change no faster."""

LEAST_WORD_S = 20.0
"""A word stands at least this long, s; `sensor` is exempt both ways."""

_LOOKS_NEEDED = 2


def wanted_word(update: DriftUpdate | None, band: float) -> str:
    """What one look at the tilt would say by itself, by the verdict of form drift.

    Parameters
    ----------
    update : DriftUpdate or None
        Newest form drift of the tilt.
    band : float
        Smallest change that can be told from noise, deg; after a slip it may be wider than the update's own.

    Returns
    -------
    str
        ``learning`` before the start is known; ``steady`` while the change lies inside the band;
        ``drifting`` for a clear change, or when the whole interval lies beyond the band; ``watch`` for a
        change beyond the band that is less sure, or that cannot be told from the speed's; ``sensor`` when
        the verdict is a slip.
    """
    if update is None or not math.isfinite(update.change):
        return "learning"
    if update.verdict == "slip":
        return "sensor"
    if abs(update.change) <= band:
        return "steady"
    is_sure = update.verdict == "clear change" or update.low > band or update.high < -band
    return "drifting" if is_sure and update.verdict != "cannot separate" else "watch"


class WordKeeper:
    """Keeps the word calm: two agreeing looks to change it, at most one change in 20 s.

    `drifting` goes to `steady` only through `watch`, also when `sensor` came between; `sensor` comes at
    once. Time is the time of events, so a replay at any speed gives the same words.
    """

    __slots__ = ("_before_sensor", "_changed_s", "_votes", "_wanted", "word")

    def __init__(self) -> None:
        self.word = "learning"
        self._before_sensor = "learning"
        self._changed_s = -math.inf
        self._wanted = ""
        self._votes = 0

    def look(self, t_s: float, wanted: str) -> bool:
        """Take one look, ``LOOK_S`` after the last one; True if the word changed."""
        was = self._before_sensor if self.word == "sensor" else self.word
        if was == "drifting" and wanted == "steady":
            wanted = "watch"
        if wanted == self.word:
            self._votes = 0
            return False
        if wanted == "sensor":
            self._before_sensor = self.word
            self.word, self._votes = wanted, 0
            return True
        self._votes = self._votes + 1 if wanted == self._wanted else 1
        self._wanted = wanted
        resting = self.word not in ("sensor", "learning") and t_s - self._changed_s < LEAST_WORD_S
        if self._votes < _LOOKS_NEEDED or resting:
            return False
        if wanted != was:
            self._changed_s = t_s
        self.word, self._votes = wanted, 0
        return True
