"""The Bluetooth lines of ``doctor``: adapter, sensors, links at once, firmware, battery, clock."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from latemiles.errors import LinkFailed

if TYPE_CHECKING:
    from latemiles.sensors.ble import BleStack
    from latemiles.sensors.desk import Found, Visit

__all__ = ["Line", "bluetooth_lines"]

_FAST_PPM = 200.0
"""No watch crystal is off by more."""
_LOW_PERCENT = 15
_CLOCK_PERCENT = 0.1


class Line(NamedTuple):
    """One line of the answer."""

    what: str
    good: bool
    words: str


async def bluetooth_lines(stack: BleStack, seconds: float = 2.0) -> list[Line]:
    """Look for an adapter, link every sensor of ours that is heard, and question it.

    Parameters
    ----------
    stack : BleStack
        Which Bluetooth.
    seconds : float
        How long to listen.
    """
    from latemiles.sensors import protocol
    from latemiles.sensors.desk import visits, who_is_there
    from latemiles.sensors.families import driver_of

    try:
        there = await who_is_there(stack, seconds)
    except LinkFailed as trouble:
        return [Line("Bluetooth", False, f"{trouble} Needed for live runs only.")]
    ours = [one.heard for one in there if protocol.SERVICE in one.heard.services]
    lines = [Line("Bluetooth", True, f"adapter answers; {len(there)} devices of use, {len(ours)} sensors.")]
    lines += [
        _other(one) for one in there if protocol.SERVICE not in one.heard.services and driver_of(one.heard)
    ]
    if not ours:
        return lines
    async with visits(stack, ours) as linked:
        every = len(linked) == len(ours)
        advice = (
            "" if every else " Some adapters carry three links or fewer: try another one, or bring them near."
        )
        lines.append(Line("links at once", every, f"{len(linked)} of {len(ours)} sensors.{advice}"))
        for one in linked:
            lines.append(await _sensor(one))
    return lines


def _other(one: Found) -> Line:
    """What a sensor of another maker gives, and what is left blank with it."""
    from latemiles.metrics.needs import SHORT_WORDS, Offer, lacking
    from latemiles.sensors.families import driver_of
    from latemiles.sensors.recipes import recipe_of
    from latemiles.sensors.registry import driver_named
    from latemiles.signals.frames import Segment

    recipe = recipe_of(driver_of(one.heard))
    can = driver_named(recipe.driver).capabilities
    missing = lacking([Offer(Segment.PELVIS, recipe.rate_hz, can.has_clock)])
    words = [
        f"{one.kind}, {recipe.rate_hz:.0f} Hz",
        *(said for need, said in SHORT_WORDS.items() if need in missing),
    ]
    return Line(one.heard.name or one.kind, True, "; ".join(words) + ".")


async def _sensor(one: Visit) -> Line:
    from latemiles.sensors import protocol
    from latemiles.sensors.desk import check_clock

    status = one.status
    words = [
        f"firmware {one.info.firmware_text}",
        f"battery {status.battery_percent} % ({status.battery_mv / 1000.0:.2f} V)",
    ]
    good = status.battery_percent >= _LOW_PERCENT
    try:
        payload = await one.connection.payload(protocol.DATA)
        clock = await check_clock(one)
    except LinkFailed as trouble:
        return Line(one.connection.heard.name, False, f"{', '.join(words)}. {trouble}")
    good = good and math.isfinite(clock.rate_ppm) and abs(clock.rate_ppm) < 10.0 * _FAST_PPM
    # Four seconds of answers that take tens of milliseconds tell a crystal that is broken, nothing finer.
    off = abs(clock.rate_ppm) * 1e-4
    words.append("clock right to 0.1 %" if off < _CLOCK_PERCENT else f"clock off by {off:.1f} %")
    words.append(f"answers in {clock.round_trip_ms:.0f} ms")
    if payload < protocol.MIN_MTU - 3:
        good = False
        words.append(f"packets of {payload} bytes, {protocol.MIN_MTU - 3} needed: use Bluetooth 4.2 or newer")
    return Line(one.connection.heard.name, good, ", ".join(words) + ".")
