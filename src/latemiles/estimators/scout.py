"""What a first pass finds for a second one, and from when on it need not look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final

from latemiles.estimators.clock import ClockFit
from latemiles.estimators.mounting import Calibration
from latemiles.estimators.posture import PostureStage
from latemiles.signals.frames import Segment
from latemiles.signals.records import Pose, Record, Speed

__all__ = ["FirstPass", "Rest"]

BEND_WITHIN_S: Final = 1800.0
"""Who has run for so long without a bend is taken to be on a treadmill, s."""


@dataclass(frozen=True, slots=True)
class FirstPass:
    """What a first, causal pass found and a second, smoothed one is told."""

    calibration: Calibration | None
    clocks: dict[Segment, ClockFit]
    speeds: tuple[Speed, ...] = ()
    """What was said of speed; the pipeline does not keep it, whoever pushes the records does."""
    is_over_ground: bool = False
    """Whether the runner was seen to move over ground: only there a change of speed is felt."""


class Rest:
    """Watches whether all but the clocks is known, and whether that was said too early.

    Parameters
    ----------
    segments : sequence of Segment
        Where the sensors of the run sit.
    """

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._lanes = [segment.lane for segment in segments]
        self._has_speed = False
        self.has_begun = False
        self.was_too_early = False
        """Whether something was passed over that first passes go by: only one without rest is right."""

    def hear(self, records: Sequence[tuple[int, Record]]) -> None:
        """Hear of what is no packet."""
        for _, record in records:
            # A strap or a pod that tells a pulse or a cadence alone says nothing of speed.
            is_word = isinstance(record, Speed) and (
                isfinite(record.speed_m_s) or isfinite(record.distance_m)
            )
            is_first_word = is_word and not self._has_speed
            self._has_speed = self._has_speed or is_word
            if self.has_begun:
                self.was_too_early |= is_first_word or isinstance(record, Pose)

    def look(self, posture: PostureStage) -> None:
        """Begin to rest if the posture stage has found all that it can find."""
        may_bend = self._has_speed and posture.running_s < BEND_WITHIN_S
        is_known = posture.is_over_ground or not may_bend
        self.has_begun = is_known and posture.is_settled(self._lanes)
