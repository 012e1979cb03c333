"""Whatever happens to the sensors of one runner, wrong strides are marked and sound ones kept.

A guard of what was reached, with what it leaves written down below. ``benchmarks/robustness.py`` counts over
twelve other runners, some of whose strides are still wrong and unmarked.
"""

from __future__ import annotations

import pytest

from latemiles.analysis import analyze
from reference.damage import DAMAGE, damaged, silent

LEAST_USED = {"stuck": 0.75, "lost packets": 0.8, "turned": 0.85, "4 g, 250 deg/s": 0.8}
"""Of the true strides; else nine tenths."""
MOST_WRONG = {"lost packets": 4, "4 g, 250 deg/s": 12}
"""Angles of strides that are wrong and not marked, of some 1400; else none."""


@pytest.mark.parametrize("kind", DAMAGE)
def test_strides_that_are_wrong_are_marked_and_others_kept(kind):
    run, streams = damaged(kind, 102)
    wrong, used, true = silent(run, analyze(streams))
    assert len(wrong) <= MOST_WRONG.get(kind, 0), wrong
    assert used >= LEAST_USED.get(kind, 0.9) * true
