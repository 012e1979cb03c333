"""New firmware for a sensor that runs: to its bootloader by radio, the program by cable, heard again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from latemiles.errors import EnvironmentMissing, LinkFailed
from latemiles.sensors import protocol
from latemiles.sensors.about import Info, Status, StatusFlag
from latemiles.sensors.ble import BleStack, Heard
from latemiles.sensors.ble_errors import LinkReason
from latemiles.sensors.boot_drive import Drive, Folders, checked, drive_at, drives, mounted, put
from latemiles.sensors.desk import Visit, visit, who_is_there
from latemiles.sensors.protocol import Command, State
from latemiles.sensors.talk import Talk
from latemiles.sensors.uf2 import BOARDS, Image

__all__ = ["flash", "refuse_while_recording", "update"]

DRIVE_S: Final = 30.0
"""From the command to the drive: the system must mount it."""
GONE_S: Final = 10.0
HEARD_S: Final = 30.0
_LOOK_S: Final = 0.5
_FULL_PERCENT: Final = 95
"""A full battery is not charged any more, whether there is a cable or not."""


def refuse_while_recording(name: str, status: Status) -> None:
    """Refuse what must not be done while a run is recorded.

    Raises
    ------
    EnvironmentMissing
        If a run is.
    """
    if status.state in (State.STREAMING, State.UNLINKED):
        raise EnvironmentMissing(
            f"{name} is recording a run. End the run first ('latemiles live', then Ctrl-C), or say --end-run."
        )


async def update(
    stack: BleStack,
    heard: Heard,
    image: Image,
    say: Callable[[str], None],
    *,
    end_run: bool = False,
    folders: Folders = mounted,
    boards: Sequence[str] = BOARDS,
) -> tuple[Info, Info]:
    """Bring new firmware to a sensor.

    Parameters
    ----------
    stack : BleStack
        Which Bluetooth.
    heard : Heard
        The sensor.
    image : Image
        The program, checked.
    say : callable
        Shows a line.
    end_run : bool
        Whether a run that it records is ended.
    folders : callable
        Where drives may be.
    boards : sequence of str
        Board-IDs that the program is for.

    Returns
    -------
    Info, Info
        What the sensor said before and after.

    Raises
    ------
    EnvironmentMissing
        If it must not be done now, or there is no drive, or the wrong one; the sensor is then as it was, or
        waits in its bootloader.
    LinkFailed
        If the sensor cannot be reached.
    """
    before = {drive.path for drive in drives(folders)}
    async with visit(stack, heard) as there:
        await _into_bootloader(there, end_run=end_run)
    say(f"{heard.name} is in its bootloader; waiting for its drive.")
    drive = checked(await _new_drive(folders, before), boards)
    await flash(image, drive, say)
    return there.info, (await _again(stack, there)).info


async def _into_bootloader(there: Visit, *, end_run: bool) -> None:
    name, status, talk = there.connection.heard.name, there.status, Talk(there)
    if not end_run:
        refuse_while_recording(name, status)
    if there.info.board == 0:
        raise EnvironmentMissing(f"{name} is an emulated sensor; there is no board to write to.")
    is_charging = bool(status.flags & StatusFlag.CHARGING)
    if status.flags & StatusFlag.BATTERY_LOW and not is_charging:
        raise EnvironmentMissing(
            f"{name} has {status.battery:.0f} % left: it could fail half way. Charge it first."
        )
    if not is_charging and status.battery < _FULL_PERCENT:
        raise EnvironmentMissing(
            f"{name} does not charge, so that it has no USB cable or is switched off at its switch. Plug it "
            "in, switch it on, and try again."
        )
    if end_run:
        await talk.do(Command.STOP)
    await talk.do(Command.BOOTLOADER, protocol.BOOTLOADER_KEY.to_bytes(4, "little"))


async def _new_drive(folders: Folders, before: set[Path]) -> Drive:
    for _ in range(round(DRIVE_S / _LOOK_S)):
        new = [drive for drive in drives(folders) if drive.path not in before]
        if new:
            return new[0]
        await asyncio.sleep(_LOOK_S)
    raise EnvironmentMissing(
        f"No drive appeared within {DRIVE_S:.0f} s. Nothing was written. Mount it if your system does not by "
        "itself, then 'latemiles sensor flash'; RESET once brings the old firmware back."
    )


async def flash(image: Image, drive: Drive, say: Callable[[str], None]) -> bool:
    """Write a program to a drive that was checked, and wait until the board has restarted.

    Returns
    -------
    bool
        Whether the drive is gone, as it must be.

    Raises
    ------
    EnvironmentMissing
        If the drive does not take it.
    """
    put(image, "latemiles.uf2", drive)
    for _ in range(round(GONE_S / _LOOK_S)):
        if drive_at(drive.path) is None:
            say(f"{image.end - image.first} bytes written to {drive.path} ({drive.board}); it restarts.")
            return True
        await asyncio.sleep(_LOOK_S)
    say(f"Written to {drive.path}, but the drive is still there. Press RESET once.")
    return False


async def _again(stack: BleStack, there: Visit) -> Visit:
    """The same sensor, once it is heard with its new firmware."""
    loop = asyncio.get_running_loop()
    until = loop.time() + HEARD_S
    while loop.time() < until:
        for one in await who_is_there(stack, 2.0):
            if one.heard.name != there.connection.heard.name:
                continue
            try:
                async with visit(stack, one.heard) as again:
                    if again.serial == there.serial:
                        return again
            except LinkFailed:
                # It may have been heard while it was still starting.
                continue
    raise LinkFailed(
        LinkReason.SILENT,
        f"{there.connection.heard.name} took its firmware but was not heard for {HEARD_S:.0f} s. Press RESET "
        "once; if that does not help, RESET twice and 'latemiles sensor flash' with an older file.",
    )
