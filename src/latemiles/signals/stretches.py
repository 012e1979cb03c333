"""Many records at once: packets in arrays, for whoever has a whole run at hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.signals.frames import Segment
from latemiles.signals.records import Gone, Link, Packet, Record, RunHeader, Speed

__all__ = ["Stretch", "stretches_of", "with_lanes", "with_speeds"]

I8 = NDArray[np.int64]

MOST_PACKETS: Final = 2048
"""In a stretch that is put together from records: half a minute of three sensors."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of a run: its packets in arrays, and what else was heard between them.

    ``Pipeline.push_stretch`` makes of it what ``push`` makes of its records one by one.
    """

    data: bytes
    """Holds the payloads; other bytes may lie between them."""
    arrival_ns: I8
    """(n,) of each packet, in order of arrival."""
    lane: I8
    """(n,) ``Segment.lane`` of each packet's sensor."""
    start: I8
    """(n,) where its payload begins in ``data``,"""
    stop: I8
    """(n,) and ends."""
    others: tuple[tuple[int, Record], ...] = ()
    """Records that are no packets, in order; each with the number of packets heard before it."""

    @property
    def end_ns(self) -> int:
        """Latest arrival in it; 0 where nothing arrived."""
        others = max((_arrival_ns(record) for _, record in self.others), default=0)
        return max(int(self.arrival_ns.max(initial=0)), others)


def stretches_of(records: Iterable[Record], most: int = MOST_PACKETS) -> Iterator[Stretch]:
    """Records as stretches of up to ``most`` packets, in the same order."""
    packets: list[Packet] = []
    others: list[tuple[int, Record]] = []
    for record in records:
        if isinstance(record, Packet):
            packets.append(record)
        else:
            others.append((len(packets), record))
        if len(packets) >= most:
            yield _stretch(packets, others)
            packets, others = [], []
    if packets or others:
        yield _stretch(packets, others)


def with_speeds(stretches: Iterable[Stretch], speeds: Iterable[Speed]) -> Iterator[Stretch]:
    """Stretches with further words of speed, which come in order of arrival, put in their place."""
    waiting = list(speeds)[::-1]
    for stretch in stretches:
        heard = np.maximum.accumulate(stretch.arrival_ns)
        others = list(stretch.others)
        while waiting and waiting[-1].arrival_ns < stretch.end_ns:
            speed = waiting.pop()
            before = int(np.searchsorted(heard, speed.arrival_ns, side="right"))
            at = next(
                (k for k, other in enumerate(others) if _is_after(other, before, speed.arrival_ns)),
                len(others),
            )
            others.insert(at, (min(before, others[at][0]) if at < len(others) else before, speed))
        yield replace(stretch, others=tuple(others))
    if waiting:
        yield _stretch([], [(0, speed) for speed in reversed(waiting)])


def with_lanes(stretches: Iterable[Stretch], other: Mapping[Segment, Segment]) -> Iterator[Stretch]:
    """Stretches whose sensors sit elsewhere than they say: a segment is the ``other`` one, if any."""
    lanes = np.array([other.get(segment, segment).lane for segment in Segment], dtype=np.int64)
    for stretch in stretches:
        others = tuple(
            (before, replace(record, segment=other.get(record.segment, record.segment)))
            if isinstance(record, Gone | Link)
            else (before, record)
            for before, record in stretch.others
        )
        yield replace(stretch, lane=lanes[stretch.lane], others=others)


def _is_after(other: tuple[int, Record], before: int, arrival_ns: int) -> bool:
    place, record = other
    return place > before or _arrival_ns(record) > arrival_ns


def _arrival_ns(record: Record) -> int:
    return -1 if isinstance(record, RunHeader) else record.arrival_ns


def _stretch(packets: list[Packet], others: list[tuple[int, Record]]) -> Stretch:
    edges = np.zeros(len(packets) + 1, dtype=np.int64)
    np.cumsum([len(p.payload) for p in packets], out=edges[1:])
    return Stretch(
        b"".join(p.payload for p in packets),
        np.array([p.arrival_ns for p in packets], dtype=np.int64),
        np.array([p.segment.lane for p in packets], dtype=np.int64),
        edges[:-1],
        edges[1:],
        tuple(others),
    )
