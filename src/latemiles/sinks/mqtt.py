"""MQTT 5 through aiomqtt: one connection, with our errors; what is published over it is no matter here.

aiomqtt does not reconnect, does not tell a waiting publisher that the line is gone, and says every failure
in its own way. Here a lost line ends whatever waits for it; to connect again is the caller's.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from latemiles.errors import ConfigError
from latemiles.sinks.outbox import SinkError, SinkRefused, SinkUnavailable
from latemiles.sinks.secrets import Secret

__all__ = ["Incoming", "MqttConnection", "MqttSettings", "Will", "connected"]

T = TypeVar("T")

_REFUSING: Final = {
    132: "does not speak MQTT 5. Use a broker that does, such as Mosquitto 1.6 or newer.",
    133: "refuses the client id. Leave client_id of [mqtt] away.",
    134: "refuses the user name or password. Give it in LATEMILES_MQTT_PASSWORD or password_file of [mqtt].",
    135: "does not let this user in. Check username and password of [mqtt], and the broker's access list.",
    138: "has banned this client. Ask whoever runs it.",
}
_INCOMING: Final = 4096
"""Messages that may wait in memory; the gateway's own protocol sends again what is dropped beyond."""
_GOODBYE_S: Final = 2.0
# Made by hand, so that no handler of the program can wake it.
_QUIET: Final = logging.Logger("aiomqtt", level=logging.CRITICAL + 1)  # noqa: LOG001
"""The client's own log says in several lines what our errors say in one."""


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """Table ``[mqtt]`` of the settings, with its secret."""

    host: str
    port: int = 0
    """0: 8883 with TLS, 1883 without."""
    tls: bool = False
    ca_file: str = ""
    """Certificate authority; empty: those the system trusts."""
    username: str = ""
    secret: Secret = Secret("")  # noqa: RUF009 - frozen, and empty
    client_id: str = ""
    home_assistant: bool = False
    live_hz: float = 10.0
    """Messages a second on the live channel; 0 switches it off."""
    timeout_s: float = 8.0

    def __post_init__(self) -> None:
        if not self.host or "/" in self.host or "@" in self.host:
            raise ConfigError("mqtt.host", "expected a host name or address without mqtt://. Change it.")
        if not 0 <= self.port < 65536:
            raise ConfigError("mqtt.port", f"takes 1 to 65535, got {self.port}. Change it.")
        if not 0.0 <= self.live_hz <= 10.0:
            raise ConfigError("mqtt.live_hz", f"takes 0 to 10, got {self.live_hz:g}. Change it.")
        if self.ca_file and not self.tls:
            raise ConfigError("mqtt.ca_file", "means nothing without tls = true. Set both or neither.")

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{self.host}:{self.port or (8883 if self.tls else 1883)}"


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker says in our name when the line breaks."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Incoming:
    """One received message."""

    topic: str
    payload: bytes


class MqttConnection:
    """An open connection; every call notices at once when it is lost, and raises SinkUnavailable."""

    def __init__(self, client: aiomqtt.Client, label: str) -> None:
        self._client = client
        self.label = label
        """The broker in words."""
        self._queue: asyncio.Queue[Incoming] = asyncio.Queue(_INCOMING)
        self._listening: asyncio.Task[None] | None = None
        self.overflowed = 0
        """Messages that came faster than they were taken and were dropped."""

    def begin(self) -> None:
        """Start to listen."""
        self._listening = asyncio.create_task(self._listen(), name="mqtt listener")

    async def end(self) -> None:
        """Stop to listen."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait({self._listening})

    async def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Publish, and wait until the broker has acknowledged (QoS 1) or the line has taken it (QoS 0)."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ContentType = "application/json" if payload[:1] == b"{" else "application/octet-stream"
        await self._do(self._client.publish(topic, payload, qos=qos, retain=retain, properties=properties))

    async def subscribe(self, pattern: str, *, qos: int = 1) -> None:
        """Ask for the messages of a topic filter."""
        codes = await self._do(self._client.subscribe(pattern, qos=qos))
        if any(getattr(code, "value", code) >= 128 for code in codes):
            raise SinkRefused(
                f"{self.label} does not let this user read '{pattern}'. Change its access list."
            )

    async def receive(self) -> Incoming:
        """The next message."""
        return await self._do(self._queue.get())

    def check(self) -> None:
        """Raise SinkUnavailable if the connection is lost."""
        if self._listening is not None and self._listening.done():
            raise self._lost()

    async def _listen(self) -> None:
        async for heard in self._client.messages:
            payload = heard.payload if isinstance(heard.payload, bytes) else b""
            try:
                self._queue.put_nowait(Incoming(str(heard.topic), payload))
            except asyncio.QueueFull:
                self.overflowed += 1

    async def _do(self, call: Awaitable[T]) -> T:
        """Await a call, but no longer than the connection lives."""
        if self._listening is None:
            raise self._lost()
        doing = asyncio.ensure_future(call)
        try:
            await asyncio.wait({doing, self._listening}, return_when=asyncio.FIRST_COMPLETED)
            if not doing.done():
                raise self._lost()
            return doing.result()
        except aiomqtt.MqttError as error:
            raise self._lost() from error
        finally:
            if not doing.done():
                doing.cancel()
                await asyncio.wait({doing})

    def _lost(self) -> SinkUnavailable:
        if self._listening is not None and self._listening.done() and not self._listening.cancelled():
            # Taken out, so that asyncio does not report it as never retrieved.
            self._listening.exception()
        return SinkUnavailable(f"{self.label} has closed the connection. Check that it runs.")


@contextlib.asynccontextmanager
async def connected(
    settings: MqttSettings,
    *,
    client_id: str = "",
    will: Will | None = None,
    keep_session_s: int = 0,
) -> AsyncIterator[MqttConnection]:
    """Connect for the time of a ``with`` block.

    Parameters
    ----------
    settings : MqttSettings
        Which broker, and as whom.
    client_id : str
        Name of this client; two with the same name push each other out. Empty: the broker gives one.
    will : Will or None
        Published by the broker, retained, when the line breaks.
    keep_session_s : int
        How long the broker keeps what is for us while we are away, s.

    Yields
    ------
    MqttConnection
        The open connection.

    Raises
    ------
    SinkError
        If the broker does not answer or refuses.
    """
    label = f"The MQTT broker at {settings.address}"
    _forgive_closed_sockets(asyncio.get_running_loop())
    client = _client(settings, client_id, will, keep_session_s)
    try:
        await client.__aenter__()
    except aiomqtt.MqttError as error:
        _abandon(client)
        raise _in_our_words(error, label, settings) from error
    except asyncio.CancelledError:
        _abandon(client)
        raise
    connection = MqttConnection(client, label)
    connection.begin()
    try:
        yield connection
    finally:
        await connection.end()
        # A line that is broken already, or a broker that does not answer the goodbye, is no news here.
        with contextlib.suppress(aiomqtt.MqttError, TimeoutError):
            async with asyncio.timeout(_GOODBYE_S):
                await client.__aexit__(None, None, None)
        _abandon(client)


def _abandon(client: aiomqtt.Client) -> None:
    """Close the socket, which aiomqtt leaves open and in the event loop when a connection comes to nothing.

    There is no public way; without this every attempt at a silent broker costs a file descriptor.
    """
    client._client._sock_close()


def _forgive_closed_sockets(loop: asyncio.AbstractEventLoop) -> None:
    """Keep one fault of aiomqtt quiet: it asks to write to a socket that it has just closed.

    The event loop would print a traceback of fifteen lines in about one outage of ten; the lost line itself
    is told in our own words. Whatever else goes wrong in a callback is printed as before.
    """

    def forgiving(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not (isinstance(error, OSError) and error.errno == errno.EBADF and "handle" in context):
            loop.default_exception_handler(context)

    if loop.get_exception_handler() is None:
        loop.set_exception_handler(forgiving)


def _client(settings: MqttSettings, client_id: str, will: Will | None, keep_s: int) -> aiomqtt.Client:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = keep_s
    return aiomqtt.Client(
        settings.host,
        int(settings.address.rpartition(":")[2]),
        username=settings.username or None,
        password=settings.secret.reveal() or None,
        identifier=client_id or None,
        protocol=aiomqtt.ProtocolVersion.V5,
        will=aiomqtt.Will(will.topic, will.payload, qos=1, retain=True) if will else None,
        clean_start=keep_s == 0,
        properties=properties,
        timeout=settings.timeout_s,
        keepalive=15,
        logger=_QUIET,
        max_queued_incoming_messages=_INCOMING,
        tls_context=_tls(settings),
    )


def _tls(settings: MqttSettings) -> ssl.SSLContext | None:
    if not settings.tls:
        return None
    try:
        return ssl.create_default_context(cafile=settings.ca_file or None)
    except OSError as error:
        raise SinkRefused(
            f"The certificate authority '{settings.ca_file}' cannot be read. Correct ca_file of [mqtt]."
        ) from error


def _in_our_words(error: aiomqtt.MqttError, label: str, settings: MqttSettings) -> SinkError:
    # aiomqtt turns every cause into its own error; the first one is still there as the context.
    cause = error.__context__
    if isinstance(cause, ssl.SSLError):
        return SinkRefused(
            f"{label} cannot be trusted or does not speak TLS ({cause.reason or 'handshake failed'}). "
            "Set ca_file of [mqtt] to the file of its certificate authority, and check the port."
        )
    code = error.rc if isinstance(error, aiomqtt.MqttCodeError) else None
    number = int(getattr(code, "value", 0) or 0)
    if number in _REFUSING:
        return SinkRefused(f"{label} {_REFUSING[number]}")
    if settings.tls:
        advice = "Check that it runs, and that host and port of [mqtt] are those of its TLS listener."
    else:
        advice = "Check that it runs; if this is a TLS port, set tls = true in [mqtt]."
    if isinstance(cause, OSError) and not isinstance(cause, TimeoutError):
        return SinkUnavailable(f"{label} cannot be reached ({cause.strerror or cause}). {advice}")
    return SinkUnavailable(f"{label} does not answer as MQTT within {settings.timeout_s:g} s. {advice}")
