"""Whether the runner turns: bends that speed accounts for, sharp ones, and that there was one at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from latemiles.estimators.thinned import Thinned

__all__ = ["Turns"]

_HEADING_LOST_S: Final = 10.0
"""How long a gap is seen in the heading: the span of its mean, and of its rate, s."""
_A_BEND_RAD: Final = 1.0
"""Turn that is a bend of the way, rad."""


class Turns:
    """Watches the heading of the pelvis.

    Parameters
    ----------
    thinned : Thinned
        Whose headings they are.
    pace : callable
        Speed over ground (m/s, NaN while unknown) at a session time, as the orientation stage was told it.
    """

    def __init__(self, thinned: Thinned, pace: Callable[[float], float]) -> None:
        self._thinned = thinned
        self._pace = pace
        self._turned = 0.0
        """So far in one bend, rad."""
        self._since_s = _HEADING_LOST_S
        """Time since the pelvis was last missing, s."""
        self.is_over_ground = False
        """Whether the runner has run through a bend: nobody does so on a treadmill."""

    def bends(self, end: int, t_s: float) -> bool:
        """Whether the runner turns, by the bins before ``end``, more than speed at ``t_s`` accounts for."""
        p, rate = self._thinned.params, abs(self._thinned.turning(end))
        if rate <= p.bend_rad_s:
            return False
        across = rate * self._pace(t_s)
        return not (across <= p.sharp_m_s2 and rate <= p.sharp_rad_s)

    def mind(self, end: int, missing_s: float, *, is_running: bool) -> None:
        """Look for a bend in running; after a gap the heading starts anew, which is none."""
        step_s, rate = self._thinned.step_s, self._thinned.turning(end)
        self._since_s = 0.0 if missing_s > 0.0 else min(self._since_s + step_s, _HEADING_LOST_S)
        is_sound = self._since_s >= _HEADING_LOST_S and is_running
        turns = is_sound and abs(rate) > self._thinned.params.bend_rad_s
        self._turned = self._turned + rate * step_s if turns else 0.0
        self.is_over_ground = self.is_over_ground or abs(self._turned) > _A_BEND_RAD

    def save(self) -> list[float]:
        """State as plain values."""
        return [self._turned, self._since_s, self.is_over_ground]

    def load(self, state: list[float]) -> None:
        """Continue from ``save``."""
        self._turned, self._since_s, is_over_ground = state
        self.is_over_ground = bool(is_over_ground)
