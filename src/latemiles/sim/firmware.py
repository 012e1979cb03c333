"""What a sensor's firmware does, without a radio: the executable form of docs/sensor-protocol.md.

Samples go in as counts with their ticks; frames, results and status come out. No clock: the caller says when.
The firmware's own core is compared with it, command by command and frame by frame; what may differ is listed
in docs/sensor-protocol.md.
"""

from __future__ import annotations

import random
import struct
import zlib
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
from latemiles.sensors.flash_log import LogList
from latemiles.sensors.protocol import Code, Command, Range, Result, State
from latemiles.sim.firmware_log import FlashLog
from latemiles.sim.frame_ring import FrameRing

__all__ = ["RING_BYTES", "ImuFirmware"]

RING_BYTES: Final = 126_720
"""RAM of an nRF52840 that is left for frames: 46 s at 208 Hz and 10 samples a frame."""
_FRAMES_AGAIN: Final = 13
"""Frames that were given to the radio before the end of a link and that nobody may have heard."""
_LIVE_LAG: Final = 8
"""A live frame may wait behind so many others; beyond, the newest goes first."""
_LEAST_SAMPLES: Final = 4
_LOW_PERCENT: Final = 15

Answer = Code | tuple[Code, bytes]


@dataclass(slots=True)
class ImuFirmware(FlashLog):
    """State machine of one sensor.

    Parameters
    ----------
    serial : int
        Serial number.
    seed : int
        Of the session ids.
    ring_bytes : int
        Memory for frames.
    rate_hz : int
        The one rate it offers, that of its samples; their ranges are 16 g and 2000 deg/s.
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
    """Samples that were lost in the sensor in this session."""
    identified_s: int = 0
    """Seconds of blinking last asked for."""
    mtu: int = 23
    calibration: bytes = bytes(32)
    utc_ms: int = 0
    restart: Command | None = None
    """BOOTLOADER or SLEEP, once it was asked for."""
    on_start: Callable[[], None] = lambda: None
    """Told when sampling begins."""
    ring: FrameRing = field(init=False)
    start: protocol.Start = field(default_factory=protocol.Start)
    resends: deque[Range] = field(default_factory=deque)
    next_index: int = 0
    """Of the next sample."""
    _open: list[NDArray[np.int16]] = field(default_factory=list)
    """Samples of the frame being filled."""
    _open_n: int = 0
    _open_tick: int = 0
    _open_flags: int = 0
    _flags: int = 0
    """For the next frame to be opened."""
    _period_ticks: float = 0.0
    _live_next: int = 0
    """Number of the next frame to send live."""
    _taken_next: int = 0
    """Number after the last live frame that the radio took."""
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.ring = FrameRing(self.ring_bytes)
        self._random = random.Random(f"{self.serial}/{self.seed}")

    def info(self) -> about.Info:
        """What the info characteristic says."""
        return about.Info(
            firmware=(1, 0, 0),
            rates_hz=(self.rate_hz,),
            acc_ranges_g=(16,),
            gyr_ranges_dps=(2000,),
            boots=self.boots,
            ring_bytes=self.ring_bytes,
            log_pages=self.log_capacity,
            serial=self.serial,
            calibration=self.calibration,
        )

    def status(self) -> about.Status:
        """What the status characteristic says."""
        percent = int(max(0.0, self.battery_percent))
        flags = StatusFlag.LOG_HAS_PAGES if self.log else StatusFlag(0)
        flags |= StatusFlag.BATTERY_LOW if percent < _LOW_PERCENT else 0
        flags |= StatusFlag.UTC_KNOWN if self.utc_ms else 0
        return about.Status(
            state=self.state,
            role=self.role,
            battery_percent=percent,
            flags=flags,
            battery_mv=3300 + 9 * percent,
            temperature_c=31.0,
            session=self.session,
            next_index=self.next_index,
            oldest_index=self.oldest_index,
            dropped=self.dropped,
        )

    @property
    def oldest_index(self) -> int:
        """Lowest index that can be asked for."""
        frame = self.ring.frame(self.ring.tail)
        head = protocol.frame_head(frame) if frame is not None else None
        return head.first if head is not None else self._whole

    @property
    def _whole(self) -> int:
        """Index after the last whole frame."""
        return self.next_index - self._open_n

    def reboot(self) -> None:
        """Start over: RAM is lost; the boot counter, role and calibration in flash are not."""
        self.boots += 1
        self.state = State.IDLE
        self.session = self.utc_ms = 0
        self.restart = None
        self.resends.clear()
        self._clear(self.start)

    def _clear(self, start: protocol.Start) -> None:
        self.start = start
        self.ring.start(start.samples)
        self.next_index = self.dropped = 0
        self._open, self._open_n, self._flags = [], 0, 0
        self._live_next = self._taken_next = self.log_next = 0

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
            again = self.ring.frame(max(self.ring.tail, self._taken_next - _FRAMES_AGAIN))
            head = protocol.frame_head(again) if again is not None else None
            self.log_next = head.first if head is not None else self._whole
            self._log_what_nobody_hears()
        elif self.state is State.READY:
            self.state = State.IDLE

    @property
    def is_sampling(self) -> bool:
        """Whether samples are taken."""
        return self.state in (State.STREAMING, State.UNLINKED)

    # Commands.

    def command(self, payload: bytes) -> Result:
        """Carry a command of at least two bytes out."""
        number, tag, body = payload[0], payload[1], payload[2:]
        if number == Command.RESEND:
            answer = self._resend(body)
        elif number not in protocol.PAYLOAD_BYTES:
            answer = Code.UNKNOWN_COMMAND
        elif protocol.PAYLOAD_BYTES[Command(number)] != len(body):
            answer = Code.WRONG_LENGTH
        else:
            answer = self._obey(Command(number), body)
        code, said = answer if isinstance(answer, tuple) else (answer, b"")
        return Result(number, tag, code, said)

    def _obey(self, number: Command, body: bytes) -> Answer:
        match number:
            case Command.START:
                return self._start(protocol.Start.decode(body))
            case Command.STOP:
                return self._stop()
            case Command.SET_ROLE if body[0] < len(protocol.ROLES):
                self.role = body[0]
            case Command.SET_UTC:
                self.utc_ms = int.from_bytes(body, "little")
            case Command.MARK:
                return self._mark()
            case Command.IDENTIFY:
                self.identified_s = body[0]
            case Command.SET_CALIBRATION:
                self.calibration = body + zlib.crc32(body).to_bytes(4, "little")
            case Command.LOG_LIST:
                return Code.OK, LogList(self.log_first, len(self.log), self.log_capacity).encode()
            case Command.LOG_READ:
                first, count = struct.unpack("<IH", body)
                return Code.MTU_TOO_SMALL if self.mtu < protocol.MIN_MTU else self.read_log(first, count)
            case Command.LOG_ERASE:
                return self.erase_log()
            case Command.CONNECTION if _is_possible(*struct.unpack("<4H", body)):
                pass
            case Command.SLEEP:
                return self._restart(number)
            case Command.BOOTLOADER if int.from_bytes(body, "little") == protocol.BOOTLOADER_KEY:
                return self._restart(number)
            case _:
                return Code.BAD_VALUE
        return Code.OK

    def _start(self, wanted: protocol.Start) -> Answer:
        offered = (self.rate_hz, 16, 2000)
        if wanted[:3] != offered or not _LEAST_SAMPLES <= wanted.samples <= latemiles_v1.MAX_SAMPLES:
            return Code.BAD_VALUE
        if self.mtu < protocol.MIN_MTU:
            return Code.MTU_TOO_SMALL
        if self.state not in (State.READY, State.STREAMING) or (self.is_sampling and wanted != self.start):
            return Code.WRONG_STATE
        if not self.is_sampling:
            self._clear(wanted)
            self.session = self._random.randrange(1, 1 << 32)
            self.epoch = (self.epoch + 1) & 0xFF
            self.resends.clear()
            self.on_start()
        self.state = State.STREAMING
        return Code.OK, protocol.Started(self.session, self.epoch, self.next_index).encode()

    def _stop(self) -> Code:
        if self.is_sampling:
            self._close()
            self.state = State.READY
        return Code.OK

    def _mark(self) -> Code:
        if self.state is not State.STREAMING:
            return Code.WRONG_STATE
        self._flags |= latemiles_v1.MARK
        return Code.OK

    def _restart(self, how: Command) -> Code:
        if self.state is State.STREAMING:
            return Code.WRONG_STATE
        self.restart, self.state = how, State.OFF
        return Code.OK

    def _resend(self, body: bytes) -> Answer:
        try:
            ranges = protocol.resend_ranges(body)
        except PacketError:
            return Code.WRONG_LENGTH
        if not ranges:
            return Code.WRONG_LENGTH
        if len(ranges) > protocol.MAX_RANGES:
            return Code.BAD_VALUE
        if self.session == 0:
            return Code.NOT_THERE
        # A new request replaces the old one: the host asks for all that it still misses.
        self.resends = deque(ranges)
        return Code.OK, self.oldest_index.to_bytes(4, "little")

    def _log_what_nobody_hears(self) -> None:
        self.write_log(self.ring, self._whole, self._period_ticks, self.session)

    # Samples.

    def take(self, first_index: int, counts: NDArray[np.int16], ticks: NDArray[np.int64]) -> None:
        """Take samples that follow each other; those between them and the ones before are lost."""
        if not self.is_sampling or not len(ticks):
            return
        if first_index > self.next_index:
            self._close()
            self.dropped += first_index - self.next_index
            self.next_index = first_index
            self._flags |= latemiles_v1.GAP_BEFORE
        if len(ticks) > 1:
            self._period_ticks = float(ticks[-1] - ticks[0]) / (len(ticks) - 1)
        done = 0
        while done < len(ticks):
            if self._open_n == 0:
                self._open_tick, self._open_flags, self._flags = int(ticks[done]), self._flags, 0
            part = counts[done : done + self.start.samples - self._open_n]
            self._open.append(part)
            self._open_n += len(part)
            self.next_index += len(part)
            done += len(part)
            if self._open_n == self.start.samples:
                self._close()
        if self.state is State.UNLINKED:
            self._log_what_nobody_hears()

    def _close(self) -> None:
        """Bring the open frame to the ring."""
        if self._open_n:
            counts = np.concatenate(self._open)
            is_clipped = ((counts == 32767) | (counts == -32768)).any()
            frame = latemiles_v1.encode(
                counts,
                first_index=self._whole,
                tick=self._open_tick,
                epoch=self.epoch,
                flags=self._open_flags | (latemiles_v1.CLIPPED if is_clipped else 0),
            )
            self.ring.close(frame)
        self._open, self._open_n = [], 0

    @property
    def samples_to_frame(self) -> int:
        """Samples until the next live frame is full."""
        return self.start.samples - self._open_n

    def skip_live(self) -> None:
        """Nobody listens: what was taken is sent when it is asked for."""
        self._live_next = self._taken_next = self.ring.head

    def live_frames(self, *, has_room: bool) -> list[bytes]:
        """Frames that were filled since the last call; those without room wait, the newest first.

        Parameters
        ----------
        has_room : bool
            Whether the radio takes live frames now.
        """
        if self.ring.head - self._live_next > _LIVE_LAG:
            self._live_next = self.ring.head - 1
        if not has_room:
            return []
        waiting = (self.ring.frame(number) for number in range(self._live_next, self.ring.head))
        frames = [frame for frame in waiting if frame is not None]
        self._live_next = self._taken_next = self.ring.head
        return frames

    def resent_frame(self) -> bytes | None:
        """Next frame that was asked for again, as it was but for its kind; None when all were sent."""
        while self.resends:
            wanted = self.resends.popleft()
            frame = self.ring.frame(self.ring.find(wanted.first))
            head = protocol.frame_head(frame) if frame is not None else None
            if frame is None or head is None or head.first >= wanted.stop:
                continue
            rest = Range(head.first + head.n, wanted.stop)
            if rest.first < rest.stop:
                self.resends.appendleft(rest)
            return bytes([protocol.VERSION << 4 | latemiles_v1.RESEND]) + frame[1:]
        return None


def _is_possible(low: int, high: int, latency: int, timeout: int) -> bool:
    """Whether a radio can have these connection parameters (Core specification, Vol 6 Part B 4.5.2)."""
    least = (1 + latency) * high // 4 + 1
    return 6 <= low <= high <= 3200 and latency <= 499 and max(10, least) <= timeout <= 3200
