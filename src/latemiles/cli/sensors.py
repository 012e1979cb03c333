"""Commands ``scan``, ``identify`` and ``assign``: find sensors and give each its place."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer

from latemiles.cli.context import console, state_of
from latemiles.errors import ConfigError, EnvironmentMissing

if TYPE_CHECKING:
    from latemiles.sensors.assignments import Assignments
    from latemiles.sensors.ble import BleStack, Heard
    from latemiles.sensors.desk import Found, Visit
    from latemiles.signals.frames import Segment

__all__ = ["assign_by", "register", "scan_lines"]

AdapterOption = Annotated[str | None, typer.Option(help="Bluetooth adapter on Linux, such as hci1.")]
SecondsOption = Annotated[float, typer.Option(min=1.0, help="How long to listen.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(scan)
    app.command()(identify)
    app.command()(assign)


def scan(context: typer.Context, seconds: SecondsOption = 5.0, adapter: AdapterOption = None) -> None:
    """List the sensors, straps, pods and treadmills within reach."""
    from latemiles.sensors.assignments import Assignments

    state = state_of(context)
    kept = Assignments.load(state.find_home().sensors)
    for line in state.desk.ask(lambda stack: scan_lines(stack, kept, seconds), adapter):
        console().print(line)


def identify(
    context: typer.Context,
    which: Annotated[
        str, typer.Argument(help="A segment, the end of a serial number, or a name; empty: the nearest.")
    ] = "",
    seconds: SecondsOption = 5.0,
    adapter: AdapterOption = None,
) -> None:
    """Let the light of one sensor blink."""
    from latemiles.sensors.assignments import Assignments

    state = state_of(context)
    kept = Assignments.load(state.find_home().sensors)
    name = state.desk.ask(lambda stack: blink_one(stack, kept, which, seconds), adapter)
    console().print(f"{name} blinks.")


def assign(
    context: typer.Context,
    places: Annotated[
        list[str] | None, typer.Argument(metavar="[SEGMENT=SERIAL]...", help="Without asking.")
    ] = None,
    tap: Annotated[
        bool, typer.Option("--tap", help="Tap each sensor when asked, instead of watching it blink.")
    ] = False,
    pod: Annotated[
        list[str] | None, typer.Option(metavar="KIND[=NAME]", help="heart_rate, foot_pod or treadmill.")
    ] = None,
    seconds: SecondsOption = 5.0,
    adapter: AdapterOption = None,
) -> None:
    """Give each sensor its place on the body; kept by serial number."""
    from latemiles.sensors.assignments import Assignments, segment_named
    from latemiles.sensors.pods import KINDS, Pod

    state = state_of(context)
    home = state.find_home()
    kept = Assignments.load(home.sensors)
    for place in places or []:
        name, _, serial = place.partition("=")
        kept = kept.with_sensor(segment_named(name), _serial(serial))
    pods = {p.kind: p for p in kept.pods}
    for text in pod or []:
        kind, _, name = text.partition("=")
        if kind not in KINDS:
            raise ConfigError("--pod", f"'{kind}' is none of {', '.join(KINDS)}.")
        pods[kind] = Pod(kind, name)
    kept = Assignments(kept.serials, tuple(pods.values()))
    if not places and not pod:
        known = kept
        kept = state.desk.ask(lambda stack: assign_by(stack, known, _ask, seconds, tap=tap), adapter)
    kept.save(home.sensors)
    for segment, serial in sorted(kept.serials.items(), key=lambda item: item[0].lane):
        console().print(f"{segment.label}: {serial}")
    for one in kept.pods:
        console().print(f"{KINDS[one.kind].label}: {one.name or 'the first that is heard'}")


def _serial(text: str) -> str:
    """A serial number as it is kept; another maker's has its family before a colon."""
    from latemiles.sensors.recipes import RECIPES

    family, _, serial = text.strip().partition(":")
    if family.lower() in RECIPES:
        return f"{family.lower()}:{serial.upper()}"
    return text.strip().upper()


async def scan_lines(stack: BleStack, kept: Assignments, seconds: float) -> list[str]:
    """What is within reach, a line a device.

    Raises
    ------
    LinkFailed
        If there is no Bluetooth.
    """
    from latemiles.sensors.desk import who_is_there

    there = await who_is_there(stack, seconds)
    if not there:
        return ["Nothing of use was heard. Wake the sensors (press or shake them) and bring them near."]
    lines = [_line(one, kept) for one in there]
    if any(one.serial_end and _place(one, kept) is None for one in there):
        lines.append("'latemiles assign' gives each sensor its place: watch them blink, or --tap them.")
    return lines


def _place(one: Found, kept: Assignments) -> Segment | None:
    return next(
        (s for s, serial in kept.serials.items() if one.serial_end and serial.endswith(one.serial_end)), None
    )


def _line(one: Found, kept: Assignments) -> str:
    place = _place(one, kept)
    battery = f"{one.battery_percent:.0f} %" if math.isfinite(one.battery_percent) else ""
    words = place.label if place is not None else ("no place yet" if one.serial_end else "")
    return f"{one.heard.name:<14} {one.kind:<18} {one.heard.rssi:>4} dBm  {battery:>5}  {words}".rstrip()


async def blink_one(stack: BleStack, kept: Assignments, which: str, seconds: float) -> str:
    """Let one sensor blink; its name.

    Raises
    ------
    EnvironmentMissing
        If none is meant by ``which``.
    """
    from latemiles.sensors.desk import blink, visit

    for heard in await _ours(stack, seconds):
        if _is_meant(heard, kept, which):
            async with visit(stack, heard) as there:
                await blink(there)
                # The link is held while it blinks, so that the person sees which one it is.
                await asyncio.sleep(1.0)
            return heard.name
    raise EnvironmentMissing(f"No sensor '{which}' was heard. 'latemiles scan' lists those within reach.")


def _is_meant(heard: Heard, kept: Assignments, which: str) -> bool:
    if not which:
        return True
    serials = {segment.value: serial for segment, serial in kept.serials.items()}
    wanted = serials.get(which.replace(" ", "_").lower(), which).upper()
    return heard.name.upper().endswith(wanted[-4:])


async def assign_by(
    stack: BleStack,
    kept: Assignments,
    ask: Callable[[str], Awaitable[str]],
    seconds: float,
    *,
    tap: bool,
) -> Assignments:
    """Ask a person where each sensor sits.

    Parameters
    ----------
    stack : BleStack
        Which Bluetooth.
    kept : Assignments
        What is known.
    ask : callable
        Shows a line and returns the answer.
    seconds : float
        How long to listen.
    tap : bool
        Whether sensors are tapped one after another; else they blink.

    Raises
    ------
    EnvironmentMissing
        If no sensor was heard.
    """
    from latemiles.sensors.desk import visits

    heard = await _ours(stack, seconds)
    if not heard:
        raise EnvironmentMissing("No sensor was heard. Wake the sensors (press or shake them) and try again.")
    async with visits(stack, heard) as there:
        return await (_by_tap(there, kept, ask) if tap else _by_light(there, kept, ask))


async def _by_light(
    there: list[Visit], kept: Assignments, ask: Callable[[str], Awaitable[str]]
) -> Assignments:
    from latemiles.sensors.assignments import segment_named
    from latemiles.sensors.desk import blink

    for one in there:
        line = (
            f"{one.connection.heard.name} blinks. It is on the [p]elvis, [l]eft thigh, [r]ight thigh, [s]kip"
        )
        while True:
            await blink(one)
            answer = await ask(line)
            if answer.strip().lower() in ("", "s", "skip"):
                break
            try:
                kept = kept.with_sensor(segment_named(answer), one.serial)
            except ConfigError:
                # What was answered for the others must not be lost by a slip of the finger.
                line = f"'{answer.strip()}' is no place. p, l, r or s"
            else:
                break
    return kept


async def _by_tap(there: list[Visit], kept: Assignments, ask: Callable[[str], Awaitable[str]]) -> Assignments:
    from latemiles.sensors.desk import tapped
    from latemiles.signals.frames import SEGMENTS

    for segment in SEGMENTS:
        answer = await ask(
            f"Press Enter, then tap the {segment.label} sensor firmly three times ([s]kip to leave it out)"
        )
        if answer.strip().lower() in ("s", "skip"):
            continue
        found = await tapped(there, 5.0)
        if found is None:
            await ask("No tap stood out. It is left as it was; Enter goes on")
        else:
            kept = kept.with_sensor(segment, found.serial)
    return kept


async def _ours(stack: BleStack, seconds: float) -> list[Heard]:
    from latemiles.sensors import protocol
    from latemiles.sensors.desk import who_is_there

    return [one.heard for one in await who_is_there(stack, seconds) if protocol.SERVICE in one.heard.services]


async def _ask(line: str) -> str:
    return str(await asyncio.to_thread(typer.prompt, line, default="", show_default=False))
