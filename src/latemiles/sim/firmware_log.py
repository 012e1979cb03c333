"""The flash log of a sensor's firmware: whole pages of what nobody heard, read back and erased on request."""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass, field

from latemiles.sensors import protocol
from latemiles.sensors.flash_log import PAGE_SAMPLES, page_bytes
from latemiles.sensors.protocol import Code
from latemiles.sim.frame_ring import FrameRing

__all__ = ["FlashLog"]


@dataclass(slots=True, kw_only=True)
class FlashLog:
    """Pages in flash, and what is being read of them."""

    log_capacity: int = 0
    """Pages of the flash log; 0: a board without flash."""
    log: deque[bytes] = field(default_factory=deque)
    log_first: int = 0
    log_reads: deque[bytes] = field(default_factory=deque)
    """Notifications of the log that are to be sent."""
    log_next: int = 0
    """Index of the next sample to log."""

    def read_log(self, first: int, count: int) -> Code:
        """Queue pages to be sent, and the word that ends them."""
        if self.log_reads:
            return Code.BUSY
        at = first - self.log_first
        if count == 0 or not 0 <= at < len(self.log):
            return Code.NOT_THERE
        pages = list(self.log)[at : at + count]
        self.log_reads = deque([*pages, struct.pack("<II", first, len(pages))])
        return Code.OK

    def erase_log(self) -> Code:
        """Forget every page; their numbers are not given again."""
        if self.log_reads:
            return Code.BUSY
        self.log_first += len(self.log)
        self.log.clear()
        return Code.OK

    def write_log(self, ring: FrameRing, whole: int, period_ticks: float, session: int) -> None:
        """Bring whole pages of the ring to flash.

        Parameters
        ----------
        ring : FrameRing
            Frames as they were taken.
        whole : int
            Index after the last whole frame.
        period_ticks : float
            Ticks from one sample to the next.
        session : int
            Named in each page.
        """
        while self.log_capacity:
            frame = ring.gather(self.log_next, PAGE_SAMPLES, period_ticks)
            head = protocol.frame_head(frame)
            if head is None:
                self.log_next = whole
                return
            if head.n < PAGE_SAMPLES and head.first + head.n >= whole:
                # More is to come; a page that a loss cuts short is written at once.
                return
            self.log_next = head.first + head.n
            self.log.append(page_bytes(self.log_first + len(self.log), session, 0, frame))
            if len(self.log) > self.log_capacity:
                self.log.popleft()
                self.log_first += 1
