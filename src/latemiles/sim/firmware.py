"""What a sensor's firmware does, without a radio: the executable form of docs/sensor-protocol.md.

Samples go in as counts with their ticks; frames, results and status come out. No clock: the caller says when.
"""

from __future__ import annotations

import random
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import PacketError
from latemiles.sensors import about, protocol
from latemiles.sensors.about import StatusFlag
from latemiles.sensors.drivers import latemiles_v1
from latemiles.sensors.flash_log import PAGE_SAMPLES, LogList, page_bytes
from latemiles.sensors.protocol import Code, Command, Range, Result, State

__all__ = ["RING_BYTES", "ImuFirmware"]

RING_BYTES: Final = 120_000
"""RAM of an nRF52840 that is left for samples: 48 s at 208 Hz."""
_SAMPLE_BYTES: Final = 12
_FRAMES_AGAIN: Final = 28
"""Frames that were given to the radio before the end of a link and that nobody may have heard."""


class Ring:
    """The last samples with their ticks, by index."""

    def __init__(self, size: int) -> None:
        self._counts = np.zeros((size, 6), dtype=np.int16)
        self._ticks = np.zeros(size, dtype=np.int64)
        self._index = np.full(size, -1, dtype=np.int64)
        self.next_index = 0
        self._begin = 0

    @property
    def oldest(self) -> int:
        """Lowest index that may still be there."""
        return max(self._begin, self.next_index - len(self._ticks))

    def clear(self) -> None:
        """Start over at index 0."""
        self._index[:] = -1
        self.next_index = self._begin = 0

    def put(self, first_index: int, counts: NDArray[np.int16], ticks: NDArray[np.int64]) -> None:
        """Take samples; the first index may lie beyond the next one, then those between were never taken."""
        index = first_index + np.arange(len(ticks))
        slot = index % len(self._ticks)
        self._counts[slot], self._ticks[slot], self._index[slot] = counts, ticks, index
        self.next_index = first_index + len(ticks)

    def get(self, first: int, stop: int) -> tuple[int, NDArray[np.int16], NDArray[np.int64]]:
        """Samples from the first one at or after ``first`` that is there, without a hole, below ``stop``.

        Returns its index, counts and ticks; no rows if there are none.
        """
        index = np.arange(max(first, self.oldest), min(stop, self.next_index))
        slot = index % len(self._ticks)
        there = self._index[slot] == index
        if not there.any():
            return stop, self._counts[:0], self._ticks[:0]
        start = int(np.argmax(there))
        rest = there[start:]
        length = len(rest) if rest.all() else int(np.argmin(rest))
        slot = slot[start : start + length]
        return int(index[start]), self._counts[slot], self._ticks[slot]


@dataclass(slots=True)
class ImuFirmware:
    """State machine of one sensor.

    Parameters
    ----------
    serial : int
        Serial number.
    seed : int
        Of the session ids.
    ring_bytes : int
        Memory for samples.
    """

    serial: int
    seed: int = 0
    ring_bytes: int = RING_BYTES
    rate_hz: int = 208
    battery_percent: float = 100.0
    role: int = 0
    state: State = State.IDLE
    session: int = 0
    epoch: int = 0
    boots: int = 1
    dropped: int = 0
    """Live frames that the radio was too slow for; their samples are in the ring."""
    identified_s: int = 0
    """Seconds of blinking last asked for."""
    mtu: int = 23
    is_pressed: bool = False
    on_start: Callable[[], None] = lambda: None
    """Told when sampling begins."""
    log_capacity: int = 0
    """Pages of the flash log; 0: a board without flash."""
    log: deque[bytes] = field(default_factory=deque)
    log_first: int = 0
    log_reads: deque[bytes] = field(default_factory=deque)
    """Notifications of the log that are to be sent."""
    ring: Ring = field(init=False)
    start: protocol.Start = field(default_factory=protocol.Start)
    resends: deque[Range] = field(default_factory=deque)
    _live_from: int = 0
    _log_next: int = 0
    _sent_to: int = 0
    _was_dropped: bool = False
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.ring = Ring(self.ring_bytes // _SAMPLE_BYTES)
        self._random = random.Random(f"{self.serial}/{self.seed}")

    def info(self) -> about.Info:
        """What the info characteristic says."""
        return about.Info(
            firmware=(1, 0, 0),
            boots=self.boots,
            ring_bytes=self.ring_bytes,
            log_pages=self.log_capacity,
            serial=self.serial,
        )

    def status(self) -> about.Status:
        """What the status characteristic says."""
        return about.Status(
            state=self.state,
            role=self.role,
            battery_percent=int(max(0.0, self.battery_percent)),
            flags=StatusFlag.LOG_HAS_PAGES if self.log else 0,
            battery_mv=int(3300 + 9 * max(0.0, self.battery_percent)),
            temperature_c=31.0,
            session=self.session,
            next_index=self.ring.next_index,
            oldest_index=self.ring.oldest,
            dropped=0,
        )

    def reboot(self) -> None:
        """Start over: RAM is lost, the boot counter in flash is not."""
        self.boots += 1
        self.state = State.IDLE
        self.session = 0
        self.dropped = 0
        self.resends.clear()
        self.ring.clear()

    def link_up(self, mtu: int) -> None:
        """A host connected."""
        self.mtu = mtu
        if self.state in (State.IDLE, State.UNLINKED):
            self.state = State.READY if self.state is State.IDLE else State.STREAMING

    def link_down(self) -> None:
        """The host is gone; sampling goes on into the ring."""
        self.resends.clear()
        self.log_reads.clear()
        if self.state is State.STREAMING:
            self.state = State.UNLINKED
            # What the radio still held nobody heard: it is logged again.
            self._log_next = max(self.ring.oldest, self._sent_to - _FRAMES_AGAIN * self.start.samples)
        elif self.state is State.READY:
            self.state = State.IDLE

    @property
    def is_sampling(self) -> bool:
        """Whether samples are taken."""
        return self.state in (State.STREAMING, State.UNLINKED)

    def command(self, payload: bytes) -> Result:
        """Carry a command out."""
        if len(payload) < 2:
            return Result(0, 0, Code.WRONG_LENGTH)
        number, tag, body = payload[0], payload[1], payload[2:]
        try:
            if number == Command.START:
                return self._start(tag, protocol.Start.decode(body))
            if number == Command.RESEND:
                return self._resend(tag, protocol.resend_ranges(body))
        except PacketError:
            return Result(number, tag, Code.WRONG_LENGTH)
        if number in (Command.LOG_LIST, Command.LOG_READ):
            return self._read_log(number, tag, body)
        if number == Command.STOP:
            self.state = State.READY
        elif number == Command.SET_ROLE and len(body) == 1:
            self.role = body[0]
        elif number == Command.IDENTIFY and len(body) == 1:
            self.identified_s = body[0]
        elif number == Command.MARK:
            self.is_pressed = True
        elif number not in (Command.SET_UTC, Command.CONNECTION):
            return Result(number, tag, Code.UNKNOWN_COMMAND)
        return Result(number, tag, Code.OK)

    def _start(self, tag: int, wanted: protocol.Start) -> Result:
        if self.mtu < protocol.MIN_MTU:
            return Result(Command.START, tag, Code.MTU_TOO_SMALL)
        if wanted.rate_hz != self.rate_hz or not 1 <= wanted.samples <= latemiles_v1.MAX_SAMPLES:
            return Result(Command.START, tag, Code.BAD_VALUE)
        if self.is_sampling and wanted != self.start:
            return Result(Command.START, tag, Code.WRONG_STATE)
        if not self.is_sampling:
            self.start = wanted
            self.session = self._random.randrange(1, 1 << 32)
            self.epoch = (self.epoch + 1) & 0xFF
            self._live_from = self._sent_to = 0
            self.ring.clear()
            self.resends.clear()
            self.on_start()
        self.state = State.STREAMING
        started = protocol.Started(self.session, self.epoch, self.ring.next_index)
        return Result(Command.START, tag, Code.OK, started.encode())

    def _resend(self, tag: int, ranges: list[Range]) -> Result:
        if not self.is_sampling:
            return Result(Command.RESEND, tag, Code.WRONG_STATE)
        # A new request replaces the old one: the host asks for all that it still misses.
        self.resends = deque(ranges)
        oldest = self.ring.oldest.to_bytes(4, "little")
        is_there = any(r.stop > self.ring.oldest for r in ranges)
        return Result(Command.RESEND, tag, Code.OK if is_there else Code.NOT_THERE, oldest)

    def _read_log(self, number: int, tag: int, body: bytes) -> Result:
        if number == Command.LOG_LIST:
            there = LogList(self.log_first, len(self.log), self.log_capacity)
            return Result(number, tag, Code.OK, there.encode())
        if len(body) != 6:
            return Result(number, tag, Code.WRONG_LENGTH)
        first, count = struct.unpack("<IH", body)
        at = max(0, first - self.log_first)
        pages = list(self.log)[at : at + count]
        self.log_reads = deque([*pages, struct.pack("<II", first, len(pages))])
        return Result(number, tag, Code.OK)

    def _write_log(self) -> None:
        """Bring whole pages of what nobody hears to flash."""
        while self.ring.next_index - self._log_next >= PAGE_SAMPLES:
            first, counts, ticks = self.ring.get(self._log_next, self._log_next + PAGE_SAMPLES)
            self._log_next = first + len(ticks)
            if not len(ticks):
                continue
            frame = self._frame(latemiles_v1.RESEND, first, counts, ticks)
            self.log.append(page_bytes(self.log_first + len(self.log), self.session, 0, frame))
            if len(self.log) > self.log_capacity:
                self.log.popleft()
                self.log_first += 1

    def take(self, first_index: int, counts: NDArray[np.int16], ticks: NDArray[np.int64]) -> None:
        """Take samples into the ring."""
        if self.is_sampling and len(ticks):
            self.ring.put(first_index, counts, ticks)
            if self.log_capacity and self.state is State.UNLINKED:
                self._write_log()

    @property
    def samples_to_frame(self) -> int:
        """Samples until the next live frame is full."""
        size = self.start.samples
        return size - (self.ring.next_index - self._live_from) % size if self.is_sampling else size

    def live_frames(self, *, has_room: bool) -> list[bytes]:
        """Frames of what was taken since the last call; those without room are left in the ring.

        Parameters
        ----------
        has_room : bool
            Whether the radio takes live frames now.
        """
        frames: list[bytes] = []
        size = self.start.samples
        if self.state is not State.STREAMING:
            self._live_from = self.ring.next_index
            return frames
        while self.ring.next_index - self._live_from >= size:
            first, counts, ticks = self.ring.get(self._live_from, self._live_from + size)
            self._live_from = min(first + len(ticks), self._live_from + size) if len(ticks) else first
            if not len(ticks):
                continue
            if not has_room:
                self.dropped += 1
                self._was_dropped = True
                continue
            frames.append(self._frame(latemiles_v1.LIVE, first, counts, ticks))
            self._sent_to = first + len(ticks)
        return frames

    def resent_frame(self) -> bytes | None:
        """Next frame that was asked for again; None when all were sent."""
        while self.resends:
            wanted = self.resends[0]
            size = latemiles_v1.MAX_SAMPLES
            first, counts, ticks = self.ring.get(wanted.first, wanted.stop)
            if not len(ticks):
                self.resends.popleft()
                continue
            counts, ticks = counts[:size], ticks[:size]
            rest = Range(first + len(ticks), wanted.stop)
            if rest.first < rest.stop:
                self.resends[0] = rest
            else:
                self.resends.popleft()
            return self._frame(latemiles_v1.RESEND, first, counts, ticks)
        return None

    def _frame(self, kind: int, first: int, counts: NDArray[np.int16], ticks: NDArray[np.int64]) -> bytes:
        flags = latemiles_v1.CLIPPED if ((counts == 32767) | (counts == -32768)).any() else 0
        if kind == latemiles_v1.LIVE:
            flags |= latemiles_v1.GAP_BEFORE if self._was_dropped else 0
            flags |= latemiles_v1.MARK if self.is_pressed else 0
            self._was_dropped = self.is_pressed = False
        return latemiles_v1.encode(
            counts, first_index=first, tick=int(ticks[0]), epoch=self.epoch, flags=flags, kind=kind
        )
