"""Questions to one of our sensors outside a run: a command, its result, and what lies in its flash log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from latemiles.errors import LinkFailed, PacketError
from latemiles.sensors import protocol
from latemiles.sensors.about import Status, StatusFlag
from latemiles.sensors.ble_errors import LinkReason
from latemiles.sensors.commands import ANSWER_S, Commands
from latemiles.sensors.desk import Visit
from latemiles.sensors.flash_log import LogList, Page, page_of, read_payload
from latemiles.sensors.protocol import Code, Command, Result

__all__ = ["Talk", "erase_log", "log_list", "read_log"]

PAGES_AT_ONCE: Final = 512
ERASE_S: Final = 120.0
"""2 MB have 512 sectors of up to 0.2 s."""


class Talk:
    """Commands to a sensor that is visited, one after the other.

    Parameters
    ----------
    there : Visit
        The sensor.
    """

    def __init__(self, there: Visit) -> None:
        self.there = there
        self._commands = Commands(there.connection)
        self._is_listening = False

    async def ask(self, number: Command, payload: bytes = b"") -> Result:
        """Send a command and wait for its result.

        Raises
        ------
        LinkFailed
            If the link ended or no result came.
        """
        if not self._is_listening:
            await self._commands.listen()
            self._is_listening = True
        return await self._commands.ask(number, payload)

    async def do(self, number: Command, payload: bytes = b"") -> bytes:
        """Send a command that must succeed; the payload of its result.

        Raises
        ------
        LinkFailed
            If it did not.
        """
        result = await self.ask(number, payload)
        if result.code != Code.OK:
            name = self.there.connection.heard.name
            raise LinkFailed(
                LinkReason.REFUSED,
                f"{name} refuses {number.name.lower()} (code {result.code}). Update its firmware.",
            )
        return result.payload

    async def status(self) -> Status:
        """What the sensor says of itself now.

        Raises
        ------
        LinkFailed
            If the link ended.
        """
        return Status.decode(await self.there.connection.read(protocol.STATUS))


async def log_list(talk: Talk) -> LogList:
    """What is in the flash log.

    Raises
    ------
    LinkFailed
        If the link ended or the sensor has no log.
    """
    try:
        return LogList.decode(await talk.do(Command.LOG_LIST))
    except PacketError as error:
        raise LinkFailed(LinkReason.UNKNOWN_VERSION, str(error)) from error


async def read_log(
    talk: Talk, there: LogList, shown: Callable[[float], None] = lambda _: None
) -> tuple[list[Page], int]:
    """All pages of the flash log.

    Parameters
    ----------
    talk : Talk
        The sensor.
    there : LogList
        What is in the log.
    shown : callable
        Told the share that is read, 0 to 1.

    Returns
    -------
    list of Page, int
        The whole pages in their order, and how many came damaged.

    Raises
    ------
    LinkFailed
        If the link ended, or the sensor fell silent.
    """
    pages: list[Page] = []
    damaged = 0
    news, end = asyncio.Event(), there.first_page + there.pages
    is_over = False

    def hear(payload: bytes) -> None:
        nonlocal damaged, is_over
        news.set()
        if len(payload) == protocol.LOG_END_BYTES:
            is_over = True
            return
        try:
            pages.append(page_of(payload))
        except PacketError:
            damaged += 1

    await talk.there.connection.listen(protocol.LOG, hear)
    for first in range(there.first_page, end, PAGES_AT_ONCE):
        is_over = False
        result = await talk.ask(Command.LOG_READ, read_payload(first, min(PAGES_AT_ONCE, end - first)))
        while result.code == Code.OK and not is_over:
            news.clear()
            try:
                async with asyncio.timeout(ANSWER_S):
                    await news.wait()
            except TimeoutError as error:
                reason = LinkReason.LOST if talk.there.connection.lost.is_set() else LinkReason.TIMED_OUT
                raise LinkFailed(
                    reason, f"The log broke off after {len(pages)} pages: {reason}. Bring it near; try again."
                ) from error
            shown((len(pages) + damaged) / there.pages)
    return pages, damaged


async def erase_log(talk: Talk) -> None:
    """Empty the flash log and wait until it is empty.

    Raises
    ------
    LinkFailed
        If it could not be done.
    """
    await talk.do(Command.LOG_ERASE)
    loop = asyncio.get_running_loop()
    until = loop.time() + ERASE_S
    while (await talk.status()).flags & (StatusFlag.LOG_ERASING | StatusFlag.LOG_HAS_PAGES):
        if loop.time() > until:
            raise LinkFailed(
                LinkReason.TIMED_OUT, "The log is not empty after two minutes. Its flash may be worn out."
            )
        await asyncio.sleep(0.5)
