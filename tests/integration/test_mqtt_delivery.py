"""MQTT: retained status and will, live channel, discovery, TLS and passwords, and a killed broker."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiomqtt
import pytest

from latemiles.signals.events import LinkChanged, LiveState
from latemiles.signals.frames import Segment
from latemiles.sinks.follower import Follower
from latemiles.sinks.messages import topic
from latemiles.sinks.mqtt import MqttSettings
from latemiles.sinks.mqtt_sink import MqttSink
from latemiles.sinks.outbox import SinkError, SinkRefused, SinkUnavailable
from latemiles.sinks.secrets import Secret
from latemiles.store import Store
from reference.servers import Server, binary, influxd, influxql, mosquitto, running
from reference.sink_rows import filled_store, header, stride, strides, until

V5 = aiomqtt.ProtocolVersion.V5
RUN_TOPIC = "latemiles/v1/me/run-1"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Server]:
    with running(mosquitto(tmp_path / "mqtt")) as made:
        yield made


@contextlib.asynccontextmanager
async def listening(port: int, pattern: str = "#") -> AsyncIterator[list[aiomqtt.Message]]:
    """Everything that is published, as it comes; comes back when the broker does."""
    heard: list[aiomqtt.Message] = []
    ready = asyncio.Event()

    async def listen() -> None:
        while True:
            with contextlib.suppress(aiomqtt.MqttError):
                async with aiomqtt.Client(
                    "127.0.0.1", port, timeout=1, protocol=aiomqtt.ProtocolVersion.V5
                ) as c:
                    await c.subscribe(pattern, qos=1)
                    ready.set()
                    async for message in c.messages:
                        heard.append(message)
            await asyncio.sleep(0.02)

    task = asyncio.create_task(listen())
    await ready.wait()
    try:
        yield heard
    finally:
        task.cancel()
        await asyncio.wait({task})


def last(heard: list[aiomqtt.Message], leaf: str) -> dict:
    """The newest message of a topic."""
    found = [m for m in heard if str(m.topic) == f"{RUN_TOPIC}/{leaf}"]
    return json.loads(found[-1].payload) if found else {}


async def test_a_run_says_its_state_keeps_it_retained_and_ends_it(broker: Server, tmp_path: Path):
    with filled_store(tmp_path / "s.sqlite", 12) as store:
        async with listening(broker.port) as heard:
            sink = MqttSink(MqttSettings("127.0.0.1", broker.port), header())
            follower = Follower(store, sink, lambda _: None, poll_s=0.02)
            async with asyncio.TaskGroup() as group:
                group.create_task(follower.run())
                await until(lambda: last(heard, "status").get("form_drift"))
                status = last(heard, "status")
                assert status["state"] == "running"
                assert status["schema"] == "latemiles/status/1"
                assert status["sensors"]["pelvis"] == {"state": "up", "battery_percent": 90.0}
                assert status["form_drift"]["pelvic_tilt_mean_deg"]["verdict"] == "likely change"
                store.commit("run-1", [LinkChanged(40.0, Segment.PELVIS, "down", "", float("nan"))])
                await until(lambda: last(heard, "status")["sensors"]["pelvis"]["state"] == "down")
                sink.ended = True
                follower.finish()
        async with listening(broker.port) as late:
            await until(lambda: late)
            assert last(late, "status")["state"] == "ended"
            assert [str(m.topic) for m in late] == [f"{RUN_TOPIC}/status"], "only the status is retained"
            assert all(m.retain for m in late)
    told = {str(m.topic).rpartition("/")[2]: m for m in heard}
    assert set(told) == {"status", "stride", "mark"}
    assert all(m.qos == 1 for m in heard)
    assert all(m.properties.ContentType == "application/json" for m in heard)
    assert json.loads(told["mark"].payload)["label"].startswith("gel")


async def test_a_stride_carries_its_columns_and_null_for_what_is_missing(broker: Server, tmp_path: Path):
    with filled_store(tmp_path / "s.sqlite", 8) as store:
        async with listening(broker.port, "latemiles/v1/+/+/stride") as heard:
            sink = MqttSink(MqttSettings("127.0.0.1", broker.port))
            await Follower(store, sink, lambda _: None).drain()
            await until(lambda: len(heard) == 8)
    for index, message in enumerate(heard):
        told, event = json.loads(message.payload), stride(index)
        assert told["schema"] == "latemiles/stride/1"
        assert (told["index"], told["side"], told["quality"]) == (index, str(event.side), event.quality)
        assert told["pelvic_tilt_mean_deg"] is not None
        assert (told["hip_flexion_rom_deg"] is None) == (index == 7)


async def test_the_broker_says_lost_when_the_process_dies(broker: Server, tmp_path: Path):
    code = (
        "import asyncio; from latemiles.sinks.mqtt import *; from latemiles.sinks.mqtt_sink import *\n"
        "from latemiles.signals.records import RunHeader\n"
        "async def main():\n"
        f"    await MqttSink(MqttSettings('127.0.0.1', {broker.port}), RunHeader('run-1')).open()\n"
        "    print('open', flush=True); await asyncio.sleep(60)\n"
        "asyncio.run(main())"
    )
    async with listening(broker.port) as heard:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert await process.stdout.readline() == b"open\n"
        await until(lambda: last(heard, "status").get("state") == "running")
        process.kill()
        await process.wait()
        await until(lambda: last(heard, "status").get("state") == "lost")
        process._transport.close()


async def test_the_live_channel_is_five_to_ten_a_second_and_calls_itself_lossy(
    broker: Server, tmp_path: Path
):
    with filled_store(tmp_path / "s.sqlite", 2) as store:
        async with listening(broker.port, f"{RUN_TOPIC}/live") as heard:
            sink = MqttSink(MqttSettings("127.0.0.1", broker.port), header())
            follower = Follower(store, sink, lambda _: None, poll_s=0.02)
            task = asyncio.create_task(follower.run())
            await until(lambda: not store.waiting(sink.name))
            loop = asyncio.get_running_loop()
            started = loop.time()
            for k in range(150):
                sink.live.take(
                    [stride(k)], LiveState(k / 100, (0.1, float("nan"), 0.0), (0.5,) * 3, (0.4,) * 3)
                )
                await asyncio.sleep(0.01)
            took_s = loop.time() - started
            follower.finish()
            await task
    told = [json.loads(m.payload) for m in heard]
    rate = len(told) / took_s
    print(f"live channel: {rate:.1f} messages a second, {len(heard[0].payload)} bytes")
    assert 5.0 <= rate <= 10.5
    assert all(m.qos == 0 and not m.retain for m in heard)
    assert told[-1]["lossy"] is True
    assert told[-1]["dropped"] > 100
    assert [t["seq"] for t in told] == list(range(1, len(told) + 1))
    assert told[-1]["pelvic_obliquity_deg"] is None
    assert told[-1]["pelvic_tilt_deg"] == pytest.approx(5.7296, abs=1e-3)
    assert {"cadence_spm", "speed_m_s", "hip_flexion_left_deg"} <= set(told[-1])


async def test_without_a_live_rate_nothing_is_sent_on_the_live_channel(broker: Server, tmp_path: Path):
    still = LiveState(0.0, (0.1, 0.1, 0.0), (0.5,) * 3, (0.4,) * 3)
    with filled_store(tmp_path / "s.sqlite", 2) as store:
        async with listening(broker.port, f"{RUN_TOPIC}/#") as heard:
            sink = MqttSink(MqttSettings("127.0.0.1", broker.port, live_hz=0.0), header())
            follower = Follower(store, sink, lambda _: None, poll_s=0.02)
            task = asyncio.create_task(follower.run())
            sink.live.take([stride(0)], still)
            await until(lambda: not store.waiting(sink.name))
            follower.finish()
            sink.ended = True
            await task
            await until(lambda: last(heard, "status").get("state") == "ended")
    leaves = [str(m.topic).rpartition("/")[2] for m in heard]
    assert "live" not in leaves
    assert leaves.count("stride") == 2


async def test_home_assistant_finds_the_sensors_where_it_is_asked_for(broker: Server):
    async with listening(broker.port, "homeassistant/#") as heard:
        sink = MqttSink(MqttSettings("127.0.0.1", broker.port, home_assistant=True), header())
        await sink.open()
        await until(lambda: len(heard) == 6)
        await sink.close()
    configs = [json.loads(m.payload) for m in heard]
    assert len({c["unique_id"] for c in configs}) == 6
    assert {c["state_topic"] for c in configs} == {f"{RUN_TOPIC}/status", f"{RUN_TOPIC}/stride"}
    assert all("run-1" not in str(m.topic) for m in heard), "a new run must replace the old one"


@pytest.mark.parametrize(
    ("athlete", "expected"),
    [
        ("me", "me"),
        ("a/b", "a%2Fb"),
        ("+", "%2B"),
        ("#", "%23"),
        ("..", "%2E%2E"),
        ("", "-"),
        ("Zoë 1", "Zoë 1"),
    ],
)
def test_names_cannot_leave_their_level_of_the_topic(athlete: str, expected: str):
    assert topic(athlete, "r", "stride") == f"latemiles/v1/{expected}/r/stride"


# Wrong settings


def certificates(folder: Path) -> None:
    """Two certificate authorities, and a server's certificate of the first one."""
    openssl = binary("openssl")

    def run(*words: str) -> None:
        subprocess.run([openssl, *words], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for name in ("ca", "other"):
        run(
            "req",
            "-x509",
            *key,
            "-keyout",
            f"{name}.key",
            "-out",
            f"{name}.crt",
            "-days",
            "2",
            "-subj",
            f"/CN={name}",
        )
    run("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    (folder / "ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    sign = ("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial")
    run(*sign, "-out", "server.crt", "-days", "2", "-extfile", "ext")


@pytest.fixture(scope="module")
def safe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A broker with TLS and a password."""
    folder = tmp_path_factory.mktemp("tls")
    certificates(folder)
    passwords = folder / "passwords"
    subprocess.run([binary("mosquitto_passwd"), "-b", "-c", str(passwords), "coach", "right"], check=True)
    lines = [
        f"{name} {folder}/{file}" for name, file in (("certfile", "server.crt"), ("keyfile", "server.key"))
    ]
    with running(
        mosquitto(folder, extra="\n".join([*lines, f"password_file {passwords}"]), anonymous=False)
    ) as s:
        yield s


def settings(safe: Server, **more) -> MqttSettings:
    usual = {
        "port": safe.port,
        "tls": True,
        "ca_file": str(safe.folder / "ca.crt"),
        "username": "coach",
        "secret": Secret("right"),
        "timeout_s": 2.0,
    }
    return MqttSettings("127.0.0.1", **(usual | more))


@pytest.fixture
def collected() -> Iterator[None]:
    """paho leaves its socket to the garbage collector when a TLS handshake fails: collect it here."""
    yield
    gc.collect()


LOGIN = "does not let this user in|refuses the user name or password"
WRONG = {
    "right": ({}, None, ""),
    "wrong certificate authority": ({"ca_file": "other.crt"}, SinkRefused, "cannot be trusted.*ca_file"),
    "the system's authorities": ({"ca_file": ""}, SinkRefused, "cannot be trusted.*ca_file"),
    "a file that is not there": ({"ca_file": "none.crt"}, SinkRefused, "cannot be read.*ca_file"),
    "wrong password": (
        {"secret": Secret("hunter2")},
        SinkRefused,
        LOGIN,
    ),
    "no password": (
        {"username": "", "secret": Secret("")},
        SinkRefused,
        LOGIN,
    ),
    "plain text to the TLS port": ({"tls": False, "ca_file": ""}, SinkUnavailable, "set tls = true"),
    "nobody there": ({"port": 1}, SinkUnavailable, "cannot be reached.*Check that it runs"),
}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("collected")
@pytest.mark.parametrize("case", sorted(WRONG))
async def test_a_wrong_setting_is_a_clear_line_within_ten_seconds(safe: Server, case: str):
    change, error, words = WRONG[case]
    if change.get("ca_file"):
        change = {**change, "ca_file": str(safe.folder / change["ca_file"])}
    sink = MqttSink(settings(safe, **change))
    async with asyncio.timeout(10):
        if error is None:
            await sink.check()
            return
        with pytest.raises(error, match=words) as caught:
            await sink.check()
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value) + repr(sink._settings)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("collected")
async def test_tls_to_a_plain_port_is_told(broker: Server):
    wrong = MqttSettings("127.0.0.1", broker.port, tls=True, timeout_s=2.0)
    async with asyncio.timeout(10):
        with pytest.raises(SinkError, match="TLS"):
            await MqttSink(wrong).check()


# Everything killed


@pytest.mark.slow
async def test_three_kills_of_servers_and_one_of_the_follower_lose_no_stride(broker: Server, tmp_path: Path):
    n, rounds = 400, 3
    script = Path(__file__).resolve().parents[1] / "reference" / "follower_process.py"
    with running(influxd(tmp_path / "influx")) as database, filled_store(tmp_path / "s.sqlite", 0) as store:
        influxql(database.url, "CREATE DATABASE latemiles")
        command = [sys.executable, str(script), str(store.path), database.url, str(broker.port)]
        follower = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        names = (f"influx {database.url} latemiles", f"mqtt 127.0.0.1:{broker.port}")
        try:
            async with listening(broker.port, f"{RUN_TOPIC}/stride") as heard:
                done = 0
                for part in range(rounds + 1):
                    for half in (0, 1):
                        for _ in range(n // (2 * rounds + 2)):
                            store.commit("run-1", strides(done, done + 1))
                            done += 1
                        if half == 0:
                            # The follower is there and at work; the second half is on its way when they die.
                            await until(lambda: not any(store.waiting(name) for name in names), 30.0)
                    if part == rounds:
                        break
                    await asyncio.sleep(0.02)
                    broker.kill()
                    database.kill()
                    if part == 1:
                        follower.send_signal(signal.SIGKILL)
                        follower.wait()
                    store.commit("run-1", strides(done, done + 10))
                    done += 10
                    await asyncio.sleep(0.4)
                    await asyncio.to_thread(broker.start)
                    await asyncio.to_thread(database.start)
                    if part == 1:
                        follower = subprocess.Popen(command, stdout=subprocess.DEVNULL)
                await until(lambda: not any(store.waiting(name) for name in names), 30.0)
                got: dict[int, bytes] = {}
                await until(lambda: len({json.loads(m.payload)["index"] for m in heard}) == done)
                for message in heard:
                    index = json.loads(message.payload)["index"]
                    assert got.setdefault(index, message.payload) == message.payload
        finally:
            follower.kill()
            follower.wait()
        series = influxql(database.url, 'SELECT "index" FROM stride GROUP BY *')
        indices = sorted(int(row[1]) for one in series for row in one["values"])
    print(
        f"{done} strides, MQTT {len(got)} ({len(heard) - len(got)} repeated alike), InfluxDB {len(indices)}"
    )
    assert indices == list(range(done))
    assert sorted(got) == list(range(done))


async def drained_s(store: Store, broker: Server) -> float:
    """How long it takes to publish everything, s."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    await Follower(store, MqttSink(MqttSettings("127.0.0.1", broker.port)), lambda _: None).drain()
    return loop.time() - started


async def test_a_slow_subscriber_slows_nobody(broker: Server, tmp_path: Path):
    """A phone that reads nothing for a while: the sink goes on, another subscriber has every stride."""
    n = 1500
    with filled_store(tmp_path / "s.sqlite", n) as store:
        slow = aiomqtt.Client("127.0.0.1", broker.port, max_queued_incoming_messages=1)
        async with slow, listening(broker.port, f"{RUN_TOPIC}/stride") as heard:
            await slow.subscribe("#", qos=1)
            # Stop reading the socket altogether.
            asyncio.get_running_loop().remove_reader(slow._client.socket())
            took_s = await drained_s(store, broker)
            await until(lambda: len(heard) == n)
            asyncio.get_running_loop().add_reader(slow._client.socket(), slow._client.loop_read)
        store._db.execute("DELETE FROM cursors")
        alone_s = await drained_s(store, broker)
    print(
        f"{n} strides past a subscriber that does not read: {n / took_s:.0f} a second, else {n / alone_s:.0f}"
    )
    # Beside its peer on the same machine at the same time: two readers are more work than none.
    assert took_s < 4.0 * alone_s
