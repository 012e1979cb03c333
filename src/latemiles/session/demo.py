"""The run that ``demo`` shows: a simulated runner whose pelvis tips forward as she tires."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from math import radians
from typing import Final

from latemiles.signals.frames import Side
from latemiles.signals.records import Record, RunHeader
from latemiles.sim.packets import header, records
from latemiles.sim.plan import FormDrift, RunnerPlan, easy_run
from latemiles.sim.runner import simulate

__all__ = ["demo_plan", "demo_records"]

BEFORE_RUNNING_S: Final = 34.0
"""Standing, squats and the walk of ``easy_run``."""
TILT_RAD: Final = radians(2.5)
DROP_RAD: Final = radians(1.5)
NOTES: Final = "Simulated: tilt +2.5 and right drop +1.5 degrees come in from a third of the run to its end."


def demo_plan(duration_min: float) -> RunnerPlan:
    """Plan of the demo: a third of the run steady, then tilt and the drop over the right leg grow.

    Parameters
    ----------
    duration_min : float
        Length of the running part, minutes.
    """
    end = BEFORE_RUNNING_S + 60.0 * duration_min
    start = BEFORE_RUNNING_S + 20.0 * duration_min
    return easy_run(
        duration_min,
        drifts=(
            FormDrift("pelvic_tilt", TILT_RAD, start, end),
            FormDrift("pelvic_drop", DROP_RAD, start, end, Side.RIGHT),
        ),
    )


def demo_records(*, duration_min: float, seed: int) -> tuple[RunHeader, Iterator[Record]]:
    """Header and records of a fresh demo run, made as they are asked for.

    Parameters
    ----------
    duration_min : float
        Length of the running part, minutes.
    seed : int
        Another runner for each number.
    """
    now = datetime.now(tz=UTC)
    run = simulate(demo_plan(duration_min), seed)
    head = header(
        run,
        f"demo-{now:%Y%m%d-%H%M%S}",
        started_utc_ns=round(now.timestamp() * 1e9),
        notes=NOTES,
    )
    return head, records(run, head)
