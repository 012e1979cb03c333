"""Which driver speaks for which name: a new sensor family is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Final

from latemiles.errors import ConfigError
from latemiles.sensors.drivers import dot, latemiles_v1, metamotion, movesense, polar, samples, witmotion
from latemiles.signals.frames import Segment
from latemiles.signals.packets import Driver
from latemiles.signals.records import SensorInfo

__all__ = ["DRIVERS", "driver_for", "driver_named"]


def _told(value: float, usual: float) -> float:
    """What is known of a sensor, or the usual."""
    return value if isfinite(value) and value > 0.0 else usual


def _latemiles_v1(info: SensorInfo) -> Driver:
    return latemiles_v1.LatemilesV1(
        _told(info.acc_range_m_s2, latemiles_v1.ACC_RANGE_M_S2),
        _told(info.gyr_range_rad_s, latemiles_v1.GYR_RANGE_RAD_S),
    )


def _polar(info: SensorInfo) -> Driver:
    usual = polar.Polar()
    return polar.Polar(
        _told(info.rate_hz, usual.rate_hz),
        _told(info.acc_range_m_s2, usual.acc_range),
        _told(info.gyr_range_rad_s, usual.gyr_range),
    )


def _metamotion(info: SensorInfo) -> Driver:
    usual = metamotion.MetaMotion()
    return metamotion.MetaMotion(
        _told(info.acc_range_m_s2, usual.acc_range),
        _told(info.gyr_range_rad_s, usual.gyr_range),
    )


DRIVERS: Final[dict[str, Callable[[SensorInfo], Driver]]] = {
    latemiles_v1.NAME: _latemiles_v1,
    samples.NAME: lambda _: samples.Samples(),
    movesense.NAME: lambda _: movesense.Movesense(),
    polar.NAME: _polar,
    dot.NAME: lambda _: dot.Dot(),
    witmotion.NAME: lambda _: witmotion.WitMotion(),
    metamotion.NAME: _metamotion,
}
"""Makers of drivers by name; each takes what is known of the sensor."""


def driver_named(name: str) -> Driver:
    """The driver of a family in its usual set-up.

    Raises
    ------
    ConfigError
        If no driver has that name.
    """
    return _maker(name)(SensorInfo(Segment.PELVIS, name, float("nan")))


def driver_for(info: SensorInfo) -> Driver:
    """The driver of one sensor of a run, with its full scales.

    Raises
    ------
    ConfigError
        If no driver has the name that the recording gives.
    """
    return _maker(info.driver)(info)


def _maker(name: str) -> Callable[[SensorInfo], Driver]:
    if name not in DRIVERS:
        raise ConfigError("driver", f"'{name}' is not known. Known are: {', '.join(sorted(DRIVERS))}.")
    return DRIVERS[name]
