"""Speed beside the peers, in one process and interleaved: medians and quartiles of rounds.

    python benchmarks/speed.py [HOURS]        length of the whole analysis, default 4

Ratios mean more than times on a machine with other work. The peers take what they are made for: vqf a whole
array or a block at once, imufusion and ahrs one sample a call (they have no other way). The whole analysis is
`latemiles.analyze` of a simulated recording of three 208 Hz sensors, in a file as a radio would have left
it: bytes to strides and form drift, two passes. Its peer is the three orientations alone.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
from latemiles.compiled import use_fresh_cache  # noqa: E402

use_fresh_cache(ROOT / ".venv" / "numba")

import ahrs  # noqa: E402
import imufusion  # noqa: E402
import numpy as np  # noqa: E402
import vqf  # noqa: E402
from goals import tell  # noqa: E402
from long_run import make_recording  # noqa: E402

import latemiles as lm  # noqa: E402
from latemiles.estimators.orientation import OrientationStage  # noqa: E402
from latemiles.estimators.orientation_causal import CausalLanes  # noqa: E402
from latemiles.estimators.orientation_params import OrientationParams  # noqa: E402
from latemiles.estimators.orientation_smoothed import SEGMENT_S  # noqa: E402
from latemiles.signals.blocks import GridBlock  # noqa: E402

RATE_HZ = 208.0
ROUNDS = 15
FEW_ROUNDS = 5
"""Of what takes seconds."""
BATCH = 40_000
RUN = 748_800
"""An hour. Fresh memory costs as much as the work, and is taken in the first minutes."""
START = 124_800
"""Ten minutes."""
TICK = 10
FEW = 2_000
"""Samples for peers that take tens of microseconds each."""

Method = Callable[[np.ndarray, np.ndarray], object]


def motion(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rates (n, 3), rad/s, and forces (n, 3), m/s^2, as lively as a runner's; their values cost nothing."""
    rng = np.random.default_rng(seed)
    t = np.arange(n)[:, None] / RATE_HZ
    phase = rng.uniform(0.0, 2.0 * np.pi, 3)
    gyr = 3.0 * np.sin(2.0 * np.pi * 1.4 * t + phase) + 0.3 * rng.normal(size=(n, 3))
    acc = np.array([0.0, 0.0, 9.81]) + 6.0 * np.sin(2.0 * np.pi * 2.8 * t + phase)
    return gyr, acc + rng.normal(size=(n, 3))


def ours_batch(gyr: np.ndarray, acc: np.ndarray) -> object:
    lanes = CausalLanes(RATE_HZ, 1, OrientationParams())
    return lanes.push(gyr[None], acc[None], np.zeros((1, len(gyr)), dtype=np.int64))


def ours_smoothed(gyr: np.ndarray, acc: np.ndarray) -> object:
    """Three sensors in blocks of a segment, each let go when it is final, as `analyze` does."""
    stage = OrientationStage(RATE_HZ, lanes=3, basis="smoothed")
    three_gyr, three_acc = (np.stack([x] * 3) for x in (gyr, acc))
    step = round(SEGMENT_S * RATE_HZ)
    blocks = []
    for k in range(0, len(gyr), step):
        some_acc, some_gyr = (np.ascontiguousarray(x[:, k : k + step]) for x in (three_acc, three_gyr))
        # Written, as by the stage before: memory that nobody has touched would be fetched on our time.
        flags = np.full(some_acc.shape[:2], 0, dtype=np.int64)
        blocks.append(GridBlock(k, RATE_HZ, some_acc, some_gyr, flags))
    start = time.perf_counter()
    for block in blocks:
        stage.push(block)
    for _ in stage.drain():
        pass
    return time.perf_counter() - start


def ours_called(gyr: np.ndarray, acc: np.ndarray) -> object:
    return lm.orientation(gyr, acc, RATE_HZ, basis="smoothed")


def ours_called_causal(gyr: np.ndarray, acc: np.ndarray) -> object:
    return lm.orientation(gyr, acc, RATE_HZ)


def ours_ticks(gyr: np.ndarray, acc: np.ndarray) -> object:
    """Three sensors, ten samples a call: the tick of a live run."""
    lanes = CausalLanes(RATE_HZ, 3, OrientationParams())
    flags = np.zeros((3, TICK), dtype=np.int64)
    three_gyr, three_acc = (np.ascontiguousarray(np.stack([x] * 3)) for x in (gyr, acc))
    blocks = [
        (np.ascontiguousarray(three_gyr[:, k : k + TICK]), np.ascontiguousarray(three_acc[:, k : k + TICK]))
        for k in range(0, len(gyr) - TICK + 1, TICK)
    ]
    start = time.perf_counter()
    for some_gyr, some_acc in blocks:
        lanes.push(some_gyr, some_acc, flags)
    return time.perf_counter() - start


def vqf_ticks(gyr: np.ndarray, acc: np.ndarray) -> object:
    filters = [vqf.VQF(1.0 / RATE_HZ) for _ in range(3)]
    # A copy a sensor, as ours has: three sensors send three streams.
    blocks = [
        [(gyr[k : k + TICK].copy(), acc[k : k + TICK].copy()) for _ in filters]
        for k in range(0, len(gyr) - TICK + 1, TICK)
    ]
    start = time.perf_counter()
    for block in blocks:
        for one, (some_gyr, some_acc) in zip(filters, block, strict=True):
            one.updateBatch(some_gyr, some_acc)
    return time.perf_counter() - start


def fusion_samples(gyr: np.ndarray, acc: np.ndarray) -> object:
    one = imufusion.Ahrs()
    one.set_sample_period(1.0 / RATE_HZ)
    degrees, g = np.degrees(gyr), acc / 9.81
    for k in range(len(gyr)):
        one.update_no_magnetometer(degrees[k], g[k])
    return one.get_quaternion()


def ahrs_samples(gyr: np.ndarray, acc: np.ndarray) -> object:
    return ahrs.filters.Madgwick(gyr=gyr, acc=acc, frequency=RATE_HZ).Q


def vqf_batch(gyr: np.ndarray, acc: np.ndarray) -> object:
    return vqf.VQF(1.0 / RATE_HZ).updateBatch(gyr, acc)


def vqf_offline_three(gyr: np.ndarray, acc: np.ndarray) -> object:
    start = time.perf_counter()
    for _ in range(3):
        vqf_offline(gyr, acc)
    return time.perf_counter() - start


def vqf_offline(gyr: np.ndarray, acc: np.ndarray) -> object:
    return vqf.offlineVQF(gyr, acc, None, 1.0 / RATE_HZ)


GROUPS: dict[str, tuple[int, int, dict[str, Method]]] = {
    "one stream, whole array, with bias": (
        BATCH,
        1,
        {"vqf.VQF.updateBatch": vqf_batch, "latemiles causal": ours_batch},
    ),
    "live tick, 3 sensors x 10 samples": (
        6_000,
        3,
        {"vqf.VQF.updateBatch of 10": vqf_ticks, "latemiles causal, one call": ours_ticks},
    ),
    "whole run of an hour, forward and backward, 3 sensors": (
        RUN,
        3,
        {"vqf.offlineVQF": vqf_offline_three, "latemiles smoothed": ours_smoothed},
    ),
    "the first ten minutes alone": (
        START,
        3,
        {"vqf.offlineVQF": vqf_offline_three, "latemiles smoothed": ours_smoothed},
    ),
    "one stream, ten minutes, as anyone calls it": (
        START,
        1,
        {
            "vqf.offlineVQF": vqf_offline,
            "latemiles.orientation, smoothed": ours_called,
            "latemiles.orientation, causal": ours_called_causal,
            "vqf.VQF.updateBatch": vqf_batch,
        },
    ),
    "one sample a call": (
        FEW,
        1,
        {
            "vqf.VQF.updateBatch": vqf_batch,
            "imufusion.Ahrs": fusion_samples,
            "ahrs.Madgwick": ahrs_samples,
        },
    ),
}
"""Samples, sensors, methods; the first one is what the others are compared with."""
GOAL_OF = {
    "one stream, whole array, with bias": "speed_batch",
    "live tick, 3 sensors x 10 samples": "speed_tick",
    "whole run of an hour, forward and backward, 3 sensors": "speed_smoothed",
}
"""The last row of ours in a group is the one that counts."""


def measure(methods: dict[str, Method], n: int, sensors: int) -> dict[str, list[float]]:
    """Nanoseconds a sensor-sample of each method in every round."""
    gyr, acc = motion(n, 1)
    rounds = ROUNDS if n < RUN else FEW_ROUNDS
    times: dict[str, list[float]] = {name: [] for name in methods}
    for k in range(rounds + 1):
        for name, method in methods.items():
            start = time.perf_counter()
            said = method(gyr, acc)
            spent = said if isinstance(said, float) else time.perf_counter() - start
            if k:  # The first round loads caches and compiled code.
                times[name].append(spent / (n * sensors) * 1e9)
    return times


def print_orientation() -> None:
    """Filters, a table."""
    print(f"{'ns a sensor-sample, median (quartiles)':60s}{'x first':>9s}")
    for title, (n, sensors, methods) in GROUPS.items():
        print(title)
        times = measure(methods, n, sensors)
        first = next(iter(times.values()))
        for name, values in times.items():
            low, middle, high = statistics.quantiles(values, n=4)
            ratio = statistics.median(a / b for a, b in zip(values, first, strict=True))
            print(f"  {name:30s}{middle:10.1f} ({low:.1f} to {high:.1f})".ljust(60) + f"{ratio:9.3f}")
            if title in GOAL_OF and name.startswith("latemiles"):
                tell(GOAL_OF[title], ratio, f"{name}: {middle:.0f} ns")


def cpu(call: Callable[[], object]) -> float:
    """Processor seconds of one call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def print_analysis(hours: float, folder: Path) -> None:
    """The whole analysis against the orientations alone, turn about on the same machine."""
    short, path = folder / "short.mcap", folder / "run.mcap"
    make_recording(short, 0.05)
    make_recording(path, hours)
    lm.analyze(short, angles=False)
    streams = [motion(int(3600 * hours * RATE_HZ), seed) for seed in range(3)]
    peer: list[float] = []
    peer.append(cpu(lambda: [vqf_offline(*s) for s in streams]))
    whole = cpu(lambda: lm.analyze(path, angles=False))
    peer.append(cpu(lambda: [vqf_offline(*s) for s in streams]))
    beside = statistics.mean(peer)
    print(f"\nwhole analysis of {hours:g} h x 3 sensors at 208 Hz, processor seconds")
    print(f"  vqf.offlineVQF, three streams {beside:10.1f} ({min(peer):.1f} to {max(peer):.1f})")
    print(f"  latemiles.analyze             {whole:10.1f}".ljust(60) + f"{whole / beside:9.3f}")
    tell("speed_analysis", whole / beside, f"{hours:g} h, {whole:.1f} processor s for {beside:.1f}")


FIRST = """
import time
start = time.perf_counter()
from pathlib import Path
from latemiles.compiled import use_fresh_cache
use_fresh_cache(Path({cache!r}))
import latemiles as lm
loaded = time.perf_counter()
strides = len(lm.analyze({path!r}, angles=False).strides)
print(loaded - start, time.perf_counter() - start, strides)
"""


def print_first(folder: Path) -> None:
    """A fresh process with compiled kernels in the cache: until three minutes of running are analysed."""
    code = FIRST.format(cache=str(ROOT / ".venv" / "numba"), path=str(folder / "short.mcap"))
    # As with an installed program, modules are compiled to bytecode once, in the round that is left out.
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    env["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
    rounds = []
    for _ in range(6):
        before = time.perf_counter()
        said = subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=env
        )
        spent = time.perf_counter() - before
        rounds.append((*map(float, said.stdout.split()[:2]), spent))
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "latemiles", "--help"], check=True, capture_output=True, env=env)
    command = time.perf_counter() - start
    print("\nfirst result of a fresh process, kernels compiled before, wall seconds, median (least)")
    for name, column in (("imported", 0), ("3 minutes analysed", 1), ("process ended", 2)):
        values = [r[column] for r in rounds[1:]]
        print(f"  {name:30s}{statistics.median(values):10.2f} ({min(values):.2f})")
    print(f"  {'latemiles --help':30s}{command:10.2f}")
    first = [r[2] for r in rounds[1:]]
    tell("speed_first_result", statistics.median(first), f"{min(first):.2f} to {max(first):.2f}")


def main(arguments: list[str]) -> None:
    """Print every table."""
    hours = float(arguments[0]) if arguments else 4.0
    load = os.getloadavg()[0]
    print(f"load of the machine: {load:.1f} on {os.cpu_count()} processors")
    print_orientation()
    with tempfile.TemporaryDirectory() as folder:
        print_analysis(hours, Path(folder))
        print_first(Path(folder))


if __name__ == "__main__":
    main(sys.argv[1:])
