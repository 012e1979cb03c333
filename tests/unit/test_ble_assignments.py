"""Which sensor sits where: kept by serial, one place a sensor, mistakes told."""

from __future__ import annotations

import pytest

from latemiles.errors import ConfigError
from latemiles.sensors.assignments import Assignments, segment_named
from latemiles.sensors.pods import Pod
from latemiles.signals.frames import Segment


def test_what_is_saved_is_what_is_loaded(tmp_path):
    kept = Assignments({Segment.PELVIS: "A1", Segment.RIGHT_THIGH: 'B"2'}, (Pod("foot_pod", "LM-POD"),))
    path = tmp_path / "new" / "sensors.toml"
    kept.save(path)
    assert Assignments.load(path) == kept
    assert [p.name for p in path.parent.iterdir()] == ["sensors.toml"]


def test_without_a_file_nothing_is_assigned(tmp_path):
    assert Assignments.load(tmp_path / "none.toml") == Assignments()


def test_a_sensor_sits_in_one_place_only():
    kept = Assignments().with_sensor(Segment.PELVIS, "A1").with_sensor(Segment.LEFT_THIGH, "A1")
    assert dict(kept.serials) == {Segment.LEFT_THIGH: "A1"}
    kept = kept.with_sensor(Segment.LEFT_THIGH, "B2")
    assert kept.segment_of("B2") is Segment.LEFT_THIGH
    assert kept.segment_of("A1") is None


def test_wanted_sensors_come_in_lane_order():
    kept = Assignments().with_sensor(Segment.RIGHT_THIGH, "C").with_sensor(Segment.PELVIS, "A")
    assert [w.segment for w in kept.wanted] == [Segment.PELVIS, Segment.RIGHT_THIGH]


@pytest.mark.parametrize(
    "text",
    [
        "[sensors\n",
        '[sensors]\nelbow = "A1"\n',
        "[sensors]\npelvis = 7\n",
        '[sensors]\npelvis = "A1"\nleft_thigh = "A1"\n',
        '[pods]\nskateboard = ""\n',
        "[pods]\nfoot_pod = 3\n",
    ],
)
def test_mistakes_in_the_file_are_told(tmp_path, text):
    path = tmp_path / "sensors.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError):
        Assignments.load(path)


@pytest.mark.parametrize(
    ("name", "segment"),
    [
        ("p", Segment.PELVIS),
        ("L", Segment.LEFT_THIGH),
        ("right thigh", Segment.RIGHT_THIGH),
        ("Left-Thigh", Segment.LEFT_THIGH),
        ("trunk", Segment.TRUNK),
    ],
)
def test_segments_are_named_as_people_write_them(name, segment):
    assert segment_named(name) is segment
