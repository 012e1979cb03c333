"""Where a run listens: the system's Bluetooth in real time, or a virtual world in a time of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from latemiles.sensors.ble import BleStack
from latemiles.session.connect import Reception, ReceptionPlan, reception
from latemiles.session.hand_over import HandOver
from latemiles.session.receiver import GATHER_S, Receiver, Run, in_real_time

__all__ = ["Air", "Desk"]

T = TypeVar("T")

WAITING: Final = 16384
"""Records that may wait for the session: five minutes of three sensors, 5 MB."""


def _cannot_wait() -> HandOver:
    """A real radio is not held up by what the session computes."""
    return HandOver(WAITING, can_wait=False)


class Desk:
    """Questions to sensors outside a run: who is there, where it sits, how it is."""

    def ask(self, work: Callable[[BleStack], Coroutine[Any, Any, T]], adapter: str | None = None) -> T:
        """Do something with sensors within reach; what came of it.

        Parameters
        ----------
        work : callable
            Given the Bluetooth it is done with.
        adapter : str or None
            Which adapter, where there are several.
        """
        return asyncio.run(work(BleStack(adapter=adapter)))


@dataclass(frozen=True, slots=True)
class Air:
    """Where and in which time a run listens; as it is made, to real sensors."""

    listening: Callable[[ReceptionPlan], AbstractAsyncContextManager[Reception]] = reception
    run: Run = in_real_time
    """Runs a coroutine to its end in the loop in which it is listened."""
    hand_over: Callable[[], HandOver] = _cannot_wait
    lasts_s: float | None = None
    """A world that ends; None: a run ends when it is told to."""
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    """Waits for seconds of a person's time."""
    desk: Desk = field(default_factory=Desk)
    source: str = "live"
    """What a run's header says of where its samples are from."""

    def receiver(
        self,
        plan: Callable[[], ReceptionPlan],
        *,
        begun_s: Callable[[], float] = lambda: 0.0,
        gather_s: float = GATHER_S,
    ) -> Receiver:
        """The thread that will listen.

        Parameters
        ----------
        plan : callable
            Which sensors; asked in the thread.
        begun_s, gather_s
            As of ``Receiver``.
        """
        return Receiver(
            lambda: self.listening(plan()),
            self.hand_over(),
            self.run,
            lasts_s=self.lasts_s,
            begun_s=begun_s,
            gather_s=gather_s,
        )
