"""Every sink, by the same rules: outage, restart, duplicate, slow peer, cancellation."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiomqtt
import pytest

from latemiles.sinks.follower import Backoff, Follower
from latemiles.sinks.influx import InfluxSettings, InfluxSink
from latemiles.sinks.jsonl import JsonlSettings, JsonlSink
from latemiles.sinks.mqtt import MqttSettings
from latemiles.sinks.mqtt_sink import MqttSink
from latemiles.sinks.outbox import Sink, SinkUnavailable
from reference.servers import Server, influxd, influxql, mosquitto, running
from reference.sink_rows import filled_store, strides, until

N = 60


class Peer:
    """The other side of a sink: makes the sink, takes the server away, and tells what arrived."""

    server: Server | None = None

    def sink(self) -> Sink:
        raise NotImplementedError

    async def indices(self) -> list[int]:
        """Stride indices that arrived, sorted; a stride that arrived twice alike counts once."""
        raise NotImplementedError

    def away(self) -> None:
        """Make the other side unreachable."""
        assert self.server is not None
        self.server.kill()

    def back(self) -> None:
        """Bring it back."""
        assert self.server is not None
        self.server.start()

    async def begin(self) -> None:
        """Prepare."""

    async def end(self) -> None:
        """Clean up."""


class Influx(Peer):
    """InfluxDB 1.x."""

    def __init__(self, folder: Path) -> None:
        self.server = influxd(folder / "influx")

    def sink(self) -> Sink:
        return InfluxSink(InfluxSettings(self.server.url, api="v1", timeout_s=2.0))

    async def begin(self) -> None:
        influxql(self.server.url, "CREATE DATABASE latemiles")

    async def indices(self) -> list[int]:
        series = influxql(self.server.url, 'SELECT "index" FROM stride GROUP BY *')
        return sorted(int(row[1]) for one in series for row in one["values"])


class Mqtt(Peer):
    """Mosquitto with one subscriber, who comes back whenever the broker does."""

    def __init__(self, folder: Path) -> None:
        self.server = mosquitto(folder / "mqtt")
        self._got: dict[int, dict] = {}
        self._ready = asyncio.Event()

    def sink(self) -> Sink:
        return MqttSink(MqttSettings("127.0.0.1", self.server.port, timeout_s=2.0), settle_s=0.3)

    async def begin(self) -> None:
        self._task = asyncio.create_task(self._listen())
        await self._ready.wait()

    async def end(self) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _listen(self) -> None:
        while True:
            with contextlib.suppress(aiomqtt.MqttError):
                async with aiomqtt.Client("127.0.0.1", self.server.port, timeout=1) as client:
                    await client.subscribe("latemiles/v1/+/+/stride", qos=1)
                    self._ready.set()
                    async for message in client.messages:
                        told = json.loads(message.payload)
                        before = self._got.setdefault(told["index"], told)
                        assert before == told, "the same stride arrived twice as different points"
            await asyncio.sleep(0.02)

    async def indices(self) -> list[int]:
        await asyncio.sleep(0.05)
        return sorted(self._got)


class Jsonl(Peer):
    """A folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "lines"

    def sink(self) -> Sink:
        return JsonlSink(JsonlSettings(self._folder))

    def away(self) -> None:
        # Permissions do not stop root; a file in the folder's place does.
        if self._folder.exists():
            self._folder.rename(self._folder.with_suffix(".away"))
        self._folder.write_text("")

    def back(self) -> None:
        self._folder.unlink()
        if self._folder.with_suffix(".away").exists():
            self._folder.with_suffix(".away").rename(self._folder)

    async def indices(self) -> list[int]:
        lines = (self._folder / "me" / "run-1.jsonl").read_text().splitlines()
        return [told["index"] for told in map(json.loads, lines) if told["kind"] == "stride"]


@pytest.fixture(params=[Influx, Mqtt, Jsonl], ids=["influx", "mqtt", "jsonl"])
async def peer(request, tmp_path: Path) -> AsyncIterator[Peer]:
    made: Peer = request.param(tmp_path)
    with running(made.server) if made.server else contextlib.nullcontext():
        await made.begin()
        try:
            yield made
        finally:
            await made.end()


@pytest.fixture
def store(tmp_path: Path) -> Iterator:
    with filled_store(tmp_path / "store.sqlite", N) as made:
        yield made


def follower(store, sink: Sink, said: list[str]) -> Follower:
    return Follower(store, sink, said.append, Backoff(0.05, 0.2), poll_s=0.02)


async def test_everything_arrives_once_and_a_second_delivery_changes_nothing(peer: Peer, store):
    for _ in range(2):
        one = follower(store, peer.sink(), [])
        one.finish()
        async with asyncio.timeout(10):
            await one.run()
        assert await peer.indices() == list(range(N))
        # As if the follower had died before it could note what was delivered.
        store._db.execute("DELETE FROM cursors")


async def test_an_outage_costs_nothing_and_is_told_in_two_lines(peer: Peer, store):
    said: list[str] = []
    sink = peer.sink()
    one = follower(store, sink, said)
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(one.run())
        await until(lambda: not store.waiting(sink.name))
        await asyncio.to_thread(peer.away)
        store.commit("run-1", strides(N, 2 * N))
        one.wake()
        await until(lambda: one.trouble)
        await asyncio.to_thread(peer.back)
        await until(lambda: not store.waiting(sink.name))
        one.finish()
    assert await peer.indices() == list(range(2 * N))
    assert len(said) == 2, said
    assert "kept and sent later" in said[0]


async def test_a_follower_that_is_cancelled_leaves_nothing_behind_and_another_goes_on(peer: Peer, store):
    sink = peer.sink()
    before = len(asyncio.all_tasks())
    task = asyncio.create_task(follower(store, sink, []).run())
    await until(lambda: store.waiting(sink.name) < N + 5)
    task.cancel()
    async with asyncio.timeout(5):
        await asyncio.wait({task})
    assert task.cancelled()
    assert len(asyncio.all_tasks()) == before
    store.commit("run-1", strides(N, N + 10))
    two = follower(store, peer.sink(), [])
    two.finish()
    async with asyncio.timeout(10):
        await two.run()
    assert await peer.indices() == list(range(N + 10))


@pytest.mark.parametrize("kind", ["influx", "mqtt"])
async def test_a_peer_that_takes_the_line_and_never_answers_is_given_up_in_time(kind: str):
    closed = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while await reader.read(4096):
                pass
        writer.close()
        closed.set()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    made: dict[str, Sink] = {
        "influx": InfluxSink(InfluxSettings(f"http://127.0.0.1:{port}", timeout_s=0.5)),
        "mqtt": MqttSink(MqttSettings("127.0.0.1", port, timeout_s=0.5)),
    }
    try:
        async with asyncio.timeout(5):
            with pytest.raises(SinkUnavailable, match=r"does not answer.*Check"):
                await made[kind].check()
        # Neither side may be left with an open line.
        async with asyncio.timeout(5):
            await closed.wait()
    finally:
        server.close()
