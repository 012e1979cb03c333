"""Clipped sensors: what a small measuring range costs, on real running kinematics.

    python benchmarks/saturation.py [SEEDS]      default: 3

Streams of RBDS001 at 3.5 m/s whose impacts ring with 60 m/s^2, four times the usual, so that something is
clipped. Clipped samples are marked, as a sensor's driver marks them. Errors of the angles, smoothed and told
the standing and the squats, root mean square over the seeds, degrees; the share of clipped samples is that of
the sensor with most.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from math import radians

import numpy as np
from goals import tell
from running_kinematics import RATE_HZ, errors, run

from latemiles.signals.frames import SEGMENTS
from latemiles.sim.imu import ImuErrors
from reference.rbds import has_rbds, rbds_session

G = 9.80665
RANGES = ((16.0, 2000.0), (8.0, 1000.0), (4.0, 500.0), (3.0, 2000.0), (16.0, 300.0))
"""g and deg/s; the first clips nothing."""


def one(seed: int, acc_g: float, gyr_deg_s: float) -> tuple[np.ndarray, float]:
    """Errors (5, 2) and the share of clipped samples, %."""
    flaws = replace(ImuErrors(), ringing=60.0, acc_range=acc_g * G, gyr_range=radians(gyr_deg_s))
    session = rbds_session("3.5ms", seed=seed, rate_hz=RATE_HZ, errors=flaws)
    pelvis, hip, _ = run(session, "smoothed", True)
    share = [np.mean(session.flags[s][session.is_running] != 0) for s in SEGMENTS]
    return errors(session, pelvis, hip), 100.0 * float(max(share))


def main(seeds: int) -> None:
    """Print a row a range."""
    if not has_rbds():
        raise SystemExit("The running poses are not here; set LATEMILES_DATA to the shared data.")
    names = "tilt  obliq  flexion adduct rotate"
    print(f"{'range':<18}{'clipped':>9}   shape: {names}   |mean|: {names}")
    whole, extra = None, 0.0
    for acc_g, gyr_deg_s in RANGES:
        found = [one(40 + seed, acc_g, gyr_deg_s) for seed in range(seeds)]
        e = np.sqrt(np.mean([x[0] ** 2 for x in found], axis=0))
        cells = "         ".join("".join(f"{x:7.2f}" for x in e[:, k]) for k in (0, 1))
        label = f"{acc_g:g} g, {gyr_deg_s:g} deg/s"
        print(f"{label:<18}{np.mean([x[1] for x in found]):>8.2f}%   {cells}", flush=True)
        if whole is None:
            whole = e
        if gyr_deg_s == 500.0:
            extra = float((e - whole)[:2].max())
    tell("clipped_angles", extra, "4 g and 500 deg/s, impacts of 6 g")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
