"""Everything between what is heard and what is said: records in, events out.

Pure: no clock, no I/O, no randomness. Live, replay and analysis are this one object, and however records are
handed over the events are the same bytes: the grid goes through the stages in chunks of a fixed length that
begin at fixed indices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Protocol

import numpy as np

from latemiles.config import Config
from latemiles.errors import InputError
from latemiles.estimators.chunks import GridChunks
from latemiles.estimators.course import Course, ahead_of, no_course
from latemiles.estimators.gait_events import GaitStage, events_of
from latemiles.estimators.grid_rate import grid_rate_hz, slowest_hz
from latemiles.estimators.intake import Intake
from latemiles.estimators.mounting import Calibration
from latemiles.estimators.orientation import OrientationStage
from latemiles.estimators.orientation_smoothed import SEGMENT_S
from latemiles.estimators.pace_guess import PaceGuess
from latemiles.estimators.posture import PostureStage
from latemiles.estimators.posture_buffers import still_of
from latemiles.estimators.refill import Refill, hide
from latemiles.estimators.scout import FirstPass
from latemiles.estimators.snapshot import Stage, pack_stages, unpack_stages
from latemiles.estimators.tally import Tally
from latemiles.kernels.gait_events import ACTIVITY
from latemiles.metrics.needs import Offer, lacking, limits
from latemiles.metrics.pace import Pace
from latemiles.metrics.rows import Kept
from latemiles.metrics.speed import words_of
from latemiles.metrics.strides import StrideStage
from latemiles.metrics.waveforms import WaveformBook
from latemiles.signals.blocks import AngleBlock, GridBlock, OrientationBlock
from latemiles.signals.events import Event, LinkChanged, LiveState, Marked
from latemiles.signals.frames import SEGMENTS
from latemiles.signals.packets import Driver
from latemiles.signals.records import Gone, Link, Mark, Packet, Pose, Record, RunHeader, SensorInfo, Speed
from latemiles.signals.results import SensorQuality
from latemiles.signals.stretches import Stretch
from latemiles.trends.monitor import TrendMonitor

__all__ = ["GIVEN", "FirstPass", "Pipeline"]

CHUNK_S: Final = 0.1
"""The causal basis goes through the stages in pieces this long: ten looks a second. The smoothed basis goes
by what its smoother takes without copying."""
SMOOTHED_WAIT_S: Final = 60.0
"""How long the smoothed basis waits for samples that are sent again, s."""
GIVEN: Final = "calibration"
"""Where a header keeps the calibration that was made before the run."""

_NAN: Final = float("nan")
_UNKNOWN: Final = (_NAN, _NAN, _NAN)


class Watch(Protocol):
    """Sees what flows, for those who keep it; each block carries its own first index."""

    def samples(self, grid: GridBlock, orient: OrientationBlock) -> None:
        """See samples with their orientation."""

    def angles(self, block: AngleBlock) -> None:
        """See angles."""


class Pipeline:
    """Records in, events out; see the module. ``scout.Scout`` goes only as far as a first pass needs.

    Parameters
    ----------
    header : RunHeader
        What is known when the run starts: which sensor sits where, and which driver speaks its language.
    driver_for : callable
        Gives the driver of a sensor; handed in, so that the core imports no sensor family.
    config : Config, optional
        Settings of every stage.
    basis : {"causal", "smoothed"}
        What may be known: only the past, or also some seconds of the future (fixed lag).
    known : FirstPass, optional
        What an earlier pass over the same records found.
    poses : sequence of Pose
        Calibration poses that are known before the first record, in session seconds.
    watch : Watch, optional
        Sees every chunk of samples, orientations and angles; for those who keep them.
    kept : Kept, optional
        Takes strides and gait events, which are then not put out, nor are updates of form drift; for those
        who want columns of the whole run.

    Raises
    ------
    InputError
        If the basis is not known.
    ConfigError
        If a driver is not known.
    """

    _chunk_s: float = CHUNK_S
    _has_angles: bool = True

    def __init__(
        self,
        header: RunHeader,
        driver_for: Callable[[SensorInfo], Driver],
        *,
        config: Config | None = None,
        basis: str = "causal",
        known: FirstPass | None = None,
        poses: Sequence[Pose] = (),
        watch: Watch | None = None,
        kept: Kept | None = None,
    ) -> None:
        if basis not in {"causal", "smoothed"}:
            raise InputError("a basis of 'causal' or 'smoothed'", repr(basis), "Choose one of the two.")
        self.header = header
        self.basis = basis
        self.config = config or Config()
        self.rate_hz = grid_rate_hz(header.sensors)
        self._watch = watch
        self._kept = kept
        self._posed = LiveState(_NAN, _UNKNOWN, _UNKNOWN, _UNKNOWN)
        self._build_input(driver_for, known)
        self._build_stages(known, poses)

    def _build_input(self, driver_for: Callable[[SensorInfo], Driver], known: FirstPass | None) -> None:
        """Make the stages that bring the sensors onto one grid."""
        smoothed = self.basis == "smoothed"
        params = self.config.align
        if smoothed:
            params = type(params)(max_wait_s=SMOOTHED_WAIT_S, bridge_s=params.bridge_s)
        sensors = [(info, driver_for(info)) for info in self.header.sensors if info.segment in SEGMENTS]
        self._offers = [Offer(i.segment, i.rate_hz, d.capabilities.has_clock) for i, d in sensors]
        length = round((SEGMENT_S if smoothed else self._chunk_s) * self.rate_hz)
        clocks = known.clocks if known else {}
        # Chunks that are counted from the first sample are pieces of memory too: nothing has to be joined.
        self._intake = Intake(self.rate_hz, sensors, params, clocks, length if smoothed else 0)
        self.tally = Tally(self._intake, self.rate_hz)
        self._chunks = GridChunks(length, len(SEGMENTS), self.rate_hz, from_first=smoothed)

    def _build_stages(self, known: FirstPass | None, poses: Sequence[Pose]) -> None:
        """Make the stages from orientation to trends."""
        c, rate = self.config, self.rate_hz
        self._pace = Pace(known.speeds, is_over_ground=known.is_over_ground) if known else Pace()
        self._guess = PaceGuess(rate)
        self._refill = Refill(rate, len(SEGMENTS))
        self._orientation = OrientationStage(
            rate, lanes=len(SEGMENTS), basis=self.basis, params=c.orientation
        )
        self._posture = PostureStage(
            rate,
            basis=self.basis,
            known=known.calibration if known else None,
            given=Calibration.from_text(given) if (given := self.header.extra.get(GIVEN)) else None,
            told=poses,
            params=c.posture,
            pace=self._pace.at_each,
            has_angles=self._has_angles,
        )
        self._mounts = self._posture.mounts
        if known and known.calibration:
            self._orientation.aim(ahead_of(np.array(known.calibration.quat_segment_sensor)))
        self._gait = GaitStage(rate, slowest_hz(self.header.sensors))
        self._strides = StrideStage(rate, c.strides, lacking=lacking(self._offers))
        # Nobody looks at updates of a run whose strides are kept: form drift is worked out from all of them.
        self._monitor = TrendMonitor(c.monitor if self._kept is None else replace(c.monitor, metrics=()))

    def push(self, record: Record) -> list[Event]:
        """Take one record; say what became known.

        Parameters
        ----------
        record : Record
            The next one, in order of arrival.

        Returns
        -------
        list of Event
            In order; possibly none.
        """
        match record:
            case Packet():
                grid, found = self._intake.push(record)
                return [*found, *self._through_chunks([] if grid is None else [grid])]
            case Mark(arrival_ns=ns, label=label):
                return [Marked(ns * 1e-9, label)]
            case Pose():
                self._posture.tell(record)
            case Speed():
                self._hear_speeds([record])
            case Link(arrival_ns=ns):
                if record.state == "down":
                    self._intake.align.note(record.segment, ns * 1e-9, "link lost")
                return [_link_changed(record)]
            case Gone(arrival_ns=ns):
                self._intake.align.note(record.segment, ns * 1e-9, "packets refused")
            case RunHeader():
                pass
        return []

    def finish(self) -> list[Event]:
        """Say what was still held back; nothing may be pushed afterwards."""
        grid, gaps = self._intake.align.finish()
        events: list[Event] = list(gaps)
        self._chunks.push(grid)
        for chunk in (*self._chunks.take(), *self._chunks.rest()):
            events += self._levelled(chunk)
        for held in self._orientation.drain():
            events += self._through(*hide(*held))
        events += self._after_posture(*self._posture.finish())
        # The gait stage and that of strides hold nothing back: a stride without its last sample is no stride.
        self._strides.finish()
        return [*events, *self._monitor.finish()]

    def push_stretch(self, stretch: Stretch) -> list[Event]:
        """Take many records at once: the same as ``push`` of each, for much less work.

        Parameters
        ----------
        stretch : Stretch
            The next ones, in order of arrival.

        Returns
        -------
        list of Event
            Those of each kind in order; between kinds the order may differ from that of single pushes.
        """
        others: Sequence[tuple[int, Record]] = stretch.others
        if self._pace.is_told:
            # Speed need not cut: all of it is known, and asked for long after.
            self._hear_speeds([record for _, record in others if isinstance(record, Speed)])
            others = [other for other in others if not isinstance(other[1], Speed)]
        events: list[Event] = []
        for grids, found, other in self._intake.push_stretch(stretch, others):
            events += [*found, *self._through_chunks(grids)]
            if other is not None:
                events += self.push(other)
        return events

    def _through_chunks(self, grids: Sequence[GridBlock]) -> list[Event]:
        """Take samples of the grid on in whole chunks."""
        self._chunks.push(*grids)
        return [event for chunk in self._chunks.take() for event in self._levelled(chunk)]

    def _hear_speeds(self, records: Sequence[Speed]) -> None:
        """Hear words of the speed source."""
        words = words_of(records)
        self._strides.tell_words(words)
        self._pace.tell_many(words)
        for record in records:
            self._monitor.tell(record)

    def _course(self, chunk: GridBlock) -> Course:
        """Speed at the samples of a chunk: as told, else as guessed in bends."""
        k = chunk.quality.shape[1]
        if k == 0:
            return no_course(0)
        return self._pace.course(chunk.first, k, self.rate_hz).or_else(self._guess.push(chunk))

    def _levelled(self, chunk: GridBlock) -> list[Event]:
        """Take a chunk of the grid through the pipeline; what it says of the mounting serves the next."""
        chunk = self._refill.push(chunk)
        events = self._through(*hide(*self._orientation.push(chunk, self._course(chunk))))
        self._aim()
        return events

    def _aim(self) -> None:
        """Tell the filters which way the segments face, if that is news."""
        if self._posture.mounts is not self._mounts:
            self._mounts = self._posture.mounts
            self._orientation.aim(ahead_of(self._mounts))

    def _through(self, grid: GridBlock, orient: OrientationBlock) -> list[Event]:
        """Take samples with their orientation to the end of the pipeline."""
        if orient.quat.shape[1] == 0:
            return []
        self.tally.count(orient.quality)
        if self._watch is not None:
            self._watch.samples(grid, orient)
        return self._after_posture(*self._posture.push(grid, orient))

    def _after_posture(self, angles: AngleBlock, found: Sequence[Event]) -> list[Event]:
        if angles.pelvis.shape[0] == 0:
            return list(found)
        if self._watch is not None:
            self._watch.angles(angles)
        self._posed = still_of(angles)
        gait = self._gait.rows(angles)
        strides = self._strides.take(angles, found, gait)
        said: list[Event] = [update for event in found for update in self._monitor.push(event)]
        for batch in strides:
            said += self._monitor.push_many(batch)
        if self._kept is None:
            return [*found, *events_of(gait), *(s for batch in strides for s in batch.events()), *said]
        self._kept.gait.extend(gait)
        for batch in strides:
            self._kept.strides.extend(batch)
        return [*found, *events_of(gait[gait[:, 0] == ACTIVITY]), *said]

    @property
    def posture(self) -> LiveState:
        """A still of the posture at the newest sample; NaN where not known."""
        return self._posed

    @property
    def first_pass(self) -> FirstPass:
        """What a second pass over the same records is told."""
        return FirstPass(
            self._posture.calibration,
            {s: c.fit() for s, c in self._intake.clocks.items()},
            is_over_ground=self._posture.is_over_ground,
        )

    @property
    def waveforms(self) -> WaveformBook:
        """The stride-normalised waveforms, a part of the run each."""
        return self._strides.waveforms

    @property
    def limits(self) -> list[str]:
        """What the sensors of the run cannot give and what is left blank for it, in sentences."""
        return limits(self._offers)

    def sensor_quality(self) -> tuple[SensorQuality, ...]:
        """What was heard of each sensor of the header, in lane order."""
        return self.tally.sensor_quality()

    def checkpoint(self) -> bytes:
        """State of every stage as bytes; equal histories give equal bytes."""
        return pack_stages(self._parts())

    def restore(self, saved: bytes) -> None:
        """Go on from ``checkpoint`` of a pipeline made with the same header and settings.

        Raises
        ------
        ConfigError
            If the bytes are of another pipeline.
        """
        unpack_stages(saved, self._parts())

    def _parts(self) -> list[tuple[str, Stage]]:
        decoders: list[tuple[str, Stage]] = [(f"decode:{s}", d) for s, d in self._intake.decoders.items()]
        clocks: list[tuple[str, Stage]] = [(f"clock:{s}", c) for s, c in self._intake.clocks.items()]
        return [
            *decoders,
            *clocks,
            ("align", self._intake.align),
            ("tally", self.tally),
            ("chunks", self._chunks),
            ("pace", self._pace),
            ("guess", self._guess),
            ("refill", self._refill),
            ("orientation", self._orientation),
            ("posture", self._posture),
            ("gait", self._gait),
            ("strides", self._strides),
            ("monitor", self._monitor),
        ]


def _link_changed(link: Link) -> LinkChanged:
    return LinkChanged(link.arrival_ns * 1e-9, link.segment, link.state, link.detail, link.battery_percent)
