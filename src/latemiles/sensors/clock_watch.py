"""A sensor's crystal against the computer's clock, from questions and answers over the link."""

from __future__ import annotations

from collections import deque
from math import nan
from typing import Final

import numpy as np

from latemiles.errors import PacketError
from latemiles.sensors import protocol
from latemiles.sensors.drivers import latemiles_v1

__all__ = ["ClockWatch"]

KEPT: Final = 64
"""Answers that are kept: half an hour of them in a run."""
_WRAP: Final = 1 << 32
_LEAST_SPAN_S: Final = 2.0


class ClockWatch:
    """Keeps the answers and tells the rate."""

    def __init__(self) -> None:
        self._asked: dict[int, float] = {}
        self._token = 0
        self._seen: deque[tuple[float, int, float]] = deque(maxlen=KEPT)

    def question(self, now_s: float) -> bytes:
        """What to write to the clock characteristic now."""
        self._token = (self._token + 1) % _WRAP
        # An answer that never came is forgotten.
        self._asked = {self._token: now_s}
        return protocol.clock_request(self._token)

    def answer(self, payload: bytes, now_s: float) -> bool:
        """Take what the sensor notified; False if it is no answer to the last question."""
        try:
            said = protocol.clock_answer(payload)
        except PacketError:
            return False
        asked_s = self._asked.pop(said.token, None)
        if asked_s is None:
            return False
        tick = said.received_tick
        if self._seen:
            last = self._seen[-1][1]
            tick = last + (tick - last + _WRAP // 2) % _WRAP - _WRAP // 2
        self._seen.append((0.5 * (asked_s + now_s), tick, max(now_s - asked_s, 1e-4)))
        return True

    def restart(self) -> None:
        """Forget everything: the sensor started over."""
        self._seen.clear()

    @property
    def rate_ppm(self) -> float:
        """How much the crystal gains (+) or loses (-), parts in a million; NaN before it can be told."""
        if len(self._seen) < 3 or self._seen[-1][0] - self._seen[0][0] < _LEAST_SPAN_S:
            return nan
        host, tick, trip = (np.array(column, dtype=np.float64) for column in zip(*self._seen, strict=True))
        # The quickest answers bound the offset best: weight by the round trip.
        device_s = (tick - tick[0]) / latemiles_v1.TICK_HZ
        slope = float(np.polyfit(host - host[0], device_s, 1, w=1.0 / trip)[0])
        return (slope - 1.0) * 1e6

    @property
    def round_trip_ms(self) -> float:
        """Usual time from question to answer, ms; NaN before the first."""
        return float(np.median([trip for _, _, trip in self._seen])) * 1e3 if self._seen else nan
