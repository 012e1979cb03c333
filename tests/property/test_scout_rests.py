"""A first pass that rests once the mounting is settled finds what one that goes on finds."""

from __future__ import annotations

import pytest

from latemiles.scout import Scout
from latemiles.sensors.registry import driver_for
from latemiles.signals.records import Pose, Record, RunHeader, Speed
from latemiles.signals.stretches import stretches_of
from latemiles.sim.packets import header, records
from latemiles.sim.plan import easy_run
from latemiles.sim.runner import simulate

pytestmark = pytest.mark.timeout(600)
"""The first test of a changed kernel waits for the compiler."""


@pytest.fixture(scope="module")
def heard() -> tuple[RunHeader, list[Record]]:
    """Eight minutes without a watch: the swing offsets are settled after five of running."""
    run = simulate(easy_run(8.0), 21)
    head = header(run, "eight minutes")
    return head, [r for r in records(run, head) if not isinstance(r, Speed)]


def scouted(heard: tuple[RunHeader, list[Record]], *late: Record, may_rest: bool) -> Scout:
    head, said = heard
    scout = Scout(head, driver_for, may_rest=may_rest)
    for stretch in stretches_of([*said, *late]):
        scout.push_stretch(stretch)
    scout.finish()
    return scout


def test_a_scout_that_rests_finds_what_one_that_goes_on_finds(heard):
    rested, gone = (scouted(heard, may_rest=rests).first_pass for rests in (True, False))
    assert rested.calibration is not None
    assert repr(rested.calibration) == repr(gone.calibration)
    for segment, fit in gone.clocks.items():
        assert rested.clocks[segment].knots.tobytes() == fit.knots.tobytes()


def test_a_strap_that_tells_a_pulse_alone_keeps_no_scout_awake(heard):
    pulse = Speed(0, 400.0, heart_rate_bpm=150.0, source="strap")
    assert not scouted(heard, pulse, may_rest=True).has_overslept


@pytest.mark.parametrize("late", [Pose(0, "standing", 400.0, 405.0), Speed(0, 400.0, speed_m_s=3.0)])
def test_a_scout_says_that_it_passed_over_what_first_passes_go_by(heard, late):
    assert not scouted(heard, may_rest=True).has_overslept
    assert scouted(heard, late, may_rest=True).has_overslept
    assert not scouted(heard, late, may_rest=False).has_overslept
