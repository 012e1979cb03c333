"""FIT, through Garmin's own encoder: an activity whose records carry the form as developer fields.

The records are those of the watch that was joined to the recording, at the watch's own times; without one
there is a record a second. A lap is a split.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import InputError
from latemiles.exports.format import STRIDES, Format
from latemiles.metrics.catalogue import COLUMN_INDEX, metric
from latemiles.optional import needed

if TYPE_CHECKING:
    from latemiles.analysis_result import Analysis

__all__ = ["FIELDS", "FIT", "WINDOW_S"]

F8 = NDArray[np.float64]
Message = dict[str, Any]

APPLICATION: Final = UUID("6c6d7331-2f66-4974-8000-6c6174656d69")
"""What the developer fields belong to; fixed, so that graphs of several runs are taken for the same."""
WINDOW_S: Final = 10.0
"""A record shows the mean over the strides of this long around it, s: single strides scatter by a degree."""
UNKNOWN_START_S: Final = 946_684_800.0
"""2000-01-01 UTC, where the recording does not know when it was made."""
FLOAT32: Final = 136
"""Base type of the fields."""


@dataclass(frozen=True, slots=True)
class Field:
    """One developer field of a record."""

    name: str
    """Name in the file, its unit as suffix."""
    column: str
    side: str = ""
    """``left``, ``right`` or both (empty)."""


FIELDS: Final = (
    Field("pelvic_tilt_deg", "pelvic_tilt_mean_deg"),
    Field("pelvic_tilt_range_deg", "pelvic_tilt_rom_deg"),
    Field("pelvic_obliquity_range_deg", "pelvic_obliquity_rom_deg"),
    Field("pelvic_rotation_range_deg", "pelvic_rotation_rom_deg"),
    Field("pelvic_drop_left_deg", "pelvic_drop_excursion_deg", "left"),
    Field("pelvic_drop_right_deg", "pelvic_drop_excursion_deg", "right"),
    Field("hip_flexion_range_left_deg", "hip_flexion_rom_deg", "left"),
    Field("hip_flexion_range_right_deg", "hip_flexion_rom_deg", "right"),
    Field("hip_int_rotation_left_deg", "hip_internal_rotation_mean_deg", "left"),
    Field("hip_int_rotation_right_deg", "hip_internal_rotation_mean_deg", "right"),
    Field("contact_time_estimate_s", "contact_time_s"),
    Field("pelvis_vo_m", "pelvis_vo_m"),
)
"""Developer fields in the order of their numbers."""


def _write(analysis: Analysis, path: Path, _rows: str) -> None:
    sdk: Any = needed("garmin_fit_sdk", "garmin-fit-sdk", "FIT")
    if not len(analysis.strides):
        raise InputError("a run with strides", "one without", "Look at its report: it says what was missing.")
    clock = _Clock(analysis, sdk.FIT_EPOCH_S)
    encoder = sdk.Encoder()
    number = sdk.Profile["mesg_num"]
    _write_head(encoder, number, clock)
    _write_records(encoder, number, analysis, clock)
    _write_sums(encoder, number, analysis, clock)
    path.write_bytes(bytes(encoder.close()))


class _Clock:
    """Times of the records, in session s and as FIT counts them: whole s since 1989-12-31 UTC."""

    def __init__(self, analysis: Analysis, epoch_s: int) -> None:
        header, context = analysis.header, analysis.context
        told = header.extra.get("watch_zero_utc_s")
        known = header.started_utc_ns * 1e-9 if header.started_utc_ns > 0 else UNKNOWN_START_S
        self._zero_s = (float(told) if told is not None else known) - epoch_s
        strides = analysis.strides["t_ic_s"]
        first, last = float(strides[0]), float(strides[-1])
        if told is not None and len(context.t_s) > 1:
            self.t_s: F8 = np.unique(context.t_s)
        else:
            # On the whole seconds of the clock, so that each record has a time of its own.
            ahead = np.ceil(first + self._zero_s) - self._zero_s
            self.t_s = np.arange(ahead, last + 1.0, 1.0)
        stamps = np.floor(self.t_s + self._zero_s + 0.5).astype(np.int64)
        _, keep = np.unique(stamps, return_index=True)
        self.t_s, self.stamps = self.t_s[keep], stamps[keep]

    def stamp(self, t_s: float) -> int:
        """A session time as FIT counts it."""
        return int(np.floor(t_s + self._zero_s + 0.5))


def _write_head(encoder: Any, number: Message, clock: _Clock) -> None:
    first = int(clock.stamps[0])
    encoder.on_mesg(
        number["FILE_ID"],
        {"type": "activity", "manufacturer": "development", "product": 0, "time_created": first},
    )
    owner = {"developer_data_index": 0, "application_id": list(APPLICATION.bytes), "application_version": 1}
    encoder.on_mesg(number["DEVELOPER_DATA_ID"], owner)
    for k, field in enumerate(FIELDS):
        about = {
            "developer_data_index": 0,
            "field_definition_number": k,
            "fit_base_type_id": FLOAT32,
            "field_name": field.name,
            "units": metric(field.column).unit,
        }
        encoder.add_developer_field(k, owner, about)
        encoder.on_mesg(number["FIELD_DESCRIPTION"], about)
    start = {"timestamp": first, "event": "timer", "event_type": "start"}
    encoder.on_mesg(number["EVENT"], start)


def _write_records(encoder: Any, number: Message, analysis: Analysis, clock: _Clock) -> None:
    form = np.stack([_around(analysis, field, clock.t_s) for field in FIELDS], axis=1)
    told = _told(analysis, clock.t_s)
    cadence = _around(analysis, Field("cadence", "cadence_spm"), clock.t_s)
    for k, stamp in enumerate(clock.stamps.tolist()):
        record: Message = {"timestamp": stamp}
        record |= {name: float(column[k]) for name, column in told.items() if np.isfinite(column[k])}
        if "heart_rate" in record:
            record["heart_rate"] = round(record["heart_rate"])
        if np.isfinite(cadence[k]):
            # FIT counts the strides of one foot.
            whole, fraction = divmod(0.5 * float(cadence[k]), 1.0)
            record |= {"cadence": int(whole), "fractional_cadence": fraction}
        here = {j: float(v) for j, v in enumerate(form[k]) if np.isfinite(v)}
        if here:
            record["developer_fields"] = here
        encoder.on_mesg(number["RECORD"], record)


def _around(analysis: Analysis, field: Field, t_s: F8) -> F8:
    """Mean of a column over the usable strides in the window around each time; NaN where there are none."""
    strides = analysis.strides
    keep = strides.used_for(field.column)
    if field.side:
        keep &= strides["side"] == field.side
    order = np.argsort(strides["t_ic_s"][keep], kind="stable")
    t, values = strides["t_ic_s"][keep][order], strides[field.column][keep][order]
    low, high = (
        np.searchsorted(t, t_s - 0.5 * WINDOW_S),
        np.searchsorted(t, t_s + 0.5 * WINDOW_S, side="right"),
    )
    total = np.concatenate([[0.0], np.cumsum(values)])
    count = high - low
    return np.where(count > 0, (total[high] - total[low]) / np.maximum(count, 1), np.nan)


def _told(analysis: Analysis, t_s: F8) -> dict[str, F8]:
    """What the speed source said, at the times of the records."""
    context = analysis.context
    columns = {
        "enhanced_speed": context.speed_m_s,
        "distance": context.distance_m,
        "enhanced_altitude": context.elevation_m,
        "heart_rate": context.heart_rate_bpm,
        "grade": 100.0 * context.grade,
    }
    told = {}
    for name, column in columns.items():
        known = np.flatnonzero(np.isfinite(column)) if len(column) == len(context.t_s) else np.empty(0, int)
        if known.size < 2:
            continue
        t = context.t_s[known]
        after = np.clip(np.searchsorted(t, t_s), 1, len(t) - 1)
        values = np.interp(t_s, t, column[known], left=np.nan, right=np.nan)
        told[name] = np.where(t[after] - t[after - 1] <= _BRIDGE_S, values, np.nan)
    return told


_BRIDGE_S: Final = 30.0


def _write_sums(encoder: Any, number: Message, analysis: Analysis, clock: _Clock) -> None:
    """Stop, laps, session and activity, as every activity ends."""
    first, last = int(clock.stamps[0]), int(clock.stamps[-1])
    told = _told(analysis, clock.t_s)
    encoder.on_mesg(number["EVENT"], {"timestamp": last, "event": "timer", "event_type": "stop_all"})
    laps = 0
    for split in analysis.splits:
        start, end = max(first, clock.stamp(split.start_s)), min(last, clock.stamp(split.t_s))
        if end <= start:
            continue
        lap: Message = {"message_index": laps, "timestamp": end, "start_time": start, **_timed(end - start)}
        lap |= _present("total_distance", split.distance_m)
        lap |= _present("avg_heart_rate", split.heart_rate_bpm, whole=True)
        lap |= _present("avg_cadence", 0.5 * split.values[COLUMN_INDEX["cadence_spm"]], whole=True)
        encoder.on_mesg(number["LAP"], lap)
        laps += 1
    session: Message = {
        "message_index": 0,
        "timestamp": last,
        "start_time": first,
        "sport": "running",
        "sub_sport": "generic",
        "first_lap_index": 0,
        "num_laps": laps,
        **_timed(last - first),
    }
    known = told.get("distance", np.empty(0))
    known = known[np.isfinite(known)]
    if known.size:
        session["total_distance"] = float(known[-1] - known[0])
    encoder.on_mesg(number["SESSION"], session)
    activity = {
        "timestamp": last,
        "num_sessions": 1,
        "type": "manual",
        "total_timer_time": float(last - first),
    }
    encoder.on_mesg(number["ACTIVITY"], activity)


def _timed(seconds: int) -> Message:
    return {"total_elapsed_time": float(seconds), "total_timer_time": float(seconds)}


def _present(name: str, value: float, *, whole: bool = False) -> Message:
    if not np.isfinite(value) or value < 0.0:
        return {}
    return {name: round(value) if whole else float(value)}


FIT: Final = Format("fit", ".fit", "activity with the form in developer fields", _write, (STRIDES,))
