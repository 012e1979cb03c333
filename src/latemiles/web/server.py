"""Serving the page inside a TaskGroup: no signals taken, a clean end on cancellation."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

from latemiles.errors import EnvironmentMissing

__all__ = ["serve"]

_GOODBYE_S = 2


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer, and say so."""
        await super().startup(sockets)
        self._on_started()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave Ctrl-C to the session, which ends the run first."""
        yield


async def serve(
    app: ASGIApp,
    host: str = "127.0.0.1",
    port: int = 8765,
    *,
    on_ready: Callable[[int], None] | None = None,
) -> None:
    """Serve until cancelled; pages that are open are told to come back.

    Parameters
    ----------
    app : ASGI application
        From ``create_app``.
    host : str
        Address to listen on; loopback unless the runner asked for more.
    port : int
        0: any free one.
    on_ready : callable or None
        Called with the port once the page can be opened.

    Raises
    ------
    EnvironmentMissing
        If the port is taken or the address is not this machine's.
    """
    listener = _listen(host, port)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="websockets-sansio",
        timeout_graceful_shutdown=_GOODBYE_S,
    )
    bound_port = int(listener.getsockname()[1])
    server = _Server(config, lambda: on_ready(bound_port) if on_ready is not None else None)
    try:
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(server.serve(sockets=[listener]), name="web:serve")
            try:
                await asyncio.shield(serving)
            except asyncio.CancelledError:
                server.should_exit = True
                await asyncio.wait({serving}, timeout=2 * _GOODBYE_S)
                raise
    finally:
        listener.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        # A server that is started again at once must get its port back.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise EnvironmentMissing(
            f"The live page cannot use port {port} on {host}: {error.strerror}. "
            "Choose another with --port, or end the program that holds it."
        ) from error
    listener.setblocking(False)
    return listener
