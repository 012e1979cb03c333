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
from latemiles.web.broadcast import LiveBoard, LiveBroadcast, Subscriber
from latemiles.web.guard import HostGuard
from latemiles.web.view_model import LiveView

__all__ = ["create_app"]

_STATIC = Path(__file__).parent / "static"
_LONGEST_LABEL = 80
_LOOK_AROUND_S = 2.0
"""How long a page may go without hearing of the other runs, s."""


def create_app(
    store: Store | None,
    broadcast: LiveBroadcast | LiveBoard,
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
    broadcast : LiveBroadcast or LiveBoard
        The run that goes on, or all of them.
    title : str
        Title of the pages.
    unit : str
        ``mile`` or ``km``, for runs out of the store.
    allowed_hosts : iterable of str
        Host names besides the loopback ones that may be used to reach the page.
    on_mark : callable or None
        Called with a label when somebody marks the moment; None: marks cannot be set here.

    Returns
    -------
    Starlette
        Serves ``/`` (runner), ``/coach``, ``/ws``, ``/api/state``, ``/api/runs``, ``/api/runs/{run}``,
        ``/api/mark`` and ``/health``.
    """
    board = broadcast if isinstance(broadcast, LiveBoard) else LiveBoard(broadcast)
    pages = _Pages(store, board, title, unit, on_mark)
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
        board: LiveBoard,
        title: str,
        unit: str,
        on_mark: Callable[[str], None] | None,
    ) -> None:
        self._store, self._board, self._unit, self._on_mark = store, board, unit, on_mark
        self._html = {
            name: (_STATIC / f"{name}.html").read_text("utf-8").replace("{{title}}", html.escape(title))
            for name in ("runner", "coach")
        }

    async def runner(self, _: Request) -> Response:
        return HTMLResponse(self._html["runner"])

    async def coach(self, _: Request) -> Response:
        return HTMLResponse(self._html["coach"])

    async def health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok", "live": bool(self._board.tabs())})

    async def state(self, request: Request) -> Response:
        found = self._board.find(request.query_params.get("run"))
        state, length = (found.latest, len(found.log)) if found is not None else (None, 0)
        return JSONResponse({"state": state, "log_length": length, "runs": self._board.tabs()})

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
        if self._on_mark is None:
            words = "Marks cannot be set here: set them where the sensors are heard."
            return JSONResponse({"error": words}, status_code=409)
        if not self._board.tabs():
            return JSONResponse({"error": "No run is going on that could be marked."}, status_code=409)
        label = (await request.body())[: 4 * _LONGEST_LABEL].decode("utf-8", "replace").strip()
        self._on_mark(label[:_LONGEST_LABEL])
        return JSONResponse({"marked": label[:_LONGEST_LABEL]})

    async def live(self, websocket: WebSocket) -> None:
        await websocket.accept()
        ended = asyncio.ensure_future(_until_closed(websocket))
        try:
            while (broadcast := self._board.find(websocket.query_params.get("run"))) is None:
                if (await asyncio.wait({ended}, timeout=_LOOK_AROUND_S / 4.0))[0]:
                    return
            with broadcast.join(has_pulse=websocket.query_params.get("pulse") == "1") as subscriber:
                await self._tell(websocket, broadcast, subscriber, ended)
        except WebSocketDisconnect:
            return
        finally:
            ended.cancel()

    async def _tell(
        self,
        websocket: WebSocket,
        broadcast: LiveBroadcast,
        subscriber: Subscriber,
        ended: asyncio.Future[None],
    ) -> None:
        """Tell one page of its run as it goes on, and of how the others are."""
        sent_run: str | None = None
        sent = 0
        told: list[dict[str, Any]] = []
        news = asyncio.ensure_future(subscriber.get())
        try:
            while True:
                waiting: set[asyncio.Future[Any]] = {news, ended}
                await asyncio.wait(waiting, timeout=_LOOK_AROUND_S, return_when=asyncio.FIRST_COMPLETED)
                if ended.done():
                    return
                tabs, log = self._board.tabs(), broadcast.log
                state: dict[str, Any] | None
                if news.done():
                    state, pulse = news.result()
                    news = asyncio.ensure_future(subscriber.get())
                    if pulse is not None:
                        await websocket.send_text(_text({"pulse": pulse}))
                elif tabs != told:
                    state = broadcast.latest
                else:
                    continue
                if state is None:
                    continue
                if state["run"] != sent_run or len(log) < sent:
                    sent_run, sent = state["run"], 0
                message = _message(state, log[sent:], sent)
                message |= {"runs": tabs, "marks": self._on_mark is not None}
                await websocket.send_text(_text(message))
                sent, told = len(log), tabs
        finally:
            news.cancel()


async def _until_closed(websocket: WebSocket) -> None:
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


def _message(state: dict[str, Any], log: Any, first: int) -> dict[str, Any]:
    return {"state": state, "from": first, "log": list(log)}


def _text(message: dict[str, Any]) -> str:
    # NaN is not JSON: a state that holds one is a mistake that should be seen here, not in the browser.
    return json.dumps(message, separators=(",", ":"), allow_nan=False)


def _stored(store: Store, run: str, unit: str) -> str:
    row = store.run(run)
    view = LiveView(row.id, row.athlete, unit=unit)
    view.push(store.history(run))
    view.finish()
    return _text(_message(view.state(), view.log, 0))


def _listed(row: RunRow) -> dict[str, Any]:
    return {
        "run": row.id,
        "athlete": row.athlete,
        "started_utc_ns": row.started_utc_ns,
        "status": row.status,
        "strides": row.strides,
        "notes": row.notes,
    }
