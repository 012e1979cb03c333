"""Whatever may happen to a radio, by chance and at once, and what must still be true afterwards."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable

import numpy as np

from latemiles.signals.frames import SEGMENTS
from latemiles.signals.records import Link
from latemiles.sim.world import ImuMaker
from reference.radio_runs import Scene, scene

STORM_S = 180.0
CALM_S = 90.0
"""After the last trouble: time to be found again and to send what was kept."""


async def trouble(made: Scene, chance: random.Random) -> None:
    """One thing that happens, from its beginning to its end."""
    segment = chance.choice(SEGMENTS)
    address = made.world.imu(segment).address
    lasts_s = chance.choice([0.5, 3.0, 8.0, 20.0, 90.0]) * chance.uniform(0.5, 1.5)

    async def out_of_range() -> None:
        made.away(segment)
        await asyncio.sleep(lasts_s)
        made.away(segment, is_away=False)

    async def bad_air() -> None:
        made.world.link.set_loss(address, chance.uniform(0.05, 0.6))
        await asyncio.sleep(lasts_s)
        made.world.link.set_loss(address, 0.0)

    async def no_adapter() -> None:
        made.world.adapter.vanish()
        await asyncio.sleep(min(lasts_s, 30.0))
        made.world.adapter.come_back()

    async def full_inbox() -> None:
        made.takes = lambda _: False
        await asyncio.sleep(min(lasts_s, 30.0))
        made.takes = lambda _: True

    async def cut() -> None:
        made.world.link.cut(address)

    async def reboot() -> None:
        await made.world.imu(segment).reboot()

    kinds: list[Callable[[], Awaitable[None]]] = [
        out_of_range, out_of_range, bad_air, no_adapter, full_inbox, cut, reboot,
    ]  # fmt: skip
    await chance.choice(kinds)()


async def storm(seed: int, make_imu: ImuMaker | None = None) -> Scene:
    """Troubles one after another and on top of each other, then calm."""
    chance = random.Random(seed)
    async with scene(STORM_S + 90.0 * 1.5 + CALM_S + 60.0, make_imu=make_imu) as made:
        going: list[asyncio.Task[None]] = []
        while (now := asyncio.get_running_loop().time() - made.zero_s) < STORM_S:
            await made.until(now + chance.expovariate(1.0 / 12.0))
            going.append(asyncio.create_task(trouble(made, chance)))
        await asyncio.gather(*going)
        # Where two of a kind overlapped, the one that ended last has put things right.
        for segment in SEGMENTS:
            made.away(segment, is_away=False)
            made.world.link.set_loss(made.world.imu(segment).address, 0.0)
        made.world.adapter.come_back()
        made.takes = lambda _: True
        await asyncio.sleep(CALM_S)
    return made


def check_all_is_told(made: Scene) -> None:
    """Every sample was heard or is booked as lost, nothing is waited for, every sensor is back."""
    for segment in SEGMENTS:
        book = made.reception.links[segment].book
        assert book.missing == [], "still waiting after a calm of 90 s"
        unheard = 0
        for index in made.samples(segment).values():
            unheard += len(np.setdiff1d(np.arange(index.max() + 1), index))
        assert unheard == book.given_up
        states = [r.state for r in made.heard if isinstance(r, Link) and r.segment is segment]
        changes = [state for state in states if state in {"up", "down"}]
        assert changes[-1] == "up"
        assert all(a != b for a, b in itertools.pairwise(changes))
