"""Sensors of fifty to eighty samples a second: contacts are neither early nor the other foot's."""

from __future__ import annotations

import numpy as np
import pytest

import latemiles as lm
from latemiles.sim.plan import Phase, RunnerPlan, Sensors
from latemiles.sim.runner import simulate

RUNS = ((52.0, 3.6, "rbds"), (60.0, 4.4, "rbds"), (75.0, 2.6, "ric"))


@pytest.fixture(scope="module", params=RUNS, ids=lambda p: f"{p[0]:.0f}Hz")
def contacts(request):
    """Found less true times of every steady contact, s: of its own foot, and of the other one."""
    rate_hz, speed, waveforms = request.param
    phases = Phase("standing", 6.0), Phase("running", 45.0, speed)
    run = simulate(RunnerPlan(phases, waveforms=waveforms, sensors=Sensors(rate_hz)), 77)
    events = lm.analyze({segment.value: s for segment, s in run.streams().items()}).events
    is_contact = np.asarray(events.kind) == "initial_contact"
    found, side = np.asarray(events.t_s)[is_contact], np.asarray(events.side)[is_contact]
    true, steady = run.truth.strides, run.truth.steady()
    off = ([], [])
    for k, name in enumerate(("left", "right")):
        for t in true["t_ic_s"][steady & (true["side"] == k)]:
            for which, mine in enumerate((found[side == name], found[side != name])):
                off[which].append((mine - t)[np.abs(mine - t).argmin()])
    return np.array(off)


def test_no_contact_is_missed_or_the_other_foots(contacts):
    own, other = contacts
    assert (np.abs(own) < 0.06).all()
    assert (np.abs(other) > 0.06).all()


def test_contacts_of_slow_sensors_are_not_early(contacts):
    # What does for made-up impacts exactly is late on real motion: a third of a sample is given to that.
    assert abs(np.median(contacts[0])) < 0.006


def test_where_the_samples_happen_to_lie_moves_no_contact_by_a_whole_one(contacts):
    assert np.percentile(np.abs(contacts[0]), 95) < 0.015
