"""The drive that a sensor in its bootloader shows on its USB cable: found, checked, written to."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from latemiles.errors import EnvironmentMissing
from latemiles.sensors.uf2 import BOARDS, Image

__all__ = ["Drive", "checked", "drive_at", "drives", "one_drive", "put"]

INFO_FILE: Final = "INFO_UF2.TXT"
_INFO_MOST: Final = 4096
_HOW: Final = "Plug its USB cable in and press RESET twice within half a second: a drive appears."

Folders = Callable[[], Iterable[Path]]


class Drive(NamedTuple):
    """A drive with a bootloader behind it."""

    path: Path
    board: str
    """Its Board-ID."""
    model: str
    softdevice: str


def mounted() -> list[Path]:
    """Folders at which this system shows drives."""
    if sys.platform == "win32":
        return [Path(f"{letter}:\\") for letter in "DEFGHIJKLMNOPQRSTUVWXYZ"]
    if sys.platform == "darwin":
        return sorted(Path("/Volumes").glob("*"))
    try:
        lines = Path("/proc/self/mounts").read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    # Blanks are written in octal there.
    there = [Path(line.split()[1].replace("\\040", " ")) for line in lines if line.count(" ") > 1]
    return [path for path in there if path.parts[:2] in {("/", "media"), ("/", "run"), ("/", "mnt")}]


def drive_at(path: Path) -> Drive | None:
    """The bootloader's drive at a folder; None if it is none."""
    try:
        with (path / INFO_FILE).open("rb") as file:
            text = file.read(_INFO_MOST).decode("utf-8", "replace")
    except OSError:
        return None
    said = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon:
            said[name.strip().lower()] = value.strip()
    if "board-id" not in said:
        return None
    return Drive(path, said["board-id"], said.get("model", ""), said.get("softdevice", ""))


def drives(folders: Folders = mounted) -> list[Drive]:
    """All bootloaders' drives that are plugged in."""
    return [drive for folder in folders() if (drive := drive_at(folder)) is not None]


def one_drive(there: Sequence[Drive]) -> Drive:
    """The only drive.

    Raises
    ------
    EnvironmentMissing
        If there is none, or more than one.
    """
    if not there:
        raise EnvironmentMissing(f"No sensor in its bootloader was found. {_HOW}")
    if len(there) > 1:
        names = ", ".join(str(drive.path) for drive in there)
        raise EnvironmentMissing(f"{len(there)} bootloaders are plugged in: {names}. Say which with --drive.")
    return there[0]


def checked(drive: Drive, boards: Sequence[str] = BOARDS) -> Drive:
    """The drive, if the firmware is for its board.

    Raises
    ------
    EnvironmentMissing
        If it is another board, or its flash is laid out otherwise.
    """
    if drive.board not in boards:
        what = f"{drive.path} is a {drive.model or 'board'} ({drive.board})"
        raise EnvironmentMissing(
            f"{what}, not a XIAO nRF52840 Sense ({' or '.join(BOARDS)}). Nothing was written; if it is one "
            "after all, say so with --board-id."
        )
    if drive.softdevice.lower().startswith("not"):
        raise EnvironmentMissing(
            f"The bootloader at {drive.path} has no SoftDevice, so that programs begin elsewhere. Nothing "
            "was written; put the maker's bootloader back first."
        )
    return drive


def put(image: Image, name: str, drive: Drive) -> None:
    """Write a program to a drive; the board restarts by itself when it has it all.

    Raises
    ------
    EnvironmentMissing
        If the drive did not take it.
    """
    target = drive.path / name
    try:
        _write(target, image.data)
    except OSError as error:
        # The board may be gone the moment that it has the last block, before the system has closed the file.
        if drive_at(drive.path) is None and error.filename is None:
            return
        raise EnvironmentMissing(
            f"{drive.path} did not take {name} ({error.strerror}). The sensor keeps its bootloader: press "
            "RESET twice and try again."
        ) from error


def _write(target: Path, data: bytes) -> None:
    with target.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
