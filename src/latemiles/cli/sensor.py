"""Commands ``sensor flash|info|log|update``: the care of one sensor of our own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from latemiles.cli.context import console, shown_step, state_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from latemiles.sensors.assignments import Assignments
    from latemiles.sensors.ble import BleStack, Heard
    from latemiles.sensors.desk import Visit
    from latemiles.signals.frames import Segment

__all__ = ["info_lines", "log_lines", "register"]

BUILT: Final = Path("build/zephyr/zephyr.uf2")
"""Where west leaves the firmware."""

WhichArgument = Annotated[
    str, typer.Argument(help="A segment, the end of a serial number, or a name; empty: the nearest.")
]
FileArgument = Annotated[Path, typer.Argument(help="The firmware, as west builds it.", dir_okay=False)]
BoardOption = Annotated[
    str, typer.Option("--board-id", help="Board-ID of INFO_UF2.TXT that is meant, if it is another one.")
]
EndOption = Annotated[bool, typer.Option("--end-run", help="End a run that the sensor still records.")]
SecondsOption = Annotated[float, typer.Option(min=1.0, help="How long to listen.")]
AdapterOption = Annotated[str | None, typer.Option(help="Bluetooth adapter on Linux, such as hci1.")]

group = typer.Typer(help="Care for one sensor of our own: its firmware, its state, its log.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="sensor")


@group.command()
def flash(
    file: FileArgument = BUILT,
    drive: Annotated[
        Path | None, typer.Option(help="Its drive, if it is not found by itself.", file_okay=False)
    ] = None,
    board: BoardOption = "",
) -> None:
    """Write firmware to a sensor that shows itself as a drive (RESET pressed twice)."""
    from latemiles.sensors.boot_drive import checked, drive_at, drives, one_drive
    from latemiles.sensors.uf2 import BOARDS, read_image
    from latemiles.session.sensor_update import flash as write

    image = read_image(file)
    found = [one for one in [drive_at(drive)] if one is not None] if drive is not None else drives()
    target = checked(one_drive(found), (board,) if board else BOARDS)
    asyncio.run(write(image, target, console().print))


@group.command()
def info(
    context: typer.Context,
    which: WhichArgument = "",
    seconds: SecondsOption = 5.0,
    adapter: AdapterOption = None,
) -> None:
    """Show what a sensor is and how it does."""
    kept, stack = _kept(context), _stack(adapter)
    for line in asyncio.run(info_lines(stack, kept, which, seconds)):
        console().print(line)


@group.command()
def log(
    context: typer.Context,
    which: WhichArgument = "",
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the recordings. Default: the home folder's.", file_okay=False),
    ] = None,
    erase: Annotated[bool, typer.Option("--erase", help="Empty the log once it is safe on disk.")] = False,
    end_run: EndOption = False,
    seconds: SecondsOption = 5.0,
    adapter: AdapterOption = None,
) -> None:
    """Bring what a sensor kept in its flash while nobody heard it into recordings."""
    kept, stack = _kept(context), _stack(adapter)
    folder = out or state_of(context).find_home().recordings
    with shown_step("reading the log") as shown:
        lines = asyncio.run(
            log_lines(stack, kept, which, seconds, folder, erase=erase, end_run=end_run, shown=shown)
        )
    for line in lines:
        console().print(line)


@group.command()
def update(
    context: typer.Context,
    file: FileArgument = BUILT,
    which: WhichArgument = "",
    board: BoardOption = "",
    end_run: EndOption = False,
    seconds: SecondsOption = 5.0,
    adapter: AdapterOption = None,
) -> None:
    """Bring new firmware to a sensor that runs and is on its USB cable: no button is pressed."""
    from latemiles.sensors.uf2 import BOARDS, read_image
    from latemiles.session.sensor_update import update as bring

    image = read_image(file)
    kept, stack, out = _kept(context), _stack(adapter), console()

    async def work() -> str:
        heard = await meant(stack, kept, which, seconds, only=True)
        boards = (board,) if board else BOARDS
        old, new = await bring(stack, heard, image, out.print, end_run=end_run, boards=boards)
        return f"{heard.name}: firmware {old.firmware_text} before, {new.firmware_text} now."

    out.print(asyncio.run(work()))


async def meant(
    stack: BleStack, kept: Assignments, which: str, seconds: float, *, only: bool = False
) -> Heard:
    """The sensor of ours that is meant.

    Parameters
    ----------
    stack : BleStack
        Which Bluetooth.
    kept : Assignments
        What is known.
    which : str
        A segment, the end of a serial number or a name; empty: the nearest.
    seconds : float
        How long to listen.
    only : bool
        Whether the nearest of several will not do.

    Raises
    ------
    EnvironmentMissing
        If it was not heard, or several could be meant.
    """
    from latemiles.errors import EnvironmentMissing
    from latemiles.sensors import protocol
    from latemiles.sensors.desk import who_is_there

    serials = {segment.value: serial for segment, serial in kept.serials.items()}
    wanted = serials.get(which.strip().replace(" ", "_").lower(), which.strip()).upper()[-4:]
    there = [one.heard for one in await who_is_there(stack, seconds)]
    ours = [one for one in there if protocol.SERVICE in one.services and one.name.upper().endswith(wanted)]
    if only and len(ours) > 1:
        raise EnvironmentMissing(f"{', '.join(sorted(one.name for one in ours))} were heard. Say which one.")
    if ours:
        return ours[0]
    whom = f"No sensor '{which}' was heard" if which else "No sensor of ours was heard"
    raise EnvironmentMissing(f"{whom}. 'latemiles scan' lists those within reach; one in a run is not heard.")


async def info_lines(stack: BleStack, kept: Assignments, which: str, seconds: float) -> list[str]:
    """What a sensor is and how it does, a line a fact.

    Raises
    ------
    LinkFailed
        If it cannot be reached.
    """
    from latemiles.sensors.desk import visit
    from latemiles.sensors.talk import Talk, log_list

    heard = await meant(stack, kept, which, seconds)
    async with visit(stack, heard) as there:
        pages = (await log_list(Talk(there))).pages
        return _facts(there, kept, pages)


def _facts(there: Visit, kept: Assignments, pages: int) -> list[str]:
    from math import isnan

    from latemiles.sensors import protocol
    from latemiles.sensors.about import StatusFlag
    from latemiles.sensors.flash_log import PAGE_SAMPLES

    info, status = there.info, there.status
    place = kept.segment_of(there.serial)
    role = protocol.ROLES[status.role] if status.role < len(protocol.ROLES) else None
    boards = {0: "emulated", 1: "XIAO nRF52840 Sense"}
    states = ("idle", "ready", "recording", "recording, its host is out of reach", "going off")
    faults = {
        StatusFlag.IMU_FAULT: "the IMU does not answer: switch it off and on",
        StatusFlag.LOG_FAULT: "the flash of the log is worn out",
        StatusFlag.BATTERY_LOW: "the battery is low: charge it",
    }
    battery = (
        "unknown" if isnan(status.battery) else f"{status.battery:.0f} %, {status.battery_mv / 1000:.2f} V"
    )
    battery += ", charging" if status.flags & StatusFlag.CHARGING else ""
    calibrated = any(info.calibration[:28])
    temperature = "" if isnan(status.temperature_c) else f"{status.temperature_c:.1f} deg C"
    log = f"{pages} of {info.log_pages} pages, {pages * PAGE_SAMPLES} samples" if info.log_pages else "none"
    facts = {
        "serial": there.serial,
        "sits on": place.label if place is not None else "no place yet ('latemiles assign')",
        "its own role": role.label if role is not None else "none",
        "board": boards.get(info.board, f"number {info.board}"),
        "firmware": f"{info.firmware_text}, protocol {info.protocol}, started {info.boots} times",
        "rates": ", ".join(str(rate) for rate in info.rates_hz) + " Hz",
        "state": states[status.state] if status.state < len(states) else f"number {status.state}",
        "battery": battery,
        "temperature": temperature,
        "calibration": "stored" if calibrated else "none stored",
        "memory": f"{info.ring_bytes // 1000} kB for what must be sent again",
        "flash log": log,
    }
    lines = [there.connection.heard.name]
    lines += [f"  {name:<13} {value}" for name, value in facts.items() if value]
    return lines + [f"  ! {words}" for flag, words in faults.items() if status.flags & flag]


async def log_lines(
    stack: BleStack,
    kept: Assignments,
    which: str,
    seconds: float,
    folder: Path,
    *,
    erase: bool = False,
    end_run: bool = False,
    shown: Callable[[float], None] = lambda _: None,
) -> list[str]:
    """Read a sensor's log into recordings; what was done, line by line.

    Raises
    ------
    LinkFailed
        If it cannot be reached.
    EnvironmentMissing
        If it records a run.
    ConfigError
        If it is not known where the sensor sits.
    """
    from latemiles.sensors.desk import visit
    from latemiles.sensors.protocol import Command
    from latemiles.sensors.talk import Talk, erase_log, log_list, read_log
    from latemiles.session.sensor_log import log_recordings
    from latemiles.session.sensor_update import refuse_while_recording

    heard = await meant(stack, kept, which, seconds)
    async with visit(stack, heard) as there:
        talk = Talk(there)
        if end_run:
            await talk.do(Command.STOP)
        else:
            refuse_while_recording(heard.name, there.status)
        listed = await log_list(talk)
        if listed.pages == 0:
            return [f"{heard.name}: the log is empty."]
        segment = _segment(there, kept)
        pages, damaged = await read_log(talk, listed, shown)
        torn = listed.pages - len(pages)
        lines = [
            f"{heard.name}: {len(pages)} pages read" + (f", {torn} torn or damaged" if torn else "") + "."
        ]
        for path in log_recordings(pages, there.info, segment, folder):
            lines.append(f"  {path}")
        if erase and damaged:
            lines.append("The log was not emptied, as pages came damaged. Read it again.")
        elif erase:
            await erase_log(talk)
            lines.append("The log is empty now.")
    return lines


def _segment(there: Visit, kept: Assignments) -> Segment:
    from latemiles.errors import ConfigError
    from latemiles.sensors import protocol

    role = protocol.ROLES[there.status.role] if there.status.role < len(protocol.ROLES) else None
    place = kept.segment_of(there.serial) or role
    if place is None:
        raise ConfigError(
            "segment", f"nobody has said where {there.serial} sits. 'latemiles assign pelvis={there.serial}'."
        )
    return place


def _kept(context: typer.Context) -> Assignments:
    from latemiles.sensors.assignments import Assignments

    return Assignments.load(state_of(context).find_home().sensors)


def _stack(adapter: str | None) -> BleStack:
    from latemiles.sensors.ble import BleStack

    return BleStack(adapter=adapter)
