"""InfluxDB 1.x: every point reads back equal, and each way of refusing costs one line and no stride."""

from __future__ import annotations

import asyncio
import gc
import math
import time
import tracemalloc
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from latemiles.session.sync import sync
from latemiles.signals.events import DriftFound
from latemiles.signals.quality import StrideQuality
from latemiles.sinks.follower import Backoff, Follower
from latemiles.sinks.influx import InfluxSettings, InfluxSink
from latemiles.sinks.outbox import SinkRefused, SinkUnavailable
from latemiles.sinks.points import VERDICTS, points
from latemiles.sinks.secrets import Secret
from latemiles.store import OutboxRow
from reference.servers import Server, free_port, influxd, influxql, running
from reference.sink_rows import STARTED_NS, filled_store, header, stride, strides, until

N = 300


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running(influxd(tmp_path / "influx")) as made:
        yield made


def follower(store, settings: InfluxSettings, said: list[str]) -> Follower:
    return Follower(store, InfluxSink(settings), said.append, Backoff(0.02, 0.1), poll_s=0.02)


def write(server: Server, line: str) -> None:
    urllib.request.urlopen(f"{server.url}/write?db=latemiles", data=line.encode()).close()


async def test_every_point_reads_back_equal_to_the_last_bit(server: Server, tmp_path: Path):
    influxql(server.url, "CREATE DATABASE latemiles")
    with filled_store(tmp_path / "s.sqlite", N, athlete="O'Hara, J=1 ü") as store:
        one = follower(store, InfluxSettings(server.url, api="v1"), [])
        one.finish()
        await one.run()
        wanted = {}
        for row in store.follow("another", limit=10_000):
            for point in points(row):
                where = point.tags.get("side") or point.tags.get("segment", "")
                wanted[point.measurement, where, point.time_ns] = point
    found = 0
    for series in influxql(server.url, "SELECT * FROM stride, mark, link, form_drift"):
        for values in series["values"]:
            got = dict(zip(series["columns"], values, strict=True))
            point = wanted[series["name"], got.get("side") or got.get("segment") or "", got["time"]]
            for name, value in {**point.tags, **point.fields}.items():
                assert got[name] == value
            assert all(v is None or k in {"time", *point.tags, *point.fields} for k, v in got.items())
            found += 1
    assert found == len(wanted) >= N


async def test_a_replaced_run_leaves_no_point_of_before(server: Server, tmp_path: Path):
    athlete, settings = 'O\'Hara \\ "J"', InfluxSettings(server.url, api="v1")
    influxql(server.url, "CREATE DATABASE latemiles")
    with filled_store(tmp_path / "s.sqlite", 40, athlete=athlete) as store:
        store.begin_run(header("run-2", athlete))
        store.commit("run-2", strides(0, 30))
        await Follower(store, InfluxSink(settings), lambda _: None).drain()
        store.begin_run(header("run-1", athlete), replace=True)
        # The code has moved every contact by a hundredth of a second, and finds two fewer.
        moved = [replace(event, t_s=event.t_s + 0.01) for event in strides(0, 38)]
        store.commit("run-1", moved)
        for again in range(2):
            one = Follower(store, InfluxSink(settings), lambda _: None)
            # The second time as after an outage: the deletion is delivered again, and what follows it.
            one._back = 45 * again
            await one.drain()
            count = 'SELECT count("index") FROM stride GROUP BY "run"'
            kept = {s["tags"]["run"]: s["values"][0][1] for s in influxql(server.url, count)}
            assert kept == {"run-1": 38, "run-2": 30}
        (series,) = influxql(server.url, 'SELECT "index" FROM stride WHERE "run" = \'run-1\'')
        wanted = [STARTED_NS + round(event.t_s * 1e9) for event in moved]
        assert [time_ns for time_ns, _ in series["values"]] == wanted
        assert influxql(server.url, "SELECT * FROM form_drift") == []


async def test_a_later_analysis_takes_the_place_of_an_earlier_one(server: Server, tmp_path: Path):
    influxql(server.url, "CREATE DATABASE latemiles")
    key, settings = "pelvic_tilt_mean_deg", InfluxSettings(server.url, api="v1")
    first = DriftFound(0.0, key, 1.5, 0.9, 2.1, 0.8, "clear change", 1, 700.0, 640.0, 790.0)
    with filled_store(tmp_path / "s.sqlite", 4) as store:
        for found in (first, replace(first, change=0.3, verdict="no change", change_point_s=math.nan)):
            store.conclude("run-1", [found])
            await Follower(store, InfluxSink(settings), lambda _: None).drain()
    (series,) = influxql(
        server.url, f'SELECT "{key}_final", "{key}_changed", "{key}_final_verdict" FROM form_drift'
    )
    assert series["values"] == [[STARTED_NS, 0.3, 0, VERDICTS.index("no change")]]


async def test_a_missing_database_is_told_once_with_advice_and_delivery_resumes(
    server: Server, tmp_path: Path
):
    said: list[str] = []
    with filled_store(tmp_path / "s.sqlite", N) as store:
        one = follower(store, InfluxSettings(server.url, api="v1"), said)
        async with asyncio.timeout(15), asyncio.TaskGroup() as group:
            group.create_task(one.run())
            await until(lambda: one.trouble)
            await asyncio.sleep(0.4)
            assert len(said) == 1
            assert "has no database 'latemiles'" in said[0]
            assert "Make the database" in said[0]
            await asyncio.to_thread(influxql, server.url, "CREATE DATABASE latemiles")
            await until(lambda: not store.waiting(one.sink.name))
            one.finish()
    (series,) = influxql(server.url, 'SELECT count("index") FROM stride')
    assert series["values"][0][1] == N
    assert len(said) == 2


async def test_a_server_without_the_v2_interface_is_told_as_such(server: Server):
    with pytest.raises(SinkRefused, match='set api = "v1"'):
        await InfluxSink(InfluxSettings(server.url)).check()


async def test_a_wrong_password_is_told_once_and_the_right_one_resumes(tmp_path: Path, caplog):
    caplog.set_level("DEBUG")
    said: list[str] = []
    with (
        running(influxd(tmp_path / "influx", auth=True)) as server,
        filled_store(tmp_path / "s", 40) as store,
    ):
        influxql(server.url, "CREATE USER coach WITH PASSWORD 'right-one' WITH ALL PRIVILEGES")
        settings = InfluxSettings(server.url, api="v1", username="coach", secret=Secret("wrong-one"))
        one = follower(store, settings, said)
        task = asyncio.create_task(one.run())
        await until(lambda: one.trouble)
        await asyncio.sleep(0.3)
        assert len(said) == 1
        assert "refuses the user name or password (401)" in said[0]
        assert not one.delivered
        task.cancel()
        await asyncio.wait({task})
        query = f"{server.url}/query?u=coach&p=right-one"
        await asyncio.to_thread(urllib.request.urlopen, query, b"q=CREATE DATABASE latemiles")
        right = InfluxSettings(server.url, api="v1", username="coach", secret=Secret("right-one"))
        two = follower(store, right, said)
        two.finish()
        await two.run()
        assert two.delivered == 45
    assert "wrong-one" not in caplog.text + "".join(said) + repr(settings)
    assert "right-one" not in caplog.text.replace(query, "")


async def test_lines_that_are_refused_are_set_aside_and_all_others_arrive(server: Server, tmp_path: Path):
    influxql(server.url, "CREATE DATABASE latemiles")
    # Somebody else has made the label a number: marks can never be taken.
    write(server, f"mark,athlete=x,run=x label=1i {STARTED_NS}")
    said: list[str] = []
    with filled_store(tmp_path / "s.sqlite", N) as store:
        one = follower(store, InfluxSettings(server.url, api="v1"), said)
        one.finish()
        await one.run()
        (aside,) = store.rows_set_aside(one.sink.name)
        assert aside.kind == "mark"
        assert "field type conflict" in aside.problem
        assert len(said) == 1
    (series,) = influxql(server.url, 'SELECT count("index") FROM stride')
    assert series["values"][0][1] == N


async def test_a_ten_minute_outage_leaves_memory_flat(server: Server, tmp_path: Path):
    influxql(server.url, "CREATE DATABASE latemiles")
    ten_minutes = round(600 / 0.35)
    with filled_store(tmp_path / "s.sqlite", 60) as store:
        one = follower(store, InfluxSettings(server.url, api="v1", timeout_s=1.0), [])
        one.batch = 100
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(one.run())
            await until(lambda: not store.waiting(one.sink.name))
            server.kill()
            peaks = []
            tracemalloc.start()
            # The outage in five parts, each a fifth of the strides.
            for part in range(5):
                first, last = (60 + ten_minutes * k // 5 for k in (part, part + 1))
                for event in strides(first, last):
                    store.commit("run-1", [event])
                one.wake()
                await asyncio.sleep(0.25)
                # Failed attempts leave cycles of tracebacks behind; what counts is what is kept.
                gc.collect()
                peaks.append(tracemalloc.get_traced_memory()[0])
            tracemalloc.stop()
            server.start()
            await until(lambda: not store.waiting(one.sink.name), 30.0)
            one.finish()
    assert max(peaks) - peaks[0] < 2_000_000, peaks
    (series,) = influxql(server.url, 'SELECT count("index") FROM stride')
    assert series["values"][0][1] == 60 + ten_minutes


@pytest.mark.slow
async def test_a_run_of_ten_thousand_strides_is_sent_later_in_seconds(server: Server, tmp_path: Path):
    influxql(server.url, "CREATE DATABASE latemiles")
    seen: list[tuple[int, int]] = []
    with filled_store(tmp_path / "s.sqlite", 10_000) as store:
        started, processor = time.monotonic(), time.process_time()
        sink = InfluxSink(InfluxSettings(server.url, api="v1"))
        (result,) = await sync(store, [sink], [], lambda _, done, total: seen.append((done, total)))
        took_s, processor_s = time.monotonic() - started, time.process_time() - processor
        assert result.delivered == 10_005
        assert seen[-1] == (10_005, 10_005)
        assert [done for done, _ in seen] == sorted(done for done, _ in seen)
        (again,) = await sync(store, [sink], ["run-1"], lambda *_: None)
        assert again.delivered == 10_005
    (series,) = influxql(server.url, 'SELECT count("index") FROM stride')
    assert series["values"][0][1] == 10_000
    print(f"backfill of 10,000 strides: {took_s:.1f} s, {processor_s:.1f} s of processor time")
    # Whatever else the machine does meanwhile.
    assert processor_s < 20.0


async def test_a_server_that_is_not_there_or_not_trusted_is_told_within_ten_seconds(tmp_path: Path):
    for url, words in (
        (f"http://127.0.0.1:{free_port()}", "does not answer"),
        ("http://no-such-host.invalid:8086", "does not answer"),
    ):
        async with asyncio.timeout(10):
            with pytest.raises(SinkUnavailable, match=words):
                await InfluxSink(InfluxSettings(url)).check()
    with running(influxd(tmp_path / "plain")) as plain:
        async with asyncio.timeout(10):
            with pytest.raises(SinkRefused, match="does not speak TLS"):
                await InfluxSink(InfluxSettings(plain.url.replace("http", "https"))).check()


def test_missing_numbers_are_no_fields():
    last = replace(stride(7), quality=int(StrideQuality.TURN))
    row = OutboxRow(1, "r", "a", STARTED_NS, "stride", last)
    (point,) = points(row)
    assert not any(isinstance(v, float) and math.isnan(v) for v in point.fields.values())
    assert "hip_flexion_mean_deg" not in point.fields
    assert point.fields["used"] == 0.0
