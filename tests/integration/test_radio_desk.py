"""Finding, questioning and placing sensors, and the terminal's view, over the virtual radio."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from latemiles.cli.doctor_bluetooth import bluetooth_lines
from latemiles.cli.live_view import Guide, TerminalView
from latemiles.cli.main import main
from latemiles.cli.sensors import assign_by, blink_one, scan_lines
from latemiles.errors import EnvironmentMissing
from latemiles.estimators.mounting import Calibration
from latemiles.metrics.catalogue import NUMERIC_COLUMNS
from latemiles.pipeline import GIVEN
from latemiles.recording.reader import Recording
from latemiles.sensors.assignments import Assignments
from latemiles.sensors.ble import Ear
from latemiles.sensors.desk import tapped, visits
from latemiles.session.calibrate import advice, calibrate
from latemiles.session.home import Home
from latemiles.session.kept_calibration import KeptCalibration
from latemiles.session.live_run import LivePlan, LiveRun
from latemiles.session.over_radio import radio_run, world_of_run
from latemiles.signals.events import CalibrationFound, DriftUpdate, Slip, Stride, ThighsDoubted
from latemiles.signals.frames import SEGMENTS, Segment, Side
from latemiles.signals.records import Pose, RunHeader
from latemiles.sim.clock import run_in_virtual_time
from latemiles.sim.feed import Samples, index_pattern
from latemiles.sim.plan import easy_run
from latemiles.sim.runner import simulate
from latemiles.sim.world import SensorPlan, World, serial_of
from reference.radio_runs import RATE_HZ, Scene, act, scene

SERIALS = {segment: serial_of(k) for k, segment in enumerate(SEGMENTS)}


def in_world(work, plans=None):
    """Run something with three sensors in reach."""

    async def main():
        made = plans() if plans else [SensorPlan(index_pattern(RATE_HZ, 120.0), s) for s in SEGMENTS]
        async with World(made) as world:
            return await work(world)

    return run_in_virtual_time(main)


def answers(*words: str):
    """A person who answers so."""
    waiting = list(words)
    asked: list[str] = []

    async def ask(line: str) -> str:
        asked.append(line)
        return waiting.pop(0)

    return ask, asked


def knocked(at_s: float, seconds: float = 120.0) -> Iterator[Samples]:
    """A sensor that lies still and is tapped once."""
    for block in index_pattern(RATE_HZ, seconds):
        hit = np.abs(block.t_s - at_s) < 0.01
        block.counts[hit, 5] = 12000
        yield block


def test_a_scan_names_kind_battery_and_place():
    kept = Assignments({Segment.PELVIS: SERIALS[Segment.PELVIS]})
    lines = in_world(lambda world: scan_lines(world.stack, kept, 2.0))
    assert len(lines) == 4
    assert "latemiles assign" in lines[-1]
    assert sum("no place yet" in line for line in lines) == 2
    (mine,) = [line for line in lines if "pelvis" in line]
    assert "latemiles sensor" in mine
    assert "97 %" in mine


def test_a_scan_that_hears_nothing_says_what_to_do():
    (line,) = in_world(lambda world: scan_lines(world.stack, Assignments(), 2.0), list)
    assert "Wake the sensors" in line


@pytest.mark.parametrize("which", ["left thigh", SERIALS[Segment.LEFT_THIGH], "a112"])
def test_the_sensor_that_is_meant_blinks(which):
    async def work(world):
        name = await blink_one(world.stack, Assignments(SERIALS), which, 2.0)
        return name, [imu.firmware.identified_s for imu in world.imus]

    name, blinked = in_world(work)
    assert name == "LM-A112"
    assert blinked == [0, 5, 0]


def test_a_sensor_that_is_not_there_cannot_blink():
    with pytest.raises(EnvironmentMissing, match="latemiles scan"):
        in_world(lambda world: blink_one(world.stack, Assignments(), "FFFF", 2.0))


def test_sensors_are_placed_by_watching_them_blink():
    async def work(world):
        ask, asked = answers("r", "s", "pelbis", "pelvis")
        kept = await assign_by(world.stack, Assignments(), ask, 2.0, tap=False)
        return kept, asked

    kept, asked = in_world(work)
    assert len(asked) == 4
    # A slip of the finger costs no answer that was given before.
    assert "'pelbis' is no place" in asked.pop()
    assert set(kept.serials) == {Segment.RIGHT_THIGH, Segment.PELVIS}
    named = {line.split()[0][-4:] for line in asked}
    assert {serial[-4:] for serial in kept.serials.values()} < named


def test_the_sensor_that_is_tapped_is_found_among_the_others():
    async def work(world):
        heard = await Ear(world.stack).all_within(2.0)
        async with visits(world.stack, heard) as there:
            return (await tapped(there, 5.0)).serial

    plans = lambda: [  # noqa: E731
        SensorPlan(index_pattern(RATE_HZ, 120.0)),
        SensorPlan(knocked(3.0)),
        SensorPlan(index_pattern(RATE_HZ, 120.0)),
    ]
    assert in_world(work, plans) == serial_of(1)


def test_without_a_tap_nothing_is_placed():
    async def work(world):
        ask, asked = answers("", "", "s", "s")
        return await assign_by(world.stack, Assignments(), ask, 2.0, tap=True), asked

    kept, asked = in_world(work)
    assert kept.serials == {}
    assert "No tap stood out" in asked[1]


def test_the_doctor_links_every_sensor_and_reads_its_clock():
    plans = lambda: [  # noqa: E731
        SensorPlan(index_pattern(RATE_HZ, 60.0), s, skew=k * 5e-3) for k, s in enumerate(SEGMENTS)
    ]
    lines = in_world(lambda world: bluetooth_lines(world.stack), plans)
    assert [line.what for line in lines[:2]] == ["Bluetooth", "links at once"]
    assert lines[1].words == "3 of 3 sensors."
    rates = {line.what: line.words for line in lines[2:]}
    assert "firmware 1.0.0" in rates["LM-A001"]
    assert "clock off by 0." in rates["LM-A112"]
    percent = float(rates["LM-A112"].split("clock off by ")[1].split(" %")[0])
    assert percent == pytest.approx(0.5, abs=0.2)
    assert "clock right to 0.1 %" in rates["LM-A001"]


def test_a_newcomer_finds_places_and_questions_virtual_sensors_from_the_command_line(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("latemiles.session.demo.SPEED", 50.0)
    home = ["--home", str(tmp_path), "--virtual"]
    assert main([*home, "scan"]) == 0
    heard = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in heard[:5]] == ["LM-A001", "LM-POD", "LM-A112", "LM-A223", "LM-HR"]
    assert all(len(line) <= 80 for line in heard)
    places = [f"{segment.value}={serial}" for segment, serial in SERIALS.items()]
    mine = {segment: f"MINE-{segment.lane}" for segment in SERIALS}
    Assignments(mine).save(Home(tmp_path).sensors)
    assert main([*home, "assign", *places]) == 0
    assert Assignments.load(Home(tmp_path).sensors) == Assignments(mine), "real sensors keep their places"
    assert main([*home, "identify", "left thigh"]) == 0
    assert "LM-A112 blinks." in capsys.readouterr().out
    assert main([*home, "doctor"]) == 0
    assert "3 of 3 sensors." in capsys.readouterr().out


def test_who_gives_up_while_kernels_are_made_gets_one_line_and_no_link_stays(tmp_path, capsys, monkeypatch):
    def give_up() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("latemiles.session.live_run.warm_up", give_up)
    Assignments(SERIALS).save(Home(tmp_path / "virtual").sensors)
    before = set(threading.enumerate())
    assert main(["--home", str(tmp_path), "--virtual", "live", "--headless"]) == 130
    assert capsys.readouterr().err.count("\n") == 1
    for thread in set(threading.enumerate()) - before:
        thread.join(20.0)
        assert not thread.is_alive()


def test_the_doctor_says_when_there_is_no_adapter():
    async def work(world):
        world.adapter.vanish()
        return await bluetooth_lines(world.stack)

    (line,) = in_world(work)
    assert not line.good
    assert "adapter" in line.words


def test_the_terminal_shows_sensors_tilt_way_and_what_to_do():
    async def play() -> Scene:
        async with scene(40.0) as made:
            await made.until(5.0)
            made.away(Segment.LEFT_THIGH)
            await made.until(20.0)
        return made

    made = act(play)
    view = TerminalView(made.reception, ["writing run.mcap"], Guide())
    values = [float("nan")] * len(NUMERIC_COLUMNS)
    values[NUMERIC_COLUMNS.index("distance_m")] = 1234.0
    calibration = CalibrationFound(
        9.0, "standing", "movement", ((1.0, 0.0, 0.0, 0.0),) * 3, 0.01, (0.01, 0.05, float("nan")), 1, 2, 3, 4
    )
    view.take(
        [
            Stride(10.0, Side.LEFT, 0, tuple(values), 0),
            DriftUpdate(11.0, "pelvic_tilt_mean_deg", 1.5, 0.5, 2.5, 0.8, "likely change", 0),
            calibration,
            Slip(12.0, Segment.PELVIS, 0.1),
            ThighsDoubted(13.0),
        ]
    )
    console = Console(width=80, record=True)
    console.print(view.look(8.0))
    text = console.export_text()
    assert "left thigh" in text
    assert "pelvis" in text
    assert "tilt +1.5 deg (+0.5 to +2.5) since the start: likely change" in text
    assert "1.23 km" in text
    assert "Stand still ... 3" in text
    assert "writing run.mcap" in text
    assert "pelvis slipped" in text
    assert "may be on each other's legs" in text
    lines = advice(calibration)
    assert "pelvis: repeats within 0.6 degrees, good" in lines
    assert any("left thigh" in line and "poor" in line for line in lines)
    assert any("right thigh: not measured" in line for line in lines)
    assert "No calibration" in advice(None)[0]


@pytest.mark.timeout(600)
def test_the_calibration_is_led_judged_and_kept_for_the_run_that_follows(capsys, tmp_path):
    receiver = radio_run(world_of_run(simulate(easy_run(0.3), 4)), None)
    header = RunHeader("calibration", sensors=receiver.gather())
    said: list[str] = []
    home = Home(tmp_path)
    lines = calibrate(
        SimpleNamespace(receiver=receiver, header=header), Guide((1.0, 9.0), (10.0, 20.0)), said.append, home
    )
    assert "Zero from standing, axes from movement." in lines
    assert sum("repeats within" in line for line in lines) == 3
    assert capsys.readouterr().out == ""
    assert lines[-1].startswith("Kept for a run that starts within 30 minutes")
    kept = KeptCalibration.load(home.calibration)
    assert kept is not None
    # The next run begins with it, if the same sensors answer in the same places.
    plan = LivePlan(home, Assignments(SERIALS), calibration=kept)
    begun = LiveRun(plan)._header(header.sensors)
    assert Calibration.from_text(begun.extra[GIVEN]).axes_from == "movement"
    turned = replace(header.sensors[0], serial="00000000000000FF")
    assert GIVEN not in LiveRun(plan)._header((turned, *header.sensors[1:])).extra
    # What was heard is there to be worked out anew, with the poses.
    with Recording.open(kept.recording) as recording:
        poses = [r.kind for r in recording.records() if isinstance(r, Pose)]
    assert poses == ["standing", "movement"]
