"""Recorded packets to samples in session time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from latemiles.errors import RecordingError
from latemiles.recording.reader import Recording
from latemiles.recording.verify import verify
from latemiles.sensors.drivers import latemiles_v1
from latemiles.signals.frames import Segment
from latemiles.signals.records import Packet, Record, RunHeader, SensorInfo
from reference.recording_samples import write

RATE_HZ = 208.0
PER_PACKET = 12
SKEW = 60e-6
START_S = 2.0


def header(driver: str = latemiles_v1.NAME) -> RunHeader:
    return RunHeader("r", sensors=(SensorInfo(Segment.PELVIS, driver, RATE_HZ),))


def heard(n_packets: int, lost: set[int] = frozenset(), seed: int = 5) -> list[Record]:  # type: ignore[assignment]
    """Packets of a sensor whose clock runs 60 ppm fast, with 10 to 40 ms on the way."""
    rng = np.random.default_rng(seed)
    out: list[Record] = []
    for k in range(n_packets):
        index = np.arange(k * PER_PACKET, (k + 1) * PER_PACKET)
        counts = np.zeros((PER_PACKET, 6), dtype=np.int16)
        counts[:, 0] = index % 1000
        counts[:, 5] = 2048
        payload = latemiles_v1.encode(
            counts,
            first_index=int(index[0]),
            tick=round(index[0] / RATE_HZ * (1.0 + SKEW) * latemiles_v1.TICK_HZ),
        )
        arrival_s = START_S + index[-1] / RATE_HZ + 0.01 + rng.exponential(0.01)
        if k not in lost:
            out.append(Packet(round(arrival_s * 1e9), Segment.PELVIS, payload))
    return out


def test_samples_come_back_at_the_times_they_were_taken(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mcap", heard(1200), header())
    stream = Recording.open(path).streams()[Segment.PELVIS]
    truth = START_S + np.arange(1200 * PER_PACKET) / RATE_HZ
    assert stream.t.shape == truth.shape
    error = stream.t - truth
    # The shortest way from sensor to host cannot be told from the clock's offset: 10 ms here.
    assert np.abs(error - np.median(error)).max() < 3e-3
    assert 0.0 < np.median(error) < 0.025
    assert np.array_equal(np.round(stream.gyr[:, 0] / stream.gyr[1, 0]), np.arange(len(truth)) % 1000)


def test_missing_repeated_and_damaged_packets_are_counted(tmp_path: Path) -> None:
    records = heard(200, lost={50, 51, 120})
    records.insert(30, records[29])
    records.append(Packet(10**11, Segment.PELVIS, b"nonsense"))
    path = write(tmp_path / "a.mcap", records, header())
    report = verify(path)
    assert report.ok
    count = report.samples[Segment.PELVIS]
    assert (count.samples, count.missing) == (197 * PER_PACKET, 3 * PER_PACKET)
    assert (count.duplicates, count.damaged_packets) == (PER_PACKET, 1)
    assert "36 missing" in "\n".join(report.lines())
    assert len(Recording.open(path).streams()[Segment.PELVIS].t) == 197 * PER_PACKET


def test_an_unknown_driver_can_be_verified_but_not_decoded(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mcap", heard(3), header("of-the-future"))
    assert verify(path).ok
    with pytest.raises(RecordingError, match=r"of-the-future.*Update latemiles"):
        Recording.open(path).streams()


def test_packets_of_a_sensor_that_the_header_lacks_are_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mcap", heard(3), RunHeader("r"))
    with pytest.raises(RecordingError, match="names no sensor"):
        Recording.open(path).streams()


def test_a_sensor_that_was_never_heard_is_an_empty_stream(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mcap", [], header())
    assert len(Recording.open(path).streams()[Segment.PELVIS].t) == 0
