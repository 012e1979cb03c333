"""Every benchmark in turn; the tables go to the screen and into benchmarks/results.md.

    python benchmarks/run.py [--quick] [--only NAME ...]

``--quick``: fewer seeds and shorter runs, into results-quick.md. ``--only``: these alone, say ``--only speed
slips``; what results.md says of the others stays. It is written after every benchmark.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from goals import table

HERE = Path(__file__).resolve().parent
HEADING = "## "
TARGETS = f"{HEADING}What was to be reached"


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A script, its arguments and those of a quick look."""

    name: str
    title: str
    command: tuple[str, ...]
    quick: tuple[str, ...]


FULL = (
    Benchmark("broad", "Orientation on BROAD: vqf, imufusion, ahrs", ("broad.py",), ()),
    Benchmark("synthetic", "The same filters on a synthetic runner", ("synthetic_runner.py",), ("1", "2")),
    Benchmark(
        "kinematics",
        "Real running kinematics: angles against the truth",
        ("running_kinematics.py", "--seeds", "6"),
        ("--seeds", "1"),
    ),
    Benchmark(
        "mountings",
        "The same without squats: 40 mountings",
        ("running_kinematics.py", "--squats", "0", "--seeds", "20", "--first-seed", "100"),
        ("--squats", "0", "--seeds", "2", "--first-seed", "100"),
    ),
    Benchmark("saturation", "Clipped sensors", ("saturation.py",), ("1",)),
    Benchmark("robustness", "Whatever happens to sensors: wrong and unmarked", ("robustness.py",), ("2",)),
    Benchmark("contacts", "Initial contact and toe-off", ("contacts.py",), ("0.7", "1")),
    Benchmark("slips", "Slips of 3 degrees, and 20 clean hours", ("slips.py",), ("2", "2")),
    Benchmark("long_drift", "Three hours with sensors that warm up", ("long_drift.py",), ("1", "1")),
    Benchmark("sync", "Sensors against each other in time", ("sync.py",), ("1", "1")),
    Benchmark("track", "A 400 m track: bends with speed told, wrong and unknown", ("track.py",), ("1",)),
    Benchmark(
        "statistics",
        "Form drift statistics, simulated strides",
        ("drift_statistics.py",),
        ("--runs", "10"),
    ),
    Benchmark("hours", "Simulated hours through the whole pipeline", ("simulated_hour.py", "20"), ("2",)),
    Benchmark("speed", "Speed beside `vqf`, `imufusion` and `ahrs`", ("speed.py", "4"), ("0.25",)),
    Benchmark("long_run", "Time and memory of `latemiles analyze`", ("long_run.py", "1", "4"), ("0.25", "1")),
    Benchmark(
        "latency", "From the sensor to the page, over the virtual radio", ("live_latency.py", "45"), ("30",)
    ),
)


def machine() -> str:
    """The machine and the libraries in one line."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if "model name" in line
        ]
        cpu = f"{len(names)} x {names[0]}" if names else cpu
    parts = (cpu, platform.system(), f"Python {platform.python_version()}")
    libraries = (f"{name} {version(name)}" for name in ("numpy", "numba", "vqf", "imufusion", "ahrs"))
    return ", ".join((*parts, *libraries))


def load() -> str:
    """How busy the machine is."""
    if not hasattr(os, "getloadavg"):
        return "load unknown"
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"


def sections(text: str) -> dict[str, str]:
    """What results.md says under each title."""
    parts = re.split(rf"^{HEADING}", text, flags=re.MULTILINE)[1:]
    return {title.strip(): body.strip() for title, _, body in (part.partition("\n") for part in parts)}


def page(kept: dict[str, str]) -> str:
    """The whole of results.md."""
    bodies = [(b.title, kept[b.title]) for b in FULL if b.title in kept]
    every = "\n".join(body for _, body in bodies)
    lines = [
        "# Benchmark results",
        "",
        "Made by `make bench`; `python benchmarks/run.py --only NAME` makes one part anew. Each part says",
        "when, on what machine and beside how much other work it was measured. Lines that begin with `=>`",
        "are the figures of the first table. Times, and ratios of them, mean little on a busy machine.",
        "",
        TARGETS,
        "",
        *table(every),
        "",
    ]
    for title, body in bodies:
        lines += [f"{HEADING}{title}", "", body, ""]
    return "\n".join(lines)


def measured(benchmark: Benchmark, options: tuple[str, ...]) -> tuple[str, int]:
    """What results.md is to say of one benchmark, and whether it failed."""
    began, before = time.monotonic(), load()
    print(f"\n== {benchmark.title}", flush=True)
    text, status = run([sys.executable, str(HERE / benchmark.command[0]), *options])
    minutes = (time.monotonic() - began) / 60.0
    command = " ".join(("python", f"benchmarks/{benchmark.command[0]}", *options))
    state = "" if status == 0 else " **It ended with an error.**"
    about = f"`{command}`, {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC, {minutes:.0f} min, {before}."
    return f"{about}{state}\n{machine()}.\n\n```\n{text.rstrip()}\n```", status


def run(command: list[str]) -> tuple[str, int]:
    """Run one script, showing its lines as they come."""
    lines: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            lines.append(line)
    return "".join(lines), process.returncode


def main() -> int:
    """Run what was asked for; 1 if a benchmark failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="+", choices=[b.name for b in FULL], metavar="NAME")
    chosen = parser.parse_args()
    results = HERE / ("results-quick.md" if chosen.quick else "results.md")
    kept = sections(results.read_text()) if results.exists() else {}
    failed = 0
    for benchmark in FULL:
        if chosen.only and benchmark.name not in chosen.only:
            continue
        options = benchmark.quick if chosen.quick else benchmark.command[1:]
        kept[benchmark.title], status = measured(benchmark, options)
        failed += status != 0
        results.write_text(page(kept))
    print(f"\nWritten to benchmarks/{results.name}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
