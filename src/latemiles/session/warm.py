"""Kernels made and loaded before a run begins, so that nobody stands still while it happens."""

from __future__ import annotations

import gc

from latemiles.pipeline import Pipeline
from latemiles.sensors.registry import driver_for
from latemiles.signals.records import RunHeader
from latemiles.sim.packets import header, records
from latemiles.sim.plan import Phase, RunnerPlan
from latemiles.sim.runner import simulate

__all__ = ["warm_up"]


def warm_up() -> int:
    """Take half a minute of a simulated run through a pipeline; how many events it gave."""
    plan = RunnerPlan((Phase("standing", 4.0), Phase("squats", 9.0), Phase("running", 14.0, 3.0)))
    run = simulate(plan, 1)
    head: RunHeader = header(run)
    pipeline = Pipeline(head, driver_for)
    events = sum(len(pipeline.push(record)) for record in records(run, head))
    events += len(pipeline.finish())
    # What the compiler leaves is looked through by every full collection, a fifth of a second in mid-run.
    gc.collect()
    gc.freeze()
    return events
