"""The emulator of the virtual radio against the firmware's core: told the same, they say the same."""

from __future__ import annotations

import struct

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from firmware.host_core import DATA, LOG, SECTOR, TICK_HZ, Flash, HostCore, Library
from firmware.test_firmware_stream import ramp
from latemiles.sensors.about import Info, StatusFlag
from latemiles.sensors.flash_log import PAGE_BYTES
from latemiles.sensors.protocol import PAYLOAD_BYTES, Command, State
from latemiles.sim.firmware import ImuFirmware

RATE_HZ = 208
SECTORS = 8
TICKS = 16
"""Ticks by which a frame's time may differ: the core estimates it, the emulator is told. 0.5 ms."""
COMPARED = StatusFlag.LOG_HAS_PAGES | StatusFlag.UTC_KNOWN

RANGES = st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 400)), max_size=17)
PAYLOADS = {
    Command.START: st.builds(
        struct.pack,
        st.just("<HBHB"),
        st.sampled_from([RATE_HZ, 200]),
        st.sampled_from([16, 3]),
        st.sampled_from([2000, 3]),
        st.sampled_from([3, 4, 10, 19, 20]),
    ),
    Command.RESEND: RANGES.map(lambda rs: bytes([len(rs)]) + b"".join(struct.pack("<IH", *r) for r in rs)),
    Command.SET_ROLE: st.integers(0, 6).map(lambda role: bytes([role])),
    Command.LOG_READ: st.builds(struct.pack, st.just("<IH"), st.integers(0, 120), st.integers(0, 120)),
    Command.CONNECTION: st.builds(
        struct.pack,
        st.just("<4H"),
        st.sampled_from([5, 6, 12, 24]),
        st.sampled_from([12, 40, 3201]),
        st.sampled_from([0, 4, 500]),
        st.sampled_from([9, 60, 500, 3201]),
    ),
    Command.BOOTLOADER: st.sampled_from([b"BOOT", b"BOOM"]),
}
ORDERS = st.one_of(
    *[
        st.tuples(st.just(int(number)), PAYLOADS.get(number, st.binary(min_size=n, max_size=n)))
        for number, n in [*PAYLOAD_BYTES.items(), (Command.RESEND, 0)]
    ],
    st.just((int(Command.START), struct.pack("<HBHB", RATE_HZ, 16, 2000, 10))),
    st.tuples(st.integers(0, 255), st.binary(max_size=30)),
)


def twins_of(library: Library) -> type[RuleBasedStateMachine]:
    """Both, told the same."""

    class Twins(RuleBasedStateMachine):
        @initialize()
        def boot(self) -> None:
            self.core = HostCore(library, flash=Flash(SECTORS * SECTOR), ring_bytes=6000)
            self.core.core.stream.epoch = 0
            self.emulator = ImuFirmware(7, log_capacity=SECTORS * SECTOR // 256, ring_bytes=6000)
            self.at = 0

        @precondition(lambda self: not self.core.core.link.is_up)
        @rule(mtu=st.sampled_from([185, 247, 247, 517]))
        def connect(self, mtu: int) -> None:
            self.core.connect(mtu)
            self.emulator.link_up(mtu)

        @precondition(lambda self: self.core.core.link.is_up)
        @rule()
        def disconnect(self) -> None:
            self.core.disconnect()
            self.emulator.link_down()

        @precondition(lambda self: self.core.core.link.is_up)
        @rule(order=ORDERS, tag=st.integers(0, 255))
        def command(self, order: tuple[int, bytes], tag: int) -> None:
            number, payload = order
            code, said = self.core.ask(number, payload, tag)
            result = self.emulator.command(bytes([number, tag]) + payload)
            assert (result.command, result.tag, result.code) == (number, tag, code)
            # The session is a random number.
            begin = 4 if number == Command.START and code == 0 else 0
            assert result.payload[begin:] == said[begin:]

        @rule(n=st.integers(1, 60), lost=st.sampled_from([0, 0, 0, 1, 70]), is_clipped=st.booleans())
        def measure(self, n: int, lost: int, is_clipped: bool) -> None:
            first = self.at + lost
            self.at = first + n
            counts = ramp(first, n)
            counts[n // 2, 3] = 32767 if is_clipped else 0
            ticks = np.round((np.arange(first, self.at) + 1) / RATE_HZ * TICK_HZ).astype(np.int64)
            self.core.tick = int(ticks[-1])
            self.core.feed(counts, int(ticks[-1]), lost)
            self.emulator.take(self.emulator.next_index + lost, counts, ticks)

        @invariant()
        def they_say_the_same(self) -> None:
            if not hasattr(self, "core"):
                return
            heard = []
            for _ in range(400):
                is_idle = self.core.poll() > 0
                got = self.core.deliver()
                heard += got
                if is_idle and not got:
                    break
            sent = [data for channel, data in heard if channel == DATA]
            pages = [data for channel, data in heard if channel == LOG]
            is_linked = self.core.core.link.is_up and self.emulator.mtu >= 247
            if not is_linked:
                self.emulator.skip_live()
            frames = self.emulator.live_frames(has_room=True)
            while is_linked and (frame := self.emulator.resent_frame()) is not None:
                frames.append(frame)
            same_frames(sorted(sent), sorted(frames))
            assert len(pages) == len(self.emulator.log_reads)
            for mine, theirs in zip(pages, self.emulator.log_reads, strict=True):
                if len(mine) == PAGE_BYTES:
                    assert mine[4:8] == theirs[4:8]
                    same_frames([mine[16:]], [theirs[16:]])
                else:
                    assert mine == theirs
            self.emulator.log_reads.clear()
            mine, theirs = self.core.status(), self.emulator.status()
            assert (mine.state, mine.role, mine.flags & COMPARED) == (
                theirs.state,
                theirs.role,
                theirs.flags & COMPARED,
            )
            assert (mine.next_index, mine.dropped) == (theirs.next_index, theirs.dropped)
            assert mine.oldest_index == theirs.oldest_index
            assert (mine.session == 0) == (theirs.session == 0)
            told = Info.decode(self.core.info())
            assert told.calibration == self.emulator.calibration
            assert (self.emulator.restart is None) == (mine.state != State.OFF)

    return Twins


def same_frames(some: list[bytes], others: list[bytes]) -> None:
    """Byte for byte, but for the tick."""
    assert [f[:8] + f[12:] for f in some] == [f[:8] + f[12:] for f in others]
    ticks = [
        (struct.unpack_from("<I", a, 8)[0], struct.unpack_from("<I", b, 8)[0])
        for a, b in zip(some, others, strict=True)
    ]
    assert all(abs(a - b) <= TICKS for a, b in ticks)


def test_the_emulator_answers_and_sends_what_the_core_does(core_library: Library) -> None:
    run_state_machine_as_test(
        twins_of(core_library), settings=settings(max_examples=30, stateful_step_count=30, deadline=None)
    )
