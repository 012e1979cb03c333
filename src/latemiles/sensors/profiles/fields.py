"""Reads little-endian fields one after another; too few bytes are a ``PacketError``."""

from __future__ import annotations

from latemiles.errors import PacketError

__all__ = ["Fields"]


class Fields:
    """A cursor over the bytes of one notification.

    Parameters
    ----------
    payload : bytes
        The bytes.
    what : str
        What they are, for the message.
    """

    def __init__(self, payload: bytes, what: str) -> None:
        self._payload, self._what, self._at = payload, what, 0

    def take(self, size: int, *, signed: bool = False) -> int:
        """Next integer of ``size`` bytes.

        Raises
        ------
        PacketError
            If there are not so many left.
        """
        end = self._at + size
        if end > len(self._payload):
            raise PacketError(
                f"{self._what} of {len(self._payload)} bytes is too short for its flags. "
                "It is left out; nothing to do."
            )
        value = int.from_bytes(self._payload[self._at : end], "little", signed=signed)
        self._at = end
        return value

    def skip(self, size: int) -> None:
        """Pass over bytes that are of no use here."""
        self.take(size)

    @property
    def left(self) -> int:
        """Bytes that were not read."""
        return len(self._payload) - self._at
