"""Every benchmark in turn; the tables go to the screen and into benchmarks/results.md.

python benchmarks/run.py [--quick]     --quick: fewer seeds and a shorter long run
"""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
FULL = (
    ("Orientation on BROAD: vqf, imufusion, ahrs", ("broad.py",)),
    ("The same filters on a synthetic runner", ("synthetic_runner.py",)),
    ("Real running kinematics: angles against the truth", ("running_kinematics.py",)),
    (
        "The same without squats: 40 mountings",
        ("running_kinematics.py", "--squats", "0", "--seeds", "20", "--first-seed", "100"),
    ),
    ("Initial contact and toe-off", ("contacts.py",)),
    ("Slips of 3 degrees, and 20 clean hours", ("slips.py",)),
    ("Three hours with sensors that warm up", ("long_drift.py",)),
    ("Sensors against each other in time", ("sync.py",)),
    ("A 400 m track: bends with speed told, wrong and unknown", ("track.py",)),
    ("Form drift statistics, simulated strides", ("drift_statistics.py",)),
    ("Simulated hours through the whole pipeline", ("simulated_hour.py", "20")),
    ("Speed beside `vqf`, `imufusion` and `ahrs`", ("speed.py", "4")),
    ("Time and memory of `latemiles analyze`", ("long_run.py", "1", "4")),
    ("From the sensor to the page, over the virtual radio", ("live_latency.py", "45")),
)
QUICK = {
    "simulated_hour.py": ("2",),
    "long_run.py": ("0.25", "1"),
    "speed.py": ("0.25",),
    "drift_statistics.py": ("--runs", "10"),
    "contacts.py": ("0.7", "1"),
    "slips.py": ("2", "2"),
    "long_drift.py": ("1", "1"),
    "sync.py": ("1", "1"),
    "synthetic_runner.py": ("1", "2"),
}


def machine() -> str:
    """The machine in one line."""
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


def main(arguments: list[str]) -> int:
    """Run everything; 1 if a benchmark failed."""
    quick = "--quick" in arguments
    pages = ["# Benchmark results", "", f"Made by `make bench`. {machine()}.", ""]
    failed = 0
    for title, (script, *options) in FULL:
        chosen = QUICK.get(script, tuple(options)) if quick else tuple(options)
        print(f"\n== {title}", flush=True)
        text, status = run([sys.executable, str(HERE / script), *chosen])
        failed += status != 0
        pages += [f"## {title}", "", "```", text.rstrip(), "```", ""]
    (HERE / "results.md").write_text("\n".join(pages))
    print("\nWritten to benchmarks/results.md")
    return 1 if failed else 0


def run(command: list[str]) -> tuple[str, int]:
    """Run one script, showing its lines as they come."""
    lines: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            lines.append(line)
    return "".join(lines), process.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
