"""Filters side by side on a synthetic runner: inclination of pelvis and thigh sensors against the truth.

    python benchmarks/synthetic_runner.py [SEEDS] [MINUTES]      default: 2 and 3

The same worn sensors (soft tissue, impacts, noise, bias, scale, cross-axis, 104 Hz, mounted anyhow) go to
every filter in one process. ``straight``: an even road; ``track``: a 400 m track at 3.5 m/s, whose bends look
like tilt to whoever is told no speed. Root mean square inclination error in steady running, degrees, median
of the seeds; the last rows are the whole pipeline told the speed.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
from peers import PEERS
from track import SPEED_M_S, TRACK, rmse_deg

from latemiles.analysis import analyze
from latemiles.estimators.orientation import orientation
from latemiles.signals.frames import Segment
from latemiles.sim.plan import Bend, Sensors, easy_run
from latemiles.sim.runner import SimulatedRun, simulate

LANES = (Segment.PELVIS, Segment.LEFT_THIGH)
ROUTES = {"straight": (Bend(1000.0),), "track": TRACK}
OURS = {
    "latemiles causal": lambda gyr, acc, rate: orientation(gyr, acc, rate).quat,
    "latemiles smoothed": lambda gyr, acc, rate: orientation(gyr, acc, rate, basis="smoothed").quat,
}


def truth_of(run: SimulatedRun) -> list[tuple[np.ndarray, np.ndarray]]:
    """Times and true orientation of each sensor."""
    parts = list(run.chunks())
    return [
        (
            np.concatenate([part[k].t_s for part in parts]),
            np.concatenate([part[k].quat_earth_sensor for part in parts]),
        )
        for k in (0, 1)
    ]


def errors(run: SimulatedRun) -> dict[str, list[float]]:
    """Error of each lane for every filter, then for the pipeline told the speed."""
    truth, streams = truth_of(run), run.streams()
    found: dict[str, list[float]] = {}
    for name, work in {**PEERS, **OURS}.items():
        for k, lane in enumerate(LANES):
            s = streams[lane]
            rate = run.sensors[k].sample_hz
            # Rates read at an instant and summed up reach half a sample beyond it.
            found.setdefault(name, []).append(rmse_deg(s.t + 0.5 / rate, work(s.gyr, s.acc, rate), *truth[k]))
    t = np.arange(0.0, run.duration_s, 1.0)
    for basis in ("causal", "smoothed"):
        analysis = analyze(streams, speed=(t, run.timeline.at("speed", t)), basis=basis)
        found[f"latemiles {basis}, told speed"] = [
            rmse_deg(analysis.t, analysis.orientation[lane.value], *truth[k]) for k, lane in enumerate(LANES)
        ]
    return found


def main(seeds: int, minutes: float) -> None:
    """Print a row a filter."""
    cells: dict[str, list[float]] = {}
    for route in ROUTES.values():
        plan = replace(easy_run(minutes, SPEED_M_S, route=route), sensors=Sensors(rate_hz=104.0))
        every = [errors(simulate(plan, 70 + seed)) for seed in range(seeds)]
        for name in every[0]:
            cells.setdefault(name, []).extend(np.median([e[name] for e in every], axis=0))
    print(f"inclination RMSE, deg, {minutes:g} min at {SPEED_M_S} m/s, median of {seeds} runners")
    print(f"{'':<32}{'straight: pelvis':>18}{'thigh':>8}{'track: pelvis':>16}{'thigh':>8}")
    for name, (a, b, c, d) in cells.items():
        print(f"{name:<32}{a:>18.2f}{b:>8.2f}{c:>16.2f}{d:>8.2f}")


if __name__ == "__main__":
    given = [float(x) for x in sys.argv[1:]]
    main(int(given[0]) if given else 2, given[1] if len(given) > 1 else 3.0)
