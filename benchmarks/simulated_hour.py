"""The headline on simulated hours through the whole pipeline: is a change of tilt found, is none invented.

    python benchmarks/simulated_hour.py [SEEDS]      default: 20

Each seed is another runner with other sensors, mounted anyhow: one hour with +2 degrees of tilt coming in
evenly, and one hour without. The truth is the same late-minus-baseline difference of the true strides.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from math import radians
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from latemiles.analysis import analyze
from latemiles.recording.writer import RecordingWriter
from latemiles.sim.packets import header, records
from latemiles.sim.plan import FormDrift, Sensors, easy_run
from latemiles.sim.runner import SimulatedRun, simulate

METRIC = "pelvic_tilt_mean_deg"
CALLED = {"likely change", "clear change"}
BEFORE_S = 34.0


def hour(
    seed: int, *, change_deg: float, minutes: float = 60.0
) -> tuple[float, float, float, float, str, int]:
    """True change, found change, its interval, verdict and slips of one simulated hour."""
    end = BEFORE_S + 60.0 * minutes
    drifts = (FormDrift("pelvic_tilt", radians(change_deg), BEFORE_S, end),) if change_deg else ()
    plan = replace(easy_run(minutes, drifts=drifts), sensors=Sensors(rate_hz=104.0))
    run = simulate(plan, seed)
    with TemporaryDirectory() as folder:
        analysis = analyze(as_recording(run, Path(folder)), angles=False)
    drift = analysis.form_drift[METRIC]
    strides = run.truth.strides
    steady = run.truth.steady()
    level = [
        np.mean(strides[METRIC][steady & (strides["t_ic_s"] >= a) & (strides["t_ic_s"] <= b)])
        for a, b in (drift.baseline_window_s, drift.late_window_s)
    ]
    return (
        float(level[1] - level[0]),
        drift.change,
        *drift.interval,
        drift.verdict,
        len(analysis.quality.slips),
    )


def as_recording(run: SimulatedRun, folder: Path) -> Path:
    """Write a run down: the benchmark goes the road that a user goes."""
    path = folder / "hour.mcap"
    head = header(run, "hour")
    with RecordingWriter(path, head) as writer:
        for record in records(run, head):
            if record is not head:
                writer.append(record)
    return path


def main(seeds: int) -> None:
    """Print a row a seed and the counts."""
    print("One simulated hour each, 3 x 104 Hz, whole pipeline, smoothed; degrees of pelvic tilt")
    print(
        f"{'seed':>5} {'true':>6} {'found':>6} {'interval':>16} {'verdict':<22}"
        f"{'steady: found':>14} {'verdict':<20}slips"
    )
    called = covered = false_calls = 0
    with ProcessPoolExecutor(2) as pool:
        waiting = [
            (pool.submit(hour, seed, change_deg=2.0), pool.submit(hour, 1000 + seed, change_deg=0.0))
            for seed in range(seeds)
        ]
        for seed, pair in enumerate(waiting):
            one, none = (future.result() for future in pair)
            true, found, low, high, verdict, slips = one
            called += verdict in CALLED
            covered += low <= true <= high
            false_calls += none[4] in CALLED
            print(
                f"{seed:>5} {true:>6.2f} {found:>6.2f} {low:>7.2f} to {high:>5.2f} {verdict:<22}"
                f"{none[1]:>14.2f} {none[4]:<20}{slips + none[5]}",
                flush=True,
            )
    print(f"change of +2 called: {called} of {seeds}; interval covers the truth: {covered} of {seeds}")
    print(f"steady hours called a change: {false_calls} of {seeds}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
