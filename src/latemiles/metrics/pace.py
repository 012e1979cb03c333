"""Speed as the filters are told it: smoothed, at every sample of the grid."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.estimators.course import Course, no_course
from latemiles.kernels.pace import pace_at
from latemiles.metrics.packing import pack, unpack
from latemiles.metrics.speed import BRIDGE_S, HOLD_S, KEPT_S, SpeedTrack
from latemiles.signals.records import Speed

__all__ = ["Pace"]

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
Word = tuple[float, float]

PACE_TAU_S: Final = 3.0
"""Time constant of the low-pass of the words, s: a receiver of GPS errs by 0.1 m/s anew every few seconds,
and nobody changes pace lastingly in less."""
FASTEST_M_S: Final = 13.0
"""Nobody runs faster; a receiver of GPS may say so."""
CHANGE_S: Final = 8.0
"""A change of speed is judged from so much before to so much after, s."""
CHANGE_M_S: Final = 0.5
"""Change over that time that is believed by half: several times what a receiver's noise makes of it."""


class Pace:
    """Speed at any moment, from what was said so far or from all that was said.

    Parameters
    ----------
    told : iterable of Speed
        All words of an earlier pass: the low-pass is then symmetric, and ``tell`` changes nothing.
    is_over_ground : bool
        Whether it is known that the runner moves over ground, where a change of speed is felt; on a
        treadmill it is the belt that gains speed. Only with ``told``.
    """

    def __init__(self, told: Iterable[Speed] = (), *, is_over_ground: bool = False) -> None:
        self._track = SpeedTrack()
        self._words: list[Word] = []
        self.is_told = False
        """Whether all words are known."""
        words = [word for record in told if (word := self._heard(record)) is not None]
        if words:
            # Through the low-pass one way and back: no lag.
            back = _lowpassed([(-t, v) for t, v in reversed(_lowpassed(words))])
            self._words = [(-t, v) for t, v in reversed(back)]
            self.is_told = True
        self._gains = self.is_told and is_over_ground
        self._settled: list[tuple[int, int]] = []
        """Ends of samples that come next and how many words they shall go by, though more are known since."""

    def tell(self, record: Speed) -> None:
        """Hear one word of the source."""
        if self.is_told:
            return
        word = self._heard(record)
        if word is not None:
            self._words.append(_next(self._words[-1:], word))
            if word[0] - self._words[0][0] > 2.0 * KEPT_S:
                # Many at once: a list is slow to forget its first.
                gone = bisect_right(self._words, (word[0] - KEPT_S, math.inf))
                del self._words[:gone]
                self._settled = [(stop, max(0, known - gone)) for stop, known in self._settled]

    def at(self, t_s: float) -> float:
        """Speed at a session time, m/s; NaN where the source is silent."""
        return float(self.at_each(np.array([t_s]))[0])

    def at_each(self, t_s: F8) -> F8:
        """The same at rising times (n,)."""
        return self._at(t_s)

    def settle(self, first: int, stop: int, rate_hz: float) -> None:
        """Let the course of samples up to ``stop`` be what is known now; ``first`` is asked for next."""
        done = self._settled[-1][0] if self._settled else first
        if stop > done:
            self._settled.append((stop, len(self._words)))

    def course(self, first: int, k: int, rate_hz: float) -> Course:
        """Speed at k samples of the grid from ``first`` on."""
        if not self._words:
            return no_course(k)
        t = (first + np.arange(-1, k)) / rate_hz
        pace = self._at(t, self._known(first, k))
        gained = np.zeros(k)
        if self._gains:
            around = self._at(t[1:] + CHANGE_S) - self._at(t[1:] - CHANGE_S)
            trust = around**2 / (around**2 + CHANGE_M_S**2)
            gained = np.nan_to_num(trust * np.diff(pace))
        return Course(pace[1:], gained)

    def _known(self, first: int, k: int) -> I8 | None:
        """How many words each of k samples and the one before go by; None: all. Forgets what is over."""
        if not self._settled:
            return None
        known = np.full(k + 1, len(self._words), dtype=np.int64)
        at = 0
        for stop, words in self._settled:
            known[at : stop - first + 1] = words
            at = stop - first + 1
        self._settled = [(stop, words) for stop, words in self._settled if stop > first + k]
        return known

    def save(self) -> bytes:
        """Return the state as bytes."""
        return pack({"track": self._track.save()}, {"words": np.array(self._words).reshape(-1, 2)})

    def load(self, state: bytes) -> None:
        """Continue from bytes of ``save``.

        Raises
        ------
        InputError
            If the bytes are not such a state.
        """
        facts, arrays = unpack(state)
        self._track.load(facts["track"])
        self._words = [(float(t), float(v)) for t, v in arrays["words"]]

    def _heard(self, record: Speed) -> Word | None:
        """The record's time and speed; None if it says nothing new, or nothing that can be."""
        word = self._track.tell(record)
        return word if word is not None and 0.0 <= word[1] <= FASTEST_M_S else None

    def _at(self, t: F8, known: I8 | None = None) -> F8:
        """Speed at rising times (k,), by the first ``known`` (k,) words."""
        from_, to = (bisect_right(self._words, (float(end), math.inf)) for end in (t[0], t[-1]))
        from_ = max(0, from_ - 1)
        near = np.array(self._words[from_ : to + 1]).reshape(-1, 2)
        speed = np.empty(len(t))
        by = np.full(len(t), len(near)) if known is None else known - from_
        pace_at(near, t, by, BRIDGE_S, HOLD_S, speed)
        return speed


def _next(before: list[Word], word: Word) -> Word:
    """The low-pass's answer to one more word; after a long silence it starts anew."""
    t, speed = word
    if before and t - before[-1][0] <= BRIDGE_S:
        speed = before[-1][1] - math.expm1(-(t - before[-1][0]) / PACE_TAU_S) * (speed - before[-1][1])
    return t, speed


def _lowpassed(words: list[Word]) -> list[Word]:
    out: list[Word] = []
    for word in words:
        out.append(_next(out[-1:], word))
    return out
