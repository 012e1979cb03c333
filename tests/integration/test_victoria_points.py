"""VictoriaMetrics: the client's own way, /api/v2/write, end to end."""

from __future__ import annotations

import json
import math
import urllib.request
from pathlib import Path

from latemiles.metrics.catalogue import NUMERIC_COLUMNS
from latemiles.sinks.follower import Follower
from latemiles.sinks.influx import InfluxSettings, InfluxSink
from latemiles.sinks.points import DECIMALS
from reference.servers import running, victoria
from reference.sink_rows import STARTED_NS, STRIDE_S, filled_store, stride, until

N = 400


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
