"""Records at the pace at which they were heard, or faster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

from latemiles.session.live import record_arrival_ns
from latemiles.signals.records import Record

__all__ = ["paced"]

_YIELD_EVERY = 200
"""Records between two chances for the rest of the program, when no waiting is due."""


async def paced(records: Iterable[Record], speed: float | None) -> AsyncIterator[Record]:
    """Yield records when their time has come.

    Parameters
    ----------
    records : iterable of Record
        In order of arrival.
    speed : float or None
        Session seconds a second; None: as fast as it goes.

    Yields
    ------
    Record
        The same records, in the same order.
    """
    loop = asyncio.get_running_loop()
    started = loop.time()
    for number, record in enumerate(records):
        due_s = 0.0 if speed is None else record_arrival_ns(record) * 1e-9 / speed
        wait_s = started + due_s - loop.time()
        if speed is not None and wait_s > 0.0:
            await asyncio.sleep(wait_s)
        elif number % _YIELD_EVERY == 0:
            await asyncio.sleep(0.0)
        yield record
