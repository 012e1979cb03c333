"""A half-marathon with a known truth: the run of the pictures and of the report's statements."""

from __future__ import annotations

from dataclasses import replace
from math import radians
from typing import Final

from latemiles.signals.frames import Segment, Side
from latemiles.sim.plan import Bend, FormDrift, Outage, Phase, Radio, RunnerPlan, SlippingClip

__all__ = ["CHANGE_FROM_MILE", "STORIES", "TILT_DEG", "half_marathon"]

MILE_M: Final = 1609.344
LENGTH_M: Final = 21097.5
TILT_DEG: Final = 2.0
"""True change of the pelvic tilt, forward, once it is complete."""
CHANGE_FROM_MILE: Final = 7.4
CHANGE_TO_MILE: Final = 9.4
DROP_DEG: Final = 1.2
"""True growth of the drop over the right leg, along with the tilt."""
SPEED_M_S: Final = 3.0
STORIES: Final = ("plain", "slowing", "slip")
"""``plain``; the same with pace falling by 8 % from mile 8 to 11; with a clip that slips by 3 degrees."""

_SLOWED: Final = 0.92
_SLOWS_MILES: Final = (8.0, 11.0)
_SLIP_MILE: Final = 10.6
_SLIP_DEG: Final = 3.0
_GAP_MILE: Final = 8.6
_GAP_S: Final = 76.0
_BEFORE: Final = (
    Phase("standing", 10.0),
    Phase("squats", 10.0),
    Phase("standing", 4.0),
    Phase("walking", 10.0, 1.4),
)
_HILLS: Final = (
    Bend(4.6 * MILE_M),
    Bend(0.6 * MILE_M, grade=0.03),
    Bend(0.6 * MILE_M, grade=-0.03),
    Bend(LENGTH_M),
)


def half_marathon(story: str = "plain") -> RunnerPlan:
    """Plan of a half-marathon at 3 m/s whose pelvis tips 2 degrees forward between miles 7.4 and 9.4.

    The drop over the right leg grows by 1.2 degrees with it. There is one hill, and the pelvis sensor is out
    of reach for 76 s at mile 8.6.

    Parameters
    ----------
    story : str
        One of ``STORIES``.

    Raises
    ------
    ValueError
        If there is no such story.
    """
    if story not in STORIES:
        raise ValueError(f"'{story}' is none of {', '.join(STORIES)}.")
    miles = (CHANGE_FROM_MILE * MILE_M, CHANGE_TO_MILE * MILE_M)
    running = _slowing() if story == "slowing" else (Phase("running", LENGTH_M / SPEED_M_S, SPEED_M_S),)
    gap_s = _at_mile(_GAP_MILE)
    plan = RunnerPlan(
        (*_BEFORE, *running, Phase("standing", 5.0)),
        route=_HILLS,
        drifts=(
            FormDrift("pelvic_tilt", radians(TILT_DEG), start_m=miles[0], end_m=miles[1]),
            FormDrift("pelvic_drop", radians(DROP_DEG), side=Side.RIGHT, start_m=miles[0], end_m=miles[1]),
        ),
        radio=Radio(outages=(Outage(Segment.PELVIS, gap_s, gap_s + _GAP_S),)),
    )
    if story != "slip":
        return plan
    turn = (0.0, radians(_SLIP_DEG), 0.0)
    return replace(plan, slips=(SlippingClip(Segment.PELVIS, _at_mile(_SLIP_MILE), turn),))


def _slowing() -> tuple[Phase, ...]:
    """Even pace, an even fall by 8 %, and the rest at what is left."""
    first, last = (mile * MILE_M for mile in _SLOWS_MILES)
    slow = _SLOWED * SPEED_M_S
    fall_s = (last - first) / (0.5 * (SPEED_M_S + slow))
    return (
        Phase("running", first / SPEED_M_S, SPEED_M_S),
        Phase("running", fall_s, SPEED_M_S, slow),
        Phase("running", (LENGTH_M - last) / slow, slow),
    )


def _at_mile(mile: float) -> float:
    """About when a mile is passed at even pace, s."""
    return sum(phase.duration_s for phase in _BEFORE) + mile * MILE_M / SPEED_M_S
