"""From the session to any number of pages: lossy, newest wins, never in the session's way.

A page gets a *state* at each look. Who asks for it also gets *pulses*: the posture ten times a second and
every stride as it ends, with no look in between.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import degrees, isfinite
from typing import Any

from latemiles.metrics.catalogue import NUMERIC_COLUMNS
from latemiles.signals.events import Event, LiveState, Stride
from latemiles.signals.records import Record
from latemiles.web.view_model import LiveView

__all__ = ["LiveBoard", "LiveBroadcast", "LivePage", "Subscriber"]

_MOST_ENDED = 12
"""Runs that are over and stay on the board; the oldest leave first."""
_WAITING = 2
"""States that wait for a slow page; an older one is dropped."""
_STRIDES_WAITING = 64
"""Strides that wait for a slow page: twenty seconds of running."""


class Subscriber:
    """One page's place in the broadcast.

    Parameters
    ----------
    has_pulse : bool
        Whether it asked for pulses too.
    """

    __slots__ = ("_news", "_posture", "_strides", "_waiting", "dropped", "has_pulse")

    def __init__(self, *, has_pulse: bool = False) -> None:
        self.has_pulse = has_pulse
        self.dropped = 0
        """States this page was too slow for."""
        self._waiting: deque[dict[str, Any]] = deque(maxlen=_WAITING)
        self._posture: dict[str, Any] | None = None
        self._strides: deque[dict[str, Any]] = deque(maxlen=_STRIDES_WAITING)
        self._news = asyncio.Event()

    def put(self, state: dict[str, Any]) -> None:
        """Hand over a state; drops the oldest when two are waiting."""
        self.dropped += len(self._waiting) == _WAITING
        self._waiting.append(state)
        self._news.set()

    def put_pulse(self, posture: dict[str, Any] | None, strides: Sequence[dict[str, Any]]) -> None:
        """Hand over the newest posture and the strides that ended; an older posture is dropped."""
        self._posture = posture or self._posture
        self._strides += strides
        self._news.set()

    async def get(self) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """The next state and the next pulse, at least one of them; waits for one."""
        while not (self._waiting or self._posture or self._strides):
            self._news.clear()
            await self._news.wait()
        state = self._waiting.popleft() if self._waiting else None
        pulse = None
        if self._posture or self._strides:
            pulse = {"posture": self._posture, "strides": list(self._strides)}
            self._posture = None
            self._strides.clear()
        return state, pulse


class LiveBroadcast:
    """Newest state of the run that goes on, for every page that listens.

    Belongs to one event loop: ``offer`` is called on it, takes microseconds and cannot block.
    """

    def __init__(self) -> None:
        self.latest: dict[str, Any] | None = None
        """The newest state; None before a run began."""
        self.log: Sequence[dict[str, Any]] = ()
        """The run's append-only log; a page that lost states misses nothing of it."""
        self._subscribers: set[Subscriber] = set()

    def offer(self, state: dict[str, Any], log: Sequence[dict[str, Any]] = ()) -> None:
        """Show a state; ``log`` is the whole log so far, the same list each time, only appended to."""
        self.latest, self.log = state, log
        for subscriber in self._subscribers:
            subscriber.put(state)

    def pulse(self, events: Sequence[Event]) -> None:
        """Pass on the newest posture and the strides among some events, to those who asked for them."""
        listening = [subscriber for subscriber in self._subscribers if subscriber.has_pulse]
        if not listening:
            return
        postures = [_posture(event) for event in events if isinstance(event, LiveState)]
        strides = [_stride(event) for event in events if isinstance(event, Stride)]
        if postures or strides:
            for subscriber in listening:
                subscriber.put_pulse(postures[-1] if postures else None, strides)

    @contextmanager
    def join(self, *, has_pulse: bool = False) -> Iterator[Subscriber]:
        """A place in the broadcast; begins with the newest state, if there is one."""
        subscriber = Subscriber(has_pulse=has_pulse)
        if self.latest is not None:
            subscriber.put(self.latest)
        self._subscribers.add(subscriber)
        try:
            yield subscriber
        finally:
            self._subscribers.discard(subscriber)

    @property
    def listeners(self) -> int:
        """Pages that listen."""
        return len(self._subscribers)


class LiveBoard:
    """Several runs at once, in the order in which they came; a place never changes while its run is shown.

    Parameters
    ----------
    *broadcasts : LiveBroadcast
        Runs that are there from the beginning.
    """

    def __init__(self, *broadcasts: LiveBroadcast) -> None:
        self._broadcasts = list(broadcasts)

    def open(self) -> LiveBroadcast:
        """A place for one more run; runs that ended long ago make room."""
        ended = [b for b in self._broadcasts if b.latest is not None and b.latest["ended"]]
        for old in ended[: max(0, len(ended) - _MOST_ENDED + 1)]:
            self._broadcasts.remove(old)
        broadcast = LiveBroadcast()
        self._broadcasts.append(broadcast)
        return broadcast

    def place(self, run: str) -> LiveBroadcast:
        """The place of a run that was here before, such as one that is gone on with; else a new one."""
        return self.find(run) or self.open()

    def find(self, run: str | None) -> LiveBroadcast | None:
        """The broadcast of a run by name; without a name the newest that goes on, else the newest."""
        if run is not None:
            return next((b for b in self._shown() if b.latest is not None and b.latest["run"] == run), None)
        going_on = [b for b in self._shown() if b.latest is not None and not b.latest["ended"]]
        newest = going_on or self._shown() or self._broadcasts
        return newest[-1] if newest else None

    def tabs(self) -> list[dict[str, Any]]:
        """A line a run: whose it is, its word and its number."""
        return [_tab(b.latest) for b in self._shown() if b.latest is not None]

    def _shown(self) -> list[LiveBroadcast]:
        return [b for b in self._broadcasts if b.latest is not None]


def _tab(state: dict[str, Any]) -> dict[str, Any]:
    return {
        "run": state["run"],
        "athlete": state["athlete"],
        "word": state["word"],
        "change": state["tilt"]["value"],
        "ended": state["ended"],
    }


class LivePage:
    """What a session hands its events to: keeps the view and offers each new look to the pages.

    Parameters
    ----------
    view : LiveView
        The run's view.
    broadcast : LiveBroadcast
        Where the pages listen.
    """

    __slots__ = ("broadcast", "view")

    def __init__(self, view: LiveView, broadcast: LiveBroadcast) -> None:
        self.view, self.broadcast = view, broadcast
        self._offer()

    def take(self, events: Sequence[Event]) -> None:
        """Take the events of one record."""
        self.broadcast.pulse(events)
        if self.view.push(events):
            self._offer()

    def hear(self, record: Record) -> None:
        """Take a record for what no event tells; it is shown with the next look."""
        self.view.hear(record)

    def notice(self, t_s: float, words: str) -> None:
        """List a line about the session itself among the marks."""
        self.view.notice(t_s, words)
        self._offer()

    def finish(self) -> None:
        """Show the end of the run."""
        self.view.finish()
        self._offer()

    def _offer(self) -> None:
        self.broadcast.offer(self.view.state(), self.view.log)


def _posture(still: LiveState) -> dict[str, Any]:
    angles = {"pelvis_deg": still.pelvis, "hip_left_deg": still.hip_left, "hip_right_deg": still.hip_right}
    return {"t": still.t_s} | {name: [_degrees(x) for x in three] for name, three in angles.items()}


def _degrees(angle_rad: float) -> float | None:
    return round(degrees(angle_rad), 2) if isfinite(angle_rad) else None


def _stride(stride: Stride) -> dict[str, Any]:
    known = {
        name: round(value, 4)
        for name, value in zip(NUMERIC_COLUMNS, stride.values, strict=True)
        if isfinite(value)
    }
    return {"side": str(stride.side), "quality": stride.quality, **known}
