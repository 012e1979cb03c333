"""VictoriaMetrics: the client's own way, /api/v2/write, end to end."""

from __future__ import annotations

import gzip
import json
import math
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from latemiles.metrics.catalogue import NUMERIC_COLUMNS
from latemiles.sinks.follower import Follower
from latemiles.sinks.influx import InfluxSettings, InfluxSink
from latemiles.sinks.points import DECIMALS
from reference.servers import running, victoria
from reference.sink_rows import STARTED_NS, STRIDE_S, filled_store, header, stride, strides, until

N = 400


async def test_a_server_that_cannot_delete_still_takes_a_replaced_run(tmp_path: Path):
    with running(victoria(tmp_path / "vm")) as server, filled_store(tmp_path / "s.sqlite", 5) as store:
        for index in range(2):
            follower = Follower(store, InfluxSink(InfluxSettings(server.url)), lambda _: None)
            await follower.drain()
            assert not store.waiting(follower.sink.name)
            if index == 0:
                store.begin_run(header(), replace=True)
                store.commit("run-1", strides(0, 5))
        assert (follower.delivered, follower.rejected) == (6, 0)


async def test_a_replaced_run_is_deleted_as_influxdb_2_wants_it(tmp_path: Path):
    asked: list[tuple[str, bytes]] = []

    class Deleting(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append((self.path, gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Not on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Deleting)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with filled_store(tmp_path / "s.sqlite", 2, athlete='the "J"') as store:
            store.begin_run(header("run-1", 'the "J"'), replace=True)
            store.commit("run-1", strides(0, 2))
            settings = InfluxSettings(f"http://127.0.0.1:{server.server_port}", org="team")
            await Follower(store, InfluxSink(settings), lambda _: None).drain()
    finally:
        server.shutdown()
        server.server_close()
    (delete, told), (write, lines) = asked
    assert delete.partition("?")[0] == "/api/v2/delete"
    assert "bucket=latemiles" in delete
    assert "org=team" in delete
    body = json.loads(told)
    assert body["predicate"] == 'athlete="the \\"J\\"" AND run="run-1"'
    assert body["start"] < "2000" < "2100" < body["stop"]
    assert write.partition("?")[0] == "/api/v2/write"
    assert lines.count(b"\n") == 1


async def test_every_number_of_every_stride_reads_back_equal(tmp_path: Path):
    with running(victoria(tmp_path / "vm")) as server, filled_store(tmp_path / "s.sqlite", N) as store:
        follower = Follower(store, InfluxSink(InfluxSettings(server.url)), lambda _: None)
        follower.finish()
        await follower.run()
        found: dict[tuple[str, str, int], float] = {}

        def read() -> bool:
            # What was just written becomes visible after a moment.
            urllib.request.urlopen(f"{server.url}/internal/force_flush").close()
            address = f"{server.url}/api/v1/export?match[]={{run=%22run-1%22}}&reduce_mem_usage=1"
            with urllib.request.urlopen(address) as answer:
                for line in answer.read().splitlines():
                    series = json.loads(line)
                    name, side = series["metric"]["__name__"], series["metric"].get("side", "")
                    for t_ms, value in zip(series["timestamps"], series["values"], strict=True):
                        found[name, side, t_ms] = value
            return sum(name == "stride_index" for name, _, _ in found) == N

        await until(read)
    compared = 0
    for index in range(N):
        event = stride(index)
        t_ms = (STARTED_NS + round((20.0 + STRIDE_S * index) * 1e9)) // 1_000_000
        for name, value in zip(NUMERIC_COLUMNS, event.values, strict=True):
            key = (f"stride_{name}", str(event.side), t_ms)
            assert (key in found) == math.isfinite(value)
            if math.isfinite(value):
                assert found[key] == round(value, DECIMALS)
                compared += 1
    print(f"{compared} numbers compared, all equal")
    assert compared > 50 * N
