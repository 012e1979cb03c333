"""A pipeline that goes only as far as a first pass needs: no angles, no gait, no strides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from latemiles.config import Config
from latemiles.estimators.refill import hide
from latemiles.estimators.scout import Rest
from latemiles.metrics.speed import words_of
from latemiles.pipeline import CHUNK_S, Pipeline
from latemiles.signals.blocks import GridBlock
from latemiles.signals.events import Event
from latemiles.signals.packets import Driver
from latemiles.signals.records import Pose, RunHeader, SensorInfo, Speed
from latemiles.signals.stretches import Stretch

__all__ = ["Scout"]

SCOUT_CHUNK_S: Final = 1.0
"""The mounting changes once a second, and nobody looks at the angles."""


class Scout(Pipeline):
    """Finds on the causal basis what a second pass over the same records is told: ``first_pass``.

    Parameters
    ----------
    header : RunHeader
        As for ``Pipeline``.
    driver_for : callable
        As for ``Pipeline``.
    config : Config, optional
    poses : sequence of Pose
        As for ``Pipeline``.
    may_rest : bool
        Follow the clocks alone once the mounting is settled; ``has_overslept`` tells whether something came
        after that should have been heard.

    Raises
    ------
    ConfigError
        If a driver is not known.
    """

    _chunk_s = SCOUT_CHUNK_S
    _has_angles = False

    def __init__(
        self,
        header: RunHeader,
        driver_for: Callable[[SensorInfo], Driver],
        *,
        config: Config | None = None,
        poses: Sequence[Pose] = (),
        may_rest: bool = False,
    ) -> None:
        super().__init__(header, driver_for, config=config, poses=poses)
        self._rest = Rest(list(self._intake.clocks)) if may_rest else None

    @property
    def has_overslept(self) -> bool:
        """Whether it rested and passed over what first passes go by: only one without rest is right."""
        return self._rest is not None and self._rest.was_too_early

    def push_stretch(self, stretch: Stretch) -> list[Event]:
        """Take many records at once, as ``Pipeline.push_stretch``."""
        if self._rest is not None:
            self._rest.hear(stretch.others)
            if self._rest.has_begun:
                self._intake.hear(stretch)
                return []
        # Words of speed need not cut: they are asked for later on.
        speeds = [(at, record) for at, record in stretch.others if isinstance(record, Speed)]
        others = [other for other in stretch.others if not isinstance(other[1], Speed)]
        events: list[Event] = []
        for grids, found, other in self._intake.push_stretch(stretch, others, [at for at, _ in speeds]):
            events += found
            self._chunks.push(*grids)
            if other is not None:
                events += self.push(other)
        self._settle_speeds([record for _, record in speeds], self._intake.reached)
        events += self._levelled(self._chunks.take_joined())
        if self._rest is not None:
            self._rest.look(self._posture)
        return events

    def _through_chunks(self, grids: Sequence[GridBlock]) -> list[Event]:
        self._chunks.push(*grids)
        return self._levelled(self._chunks.take_joined())

    def _hear_speeds(self, records: Sequence[Speed]) -> None:
        self._settle_speeds(records, [self._chunks.held[1]] * len(records))

    def _settle_speeds(self, records: Sequence[Speed], reached: Sequence[int]) -> None:
        """Hear words of the speed source; ``reached`` tells how far the grid was before each."""
        # The chunks that a causal pass has done by now went by the speed as it was known until now.
        chunk = round(CHUNK_S * self.rate_hz)
        stops = [stop - stop % chunk for stop in reached]
        self._pace.tell_settled(words_of(records), self._chunks.held[0], stops)

    def _levelled(self, chunk: GridBlock) -> list[Event]:
        """Take whole chunks to the posture, with the mounting as it is known at each one's start."""
        events: list[Event] = []
        chunk = self._refill.push(chunk)
        left = chunk.quality.shape[1]
        course = self._course(chunk)
        while left:
            before = self._orientation.save()
            grid, orient = hide(*self._orientation.push(chunk, course))
            events += self._posture.push(grid, orient)[1]
            taken = self._posture.taken
            if taken < left:
                # A sensor sits otherwise from here on: its filter goes on from this sample.
                self._orientation.load(before)
                self._orientation.push(chunk.part(0, taken), course.part(0, taken))
            self._aim()
            self.tally.count(orient.quality[:, :taken])
            chunk, course = chunk.part(taken, left), course.part(taken, left)
            left -= taken
        return events
