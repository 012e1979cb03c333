"""A heart rate strap, a foot pod and a treadmill in the virtual world, fed with what a watch would say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bumble.gatt import Service

from latemiles.sensors.profiles import heart_rate, running_speed_cadence, treadmill
from latemiles.signals.records import Speed
from latemiles.sim.peripheral import Peripheral, characteristic
from latemiles.sim.radio import RadioLink

__all__ = ["VirtualPod", "foot_pod", "strap", "treadmill_machine"]

_DELAY_S = 0.3
"""From the moment a value belongs to until the device says it, s."""


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    service: str
    measurement: str
    say: Callable[[Speed], bytes]


class VirtualPod(Peripheral):
    """Says one value after another when their time has come.

    Parameters
    ----------
    link, address
        As of ``Peripheral``.
    kind : _Kind
        What it is.
    words : sequence of Speed
        What it says, in order of ``t_s`` (world time).
    world_zero_s : callable
        Loop time of world time zero.
    """

    def __init__(
        self,
        link: RadioLink,
        address: str,
        kind: _Kind,
        words: Sequence[Speed],
        world_zero_s: Callable[[], float],
    ) -> None:
        super().__init__(link, kind.name, address)
        self._kind, self._words, self._zero = kind, words, world_zero_s
        self._measurement = characteristic(kind.measurement, notify="notify")
        self._battery = characteristic("2A19", read=lambda: bytes([88]))

    def services(self) -> list[Service]:
        """Its service, and a battery."""
        return [
            Service(self._kind.service, [self._measurement]),
            Service("180F", [self._battery]),
        ]

    def advertised(self) -> tuple[str, bytes]:
        """Its service."""
        return self._kind.service[4:8], b""

    async def start(self) -> None:
        """Switch on."""
        await super().start()
        self.spawn("words", self._speak)

    async def _speak(self) -> None:
        for word in self._words:
            t_s = word.t_s + _DELAY_S
            await self.until(lambda t_s=t_s: self._zero() + t_s)  # type: ignore[misc]
            self.notify(self._measurement, self._kind.say(word))


def _say_heart(word: Speed) -> bytes:
    return heart_rate.encode(heart_rate.HeartRate(word.heart_rate_bpm, (60.0 / word.heart_rate_bpm,)))


def _say_pod(word: Speed) -> bytes:
    return running_speed_cadence.encode(
        running_speed_cadence.RunningSpeed(
            word.speed_m_s, 85.0 if word.speed_m_s > 0.0 else 0.0, distance_m=word.distance_m, is_running=True
        )
    )


def _say_treadmill(word: Speed) -> bytes:
    return treadmill.encode(
        treadmill.Treadmill(word.speed_m_s, word.distance_m, word.grade, word.heart_rate_bpm)
    )


_STRAP = _Kind("LM-HR", heart_rate.SERVICE, heart_rate.MEASUREMENT, _say_heart)
_FOOT_POD = _Kind("LM-POD", running_speed_cadence.SERVICE, running_speed_cadence.MEASUREMENT, _say_pod)
_TREADMILL = _Kind("LM-MILL", treadmill.SERVICE, treadmill.MEASUREMENT, _say_treadmill)

Make = Callable[[RadioLink, str], VirtualPod]


def _maker(kind: _Kind, words: Sequence[Speed], world_zero_s: Callable[[], float]) -> Make:
    return lambda link, address: VirtualPod(link, address, kind, words, world_zero_s)


def strap(words: Sequence[Speed], world_zero_s: Callable[[], float]) -> Make:
    """A heart rate strap, for ``World.add``."""
    return _maker(_STRAP, words, world_zero_s)


def foot_pod(words: Sequence[Speed], world_zero_s: Callable[[], float]) -> Make:
    """A foot pod, for ``World.add``."""
    return _maker(_FOOT_POD, words, world_zero_s)


def treadmill_machine(words: Sequence[Speed], world_zero_s: Callable[[], float]) -> Make:
    """A treadmill, for ``World.add``."""
    return _maker(_TREADMILL, words, world_zero_s)
