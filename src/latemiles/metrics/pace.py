"""Speed as the filters are told it: smoothed, at every sample of the grid."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.estimators.course import Course, no_course
from latemiles.kernels.pace import lag_words, pace_at
from latemiles.metrics.packing import pack, unpack
from latemiles.metrics.speed import BRIDGE_S, HOLD_S, KEPT_S, SpeedTrack, words_of
from latemiles.signals.records import Speed

__all__ = ["Pace"]

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

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
        All words of an earlier pass: the low-pass is then symmetric, and ``tell_many`` changes nothing.
    is_over_ground : bool
        Whether it is known that the runner moves over ground, where a change of speed is felt; on a
        treadmill it is the belt that gains speed. Only with ``told``.
    """

    def __init__(self, told: Iterable[Speed] = (), *, is_over_ground: bool = False) -> None:
        self._track = SpeedTrack()
        self._words = self._heard(words_of(told))[0]
        """Time, s, and speed after the low-pass, m/s, of each word that is kept, (n, 2)."""
        self._forgotten = 0
        """Words before those."""
        self.is_told = len(self._words) > 0
        """Whether all words are known."""
        # Through the low-pass one way and back: no lag.
        for is_backward in (False, True):
            lag_words(self._words, PACE_TAU_S, BRIDGE_S, is_backward)
        self._gains = self.is_told and is_over_ground
        self._settled: list[tuple[int, int]] = []
        """Ends of samples that come next and how many words they shall go by, though more are known since."""

    def tell_many(self, words: F8) -> None:
        """Hear words (m, 3) of the source, as ``words_of`` gives them."""
        if not self.is_told:
            self._keep(self._heard(words)[0])

    def tell_settled(self, words: F8, first: int, stops: Sequence[int]) -> None:
        """The same, where samples of the grid up to each of ``stops`` came before the word.

        Those go by the words before it though they are asked for later; ``first`` is asked for next.
        """
        said, new = self._heard(words)
        before = self._forgotten + len(self._words) + np.cumsum(new) - new
        done = self._settled[-1][0] if self._settled else first
        for stop, known in zip(stops, before.tolist(), strict=True):
            if stop > done:
                self._settled.append((stop, known))
                done = stop
        self._keep(said)

    def at(self, t_s: float) -> float:
        """Speed at a session time, m/s; NaN where the source is silent."""
        return float(self.at_each(np.array([t_s]))[0])

    def at_each(self, t_s: F8) -> F8:
        """The same at rising times (n,)."""
        return self._at(t_s)

    def course(self, first: int, k: int, rate_hz: float) -> Course:
        """Speed at k samples of the grid from ``first`` on."""
        if not len(self._words):
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
            known[at : stop - first + 1] = max(0, words - self._forgotten)
            at = stop - first + 1
        self._settled = [(stop, words) for stop, words in self._settled if stop > first + k]
        return known

    def save(self) -> bytes:
        """Return the state as bytes."""
        return pack({"track": self._track.save()}, {"words": self._words})

    def load(self, state: bytes) -> None:
        """Continue from bytes of ``save``.

        Raises
        ------
        InputError
            If the bytes are not such a state.
        """
        facts, arrays = unpack(state)
        self._track.load(facts["track"])
        self._words = arrays["words"]

    def _heard(self, words: F8) -> tuple[F8, NDArray[np.bool_]]:
        """Time and speed (n, 2) of the words that say something new that can be, and which (m,) do."""
        taken = self._track.tell_many(words)
        new: NDArray[np.bool_] = (taken[:, 1] >= 0.0) & (taken[:, 1] <= FASTEST_M_S)
        return taken[new], new

    def _keep(self, words: F8) -> None:
        """Keep words (m, 2) after those that are kept; forget what is long over, many at once."""
        last = self._words[-1:]
        after = np.concatenate([last, words])
        lag_words(after, PACE_TAU_S, BRIDGE_S, False)
        kept = np.concatenate([self._words, after[len(last) :]])
        gone, times = 0, kept[:, 0]
        while len(times) and times[-1] - times[gone] > 2.0 * KEPT_S:
            newest = times[np.argmax(times - times[gone] > 2.0 * KEPT_S)]
            gone = int(np.searchsorted(times, newest - KEPT_S, "right"))
        self._words = kept[gone:]
        self._forgotten += gone

    def _at(self, t: F8, known: I8 | None = None) -> F8:
        """Speed at rising times (k,), by the first ``known`` (k,) words."""
        from_, to = np.searchsorted(self._words[:, 0], t[[0, -1]], "right").tolist()
        from_ = max(0, from_ - 1)
        near = self._words[from_ : to + 1]
        speed = np.empty(len(t))
        by = np.full(len(t), len(near)) if known is None else known - from_
        pace_at(near, t, by, BRIDGE_S, HOLD_S, speed)
        return speed
