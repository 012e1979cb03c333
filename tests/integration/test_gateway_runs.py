"""Gateways: raw records over a real broker into another machine's recording, exactly once, whatever dies."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from latemiles.errors import PacketError, StoreError
from latemiles.recording.format import encode
from latemiles.recording.reader import Recording
from latemiles.session.gateway import SILENCE_S, SpoolSender, fill
from latemiles.session.gateway_frames import Answer, pack, raw_topic, unpack
from latemiles.session.gateway_run import NewRun, run_gateway, spool_folder
from latemiles.session.home import Home
from latemiles.session.remote_run import resumed
from latemiles.session.remote_runs import RemoteRuns
from latemiles.session.spool import Spool, waiting_spools
from latemiles.signals.events import Stride
from latemiles.signals.records import Record, RunHeader
from latemiles.sinks.follower import Backoff
from latemiles.sinks.mqtt import MqttSettings
from latemiles.store import RunRow, Store
from latemiles.web import LiveBoard
from reference.servers import Server, mosquitto, running
from reference.sink_rows import until

ROOT = Path(__file__).resolve().parents[2]
HANG_S = 240
"""Longer than a busy machine needs to compile the kernels too: an end that is never reached, s."""
RECORDING = ROOT / "recordings" / "no_standing.mcap"


@pytest.fixture(scope="module")
def records() -> list[Record]:
    with Recording.open(RECORDING) as recording:
        return list(recording.records())


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Server]:
    with running(mosquitto(tmp_path / "mqtt")) as made:
        yield made


def settings(broker: Server, name: str = "") -> MqttSettings:
    return MqttSettings("127.0.0.1", broker.port, client_id=name, timeout_s=2.0)


def of(records: Sequence[Record], athlete: str, run: str = "run-1") -> list[Record]:
    """The same run of somebody else."""
    head = records[0]
    assert isinstance(head, RunHeader)
    return [replace(head, athlete=athlete, run=run), *records[1:]]


async def source(records: Sequence[Record], every: int = 40, pause_s: float = 0.0) -> AsyncIterator[Record]:
    """The records, faster than they were heard."""
    for number, record in enumerate(records):
        if number % every == 0:
            await asyncio.sleep(pause_s)
        yield record


def sender(spool: Spool, broker: Server, said: list[str] | None = None) -> SpoolSender:
    words = [] if said is None else said
    return SpoolSender(spool, settings(broker), words.append, Backoff(0.05, 0.2), silence_s=0.4)


@contextlib.asynccontextmanager
async def serving(
    home: Path, broker: Server, said: list[str] | None = None, board: LiveBoard | None = None
) -> AsyncIterator[RemoteRuns]:
    """A server for the time of a block."""
    words = [] if said is None else said
    with Store(Home(home).store) as store:
        runs = RemoteRuns(
            Home(home),
            store,
            settings(broker),
            words.append,
            confirm_s=0.1,
            backoff=Backoff(0.05, 0.2),
            board=board,
        )
        task = asyncio.create_task(runs.serve())
        try:
            yield runs
        finally:
            task.cancel()
            await asyncio.wait({task})


def recorded(home: Path, athlete: str, run: str = "run-1") -> list[tuple[int, int, bytes]]:
    """What the server has written down of a run."""
    (path,) = Home(home).recordings.glob(f"{athlete}.{run}.*.mcap")
    with Recording.open(path) as recording:
        return as_bytes(recording.records())


def as_bytes(records: Iterable[Record]) -> list[tuple[int, int, bytes]]:
    """Records as they are written down: a number that is missing is equal to itself."""
    return [encode(record) for record in records]


def test_frames_come_back_as_they_were_and_damage_is_noticed(records: list[Record]):
    payload = pack(7, records[5:60])
    frame = unpack(payload)
    assert frame.first == 7
    assert as_bytes(frame.records) == as_bytes(records[5:60])
    assert not frame.is_last
    assert unpack(pack(9, [], is_last=True)).is_last
    for place in range(0, len(payload), 97):
        broken = payload[:place] + bytes([payload[place] ^ 1]) + payload[place + 1 :]
        if place in (4, 5, 6, 7, 8):
            continue  # number and flag: the order of the frames notices those
        with pytest.raises(PacketError):
            unpack(broken)
    with pytest.raises(PacketError):
        unpack(payload[:100])
    answer = Answer(12, resend=True)
    assert Answer.from_bytes(answer.to_bytes()) == answer
    with pytest.raises(PacketError):
        Answer.from_bytes(b"[]")


def test_spools_that_hold_no_run_are_passed_over(records: list[Record], tmp_path: Path):
    for name in ("a-empty", "b-damaged", "c-good"):
        spool = Spool(tmp_path / f"{name}.spool", None if "empty" in name else of(records, "anna")[0])
        if "damaged" in name:
            spool._db.execute("UPDATE frames SET payload = substr(payload, 1, 40)")
        spool.close()
    (tmp_path / "d-torn.spool").write_bytes(b"SQLite format 3\0 and nothing else")
    (found,) = waiting_spools(tmp_path)
    assert found.path.stem == "c-good"
    found.close()
    assert not (tmp_path / "a-empty.spool").exists()
    assert (tmp_path / "b-damaged.spool").exists()


async def test_a_disk_that_is_full_for_a_while_costs_no_record(
    broker: Server, records, tmp_path: Path, monkeypatch
):
    monkeypatch.setattr("latemiles.session.gateway.FULL_S", 0.0)
    mine, said = of(records[:1200], "anna"), []
    spool = Spool(tmp_path / "a.spool", mine[0])
    full, endless = 24, 1 << 30

    async def run() -> AsyncIterator[Record]:
        for number, record in enumerate(mine):
            if number == 900:
                assert spool.length < 890
                spool._db.execute(f"PRAGMA max_page_count = {endless}")
            yield record

    spool._db.execute(f"PRAGMA max_page_count = {full}")
    await fill(spool, run(), lambda: None, said.append)
    assert spool.length == len(mine)
    assert ["disk is full" in line for line in said] == [True]
    one = sender(spool, broker)
    async with asyncio.timeout(HANG_S), serving(tmp_path / "home", broker):
        await one.run()
    spool.close()
    assert recorded(tmp_path / "home", "anna") == as_bytes(mine)


async def test_a_disk_that_stays_full_ends_the_run_with_what_it_holds(records, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("latemiles.session.gateway.HELD_RECORDS", 300)
    mine = of(records[:1200], "anna")
    spool = Spool(tmp_path / "a.spool", mine[0])
    spool._db.execute("PRAGMA max_page_count = 24")
    with pytest.raises(StoreError, match="disk is full"):
        await fill(spool, source(mine), lambda: None)
    kept = spool.length
    assert 40 < kept < 1200
    spool._db.execute("PRAGMA max_page_count = 1000000")
    spool.close()
    (found,) = waiting_spools(tmp_path)
    assert (found.length, found.is_ended) == (kept, True)
    found.close()


def test_a_spool_in_use_is_not_taken_for_one_that_was_left(
    records: list[Record], tmp_path: Path, monkeypatch
):
    monkeypatch.setattr("latemiles.store.connection.BUSY_TIMEOUT_S", 0.05)
    mine = of(records, "anna")
    spool = Spool(tmp_path / "a.spool", mine[0])
    assert waiting_spools(tmp_path) == []
    spool.close()
    (left,) = waiting_spools(tmp_path)
    assert left.is_ended
    left.close()


@pytest.mark.timeout(HANG_S + 40)
async def test_a_run_arrives_exactly_once_and_the_spool_is_done(broker: Server, records, tmp_path: Path):
    mine = of(records, "anna")
    spool = Spool(tmp_path / "a.spool", mine[0])
    one = sender(spool, broker)
    async with asyncio.timeout(HANG_S), serving(tmp_path / "home", broker), asyncio.TaskGroup() as group:
        group.create_task(one.run())
        await fill(spool, source(mine), one.wake)
    assert one.is_over
    spool.remove()
    assert not list(tmp_path.glob("a.spool*"))
    assert recorded(tmp_path / "home", "anna") == as_bytes(mine)
    with Store(tmp_path / "home" / "store.sqlite") as store:
        (run,) = store.runs()
        assert (run.status, run.athlete) == ("ended", "anna")
        assert len(store.events(run.id, Stride)) > 100


@pytest.mark.timeout(HANG_S + 40)
async def test_two_athletes_may_name_their_runs_alike(broker: Server, records, tmp_path: Path):
    runs = {name: of(records[:400], name) for name in ("anna", "ben")}
    board = LiveBoard()
    served = serving(tmp_path / "home", broker, board=board)
    async with asyncio.timeout(HANG_S), served, asyncio.TaskGroup() as group:
        for name, mine in runs.items():
            spool = Spool(tmp_path / f"{name}.spool", mine[0])
            one = sender(spool, broker)
            # The usual wait: a server that is compiling its kernels is not silent, only slow.
            one.silence_s = SILENCE_S
            group.create_task(one.run())
            group.create_task(fill(spool, source(mine), one.wake))
    for name, mine in runs.items():
        assert recorded(tmp_path / "home", name) == as_bytes(mine)
    with Store(tmp_path / "home" / "store.sqlite") as store:
        assert sorted(run.athlete for run in store.runs()) == ["anna", "ben"]
        assert sorted(tab["run"] for tab in board.tabs()) == sorted(run.id for run in store.runs())
    assert sorted((tab["athlete"], tab["ended"]) for tab in board.tabs()) == [("anna", True), ("ben", True)]


def test_runs_named_alike_that_begin_at_one_moment_are_kept_apart(records, tmp_path: Path):
    meeting = threading.Barrier(2)

    class Meeting(Store):
        """Nobody gets an answer on what is there before everybody has asked."""

        def runs(self, athlete: str | None = None) -> list[RunRow]:
            found = super().runs(athlete)
            meeting.wait(timeout=10.0)
            return found

    heads = [of(records[:1], name)[0] for name in ("anna", "ben")]
    with Meeting(tmp_path / "store.sqlite") as store, ThreadPoolExecutor(2) as pool:
        topics = [raw_topic(head) for head in heads]
        for run in pool.map(partial(resumed, Home(tmp_path), store), topics, heads):
            assert run is not None
            run.leave()
    with Store(tmp_path / "store.sqlite") as store:
        assert sorted(run.athlete for run in store.runs()) == ["anna", "ben"]


@pytest.mark.timeout(HANG_S + 40)
async def test_two_gateways_may_send_runs_of_one_athlete_and_one_name(
    broker: Server, records, tmp_path: Path
):
    # A small computer whose clock begins anew each day, or one pseudonym given out twice.
    mine = of(records[:400], "anna")
    other = [replace(mine[0], started_utc_ns=7, extra={"gateway": "b"}), *mine[1:200]]
    home = tmp_path / "home"
    async with asyncio.timeout(HANG_S), serving(home, broker), asyncio.TaskGroup() as group:
        for name, run in (("a", mine), ("b", other)):
            spool = Spool(tmp_path / f"{name}.spool", run[0])
            one = sender(spool, broker)
            one.silence_s = SILENCE_S
            group.create_task(one.run())
            group.create_task(fill(spool, source(run), one.wake))
    kept = [as_bytes(Recording.open(path).records()) for path in Home(home).recordings.glob("*.mcap")]
    assert sorted(kept, key=len) == [as_bytes(other), as_bytes(mine)]
    with Store(home / "store.sqlite") as store:
        assert {run.id for run in store.runs()} == {"run-1", "anna.run-1"}


def test_a_run_named_like_one_that_still_waits_gets_a_spool_of_its_own(
    broker: Server, records, tmp_path: Path
):
    mine, said = of(records[:120], "anna"), []
    home, server = Home(tmp_path / "gym"), tmp_path / "server"
    for length in (60, 120):
        new = NewRun(mine[0], source(mine[:length]))
        left = run_gateway(home, settings(broker), new, said.append, grace_s=0.2)
    assert left == 2

    async def send_what_waits() -> None:
        spools = waiting_spools(spool_folder(home))
        async with asyncio.timeout(60), serving(server, broker), asyncio.TaskGroup() as group:
            for spool in spools:
                group.create_task(sender(spool, broker).run())
        for spool in spools:
            spool.remove()

    asyncio.run(send_what_waits())
    kept = [as_bytes(Recording.open(path).records()) for path in Home(server).recordings.glob("*.mcap")]
    assert sorted((run[1:] for run in kept), key=len) == [as_bytes(mine[1:60]), as_bytes(mine[1:120])]


async def test_two_servers_on_one_broker_are_told_of_each_other(broker: Server, tmp_path: Path):
    said: list[list[str]] = [[], []]
    async with (
        asyncio.timeout(60),
        serving(tmp_path / "one", broker, said[0]),
        serving(tmp_path / "two", broker, said[1]),
    ):
        await until(lambda: all(any("another" in line for line in lines) for lines in said), 30.0)


async def test_a_gateway_without_a_server_says_so_once_and_asks_ever_more_rarely(
    broker: Server, records, tmp_path: Path
):
    mine, said = of(records[:400], "anna"), []
    spool = Spool(tmp_path / "a.spool", mine[0])
    one = sender(spool, broker, said)
    one.silence_s = 0.1
    await fill(spool, source(mine), one.wake)
    began = time.monotonic()
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(one.run())
        await until(lambda: one.resent == 4, 30.0)
        took_s = time.monotonic() - began
        async with serving(tmp_path / "home", broker):
            await until(lambda: one.is_over, 30.0)
    # 0.1, 0.2, 0.4 and 0.8 s; a busy machine only makes it longer.
    assert took_s > 1.4
    assert ["confirms" in line for line in said] == [True, False], said
    assert recorded(tmp_path / "home", "anna") == as_bytes(mine)


@pytest.mark.timeout(HANG_S + 40)
async def test_a_run_whose_store_was_locked_is_gone_on_with(
    broker: Server, records, tmp_path: Path, monkeypatch
):
    monkeypatch.setattr("latemiles.store.connection.BUSY_TIMEOUT_S", 0.05)
    mine, said = of(records[:2000], "anna"), []
    spool = Spool(tmp_path / "a.spool", mine[0])
    one = sender(spool, broker)
    async with asyncio.timeout(HANG_S), serving(tmp_path / "home", broker, said) as server:
        other = sqlite3.connect(tmp_path / "home" / "store.sqlite", isolation_level=None)
        async with asyncio.TaskGroup() as group:
            group.create_task(one.run())
            group.create_task(fill(spool, source(mine, 40, 0.02), one.wake))
            await until(lambda: server.runs and server.runs[0].next > 100, 30.0)
            other.execute("BEGIN IMMEDIATE")
            await until(lambda: any("another program" in line for line in said), 30.0)
            other.execute("ROLLBACK")
        other.close()
    assert recorded(tmp_path / "home", "anna") == as_bytes(mine)
    assert sum("another program" in line for line in said) == 1
    with Store(tmp_path / "home" / "store.sqlite") as store:
        (run,) = store.runs()
        assert run.status == "ended"
        indexes = [(stride.side, stride.index) for stride in store.events(run.id, Stride)]
    assert len(set(indexes)) == len(indexes) > 50


@pytest.mark.timeout(HANG_S + 40)
async def test_a_broker_that_dies_three_times_leaves_no_gap(broker: Server, records, tmp_path: Path):
    mine, said = of(records, "anna"), []
    spool = Spool(tmp_path / "a.spool", mine[0])
    one = sender(spool, broker, said)
    async with asyncio.timeout(HANG_S), serving(tmp_path / "home", broker) as server:
        async with asyncio.TaskGroup() as group:
            group.create_task(one.run())
            group.create_task(fill(spool, source(mine, 40, 0.05), one.wake))
            for _ in range(3):
                before = server.runs[0].next if server.runs else 0
                await until(lambda before=before: server.runs and server.runs[0].next > before + 100, 20.0)
                broker.kill()
                await asyncio.sleep(0.3)
                await asyncio.to_thread(broker.start)
        print(f"{len(mine)} records, broker killed three times, {one.resent} stretches sent again")
    assert recorded(tmp_path / "home", "anna") == as_bytes(mine)
    assert len(said) == 6, said
    spool.close()


@pytest.mark.slow
async def test_killed_servers_and_gateways_go_on_where_they_were(broker: Server, records, tmp_path: Path):
    mine = of(records, "anna")
    home = tmp_path / "home"
    code = (
        "import asyncio, sys; from pathlib import Path\n"
        "from latemiles.compiled import use_fresh_cache; use_fresh_cache(Path(sys.argv[3]))\n"
        "from latemiles.session.home import Home; from latemiles.session.remote_runs import RemoteRuns\n"
        "from latemiles.sinks.follower import Backoff\n"
        "from latemiles.sinks.mqtt import MqttSettings; from latemiles.store import Store\n"
        "home = Home(Path(sys.argv[1]))\n"
        "runs = RemoteRuns(home, Store(home.store), MqttSettings('127.0.0.1', int(sys.argv[2])), print,\n"
        "                  confirm_s=0.1, backoff=Backoff(0.05, 0.2))\n"
        "asyncio.run(runs.serve())\n"
    )
    command = [sys.executable, "-c", code, str(home), str(broker.port), str(ROOT / ".venv" / "numba")]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        spool = Spool(tmp_path / "a.spool", mine[0])
        one = sender(spool, broker)
        # The gateway hears half of the run and dies without an end.
        half = len(mine) // 2
        for start in range(1, half, 30):
            spool.add(mine[start : min(half, start + 30)])
        task = asyncio.create_task(one.run())
        await until(lambda: spool.confirmed > 100, 60.0)
        task.cancel()
        await asyncio.wait({task})
        server.send_signal(signal.SIGKILL)
        server.wait()
        spool.close()
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        # The next gateway finds the spool, ends it, and sends it.
        (found,) = waiting_spools(tmp_path)
        assert found.is_ended
        two = sender(found, broker)
        async with asyncio.timeout(60):
            await two.run()
        found.remove()
    finally:
        server.kill()
        server.wait()
    assert recorded(home, "anna") == as_bytes(mine[:half])


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_fifty_athletes_at_once_are_complete_at_the_server(broker: Server, records, tmp_path: Path):
    athletes, cut = 50, 400
    runs = {f"athlete-{k:02d}": of(records[:cut], f"athlete-{k:02d}") for k in range(athletes)}
    seconds = (getattr(records[cut], "arrival_ns", 0)) * 1e-9
    cpu_before, started = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    senders = []
    async with (
        # Twelve seconds on an idle machine; it is there to find an end that is never reached.
        asyncio.timeout(380),
        serving(tmp_path / "home", broker) as server,
        asyncio.TaskGroup() as group,
    ):
        for name, mine in runs.items():
            spool = Spool(tmp_path / "spools" / f"{name}.spool", mine[0])
            one = sender(spool, broker)
            # The usual wait: fifty pipelines on two busy cores are not silent, only slow.
            one.silence_s = SILENCE_S
            senders.append(one)
            group.create_task(one.run())
            group.create_task(fill(spool, source(mine, 40, 0.1), one.wake))
        dropped = server.dropped
    took_s, cpu = time.monotonic() - started, resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = cpu.ru_utime + cpu.ru_stime - cpu_before.ru_utime - cpu_before.ru_stime
    for name, mine in runs.items():
        assert recorded(tmp_path / "home", name) == as_bytes(mine)
    with Store(tmp_path / "home" / "store.sqlite") as store:
        kept = {run.athlete: run.strides for run in store.runs()}
    assert set(kept) == set(runs)
    # The same sensors on everybody: whoever has lost a record has other strides.
    assert len(set(kept.values())) == 1
    assert min(kept.values()) > 0
    again = sum(one.resent for one in senders)
    print(
        f"{athletes} athletes, {seconds:.0f} s each, {athletes * cut} records in {took_s:.1f} s on "
        f"{os.cpu_count()} cores ({cpu_s:.1f} s of processor time, gateways and server in one process): "
        f"{athletes * seconds / took_s:.0f} x one runner's pace; {sum(kept.values())} strides, "
        f"{again} stretches sent again, {dropped} frames dropped"
    )


@pytest.mark.slow
async def test_the_two_commands_carry_a_run_to_another_machine(broker: Server, records, tmp_path: Path):
    settings_text = f'[mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\n'
    for name in ("gym", "server"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "settings.toml").write_text(settings_text)
    environment = {**os.environ, "NUMBA_CACHE_DIR": os.environ.get("NUMBA_CACHE_DIR", "")}

    def command(name: str, *words: str) -> list[str]:
        return [sys.executable, "-m", "latemiles", "--home", str(tmp_path / name), *words]

    server = subprocess.Popen(
        command("server", "serve", "--from", "mqtt", "--port", "0"),
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        words = command("gym", "gateway", "--athlete", "anna", "--replay", str(RECORDING), "--speed", "40")
        gateway = await asyncio.create_subprocess_exec(
            *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
        )
        async with asyncio.timeout(60):
            told, wrong = await gateway.communicate()
        assert gateway.returncode == 0, told + wrong
        assert b"goes to 127.0.0.1" in told
    finally:
        server.send_signal(signal.SIGINT)
        said, _ = await asyncio.to_thread(server.communicate, timeout=30)
    assert server.returncode == 0
    assert "1 runs were heard, 1 of them to their end" in said
    assert "Live page of all runners: http://127.0.0.1:" in said
    assert recorded(tmp_path / "server", "anna", "no_standing")[1:] == as_bytes(records[1:])
    assert not list((tmp_path / "gym" / "gateway").glob("*.spool"))
