"""Three hours with sensors that warm up: how far does the drift that is reported stray from the true one.

    python benchmarks/long_drift.py [HOURS] [SEEDS]      default: 3 and 3

Each seed is another steady runner with other sensors, mounted anyhow: gyroscope bias 0.3 deg/s and 0.02 deg/s
per degC, accelerometer bias 5 mg and 0.1 mg per degC (SD over specimens), warming by 15 degC with a time
constant of 40 minutes, so that it goes on through the baseline. No sweat-belt creep. The error is that of
late-minus-baseline, found less true, of the stride means; ``largest`` is the largest error of any half hour
against the baseline. Degrees.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from math import radians
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from goals import tell
from simulated_hour import as_recording

from latemiles.analysis import analyze
from latemiles.metrics.table import EXCLUDING
from latemiles.sim.imu import ImuErrors
from latemiles.sim.plan import Sensors, easy_run
from latemiles.sim.runner import simulate

METRICS = (
    "pelvic_tilt_mean_deg",
    "pelvic_obliquity_mean_deg",
    "hip_flexion_mean_deg",
    "hip_adduction_mean_deg",
    "hip_internal_rotation_mean_deg",
)
WARMING = ImuErrors(gyr_bias_per_k=radians(0.02), warm_up_k=15.0, warm_up_s=2400.0)
HALF_HOUR_S = 1800.0


def one(hours: float, seed: int) -> list[tuple[float, float]]:
    """For each metric: error of late minus baseline, largest error of a half hour."""
    plan = replace(easy_run(60.0 * hours, 3.0), sensors=Sensors(rate_hz=104.0, errors=WARMING))
    run = simulate(plan, 300 + seed)
    with TemporaryDirectory() as folder:
        analysis = analyze(as_recording(run, Path(folder)), angles=False)
    table, truth = analysis.strides, run.truth.strides
    used = (np.asarray(table["quality"]).astype(np.int64) & int(EXCLUDING)) == 0
    baseline, late = (
        getattr(analysis.form_drift[METRICS[0]], f"{name}_window_s") for name in ("baseline", "late")
    )
    end = late[1]
    windows = [(a, a + HALF_HOUR_S) for a in np.arange(baseline[1], end - HALF_HOUR_S, HALF_HOUR_S)]
    steady = run.truth.steady()
    out = []
    for name in METRICS:

        def error(window: tuple[float, float], name: str = name) -> float:
            mine = used & (table["t_ic_s"] >= window[0]) & (table["t_ic_s"] <= window[1])
            true = steady & (truth["t_ic_s"] >= window[0]) & (truth["t_ic_s"] <= window[1])
            return float(np.nanmean(np.asarray(table[name])[mine]) - np.mean(truth[name][true]))

        zero = error(baseline)
        every = [error(w) - zero for w in windows]
        out.append((error(late) - zero, max(every, key=abs)))
    return out


def main(hours: float, seeds: int) -> None:
    """Print a row a metric."""
    with ProcessPoolExecutor(2) as pool:
        found = np.array(list(pool.map(one, [hours] * seeds, range(seeds))))
    print(f"{hours:g} h, 3 x 104 Hz, {seeds} runners whose sensors warm by 15 degC; error of form drift, deg")
    print(f"{'':<34}{'late less baseline, each seed':<34}{'largest half hour':>18}")
    for k, name in enumerate(METRICS):
        each = " ".join(f"{x:+.2f}" for x in found[:, k, 0])
        print(f"{name:<34}{each:<34}{np.abs(found[:, k, 1]).max():>18.2f}")
    tell("long_drift_tilt", np.abs(found[:, 0, 0]).max(), f"largest of {seeds} runners, {hours:g} h")


if __name__ == "__main__":
    given = [float(x) for x in sys.argv[1:]]
    main(given[0] if given else 3.0, int(given[1]) if len(given) > 1 else 3)
