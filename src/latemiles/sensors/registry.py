"""Which driver speaks for which name: a new sensor family is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Final

from latemiles.errors import ConfigError
from latemiles.sensors.drivers import latemiles_v1, samples
from latemiles.signals.packets import Driver
from latemiles.signals.records import SensorInfo

__all__ = ["DRIVERS", "driver_for", "driver_named"]


def _latemiles_v1(info: SensorInfo | None) -> Driver:
    acc, gyr = (info.acc_range_m_s2, info.gyr_range_rad_s) if info else (float("nan"), float("nan"))
    return latemiles_v1.LatemilesV1(
        acc if isfinite(acc) and acc > 0.0 else latemiles_v1.ACC_RANGE_M_S2,
        gyr if isfinite(gyr) and gyr > 0.0 else latemiles_v1.GYR_RANGE_RAD_S,
    )


DRIVERS: Final[dict[str, Callable[[SensorInfo | None], Driver]]] = {
    latemiles_v1.NAME: _latemiles_v1,
    samples.NAME: lambda _: samples.Samples(),
}
"""Makers of drivers by name; each takes what is known of the sensor, or None for the usual set-up."""


def driver_named(name: str) -> Driver:
    """The driver of a family in its usual set-up.

    Raises
    ------
    ConfigError
        If no driver has that name.
    """
    return _maker(name)(None)


def driver_for(info: SensorInfo) -> Driver:
    """The driver of one sensor of a run, with its full scales.

    Raises
    ------
    ConfigError
        If no driver has the name that the recording gives.
    """
    return _maker(info.driver)(info)


def _maker(name: str) -> Callable[[SensorInfo | None], Driver]:
    if name not in DRIVERS:
        raise ConfigError("driver", f"'{name}' is not known. Known are: {', '.join(sorted(DRIVERS))}.")
    return DRIVERS[name]
