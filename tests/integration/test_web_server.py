"""The live page's server: what it answers, to whom, and how it comes and goes."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import asynccontextmanager

import httpx
import pytest
import websockets

from latemiles.errors import EnvironmentMissing
from latemiles.signals.events import LiveState, Stride
from latemiles.signals.records import RunHeader
from latemiles.store import Store
from latemiles.web import LiveBroadcast, LivePage, LiveView, create_app, serve
from latemiles.web.broadcast import Subscriber
from reference.made_up_run import MadeUpRun, made_up_events
from reference.page_server import serving

SHORT = MadeUpRun(minutes=4.0)


@asynccontextmanager
async def client(app, host="127.0.0.1"):
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as opened:
        yield opened


async def received(socket_):
    return json.loads(await asyncio.wait_for(socket_.recv(), 5))


async def test_pages_state_and_health_answer_without_a_run():
    async with client(create_app(None, LiveBroadcast(), title="a <b>")) as web:
        for path in ("/", "/coach"):
            page = await web.get(path)
            assert page.status_code == 200
            assert "a &#x27;" not in page.text
            assert "<title>a &lt;b&gt;" in page.text
        assert (await web.get("/health")).json() == {"status": "ok", "live": False}
        assert (await web.get("/api/state")).json() == {"state": None, "log_length": 0, "runs": []}
        assert (await web.get("/api/runs")).json() == []
        assert (await web.get("/api/runs/x")).status_code == 404
        for name in ("runner.js", "coach.js", "chart.js", "figure.js", "live.js", "tokens.css", "icon.svg"):
            assert (await web.get(f"/static/{name}")).status_code == 200


async def test_pages_ask_nobody_else_for_anything():
    async with client(create_app(None, LiveBroadcast())) as web:
        for path in ("/", "/coach"):
            page = await web.get(path)
            assert "http://" not in page.text
            assert "https://" not in page.text
            assert page.headers["content-security-policy"].startswith("default-src 'self'")


async def test_stored_runs_are_listed_and_shown(tmp_path):
    with Store(tmp_path / "s.sqlite") as store:
        run = store.begin_run(RunHeader("maya/morning", athlete="maya", started_utc_ns=5))
        store.commit(run, list(made_up_events(SHORT)))
        async with client(create_app(store, LiveBroadcast(), unit="km")) as web:
            (listed,) = (await web.get("/api/runs")).json()
            assert (listed["run"], listed["athlete"], listed["status"]) == (run, "maya", "running")
            shown = (await web.get(f"/api/runs/{run}")).json()
            missing = await web.get("/api/runs/none")
    assert shown["state"]["clock"]["unit"] == "km"
    assert shown["state"]["ended"]
    assert any(e["k"] == "point" for e in shown["log"])
    assert missing.status_code == 404
    assert "No run 'none'" in missing.json()["error"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("127.0.0.1:8765", 200),
        ("[::1]:8765", 200),
        ("LOCALHOST", 200),
        ("runner.lan", 200),
        ("evil.example", 403),
        ("localhost.evil.example", 403),
        ("[::1", 403),
    ],
)
async def test_only_known_names_are_answered(host, status):
    app = create_app(None, LiveBroadcast(), allowed_hosts=["runner.lan"])
    async with client(app) as web:
        assert (await web.get("/health", headers={"host": host})).status_code == status


async def test_marks_are_taken_from_our_own_page_alone():
    marks = []
    broadcast = LiveBroadcast()
    async with client(create_app(None, broadcast, on_mark=marks.append)) as web:
        assert (await web.post("/api/mark", content="early")).status_code == 409
        LivePage(LiveView("r"), broadcast)
        foreign = {"origin": "http://evil.example"}
        assert (await web.post("/api/mark", content="x", headers=foreign)).status_code == 403
        own = {"origin": "http://127.0.0.1"}
        assert (await web.post("/api/mark", content="gel " + 200 * "ü", headers=own)).status_code == 200
        assert (await web.get("/api/mark")).status_code == 405
    assert len(marks) == 1
    assert marks[0].startswith("gel ü")
    assert len(marks[0]) == 80


async def test_a_page_gets_the_whole_log_first_and_then_what_is_added():
    broadcast = LiveBroadcast()
    page = LivePage(LiveView("r", "Maya"), broadcast)
    events = list(made_up_events(SHORT))
    async with serving(create_app(None, broadcast)) as port:
        page.take(events[: len(events) // 2])
        async with websockets.connect(f"ws://127.0.0.1:{port}/ws") as ws:
            first = await received(ws)
            assert first["from"] == 0
            assert first["log"] == page.view.log
            page.take(events[len(events) // 2 :])
            second = await received(ws)
            assert second["from"] == len(first["log"])
            assert first["log"] + second["log"] == page.view.log
            assert second["state"] == page.view.state()
            page.broadcast.offer(LiveView("another").state(), [])
            third = await received(ws)
            assert (third["state"]["run"], third["from"], third["log"]) == ("another", 0, [])


async def test_a_page_that_lost_states_misses_nothing_of_the_log():
    broadcast = LiveBroadcast()
    page = LivePage(LiveView("r"), broadcast)
    async with (
        serving(create_app(None, broadcast)) as port,
        websockets.connect(f"ws://127.0.0.1:{port}/ws") as ws,
    ):
        log = (await received(ws))["log"]
        # Without a pause for the server's task: it sees the last two of some hundred looks.
        for event in made_up_events(SHORT):
            page.take([event])
        messages = 0
        while len(log) < len(page.view.log):
            message = await received(ws)
            assert message["from"] == len(log)
            log += message["log"]
            messages += 1
    assert log == page.view.log
    assert messages <= 3


async def test_a_foreign_page_cannot_open_the_websocket():
    async with serving(create_app(None, LiveBroadcast())) as port:
        with pytest.raises(websockets.InvalidStatus):
            async with websockets.connect(f"ws://127.0.0.1:{port}/ws", origin="http://evil.example"):
                pass


async def test_pages_that_leave_are_forgotten():
    broadcast = LiveBroadcast()
    LivePage(LiveView("r"), broadcast)
    async with serving(create_app(None, broadcast)) as port:
        async with websockets.connect(f"ws://127.0.0.1:{port}/ws") as ws:
            await received(ws)
            assert broadcast.listeners == 1
        for _ in range(100_000):
            if not broadcast.listeners:
                break
            await asyncio.sleep(0)
    assert broadcast.listeners == 0


async def test_a_slow_page_keeps_the_two_newest_states():
    subscriber = Subscriber()
    for k in range(5):
        subscriber.put({"k": k})
    assert [await subscriber.get() for _ in range(2)] == [({"k": 3}, None), ({"k": 4}, None)]
    assert subscriber.dropped == 3


async def test_who_asks_for_pulses_gets_postures_and_strides_between_the_looks():
    broadcast = LiveBroadcast()
    page = LivePage(LiveView("r"), broadcast)
    nan = float("nan")
    stride = next(e for e in made_up_events(SHORT) if isinstance(e, Stride))
    async with (
        serving(create_app(None, broadcast)) as port,
        websockets.connect(f"ws://127.0.0.1:{port}/ws?pulse=1", open_timeout=60.0) as asked,
        websockets.connect(f"ws://127.0.0.1:{port}/ws", open_timeout=60.0) as other,
    ):
        for ws in (asked, other):
            await received(ws)
        page.take([LiveState(0.0, (0.1, 0.0, nan), (nan,) * 3, (0.0,) * 3)])
        await received(asked)
        page.take([stride, LiveState(0.1, (0.1, 0.0, nan), (nan,) * 3, (0.0,) * 3)])
        page.take([LiveState(0.2, (0.2, 0.0, nan), (nan,) * 3, (0.0,) * 3)])
        heard = [await received(asked)]
        while "pulse" not in heard[-1]:
            heard.append(await received(asked))
        pulse = heard[-1]["pulse"]
        # One message for both: the newest posture wins, no stride is left out.
        assert pulse["posture"]["t"] == 0.2
        assert pulse["posture"]["pelvis_deg"] == [11.46, 0.0, None]
        assert pulse["posture"]["hip_left_deg"] == [None] * 3
        (row,) = pulse["strides"]
        assert row["side"] == stride.side
        assert row["t_ic_s"] == pytest.approx(stride.t_s, abs=1e-3)
        page.finish()
        assert "state" in await received(other)


async def test_the_server_ends_with_open_pages_and_gives_its_port_back():
    broadcast = LiveBroadcast()
    LivePage(LiveView("r"), broadcast)
    app = create_app(None, broadcast)
    async with serving(app) as port:
        ws = await websockets.connect(f"ws://127.0.0.1:{port}/ws")
        await received(ws)
    with pytest.raises(websockets.ConnectionClosed):
        await received(ws)
    async with serving(app, port) as again:
        assert again == port


async def test_a_taken_port_is_told_with_advice():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(EnvironmentMissing, match="--port"):
            await serve(create_app(None, LiveBroadcast()), port=taken.getsockname()[1])
