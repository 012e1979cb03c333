"""Simulated time against the machine's: its pace, what holds it up, what it does about it."""

from __future__ import annotations

import pytest

from latemiles.sim import clock
from latemiles.sim.clock import VirtualTimeLoop


class Machine:
    """A machine's clock that goes on while somebody waits, and when it is told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        """As ``time.monotonic``."""
        return self.now_s


@pytest.fixture
def machine(monkeypatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(clock, "time", made)

    def wait(_selector, timeout=None):
        made.now_s += max(0.0, timeout or 0.0)
        return []

    monkeypatch.setattr(clock.selectors.DefaultSelector, "select", wait)
    return made


async def steps(loop: VirtualTimeLoop, machine: Machine, count: int, busy_s: float) -> None:
    """Virtual steps of 0.1 s, each of which costs the machine some work."""
    for k in range(1, count + 1):
        due = loop.create_future()
        loop.call_at(0.1 * k, due.set_result, None)
        await due
        machine.now_s += busy_s


@pytest.mark.parametrize(
    ("speed", "busy_s", "takes_s"),
    [
        (1.0, 0.01, 10.0),
        (10.0, 0.008, 1.0),
        # Too slow for the speed: as long as the work takes.
        (10.0, 0.03, 3.0),
        (None, 0.001, 0.1),
    ],
)
def test_a_world_keeps_its_pace_while_the_machine_can(machine, speed, busy_s, takes_s):
    loop = VirtualTimeLoop(speed)
    began_s = machine.now_s
    loop.run_until_complete(steps(loop, machine, 100, busy_s))
    assert loop.time() == pytest.approx(10.0)
    assert machine.now_s - began_s == pytest.approx(takes_s, abs=0.02)
    loop.close()


@pytest.mark.parametrize(("held_up_s", "lag_s"), [(0.3, 0.0), (3.0, 2.5)])
def test_a_short_hold_up_is_made_good_and_a_long_one_stays(machine, held_up_s, lag_s):
    async def main() -> None:
        await steps(loop, machine, 10, 0.0)
        machine.now_s += held_up_s
        for k in range(11, 101):
            due = loop.create_future()
            loop.call_at(0.1 * k, due.set_result, None)
            await due

    loop = VirtualTimeLoop(1.0)
    began_s = machine.now_s
    loop.run_until_complete(main())
    # Half a second of the delay is made good, but for the step in which it happened.
    assert machine.now_s - began_s == pytest.approx(10.0 + lag_s, abs=0.11)
    loop.close()
