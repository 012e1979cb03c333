"""Accuracy of the posture chain on sensors simulated on real running kinematics (RBDS001).

    python benchmarks/running_kinematics.py [--seeds 4] [--squats 3]

Angles relative to standing, degrees. ``mean``: mean error over the running; ``shape``: RMSE with the mean
error taken out; hips: mean of the two sides. ``floor`` is the same chain told the true mounting and the true
relative heading of every sample, so what remains is orientation and soft tissue; ``offlineVQF`` is that
peer's orientation told the same. ``told``: the stage is told when the standing and the squats were;
``found``: it is told nothing.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from goals import tell
from peers import vqf_offline

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from latemiles.estimators.orientation import OrientationStage
from latemiles.estimators.posture import PostureStage
from latemiles.kernels.angles import joint_angles
from latemiles.signals.blocks import GridBlock, OrientationBlock
from latemiles.signals.frames import SEGMENTS, quat_conj, quat_multiply, quat_rotate
from latemiles.signals.records import Pose
from reference.rbds import Session, has_rbds, rbds_session

RATE_HZ = 200.0
ANGLES = ("tilt", "obliquity", "flexion", "adduction", "rotation")


def blocks(session: Session, basis: str) -> tuple[GridBlock, OrientationBlock]:
    acc = np.stack([session.streams[s].acc for s in SEGMENTS])
    gyr = np.stack([session.streams[s].gyr for s in SEGMENTS])
    flags = np.stack([session.flags[s] for s in SEGMENTS])
    grid = GridBlock(0, RATE_HZ, acc, gyr, flags)
    stage = OrientationStage(RATE_HZ, basis=basis)
    one, two = stage.push(grid)[1], stage.finish()[1]
    joined = [np.concatenate([a, b], axis=1) for a, b in zip(one[2:], two[2:], strict=True)]
    return grid, OrientationBlock(0, RATE_HZ, *joined)


def run(session: Session, basis: str, is_told: bool) -> tuple[np.ndarray, np.ndarray, PostureStage]:
    told = ()
    if is_told:
        told = (
            Pose(0, "standing", *session.standing),
            Pose(0, "movement", *session.movement),
        )
    grid, causal = blocks(session, "causal")
    first = PostureStage(RATE_HZ, told=told)
    angles = [first.push(grid, causal)[0], first.finish()[0]]
    if basis == "smoothed":
        second = PostureStage(RATE_HZ, basis="smoothed", known=first.calibration)
        smooth = blocks(session, "smoothed")[1]
        angles = [second.push(grid, smooth)[0], second.finish()[0]]
    return (
        np.concatenate([a.pelvis for a in angles]),
        np.concatenate([a.hip for a in angles], axis=1),
        first,
    )


def floor(session: Session, quats: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Angles from orientations (lanes, n, 4) with everything else true."""
    n = len(session.t)
    mounts = np.stack([session.mounting[s] for s in SEGMENTS])
    turn = []
    for lane, segment in enumerate(SEGMENTS):
        error = quat_multiply(session.quat_earth_sensor[segment], quat_conj(quats[lane]))
        turn.append(2.0 * np.arctan2(error[:, 3], error[:, 0]))
    delta = np.stack([turn[1] - turn[0], turn[2] - turn[0]])
    ahead = quat_rotate(quat_multiply(quats[0], quat_conj(mounts[0])), np.array([1.0, 0.0, 0.0]))
    heading = np.unwrap(np.arctan2(ahead[:, 1], ahead[:, 0]))
    pelvis, hip = np.empty((n, 3)), np.empty((2, n, 3))
    acc = np.zeros((3, n, 3))
    forces = np.empty((3, n)), np.empty((n, 2))
    joint_angles(quats, acc, 0, mounts, heading, delta, 0, pelvis, hip, *forces)
    return pelvis, hip


def errors(session: Session, pelvis: np.ndarray, hip: np.ndarray) -> np.ndarray:
    """(5, 2) shape and mean, deg: tilt, obliquity, flexion, adduction, rotation."""
    running = session.is_running
    out = []
    for column in (0, 1):
        e = np.degrees(pelvis[running, column] - session.pelvis[running, column])
        out.append((np.nanstd(e), np.nanmean(e)))
    for column in (0, 1, 2):
        sides = [np.degrees(hip[k, running, column] - session.hip[k, running, column]) for k in (0, 1)]
        out.append((np.mean([np.nanstd(e) for e in sides]), np.mean([abs(np.nanmean(e)) for e in sides])))
    return np.array(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--squats", type=int, default=3)
    parser.add_argument("--each", action="store_true", help="a line a session")
    chosen = parser.parse_args()
    if not has_rbds():
        raise SystemExit("The running poses are not here; set LATEMILES_DATA to the shared data.")
    names = "tilt  obliq | flexion adduct rotate"
    print(f"{'':26s} shape: {names}   |mean|: {names}   missing")
    collected: dict[str, list[np.ndarray]] = {}
    covered = []
    for trial in ("2.5ms", "3.5ms"):
        for seed in range(chosen.first_seed, chosen.first_seed + chosen.seeds):
            session = rbds_session(trial, seed=seed, rate_hz=RATE_HZ, squats=chosen.squats)
            theirs = [vqf_offline(session.streams[s].gyr, session.streams[s].acc, RATE_HZ) for s in SEGMENTS]
            rows = {
                "floor": (*floor(session, blocks(session, "smoothed")[1].quat), None),
                "offlineVQF": (*floor(session, np.stack(theirs)), None),
            }
            for basis in ("causal", "smoothed"):
                for is_told in (False, True) if chosen.squats else (False,):
                    rows[f"{basis} {'told' if is_told else 'found'}"] = run(session, basis, is_told)
            for name, (pelvis, hip, stage) in rows.items():
                e = errors(session, pelvis, hip)
                collected.setdefault(f"{trial} {name}", []).append(e)
                missing = np.isnan(hip[:, session.is_running]).mean()
                if chosen.each:
                    print(line(f"{trial} {seed} {name}", e, missing))
                if stage is not None and name.startswith("smoothed") and stage.calibration is not None:
                    c = stage.calibration
                    covered.append((abs(e[1, 1]), np.degrees(c.obliquity_uncertainty_rad)))
    for name, found in collected.items():
        e = np.array(found)
        rms = np.sqrt(np.nanmean(e**2, axis=0))
        print(line(f"{name} rms of {len(found)}", rms, np.nan))
    if chosen.squats:
        tell_angles(collected)
    error, sd = np.array(covered).T
    print(
        f"mean obliquity against its stated uncertainty (95 %: 1.96 sd), {len(error)} mountings: covered "
        f"{np.mean(error <= 1.96 * sd):.0%}, by one sd {np.mean(error <= sd):.0%}; error up to "
        f"{error.max():.2f} deg, stated up to {1.96 * sd.max():.2f} deg"
    )
    if not chosen.squats:
        share = 100.0 * float(np.mean(error <= 1.96 * sd))
        tell("no_squats_covered", share, f"{len(error)} mountings")
        tell("no_squats_error", error.max(), f"stated up to +-{1.96 * sd.max():.2f}")


def tell_angles(collected: dict[str, list[np.ndarray]]) -> None:
    """Root mean square over both speeds and all mountings, smoothed and told, with the worst of them."""
    found, live, peer = (
        np.abs(np.concatenate([np.array(v) for k, v in collected.items() if k.endswith(name)]))
        for name in ("smoothed told", "causal told", "offlineVQF")
    )
    for row, angle in enumerate(ANGLES):
        for column, kind in enumerate(("shape", "mean")):
            mine, causal, theirs = (
                float(np.sqrt(np.mean(e[:, row, column] ** 2))) for e in (found, live, peer)
            )
            note = f"worst {found[:, row, column].max():.2f} of {len(found)}; live {causal:.2f}; "
            tell(f"rbds_{kind}_{angle}", mine, f"{note}offlineVQF told all else {theirs:.2f}")


def line(label: str, e: np.ndarray, missing: float) -> str:
    shape = f"{e[0, 0]:5.2f} {e[1, 0]:5.2f} | {e[2, 0]:5.2f} {e[3, 0]:5.2f} {e[4, 0]:5.2f}"
    mean = f"{e[0, 1]:5.2f} {e[1, 1]:5.2f} | {e[2, 1]:5.2f} {e[3, 1]:5.2f} {e[4, 1]:5.2f}"
    return f"{label:32s} {shape}        {mean}      {missing:.3f}"


if __name__ == "__main__":
    main()
