"""Make the simulated recordings of ``recordings/``, each with a sidecar that says what is true in it.

    python scripts/make_recordings.py [FOLDER] [NAME ...]

The same seeds give the same records; an existing file is made anew. The expected events beside them are
not made here.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from math import degrees, pi, radians
from pathlib import Path

import numpy as np

from latemiles.recording.writer import RecordingWriter
from latemiles.signals.frames import SIDES, Segment, Side
from latemiles.sim.packets import header, records
from latemiles.sim.plan import (
    AngleOffset,
    Bend,
    FormDrift,
    Outage,
    Phase,
    Radio,
    Reboot,
    RunnerPlan,
    Sensors,
    SlippingClip,
    easy_run,
)
from latemiles.sim.runner import SimulatedRun, simulate

ROOT = Path(__file__).resolve().parent.parent
SLOW = Sensors(rate_hz=104.0)
TRACK = (Bend(84.39), Bend(115.61, 36.8), Bend(84.39), Bend(115.61, 36.8))
SUMMED = (
    "cadence_spm",
    "contact_time_s",
    "pelvic_tilt_mean_deg",
    "pelvic_tilt_rom_deg",
    "pelvic_obliquity_mean_deg",
    "pelvic_obliquity_rom_deg",
    "pelvic_rotation_rom_deg",
    "hip_flexion_mean_deg",
    "hip_flexion_rom_deg",
    "hip_adduction_mean_deg",
    "hip_internal_rotation_mean_deg",
)


@dataclass(frozen=True)
class Made:
    """One recording to make."""

    name: str
    about: str
    seed: int
    plan: RunnerPlan


MADE = (
    Made(
        "easy_run",
        "Standing, three squats, a walk, two minutes of easy running on a rolling road; nothing goes wrong.",
        101,
        easy_run(
            2.0, 3.0, sensors=SLOW, route=(Bend(200.0), Bend(100.0, grade=0.02), Bend(100.0, grade=-0.02))
        ),
    ),
    Made(
        "rough_radio",
        "208 Hz; one packet in a hundred is lost, the right thigh is out of reach for four seconds, "
        "the pelvis sensor starts over.",
        102,
        easy_run(
            0.5,
            3.2,
            radio=Radio(
                loss_share=0.01,
                stall_share=0.01,
                outages=(Outage(Segment.RIGHT_THIGH, 43.0, 47.0),),
                reboots=(Reboot(Segment.PELVIS, 53.0),),
            ),
        ),
    ),
    Made(
        "slipping_clip",
        "The left thigh's clip is knocked by 8 degrees in mid-run; the runner's form does not change.",
        103,
        easy_run(
            4.0 / 3.0,
            3.0,
            sensors=SLOW,
            slips=(SlippingClip(Segment.LEFT_THIGH, 75.0, (0.0, radians(8.0), 0.0)),),
        ),
    ),
    Made(
        "stop_and_turn",
        "Walking, standing and running in turn, with a half turn, a quarter turn and a pause at a crossing.",
        104,
        RunnerPlan(
            phases=(
                Phase("standing", 8.0),
                Phase("squats", 10.0),
                Phase("standing", 3.0),
                Phase("walking", 14.0, 1.4, turn_rad=pi),
                Phase("standing", 5.0),
                Phase("running", 26.0, 2.8, turn_rad=pi / 2.0),
                Phase("standing", 8.0),
                Phase("running", 26.0, 3.0, 3.4),
                Phase("walking", 10.0, 1.3),
                Phase("standing", 4.0),
            ),
            sensors=SLOW,
        ),
    ),
    Made(
        "no_standing",
        "The recording begins when the runner already runs: no stance, no squats.",
        105,
        RunnerPlan((Phase("running", 60.0, 3.1),), waveforms="ric", sensors=SLOW),
    ),
    Made(
        "track_tiring",
        "A 400 m track; the pelvis tips forward by 4 degrees in a minute and the right leg turns outwards: "
        "far faster than a runner tires, so that a short file holds it.",
        106,
        easy_run(
            1.75,
            3.5,
            sensors=SLOW,
            route=TRACK,
            offsets=(AngleOffset("hip_internal_rotation", radians(-3.0), Side.RIGHT),),
            drifts=(
                FormDrift("pelvic_tilt", radians(4.0), 60.0, 120.0),
                FormDrift("hip_internal_rotation", radians(-3.0), 60.0, 120.0, Side.RIGHT),
            ),
        ),
    ),
)


def toml(value: object) -> str:
    """A plain value in TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    if isinstance(value, float):
        digits = f"{value:.6g}"
        return digits if "." in digits or "e" in digits else digits + ".0"
    return str(value)


def table(name: str, entries: dict[str, object], *, many: bool = False) -> list[str]:
    """Lines of one TOML table."""
    title = f"[[{name}]]" if many else f"[{name}]"
    return ["", title, *(f"{key} = {toml(value)}" for key, value in entries.items())]


def sidecar(made: Made, run: SimulatedRun) -> str:
    """What is simulated and what is true, as TOML."""
    plan, truth = run.plan, run.truth
    lines = [
        f"# {made.name}.mcap",
        f"about = {toml(made.about)}",
        'real = "nothing: runner, sensors, radio and watch are simulated (latemiles.sim)"',
        f"seed = {made.seed}",
        f"rate_hz = {toml(plan.sensors.rate_hz)}",
        f"duration_s = {toml(plan.duration_s)}",
        'made_by = "python scripts/make_recordings.py"',
        'licence = "Apache-2.0; the waveforms behind it as named"',
        f"waveforms = {toml(WAVEFORMS[plan.waveforms])}",
    ]
    start = 0.0
    for phase in plan.phases:
        entry: dict[str, object] = {"kind": phase.kind, "start_s": start, "end_s": start + phase.duration_s}
        if phase.speed_m_s > 0.0:
            entry["speed_m_s"] = phase.speed_m_s
        if phase.turn_rad:
            entry["turn_left_deg"] = degrees(phase.turn_rad)
        lines += table("phase", entry, many=True)
        start += phase.duration_s
    for sensor in run.sensors:
        lines += table(
            "sensor",
            {
                "segment": sensor.segment.value,
                "quat_segment_sensor": [float(q) for q in sensor.quat_segment_sensor],
                "sample_hz": sensor.sample_hz,
                "skew_ppm": sensor.skew * 1e6,
            },
            many=True,
        )
    for drift in plan.drifts:
        side = drift.side.value if drift.side else "both"
        change = {"angle": drift.angle, "side": side, "change_deg": degrees(drift.change_rad)}
        lines += table("form_drift", change | {"start_s": drift.start_s, "end_s": drift.end_s}, many=True)
    for slip in plan.slips:
        size = degrees(float(np.linalg.norm(slip.rotvec_rad)))
        lines += table("slip", {"segment": slip.segment.value, "t_s": slip.t_s, "angle_deg": size}, many=True)
    for outage in plan.radio.outages:
        entry = {"segment": outage.segment.value, "start_s": outage.start_s, "end_s": outage.end_s}
        lines += table("outage", entry, many=True)
    for reboot in plan.radio.reboots:
        lines += table("reboot", {"segment": reboot.segment.value, "t_s": reboot.t_s}, many=True)
    ok = truth.steady()
    lines += table(
        "truth",
        {
            "note": "medians over steady running strides; angles relative to standing",
            "standing_s": [list(window) for window in truth.standing],
            "movement_s": [list(window) for window in truth.movement],
            "strides": len(truth.strides["t_ic_s"]),
            "steady_running_strides": int(ok.sum()),
            "distance_m": float(run.timeline.distance[-1]),
        },
    )
    for side in SIDES:
        mine = ok & (truth.strides["side"] == side.lane)
        lines += table(f"truth.{side.value}", {c: float(np.median(truth.strides[c][mine])) for c in SUMMED})
    return "\n".join(lines) + "\n"


WAVEFORMS = {
    "rbds": "group mean of Fukuchi et al. 2017, PeerJ 5:e3298, CC BY 4.0",
    "ric": "group mean of the Running Injury Clinic data set, Ferber et al., CC BY 4.0",
}


def make(made: Made, folder: Path) -> int:
    """Write one recording and its sidecar; returns the size in bytes."""
    run = simulate(made.plan, made.seed)
    path = folder / f"{made.name}.mcap"
    path.unlink(missing_ok=True)
    head = header(run, made.name, notes=made.about)
    stream = records(run, head)
    next(stream)
    # Longer chunks than a live run's pack better, and nothing can be lost here.
    with RecordingWriter(path, head, flush_every_s=10.0) as writer:
        for record in stream:
            writer.append(record)
    path.with_suffix(".toml").write_text(sidecar(made, run), encoding="utf-8")
    return path.stat().st_size


def main() -> None:
    """Make all or the named recordings."""
    parser = argparse.ArgumentParser(description="Make the simulated recordings.")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "recordings")
    parser.add_argument("names", nargs="*", choices=[[], *(made.name for made in MADE)])
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    for made in MADE:
        if not chosen.names or made.name in chosen.names:
            print(f"{made.name:16s} {make(made, chosen.folder) / 1e3:8.0f} kB")


if __name__ == "__main__":
    main()
