"""Battery (service 0x180F) and Device Information (0x180A)."""

from __future__ import annotations

from typing import Final

from latemiles.sensors.profiles.fields import Fields

__all__ = ["BATTERY", "FIRMWARE", "HARDWARE", "MAKER", "MODEL", "SERIAL", "battery_percent", "text"]

BATTERY: Final = "00002a19-0000-1000-8000-00805f9b34fb"
MODEL: Final = "00002a24-0000-1000-8000-00805f9b34fb"
SERIAL: Final = "00002a25-0000-1000-8000-00805f9b34fb"
FIRMWARE: Final = "00002a26-0000-1000-8000-00805f9b34fb"
HARDWARE: Final = "00002a27-0000-1000-8000-00805f9b34fb"
MAKER: Final = "00002a29-0000-1000-8000-00805f9b34fb"

_MOST_PERCENT: Final = 100


def battery_percent(payload: bytes) -> float:
    """Battery level.

    Raises
    ------
    PacketError
        If there is no byte.
    """
    return float(min(_MOST_PERCENT, Fields(payload, "A battery level").take(1)))


def text(payload: bytes) -> str:
    """A string of the device information; makers pad with zeros and blanks."""
    return payload.split(b"\0")[0].decode("utf-8", errors="replace").strip()
