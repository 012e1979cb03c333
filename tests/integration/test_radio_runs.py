"""Whole runs through the virtual radio, its thread and the real bleak client."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from latemiles.recording.reader import Recording
from latemiles.sensors.drivers.latemiles_v1 import LatemilesV1, counts_from_si
from latemiles.session.hand_over import HandOver
from latemiles.session.over_radio import WorldPlan, radio_run, world_of_recording, world_of_run
from latemiles.session.receiver import Receiver
from latemiles.signals.frames import SEGMENTS, Segment
from latemiles.signals.records import Gone, Link, Packet, Record, RunHeader, Speed
from latemiles.sim.plan import easy_run
from latemiles.sim.runner import simulate

RECORDINGS = Path(__file__).resolve().parents[2] / "recordings"


def heard(receiver: Receiver, *, most: int | None = None) -> list[Record]:
    """Everything that a receiver hands over; with ``most`` the run is ended after so many records."""
    sensors = receiver.gather()
    found: list[Record] = []

    async def listen() -> None:
        async for record in receiver.records(RunHeader("test", sensors=sensors)):
            found.append(record)
            if len(found) == most:
                receiver.end()

    asyncio.run(listen())
    return found


def counts_heard(records: list[Record], segment: Segment) -> np.ndarray:
    """Samples of one sensor as counts, in order of index, each once."""
    driver, parts = LatemilesV1(), {}
    for record in records:
        if isinstance(record, Packet) and record.segment is segment:
            p = driver.decode(record.payload)
            parts[p.first_index] = counts_from_si(p.acc, p.gyr)
    return np.concatenate([parts[k] for k in sorted(parts)])


def test_what_the_runners_sensors_measure_is_what_is_heard():
    run = simulate(easy_run(0.3), 3)
    records = heard(radio_run(world_of_run(run), None))
    assert isinstance(records[0], RunHeader)
    assert [info.segment for info in records[0].sensors] == list(SEGMENTS)
    # Noise is drawn by the chunk: the feed's own length of chunks.
    chunks = list(run.chunks(30.0))
    for segment in SEGMENTS:
        measured = np.concatenate([counts_from_si(c[segment.lane].acc, c[segment.lane].gyr) for c in chunks])
        got = counts_heard(records, segment)
        # The sensors are started one after another; from then on nothing is missing.
        start = next(k for k in range(400) if np.array_equal(measured[k : k + 60], got[:60]))
        n = min(len(got), len(measured) - start)
        assert start < 0.5 * 208.0
        assert n > len(measured) - start - 12
        np.testing.assert_array_equal(got[:n], measured[start : start + n])
    arrivals = [r.arrival_ns for r in records[1:]]
    assert arrivals == sorted(arrivals)
    assert sum(isinstance(r, Speed) for r in records) > 60
    assert {r.state for r in records if isinstance(r, Link)} == {"up", "battery"}


def test_a_recording_is_measured_again_over_the_radio():
    path = min(RECORDINGS.glob("*.mcap"), key=lambda p: p.stat().st_size)
    with Recording.open(path) as recording:
        streams, plan = recording.streams(), world_of_recording(recording)
    plan = WorldPlan(plan.sensors, min(plan.duration_s, 20.0), plan.words)
    records = heard(radio_run(plan, None))
    for segment in SEGMENTS:
        got = counts_heard(records, segment)
        old = counts_from_si(streams[segment].acc, streams[segment].gyr)
        start = next(k for k in range(400) if np.array_equal(old[k : k + 30], got[:30]))
        assert len(got) > 18.0 * 100.0
        np.testing.assert_array_equal(got[:1000], old[start : start + 1000])


def test_a_run_that_is_ended_early_says_goodbye_and_hands_over_what_was_heard():
    receiver = radio_run(world_of_run(simulate(easy_run(2.0), 3)), None)
    records = heard(receiver, most=500)
    assert 500 <= len(records) < 1200
    assert not receiver._thread.is_alive()
    for link in receiver.reception.links.values():
        assert link.book.missing == []


def test_a_slow_session_makes_a_virtual_world_wait_and_a_real_radio_refuse():
    packet = Packet(7, Segment.PELVIS, b"x")
    real = HandOver(3, can_wait=False)
    assert [real.offer(packet) for _ in range(5)] == [True, True, True, False, False]
    assert real.offer(Link(8, Segment.PELVIS, "down"))
    assert real.refused_total == 2

    async def take() -> list[Record]:
        found = []
        async for record in real.take():
            found.append(record)
            if len(found) == 4:
                assert real.offer(packet)
                real.close()
        return found

    found = asyncio.run(take())
    assert found[4] == Gone(7, Segment.PELVIS, 2, found[4].reason)
    assert found[5] == packet


def test_a_world_without_sensors_says_what_to_do():
    receiver = radio_run(WorldPlan((), 1.0), None)
    with pytest.raises(Exception, match="No sensor answered"):
        receiver.gather()
