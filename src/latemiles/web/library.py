"""The run library's server: pages and forms, each a plain function from what was asked to what is shown."""

from __future__ import annotations

import asyncio
import html
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from latemiles.errors import LatemilesError
from latemiles.web.guard import HostGuard

__all__ = ["Answer", "Asked", "Handler", "create_library_app"]

_MOST_BYTES = 64 * 1024
"""A form of a few lines; more is not one of ours."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page was asked for."""

    place: Mapping[str, str]
    """Parts of the address."""
    fields: Mapping[str, list[str]]
    """Of the query or of the form."""

    def one(self, name: str) -> str:
        """The last value of a field, without the spaces around it; empty where there is none."""
        return self.fields.get(name, [""])[-1].strip()

    def has(self, name: str) -> bool:
        """Whether the form has such a field, even an empty one."""
        return name in self.fields


@dataclass(frozen=True, slots=True)
class Answer:
    """What is shown: a page, a file, or another page."""

    page: str = ""
    file: Path | None = None
    go_to: str = ""
    status: int = 200


Handler = Callable[[Asked], Answer]


def create_library_app(
    pages: Mapping[str, Handler],
    actions: Mapping[str, Handler],
    *,
    allowed_hosts: Iterable[str] = (),
    problem_page: Callable[[str], str] | None = None,
) -> Starlette:
    """The library as a web application.

    Parameters
    ----------
    pages : mapping of str to Handler
        Address, as Starlette writes it, to what is shown there.
    actions : mapping of str to Handler
        Address to what a form that is sent there does.
    allowed_hosts : iterable of str
        Host names besides the loopback ones.
    problem_page : callable or None
        Turns an error's sentence into a page; None: the sentence alone.

    Returns
    -------
    Starlette
        Serves the addresses and ``/health``.
    """

    def answered(handler: Handler, *, is_form: bool) -> Callable[[Request], object]:
        async def answer(request: Request) -> Response:
            body = await _body(request) if is_form else request.url.query
            if body is None:
                return HTMLResponse("This form is too long.", status_code=413)
            asked = Asked(request.path_params, parse_qs(body, keep_blank_values=True))
            try:
                return _response(await asyncio.to_thread(handler, asked))
            except LatemilesError as error:
                page = problem_page(str(error)) if problem_page is not None else html.escape(str(error))
                return HTMLResponse(page, status_code=404)

        return answer

    routes = [Route("/health", _health)]
    # A path may have a page and an action: one route each, told apart by the method.
    routes += [Route(place, answered(handler, is_form=False)) for place, handler in pages.items()]
    routes += [
        Route(place, answered(handler, is_form=True), methods=["POST"]) for place, handler in actions.items()
    ]
    return Starlette(routes=routes, middleware=[Middleware(HostGuard, allowed_hosts=tuple(allowed_hosts))])


async def _body(request: Request) -> str | None:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MOST_BYTES:
            return None
    return body.decode("utf-8", "replace")


def _response(answer: Answer) -> Response:
    if answer.go_to:
        # 303: the browser asks for the next page with GET, so that going back sends no form again.
        return RedirectResponse(answer.go_to, status_code=303)
    if answer.file is not None:
        return FileResponse(answer.file, media_type="text/html")
    return HTMLResponse(answer.page, status_code=answer.status)


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})
