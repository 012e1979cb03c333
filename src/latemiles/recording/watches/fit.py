"""FIT activities, through Garmin's own reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import InputError
from latemiles.optional import needed
from latemiles.recording.reader import open_file
from latemiles.recording.watches.track import Track

__all__ = ["read_fit"]

F8 = NDArray[np.float64]
Message = Mapping[Any, Any]

SEMICIRCLE_DEG: Final = 180.0 / 2**31
"""FIT keeps positions in units of this, deg."""
INTACT: Final = "Copy it from the watch again, or export it again where the watch sends its runs."


def read_fit(path: Path) -> Track:
    """Read the records of an activity.

    Raises
    ------
    EnvironmentMissing
        If garmin-fit-sdk is not installed.
    InputError
        If the file is not FIT, is torn or damaged, or is no activity.
    """
    sdk: Any = needed("garmin_fit_sdk", "garmin-fit-sdk", "A FIT file")
    with open_file(str(path)) as file:
        data = file.read()
    decoder = sdk.Decoder(sdk.Stream.from_byte_array(bytearray(data)))
    if len(data) < 14 or not decoder.is_fit():
        raise InputError("a FIT file", f"something else in {path.name}", "Check the name, or the format.")
    if not decoder.check_integrity():
        raise InputError(
            "a whole FIT file", f"{path.name}, which is torn or damaged ({len(data)} bytes)", INTACT
        )
    # A reader that has checked a file has read it: it is read by another.
    decoder = sdk.Decoder(sdk.Stream.from_byte_array(bytearray(data)))
    messages, errors = decoder.read(convert_datetimes_to_dates=False, expand_components=True)
    if errors:
        raise InputError("a FIT file that can be read", f"{path.name}: {errors[0]}", INTACT)
    _check_activity(messages, path.name)
    records: Sequence[Message] = messages.get("record_mesgs", [])
    elevation = _column(records, "enhanced_altitude", "altitude")
    return Track(
        utc_s=_column(records, "timestamp") + float(sdk.FIT_EPOCH_S),
        speed_m_s=_column(records, "enhanced_speed", "speed"),
        distance_m=_column(records, "distance"),
        elevation_m=elevation,
        heart_rate_bpm=_column(records, "heart_rate"),
        cadence_spm=_cadence(records),
        latitude_deg=SEMICIRCLE_DEG * _column(records, "position_lat"),
        longitude_deg=SEMICIRCLE_DEG * _column(records, "position_long"),
        device=_device(messages),
        elevation_from=_elevation_from(messages) if np.isfinite(elevation).any() else "",
    )


def _check_activity(messages: Mapping[str, Sequence[Message]], name: str) -> None:
    kinds = [str(message.get("type")) for message in messages.get("file_id_mesgs", [])]
    if "activity" not in kinds:
        raise InputError(
            "a FIT activity",
            f"a file of the kind '{kinds[0] if kinds else 'unknown'}' in {name}",
            "Export the run itself, not a course, a workout or settings.",
        )


def _column(records: Sequence[Message], *names: str) -> F8:
    """The first of some fields that a record has; NaN where it has none."""

    def value(record: Message) -> float:
        for name in names:
            found = record.get(name)
            if isinstance(found, (int, float)):
                return float(found)
        return np.nan

    return np.array([value(record) for record in records], dtype=np.float64)


def _cadence(records: Sequence[Message]) -> F8:
    """Revolutions of one leg a minute, as the profile counts: whole and fraction, or both in one number."""
    whole, fraction = _column(records, "cadence"), _column(records, "fractional_cadence")
    fine = _column(records, "cadence256")
    return np.where(np.isfinite(fine), fine, whole + np.nan_to_num(fraction))


def _device(messages: Mapping[str, Sequence[Message]]) -> str:
    for message in messages.get("file_id_mesgs", []):
        words = [message.get("manufacturer"), message.get("garmin_product", message.get("product"))]
        return " ".join(str(word) for word in words if word is not None)
    return ""


def _elevation_from(messages: Mapping[str, Sequence[Message]]) -> str:
    """Whether the watch names a barometer among its own sensors."""
    for message in messages.get("device_info_mesgs", []):
        if message.get("local_device_type", message.get("device_type")) == "barometer":
            return "barometer"
    return "not stated"
