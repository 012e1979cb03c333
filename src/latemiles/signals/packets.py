"""What a driver makes of one notification, and what a driver is: the seam between the core and the sensors.

A driver is pure: bytes in, samples out, no state, no clock. It is handed to the pipeline, so that the core
imports no sensor family.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Capabilities", "DecodedPacket", "DecodedStretch", "Driver", "HeadDriver", "StretchDriver"]

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
B1 = NDArray[np.bool_]


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


class DecodedStretch(NamedTuple):
    """The samples of many notifications of one sensor in a row, packet after packet; see `DecodedPacket`."""

    acc: F8
    """(N, 3) m/s^2, sensor frame, C-contiguous."""
    gyr: F8
    """(N, 3) rad/s, sensor frame, C-contiguous."""
    flags: I8
    """(N,) SampleQuality bits: clipped."""
    sizes: I8
    """(m,) samples of each packet; 0 for one that holds none or is damaged."""
    is_damaged: B1
    """(m,) whether the packet does not follow the protocol."""
    first_index: I8
    """(m,) counter of the packet's first sample; -1 where there is none."""
    tick: I8
    """(m,) device time of its first sample, as sent; -1 where there is none."""
    epoch: I8
    """(m,)."""
    is_resent: B1
    """(m,)."""
    is_marked: B1
    """(m,)."""
    tick_hz: float = float("nan")
    sample_ticks: float | None = None
    t_s: F8 | None = None
    """(N,) session seconds where they are known exactly; else None."""


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
    has_exact_time: bool = False
    """Every sample brings its session time, as imported files do."""

    @property
    def has_clock(self) -> bool:
        """Whether it can be known when a sample was taken and whether one is missing."""
        return self.has_index or self.has_device_time or self.has_exact_time


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


@runtime_checkable
class StretchDriver(Driver, Protocol):
    """A driver that also decodes many notifications in one go; for the others it is done one by one."""

    def decode_many(self, data: bytes, start: I8, stop: I8) -> DecodedStretch:
        """Interpret the notifications ``data[start:stop]``, each as ``decode`` does; none raises.

        Parameters
        ----------
        data : bytes
            Holds the payloads.
        start, stop : int64 arrays, shape (m,)
            Where each begins and ends.
        """


@runtime_checkable
class HeadDriver(StretchDriver, Protocol):
    """A driver that also reads the heads of many notifications alone: all that a clock needs."""

    def heads_many(self, data: bytes, start: I8, stop: I8) -> DecodedStretch:
        """What ``decode_many`` gives of notifications ``data[start:stop]``, without a single sample."""

    def samples_many(self, data: bytes, start: I8, sizes: I8, acc: F8, gyr: F8, flags: I8) -> None:
        """Put the samples of notifications that begin at ``start`` into arrays.

        Parameters
        ----------
        data : bytes
            Holds the payloads.
        start, sizes : int64 arrays, shape (m,)
            Where each begins, and how many samples its head says it has; 0 for one that is passed over.
        acc, gyr : float64 arrays, shape (N, 3)
        flags : int64 array, shape (N,)
            As in ``DecodedStretch``.
        """
