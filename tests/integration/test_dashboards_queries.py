"""Every query of every board and alert, on a real InfluxDB that holds a season of forty runs."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from latemiles.sinks.influx import InfluxSettings, InfluxSink
from reference.season import DAY_NS, season
from reference.servers import Server, influxd, influxql, running

ROOT = Path(__file__).resolve().parents[2] / "dashboards"
BOARDS = {path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "boards").glob("*.json"))}
RULES = json.loads((ROOT / "provisioning" / "alerting" / "rules.json").read_text())["groups"][0]["rules"]
NOW_NS = time.time_ns()
"""The moment at which the boards are looked at, forty minutes into the newest run; some ask for now()."""
STARTED_NS = NOW_NS - 40 * 60 * 10**9
LIMIT_S = 1.0
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(influxd(tmp_path_factory.mktemp("influx"))) as server:
        influxql(server.url, "CREATE DATABASE latemiles")
        asyncio.run(written(InfluxSink(InfluxSettings(server.url, api="v1"))))
        yield server


async def written(sink: InfluxSink) -> None:
    await sink.open()
    rows = season(STARTED_NS, every=16)
    while batch := list(islice(rows, 2000)):
        assert await sink.deliver(batch) == []
    await sink.close()


def filled_in(query: str, board: dict[str, Any] | None) -> str:
    """The query as Grafana would send it."""
    span_s = {"now-15m": 900, "now-30d": 30 * 86_400, "now-1y": 365 * 86_400}[
        board["time"]["from"] if board else "now-15m"
    ]
    values = {
        "timeFilter": f"time >= {NOW_NS - span_s * 10**9} and time <= {NOW_NS}",
        "__interval": f"{max(1, span_s // 900)}s",
        "athlete": "anna",
        "run": "anna-039",
        "metric": "hip_flexion_rom_deg",
    }
    return re.sub(r"\$(\w+)", lambda m: values[m[1]], query)


def asked() -> Iterator[Any]:
    """Every query with its board."""
    for name, board in BOARDS.items():
        for panel in board["panels"]:
            for target in panel["targets"]:
                yield pytest.param(board, target["query"], id=f"{name}: {panel['title']}")
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                yield pytest.param(board, variable["query"], id=f"{name}: ${variable['name']}")
        for annotation in board["annotations"].get("list", []):
            yield pytest.param(board, annotation["target"]["query"], id=f"{name}: {annotation['name']}")
    for rule in RULES:
        yield pytest.param(None, rule["data"][0]["model"]["query"], id=f"alert: {rule['title']}")


def days_of(first_s: float, last_s: float) -> int:
    """On how many UTC days every run of the season was between these times: past midnight is another day."""
    first, last = (int(STARTED_NS + t_s * 1e9) // DAY_NS for t_s in (first_s, last_s))
    return 1 + last - first


def columns_of(query: str) -> set[str]:
    """Names that a query gives its columns in its outermost SELECT."""
    outer = query.split(" FROM ")[0]
    return set(re.findall(r'AS "([^"]+)"', outer))


@pytest.mark.parametrize(("board", "query"), list(asked()))
def test_the_query_gives_rows_with_its_columns_within_a_second(database: Server, board, query: str):
    started = time.monotonic()
    series = influxql(database.url, filled_in(query, board))
    took_s = time.monotonic() - started
    assert series, query
    rows = [row for one in series for row in one["values"]]
    assert rows
    assert columns_of(query) <= set(series[0]["columns"])
    for place, column in enumerate(series[0]["columns"]):
        if column in columns_of(query):
            assert any(row[place] is not None for row in rows), f"{column} is always empty"
    assert took_s < LIMIT_S


def test_the_season_shows_what_was_put_into_it(database: Server):
    season_board = BOARDS["season"]
    by_title = {panel["title"]: panel["targets"][0]["query"] for panel in season_board["panels"]}
    (starts,) = influxql(
        database.url, filled_in(by_title["Start value: Pelvic tilt mean over the stride"], season_board)
    )
    assert len(starts["values"]) == 40 * days_of(180.0, 600.0)
    first, last = starts["values"][0][1], starts["values"][-1][1]
    assert last - first == pytest.approx(0.02 * 39, abs=0.35)
    (drifts,) = influxql(
        database.url, filled_in(by_title["Pelvic tilt mean over the stride: change per 10 km"], season_board)
    )
    days = days_of(620.0, 40.0 * 60.0)
    assert len(drifts["values"]) == 40 * days
    assert all(1.4 < value[1] < 3.4 for value in drifts["values"][days - 1 :: days])


def test_the_review_finds_the_first_and_last_mile_and_when_the_change_began_and_was_noticed(database: Server):
    board = BOARDS["run"]
    by_title = {panel["title"]: panel["targets"][0]["query"] for panel in board["panels"]}
    (one,) = influxql(
        database.url, filled_in(by_title["First and last: Pelvic tilt mean over the stride"], board)
    )
    first, last, change = one["values"][0][1:]
    assert change == pytest.approx(last - first)
    assert change == pytest.approx(2.0, abs=0.6)
    (noticed,) = influxql(database.url, filled_in(by_title["Change noticed live"], board))
    assert 620.0 < noticed["values"][0][1] < 2400.0
    (began,) = influxql(database.url, filled_in(by_title["Change point"], board))
    assert [values[1:] for values in began["values"]] == [[640.0, 580.0, 730.0]]
    (whole,) = influxql(
        database.url, filled_in(by_title["Pelvic tilt mean over the stride: whole run"], board)
    )
    assert whole["values"][0][1:] == [1.9, 1.3, 2.5, 0.8]


def test_a_bad_field_name_would_be_noticed(database: Server):
    assert influxql(database.url, 'SELECT mean("no_such_deg") FROM "stride"') == []
