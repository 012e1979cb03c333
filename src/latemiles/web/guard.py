"""Only this machine's browser, and only our own page in it, may talk to the server."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

__all__ = ["LOOPBACK_NAMES", "HostGuard"]

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})

_HEADERS = (
    # Charts set lengths and colours by style attributes, hence unsafe-inline for styles alone.
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
        b"form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    # Nothing leaves for another site; without it a browser would hide the origin of our own forms from us.
    (b"referrer-policy", b"same-origin"),
    (b"cache-control", b"no-cache"),
)


class HostGuard:
    """Refuses requests under a foreign name or from a foreign page; adds the headers that keep the page ours.

    The Host check stops DNS rebinding, the Origin check stops another site's page from opening the
    websocket, setting marks or sending forms: a browser tells the origin of each of these.

    Parameters
    ----------
    app : ASGI application
        What is guarded.
    allowed_hosts : iterable of str
        Names besides the loopback ones; ``*`` allows any.
    """

    def __init__(self, app: ASGIApp, allowed_hosts: Iterable[str] = ()) -> None:
        self._app = app
        self._allowed = LOOPBACK_NAMES | {name.lower() for name in allowed_hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        origin = headers.get(b"origin", b"").decode("latin-1")
        if not self._may(host) or (origin and urlsplit(origin).netloc != host):
            await self._refuse(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_HEADERS]
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _may(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname
        except ValueError:
            return False
        return name is not None and ("*" in self._allowed or name in self._allowed)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal: ASGIApp
        if scope["type"] == "websocket":
            refusal = WebSocketClose(1008, "foreign host or page")
        else:
            words = "This page answers only under its own name. Open it as http://127.0.0.1 with its port."
            refusal = PlainTextResponse(words, status_code=403)
        await refusal(scope, receive, send)
