"""A watch's file joined to a recording: the clocks first, then a new recording with both in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from latemiles.analysis import analyze
from latemiles.errors import InputError
from latemiles.recording.reader import Recording
from latemiles.recording.watches import Watch, joined, read_watch
from latemiles.recording.watches.offset import ClockOffset, find_offset

if TYPE_CHECKING:
    from latemiles.analysis_result import Analysis

__all__ = ["Joined", "join_watch"]


@dataclass(frozen=True, slots=True)
class Joined:
    """What came of it."""

    path: Path
    lines: tuple[str, ...]
    """What a person should know of the offset and of the file, a sentence each."""


@dataclass(frozen=True, slots=True)
class _Clock:
    zero_utc_s: float
    """What the watch's clock showed at session zero, s since 1970."""
    words: str


def join_watch(
    format_name: str,
    path: Path,
    recording_path: Path,
    out: Path,
    *,
    offset_s: float | None = None,
    progress: Callable[[float], None] | None = None,
) -> Joined:
    """Write a new recording that is the old one with a watch's words in it; the old one is not touched.

    The offset of the clocks comes from the cadence that both saw; where that does not say, from both clocks
    being right; where one of them is not known, it must be told.

    Parameters
    ----------
    format_name : str
        Format of the watch's file.
    path : Path
        The watch's file.
    recording_path : Path
        The recording it joins.
    out : Path
        The recording to make, which must not exist.
    offset_s : float or None
        Session time of the watch's first point, s, where the runner knows better.
    progress : callable or None
        Called with the share that is done, 0 to 1.

    Returns
    -------
    Joined
        The recording and what was found.

    Raises
    ------
    InputError
        If the file cannot be used, or the offset cannot be known.
    LatemilesError
        If a file cannot be read or written.
    """
    watch = read_watch(format_name, path)
    with Recording.open(recording_path) as recording:
        if offset_s is not None:
            clock = _Clock(watch.started_utc_s - offset_s, f"told: its first point at {offset_s:.1f} s.")
        else:
            clock = _clock(watch, recording, progress)
        made = joined(
            recording.header,
            recording.records(),
            watch,
            clock.zero_utc_s,
            recording.duration_s,
            {"watch_offset": clock.words},
            out,
        )
    facts = watch.facts
    lines = [f"Clock offset, {clock.words}", *watch.track.notes]
    if "watch_grade" in facts:
        lines.append(f"Grade: {facts['watch_grade']}.")
    return Joined(made, tuple(lines))


def _clock(watch: Watch, recording: Recording, progress: Callable[[float], None] | None) -> _Clock:
    started_s = recording.header.started_utc_ns * 1e-9
    found = None
    if watch.says("cadence_spm"):
        analysis = analyze(recording, basis="causal", angles=False, progress=progress)
        found = _from_cadence(watch, analysis, started_s)
    if found is not None and found.is_clear:
        zero_s = watch.started_utc_s - found.offset_s
        words = (
            f"from cadence: {_against(zero_s, started_s, found.offset_s)}; correlation "
            f"{found.correlation:.2f} over {found.overlap_s / 60.0:.1f} min, {found.next_best:.2f} at the "
            f"next best shift; the cadences differ by {found.residual_spm:.1f} steps/min (RMS)."
        )
        return _Clock(zero_s, words)
    why = "the watch counted no steps" if not watch.says("cadence_spm") else "cadence fits no shift clearly"
    if recording.header.started_utc_ns > 0:
        return _Clock(started_s, f"from the time of day, since {why}: both clocks were taken to be right.")
    raise InputError(
        "a watch whose clock can be brought to that of the recording",
        f"no offset: {why}, and the recording does not know the time of day",
        "Give the session time of the watch's first point with --offset SECONDS.",
    )


def _against(zero_s: float, started_s: float, offset_s: float) -> str:
    """The offset in words: against the recording's clock where that is known."""
    if started_s > 0.0:
        ahead = zero_s - started_s
        way = "ahead of" if ahead >= 0.0 else "behind"
        return f"the watch's clock is {abs(ahead):.1f} s {way} the recording's"
    return f"the watch's first point lies at {offset_s:.1f} s"


def _from_cadence(watch: Watch, analysis: Analysis, started_s: float) -> ClockOffset | None:
    strides, track = analysis.strides, watch.track
    order = np.argsort(strides["t_ic_s"], kind="stable")
    return find_offset(
        strides["t_ic_s"][order],
        strides["cadence_spm"][order],
        track.utc_s - track.utc_s[0],
        track.cadence_spm,
        expected_s=watch.started_utc_s - started_s if started_s > 0.0 else None,
    )
