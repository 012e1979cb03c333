"""A run whose sensors are elsewhere, on the live page beside the others."""

from __future__ import annotations

from collections.abc import Sequence

from latemiles.signals.events import Event, LiveState
from latemiles.signals.records import Record
from latemiles.web.broadcast import LiveBoard, LiveBroadcast
from latemiles.web.view_model import LiveView

__all__ = ["ShownRun"]


class ShownRun:
    """One run's view, kept from its first record on, and its place on the board once it has one.

    A run that is resumed goes through ``take`` on another thread than the page's; only ``offer`` touches the
    board, and belongs to the page's loop.

    Parameters
    ----------
    run, athlete : str
        Its name in the store, and whose it is.
    units : str
        ``metric`` or ``mile``.
    """

    def __init__(self, run: str, athlete: str, units: str) -> None:
        self._run = run
        self._view: LiveView | None = LiveView(run, athlete, unit="km" if units == "metric" else "mile")
        self._place: LiveBroadcast | None = None
        self._still: LiveState | None = None
        self._has_news = True
        self._is_over = False

    def take(self, record: Record, events: Sequence[Event], still: LiveState) -> None:
        """Take a record, what the pipeline made of it, and its newest still."""
        if self._view is None:
            return
        self._view.hear(record)
        news = [*events] if still is self._still else [*events, still]
        self._still = still
        self._has_news = self._view.push(news) or self._has_news

    def finish(self, events: Sequence[Event]) -> None:
        """Take the last events of a run that is over."""
        if self._view is not None:
            self._view.push(events)
            self._view.finish()
        self._has_news = self._is_over = True

    def offer(self, board: LiveBoard) -> None:
        """Show what is new, if anything is."""
        if self._view is None or not self._has_news:
            return
        if self._place is None:
            self._place = board.place(self._run)
        self._has_news = False
        self._place.offer(self._view.state(), self._view.log)
        if self._is_over:
            # The board forgets runs that are over; nothing else may keep them while the server lives.
            self._view = self._place = None
