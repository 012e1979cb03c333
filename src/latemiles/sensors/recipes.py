"""How sensors of other makers are started, and how their notifications become packets for their drivers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from latemiles.errors import ConfigError, PacketError
from latemiles.sensors.drivers import dot, metamotion, movesense, polar, witmotion
from latemiles.sensors.drivers.bundle import bundled

__all__ = ["RECIPES", "Joiner", "Recipe", "recipe_of"]

_MOST_HELD: Final = 16
"""Notifications of one kind that wait for the other kind; beyond, the oldest is left out."""


class Joiner(Protocol):
    """Makes packets of notifications, in order."""

    def feed(self, notification: bytes) -> bytes | None:
        """Take a notification; a packet if one is complete."""
        ...


class _AsHeard:
    """Every notification is a packet."""

    def feed(self, notification: bytes) -> bytes | None:
        return notification


@dataclass(slots=True)
class _TwoParts:
    """Movesense: a measurement too long for one notification comes in two, and then all do.

    Which it is shows with the second notification; the first of a stream may be left out for it.
    """

    first: bytes = b""
    is_split: bool | None = None

    def feed(self, notification: bytes) -> bytes | None:
        held, self.first = self.first, b""
        if movesense.is_second_part(notification):
            self.is_split = True
            try:
                return movesense.joined(held, notification)
            except PacketError:
                # The first part was lost.
                return None
        if self.is_split is None and held:
            self.is_split = False
        if self.is_split is False:
            return notification
        self.first = notification
        return None


@dataclass(slots=True)
class _Both:
    """Polar and MetaMotion: acceleration and turning rate come apart; as many of each make a packet."""

    kind_of: Callable[[bytes], int]
    kinds: tuple[int, int]
    held: dict[int, deque[bytes]] = field(default_factory=dict)

    def feed(self, notification: bytes) -> bytes | None:
        try:
            kind = self.kind_of(notification)
        except PacketError:
            # Passed on, so that it is counted as damaged.
            return notification
        if kind not in self.kinds:
            return None
        self.held.setdefault(kind, deque(maxlen=_MOST_HELD)).append(notification)
        if not all(self.held.get(k) for k in self.kinds):
            return None
        return bundled([self.held[k].popleft() for k in self.kinds])


def _polar_kind(notification: bytes) -> int:
    return polar.frame(notification).kind


def _metamotion_kind(notification: bytes) -> int:
    return metamotion.triples(notification)[0]


@dataclass(frozen=True, slots=True)
class Recipe:
    """One family in the set-up that is used here."""

    driver: str
    label: str
    rate_hz: float
    data: str
    begin: tuple[tuple[str, bytes], ...]
    """Writes that start it, in order."""
    end: tuple[tuple[str, bytes], ...]
    joiner: Callable[[], Joiner]
    acc_range_m_s2: float = float("nan")
    gyr_range_rad_s: float = float("nan")
    says: tuple[str, ...] = ()
    """Characteristics that answer the writes and must be listened to."""


_ACC_ON: Final = (
    # MetaMotion with a BMI270: set-up, feed, switch on; from the register layout the maker documents.
    bytes.fromhex("0303a803"),
    bytes.fromhex("030501"),
    bytes.fromhex("03040100"),
    bytes.fromhex("030101"),
)
_GYR_ON: Final = (
    bytes.fromhex("1303a800"),
    bytes.fromhex("130501"),
    bytes.fromhex("13040100"),
    b"\x13\x01\x01",
)

RECIPES: Final = {
    recipe.driver: recipe
    for recipe in (
        Recipe(
            movesense.NAME,
            "Movesense",
            104.0,
            movesense.DATA,
            ((movesense.COMMAND, movesense.subscribe(104)),),
            ((movesense.COMMAND, movesense.unsubscribe()),),
            _TwoParts,
        ),
        Recipe(
            polar.NAME,
            "Polar",
            52.0,
            polar.DATA,
            (
                (polar.CONTROL, polar.start(polar.SDK_MODE)),
                (polar.CONTROL, polar.start(polar.ACC, rate_hz=52, full_scale=8)),
                (polar.CONTROL, polar.start(polar.GYR, rate_hz=52, full_scale=2000)),
            ),
            ((polar.CONTROL, polar.stop(polar.ACC)), (polar.CONTROL, polar.stop(polar.GYR))),
            lambda: _Both(_polar_kind, (polar.ACC, polar.GYR)),
            polar.ACC_RANGE_M_S2,
            polar.GYR_RANGE_RAD_S,
            (polar.CONTROL,),
        ),
        Recipe(
            dot.NAME,
            "Movella DOT",
            60.0,
            dot.DATA,
            ((dot.CONTROL, dot.start()),),
            ((dot.CONTROL, dot.stop()),),
            _AsHeard,
        ),
        Recipe(
            witmotion.NAME,
            "WitMotion",
            100.0,
            witmotion.DATA,
            tuple((witmotion.WRITE, command) for command in witmotion.set_rate(100)),
            (),
            _AsHeard,
            witmotion.ACC_RANGE_M_S2,
            witmotion.GYR_RANGE_RAD_S,
        ),
        Recipe(
            metamotion.NAME,
            "MetaMotion",
            100.0,
            metamotion.DATA,
            tuple((metamotion.COMMAND, command) for command in (*_ACC_ON, *_GYR_ON)),
            ((metamotion.COMMAND, b"\x03\x01\x00"), (metamotion.COMMAND, b"\x13\x01\x00")),
            lambda: _Both(_metamotion_kind, (metamotion.ACC, metamotion.GYR)),
            metamotion.ACC_RANGE_M_S2,
            metamotion.GYR_RANGE_RAD_S,
        ),
    )
}
"""Families of other makers by driver."""


def recipe_of(driver: str) -> Recipe:
    """The recipe of a driver.

    Raises
    ------
    ConfigError
        If there is none.
    """
    if driver not in RECIPES:
        raise ConfigError("driver", f"'{driver}' is none of {', '.join(sorted(RECIPES))}.")
    return RECIPES[driver]
