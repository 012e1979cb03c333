"""Watch files of a made-up run, in each format, written by the format's own means where there are any."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from garmin_fit_sdk import Encoder, Profile

STARTED = 1_763_193_720.0
"""A Saturday morning, s since 1970 UTC."""
FIT_EPOCH_S = 631_065_600


@dataclass
class MadeUpWatch:
    """Columns of one point a row; None leaves a field out of the file."""

    utc_s: np.ndarray
    speed: np.ndarray | None
    distance: np.ndarray | None
    elevation: np.ndarray | None
    heart: np.ndarray | None
    strides_a_minute: np.ndarray | None
    latitude: np.ndarray | None = None
    longitude: np.ndarray | None = None
    barometer: bool = False
    kind: str = "activity"
    notes: list[str] = field(default_factory=list)


def made_up_watch(seconds: int = 600, *, speed_m_s: float = 3.0, seed: int = 1, **changes) -> MadeUpWatch:
    """A run northwards over one hill, one point a second."""
    rng = np.random.default_rng(seed)
    t = np.arange(seconds, dtype=float)
    distance = speed_m_s * t
    watch = MadeUpWatch(
        utc_s=STARTED + t,
        speed=np.full(seconds, speed_m_s),
        distance=distance,
        elevation=hill(distance) + rng.normal(0.0, 0.2, seconds),
        heart=130.0 + np.floor(t / 60.0),
        strides_a_minute=np.full(seconds, 82.0),
        latitude=48.0 + distance / 111_195.08,
        longitude=np.full(seconds, 11.0),
    )
    for name, value in changes.items():
        setattr(watch, name, value)
    return watch


def hill(distance: np.ndarray) -> np.ndarray:
    """Up 4 % for 600 m, down again."""
    return 500.0 + 0.04 * np.minimum(distance, 600.0) - 0.04 * np.clip(distance - 600.0, 0.0, 600.0)


def write_fit(path: Path, watch: MadeUpWatch) -> Path:
    """Written by Garmin's own encoder."""
    encoder, numbers = Encoder(), Profile["mesg_num"]
    first = int(watch.utc_s[0]) - FIT_EPOCH_S
    encoder.on_mesg(
        numbers["FILE_ID"],
        {"type": watch.kind, "manufacturer": "development", "product": 7, "time_created": first},
    )
    if watch.barometer:
        info = {"timestamp": first, "device_index": 1, "source_type": "local", "device_type": 4}
        encoder.on_mesg(numbers["DEVICE_INFO"], info)
    columns = {
        "enhanced_speed": watch.speed,
        "distance": watch.distance,
        "enhanced_altitude": watch.elevation,
        "heart_rate": watch.heart,
        "cadence": watch.strides_a_minute,
    }
    for k, utc_s in enumerate(watch.utc_s):
        record = {"timestamp": int(utc_s) - FIT_EPOCH_S}
        for name, column in columns.items():
            if column is not None and np.isfinite(column[k]):
                whole = name in ("heart_rate", "cadence")
                record[name] = int(column[k]) if whole else float(column[k])
        if watch.strides_a_minute is not None:
            record["fractional_cadence"] = float(watch.strides_a_minute[k] % 1.0)
        encoder.on_mesg(numbers["RECORD"], record)
    path.write_bytes(bytes(encoder.close()))
    return path


def write_gpx(path: Path, watch: MadeUpWatch, *, zone: str = "Z") -> Path:
    """As watches write it: position, elevation, time, heart rate and cadence."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<gpx creator="Made Up 1" version="1.1" xmlns="http://www.topografix.com/GPX/1/1"',
        ' xmlns:x="http://www.garmin.com/xmlschemas/TrackPointExtension/v1"><trk><trkseg>',
    ]
    for k, utc_s in enumerate(watch.utc_s):
        lines.append(f'<trkpt lat="{watch.latitude[k]:.8f}" lon="{watch.longitude[k]:.8f}">')
        if watch.elevation is not None:
            lines.append(f"<ele>{watch.elevation[k]:.2f}</ele>")
        lines.append(f"<time>{_words(utc_s)}{zone}</time>")
        if watch.heart is not None:
            lines.append(
                f"<extensions><x:TrackPointExtension><x:hr>{watch.heart[k]:.0f}</x:hr>"
                f"<x:cad>{watch.strides_a_minute[k]:.0f}</x:cad></x:TrackPointExtension></extensions>"
            )
        lines.append("</trkpt>")
    path.write_text("\n".join([*lines, "</trkseg></trk></gpx>"]))
    return path


def write_tcx(path: Path, watch: MadeUpWatch) -> Path:
    """As watches write it: distance, heart rate, speed and cadence of one lap."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<TrainingCenterDatabase xmlns="http://www.garmin.com/xmlschemas/TrainingCenterDatabase/v2">',
        '<Activities><Activity Sport="Running"><Lap><Track>',
    ]
    for k, utc_s in enumerate(watch.utc_s):
        lines.append(
            f"<Trackpoint><Time>{_words(utc_s)}Z</Time>"
            f"<AltitudeMeters>{watch.elevation[k]:.2f}</AltitudeMeters>"
            f"<DistanceMeters>{watch.distance[k]:.2f}</DistanceMeters>"
            f"<HeartRateBpm><Value>{watch.heart[k]:.0f}</Value></HeartRateBpm>"
            f'<Extensions><TPX xmlns="http://www.garmin.com/xmlschemas/ActivityExtension/v2">'
            f"<Speed>{watch.speed[k]:.3f}</Speed><RunCadence>{watch.strides_a_minute[k]:.0f}</RunCadence>"
            "</TPX></Extensions></Trackpoint>"
        )
    lines.append("</Track></Lap><Creator><Name>Made Up 2</Name></Creator></Activity></Activities>")
    path.write_text("\n".join([*lines, "</TrainingCenterDatabase>"]))
    return path


WRITERS = {"fit": write_fit, "gpx": write_gpx, "tcx": write_tcx}


def _words(utc_s: float) -> str:
    return datetime.fromtimestamp(utc_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
