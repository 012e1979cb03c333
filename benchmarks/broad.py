"""Accuracy and speed of the orientation filters beside their peers, on the BROAD trials at hand.

    python benchmarks/broad.py [DATA_FOLDER]

Inclination RMSE in degrees over the movement; time in ns a sample, medians of interleaved rounds in one
process (the machine's mood then hits both sides alike).
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from latemiles.compiled import use_fresh_cache  # noqa: E402

use_fresh_cache(ROOT / ".venv" / "numba")

import numpy as np  # noqa: E402
from goals import tell  # noqa: E402
from peers import PEERS  # noqa: E402

from latemiles.estimators.orientation import OrientationStage  # noqa: E402
from latemiles.signals.blocks import GridBlock  # noqa: E402
from reference.broad import TRIALS, Trial, broad_trial  # noqa: E402
from reference.orientation import inclination_rmse_deg  # noqa: E402

ROUNDS = 9


def ours(trial: Trial, basis: str) -> np.ndarray:
    flags = np.zeros((1, len(trial.gyr)), dtype=np.int64)
    stage = OrientationStage(trial.rate_hz, lanes=1, basis=basis)
    _, some = stage.push(GridBlock(0, trial.rate_hz, trial.acc[None], trial.gyr[None], flags))
    _, rest = stage.finish()
    return np.concatenate([some.quat[0], rest.quat[0]]) if rest.quat.size else some.quat[0]


def peer(name: str) -> Callable[[Trial], np.ndarray]:
    work = PEERS[name]
    return lambda trial: work(trial.gyr, trial.acc, trial.rate_hz)


METHODS: dict[str, Callable[[Trial], np.ndarray]] = {
    "latemiles causal": lambda trial: ours(trial, "causal"),
    "vqf.VQF": peer("vqf.VQF"),
    "latemiles smoothed": lambda trial: ours(trial, "smoothed"),
    "vqf.offlineVQF": peer("vqf.offlineVQF"),
    "imufusion, gain 0.2": peer("imufusion, gain 0.2"),
    "imufusion, default": peer("imufusion, default"),
    "ahrs.Madgwick": peer("ahrs.Madgwick"),
    "ahrs.Mahony": peer("ahrs.Mahony"),
}
SLOW = ("imufusion", "ahrs")
"""A sample a call: timed once."""


def main() -> None:
    named = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("LATEMILES_DATA")
    folder = Path(named) if named else ROOT / ".." / "shared" / "data"
    trials = {name: broad_trial(folder, name) for name in TRIALS}
    errors = {
        method: [inclination_rmse_deg(run(t), t.truth, t.moves) for t in trials.values()]
        for method, run in METHODS.items()
    }
    times: dict[str, list[float]] = {method: [] for method in METHODS}
    longest = max(trials.values(), key=lambda t: len(t.gyr))
    for number in range(ROUNDS):
        for method, run in METHODS.items():
            if number > 0 and method.startswith(SLOW):
                continue
            start = time.perf_counter()
            run(longest)
            times[method].append((time.perf_counter() - start) / len(longest.gyr) * 1e9)
    print(f"{'':20s}" + "".join(f"{name[:22]:>24s}" for name in TRIALS) + f"{'mean':>8s}{'ns/sample':>11s}")
    for method in METHODS:
        row = "".join(f"{e:24.4f}" for e in errors[method])
        print(
            f"{method:20s}{row}{statistics.mean(errors[method]):8.4f}{statistics.median(times[method]):11.1f}"
        )
    for basis, theirs in (("causal", "vqf.VQF"), ("smoothed", "vqf.offlineVQF")):
        a, b = (statistics.mean(errors[name]) for name in (f"latemiles {basis}", theirs))
        tell(f"broad_{basis}", a / b, f"{a:.3f} deg for {b:.3f}, {len(TRIALS)} trials")


if __name__ == "__main__":
    main()
