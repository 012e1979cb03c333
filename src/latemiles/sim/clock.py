"""An event loop whose time is simulated: it stands still while there is work and jumps when there is none.

Whatever runs in it, bleak and Bumble included, keeps its own timeouts and constants, and what comes out does
not depend on how fast the machine is.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

__all__ = ["VirtualTimeLoop", "run_in_virtual_time"]

T = TypeVar("T")

_LOOK_EVERY: Final = 64
"""Turns of a loop that has work between two looks at the system: each look gives the interpreter away, and
getting it back from a busy thread takes milliseconds."""

_MOST_LATE_S: Final = 0.5
"""A world that was held up for less catches up, s of real time; after longer it stays behind, for catching up
would starve the rest."""
_FAST: Final = 5.0
_AHEAD_S: Final = 0.005
"""A world faster than ``_FAST`` times life may be ahead of its time by so much, then it rests; s."""


class _JumpingSelector(selectors.BaseSelector):
    """Waits for sockets as usual, but lets virtual time jump over the waiting."""

    def __init__(self, speed: float | None) -> None:
        self.now_s = 0.0
        self._speed = speed
        self._ahead_s = _AHEAD_S if speed is not None and speed > _FAST else 0.0
        self._inner = selectors.DefaultSelector()
        self._anchor: tuple[float, float] | None = None
        self._turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            # Nothing is planned: only another thread or a socket can bring news.
            return self._inner.select(None)
        if timeout <= 0.0:
            return self._look()
        wait_s = self._due_in(timeout)
        events = self._inner.select(wait_s) if wait_s > 0.0 else self._look()
        if not events:
            self.now_s += timeout
        elif wait_s > 0.0 and self._speed is not None and self._anchor is not None:
            real, virtual = self._anchor
            passed = virtual + (time.monotonic() - real) * self._speed
            self.now_s = min(max(self.now_s, passed), self.now_s + timeout)
        return events

    def _look(self) -> list[tuple[selectors.SelectorKey, int]]:
        """What there is at once; a loop without sockets of others hears of its own by its list of work."""
        self._turns += 1
        if len(self._inner.get_map()) <= 1 and self._turns % _LOOK_EVERY:
            return []
        return self._inner.select(0.0)

    def _due_in(self, timeout: float) -> float:
        """Real seconds to wait until ``timeout`` virtual ones have passed; 0 when running late."""
        if self._speed is None:
            return 0.0
        now = time.monotonic()
        if self._anchor is None:
            self._anchor = (now, self.now_s)
        real, virtual = self._anchor
        wait_s = real + (self.now_s + timeout - virtual) / self._speed - now
        if wait_s < -_MOST_LATE_S:
            self._anchor = (now - _MOST_LATE_S, self.now_s + timeout)
        return wait_s if wait_s > self._ahead_s else 0.0

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._inner.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.modify(fileobj, events, data)

    def close(self) -> None:
        self._inner.close()

    def get_map(self) -> Any:
        return self._inner.get_map()


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Event loop with simulated time.

    Parameters
    ----------
    speed : float or None
        Virtual seconds a real second at most; None: as fast as the work gets done. A machine that is too slow
        for the speed falls behind and nothing else changes.
    """

    def __init__(self, speed: float | None = None) -> None:
        self._jumping = _JumpingSelector(speed)
        super().__init__(self._jumping)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._jumping.now_s


def run_in_virtual_time(main: Callable[[], Coroutine[Any, Any, T]], speed: float | None = None) -> T:
    """Run a coroutine to its end in a new loop with simulated time.

    Parameters
    ----------
    main : callable
        Makes the coroutine.
    speed : float or None
        As of ``VirtualTimeLoop``.
    """
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(speed)) as runner:
        return runner.run(main())
