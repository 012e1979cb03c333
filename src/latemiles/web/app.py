"""The live page's server: pages, state, log and marks. Reads the store and the live broadcast only."""

from __future__ import annotations

import asyncio
import html
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from latemiles.errors import StoreError
from latemiles.store import RunRow, Store
from latemiles.web.broadcast import LiveBroadcast
from latemiles.web.guard import HostGuard
from latemiles.web.view_model import LiveView

__all__ = ["create_app"]

_STATIC = Path(__file__).parent / "static"
_LONGEST_LABEL = 80


def create_app(
    store: Store | None,
    broadcast: LiveBroadcast,
    *,
    title: str = "latemiles",
    unit: str = "mile",
    allowed_hosts: Iterable[str] = (),
    on_mark: Callable[[str], None] | None = None,
) -> Starlette:
    """The web application.

    Parameters
    ----------
    store : Store or None
        Runs that are over; None where there is no store.
    broadcast : LiveBroadcast
        The run that goes on.
    title : str
        Title of the pages.
    unit : str
        ``mile`` or ``km``, for runs out of the store.
    allowed_hosts : iterable of str
        Host names besides the loopback ones that may be used to reach the page.
    on_mark : callable or None
        Called with a label when somebody marks the moment; None: marks are refused.

    Returns
    -------
    Starlette
        Serves ``/`` (runner), ``/coach``, ``/ws``, ``/api/state``, ``/api/runs``, ``/api/runs/{run}``,
        ``/api/mark`` and ``/health``.
    """
    pages = _Pages(store, broadcast, title, unit, on_mark)
    routes = [
        Route("/", pages.runner),
        Route("/coach", pages.coach),
        Route("/health", pages.health),
        Route("/api/state", pages.state),
        Route("/api/runs", pages.runs),
        Route("/api/runs/{run:path}", pages.run),
        Route("/api/mark", pages.mark, methods=["POST"]),
        WebSocketRoute("/ws", pages.live),
        Mount("/static", StaticFiles(directory=_STATIC)),
    ]
    return Starlette(routes=routes, middleware=[Middleware(HostGuard, allowed_hosts=tuple(allowed_hosts))])


class _Pages:
    """The handlers and what they read."""

    def __init__(
        self,
        store: Store | None,
        broadcast: LiveBroadcast,
        title: str,
        unit: str,
        on_mark: Callable[[str], None] | None,
    ) -> None:
        self._store, self._broadcast, self._unit, self._on_mark = store, broadcast, unit, on_mark
        self._html = {
            name: (_STATIC / f"{name}.html").read_text("utf-8").replace("{{title}}", html.escape(title))
            for name in ("runner", "coach")
        }

    async def runner(self, _: Request) -> Response:
        return HTMLResponse(self._html["runner"])

    async def coach(self, _: Request) -> Response:
        return HTMLResponse(self._html["coach"])

    async def health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok", "live": self._broadcast.latest is not None})

    async def state(self, _: Request) -> Response:
        return JSONResponse({"state": self._broadcast.latest, "log_length": len(self._broadcast.log)})

    async def runs(self, _: Request) -> Response:
        rows = await asyncio.to_thread(self._store.runs) if self._store else []
        return JSONResponse([_listed(row) for row in rows])

    async def run(self, request: Request) -> Response:
        if self._store is None:
            return JSONResponse({"error": "There is no store."}, status_code=404)
        try:
            message = await asyncio.to_thread(_stored, self._store, request.path_params["run"], self._unit)
        except StoreError as error:
            return JSONResponse({"error": str(error)}, status_code=404)
        return Response(message, media_type="application/json")

    async def mark(self, request: Request) -> Response:
        if self._on_mark is None or self._broadcast.latest is None:
            return JSONResponse({"error": "No run is going on that could be marked."}, status_code=409)
        label = (await request.body())[: 4 * _LONGEST_LABEL].decode("utf-8", "replace").strip()
        self._on_mark(label[:_LONGEST_LABEL])
        return JSONResponse({"marked": label[:_LONGEST_LABEL]})

    async def live(self, websocket: WebSocket) -> None:
        await websocket.accept()
        with self._broadcast.join() as subscriber:
            ended = asyncio.ensure_future(_until_closed(websocket))
            sent_run: str | None = None
            sent = 0
            try:
                while True:
                    news = asyncio.ensure_future(subscriber.get())
                    await asyncio.wait({news, ended}, return_when=asyncio.FIRST_COMPLETED)
                    if not news.done():
                        news.cancel()
                        return
                    state, log = news.result(), self._broadcast.log
                    if state["run"] != sent_run or len(log) < sent:
                        sent_run, sent = state["run"], 0
                    await websocket.send_text(_message(state, log[sent:], sent))
                    sent = len(log)
            except WebSocketDisconnect:
                return
            finally:
                ended.cancel()


async def _until_closed(websocket: WebSocket) -> None:
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


def _message(state: dict[str, Any], log: Any, first: int) -> str:
    # NaN is not JSON: a state that holds one is a mistake that should be seen here, not in the browser.
    message = {"state": state, "from": first, "log": list(log)}
    return json.dumps(message, separators=(",", ":"), allow_nan=False)


def _stored(store: Store, run: str, unit: str) -> str:
    row = store.run(run)
    view = LiveView(row.id, row.athlete, unit=unit)
    view.push(store.history(run))
    view.finish()
    return _message(view.state(), view.log, 0)


def _listed(row: RunRow) -> dict[str, Any]:
    return {
        "run": row.id,
        "athlete": row.athlete,
        "started_utc_ns": row.started_utc_ns,
        "status": row.status,
        "strides": row.strides,
        "notes": row.notes,
    }
