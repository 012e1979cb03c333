"""What a driver makes of one notification, and what a driver is: the seam between the core and the sensors.

A driver is pure: bytes in, samples out, no state, no clock. It is handed to the pipeline, so that the core
imports no sensor family.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Capabilities", "DecodedPacket", "Driver"]

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]


class DecodedPacket(NamedTuple):
    """The samples of one notification in SI units, and all that the sensor said about their time."""

    acc: F8
    """(k, 3) m/s^2, sensor frame, C-contiguous."""
    gyr: F8
    """(k, 3) rad/s, sensor frame, C-contiguous."""
    flags: I8
    """(k,) SampleQuality bits: clipped."""
    first_index: int | None = None
    """Counter of the first sample since the sensor's session began; None where the family has none."""
    tick: int | None = None
    """Device time of the first sample, in ticks, as sent: it wraps at ``Capabilities.tick_bits``."""
    tick_hz: float = float("nan")
    sample_ticks: float | None = None
    """Ticks from sample to sample where the sensor states them; None: the clock stage estimates."""
    t_s: F8 | None = None
    """(k,) session seconds of each sample where they are known exactly (imported files); else None."""
    epoch: int = 0
    """Changes when the sensor starts over or is set up anew: index and tick then start anew."""
    is_resent: bool = False
    """Sent again on request: older than what has been heard since."""
    has_gap_before: bool = False
    """The sensor says that it lost samples before this packet."""
    is_marked: bool = False
    """The button on the sensor was pressed."""
    temperature_c: float = float("nan")


class Capabilities(NamedTuple):
    """What a sensor family can tell and do."""

    has_index: bool
    has_device_time: bool
    can_resend: bool
    rates_hz: tuple[float, ...]
    """Sample rates on offer; empty: any."""
    tick_hz: float = float("nan")
    tick_bits: int = 0
    """The device tick wraps at two to this power; 0 without one."""


class Driver(Protocol):
    """Codec of one sensor family."""

    @property
    def name(self) -> str:
        """Name in the registry and in recordings."""

    @property
    def capabilities(self) -> Capabilities:
        """What the family can tell and do."""

    def decode(self, payload: bytes) -> DecodedPacket:
        """Interpret one notification.

        Raises
        ------
        PacketError
            If the bytes do not follow the protocol; nothing else is ever raised.
        """
