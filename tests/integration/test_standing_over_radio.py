"""The guided standing check from its first words to its page, with three sensors over the virtual radio."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from latemiles.cli.main import main
from latemiles.recording.reader import Recording
from latemiles.sensors.assignments import Assignments
from latemiles.sensors.drivers import latemiles_v1
from latemiles.session.home import Home
from latemiles.session.over_radio import SIMULATED, WorldPlan, virtual_air
from latemiles.session.standing import STEPS
from latemiles.session.warm import warm_up
from latemiles.signals.blocks import ImuStream
from latemiles.signals.frames import SEGMENTS, quat_multiply
from latemiles.sim.feed import from_stream
from latemiles.sim.imu import quat_from_rotvec
from latemiles.sim.standing import StandingPlan, simulate_standing
from latemiles.sim.world import SensorPlan, serial_of

pytestmark = pytest.mark.timeout(600)
"""The first test of a changed kernel waits for the compiler."""
RATE_HZ = 208.0
LEAN = math.radians(15.0)
"""The back of the pelvis leans by so much: its normal points back and up."""
SEATS = tuple(
    tuple(quat_from_rotvec(np.array([turn]))[0])
    for turn in ((0.1, -0.15, 0.1), (0.1, 0.0, 0.2), (0.0, 0.1, 0.0))
)
TURN = quat_from_rotvec(math.pi * np.array([[-math.cos(LEAN), 0.0, math.sin(LEAN)]]))[0]
PERSON = StandingPlan(obliquity_rad=math.radians(6.0), stance_s=14.0, rate_hz=RATE_HZ, mounting=SEATS)
TURNED = replace(PERSON, mounting=(tuple(quat_multiply(TURN, np.array(SEATS[0]))), *SEATS[1:]))
STAYS_S = 60.0
SPEED = 8.0
"""The guide is in another thread than the world: it may be late by an eighth of what the person stays."""


def stays(stream: ImuStream) -> ImuStream:
    """The person goes on standing as in the last second."""
    n = round(RATE_HZ)
    times = round(STAYS_S)
    t = np.concatenate([stream.t, stream.t[-1] + (1 + np.arange(times * n)) / RATE_HZ])
    return ImuStream(t, *(np.concatenate([v, np.tile(v[-n:], (times, 1))]) for v in (stream.acc, stream.gyr)))


def guided(folder, person, *arguments):
    """``standing`` with three sensors on this person; the exit status."""
    streams = {segment: stays(s) for segment, s in simulate_standing(person, 4).items()}
    lasts_s = float(streams[SEGMENTS[0]].t[-1])
    ranges = {"acc_range": latemiles_v1.ACC_RANGE_M_S2, "gyr_range": latemiles_v1.GYR_RANGE_RAD_S}
    sensors = [SensorPlan(from_stream(streams[s], RATE_HZ, **ranges), s) for s in SEGMENTS]
    # As the command does: who leads a person by the second does not compile meanwhile.
    warm_up()
    air = virtual_air(WorldPlan(sensors, lasts_s), SPEED)
    # The words come at this person's pace, who stands for less than half a minute.
    share = (lasts_s - STAYS_S) / sum(step.lasts_s for step in STEPS)
    at_own_pace = air.pause
    air = replace(air, pause=lambda seconds: at_own_pace(share * seconds))
    home = Home(folder)
    Assignments({s: serial_of(k) for k, s in enumerate(SEGMENTS)}).save(home.sensors)
    return main(["--home", str(folder), "standing", "--athlete", "maya", *arguments], air)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A home in which one test after the other stands."""
    return tmp_path_factory.mktemp("standing")


def test_the_guided_check_runs_to_its_end_and_tells_how_the_person_stands(folder, capsys):
    tmp_path = folder
    assert guided(folder, PERSON) == 0
    words = capsys.readouterr().out
    places = [words.index(step.words) for step in STEPS[:4]]
    assert places == sorted(places)
    assert words.index(STEPS[-1].words) < words.index("The right side of the pelvis stood ")
    for part in ("Eyes open.", "Eyes closed.", "March on the spot", "95% interval", "Not a medical device"):
        assert part in words
    assert main(["--home", str(tmp_path), "standing", "show", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["conditions"] == ["eyes open", "eyes closed", "after a march"]
    assert len([v for v in told["obliquity"]["values_deg"] if v is not None]) == 3
    assert abs(told["obliquity"]["mean_deg"] - 6.0) < told["obliquity"]["half_width_deg"]
    (recording,) = (tmp_path / "standing").glob("*.mcap")
    with Recording.open(recording) as opened:
        assert opened.header.source == SIMULATED
        assert opened.duration_s > 60.0


def test_a_second_check_with_the_pelvis_sensor_turned_tells_its_own_offset_and_the_tilt(folder, capsys):
    assert guided(folder, TURNED, "--flip", "last") == 0
    words = capsys.readouterr().out
    assert "only a flip test" not in words
    assert main(["--home", str(folder), "standing", "show", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert abs(told["obliquity"]["mean_deg"] - 6.0) < told["obliquity"]["half_width_deg"]
    assert told["tilt_deg"] == pytest.approx(math.degrees(LEAN), abs=2.0)
    assert abs(told["sensor_offset_deg"]) < 1.5
    assert len(list((folder / "standing").glob("*.mcap"))) == 2
