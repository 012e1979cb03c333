"""Which kind of device an advertisement comes from."""

from __future__ import annotations

from typing import Final, NamedTuple

from latemiles.sensors import protocol
from latemiles.sensors.ble import Heard
from latemiles.sensors.pods import KINDS

__all__ = ["FAMILIES", "Family", "driver_of", "family_of"]


class Family(NamedTuple):
    """A family of inertial sensors as it shows itself."""

    label: str
    driver: str
    services: tuple[str, ...] = ()
    """Any of these in the advertisement."""
    names: tuple[str, ...] = ()
    """Or a name that begins so."""


FAMILIES: Final = (
    Family("latemiles sensor", "latemiles-v1", (protocol.SERVICE,)),
    Family("Movesense", "movesense", ("34802252-7185-4d5d-b431-630e7050e8f0",), ("Movesense",)),
    Family("Polar", "polar", ("fb005c80-02e7-f387-1cad-8acd2d8df0c8",), ("Polar ",)),
    Family("Movella DOT", "dot", (), ("Movella DOT", "Xsens DOT")),
    Family("WitMotion", "witmotion", ("0000ffe5-0000-1000-8000-00805f9a34fb",), ("WT",)),
    Family("MetaMotion", "metamotion", ("326a9000-85cb-9195-d9dd-464cfbbae75a",), ("MetaWear",)),
)
"""Known families; ours first."""


def _family(heard: Heard) -> Family | None:
    for family in FAMILIES:
        if any(s in heard.services for s in family.services) or (
            heard.name and heard.name.startswith(family.names or ("\0",))
        ):
            return family
    return None


def driver_of(heard: Heard) -> str:
    """Name of the driver of a sensor; empty for what is none."""
    family = _family(heard)
    return family.driver if family is not None else ""


def family_of(heard: Heard) -> str:
    """Kind of a device in words; empty for what is of no use here."""
    family = _family(heard)
    if family is not None:
        return family.label
    return next((kind.label for kind in KINDS.values() if kind.service in heard.services), "")
