"""The flash log when the power fails: after each single byte that is erased or programmed."""

from __future__ import annotations

from typing import Any

import pytest

from firmware.host_core import SECTOR, Library

PAGE_BYTES, SECTOR_PAGES = 244, 16
PAGES = 2 * SECTOR_PAGES


class Flash:
    """Two sectors of flash and the log that one boot finds in them."""

    def __init__(self, library: Library, cells: bytes, cut: int | None = None) -> None:
        self.ffi, self.lib = library.ffi, library.lib
        self.flash = library.ffi.new("struct fake_flash *")
        self.port = library.ffi.new("struct lm_port *")
        self.log: Any = library.ffi.new("struct lm_log *")
        self.flash.cells = cells
        self.flash.has_cut, self.flash.left = cut is not None, cut or 0
        self.lib.fake_flash_boot(self.flash, self.port, self.log)

    @property
    def cells(self) -> bytes:
        """What lies in flash."""
        return bytes(self.ffi.buffer(self.flash.cells))

    def write(self, pages: int) -> int:
        """Write so many pages; how many are safe when that is done or the power fails."""
        return int(self.lib.fake_flash_write(self.log, pages))

    def numbers(self) -> list[int]:
        """Pages that are there."""
        found = self.ffi.new("uint32_t[]", PAGES)
        return list(found[0 : self.lib.fake_flash_read(self.log, found, PAGES)])


def wanted(last: int, count: int) -> list[int]:
    """The newest pages of a log whose last page is this one."""
    return list(range(last - count + 1, last + 1))


@pytest.mark.parametrize("pages_before", [0, 31])
def test_a_cut_after_any_byte_costs_the_page_under_way_only(core_library: Library, pages_before: int) -> None:
    prepared = Flash(core_library, b"\xff" * (2 * SECTOR))
    assert prepared.write(pages_before) == pages_before
    cells, old = prepared.cells, list(range(pages_before))
    # One page more than a sector holds, and a sector that is erased for them, byte by byte.
    work = (SECTOR_PAGES + 1) * PAGE_BYTES + SECTOR
    safes = []
    for cut in range(work):
        dying = Flash(core_library, cells, cut)
        safe = dying.write(PAGES)
        assert dying.flash.is_dead
        again = Flash(core_library, dying.cells)
        there = again.numbers()
        new = [number for number in there if number >= pages_before]
        # All that was safe is there; beside it at most the page of which no byte was missing.
        assert new[:safe] == list(range(pages_before, pages_before + safe))
        assert len(new) <= safe + 1
        # Of the old ones, only the sector that had to make room.
        kept = [number for number in there if number < pages_before]
        assert kept == old[len(old) - len(kept) :]
        assert len(kept) >= len(old) - SECTOR_PAGES
        # And it goes on behind whatever the cut left.
        assert again.write(SECTOR_PAGES + 1) == SECTOR_PAGES + 1
        after = again.numbers()
        assert after[-SECTOR_PAGES - 1 :] == wanted(after[-1], SECTOR_PAGES + 1)
        safes.append(safe)
    assert safes == sorted(safes)
    assert safes[-1] >= SECTOR_PAGES


def test_the_flash_of_the_tests_fails_as_flash_does(core_library: Library) -> None:
    flash = Flash(core_library, b"\x00" * (2 * SECTOR), SECTOR + PAGE_BYTES + 100)
    assert flash.write(3) == 1
    assert flash.flash.is_dead
    # Erased, one page whole, the first hundred bytes of the next, and the other sector as it was.
    assert flash.cells[256:258] == flash.cells[:2] == b"\x4c\x4d"
    assert flash.cells[256 + 100 : SECTOR] == b"\xff" * (SECTOR - 356)
    assert flash.cells[SECTOR:] == bytes(SECTOR)
    # Programming clears bits and sets none.
    assert Flash(core_library, b"\x00" * (2 * SECTOR)).cells == bytes(2 * SECTOR)
