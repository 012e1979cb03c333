"""Motion-BIDS: a run as a small data set, joint angles as a motion recording with gait events beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from latemiles import __version__
from latemiles.exports.format import Format
from latemiles.exports.pieces import known_span, pieces, rate_of
from latemiles.report.files import ANGLE_COLUMNS

if TYPE_CHECKING:
    from latemiles.analysis_result import Analysis

__all__ = ["BIDS"]

BIDS_VERSION: Final = "1.10.0"
SYSTEM: Final = "latemiles"
TASK: Final = "running"
MISSING: Final = "n/a"
_NO_FACTS: Final = "not said"
_SIGNS: Final = {
    "pelvic_tilt": "anterior +",
    "pelvic_obliquity": "right side up +",
    "pelvic_rotation": "right side forward +",
    "hip_flexion": "thigh forward +",
    "hip_adduction": "towards the midline +",
    "hip_internal_rotation": "front of the thigh inwards +",
}


def _write(analysis: Analysis, folder: Path, _rows: str) -> None:
    span = known_span(analysis)
    subject, session = f"sub-{_label(analysis.header.athlete)}", f"ses-{_label(analysis.header.run)}"
    place = folder / subject / session / "motion"
    place.mkdir(parents=True)
    stem = f"{subject}_{session}_task-{TASK}"
    motion = place / f"{stem}_tracksys-{SYSTEM}_motion.tsv"
    _lines(motion, _samples(analysis, span))
    _json(motion.with_suffix(".json"), _motion_facts(analysis, span))
    channels = place / f"{stem}_tracksys-{SYSTEM}_channels.tsv"
    _table(
        channels,
        (
            "name",
            "component",
            "type",
            "tracked_point",
            "units",
            "placement",
            "reference_frame",
            "description",
        ),
        _channels(),
    )
    _json(channels.with_suffix(".json"), _CHANNEL_FACTS)
    events = place / f"{stem}_events.tsv"
    start_s = float(analysis.t[span.start])
    _table(events, ("onset", "duration", "trial_type", "side", "confidence"), _events(analysis, start_s))
    _json(events.with_suffix(".json"), _EVENT_FACTS)
    _data_set(folder, subject)
    scan = [(f"motion/{motion.name}", _acquired(analysis, start_s))]
    _table(folder / subject / session / f"{subject}_{session}_scans.tsv", ("filename", "acq_time"), scan)


def _label(name: str) -> str:
    """A label as BIDS wants it: letters and digits only."""
    return re.sub(r"[^A-Za-z0-9]", "", name) or "unnamed"


def _data_set(folder: Path, subject: str) -> None:
    """What every data set has at its root."""
    _json(
        folder / "dataset_description.json",
        {
            "Name": "Pelvis and hips in running",
            "BIDSVersion": BIDS_VERSION,
            "DatasetType": "raw",
            "GeneratedBy": [{"Name": SYSTEM, "Version": __version__}],
        },
    )
    _lines(folder / "README.md", [_README])
    _table(folder / "participants.tsv", ("participant_id",), [(subject,)])
    _json(folder / "participants.json", {"participant_id": {"Description": "Pseudonym of the runner"}})


_README: Final = """# Pelvis and hips in running

Joint angles from three inertial sensors (pelvis, left and right thigh), made with latemiles. Angles and signs
are in the channels' descriptions: pelvis in the order rotation, obliquity, tilt (Baker 2001) in the direction
of progression, hips after Grood and Suntay (1983). What zero means is in the motion's `Reference`: `standing`
is the runner's own quiet stance, `baseline` the mean of the first minutes. Initial contact and toe-off are
estimated from the sensors, not from force plates. Measures movement for training; not a medical device, not a
diagnosis.
"""


def _motion_facts(analysis: Analysis, span: slice) -> dict[str, Any]:
    rate = rate_of(analysis)
    names = ANGLE_COLUMNS[1:]
    return {
        "TaskName": TASK,
        "TaskDescription": "A run outdoors or on a treadmill, as the runner chose it.",
        "SamplingFrequency": rate,
        "SamplingFrequencyEffective": rate,
        "TrackingSystemName": SYSTEM,
        "RecordingType": "continuous",
        "RecordingDuration": (span.stop - span.start) / rate,
        "MotionChannelCount": len(names),
        "JNTANGChannelCount": len(names),
        "TrackedPointsCount": 3,
        "MissingValues": MISSING,
        "SubjectArtefactDescription": _NO_FACTS,
        "SoftwareVersions": __version__,
        "Manufacturer": MISSING,
        "Basis": analysis.basis,
        "Reference": analysis.reference,
    }


def _channels() -> Iterator[tuple[str, ...]]:
    for column in ANGLE_COLUMNS[1:]:
        name = column.removesuffix("_deg")
        angle = name.removeprefix("left_").removeprefix("right_")
        of_pelvis = angle.startswith("pelvic")
        side = "" if of_pelvis else name.split("_", 1)[0]
        yield (
            name,
            MISSING,
            "JNTANG",
            "pelvis" if of_pelvis else f"{side}_hip",
            "deg",
            "pelvis" if of_pelvis else f"pelvis and {side} thigh",
            "progression" if of_pelvis else "pelvis",
            f"{angle.replace('_', ' ')}, {_SIGNS[angle]}",
        )


_CHANNEL_FACTS: Final = {
    "reference_frame": {
        "Description": "What the angle is measured in.",
        "Levels": {
            "progression": {
                "SpatialAxes": "ALS",
                "RotationRule": "right-hand",
                "RotationOrder": "ZXY",
                "Description": "Earth turned about the vertical so that x is the way the runner is heading; "
                "x forward, y left, z up.",
            },
            "pelvis": {
                "SpatialAxes": "ALS",
                "RotationRule": "right-hand",
                "RotationOrder": "YXZ",
                "Description": "Axes of the pelvis: x forward, y left, z up.",
            },
        },
    }
}

_EVENT_FACTS: Final = {
    "trial_type": {
        "Description": "Event of the gait cycle, estimated from the sensors.",
        "Levels": {"initial_contact": "The foot meets the ground.", "toe_off": "The foot leaves the ground."},
    },
    "side": {"Description": "Whose foot.", "Levels": {"left": "The left.", "right": "The right."}},
    "confidence": {"Description": "How sure the event is, 0 to 1."},
}


def _samples(analysis: Analysis, span: slice) -> Iterator[str]:
    for piece in pieces(analysis, span):
        degrees = np.degrees(np.concatenate([piece.pelvis, piece.hip_left, piece.hip_right], axis=1))
        for row in degrees.tolist():
            yield "\t".join(MISSING if value != value else f"{value:.4f}" for value in row) + "\n"


def _events(analysis: Analysis, start_s: float) -> Iterator[tuple[str, ...]]:
    events = analysis.events
    for t, kind, side, confidence in zip(
        events.t_s, events.kind, events.side, events.confidence, strict=True
    ):
        if t >= start_s:
            yield f"{t - start_s:.4f}", "0", str(kind), str(side), f"{confidence:.3f}"


def _acquired(analysis: Analysis, start_s: float) -> str:
    started_ns = analysis.header.started_utc_ns
    if started_ns <= 0:
        return MISSING
    return datetime.fromtimestamp(started_ns * 1e-9 + start_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _lines(path: Path, lines: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(lines)


def _table(path: Path, names: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    _lines(path, ("\t".join(row) + "\n" for row in (names, *rows)))


def _json(path: Path, facts: dict[str, Any]) -> None:
    _lines(path, [json.dumps(facts, indent=2), "\n"])


BIDS: Final = Format("bids", "", "Motion-BIDS data set", _write)
