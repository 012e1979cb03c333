"""Whether a cancellation is meant for the task that sees it."""

from __future__ import annotations

import asyncio

__all__ = ["asked_to_end"]


def asked_to_end() -> bool:
    """Whether somebody asked the running task to end.

    A library that cancels a future of its own raises ``CancelledError`` into whoever waits for it, although
    nobody wants that task to end. Taken as an end, it would silently be one.
    """
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
