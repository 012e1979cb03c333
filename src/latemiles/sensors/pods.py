"""Heart rate straps, foot pods and treadmills: a link to each, and what they say as ``Speed`` records."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from latemiles.errors import LinkFailed, PacketError
from latemiles.sensors.ble import BleStack, Connection, Ear, Heard
from latemiles.sensors.outlet import Backoff, Outlet
from latemiles.sensors.profiles import heart_rate, running_speed_cadence, treadmill
from latemiles.signals.records import Speed

__all__ = ["KINDS", "Pod", "PodKind", "PodLink"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PodKind:
    """One kind of device."""

    name: str
    """As the settings call it."""
    label: str
    """As a person calls it."""
    service: str
    measurement: str
    read: Callable[[bytes, int, str], Speed]
    """Payload, arrival in ns and source to a record; raises PacketError."""


def _heart(payload: bytes, ns: int, source: str) -> Speed:
    return Speed(ns, ns * 1e-9, heart_rate_bpm=heart_rate.decode(payload).bpm, source=source)


def _pod(payload: bytes, ns: int, source: str) -> Speed:
    said = running_speed_cadence.decode(payload)
    return Speed(
        ns,
        ns * 1e-9,
        speed_m_s=said.speed_m_s,
        distance_m=said.distance_m,
        cadence_spm=said.steps_per_min,
        source=source,
    )


def _treadmill(payload: bytes, ns: int, source: str) -> Speed:
    said = treadmill.decode(payload)
    return Speed(
        ns,
        ns * 1e-9,
        speed_m_s=said.speed_m_s,
        grade=said.grade,
        distance_m=said.distance_m,
        heart_rate_bpm=said.heart_rate_bpm,
        source=source,
    )


KINDS: Final = {
    kind.name: kind
    for kind in (
        PodKind("heart_rate", "heart rate strap", heart_rate.SERVICE, heart_rate.MEASUREMENT, _heart),
        PodKind(
            "foot_pod",
            "foot pod",
            running_speed_cadence.SERVICE,
            running_speed_cadence.MEASUREMENT,
            _pod,
        ),
        PodKind("treadmill", "treadmill", treadmill.SERVICE, treadmill.MEASUREMENT, _treadmill),
    )
}
"""Kinds of devices beside the sensors."""


@dataclass(frozen=True, slots=True)
class Pod:
    """Which device is meant."""

    kind: str
    """One of ``KINDS``."""
    name: str = ""
    """Its advertised name; empty: the first of its kind that is heard."""

    def may_be(self, heard: Heard) -> bool:
        """Whether an advertisement is its."""
        return KINDS[self.kind].service in heard.services and self.name in ("", heard.name)


class PodLink:
    """Keeps one device linked for a whole run.

    Parameters
    ----------
    pod : Pod
        Which device.
    stack, ear, outlet, chance
        As of ``SensorLink``.
    """

    def __init__(
        self,
        pod: Pod,
        stack: BleStack,
        ear: Ear,
        outlet: Outlet,
        chance: random.Random | None = None,
    ) -> None:
        self.pod, self.kind = pod, KINDS[pod.kind]
        self.state = "looking for it"
        self.words = 0
        """Measurements heard."""
        self.damaged = 0
        self._stack, self._ear, self._outlet = stack, ear, outlet
        self._backoff = Backoff(chance=chance or random.Random())
        self._source = ""

    async def run(self) -> None:
        """Keep the link until cancelled."""
        while True:
            heard = await self._ear.hear(self.pod.may_be)
            connection = Connection(self._stack, heard)
            self._source = f"{self.kind.label} {heard.name}".strip()
            try:
                await connection.open(self._ear.radio)
                await connection.listen(self.kind.measurement, self._on_measurement)
                self.state = "linked"
                await connection.lost.wait()
                self.state = "lost"
            except LinkFailed as trouble:
                self.state = f"{trouble.reason}; trying again"
                log.info("%s: %s", self.kind.label, trouble)
                await asyncio.sleep(self._backoff.next_s())
            finally:
                await connection.close()

    def _on_measurement(self, payload: bytes) -> None:
        self._backoff.reset()
        if not self._outlet.opened.is_set():
            return
        try:
            record = self.kind.read(payload, self._outlet.now_ns(), self._source)
        except PacketError:
            self.damaged += 1
            return
        self.words += 1
        self._outlet.offer(record)
