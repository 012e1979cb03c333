"""Recorded bytes to samples: each sensor whole, in session time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Final

import numpy as np

from latemiles.errors import ConfigError, RecordingError
from latemiles.estimators.clock import ClockFit, ClockStage
from latemiles.estimators.decode import DecodeStage
from latemiles.sensors.registry import driver_for
from latemiles.signals.blocks import ImuStream, SampleBlock
from latemiles.signals.frames import Segment
from latemiles.signals.records import Packet, Record, SensorInfo

if TYPE_CHECKING:
    from latemiles.recording.reader import Recording

__all__ = ["SampleCount", "SensorReader", "decode_streams"]

USUAL_RATE_HZ: Final = 100.0
"""Hz; stands in for a nominal rate that the header does not know (a single imported sample)."""


@dataclass(frozen=True, slots=True)
class SampleCount:
    """What the packets of one sensor held."""

    samples: int
    missing: int
    """Samples that the sensor took, by its own running number or clock, and that never came."""
    duplicates: int
    """Samples that came twice."""
    restarts: int
    """How often the sensor started over."""
    damaged_packets: int
    """Packets whose bytes do not follow the sensor's protocol."""


class SensorReader:
    """Decoder and clock of one recorded sensor.

    Parameters
    ----------
    info : SensorInfo
        From the header.
    known : ClockFit, optional
        The clock's fit of an earlier pass over the same packets: times are then two-sided.

    Raises
    ------
    ConfigError
        If no driver has the name in the header.
    """

    def __init__(self, info: SensorInfo, known: ClockFit | None = None) -> None:
        is_usable = isfinite(info.rate_hz) and info.rate_hz > 0.0
        self._decode = DecodeStage(info, driver_for(info), judges=False)
        self.clock = ClockStage(
            info.segment,
            info.rate_hz if is_usable else USUAL_RATE_HZ,
            self._decode.driver.capabilities,
            known,
        )

    def push(self, packet: Packet) -> SampleBlock | None:
        """Samples of one packet; None for a damaged, empty or repeated one."""
        decoded = self._decode.push(packet.payload)
        return None if decoded is None else self.clock.push(decoded, packet.arrival_ns).block

    def count(self) -> SampleCount:
        """What came until now."""
        clock = self.clock
        return SampleCount(
            samples=clock.samples,
            missing=max(0, clock.expected - clock.samples),
            duplicates=clock.duplicates,
            restarts=clock.restarts,
            damaged_packets=self._decode.damaged,
        )


def decode_streams(recording: Recording) -> dict[Segment, ImuStream]:
    """Samples of each sensor of a recording, whole in memory.

    The file is read twice: once to fit each sensor's clock over the whole run, and once to give each sample
    its time by that fit. Times that the packets bring themselves (imported files) are kept to the bit.

    Parameters
    ----------
    recording : Recording
        An open recording.

    Returns
    -------
    dict of Segment to ImuStream
        One entry a sensor of the header, empty where nothing was heard; samples in order of time.

    Raises
    ------
    RecordingError
        If the file is damaged, names an unknown driver, or has packets of a sensor that its header lacks.
    """
    sensors = recording.header.sensors
    readers = _readers(recording.path, sensors, {})
    for _ in _blocks(recording.path, recording.records(), readers):
        pass
    fits = {segment: reader.clock.fit() for segment, reader in readers.items()}
    parts: dict[Segment, list[SampleBlock]] = {info.segment: [] for info in sensors}
    for block in _blocks(recording.path, recording.records(), _readers(recording.path, sensors, fits)):
        parts[block.segment].append(block)
    return {segment: _stream(blocks) for segment, blocks in parts.items()}


def _readers(
    path: str, sensors: Iterable[SensorInfo], fits: Mapping[Segment, ClockFit]
) -> dict[Segment, SensorReader]:
    try:
        return {info.segment: SensorReader(info, fits.get(info.segment)) for info in sensors}
    except ConfigError as error:
        raise RecordingError(
            path, f"Its sensors need a driver that this latemiles lacks ({error}) Update latemiles."
        ) from error


def _blocks(
    path: str, records: Iterable[Record], readers: Mapping[Segment, SensorReader]
) -> Iterable[SampleBlock]:
    for record in records:
        if not isinstance(record, Packet):
            continue
        reader = readers.get(record.segment)
        if reader is None:
            raise RecordingError(
                path,
                f"It has packets of the {record.segment.label} but its header names no sensor there. "
                "Recover it again from the original file.",
            )
        block = reader.push(record)
        if block is not None:
            yield block


def _stream(blocks: list[SampleBlock]) -> ImuStream:
    if not blocks:
        return ImuStream(np.empty(0), np.empty((0, 3)), np.empty((0, 3)))
    t = np.concatenate([block.t_s for block in blocks])
    acc = np.concatenate([block.acc for block in blocks])
    gyr = np.concatenate([block.gyr for block in blocks])
    # Samples that were sent again come late; a time that is met twice is one sample.
    order = np.argsort(t, kind="stable")
    order = order[np.concatenate(([True], np.diff(t[order]) > 0.0))]
    return ImuStream(t[order], acc[order], gyr[order])
