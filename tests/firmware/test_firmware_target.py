"""The core on an emulated Cortex-M4 against the core on this machine: the same bytes."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from firmware.host_core import CORE, DATA, FAKES, LOG, ROOT, WARNINGS, find_compiler
from firmware.replay_stream import recorded_counts, recorded_run, run_of_the_chip
from latemiles.sensors.drivers.latemiles_v1 import LatemilesV1

ARM = "arm-none-eabi-gcc"
QEMU = "qemu-system-arm"
RECORDING = ROOT / "recordings" / "easy_run.mcap"
# Measured 600 to 800; a jump means that something slow got into the path of every sample.
MOST_INSTRUCTIONS = 1500

SOURCES = [*sorted(CORE.glob("*.c")), FAKES / "replay.c", FAKES / "fake_lsm6ds3.c"]
INCLUDES = [f"-I{CORE}", f"-I{FAKES}"]


def _need(*programs: str) -> None:
    missing = [p for p in programs if shutil.which(p) is None]
    if missing and os.environ.get("CI") == "true":
        pytest.fail(
            f"CI needs {', '.join(missing)}: "
            "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm"
        )
    if missing:
        pytest.skip(f"{', '.join(missing)} not found; install it to include this test")


@pytest.fixture(scope="module")
def on_host(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Command that replays on this machine."""
    compiler = find_compiler()
    if compiler is None:
        _need("gcc")
    target = tmp_path_factory.mktemp("host") / "replay"
    sources = map(str, [*SOURCES, FAKES / "replay_host.c"])
    subprocess.run([str(compiler), *WARNINGS, "-O2", *INCLUDES, "-o", str(target), *sources], check=True)
    return [str(target)]


@pytest.fixture(scope="module")
def on_target(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Command that replays on the emulated Cortex-M4."""
    _need(ARM, QEMU)
    target = tmp_path_factory.mktemp("m4") / "replay.elf"
    machine = ["-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"]
    link = ["-nostartfiles", "--specs=nano.specs", "-T", str(FAKES / "replay_m4.ld")]
    sources = map(str, [*SOURCES, FAKES / "replay_m4.c"])
    subprocess.run(
        [ARM, *WARNINGS, "-Os", *machine, *INCLUDES, *link, "-o", str(target), *sources], check=True
    )
    emulator = [
        "-M",
        "mps2-an386",
        "-cpu",
        "cortex-m4",
        "-nographic",
        "-monitor",
        "none",
        "-serial",
        "none",
        "-icount",
        "shift=0",
    ]
    return [QEMU, *emulator, "-semihosting-config", "enable=on,target=native", "-kernel", str(target)]


def _replay(command: list[str], course: bytes, folder: Path) -> tuple[bytes, str]:
    (folder / "in.bin").write_bytes(course)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=True)
    return (folder / "out.bin").read_bytes(), done.stdout + done.stderr


def _notifications(out: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 0
    while at < len(out):
        channel, n = struct.unpack_from("<BH", out, at)
        found.append((channel, out[at + 3 : at + 3 + n]))
        at += 3 + n
    return found


@pytest.mark.parametrize("course", ["a recorded run", "a run of the chip"])
def test_the_target_sends_the_same_bytes_as_the_host(
    course: str, on_host: list[str], on_target: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = recorded_run(RECORDING) if course == "a recorded run" else run_of_the_chip()
    host, _ = _replay(on_host, events, tmp_path)
    target, said = _replay(on_target, events, tmp_path)
    assert len(host) > 100_000
    assert target == host
    instructions = int(said.split(" samples, ")[1].split()[0])
    with capsys.disabled():
        print(f"\n  emulated Cortex-M4, {course}: {said.strip()}, {len(host)} bytes equal to the host's")
    assert 50 < instructions < MOST_INSTRUCTIONS


def test_a_recorded_run_arrives_whole_through_outage_resend_and_log(
    on_host: list[str], tmp_path: Path
) -> None:
    out, _ = _replay(on_host, recorded_run(RECORDING), tmp_path)
    counts = recorded_counts(RECORDING)
    driver = LatemilesV1()
    seen: dict[int, bytes] = {}
    for channel, data in _notifications(out):
        frame = (
            data
            if channel == DATA
            else data[16 : 28 + 12 * data[17]]
            if channel == LOG and len(data) > 8
            else b""
        )
        if not frame:
            continue
        packet = driver.decode(frame)
        assert packet.first_index is not None
        for k in range(frame[1]):
            sample = frame[12 + 12 * k : 24 + 12 * k]
            assert seen.setdefault(packet.first_index + k, sample) == sample
    first_lost = next(k for k in range(1900, 2100) if k not in seen)
    for index, sample in seen.items():
        # Forty samples were lost in the sensor, and index counts them.
        k = index if index < first_lost else index - 40
        assert sample == counts[k].astype("<i2").tobytes()
    end = 60 * 208 + 40
    missing = sorted(set(range(end)) - set(seen))
    assert missing[:40] == list(range(first_lost, first_lost + 40))
    # Live frames that a slow radio passed over stay in the ring for a host that asks.
    assert np.all(np.array(missing[40:]) < end)
