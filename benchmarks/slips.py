"""Slipping sensors: 3 degree slips found, and none invented in 20 clean hours.

    python benchmarks/slips.py [CLEAN_HOURS] [RUNS_WITH_SLIPS] [FIRST_SEED]      default: 20, 20 and 0

Clean hours are everyday runs: another runner, speed and mounting each; walks, stops, turns on the spot and
bends; changes of pace; the runner's slow wander; form that drifts; a pelvis clip that creeps by 2 degrees
over half an hour, which is not abrupt and so no slip. Runs with slips have one of 3 degrees every 4 minutes,
of any sensor about any axis, in steady running. A slip counts as found if one is reported for that sensor
within 15 s of it. Both passes of an analysis are judged: ``causal`` is what the live page would say,
``smoothed`` what the report says.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from math import pi, radians

import numpy as np
from goals import tell

from latemiles.estimators.mounting import Calibration
from latemiles.estimators.orientation import OrientationStage
from latemiles.estimators.posture import PostureStage
from latemiles.signals.blocks import GridBlock
from latemiles.signals.events import Slip
from latemiles.signals.frames import SEGMENTS
from latemiles.sim.plan import Bend, FormDrift, Phase, RunnerPlan, Sensors, SlippingClip, Variability
from latemiles.sim.runner import SimulatedRun, simulate

RATE_HZ = 100.0
SLIP_RAD = radians(3.0)
EVERY_S = 240.0
NEAR_S = 15.0
BEFORE = (Phase("standing", 10.0), Phase("squats", 10.0), Phase("standing", 4.0))
ROUTES = (
    (Bend(1000.0),),
    (Bend(84.39), Bend(pi * 36.8, 36.8)),
    (Bend(300.0), Bend(60.0, 20.0), Bend(200.0, grade=0.03), Bend(40.0, -15.0), Bend(250.0, grade=-0.03)),
)


def runner(rng: np.random.Generator) -> RunnerPlan:
    """Somebody, somewhere; the phases are still to be filled in."""
    wander = Variability(wander_sd_rad=radians(float(rng.uniform(0.1, 0.4))), wander_s=300.0)
    return RunnerPlan(
        BEFORE,
        waveforms=str(rng.choice(["rbds", "ric"])),
        route=ROUTES[int(rng.integers(len(ROUTES)))],
        variability=wander,
        sensors=Sensors(rate_hz=RATE_HZ, rate_error=0.0, skew=0.0),
        has_watch=False,
    )


def clean(seed: int) -> RunnerPlan:
    """An hour with all that happens on a run, and no slip."""
    rng = np.random.default_rng([seed, 1])
    speed = float(rng.uniform(2.4, 4.0))
    phases = [*BEFORE, Phase("walking", 30.0, 1.4)]
    left = 3600.0
    while left > 0.0:
        stretch = min(left, float(rng.uniform(180.0, 600.0)))
        pace = speed * float(rng.uniform(0.9, 1.1))
        phases.append(Phase("running", stretch, pace, pace * float(rng.uniform(0.93, 1.07))))
        left -= stretch
        match rng.integers(4):
            case 0:
                phases += [Phase("standing", float(rng.uniform(5.0, 60.0)))]
            case 1:
                phases += [Phase("walking", 40.0, 1.3, turn_rad=float(rng.choice([-1.0, 1.0])) * pi)]
            case 2:
                phases += [Phase("running", 20.0, pace, turn_rad=float(rng.choice([-0.5, 0.5])) * pi)]
            case _:
                pass
    creep = tuple(float(x) for x in radians(2.0) * _unit(rng))
    return replace(
        runner(rng),
        phases=tuple(phases),
        drifts=(FormDrift("pelvic_tilt", radians(float(rng.uniform(-3.0, 3.0))), 600.0, 3300.0),),
        slips=(SlippingClip(SEGMENTS[0], 900.0, (creep[0], creep[1], creep[2]), 1800.0),),
    )


def slipping(seed: int) -> RunnerPlan:
    """Twenty-five minutes of running with a slip every four minutes."""
    rng = np.random.default_rng([seed, 2])
    speed = float(rng.uniform(2.4, 4.0))
    slips = []
    for k in range(5):
        x, y, z = (float(v) for v in SLIP_RAD * _level(rng))
        at = 34.0 + EVERY_S * (k + 1) + float(rng.uniform(0.0, 60.0))
        slips.append(SlippingClip(SEGMENTS[int(rng.integers(3))], at, (x, y, z)))
    phases = (*BEFORE, Phase("walking", 10.0, 1.4), Phase("running", 1500.0, speed))
    return replace(runner(rng), phases=phases, slips=tuple(slips))


def _unit(rng: np.random.Generator) -> np.ndarray:
    v = rng.standard_normal(3)
    return v / np.linalg.norm(v)


def _level(rng: np.random.Generator) -> np.ndarray:
    """An axis (3,) that is level in standing: what turns about the vertical has no gravity to show it."""
    angle = rng.uniform(0.0, 2.0 * pi)
    return np.array([np.cos(angle), np.sin(angle), 0.0])


def slips_of(
    run: SimulatedRun, basis: str, known: Calibration | None
) -> tuple[list[Slip], Calibration | None]:
    """Slips that one pass reports, and the calibration it ends with."""
    orientation = OrientationStage(RATE_HZ, basis=basis)
    posture = PostureStage(RATE_HZ, basis=basis, known=known)
    found: list[Slip] = []
    first = 0
    for chunk in run.chunks():
        acc, gyr = (np.stack([getattr(lane, name) for lane in chunk]) for name in ("acc", "gyr"))
        grid = GridBlock(first, RATE_HZ, acc, gyr, np.stack([lane.flags for lane in chunk]))
        first += acc.shape[1]
        found += _slips(posture, *orientation.push(grid))
    found += _slips(posture, *orientation.finish())
    found += [e for e in posture.finish()[1] if isinstance(e, Slip)]
    return found, posture.calibration


def _slips(posture: PostureStage, grid: GridBlock, orient: object) -> list[Slip]:
    if grid.quality.shape[1] == 0:
        return []
    return [e for e in posture.push(grid, orient)[1] if isinstance(e, Slip)]


def judged(plan: RunnerPlan, seed: int) -> list[tuple[int, int, int, list[float], list[float]]]:
    """For each basis: true slips, found, false, sizes found (deg) and times off (s)."""
    run = simulate(plan, seed)
    known, out = None, []
    abrupt = [s for s in plan.slips if s.duration_s < 5.0]
    for basis in ("causal", "smoothed"):
        slips, calibration = slips_of(run, basis, known)
        known = known or calibration
        sizes, off, left = [], [], list(slips)
        for true in abrupt:
            near = [s for s in left if s.segment is true.segment and abs(s.t_s - true.t_s) < NEAR_S]
            if near:
                left.remove(near[0])
                sizes.append(float(np.degrees(near[0].angle_rad)))
                off.append(near[0].t_s - true.t_s)
        out.append((len(abrupt), len(sizes), len(left), sizes, off))
    return out


def clean_hour(seed: int) -> list[tuple[int, int, int, list[float], list[float]]]:
    return judged(clean(seed), seed)


def slipping_run(seed: int) -> list[tuple[int, int, int, list[float], list[float]]]:
    return judged(slipping(seed), 5000 + seed)


def main(hours: int, runs: int, first_seed: int) -> None:
    """Print the two counts for each basis."""
    with ProcessPoolExecutor(2) as pool:
        for title, work, count in (
            (f"{hours} clean hours", clean_hour, hours),
            (f"{runs} runs with slips of 3 deg", slipping_run, runs),
        ):
            results = list(pool.map(work, range(first_seed, first_seed + count)))
            for k, basis in enumerate(("causal", "smoothed")):
                true, found, false = (sum(r[k][j] for r in results) for j in range(3))
                sizes = [x for r in results for x in r[k][3]]
                off = np.abs([x for r in results for x in r[k][4]])
                line = f"{title:<32}{basis:<10} slips {true:>4}  found {found:>4}  false {false:>3}"
                if sizes:
                    line += f"  size {np.median(sizes):.2f} deg ({min(sizes):.2f} to {max(sizes):.2f})"
                    line += f"  off by {np.percentile(off, 95):.1f} s (p95)"
                print(line, flush=True)
                if true:
                    tell(f"slips_found_{basis}", 100.0 * found / true, f"{found} of {true}, {false} more")
                else:
                    tell(f"slips_false_{basis}", false, f"{count} hours")


if __name__ == "__main__":
    given = [int(x) for x in sys.argv[1:]]
    main(*(given + [20, 20, 0][len(given) :]))
