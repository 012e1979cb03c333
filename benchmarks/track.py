"""Bends: a simulated 400 m track, with the runner's speed known, 10 % wrong and unknown.

    python benchmarks/track.py [SEEDS]      default: 4

Each seed is another runner with other sensors, mounted anyhow: standing, three squats, a walk and three laps
at 3.5 m/s. Inclination of the sensor is judged sample by sample against the true one of that very sensor, as
`vqf` gives it and as the whole pipeline does; strides against the true strides, as the difference between
bends and straights, in which neither the mounting nor an offset of the accelerometer has a part. The last
column is the share of strides that form drift may use. Rows, by what is wrong with the sensors:

rigid   nothing, and they sit on rigid segments: what the bends alone cost.
noisy   soft tissue, ringing, noise, clipping and a bias of the gyroscope. Goals are held against these:
        it is the simulation that the goals were measured in.
worn    that, offsets, scale and cross-axis errors. An offset of the accelerometer of 5 mg is a lean of 0.3
        degrees that no filter can tell from one.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from math import inf, pi

import numpy as np
from goals import tell
from vqf import VQF

from latemiles.analysis import analyze
from latemiles.analysis_result import Analysis
from latemiles.metrics.table import EXCLUDING
from latemiles.signals.frames import SEGMENTS, quat_conj, quat_multiply
from latemiles.sim.plan import Bend, easy_run
from latemiles.sim.runner import SimulatedRun, simulate

RADIUS_M = 36.8
STRAIGHT_M = 84.39
TRACK = (Bend(STRAIGHT_M, inf), Bend(pi * RADIUS_M, RADIUS_M))
SPEED_M_S = 3.5
MINUTES = 6.0
STEADY_S = (54.0, 34.0 + 60.0 * MINUTES - 5.0)
COLUMNS = ("pelvic_tilt_mean_deg", "pelvic_obliquity_mean_deg")
TOLD = {"unknown": None, "10 % low": 0.9, "10 % high": 1.1, "known": 1.0, "watch": "watch"}


def track(seed: int, kind: str, *, minutes: float = MINUTES) -> SimulatedRun:
    """A run on the track."""
    plan = easy_run(minutes, SPEED_M_S, route=TRACK)
    if kind == "rigid":
        plan = plan.without_errors()
    elif kind == "noisy":
        true = replace(plan.sensors.errors, acc_bias=0.0, acc_bias_per_k=0.0, scale=0.0, cross_axis=0.0)
        plan = replace(plan, sensors=replace(plan.sensors, errors=true))
    return simulate(plan, seed)


def told(run: SimulatedRun, how: float | str | None) -> tuple[np.ndarray, np.ndarray] | None:
    """Times and speeds that are handed to the analysis."""
    if how is None:
        return None
    if how == "watch":
        t, speed, *_ = run.watch()
        return t, speed
    t = np.arange(0.0, run.duration_s, 1.0)
    return t, float(how) * run.timeline.at("speed", t)


def tilt_error_deg(quat: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Angle between the verticals of two orientations (n, 4), degrees."""
    error = quat_multiply(quat, quat_conj(truth))
    return np.degrees(
        2.0 * np.arctan2(np.hypot(error[:, 1], error[:, 2]), np.hypot(error[:, 0], error[:, 3]))
    )


def rmse_deg(t: np.ndarray, quat: np.ndarray, true_t: np.ndarray, true_quat: np.ndarray) -> float:
    """Root mean square inclination error in steady running."""
    nearby = np.sign(np.sum(true_quat[1:] * true_quat[:-1], axis=1))
    steady = true_quat * np.concatenate([[1.0], np.cumprod(nearby)])[:, None]
    truth = np.stack([np.interp(t, true_t, steady[:, j]) for j in range(4)], axis=1)
    truth /= np.linalg.norm(truth, axis=1, keepdims=True)
    error = tilt_error_deg(quat, truth)[(t >= STEADY_S[0]) & (t < STEADY_S[1])]
    return float(np.sqrt(np.nanmean(error**2)))


def leans_deg(run: SimulatedRun, analysis: Analysis) -> list[float]:
    """Error of tilt and of obliquity in bends less the same on straights, medians of strides, degrees."""
    table, truth = analysis.strides, run.truth.strides
    steady = run.truth.steady(*STEADY_S)
    t, true_t = np.asarray(table["t_ic_s"]), truth["t_ic_s"][steady]
    turning = np.abs(np.gradient(run.timeline.heading_at(true_t), true_t)) > 0.5 * SPEED_M_S / RADIUS_M
    nearest = np.clip(np.searchsorted(t, true_t - 0.1), 0, len(t) - 1)
    found = np.abs(t[nearest] - true_t) < 0.1
    out = []
    for column in COLUMNS:
        error = np.asarray(table[column])[nearest] - truth[column][steady]
        out.append(float(np.nanmedian(error[found & turning]) - np.nanmedian(error[found & ~turning])))
    return out


def one(seed: int, kind: str, basis: str, how: str) -> list[float]:
    """Inclination errors of pelvis and both thighs, leans of tilt and obliquity, used strides, strides."""
    run = track(seed, kind)
    parts = list(run.chunks())
    analysis = analyze(run.streams(), speed=told(run, TOLD[how]), basis=basis)
    errors = []
    for lane, segment in enumerate(SEGMENTS):
        true_t, true_quat = (
            np.concatenate([getattr(part[lane], name) for part in parts])
            for name in ("t_s", "quat_earth_sensor")
        )
        errors.append(rmse_deg(analysis.t, analysis.orientation[segment.value], true_t, true_quat))
    quality = np.asarray(analysis.strides["quality"]).astype(np.int64)
    used = float(np.mean((quality & int(EXCLUDING)) == 0))
    return [*errors, *leans_deg(run, analysis), 100.0 * used]


def peer(seed: int, kind: str) -> list[float]:
    """The same inclination errors of ``vqf``, sample by sample."""
    run = track(seed, kind)
    parts = list(run.chunks())
    errors = []
    for lane, segment in enumerate(SEGMENTS):
        stream = run.streams()[segment]
        quat = VQF(run.sensors[lane].sample_hz ** -1).updateBatch(stream.gyr.copy(), stream.acc.copy())[
            "quat6D"
        ]
        truth = np.concatenate([part[lane].quat_earth_sensor for part in parts])
        # Rates read at an instant and summed up reach half a sample beyond it.
        half_s = 0.5 / run.sensors[lane].sample_hz
        errors.append(rmse_deg(stream.t + half_s, quat, stream.t, truth))
    return [*errors, np.nan, np.nan, np.nan]


def main(seeds: int) -> None:
    """Print a row a condition: medians over the seeds."""
    print(f"400 m track, {SPEED_M_S} m/s, whole pipeline; degrees, median of {seeds} runners")
    print(
        f"{'':<6}{'':<10}{'speed':<11}{'pelvis':>7}{'left':>7}{'right':>7}"
        f"{'tilt in bends':>15}{'obliquity':>11}{'used %':>8}"
    )
    cells: dict[tuple[str, str, str], float] = {}
    with ProcessPoolExecutor(2) as pool:
        for kind in ("rigid", "noisy", "worn"):
            rows = [("vqf", "unknown", [pool.submit(peer, seed, kind) for seed in range(seeds)])]
            for basis in ("causal", "smoothed"):
                for how in TOLD:
                    rows.append(
                        (basis, how, [pool.submit(one, seed, kind, basis, how) for seed in range(seeds)])
                    )
            for basis, how, waiting in rows:
                cell = np.median([job.result() for job in waiting], axis=0)
                cells[kind, basis, how] = float(cell[0])
                print(
                    f"{kind:<6}{basis:<10}{how:<11}{cell[0]:7.2f}{cell[1]:7.2f}{cell[2]:7.2f}"
                    f"{cell[3]:15.2f}{cell[4]:11.2f}{cell[5]:8.0f}",
                    flush=True,
                )
    tell_goals(cells)


def tell_goals(cells: dict[tuple[str, str, str], float]) -> None:
    """The noisy sensors, smoothed; the worse of 10 % low and high."""

    def worst(kind: str, basis: str, hows: tuple[str, ...]) -> float:
        return max(cells[kind, basis, how] for how in hows)

    for goal, hows in (("track_known", ("known",)), ("track_wrong", ("10 % low", "10 % high"))):
        rigid, worn = (worst(kind, "smoothed", hows) for kind in ("rigid", "worn"))
        said = f"rigid {rigid:.2f}, worn {worn:.2f}; live {worst('noisy', 'causal', hows):.2f}"
        tell(goal, worst("noisy", "smoothed", hows), said)
    peer, live = cells["noisy", "vqf", "unknown"], cells["noisy", "causal", "unknown"]
    mine = cells["noisy", "smoothed", "unknown"]
    tell("track_unknown", max(mine, live) / peer, f"{mine:.2f} deg, live {live:.2f}, for {peer:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 4)
