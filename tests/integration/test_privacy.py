"""Who may see the pages, and that everything of an athlete can be taken along or deleted."""

from __future__ import annotations

import json
import zipfile
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from latemiles.cli.main import main
from latemiles.recording.writer import RecordingWriter
from latemiles.session.gateway_run import spool_folder
from latemiles.session.home import Home
from latemiles.session.spool import Spool
from latemiles.session.standing import folder as standing_folder
from latemiles.signals.events import Marked
from latemiles.signals.records import RunHeader
from latemiles.store import Library, StandingRow, Store
from latemiles.web import LiveBroadcast, create_app
from latemiles.web.lan import Invitation, KeyGuard, told
from latemiles.web.library import Answer, create_library_app
from reference.made_up_library import make_library

PHONE, KEY = "192.168.1.23", "a-key-that-nobody-guesses"
HOST = "192.168.1.7:8766"


def library_app():
    changed = []
    app = create_library_app(
        {"/": lambda asked: Answer(page=f"<p>runs {asked.one('search')}")},
        {"/change": lambda asked: changed.append(asked.one("x")) or Answer(go_to="/")},
        allowed_hosts=("192.168.1.7",),
    )
    return KeyGuard(app, KEY), changed


@asynccontextmanager
async def client(app, address, host=HOST):
    transport = httpx.ASGITransport(app, client=(address, 5))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as opened:
        yield opened


async def test_over_the_network_nothing_is_shown_or_changed_without_the_key():
    app, changed = library_app()
    async with client(app, PHONE) as phone:
        for path in ("/", "/?key=", "/?key=wrong", "/health"):
            assert (await phone.get(path)).status_code == 403
        assert (await phone.post("/change", data={"x": "1"})).status_code == 403
        assert (await phone.post(f"/change?key={KEY}", data={"x": "1"})).status_code == 403
        phone.cookies.set("latemiles_key", "wrong")
        assert (await phone.get("/")).status_code == 403
    assert changed == []


async def test_the_key_goes_from_the_link_into_a_cookie_and_then_opens_everything():
    app, changed = library_app()
    async with client(app, PHONE) as phone:
        first = await phone.get(f"/?search=tired&key={KEY}")
        assert first.status_code == 303
        assert first.headers["location"] == "/?search=tired"
        cookie = first.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert "runs tired" in (await phone.get(first.headers["location"])).text
        own = {"origin": f"http://{HOST}"}
        assert (await phone.post("/change", data={"x": "1"}, headers=own)).status_code == 303
        foreign = {"origin": "http://evil.example"}
        assert (await phone.post("/change", data={"x": "2"}, headers=foreign)).status_code == 403
        sandboxed = {"origin": "null"}
        assert (await phone.post("/change", data={"x": "3"}, headers=sandboxed)).status_code == 403
    assert changed == ["1"]


async def test_this_machine_needs_no_key_and_foreign_names_are_refused_even_with_it():
    app, _ = library_app()
    async with client(app, "127.0.0.1", "127.0.0.1:8766") as here:
        assert (await here.get("/")).status_code == 200
    async with client(app, PHONE, "rebound.example:8766") as phone:
        phone.cookies.set("latemiles_key", KEY)
        assert (await phone.get("/")).status_code == 403


async def knock(app, cookie):
    """What a websocket hears first."""
    heard = []
    asked = iter([{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000}])

    async def receive():
        return next(asked)

    async def send(message):
        heard.append(message)

    headers = [(b"host", HOST.encode()), (b"cookie", f"latemiles_key={cookie}".encode())]
    scope = {
        "type": "websocket",
        "path": "/ws",
        "query_string": b"",
        "headers": headers,
        "client": (PHONE, 5),
        "server": ("192.168.1.7", 8766),
        "scheme": "ws",
        "subprotocols": [],
    }
    await app(scope, receive, send)
    return heard[0]


async def test_the_live_pages_socket_needs_the_key_too():
    app = KeyGuard(create_app(None, LiveBroadcast(), allowed_hosts=("192.168.1.7",)), KEY)
    assert await knock(app, "wrong") == {"type": "websocket.close", "code": 1008, "reason": "no key"}
    assert (await knock(app, KEY))["type"] == "websocket.accept"


def test_the_invitation_is_a_link_and_a_code_that_says_what_it_opens():
    lines = told(Invitation("192.168.1.7", KEY), 8766)
    assert lines[0] == f"On this network: http://192.168.1.7:8766/?key={KEY}"
    assert "not encrypted" in lines[-1]
    code = lines[1:-1]
    assert len(code) > 12
    assert len({len(line.replace("\x1b[0m", "")) for line in code}) <= 2


@pytest.fixture
def home(tmp_path):
    """Maya's and Jonas's things side by side, with every kind of file there is."""
    made = Home(tmp_path / "home")
    make_library(made, runs=2)
    make_library_of_jonas(made)
    with Store(made.store) as store:
        for entry in store.runs("Maya"):
            writer = RecordingWriter(Path(entry.recording), RunHeader(entry.id, "Maya"))
            writer.close()
        store.commit(store.runs("Maya")[0].id, [Marked(3.0, "a secret thought")])
        path = standing_folder(made) / "s.mcap"
        path.write_bytes(b"raw")
        Library(store).keep_standing(
            StandingRow("s", "Maya", 5, str(path), "private", {"obliquity_deg": 1.0})
        )
    RecordingWriter(made.recordings / "alone.mcap", RunHeader("alone", "Maya")).close()
    (made.recordings / f"{store.path.stem}.txt").write_text("not a recording")
    spool_folder(made).mkdir()
    Spool(spool_folder(made) / "maya.spool", RunHeader("w", "Maya")).close()
    Spool(spool_folder(made) / "jonas.spool", RunHeader("w", "Jonas")).close()
    lines = tmp_path / "lines"
    for name in ("Maya", "Jonas"):
        (lines / name).mkdir(parents=True)
        (lines / name / "r.jsonl").write_text("{}\n")
    made.settings.write_text(f'[jsonl]\nfolder = "{lines}"\n[influx]\nurl = "http://db.example:8086"\n')
    return made


def make_library_of_jonas(home):
    with Store(home.store) as store:
        path = home.recordings / "jonas-1.mcap"
        RecordingWriter(path, RunHeader("jonas-1", "Jonas")).close()
        store.begin_run(RunHeader("jonas-1", "Jonas", started_utc_ns=5), path)
        store.end_run("jonas-1")
        Library(store).add_session("Jonas", "2026-10-01", "squats")


def command(home, *arguments, status=0):
    assert main(["--home", str(home.root), *map(str, arguments)]) == status


def test_one_command_gives_everything_of_an_athlete_and_nothing_of_another(home, tmp_path, capsys):
    target = tmp_path / "maya.zip"
    command(home, "athlete", "export", "Maya", "--out", target)
    with zipfile.ZipFile(target) as archive:
        names = set(archive.namelist())
        everything = b"".join(archive.read(name) for name in names)
        row = json.loads(archive.read("rows/20260824-064000.json"))
    assert {"recordings/alone.mcap", "standing/s.mcap", "waiting/maya.spool", "lines/r.jsonl"} <= names
    assert sum(name.startswith("recordings/2026") for name in names) == 2
    assert sum(name.endswith("report.html") for name in names) == 2
    assert row["figures"]["verdict"]
    assert b"a secret thought" in everything
    assert b"private" in everything
    assert b"jonas" not in everything.lower()
    command(home, "athlete", "export", "Maya", "--out", target, status=1)
    assert "there already" in capsys.readouterr().err


def test_one_command_deletes_everything_of_an_athlete_and_nothing_of_another(home, tmp_path, capsys):
    command(home, "athlete", "delete", "Maya", "--yes")
    said = capsys.readouterr().out
    assert "http://db.example:8086: what was sent there stays there" in said
    left = [p for p in [*home.root.rglob("*"), *(tmp_path / "lines").rglob("*")] if p.is_file()]
    names = sorted(p.name for p in left if p.name not in ("settings.toml",) and "store.sqlite" not in p.name)
    assert names == ["jonas-1.mcap", "jonas.spool", "r.jsonl", "store.txt"]
    bytes_left = b"".join(p.read_bytes() for p in left if p.name != "settings.toml")
    for secret in (b"a secret thought", b"private", b"Maya", b"side plank"):
        assert secret not in bytes_left
    with Store(home.store) as store:
        assert Library(store).athletes() == ["Jonas"]
    command(home, "athlete", "delete", "Maya", "--yes", status=1)
    assert "Jonas" in capsys.readouterr().err


def test_deleting_an_athlete_asks_first(home):
    command(home, "athlete", "delete", "Maya", status=1)
    with Store(home.store) as store:
        assert len(store.runs("Maya")) == 2


def test_the_list_of_athletes_counts_their_runs(home, capsys):
    command(home, "athlete")
    assert capsys.readouterr().out.splitlines() == ["Jonas: 1 run", "Maya: 2 runs"]
