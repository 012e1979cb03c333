"""Real servers for the tests of sinks: started on loopback at a free port, ended by their own process id."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

READY_S = 15.0


def binary(name: str) -> str:
    """Path of a server program; skips the test where it is missing, fails in CI."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        words = f"{name} is not installed; 'make apt' installs it and includes this test"
        if os.environ.get("CI") == "true":
            pytest.fail(words)
        pytest.skip(words)
    return found


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """One server process that can be killed and started again on the same port and folder."""

    def __init__(self, command: list[str], ready: Callable[[], bool], folder: Path, port: int) -> None:
        self.command, self.ready, self.folder, self.port = command, ready, folder, port
        self.url = f"http://127.0.0.1:{port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it answers."""
        with open(self.folder / "server.log", "ab") as log:
            self._process = subprocess.Popen(self.command, stdout=log, stderr=log, cwd=self.folder)
        give_up = time.monotonic() + READY_S
        while not self.ready():
            if self._process.poll() is not None or time.monotonic() > give_up:
                text = (self.folder / "server.log").read_text("utf-8", "replace")
                raise RuntimeError(f"{self.command[0]} did not start:\n{text[-2000:]}")
            time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL, as a power cut of the program."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """End it politely."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.kill()


@contextlib.contextmanager
def running(server: Server) -> Iterator[Server]:
    """A server for the time of a ``with`` block."""
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _answers(url: str) -> Callable[[], bool]:
    def ask() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=1) as answer:
                return 200 <= answer.status < 300
        except OSError:
            return False

    return ask


def _listens(port: int) -> Callable[[], bool]:
    def ask() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    return ask


def influxd(folder: Path, *, auth: bool = False) -> Server:
    """InfluxDB 1.x."""
    program, port = binary("influxd"), free_port()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "influxdb.conf").write_text(
        f"""reporting-disabled = true
bind-address = "127.0.0.1:{free_port()}"
[meta]
dir = "{folder}/meta"
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
index-version = "tsi1"
[http]
bind-address = "127.0.0.1:{port}"
auth-enabled = {str(auth).lower()}
log-enabled = false
[logging]
level = "error"
"""
    )
    command = [program, "-config", str(folder / "influxdb.conf")]
    return Server(command, _answers(f"http://127.0.0.1:{port}/ping"), folder, port)


def victoria(folder: Path) -> Server:
    """VictoriaMetrics."""
    program, port = binary("victoria-metrics"), free_port()
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        program,
        f"-storageDataPath={folder}/vm",
        f"-httpListenAddr=127.0.0.1:{port}",
        "-retentionPeriod=10y",
        "-search.latencyOffset=0s",
    ]
    return Server(command, _answers(f"http://127.0.0.1:{port}/health"), folder, port)


def mosquitto(folder: Path, *, extra: str = "", anonymous: bool = True) -> Server:
    """An MQTT broker; ``extra`` are lines of its configuration."""
    program, port = binary("mosquitto"), free_port()
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        # Started as root it drops to its own user, who must reach the folder.
        folder.chmod(0o755)
    lines = [
        f"user {'root' if os.geteuid() == 0 else 'nobody'}",
        f"listener {port} 127.0.0.1",
        f"allow_anonymous {str(anonymous).lower()}",
        extra,
    ]
    (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
    return Server([program, "-c", str(folder / "mosquitto.conf")], _listens(port), folder, port)


def influxql(url: str, query: str, database: str = "latemiles") -> list[dict[str, Any]]:
    """The series that a query of InfluxQL gives."""
    values = urllib.parse.urlencode({"db": database, "q": query, "epoch": "ns"})
    if query.startswith(("CREATE", "DROP")):
        request = urllib.request.Request(f"{url}/query", data=values.encode())
    else:
        request = urllib.request.Request(f"{url}/query?{values}")
    with urllib.request.urlopen(request, timeout=10) as answer:
        (result,) = json.loads(answer.read())["results"]
    if "error" in result:
        raise ValueError(f"{result['error']}: {query}")
    series: list[dict[str, Any]] = result.get("series", [])
    return series
