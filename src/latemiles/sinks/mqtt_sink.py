"""The sink that publishes rows, the retained status of a run and its live channel over MQTT.

A QoS 1 acknowledgement is the broker's, not the subscriber's: after a lost connection the last rows are
published again, and subscribers tell a repeated row by its run and index.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, Final

from latemiles.signals.records import RunHeader
from latemiles.sinks.messages import LiveScreen, RunStatus, discovery, encoded, message, row_topic
from latemiles.sinks.mqtt import MqttConnection, MqttSettings, Will, connected
from latemiles.sinks.outbox import Rejected, Row, SinkError, SinkUnavailable

__all__ = ["MqttSink"]

_GOODBYE_S: Final = 2.0


class MqttSink:
    """Publishes rows, the retained status of the run that goes on, and the live channel.

    Parameters
    ----------
    settings : MqttSettings
        Which broker, and as whom.
    header : RunHeader or None
        The run that goes on; None: rows of past runs only, without status and live channel.
    settle_s : float
        After a lost connection, wait this long before publishing, so that subscribers are back too, s.
    """

    resend_rows = 200

    def __init__(
        self, settings: MqttSettings, header: RunHeader | None = None, *, settle_s: float = 2.0
    ) -> None:
        self._settings = settings
        self._settle_s = settle_s
        self._status = RunStatus(header) if header is not None else None
        self._header = header
        self.live = LiveScreen(header) if header is not None else None
        self.ended = False
        """Set when the run is over: the status then says so instead of leaving it to the will."""
        self.name = f"mqtt {settings.address}"
        self.label = f"The MQTT broker at {settings.address}"
        self._stack = contextlib.AsyncExitStack()
        self._connection: MqttConnection | None = None
        self._was_lost = False

    async def open(self) -> None:
        """Connect, say that the run goes on, and start the live channel.

        Raises
        ------
        SinkError
            If the broker does not answer or refuses.
        """
        status = self._status
        will = Will(status.topic(), encoded(status.message("lost"))) if status else None
        connection = await self._stack.enter_async_context(
            connected(self._settings, client_id=self._settings.client_id, will=will)
        )
        self._connection = connection
        if self._was_lost:
            await asyncio.sleep(self._settle_s)
        self._was_lost = True
        if self._header is not None and self._settings.home_assistant:
            for where, config in discovery(self._header).items():
                await connection.publish(where, encoded(config), retain=True)
        await self._say_status("running")
        if self.live is not None and self._settings.live_hz > 0.0:
            task = asyncio.create_task(self._keep_live(connection, self.live), name="mqtt live channel")
            self._stack.push_async_callback(_stopped, task)

    async def deliver(self, rows: Sequence[Row]) -> Sequence[Rejected]:
        """Publish rows one after another, each acknowledged, so that their order holds.

        Raises
        ------
        SinkUnavailable
            If the connection is lost.
        """
        connection = self._open()
        is_new = False
        for row in rows:
            if self._status is not None and row.run == self._status.header.run:
                is_new = self._status.take(row.event) or is_new
            where = row_topic(row)
            if where is not None:
                await connection.publish(where, encoded(message(row)))
        if is_new:
            await self._say_status("running")
        return ()

    async def idle(self) -> None:
        """Notice a lost connection; raises SinkUnavailable."""
        self._open().check()

    async def close(self) -> None:
        """Say that the run ended if it did, and disconnect."""
        connection, self._connection = self._connection, None
        try:
            if connection is not None and self.ended and self._status is not None:
                with contextlib.suppress(SinkError, TimeoutError):
                    async with asyncio.timeout(_GOODBYE_S):
                        await connection.publish(
                            self._status.topic(), encoded(self._status.message("ended")), retain=True
                        )
        finally:
            await self._stack.aclose()

    async def check(self) -> None:
        """Connect and leave again.

        Raises
        ------
        SinkError
            With what to mend.
        """
        async with connected(self._settings):
            return

    def _open(self) -> MqttConnection:
        if self._connection is None:
            raise SinkUnavailable(f"{self.label} is not connected.")
        return self._connection

    async def _say_status(self, state: str) -> None:
        if self._status is not None:
            payload = encoded(self._status.message(state))
            await self._open().publish(self._status.topic(), payload, retain=True)

    async def _keep_live(self, connection: MqttConnection, live: LiveScreen) -> None:
        """Publish the newest state at most ``live_hz`` times a second; what is overtaken is not sent."""
        with contextlib.suppress(SinkUnavailable):
            while True:
                await asyncio.sleep(1.0 / self._settings.live_hz)
                payload = live.newest()
                if payload is not None:
                    await connection.publish(live.topic, payload, qos=0)


async def _stopped(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.wait({task})
