"""A calibration before a run: half a minute of listening, what is to be thought of it, and keeping it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import degrees, isfinite
from typing import Final, Protocol

from latemiles.estimators.mounting import Calibration
from latemiles.pipeline import Pipeline
from latemiles.recording.writer import RecordingWriter
from latemiles.sensors.registry import driver_for
from latemiles.session.home import Home
from latemiles.session.kept_calibration import LONGEST_KEPT_S, KeptCalibration
from latemiles.session.live import LiveSession
from latemiles.session.live_run import LiveRun
from latemiles.signals.events import CalibrationFound, Event
from latemiles.signals.frames import SEGMENTS
from latemiles.signals.records import Pose

__all__ = ["advice", "calibrate"]

GOOD_RESIDUAL_DEG: Final = 2.0
"""A calibration that repeats within this is as good as squats can make it, degrees."""
_AFTER_S: Final = 2.0


class Guide(Protocol):
    """When a person is asked to do what, in session seconds."""

    standing_s: tuple[float, float]
    movement_s: tuple[float, float]

    def words(self, t_s: float) -> str:
        """What to do now."""
        ...


@dataclass(slots=True)
class _Notebook:
    found: list[CalibrationFound] = field(default_factory=list)

    def take(self, events: Sequence[Event]) -> None:
        self.found += [event for event in events if isinstance(event, CalibrationFound)]

    def finish(self) -> None:
        pass


def calibrate(run: LiveRun, guide: Guide, say: Callable[[str], None], home: Home | None = None) -> list[str]:
    """Listen while a person stands and squats; what was found, in lines.

    Parameters
    ----------
    run : LiveRun
        Linked.
    guide : Guide
        When what is asked for.
    say : callable
        Tells a person one line.
    home : Home, optional
        Where the calibration is kept for the next run, and what was heard for those who want to work it
        out anew; None: nowhere.
    """
    notebook = _Notebook()
    pipeline = Pipeline(run.header, driver_for)
    recorder = (
        None if home is None else RecordingWriter(home.calibrations / f"{run.header.run}.mcap", run.header)
    )
    session = LiveSession(run.receiver.records(run.header), pipeline, recorder, [notebook])
    run.receiver.attach(session)

    async def lead() -> None:
        said = ""
        while (t_s := session.heard_ns * 1e-9) < guide.movement_s[1] + _AFTER_S:
            words = guide.words(t_s).split(" ...")[0]
            if words and not words.startswith(said[:12] or "\0"):
                say(words)
                said = words
            await asyncio.sleep(0.2)
        for kind, window in (("standing", guide.standing_s), ("movement", guide.movement_s)):
            session.inbox.offer(Pose(session.heard_ns, kind, *window))
        await asyncio.sleep(_AFTER_S)
        session.stop()

    session.optional["guide"] = lead
    asyncio.run(session.run())
    lines = advice(notebook.found[-1] if notebook.found else None)
    return lines if home is None else [*lines, _kept(run, pipeline.first_pass.calibration, home)]


def _kept(run: LiveRun, found: Calibration | None, home: Home) -> str:
    """Keep a calibration from poses; what to tell of it."""
    if found is None or (found.reference, found.axes_from) != ("standing", "movement"):
        return "It is not kept; the next run asks for it again."
    serials = {info.segment: info.serial for info in run.header.sensors}
    recording = home.calibrations / f"{run.header.run}.mcap"
    KeptCalibration(time.time(), serials, found, str(recording)).save(home.calibration)
    minutes = LONGEST_KEPT_S / 60.0
    return (
        f"Kept for a run that starts within {minutes:.0f} minutes with the sensors left as they are: "
        "'latemiles live'."
    )


def advice(found: CalibrationFound | None) -> list[str]:
    """A calibration in words, with what to do better."""
    if found is None:
        return ["No calibration was found: stand still for eight seconds, then do three slow squats."]
    lines = [f"Zero from {found.reference}, axes from {found.axes_from}."]
    for segment, residual in zip(SEGMENTS, found.residual_rad, strict=False):
        if not isfinite(residual):
            lines.append(f"{segment.label}: not measured; was the sensor linked?")
            continue
        # Nobody squats the same to less than a tenth.
        size = max(0.1, degrees(residual))
        word = "good" if size <= GOOD_RESIDUAL_DEG else "poor: tighten the clip and squat straight ahead"
        lines.append(f"{segment.label}: repeats within {size:.1f} degrees, {word}")
    if isfinite(found.obliquity_uncertainty_rad):
        lines.append(
            f"Mean obliquity is certain to {degrees(found.obliquity_uncertainty_rad):.1f} degrees; "
            "its changes are better."
        )
    return lines
