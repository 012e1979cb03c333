"""The standing check and the exercise log from the command line, and where they show up."""

from __future__ import annotations

import asyncio
import json
import math
from types import SimpleNamespace

import pytest

from latemiles.cli.main import main
from latemiles.signals.frames import SEGMENTS
from latemiles.signals.records import Mark, RunHeader
from latemiles.sim.standing import StandingPlan, simulate_standing

PLAN = StandingPlan(obliquity_rad=math.radians(6.0), stance_s=14.0, rate_hz=52.0)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A standing check as a canonical CSV."""
    path = tmp_path_factory.mktemp("standing") / "monday.csv"
    rows = []
    for segment, s in simulate_standing(PLAN, 4).items():
        rows += [
            f"{segment.value},{t:.4f},{','.join(f'{v:.5f}' for v in (*acc, *gyr))}"
            for t, acc, gyr in zip(s.t, s.acc, s.gyr, strict=True)
        ]
    head = "segment,t_s,acc_x_m_s2,acc_y_m_s2,acc_z_m_s2,gyr_x_rad_s,gyr_y_rad_s,gyr_z_rad_s"
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def command(home, *arguments, status=0):
    assert main(["--home", str(home), *map(str, arguments)]) == status


def test_a_check_from_a_file_is_told_with_its_interval_kept_listed_and_deleted(tmp_path, recorded, capsys):
    command(tmp_path, "standing", "--from", recorded, "--athlete", "maya", "--notes", "before breakfast")
    words = capsys.readouterr().out
    assert words.startswith("The right side of the pelvis stood ")
    for part in ("95% interval", "Not a medical device", "only a flip test", "cannot be known"):
        assert part in words
    assert "misaligned" not in words
    command(tmp_path, "standing", "list")
    line = capsys.readouterr().out.splitlines()[1]
    name = line.split()[0]
    assert name.startswith("monday-")
    command(tmp_path, "standing", "show", "--json")
    told = json.loads(capsys.readouterr().out)
    value, half = told["obliquity"]["mean_deg"], told["obliquity"]["half_width_deg"]
    assert abs(value - 6.0) < half
    assert told["conditions"] == ["eyes open", "eyes closed", "after a march"]
    command(tmp_path, "standing", "delete", name, "--yes")
    assert recorded.exists()
    command(tmp_path, "standing", "show", status=1)


def test_a_file_without_a_thigh_is_refused_in_one_line(tmp_path, recorded, capsys):
    part = tmp_path / "two.csv"
    lines = recorded.read_text().splitlines()
    kept = [lines[0], *(line for line in lines[1:] if not line.startswith(SEGMENTS[1].value))]
    part.write_text("\n".join(kept) + "\n")
    command(tmp_path, "standing", "--from", part, status=1)
    assert "left thigh" in capsys.readouterr().err


def test_blocks_and_sessions_are_kept_listed_and_removed(tmp_path, capsys):
    command(tmp_path, "exercise", "begin", "side", "plank", "--day", "2026-10-05", "--often", "3 a week")
    command(tmp_path, "exercise", "did", "3", "x", "30", "s", "--day", "2026-10-06")
    command(tmp_path, "exercise", "end", "--day", "2026-11-15")
    capsys.readouterr()
    command(tmp_path, "exercise")
    words = capsys.readouterr().out
    assert "block 1: 2026-10-05 to 2026-11-15  side plank (3 a week)" in words
    assert "session 1: 2026-10-06  3 x 30 s" in words
    command(tmp_path, "exercise", "remove", "session", "1")
    command(tmp_path, "exercise", "begin", "bridge", "--day", "5 October", status=2)
    assert "2026-10-05" in capsys.readouterr().err
    command(tmp_path, "exercise", "end", status=1)
    assert "exercise begin" in capsys.readouterr().err


def test_the_guided_check_takes_three_stances_of_thirty_seconds_each_with_its_movements():
    from latemiles.session.standing import STEPS

    stances = [
        k for k, step in enumerate(STEPS) if step.words.startswith("Stand still") and step.lasts_s > 30.0
    ]
    assert len(stances) == 3
    for k in stances:
        assert "hips" in STEPS[k + 1].words
        assert "March" in STEPS[k + 2].words
    assert "closed" in STEPS[stances[1]].words
    assert "March" in STEPS[stances[2] - 1].words
    assert sum(step.lasts_s for step in STEPS) < 300.0


def test_what_is_heard_late_does_not_hurry_the_person_on(tmp_path):
    from latemiles.session.standing import STEPS, record

    paused = []

    class Receiver:
        """Sensors of which five minutes are taken at once, as after a slow start."""

        def __init__(self):
            self.ended = asyncio.Event()

        async def records(self, header):
            yield header
            yield Mark(300 * 10**9, "late")
            await self.ended.wait()

        def attach(self, session):
            session.end_source = self.ended.set

    async def pause(seconds):
        paused.append(seconds)

    run = SimpleNamespace(header=RunHeader("standing-x"), receiver=Receiver())
    said = []
    record(run, tmp_path / "x.mcap", said.append, pause)
    assert paused == [step.lasts_s for step in STEPS]
    assert len(said) == len(STEPS)
    assert (tmp_path / "x.mcap").exists()
