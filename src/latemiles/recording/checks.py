"""What every importer checks, and the errors it raises: each names where the samples came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import floor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import InputError, TimeOrderError, UnitError
from latemiles.estimators.units import check_units
from latemiles.signals.blocks import ImuStream
from latemiles.signals.frames import Segment
from latemiles.signals.records import RunHeader

__all__ = [
    "Imported",
    "check_finite",
    "check_stream",
    "check_together",
    "in_session_time",
    "named",
    "with_full_scales",
]

RATES_HZ: Final = (4.0, 20_000.0)
"""Median sample rates that an IMU on a runner can have; ms or us taken for s fall outside."""
UNIX_S: Final = (946_684_800.0, 4_102_444_800.0)
"""2000 to 2100 in seconds since 1970: what a first time stamp in between must be."""
LONGEST_SILENCE_S: Final = 6.0 * 3600.0
"""Longer pauses without any sensor separate runs, s."""
LONGEST_LEAD_S: Final = 3600.0
"""Times that begin later than this were not counted from the start of the run."""
SMALLEST_ACC_M_S2: Final = 15.0
"""Full scales of accelerometers begin at 2 g; a scale error of a quarter is more than any has."""
SMALLEST_GYR_RAD_S: Final = 2.0
"""Full scales of gyroscopes begin at 125 deg/s."""
PLATEAUS: Final = 3
"""Times that a reading must stay at its extreme for the extreme to be the sensor's limit."""


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


def check_finite(where: str, stream: ImuStream) -> None:
    """Refuse infinity, which no sensor gives: a column was misread.

    Raises
    ------
    InputError
        If there is any.
    """
    if np.isinf(stream.acc).any() or np.isinf(stream.gyr).any():
        raise InputError(
            "finite numbers, or NaN where a sample is missing", f"infinity ({where})", "Write NaN instead."
        )


def check_stream(where: str, stream: ImuStream) -> None:
    """Refuse times, accelerations and rates that cannot be in s, m/s^2 and rad/s.

    Raises
    ------
    UnitError
        With what the numbers look like.
    """
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


def check_together(where: str, streams: Mapping[Segment, ImuStream]) -> None:
    """Refuse streams of which no sensor has a sample for hours: they are of two runs, or of two clocks.

    Raises
    ------
    TimeOrderError
        With where the silence lies. Every second of it would be carried as a gap.
    """
    # One sample every few seconds of each says as much and sorts at once.
    times = [np.append(s.t[::256], s.t[-1:]) for s in streams.values()]
    every = np.sort(np.concatenate(times)) if times else np.empty(0)
    silence = np.diff(every)
    k = int(np.argmax(silence)) if silence.size else 0
    if silence.size and silence[k] > LONGEST_SILENCE_S:
        raise TimeOrderError(
            "one run on one time axis",
            f"no sample of any sensor for {silence[k] / 3600.0:.3g} hours after {every[k]:.3f} s ({where})",
            "Count the time of every sensor from the same start, in s, and cut separate runs apart.",
        )


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


def with_full_scales(header: RunHeader, streams: Mapping[Segment, ImuStream]) -> RunHeader:
    """The header with the full scale of each sensor that was driven to it, so that clipping is marked.

    Files of samples do not say what the sensor could measure; readings that stay at the largest value there
    is, to the bit, again and again, do.
    """
    sensors = tuple(
        replace(
            info,
            acc_range_m_s2=_full_scale(streams[info.segment].acc, SMALLEST_ACC_M_S2),
            gyr_range_rad_s=_full_scale(streams[info.segment].gyr, SMALLEST_GYR_RAD_S),
        )
        for info in header.sensors
    )
    return replace(header, sensors=sensors)


def _full_scale(values: NDArray[np.float64], smallest: float) -> float:
    """Full scale that the readings (n, 3) were clipped at; NaN where they were not."""
    size = np.abs(values)
    largest = float(np.max(size, initial=0.0, where=np.isfinite(size)))
    if largest < smallest:
        return float("nan")
    stays = (values[1:] == values[:-1]) & (size[1:] == largest)
    return largest if np.count_nonzero(stays) >= PLATEAUS else float("nan")
