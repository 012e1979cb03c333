"""Time, distance and speed of a stride, from its events and the speed source.

They are worked out in ``kernels.stride_rows``.
"""

from __future__ import annotations

import math

from latemiles.metrics.metric import Metric
from latemiles.metrics.needs import Need

__all__ = ["METRICS"]

NAN = math.nan


def _metric(
    name: str,
    unit: str,
    label: str,
    definition: str,
    stride_sd: float = NAN,
    *,
    estimate: bool = False,
    speed_slope: tuple[float, float] = (0.0, 0.0),
    needs: Need = Need.NOTHING,
) -> Metric:
    return Metric(
        name=name,
        unit=unit,
        label=label,
        family="temporal",
        definition=definition,
        sign="",
        owner="run" if math.isnan(stride_sd) else "leg",
        stride_sd=stride_sd,
        offset_free=True,
        estimate=estimate,
        speed_slope=speed_slope,
        needs=needs,
    )


_TOE_OFF = Need.RATE | Need.CLOCK
"""Toe-off is a corner between two samples of a slow sensor, and contact time the difference of two events."""

METRICS = (
    _metric("index", "", "stride number", "Running number over both sides, from 0."),
    _metric("t_ic_s", "s", "initial contact", "Session time of the initial contact that starts the stride."),
    _metric(
        "t_to_s",
        "s",
        "toe-off",
        "Session time of the toe-off inside the stride; NaN without one.",
        needs=_TOE_OFF,
    ),
    _metric(
        "stride_time_s",
        "s",
        "stride time",
        "Initial contact to the next initial contact of the same foot.",
        stride_sd=0.010,
        speed_slope=(-0.035, 0.015),
    ),
    _metric(
        "cadence_spm",
        "steps/min",
        "cadence",
        "Steps of both feet a minute: 120 / stride time.",
        stride_sd=2.2,
        speed_slope=(8.0, 3.0),
    ),
    _metric(
        "contact_time_s",
        "s",
        "ground contact time",
        "Initial contact to toe-off.",
        stride_sd=0.010,
        estimate=True,
        needs=_TOE_OFF,
        speed_slope=(-0.035, 0.015),
    ),
    _metric(
        "flight_time_s",
        "s",
        "flight time",
        "Toe-off to the other foot's initial contact; NaN in walking.",
        stride_sd=0.012,
        estimate=True,
        needs=_TOE_OFF,
        speed_slope=(0.010, 0.010),
    ),
    _metric(
        "duty_factor",
        "",
        "duty factor",
        "Contact time as a share of stride time.",
        stride_sd=0.014,
        estimate=True,
        needs=_TOE_OFF,
        speed_slope=(-0.035, 0.015),
    ),
    _metric(
        "distance_m",
        "m",
        "distance",
        "Distance of the speed source at the initial contact; NaN without a source.",
    ),
    _metric("speed_m_s", "m/s", "speed", "Speed of the speed source over the stride; NaN without a source."),
)
