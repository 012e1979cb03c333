"""A calibration by itself: half a minute of listening, and what is to be thought of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import degrees, isfinite
from typing import Final, Protocol

from latemiles.pipeline import Pipeline
from latemiles.sensors.registry import driver_for
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


def calibrate(run: LiveRun, guide: Guide, say: Callable[[str], None]) -> list[str]:
    """Listen while a person stands and squats; what was found, in lines.

    Parameters
    ----------
    run : LiveRun
        Linked; nothing is recorded.
    guide : Guide
        When what is asked for.
    say : callable
        Tells a person one line.
    """
    notebook = _Notebook()
    session = LiveSession(
        run.receiver.records(run.header), Pipeline(run.header, driver_for), None, [notebook]
    )
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
    return advice(notebook.found[-1] if notebook.found else None)


def advice(found: CalibrationFound | None) -> list[str]:
    """A calibration in words, with what to do better."""
    if found is None:
        return ["No calibration was found: stand still for eight seconds, then do three slow squats."]
    lines = [f"Zero from {found.reference}, axes from {found.axes_from}."]
    for segment, residual in zip(SEGMENTS, found.residual_rad, strict=False):
        if not isfinite(residual):
            lines.append(f"{segment.label}: not measured; was the sensor linked?")
            continue
        size = degrees(residual)
        word = "good" if size <= GOOD_RESIDUAL_DEG else "poor: tighten the clip and squat straight ahead"
        lines.append(f"{segment.label}: repeats within {size:.1f} degrees, {word}")
    if isfinite(found.obliquity_uncertainty_rad):
        lines.append(
            f"Mean obliquity is certain to {degrees(found.obliquity_uncertainty_rad):.1f} degrees; "
            "its changes are better."
        )
    return lines
