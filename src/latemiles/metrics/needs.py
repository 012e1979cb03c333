"""What a metric needs of the sensors, and what the sensors of a run cannot give."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Flag, auto
from math import isfinite
from typing import Final, NamedTuple

from latemiles.signals.frames import Segment

__all__ = ["LEAST_HZ", "SHORT_WORDS", "SIDES_UNSURE", "Need", "Offer", "lacking", "limits"]

LEAST_HZ: Final = 95.0
"""Rate from which contact and toe-off are timed to half a sample, 5 ms: sensors of 100 Hz, a little slow."""

SIDES_UNSURE: Final = (
    "Left and right are told from the pelvis alone and may be exchanged; its tilt does not mind."
)


class Need(Flag):
    """What a metric cannot do without."""

    NOTHING = 0
    RATE = auto()
    """100 samples a second: impacts and toe-off are sharper than slow sensors can show."""
    CLOCK = auto()
    """A clock or a counter in each sensor: without one a sample is placed by when it arrived, late by up to
    the radio's interval and differently for each sensor, and a lost one cannot be seen."""

    @property
    def words(self) -> str:
        """As the list of metrics says it."""
        return " and ".join(_WORDS[need] for need in (Need.RATE, Need.CLOCK) if need in self)


_WORDS: Final = {Need.RATE: "100 Hz", Need.CLOCK: "a clock"}


SHORT_WORDS: Final = {
    Need.RATE: "too slow for contact times",
    Need.CLOCK: "no clock: no contact times, no angles at an instant",
}
"""What lacks, for a list of sensors."""


class Offer(NamedTuple):
    """What one sensor gives."""

    segment: Segment
    rate_hz: float
    """Nominal; NaN where it is not told, which passes for enough."""
    has_clock: bool


def lacking(offers: Iterable[Offer]) -> Need:
    """Needs that some sensor of the run does not meet: gait events and angles rest on all of them."""
    missing = Need.NOTHING
    for offer in offers:
        if isfinite(offer.rate_hz) and offer.rate_hz < LEAST_HZ:
            missing |= Need.RATE
        if not offer.has_clock:
            missing |= Need.CLOCK
    return missing


def limits(offers: Sequence[Offer]) -> list[str]:
    """Plain sentences: which sensors lack what, and what is blank or uncertain for it."""
    slow = [o for o in offers if isfinite(o.rate_hz) and o.rate_hz < LEAST_HZ]
    adrift = [o for o in offers if not o.has_clock]
    said = [SIDES_UNSURE] if {o.segment for o in offers} == {Segment.PELVIS} else []
    if slow:
        rate = min(o.rate_hz for o in slow)
        gives = "give" if len(slow) > 1 else "gives"
        said.append(
            f"{_names(slow)} {gives} {rate:.0f} samples a second, fewer than 100. "
            f"Left blank for that: {_AT_TOE_OFF}."
        )
    if adrift:
        has = "have" if len(adrift) > 1 else "has"
        said.append(
            f"{_names(adrift)} {has} no clock: when a sample was taken is known from its arrival only, and "
            f"lost ones are not seen. Left blank for that: {_AT_TOE_OFF}, {_AT_ONE_INSTANT}."
        )
    return said


_AT_TOE_OFF: Final = "contact and flight time, duty factor, everything at toe-off, pelvis shock"
_AT_ONE_INSTANT: Final = (
    "angles at initial contact and mid-stance, the drop from contact to peak, the peak of hip flexion, and "
    "of hip adduction and rotation all but the mean"
)


def _names(offers: Sequence[Offer]) -> str:
    labels = [offer.segment.label for offer in offers]
    last = labels[-1]
    listed = f"{', '.join(labels[:-1])} and {last}" if len(labels) > 1 else last
    return f"The {listed} sensor{'s' if len(labels) > 1 else ''}"
