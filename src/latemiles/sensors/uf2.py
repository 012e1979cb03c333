"""UF2 files: what a sensor's bootloader takes, read and checked before it is given any.

Format: github.com/microsoft/uf2. Blocks of 512 bytes, each with the address of 256 bytes of the program.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final, NamedTuple

from latemiles.errors import InputError

__all__ = ["BOARDS", "FAMILY_NRF52840", "Image", "read_image"]

FAMILY_NRF52840: Final = 0xADA52840
BOARDS: Final = ("nRF52840-SeeedXiaoSense-v1", "Seeed_XIAO_nRF52840_Sense")
"""What the two bootloaders of a XIAO nRF52840 Sense say of their board."""
FLASH_BEGIN: Final = 0x27000
"""A program begins here, behind the SoftDevice that the board comes with."""
FLASH_END: Final = 0xEC000
"""Settings begin here, then the bootloader."""

_BLOCK: Final = 512
_HEAD: Final = struct.Struct("<8I")
_MAGIC: Final = (0x0A324655, 0x9E5D5157)
_MAGIC_END: Final = 0x0AB16F30
_NOT_MAIN: Final = 0x0000_0001
_HAS_FAMILY: Final = 0x0000_2000
_PAGE: Final = 256
_RAM: Final = (0x2000_0000, 0x2004_0000)
_WHAT: Final = "a UF2 file for the XIAO nRF52840 Sense"
_ADVICE: Final = "Build it with 'west build -b xiao_ble/nrf52840/sense firmware/zephyr' and take zephyr.uf2."


class Image(NamedTuple):
    """A program that was checked."""

    data: bytes
    """The file as it goes to the drive."""
    blocks: int
    first: int
    """Lowest address."""
    end: int
    """Address after the last byte."""


def read_image(path: Path) -> Image:
    """Read a UF2 file and check it block by block.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Image
        What it holds.

    Raises
    ------
    InputError
        If it is no UF2, is cut short, is for another chip, would overwrite what it must not, or holds no
        program.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(_WHAT, f"{path}, which cannot be read ({error.strerror})", _ADVICE) from error
    if not data or len(data) % _BLOCK:
        raise InputError(_WHAT, f"{path.name} of {len(data)} bytes, no multiple of {_BLOCK}", _ADVICE)
    at = FLASH_BEGIN
    total = len(data) // _BLOCK
    for number in range(total):
        block = data[number * _BLOCK : (number + 1) * _BLOCK]
        at = _checked(block, number, total, at, path.name)
    _check_vectors(data, path.name)
    return Image(data, total, FLASH_BEGIN, at)


def _checked(block: bytes, number: int, total: int, at: int, name: str) -> int:
    """Check one block; the address where the next one must begin."""
    *magic, flags, address, size, said, of, family = _HEAD.unpack_from(block)

    def bad(what: str) -> InputError:
        return InputError(_WHAT, f"{name}, block {number}: {what}", _ADVICE)

    if tuple(magic) != _MAGIC or block[-4:] != _MAGIC_END.to_bytes(4, "little"):
        raise bad("it is damaged or no UF2")
    if flags & _NOT_MAIN or not flags & _HAS_FAMILY or family != FAMILY_NRF52840:
        raise bad(f"it is for the chip family {family:08X}, not {FAMILY_NRF52840:08X}")
    if (said, of) != (number, total):
        raise bad(f"it calls itself {said} of {of}, of {total} blocks in the file; the file is not whole")
    if not FLASH_BEGIN <= address < FLASH_END:
        raise bad(
            f"address {address:#x} is outside {FLASH_BEGIN:#x} to {FLASH_END:#x}, where a program may lie"
        )
    if size != _PAGE or address != at:
        raise bad(f"{size} bytes at {address:#x}, where {_PAGE} at {at:#x} must follow")
    return at + _PAGE


def _check_vectors(data: bytes, name: str) -> None:
    """A program begins with its stack pointer and with where it starts."""
    stack, reset = struct.unpack_from("<2I", data, _HEAD.size)
    if not _RAM[0] < stack <= _RAM[1] or not (FLASH_BEGIN < reset < FLASH_END and reset & 1):
        raise InputError(_WHAT, f"{name}, which does not begin with a program for this chip", _ADVICE)
