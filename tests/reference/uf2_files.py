"""UF2 files and bootloaders' drives for tests, written from the format's own description."""

from __future__ import annotations

import struct
from pathlib import Path

FAMILY = 0xADA52840
BEGIN = 0x27000
SENSE = "nRF52840-SeeedXiaoSense-v1"


def program(size: int = 4000) -> bytes:
    """Something that begins as a program for the chip does."""
    body = bytes((7 * k) % 251 for k in range(size - 8))
    return struct.pack("<2I", 0x2000_8000, BEGIN + 0x201) + body


def uf2(data: bytes, *, begin: int = BEGIN, family: int = FAMILY, flags: int = 0x2000) -> bytes:
    """The file that holds a program."""
    parts = [data[k : k + 256].ljust(256, b"\0") for k in range(0, len(data), 256)]
    blocks = []
    for k, part in enumerate(parts):
        head = struct.pack("<8I", 0x0A324655, 0x9E5D5157, flags, begin + 256 * k, 256, k, len(parts), family)
        blocks.append(head + part.ljust(476, b"\0") + struct.pack("<I", 0x0AB16F30))
    return b"".join(blocks)


def program_of(file: bytes) -> bytes:
    """What a bootloader would write to flash."""
    return b"".join(file[k + 32 : k + 288] for k in range(0, len(file), 512))


def drive(folder: Path, board: str = SENSE, softdevice: str = "S140 version 7.3.0") -> Path:
    """A bootloader's drive."""
    folder.mkdir(parents=True)
    (folder / "INFO_UF2.TXT").write_bytes(
        f"UF2 Bootloader 0.6.1 lib/nrfx (v2.0.0)\r\nModel: Seeed XIAO nRF52840\r\nBoard-ID: {board}\r\n"
        f"SoftDevice: {softdevice}\r\nDate: Nov 12 2021\r\n".encode()
    )
    (folder / "CURRENT.UF2").write_bytes(b"")
    return folder
