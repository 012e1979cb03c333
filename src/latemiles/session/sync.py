"""Backfill: rows that no server was there for, sent later; and rows of chosen runs, sent again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from latemiles.session.sink_settings import SinkSettings
from latemiles.sinks.follower import Follower
from latemiles.sinks.outbox import Outbox, Sink, SinkError
from latemiles.store import OutboxRow, Store

__all__ = ["SyncResult", "sync"]

Progress = Callable[[str, int, int], None]
"""Told the sink's label, rows delivered, and rows in all."""


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What one sink took."""

    label: str
    delivered: int
    rejected: int
    problem: str = ""
    """Why it did not take everything; empty where it did."""


class _OneRun:
    """The rows of one run as an outbox with a cursor of its own, in memory only."""

    def __init__(self, store: Store, run: str) -> None:
        self._store, self._run = store, run
        self._after = 0

    def follow(self, sink: str, limit: int = 500, *, back: int = 0) -> list[OutboxRow]:
        """The next rows of the run."""
        del sink, back  # The whole run is sent again anyway.
        return self._store.run_rows(self._run, self._after, limit)

    def advance(self, sink: str, row_id: int) -> None:
        """Go on behind this row; the sink's place in the store stays as it is."""
        del sink
        self._after = row_id

    def set_aside(self, sink: str, row_id: int, problem: str) -> None:
        """Keep a row that was refused."""
        self._store.set_aside(sink, row_id, problem)


async def sync(
    store: Store, sinks: Sequence[Sink], runs: Sequence[str], progress: Progress
) -> list[SyncResult]:
    """Send what waits to every sink; with runs, send all of those runs again.

    Parameters
    ----------
    store : Store
        Where the runs are.
    sinks : sequence of Sink
        Where they go; one after another.
    runs : sequence of str
        Run ids; none: whatever a sink has not confirmed.
    progress : callable
        Told after every batch.

    Returns
    -------
    list of SyncResult
        One a sink; what was confirmed stays so, whatever went wrong after it.

    Raises
    ------
    StoreError
        If a run is not in the store.
    """
    for run in runs:
        store.run(run)
    return [await _send(store, sink, runs, progress) for sink in sinks]


async def _send(store: Store, sink: Sink, runs: Sequence[str], progress: Progress) -> SyncResult:
    outboxes: list[Outbox] = [_OneRun(store, run) for run in runs]
    total = sum(store.run_length(run) for run in runs) if runs else store.waiting(sink.name)
    delivered = rejected = 0
    for outbox in outboxes or [store]:
        follower = Follower(outbox, sink, lambda _line: None)

        def tell(rows: int, before: int = delivered) -> None:
            progress(sink.label, before + rows, total)

        problem = ""
        try:
            await follower.drain(tell)
        except SinkError as error:
            problem = str(error)
        delivered += follower.delivered
        rejected += follower.rejected
        if problem:
            return SyncResult(sink.label, delivered, rejected, problem)
    return SyncResult(sink.label, delivered, rejected)


def sync_now(
    store: Store, settings: SinkSettings, runs: Sequence[str], progress: Progress
) -> list[SyncResult]:
    """`sync` with the configured sinks, in an event loop of its own."""
    from latemiles.session.followers import make_sinks

    return asyncio.run(sync(store, make_sinks(settings), runs, progress))
