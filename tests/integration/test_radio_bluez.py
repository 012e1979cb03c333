"""bleak's own BlueZ backend, unmodified, against an ``org.bluez`` on a private D-Bus; and ``kill -9``.

In real time and in processes of their own: what only D-Bus can break, and what dies with a process.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from latemiles.recording.reader import Recording
from latemiles.sensors.assignments import Assignments
from latemiles.sensors.drivers.latemiles_v1 import LatemilesV1
from latemiles.signals.frames import SEGMENTS, Segment
from latemiles.signals.records import Link, Packet

SERVICE = Path(__file__).resolve().parents[1] / "reference" / "bluez_service.py"
SERIALS = ("4C4D00000000A001", "4C4D00000000A112", "4C4D00000000A223")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        sys.platform != "linux" or shutil.which("dbus-daemon") is None, reason="needs Linux with dbus-daemon"
    ),
]


@dataclass
class Machine:
    """A computer with Bluetooth, as far as a program can tell."""

    env: dict[str, str]
    home: Path
    service: subprocess.Popen[str]

    def latemiles(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the program."""
        command = [sys.executable, "-m", "latemiles", "--home", str(self.home), *arguments]
        return subprocess.Popen(
            command, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def radio(self, member: str, signature: str, *body: object) -> list[object]:
        """Do something to the world."""
        from dbus_fast import BusType, Message
        from dbus_fast.aio import MessageBus

        async def call() -> list[object]:
            os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = self.env["DBUS_SYSTEM_BUS_ADDRESS"]
            bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
            message = Message(
                destination="org.bluez",
                path="/",
                interface="test.Radio1",
                member=member,
                signature=signature,
                body=list(body),
            )
            reply = await bus.call(message)
            bus.disconnect()
            await bus.wait_for_disconnect()
            return reply.body

        before = os.environ.get("DBUS_SYSTEM_BUS_ADDRESS")
        try:
            return asyncio.run(call())
        finally:
            if before is None:
                os.environ.pop("DBUS_SYSTEM_BUS_ADDRESS", None)


@pytest.fixture
def machine(tmp_path) -> Iterator[Machine]:
    socket = tmp_path / "bus"
    env = os.environ | {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={socket}"}
    bus = subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address=unix:path={socket}"],
        stderr=subprocess.DEVNULL,
    )
    until(socket.exists, 10.0)
    service = subprocess.Popen(
        [sys.executable, str(SERVICE), "5"], env=env, stdout=subprocess.PIPE, text=True
    )
    assert service.stdout is not None
    assert service.stdout.readline().strip() == "ready"
    home = tmp_path / "home"
    home.mkdir()
    Assignments(dict(zip(SEGMENTS, SERIALS, strict=True))).save(home / "sensors.toml")
    try:
        yield Machine(env, home, service)
    finally:
        for process in (service, bus):
            process.terminate()
            process.wait(10.0)
        service.stdout.close()


def until(is_so, seconds: float) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def recording_of(machine: Machine) -> Path | None:
    return next(iter((machine.home / "recordings").glob("*.mcap")), None)


def grown(machine: Machine, size: int) -> bool:
    path = recording_of(machine)
    return path is not None and path.stat().st_size > size


def end(process: subprocess.Popen[str]) -> str:
    """Ctrl-C."""
    process.send_signal(signal.SIGINT)
    words, _ = process.communicate(timeout=90.0)
    assert process.returncode == 0, words
    return words


def indexes(path: Path, segment: Segment) -> dict[int, np.ndarray]:
    """Indexes heard of one sensor by epoch."""
    found: dict[int, list[np.ndarray]] = {}
    with Recording.open(path) as recording:
        for record in recording.records():
            if isinstance(record, Packet) and record.segment is segment:
                p = LatemilesV1().decode(record.payload)
                found.setdefault(p.epoch, []).append(p.first_index + np.arange(len(p.acc)))
    return {epoch: np.concatenate(parts) for epoch, parts in found.items()}


def test_sensors_are_scanned_and_questioned_through_bluez(machine):
    scan = machine.latemiles("scan", "--seconds", "2")
    words, _ = scan.communicate(timeout=60.0)
    assert scan.returncode == 0, words
    assert words.count("latemiles sensor") == 3
    assert "left thigh" in words
    doctor = machine.latemiles("doctor")
    words, _ = doctor.communicate(timeout=90.0)
    assert "links at once      3 of 3 sensors." in words, words
    assert words.count("firmware 1.0.0") == 3
    assert machine.radio("Links", "") == [0]


def test_a_program_that_was_killed_goes_on_with_the_same_run(machine):
    first = machine.latemiles("live", "--headless")
    until(lambda: grown(machine, 60_000), 60.0)
    first.kill()
    first.wait(10.0)
    if first.stdout is not None:
        first.stdout.close()
    path = recording_of(machine)
    assert path is not None
    # The links stay, as BlueZ leaves them; nobody advertises.
    assert machine.radio("Links", "") == [3]
    second = machine.latemiles("live", "--headless", "--continue")
    until(lambda: grown(machine, 90_000), 60.0)
    words = end(second)
    assert "Going on with" in words
    again = recording_of(machine)
    assert again == path
    assert machine.radio("Links", "") == [0]
    for segment in SEGMENTS:
        epochs = indexes(path, segment)
        # One session of the sensor, not a sample missing although nobody listened for some seconds.
        assert len(epochs) == 1
        (heard,) = epochs.values()
        assert len(np.setdiff1d(np.arange(heard.max() + 1), heard)) == 0
        assert len(heard) > 5 * 208
    with Recording.open(path) as recording:
        arrivals = [r.arrival_ns for r in recording.records() if isinstance(r, Packet)]
    assert max(np.diff(arrivals)) > 1e9
    assert (machine.home / "runs" / path.stem / "report.html").exists()


def test_errors_that_only_bluez_makes_and_a_sensor_out_of_range_cost_no_sample(machine):
    machine.radio("FailConnects", "as", ["InProgress", "Failed:Software caused connection abort"])
    live = machine.latemiles("live", "--headless")
    until(lambda: grown(machine, 40_000), 60.0)
    machine.radio("SetRange", "ub", 1, False)
    time.sleep(6.0)
    machine.radio("SetRange", "ub", 1, True)
    time.sleep(5.0)
    end(live)
    path = recording_of(machine)
    assert path is not None
    for segment in SEGMENTS:
        (heard,) = indexes(path, segment).values()
        assert len(np.setdiff1d(np.arange(heard.max() + 1), heard)) == 0
    with Recording.open(path) as recording:
        told = [r for r in recording.records() if isinstance(r, Link) and r.segment is Segment.LEFT_THIGH]
    assert [r.state for r in told if r.state != "battery"] == ["up", "down", "up"]


def test_a_bus_that_dies_ends_in_a_whole_recording(machine):
    live = machine.latemiles("live", "--headless")
    until(lambda: grown(machine, 40_000), 60.0)
    machine.service.kill()
    time.sleep(3.0)
    words = end(live)
    assert "report" in words
    path = recording_of(machine)
    assert path is not None
    with Recording.open(path) as recording:
        states = [r.state for r in recording.records() if isinstance(r, Link)]
    assert states.count("down") == 3
