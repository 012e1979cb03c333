"""Time and peak memory of `latemiles analyze` on simulated recordings of three 208 Hz sensors.

    python benchmarks/long_run.py [HOURS ...]        default: 1 and 4

The recording is made first and is not part of the figures. Memory is the peak resident size of the process
that analyses; a run four times as long may need more only for its strides.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from latemiles.recording.writer import RecordingWriter
from latemiles.sim.packets import header, records
from latemiles.sim.plan import easy_run
from latemiles.sim.runner import simulate

SEED = 11


def make_recording(path: Path, hours: float) -> float:
    """Write a simulated recording; returns the seconds it took."""
    started = time.perf_counter()
    run = simulate(easy_run(60.0 * hours), SEED)
    head = header(run, path.stem)
    with RecordingWriter(path, head) as writer:
        for record in records(run, head):
            if record is not head:
                writer.append(record)
    return time.perf_counter() - started


def analyse(path: Path, out: Path) -> tuple[float, float, float]:
    """Wall seconds, processor seconds and peak resident MB of one whole `latemiles analyze`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [
        sys.executable,
        "-m",
        "latemiles",
        "--home",
        str(out),
        "analyze",
        str(path),
        "--out",
        str(out / "x"),
    ]
    started = time.perf_counter()
    subprocess.run(["/usr/bin/env", *command], check=True, capture_output=True)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    # The peak is of the largest child so far: runs are measured from the shortest to the longest.
    return wall, cpu, after.ru_maxrss / 1024.0


def main(hours: list[float]) -> None:
    """Print the table."""
    print("Whole `latemiles analyze` of simulated 3 x 208 Hz recordings, kernels compiled before")
    print(f"{'hours':>6} {'file MB':>8} {'wall s':>8} {'cpu s':>8} {'x real time':>12} {'peak MB':>8}")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        warm = out / "warm.mcap"
        make_recording(warm, 0.05)
        analyse(warm, out)
        for h in sorted(hours):
            path = out / f"run{h:g}h.mcap"
            make_recording(path, h)
            wall, cpu, peak = analyse(path, out)
            size = path.stat().st_size / 1e6
            print(
                f"{h:>6g} {size:>8.0f} {wall:>8.1f} {cpu:>8.1f} {3600.0 * h / wall:>12.0f} {peak:>8.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main([float(x) for x in sys.argv[1:]] or [1.0, 4.0])
