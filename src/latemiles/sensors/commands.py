"""Commands to one of our sensors over a link: each waits for the result that carries its tag."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from latemiles.errors import LinkFailed, PacketError
from latemiles.sensors import protocol
from latemiles.sensors.ble import Connection
from latemiles.sensors.ble_errors import LinkReason
from latemiles.sensors.protocol import Command, Result

__all__ = ["ANSWER_S", "Commands"]

ANSWER_S: Final = 5.0
"""Longest wait for the result of a command."""


class Commands:
    """Commands over one link, any number at once.

    Parameters
    ----------
    connection : Connection
        The link.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._answers: dict[int, asyncio.Future[Result]] = {}
        self._tag = 0

    async def listen(self) -> None:
        """Begin to hear results; before the first command.

        Raises
        ------
        LinkFailed
            If the link ended.
        """
        await self._connection.listen(protocol.CONTROL, self._hear)

    def _hear(self, payload: bytes) -> None:
        try:
            result = Result.decode(payload)
        except PacketError:
            return
        waiting = self._answers.get(result.tag)
        if waiting is not None and not waiting.done():
            waiting.set_result(result)

    async def ask(self, number: Command, payload: bytes = b"") -> Result:
        """Send a command and wait for its result.

        Raises
        ------
        LinkFailed
            If the link ended or no result came.
        """
        there = self._connection
        tag = self._tag = (self._tag + 1) & 0xFF
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._answers[tag] = answer
        lost = asyncio.ensure_future(there.lost.wait())
        either: set[asyncio.Future[Any]] = {answer, lost}
        try:
            await there.write(protocol.CONTROL, protocol.command(number, tag, payload))
            await asyncio.wait(either, timeout=ANSWER_S, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
        finally:
            lost.cancel()
            self._answers.pop(tag, None)
        reason = LinkReason.LOST if there.lost.is_set() else LinkReason.TIMED_OUT
        raise LinkFailed(reason, f"{there.heard.name} did not answer: {reason}. Bring it near.")
