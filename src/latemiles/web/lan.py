"""The pages on the local network, when that is asked for: a key in the link, a code for the phone's camera.

On this machine nothing changes. Whoever comes from the network needs the key once; it then stays in a cookie
of that browser until the server ends, for every start has a key of its own. The way is not encrypted: on a
network of strangers, whoever listens in sees what the page sees.
"""

from __future__ import annotations

import hmac
import io
import ipaddress
import secrets
import socket
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode

from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from latemiles.errors import EnvironmentMissing

__all__ = ["Invitation", "KeyGuard", "invite", "told"]

COOKIE: Final = "latemiles_key"
KEY: Final = "key"
_KEY_BYTES: Final = 16
_NO_HOST: Final = "192.0.2.1"
"""An address that belongs to nobody (RFC 5737): asked which of our own would be used, nothing is sent."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """How a phone on the same network reaches the pages."""

    address: str
    """This machine on the network."""
    key: str

    def link(self, port: int, path: str = "/") -> str:
        """The link with its key."""
        return f"http://{self.address}:{port}{path}?{KEY}={self.key}"

    def code(self, port: int, path: str = "/") -> str:
        """The link as a QR code of characters, for a dark or a light terminal."""
        import segno

        out = io.StringIO()
        segno.make(self.link(port, path), error="m", micro=False).terminal(out, compact=True, border=2)
        return out.getvalue()


def told(invitation: Invitation, port: int, path: str = "/") -> list[str]:
    """What a person is told: link, code, and what it means."""
    return [
        f"On this network: {invitation.link(port, path)}",
        *invitation.code(port, path).rstrip("\n").split("\n"),
        "Whoever has the link can see and change what is here, until this ends. The way is not encrypted.",
    ]


def invite() -> Invitation:
    """Make a new key, and find this machine's address on the network.

    Raises
    ------
    EnvironmentMissing
        If this machine is on no network.
    """
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.connect((_NO_HOST, 9))
            address = str(asking.getsockname()[0])
    except OSError as error:
        raise EnvironmentMissing(
            f"This machine is on no network ({error.strerror}). Join one, or leave --lan away."
        ) from error
    return Invitation(address, secrets.token_urlsafe(_KEY_BYTES))


class KeyGuard:
    """Asks everyone who comes over the network for the key; this machine needs none.

    Parameters
    ----------
    app : ASGI application
        What is guarded; it checks hosts and origins itself.
    key : str
        What opens it.
    """

    def __init__(self, app: ASGIApp, key: str) -> None:
        self._app, self._key = app, key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, take the key into a cookie, or refuse."""
        if scope["type"] not in ("http", "websocket") or _is_here(scope) or self._fits(_cookie(scope)):
            await self._app(scope, receive, send)
            return
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = next((value for name, value in query if name == KEY), "")
        answer: ASGIApp
        if scope["type"] == "websocket":
            answer = WebSocketClose(1008, "no key")
        elif self._fits(given) and scope["method"] == "GET":
            # Once in the cookie the key leaves the address line, where it would be seen and shared.
            rest = urlencode([pair for pair in query if pair[0] != KEY])
            place = quote(scope["path"]) + (f"?{rest}" if rest else "")
            answer = RedirectResponse(place, status_code=303)
            answer.set_cookie(COOKIE, self._key, httponly=True, samesite="lax")
            answer.headers["cache-control"] = "no-store"
            answer.headers["referrer-policy"] = "no-referrer"
        else:
            words = "This page needs its key. Open the link that the terminal shows, or scan its code."
            answer = PlainTextResponse(words, status_code=403)
        await answer(scope, receive, send)

    def _fits(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._key.encode())


def _is_here(scope: Scope) -> bool:
    """Whether the request comes from this machine."""
    client = scope.get("client")
    try:
        return client is not None and ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return False


def _cookie(scope: Scope) -> str:
    jar: SimpleCookie = SimpleCookie()
    for name, value in scope["headers"]:
        if name == b"cookie":
            try:
                jar.load(value.decode("latin-1"))
            except CookieError:
                return ""
    return jar[COOKIE].value if COOKIE in jar else ""
