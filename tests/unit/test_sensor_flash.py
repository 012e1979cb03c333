"""Firmware files and bootloaders' drives: what is taken, what is refused before a byte is written."""

from __future__ import annotations

import errno
import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latemiles.cli.main import main
from latemiles.errors import EnvironmentMissing, InputError
from latemiles.sensors.boot_drive import checked, drive_at, drives, mounted, one_drive, put
from latemiles.sensors.uf2 import read_image
from latemiles.session import sensor_update
from reference.uf2_files import BEGIN, FAMILY, drive, program, program_of, uf2

GOOD = uf2(program())


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "zephyr.uf2"
    path.write_bytes(GOOD)
    return path


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sensor_update, "GONE_S", 0.02)
    monkeypatch.setattr(sensor_update, "_LOOK_S", 0.01)


def changed(k: int, at: int, value: int) -> bytes:
    """The good file with one word of one block changed."""
    data = bytearray(GOOD)
    struct.pack_into("<I", data, 512 * k + at, value)
    return bytes(data)


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on standard error."""
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("latemiles: ")
    return line


def test_a_file_of_west_is_read_with_its_place(good: Path) -> None:
    image = read_image(good)
    assert (image.first, image.end, image.blocks) == (BEGIN, BEGIN + 4096, 16)
    assert image.data == GOOD


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "of 0 bytes"),
        (GOOD[:-1], "no multiple of 512"),
        (GOOD[:-512], "the file is not whole"),
        (GOOD[512:], "the file is not whole"),
        (changed(3, 0, 0), "block 3: it is damaged or no UF2"),
        (changed(3, 4, 0), "block 3: it is damaged or no UF2"),
        (changed(3, 508, 0), "block 3: it is damaged or no UF2"),
        (uf2(program(), family=0xE48BFF56), "family E48BFF56, not ADA52840"),
        (uf2(program(), flags=0), "chip family"),
        (changed(2, 8, 0x2001), "chip family"),
        (uf2(program(), begin=0x1000), "address 0x1000 is outside 0x27000 to 0xec000"),
        (uf2(program(0xEC000 - BEGIN + 256)), "address 0xec000 is outside"),
        (uf2(program(), begin=0x28000), "256 at 0x27000 must follow"),
        (changed(5, 12, BEGIN), "must follow"),
        (changed(5, 16, 255), "255 bytes at"),
        (changed(5, 20, 6), "calls itself 6 of 16"),
        (uf2(b"\xff" * 512), "does not begin with a program"),
        (uf2(struct.pack("<2I", 0x2000_8000, 0x101) + bytes(600)), "does not begin with a program"),
    ],
)
def test_a_file_that_must_not_be_written_is_refused_in_one_line(
    tmp_path: Path, data: bytes, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.uf2").write_bytes(data)
    there = drive(tmp_path / "XIAO-SENSE")
    assert main(["sensor", "flash", str(tmp_path / "bad.uf2"), "--drive", str(there)]) == 1
    line = said(capsys)
    assert why in line
    assert line.endswith("take zephyr.uf2.")
    assert sorted(p.name for p in there.iterdir()) == ["CURRENT.UF2", "INFO_UF2.TXT"]


@given(at=st.integers(0, len(GOOD) - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_is_refused_or_is_in_the_program_alone(
    tmp_path_factory: pytest.TempPathFactory, at: int, bit: int
) -> None:
    data = bytearray(GOOD)
    data[at] ^= 1 << bit
    path = tmp_path_factory.getbasetemp() / "flipped.uf2"
    path.write_bytes(data)
    try:
        read_image(path)
    except InputError:
        return
    # A UF2 has no checksum: what lies in the payload, behind it, or in bits of the flags that say nothing.
    assert 32 <= at % 512 < 508 or 8 <= at % 512 < 12


def test_a_file_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["sensor", "flash", str(tmp_path / "none.uf2")]) == 1
    assert "No such file" in said(capsys)


def test_the_program_reaches_the_drive_whole(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = drive(tmp_path / "XIAO-SENSE")
    assert main(["sensor", "flash", str(good), "--drive", str(there)]) == 0
    (made,) = there.glob("latemiles.uf2")
    assert program_of(made.read_bytes())[:4000] == program()
    assert "Press RESET once" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("board", "softdevice", "why"),
    [
        ("nRF52840-SeeedXiao-v1", "S140 version 7.3.0", "not a XIAO nRF52840 Sense"),
        ("RPI-RP2", "", "--board-id"),
        ("Seeed_XIAO_nRF52840_Sense", "not found", "has no SoftDevice"),
    ],
)
def test_another_board_gets_nothing(
    good: Path,
    tmp_path: Path,
    board: str,
    softdevice: str,
    why: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    there = drive(tmp_path / "OTHER", board, softdevice)
    assert main(["sensor", "flash", str(good), "--drive", str(there)]) == 1
    assert why in said(capsys)
    assert not list(there.glob("latemiles.uf2"))


def test_both_bootloaders_of_the_board_and_one_that_is_told_are_taken(good: Path, tmp_path: Path) -> None:
    for board in ("nRF52840-SeeedXiaoSense-v1", "Seeed_XIAO_nRF52840_Sense"):
        there = drive(tmp_path / board, board)
        assert main(["sensor", "flash", str(good), "--drive", str(there)]) == 0
    there = drive(tmp_path / "mine", "My-Board")
    assert main(["sensor", "flash", str(good), "--drive", str(there), "--board-id", "My-Board"]) == 0
    assert (there / "latemiles.uf2").exists()


def test_the_drive_is_found_among_others_and_two_are_too_many(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "INFO_UF2.TXT").write_bytes(b"\xff\xfe nothing of use")
    one = drive(tmp_path / "XIAO-SENSE")
    look = lambda: sorted(tmp_path.iterdir())  # noqa: E731
    assert one_drive(drives(look)).path == one
    assert checked(one_drive(drives(look))).softdevice == "S140 version 7.3.0"
    drive(tmp_path / "XIAO-SENSE1")
    with pytest.raises(EnvironmentMissing, match=r"2 bootloaders.*--drive"):
        one_drive(drives(look))
    with pytest.raises(EnvironmentMissing, match="RESET twice"):
        one_drive(drives(lambda: [tmp_path / "photos"]))
    assert drive_at(tmp_path / "nowhere") is None


def test_the_systems_own_drives_can_be_looked_through() -> None:
    assert all(isinstance(path, Path) for path in mounted())
    assert drives() == []


def test_a_drive_that_is_full_says_so_and_one_that_restarts_early_is_fine(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = drive(tmp_path / "XIAO-SENSE")
    image, target = read_image(good), drive_at(there)
    assert target is not None

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EnvironmentMissing, match=r"did not take x\.uf2 \(No space left"):
        put(image, "x.uf2", target)

    def gone(_: int) -> None:
        (there / "INFO_UF2.TXT").unlink()
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", gone)
    put(image, "x.uf2", target)


def test_family_and_begin_are_those_of_the_board() -> None:
    overlay = (Path(__file__).resolve().parents[2] / "docs" / "build-a-sensor.md").read_text("utf-8")
    assert f"{FAMILY:#x}" in overlay.lower()
    assert f"{BEGIN:#x}" in overlay.lower()
