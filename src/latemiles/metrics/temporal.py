"""Time, distance and speed of a stride, from its events and the speed source."""

from __future__ import annotations

import math

from latemiles.metrics.metric import Metric
from latemiles.metrics.needs import Need

__all__ = ["METRICS", "cadence", "contact_time", "duty_factor", "flight_time", "stride_time"]

NAN = math.nan


def stride_time(t_ic_s: float, t_next_ic_s: float) -> float:
    """Initial contact to the next initial contact of the same foot, s."""
    return t_next_ic_s - t_ic_s


def cadence(stride_time_s: float) -> float:
    """Steps a minute, both feet: two steps a stride."""
    return 120.0 / stride_time_s if stride_time_s > 0.0 else NAN


def contact_time(t_ic_s: float, t_to_s: float) -> float:
    """Initial contact to toe-off, s; NaN without a toe-off."""
    return t_to_s - t_ic_s


def flight_time(t_ic_s: float, t_to_s: float, t_other_ic_s: float) -> float:
    """Toe-off to the other foot's initial contact, s; NaN where the feet overlap, as in walking."""
    flight = (t_other_ic_s - t_ic_s) - (t_to_s - t_ic_s)
    return flight if flight >= 0.0 else NAN


def duty_factor(contact_time_s: float, stride_time_s: float) -> float:
    """Share of the stride that the foot is on the ground."""
    return contact_time_s / stride_time_s if stride_time_s > 0.0 else NAN


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
