"""Courses of events for `firmware/tests/replay.c`: a recorded run with a host that comes and goes."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware.host_core import CONNECTION, IDENTIFY, LOG_LIST, LOG_READ, MARK, RESEND, START, STOP, TICK_HZ
from latemiles.recording.reader import Recording
from latemiles.signals.frames import Segment
from latemiles.signals.records import Packet


class Course:
    """Events, one after the other."""

    def __init__(self, *, with_chip: bool) -> None:
        self.data = bytearray([with_chip])

    def add(self, event: str, payload: bytes = b"") -> None:
        self.data += struct.pack("<BH", ord(event), len(payload)) + payload

    def control(self, command: int, payload: bytes = b"") -> None:
        self.add("C", bytes([command, len(self.data) & 0xFF]) + payload)
        self.settle()

    def settle(self, rounds: int = 2) -> None:
        for _ in range(rounds):
            self.add("P")
            self.add("D", b"\x08")

    def start(self, samples: int) -> None:
        self.add("L", b"\x01")
        self.control(START, struct.pack("<HBHB", 208, 16, 2000, samples))

    def missed(self, first: int, count: int) -> None:
        self.control(RESEND, struct.pack("<BIH", 1, first, count))
        self.settle(count // 10)

    def offload(self, pages: int) -> None:
        self.control(LOG_LIST)
        self.control(LOG_READ, struct.pack("<IH", 0, pages))
        self.settle(2 * pages)


def recorded_counts(path: Path) -> NDArray[np.int16]:
    """Raw counts (n, 6) of one sensor of a recording, as its packets hold them."""
    with Recording.open(path) as recording:
        payloads = [
            record.payload
            for record in recording.records()
            if isinstance(record, Packet) and record.segment is Segment.LEFT_THIGH
        ]
    return np.concatenate([np.frombuffer(p, "<i2", 6 * p[1], 12).reshape(-1, 6) for p in payloads])


def recorded_run(path: Path, seconds: float = 60.0) -> bytes:
    """A recorded run through feed: loss in the sensor, an outage that goes to flash, resend, offload."""
    counts = recorded_counts(path)[: round(seconds * 208)]
    course = Course(with_chip=False)
    course.start(19)
    rng = np.random.default_rng(5)
    tick, at = 0, 0
    is_linked = True
    while at < len(counts):
        n = int(rng.integers(5, 25))
        block = counts[at : at + n]
        lost = 40 if at < 2000 <= at + n else 0
        step = round((len(block) + lost) * TICK_HZ / 208 / 1.0278)
        tick += step
        course.add("T", struct.pack("<I", step))
        course.add("F", struct.pack("<II", tick, lost) + block.astype("<i2").tobytes())
        course.add("P")
        if rng.random() < 0.8:
            course.add("D", b"\x02")
        if rng.random() < 0.02:
            course.control(MARK if is_linked else IDENTIFY, b"" if is_linked else b"\x03")
        if is_linked and 4000 <= at < 7000:
            course.add("L", b"\x00")
            is_linked = False
        elif not is_linked and at >= 7000:
            course.add("L", b"\x01")
            course.missed(3900, 3300)
            is_linked = True
        at += n
    course.add("Q", b"\x01\x02\x03\x04")
    course.control(CONNECTION, struct.pack("<HHHH", 24, 40, 0, 600))
    course.control(STOP)
    course.offload(200)
    return bytes(course.data)


def run_of_the_chip(seconds: float = 60.0) -> bytes:
    """The register-level chip, 2.8 % fast, through the FIFO driver: an overrun and a lock-up."""
    course = Course(with_chip=True)
    course.add("S", struct.pack("<i", 27_800))
    for _ in range(10):
        course.add("T", struct.pack("<I", 200))
        course.settle(1)
    course.start(10)
    for k in range(round(seconds / 0.005)):
        course.add("T", struct.pack("<I", 164 if k != 4000 else 2 * TICK_HZ))
        if k == 7000:
            course.add("X")
        course.settle(1)
    course.control(STOP)
    return bytes(course.data)
