"""A runner over the radio: what the air took and gave back is whole in the report; live and replay agree."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from latemiles.analysis import analyze
from latemiles.pipeline import Pipeline
from latemiles.recording.reader import Recording
from latemiles.recording.writer import RecordingWriter
from latemiles.sensors.registry import driver_for
from latemiles.session.live import LiveSession
from latemiles.session.over_radio import radio_run, world_of_run
from latemiles.signals.events import Event, Gap, LinkChanged, event_bytes
from latemiles.signals.frames import Segment
from latemiles.signals.quality import StrideQuality
from latemiles.signals.records import RunHeader
from latemiles.sim.plan import easy_run
from latemiles.sim.runner import simulate
from latemiles.sim.world import World

LEAVES_S = 60.0


class Notebook:
    """A sink that keeps every event."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def take(self, events) -> None:
        """Take the events of one record."""
        self.events += events

    def finish(self) -> None:
        """The run is over."""


def lived(path: Path, minutes: float, away_s: float) -> list[Event]:
    """A run in which the left sensor is out of range for so long; recorded at ``path``."""

    async def happens(world: World) -> None:
        address = world.imu(Segment.LEFT_THIGH).address
        await asyncio.sleep(LEAVES_S)
        world.link.set_in_range(address, is_near=False)
        await asyncio.sleep(away_s)
        world.link.set_in_range(address, is_near=True)

    receiver = radio_run(world_of_run(simulate(easy_run(minutes), 11)), None, happens=happens)
    header = RunHeader("radio", sensors=receiver.gather())
    notebook = Notebook()
    recorder = RecordingWriter(path, header)
    session = LiveSession(receiver.records(header), Pipeline(header, driver_for), recorder, [notebook])
    receiver.attach(session)
    asyncio.run(session.run())
    return notebook.events


def replayed(path: Path) -> list[Event]:
    with Recording.open(path) as recording:
        pipeline = Pipeline(recording.header, driver_for)
        events = [e for record in recording.records() for e in pipeline.push(record)]
    return events + pipeline.finish()


@pytest.mark.slow
def test_forty_seconds_out_of_range_are_a_gap_live_and_none_in_the_report(tmp_path):
    path = tmp_path / "run.mcap"
    events = lived(path, 1.5, 40.0)
    (gap,) = [e for e in events if isinstance(e, Gap) and e.segment is Segment.LEFT_THIGH and e.t_s > 5.0]
    assert gap.reason == "link lost"
    assert gap.t_s == pytest.approx(LEAVES_S, abs=1.5)
    assert 38.0 < gap.end_s - gap.t_s < 44.0
    told = [e.state for e in events if isinstance(e, LinkChanged) and e.segment is Segment.LEFT_THIGH]
    assert [state for state in told if state != "battery"] == ["up", "down", "up"]
    assert event_bytes(replayed(path)) == event_bytes(events)
    with Recording.open(path) as recording:
        analysis = analyze(recording)
    (left,) = [s for s in analysis.quality.sensors if s.segment is Segment.LEFT_THIGH]
    assert left.samples == left.expected
    assert left.missing_s < 0.5


@pytest.mark.slow
def test_two_minutes_out_of_range_are_a_gap_of_what_the_ring_could_not_hold(tmp_path):
    path = tmp_path / "run.mcap"
    lived(path, 3.0, 120.0)
    with Recording.open(path) as recording:
        analysis = analyze(recording)
    (left,) = [s for s in analysis.quality.sensors if s.segment is Segment.LEFT_THIGH]
    gone_s = (left.expected - left.samples) / left.rate_hz
    assert gone_s == pytest.approx(120.0 - 48.0, abs=6.0)
    assert left.missing_s == pytest.approx(gone_s, abs=1.0)
    (gap,) = [g for g in analysis.quality.gaps if g.segment is Segment.LEFT_THIGH and g.end_s - g.t_s > 2.0]
    assert gap.reason == "link lost"
    assert gap.t_s == pytest.approx(LEAVES_S, abs=1.5)
    # Every number around it says so: blank and marked inside, there again after.
    strides = analysis.strides
    t, flexion = strides["t_ic_s"], strides["hip_flexion_mean_deg"]
    left_side = np.asarray(strides["side"]) == "left"
    inside = left_side & (t > gap.t_s) & (t < gap.end_s - 2.0)
    # The other foot and the pelvis still tell that she ran, a stride in 0.73 s.
    assert inside.sum() > (gap.end_s - gap.t_s - 2.0) / 0.8
    assert np.isnan(flexion[inside]).all()
    assert (strides["quality"][inside].astype(int) & int(StrideQuality.GAP) != 0).all()
