"""What every importer checks, and the errors it raises: the file's name is in each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import floor
from typing import Final

import numpy as np

from latemiles.errors import InputError, UnitError
from latemiles.estimators.orientation import check_units
from latemiles.signals.blocks import ImuStream
from latemiles.signals.frames import Segment

__all__ = ["Imported", "check_stream", "in_session_time", "named"]

RATES_HZ: Final = (4.0, 20_000.0)
"""Median sample rates that an IMU on a runner can have; ms or us taken for s fall outside."""
UNIX_S: Final = (946_684_800.0, 4_102_444_800.0)
"""2000 to 2100 in seconds since 1970: what a first time stamp in between must be."""
LONGEST_LEAD_S: Final = 3600.0
"""Times that begin later than this were not counted from the start of the run."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file holds."""

    streams: Mapping[Segment, ImuStream]
    started_utc_ns: int = 0
    """Wall-clock time of session zero, ns since 1970; 0 where the file does not say."""
    extra: Mapping[str, str] = field(default_factory=dict)
    """For the header: what else is worth keeping."""


def named(error: InputError, where: str) -> InputError:
    """The same error with the place it came from in its text."""
    return type(error)(error.expected, f"{error.got} ({where})", error.advice)


def check_stream(file_name: str, segment: Segment, stream: ImuStream) -> None:
    """Refuse times, accelerations and rates that cannot be in s, m/s^2 and rad/s.

    Raises
    ------
    UnitError
        With what the numbers look like.
    """
    where = f"{segment.value} in {file_name}"
    if np.isinf(stream.acc).any() or np.isinf(stream.gyr).any():
        raise InputError(
            "finite numbers, or NaN where a sample is missing", f"infinity ({where})", "Write NaN instead."
        )
    if len(stream.t) < 3:
        return
    rate_hz = 1.0 / float(np.median(np.diff(stream.t)))
    if not RATES_HZ[0] <= rate_hz <= RATES_HZ[1]:
        raise UnitError(
            f"times in s, {RATES_HZ[0]:.0f} to {RATES_HZ[1]:.0f} samples a second",
            f"{rate_hz:.3g} a second ({where})",
            "Convert the times to s: divide by 1000 if they are in ms.",
        )
    try:
        check_units(stream.gyr, stream.acc, rate_hz)
    except UnitError as error:
        raise named(error, where) from error


def in_session_time(imported: Imported) -> Imported:
    """Times counted from the start of the run, moved by whole seconds where they were counted from elsewhere.

    Whole seconds, because a fraction would round every time stamp anew.
    """
    starts = [float(stream.t[0]) for stream in imported.streams.values() if len(stream.t)]
    first = min(starts, default=0.0)
    if 0.0 <= first <= LONGEST_LEAD_S:
        return imported
    shift = float(floor(first))
    streams = {
        segment: ImuStream(stream.t - shift, stream.acc, stream.gyr)
        for segment, stream in imported.streams.items()
    }
    is_unix = UNIX_S[0] <= first <= UNIX_S[1]
    return replace(
        imported,
        streams=streams,
        started_utc_ns=int(shift) * 1_000_000_000 if is_unix else imported.started_utc_ns,
        extra={**imported.extra, "time_shift_s": f"{shift:.0f}"},
    )
