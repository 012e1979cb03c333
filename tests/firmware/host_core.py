"""The firmware's portable core, compiled for this machine and wrapped: the sensor without its hardware.

`build` compiles `firmware/core` and the register-level chip of `firmware/tests` to a shared library in a
folder of the caller; `HostCore` is one sensor, with a clock that stands still until it is told to advance, a
radio with as many places as it is given, and flash and settings that outlive it.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cffi
import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "firmware" / "core"
FAKES = ROOT / "firmware" / "tests"

TICK_HZ = 32768
DATA, CONTROL, STATUS, CLOCK, INFO, LOG = 1, 2, 3, 4, 5, 6
IDLE, READY, STREAMING, UNLINKED, OFF = range(5)
START, STOP, RESEND, SET_ROLE, SET_UTC, MARK, IDENTIFY = range(1, 8)
LOG_LIST, LOG_READ, LOG_ERASE, CONNECTION, BOOTLOADER, SLEEP, SET_CALIBRATION = range(8, 15)
OK, UNKNOWN, LENGTH, VALUE, WRONG_STATE, BUSY, HARDWARE, MTU_TOO_SMALL, NOT_THERE = range(9)
SECTOR = 4096

WARNINGS = [
    "-std=c11",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wconversion",
    "-Wshadow",
    "-Wundef",
    "-Wstrict-prototypes",
    "-Wmissing-prototypes",
]

_STATUS = struct.Struct("<BBBBHhIIII")


def find_compiler() -> str | None:
    """The C compiler of this machine; LATEMILES_FIRMWARE_CC names another one."""
    return os.environ.get("LATEMILES_FIRMWARE_CC") or shutil.which("gcc") or shutil.which("clang")


@dataclass(frozen=True)
class Library:
    """The loaded core."""

    ffi: Any
    lib: Any


def _declarations(compiler: str, folder: Path) -> str:
    """The core's headers with their macros resolved: the structures as the compiler sees them."""
    empty = folder / "empty"
    empty.mkdir(exist_ok=True)
    for name in ("stdint.h", "stdbool.h", "stddef.h", "string.h"):
        (empty / name).write_text("")
    headers = ("lm_core.h", "lm_crc.h", "lm_led.h", "fake_lsm6ds3.h", "fake_flash.h")
    source = "".join(f'#include "{name}"\n' for name in headers)
    command = [compiler, "-E", "-P", "-nostdinc", f"-I{empty}", f"-I{CORE}", f"-I{FAKES}", "-"]
    return subprocess.run(command, input=source, capture_output=True, text=True, check=True).stdout


def build(folder: Path, compiler: str) -> Library:
    """Compile the core to a shared library in ``folder`` and load it.

    LATEMILES_FIRMWARE_CFLAGS adds flags, for sanitizers.
    """
    extra = os.environ.get("LATEMILES_FIRMWARE_CFLAGS", "").split()
    target = folder / "core.so"
    sources = [*sorted(CORE.glob("*.c")), FAKES / "fake_lsm6ds3.c", FAKES / "fake_flash.c"]
    command = [compiler, *WARNINGS, "-O2", "-g", "-fPIC", "-shared", *extra, f"-I{CORE}", "-o", str(target)]
    subprocess.run([*command, *map(str, sources)], check=True)
    ffi = cffi.FFI()
    ffi.cdef(_declarations(compiler, folder))
    return Library(ffi, ffi.dlopen(str(target)))


class PowerCut(Exception):
    """The supply failed in the middle of a flash operation."""


@dataclass
class Flash:
    """NOR flash: programming clears bits, erasing sets a sector; the power may fail after so many bytes."""

    size: int = 16 * SECTOR
    cells: bytearray = field(default_factory=bytearray)
    bytes_until_cut: int | None = None
    erases: int = 0
    broken: bool = False

    def __post_init__(self) -> None:
        if not self.cells:
            self.cells = bytearray(b"\xff" * self.size)

    def _spend(self, n: int) -> int:
        if self.bytes_until_cut is None:
            return n
        done = min(n, self.bytes_until_cut)
        self.bytes_until_cut -= done
        return done

    def program(self, at: int, data: bytes) -> None:
        done = self._spend(len(data))
        for i in range(done):
            self.cells[at + i] &= data[i]
        if done < len(data):
            raise PowerCut

    def erase(self, at: int) -> None:
        self.erases += 1
        done = self._spend(SECTOR)
        self.cells[at : at + done] = b"\xff" * done
        if done < SECTOR:
            raise PowerCut


@dataclass
class Status:
    """What the status characteristic says."""

    state: int
    role: int
    battery_percent: int
    flags: int
    battery_mv: int
    temperature_centi_c: int
    session: int
    next_index: int
    oldest_index: int
    dropped: int


class HostCore:
    """One sensor on this machine.

    Parameters
    ----------
    library : Library
        The compiled core.
    ring_bytes : int
        RAM for frames.
    flash : Flash, optional
        Where the log goes; None for a board without.
    settings : bytearray, optional
        What survives a power cut; give the same one to the next HostCore to model a reboot.
    imu : bool
        Whether the register-level chip is there; otherwise samples come from ``feed``.
    tick : int
        What the crystal's counter shows at the start.
    places : int
        Notifications that the radio holds before it refuses more.
    seed : int
        Of the session numbers.
    serial : bytes
        Serial number, lowest byte first.
    board : int
        Which board it says it is.
    """

    def __init__(
        self,
        library: Library,
        *,
        ring_bytes: int = 126_720,
        flash: Flash | None = None,
        settings: bytearray | None = None,
        imu: bool = False,
        tick: int = 0,
        places: int = 8,
        seed: int = 1,
        serial: bytes = bytes(range(8)),
        board: int = 0,
    ) -> None:
        self.ffi, self.lib = library.ffi, library.lib
        self.flash = flash
        self.settings = bytearray() if settings is None else settings
        self.tick = tick & 0xFFFFFFFF
        self.places = places
        self.held: deque[tuple[int, bytes]] = deque()
        """What the radio holds, oldest first."""
        self.battery_mv = 4000
        self.is_charging = False
        self.restarts: list[int] = []
        self.connections: list[tuple[int, int, int, int]] = []
        self.leds: list[int] = []
        self.most_queued = 0
        self._rng = np.random.default_rng(seed)
        self.failure: BaseException | None = None
        self.chip = self.ffi.new("struct fake_imu *") if imu else None
        if imu:
            self.lib.fake_imu_init(self.chip, self.tick)
        self._ring = self.ffi.new("uint8_t[]", ring_bytes)
        self._port = self._make_port()
        self.core = self.ffi.new("struct lm_core *")
        config = self.ffi.new(
            "struct lm_config *",
            {
                "port": self._port,
                "ring": self._ring,
                "ring_bytes": ring_bytes,
                "flash_bytes": flash.size if flash else 0,
                "serial": serial,
                "board": board,
            },
        )
        if not self.lib.lm_core_init(self.core, config):
            raise ValueError("the ring is too small")
        self._raise()

    # The board

    def _callback(self, signature: str, function: Any) -> Any:
        def guarded(_user: Any, *args: Any) -> Any:
            try:
                return function(*args)
            except PowerCut as cut:
                # Out of C as a failure; raised again when C has returned, as nothing after it can matter.
                self.failure = cut
                return -1

        callback = self.ffi.callback(signature, guarded, error=-1 if signature.startswith("int") else None)
        self._kept.append(callback)
        return callback

    def _make_port(self) -> Any:
        self._kept: list[Any] = []
        port = self.ffi.new("struct lm_port *")
        make = self._callback
        port.now = make("uint32_t(void *)", self.now)
        port.random = make("uint32_t(void *)", lambda: int(self._rng.integers(1, 2**32)))
        port.notify = make("int(void *, uint8_t, const uint8_t *, uint16_t)", self._notify)
        port.connection = make(
            "void(void *, uint16_t, uint16_t, uint16_t, uint16_t)", lambda *p: self.connections.append(p)
        )
        port.battery = make("int(void *, uint16_t *, bool *)", self._battery)
        port.led = make("void(void *, uint8_t)", lambda rgb: self.leds.append(rgb))
        port.restart = make("void(void *, uint8_t)", lambda how: self.restarts.append(how))
        port.settings_load = make("int(void *, uint8_t *, uint16_t)", self._settings_load)
        port.settings_save = make("int(void *, const uint8_t *, uint16_t)", self._settings_save)
        if self.flash is not None:
            port.flash_read = make("int(void *, uint32_t, uint8_t *, uint32_t)", self._flash_read)
            port.flash_program = make("int(void *, uint32_t, const uint8_t *, uint32_t)", self._flash_program)
            port.flash_erase = make("int(void *, uint32_t)", self._flash_erase)
        if self.chip is not None:
            port.i2c_read = make("int(void *, uint8_t, uint8_t *, uint16_t)", self._i2c_read)
            port.i2c_write = make("int(void *, uint8_t, const uint8_t *, uint16_t)", self._i2c_write)
            port.imu_power = make(
                "void(void *, bool)", lambda is_on: self.lib.fake_imu_power(self.chip, is_on)
            )
        return port

    def now(self) -> int:
        """What the crystal's counter shows."""
        return self.tick

    def _notify(self, channel: int, data: Any, n: int) -> int:
        if len(self.held) >= self.places:
            return -1
        self.held.append((channel, bytes(self.ffi.buffer(data, n))))
        queued = sum(c in (DATA, LOG) for c, _ in self.held)
        self.most_queued = max(self.most_queued, queued)
        return 0

    def _battery(self, millivolt: Any, is_charging: Any) -> int:
        millivolt[0], is_charging[0] = self.battery_mv, self.is_charging
        return 0

    def _settings_load(self, data: Any, n: int) -> int:
        if len(self.settings) != n:
            return -1
        self.ffi.memmove(data, self.settings, n)
        return 0

    def _settings_save(self, data: Any, n: int) -> int:
        self.settings[:] = self.ffi.buffer(data, n)[:]
        return 0

    def _flash_read(self, at: int, data: Any, n: int) -> int:
        self.ffi.memmove(data, self.flash.cells[at : at + n], n)
        return 0

    def _flash_program(self, at: int, data: Any, n: int) -> int:
        if self.failure or self.flash.broken:
            return -1
        self.flash.program(at, bytes(self.ffi.buffer(data, n)))
        return 0

    def _flash_erase(self, at: int) -> int:
        if self.failure or self.flash.broken:
            return -1
        self.flash.erase(at)
        return 0

    def _i2c_read(self, reg: int, data: Any, n: int) -> int:
        return int(self.lib.fake_imu_read(self.chip, reg, data, n))

    def _i2c_write(self, reg: int, data: Any, n: int) -> int:
        return int(self.lib.fake_imu_write(self.chip, reg, data, n))

    def _raise(self) -> None:
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure

    # Time

    def advance(self, seconds: float) -> None:
        """Let time pass without the core being called."""
        ticks = round(seconds * TICK_HZ)
        self.tick = (self.tick + ticks) & 0xFFFFFFFF
        if self.chip is not None:
            self.lib.fake_imu_advance(self.chip, ticks)

    def poll(self) -> int:
        """Let the core do what is due; ticks until it wants to be called again."""
        wait = int(self.lib.lm_core_poll(self.core))
        self._raise()
        return wait

    def run(self, seconds: float, *, step_s: float = 0.001, deliver: bool = True) -> list[tuple[int, bytes]]:
        """Live through a time: interrupts, polls, and a radio that gets everything out at once."""
        heard: list[tuple[int, bytes]] = []
        end = round(seconds / step_s)
        wait_until = 0
        for k in range(end):
            before = self.chip.irq_count if self.chip is not None else 0
            self.advance(step_s)
            has_irq = self.chip is not None and self.chip.irq_count != before
            if has_irq:
                self.lib.lm_core_imu_irq(self.core, self.chip.irq_tick & 0xFFFFFFFF)
            if has_irq or k >= wait_until or self.held:
                wait = self.poll()
                wait_until = k + max(1, int(wait / TICK_HZ / step_s))
            if deliver:
                heard += self.deliver()
        return heard

    # The radio

    def connect(
        self, mtu: int = 247, channels: tuple[int, ...] = (CONTROL, DATA, STATUS, CLOCK, LOG)
    ) -> None:
        """A host connects, agrees on the MTU and subscribes."""
        self.lib.lm_core_connected(self.core)
        self.lib.lm_core_mtu(self.core, mtu)
        for channel in channels:
            self.lib.lm_core_subscribed(self.core, channel, True)

    def disconnect(self) -> list[tuple[int, bytes]]:
        """The link ends; returns what the radio held and nobody heard."""
        lost = list(self.held)
        self.held.clear()
        self.lib.lm_core_disconnected(self.core)
        self._raise()
        return lost

    def deliver(self, n: int | None = None) -> list[tuple[int, bytes]]:
        """The radio gets its n oldest notifications, or all, to the host."""
        heard = []
        while self.held and (n is None or len(heard) < n):
            channel, data = self.held.popleft()
            heard.append((channel, data))
            self.lib.lm_core_sent(self.core, channel)
        return heard

    def control(self, command: int, payload: bytes = b"", tag: int = 0) -> int:
        """Write a command; the radio's own error code, 0 for none."""
        data = bytes([command, tag]) + payload
        code = int(self.lib.lm_core_control(self.core, data, len(data)))
        self._raise()
        return code

    def ask(self, command: int, payload: bytes = b"", tag: int = 0) -> tuple[int, bytes]:
        """Write a command and wait for its result: code and payload. Other notifications stay undelivered."""
        if self.control(command, payload, tag) != 0:
            raise AssertionError("the sensor refused the write")
        for _ in range(10):
            self.poll()
            for k, (channel, data) in enumerate(self.held):
                if channel == CONTROL:
                    del self.held[k]
                    self.lib.lm_core_sent(self.core, CONTROL)
                    if data[:3] == bytes([0x80, command, tag]):
                        return data[3], data[4:]
                    break
        raise AssertionError("no result came")

    def start(self, rate: int = 208, acc: int = 16, gyr: int = 2000, samples: int = 19) -> tuple[int, bytes]:
        """START with these settings."""
        return self.ask(START, struct.pack("<HBHB", rate, acc, gyr, samples))

    def resend(self, *ranges: tuple[int, int]) -> tuple[int, bytes]:
        """RESEND of (first, count) ranges."""
        body = b"".join(struct.pack("<IH", first & 0xFFFFFFFF, count) for first, count in ranges)
        return self.ask(RESEND, bytes([len(ranges)]) + body)

    def feed(self, counts: NDArray[np.int16], tick: int, lost: int = 0) -> None:
        """Samples (n, 6), gyr x y z, acc x y z; ``tick`` is the newest one's, ``lost`` are missing before."""
        block = np.ascontiguousarray(counts, dtype=np.int16)
        data = self.ffi.cast("int16_t *", block.ctypes.data)
        self.lib.lm_core_feed(self.core, data, len(block), tick & 0xFFFFFFFF, lost)

    # What can be read

    def status(self) -> Status:
        """The status characteristic."""
        out = self.ffi.new("uint8_t[24]")
        self.lib.lm_core_status(self.core, out)
        return Status(*_STATUS.unpack(bytes(out)))

    def info(self) -> bytes:
        """The info characteristic."""
        out = self.ffi.new("uint8_t[76]")
        self.lib.lm_core_info(self.core, out)
        return bytes(out)

    def advert(self) -> bytes:
        """The service data of the scan response."""
        out = self.ffi.new("uint8_t[6]")
        self.lib.lm_core_advert(self.core, out)
        return bytes(out)

    @property
    def state(self) -> int:
        """One of the states."""
        return int(self.core.state)
