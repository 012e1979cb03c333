"""The run that ``demo`` shows: a simulated runner whose pelvis tips forward as she tires."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from math import radians
from typing import TYPE_CHECKING, Final

from latemiles.errors import EnvironmentMissing
from latemiles.signals.frames import Side
from latemiles.signals.records import Record, RunHeader
from latemiles.sim.packets import header, records
from latemiles.sim.plan import FormDrift, Phase, RunnerPlan, easy_run
from latemiles.sim.runner import simulate

if TYPE_CHECKING:
    from types import ModuleType

    from latemiles.recording.reader import Recording
    from latemiles.session.air import Air
    from latemiles.session.receiver import Receiver

__all__ = ["demo_over_radio", "demo_plan", "demo_records", "replay_over_radio", "virtual_runner"]

BEFORE_RUNNING_S: Final = 34.0
"""Standing, squats and the walk of ``easy_run``."""
SPEED: Final = 1.0
"""World seconds a second for a person who looks around."""
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


def virtual_runner() -> Air:
    """Three virtual sensors on a runner who does what ``live`` and ``calibrate`` ask for, then runs an hour.

    Raises
    ------
    EnvironmentMissing
        If the package that makes the radio is not installed.
    """
    over_radio = _over_radio()
    phases = (
        Phase("standing", 13.0),
        Phase("squats", 12.0),
        Phase("standing", 4.0),
        Phase("walking", 10.0, 1.4),
        Phase("running", 3600.0, 3.0),
    )
    air: Air = over_radio.virtual_air(over_radio.world_of_run(simulate(RunnerPlan(phases), 1)), SPEED)
    return air


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


def demo_over_radio(*, duration_min: float, seed: int, speed: float | None) -> tuple[RunHeader, Receiver]:
    """Header and source of a fresh demo run through the virtual radio and the real bleak client.

    Parameters
    ----------
    duration_min : float
        Length of the running part, minutes.
    seed : int
        Another runner for each number.
    speed : float or None
        World seconds a second at most; None: as fast as it goes.

    Raises
    ------
    EnvironmentMissing
        If the package that makes the radio is not installed.
    """
    over_radio = _over_radio()
    run = simulate(demo_plan(duration_min), seed)
    radio = over_radio.radio_run(over_radio.world_of_run(run), speed)
    sensors = radio.gather()
    now = datetime.now(tz=UTC)
    head = RunHeader(
        run=f"demo-{now:%Y%m%d-%H%M%S}",
        started_utc_ns=round(now.timestamp() * 1e9),
        sensors=sensors,
        source=over_radio.SIMULATED,
        notes=NOTES,
        extra={"seed": str(seed)},
    )
    return head, radio


def replay_over_radio(recording: Recording, *, speed: float | None) -> tuple[RunHeader, Receiver]:
    """Header and source of a recording that virtual sensors measure again.

    Parameters
    ----------
    recording : Recording
        Of any family of sensors; read whole.
    speed : float or None
        World seconds a second at most; None: as fast as it goes.

    Raises
    ------
    EnvironmentMissing
        If the package that makes the radio is not installed.
    """
    over_radio = _over_radio()
    radio = over_radio.radio_run(over_radio.world_of_recording(recording), speed)
    sensors = radio.gather()
    old = recording.header
    now = datetime.now(tz=UTC)
    head = replace(
        old,
        run=f"{old.run}-radio-{now:%Y%m%d-%H%M%S}",
        started_utc_ns=round(now.timestamp() * 1e9),
        sensors=sensors,
        source=f"{old.source or 'recording'}, over the virtual radio",
    )
    return head, radio


def _over_radio() -> ModuleType:
    try:
        from latemiles.session import over_radio
    except ImportError as error:
        raise EnvironmentMissing(
            "The virtual radio needs the extra 'sim': pip install 'latemiles[sim]'."
        ) from error
    return over_radio
