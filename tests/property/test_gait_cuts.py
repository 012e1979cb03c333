"""Cutting the signal anywhere, saving and restoring included, changes no event and no state byte."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from latemiles.estimators.gait_events import GaitStage
from latemiles.signals.events import event_bytes
from reference.steps import runner

SIGNALS = runner(seconds=6.0, standing_s=2.0)
SIGNALS.force_up[1, 700:760] = np.nan
SIGNALS.flexion[0, 700:760] = np.nan
SIGNALS.force_up[:, 1200:1230] = np.nan


def run(cuts: list[int], restore: bool) -> tuple[bytes, bytes]:
    stage = GaitStage(SIGNALS.rate_hz)
    events = []
    for a, b in pairwise([0, *sorted(cuts), SIGNALS.size]):
        if restore:
            saved = stage.save()
            stage = GaitStage(SIGNALS.rate_hz)
            stage.load(saved)
            assert stage.save() == saved
        events += stage.push(SIGNALS.block(a, b))
    return event_bytes(events + stage.finish()), stage.save()


WHOLE = run([], restore=False)


@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.integers(0, SIGNALS.size), max_size=12), restore=st.booleans())
def test_cutting_the_signal_changes_no_byte(cuts, restore):
    assert WHOLE[0]
    assert run(cuts, restore) == WHOLE


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), size=st.floats(0.1, 300.0), share=st.floats(0.0, 0.5))
def test_any_numbers_give_finite_events_in_bounds(seed, size, share):
    rng = np.random.default_rng(seed)
    signals = runner(seconds=4.0, standing_s=0.5, seed=seed)
    signals.force_up += rng.normal(0.0, size, signals.force_up.shape)
    signals.force_up[rng.random(signals.force_up.shape) < share * rng.random()] = np.nan
    signals.flexion[rng.random(signals.flexion.shape) < share * rng.random()] = np.nan
    stage = GaitStage(signals.rate_hz)
    for event in stage.push(signals.block(0, signals.size)):
        assert np.isfinite(event.t_s)
        assert 0.0 <= getattr(event, "confidence", 1.0) <= 1.0
