"""What bleak and the systems under it raise, as ``LinkFailed`` with a reason and advice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakCharacteristicNotFoundError,
    BleakDBusError,
    BleakDeviceNotFoundError,
    BleakError,
    BleakGATTProtocolError,
)

from latemiles.cancelled import asked_to_end
from latemiles.errors import LinkFailed

__all__ = ["ADVICE", "LinkReason", "translated"]


class LinkReason(StrEnum):
    """Why there is no link."""

    NO_ADAPTER = "no Bluetooth adapter"
    NOT_PERMITTED = "Bluetooth is not permitted"
    BUSY = "the Bluetooth stack is busy"
    NOT_FOUND = "the sensor is not known to the system"
    TIMED_OUT = "no answer in time"
    CONNECT_FAILED = "the connection failed"
    REFUSED = "the sensor refused"
    NOT_OURS = "another device answered"
    MTU_TOO_SMALL = "packets are too small"
    UNKNOWN_VERSION = "unknown version"
    LOST = "link lost"
    SILENT = "nothing heard"


_DBUS_REASONS: Final = {
    "org.bluez.Error.InProgress": LinkReason.BUSY,
    "org.bluez.Error.NotReady": LinkReason.NO_ADAPTER,
    "org.bluez.Error.NotPermitted": LinkReason.NOT_PERMITTED,
    "org.freedesktop.DBus.Error.AccessDenied": LinkReason.NOT_PERMITTED,
    "org.freedesktop.DBus.Error.UnknownObject": LinkReason.NOT_FOUND,
    "org.freedesktop.DBus.Error.ServiceUnknown": LinkReason.NO_ADAPTER,
    "org.bluez.Error.DoesNotExist": LinkReason.NOT_FOUND,
}


def _reason(error: Exception, otherwise: LinkReason) -> LinkReason:
    match error:
        case BleakBluetoothNotAvailableError():
            return LinkReason.NO_ADAPTER
        case BleakDeviceNotFoundError():
            return LinkReason.NOT_FOUND
        case BleakDBusError():
            return _DBUS_REASONS.get(error.dbus_error, otherwise)
        case BleakGATTProtocolError():
            return LinkReason.REFUSED
        case BleakCharacteristicNotFoundError():
            return LinkReason.NOT_OURS
        case TimeoutError():
            return LinkReason.TIMED_OUT
        case BleakError():
            return otherwise
        case PermissionError():
            return LinkReason.NOT_PERMITTED
    # Without a system bus bleak passes the socket's OSError on.
    return LinkReason.NO_ADAPTER


@contextlib.contextmanager
def translated(doing: str, otherwise: LinkReason = LinkReason.LOST) -> Iterator[None]:
    """Turn whatever bleak and the system raise into ``LinkFailed``.

    Parameters
    ----------
    doing : str
        What was tried, for the message.
    otherwise : LinkReason
        Reason of an error that says nothing more.

    Raises
    ------
    LinkFailed
        In place of a BleakError, TimeoutError, OSError or EOFError, and of a cancellation that was not meant
        for this task: what a system cancels of its own when a link ends under a request.
    """
    try:
        yield
    except asyncio.CancelledError as error:
        if asked_to_end():
            raise
        raise LinkFailed(
            otherwise, f"Cannot {doing}: {otherwise} (given up by the system). {ADVICE[otherwise]}"
        ) from error
    except (BleakError, TimeoutError, OSError, EOFError) as error:
        reason = _reason(error, otherwise)
        told = " ".join(str(part) for part in error.args if isinstance(part, str)) or type(error).__name__
        raise LinkFailed(reason, f"Cannot {doing}: {reason} ({told}). {ADVICE[reason]}") from error


ADVICE: Final = {
    LinkReason.NO_ADAPTER: "Switch Bluetooth on or plug an adapter in; 'latemiles doctor' checks it.",
    LinkReason.NOT_PERMITTED: "Allow this program to use Bluetooth in the system's settings.",
    LinkReason.BUSY: "It is tried again; if it stays so, switch Bluetooth off and on.",
    LinkReason.NOT_FOUND: "Wake the sensor and bring it near.",
    LinkReason.TIMED_OUT: "Bring the sensor near; it is tried again.",
    LinkReason.CONNECT_FAILED: "Bring the sensor near; it is tried again.",
    LinkReason.REFUSED: "Update the sensor's firmware.",
    LinkReason.NOT_OURS: "Check which sensor is meant with 'latemiles scan'.",
    LinkReason.MTU_TOO_SMALL: "Use an adapter or system with Bluetooth 4.2 or newer.",
    LinkReason.UNKNOWN_VERSION: "Update the sensor's firmware or this program.",
    LinkReason.LOST: "It is tried again.",
    LinkReason.SILENT: "Bring the sensor near.",
}
