"""What a sink follows and what it may say: the contract between the store, a follower and a sink.

The store is not imported: a sink sees it as an `Outbox`, rows in one order with a cursor a sink.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from latemiles.errors import LatemilesError
from latemiles.signals.events import Event

__all__ = ["Outbox", "Rejected", "Row", "Sink", "SinkError", "SinkRefused", "SinkUnavailable"]


class SinkError(LatemilesError):
    """A sink cannot deliver now; nothing is lost, the rows wait in the store."""


class SinkUnavailable(SinkError):
    """The other side does not answer, or answers that it cannot now: tried again by itself."""


class SinkRefused(SinkError):
    """The other side answers and refuses (password, token, name, certificate): a person must mend it."""


class Row(Protocol):
    """One event on its way to a sink; `store.OutboxRow` is one."""

    @property
    def id(self) -> int:
        """Place in the outbox; rises, never given twice."""
        ...

    @property
    def run(self) -> str:
        """Run id."""
        ...

    @property
    def athlete(self) -> str:
        """Pseudonym of the runner."""
        ...

    @property
    def started_utc_ns(self) -> int:
        """Wall-clock time of session zero, ns since 1970 UTC; 0 where unknown."""
        ...

    @property
    def kind(self) -> str:
        """``stride``, ``split``, ``mark``, ..."""
        ...

    @property
    def event(self) -> Event:
        """What happened."""
        ...


class Outbox(Protocol):
    """Rows that wait, with a cursor for each sink; `store.Store` is one."""

    def follow(self, sink: str, limit: int = 500, *, back: int = 0) -> Sequence[Row]:
        """The next rows that a sink has not confirmed, beginning ``back`` rows before its cursor."""
        ...

    def advance(self, sink: str, row_id: int) -> None:
        """Note that a sink has everything up to this row."""
        ...

    def set_aside(self, sink: str, row_id: int, problem: str) -> None:
        """Keep a row that a sink will never take, with the reason."""
        ...


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that the other side will never take."""

    row_id: int
    problem: str


class Sink(Protocol):
    """Where rows go. Delivering a row again must leave the other side as it was after the first time."""

    @property
    def name(self) -> str:
        """Name of its cursor in the store: ``influx``, ``mqtt``, ``jsonl``."""
        ...

    @property
    def label(self) -> str:
        """The other side in words, without secrets, such as ``InfluxDB at http://host:8086``."""
        ...

    @property
    def resend_rows(self) -> int:
        """Rows sent again after an outage: what the other side may have confirmed and then lost."""
        ...

    async def open(self) -> None:
        """Connect.

        Raises
        ------
        SinkError
            If the other side does not answer or refuses.
        """
        ...

    async def deliver(self, rows: Sequence[Row]) -> Sequence[Rejected]:
        """Hand over rows, in order, and return once the other side has confirmed them.

        Returns
        -------
        sequence of Rejected
            Rows that it will never take; all others are delivered.

        Raises
        ------
        SinkError
            If it cannot take them now; any of them may have arrived.
        """
        ...

    async def idle(self) -> None:
        """Notice a lost connection while there is nothing to deliver; raises SinkError."""
        ...

    async def close(self) -> None:
        """Let go of the connection; never raises SinkError."""
        ...
