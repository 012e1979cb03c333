"""FIT, GPX and TCX: what a watch says of speed, distance, grade, heart rate and cadence, faults and all."""

from __future__ import annotations

import numpy as np
import pytest

from latemiles import optional
from latemiles.errors import ConfigError, EnvironmentMissing, InputError
from latemiles.recording.reader import Recording
from latemiles.recording.watches import read_watch, write_recording
from latemiles.recording.watches.grade import STRETCH_M, grade_of
from latemiles.recording.watches.offset import find_offset
from latemiles.recording.watches.track import metres_between
from latemiles.signals.records import Speed
from reference.watch_files import STARTED, WRITERS, hill, made_up_watch, write_fit, write_gpx, write_tcx

FORMATS = tuple(WRITERS)


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_says_what_the_watch_measured(tmp_path, name):
    made = made_up_watch()
    watch = read_watch(name, WRITERS[name](tmp_path / f"run.{name}", made))
    track = watch.track
    np.testing.assert_allclose(track.utc_s, made.utc_s, atol=1e-3)
    assert np.nanmedian(track.speed_m_s) == pytest.approx(3.0, abs=0.01)
    assert track.distance_m[-1] - track.distance_m[0] == pytest.approx(made.distance[-1], abs=2.0)
    np.testing.assert_array_equal(track.heart_rate_bpm, made.heart)
    np.testing.assert_array_equal(track.cadence_spm, 164.0)
    np.testing.assert_allclose(track.elevation_m, made.elevation, atol=0.2)
    assert track.elevation_from == "not stated"
    assert not np.isfinite(track.latitude_deg).any(), "positions go no further"


@pytest.mark.parametrize("name", FORMATS)
def test_a_watch_alone_makes_a_recording_that_says_the_same(tmp_path, name):
    watch = read_watch(name, WRITERS[name](tmp_path / f"run.{name}", made_up_watch(60)))
    recording = Recording.open(write_recording(watch, tmp_path / "run.mcap", athlete="ann"))
    words = [record for record in recording.records() if isinstance(record, Speed)]
    assert recording.header.started_utc_ns == round(STARTED * 1e9)
    assert (recording.header.athlete, recording.header.sensors) == ("ann", ())
    assert [w.t_s for w in words] == list(np.arange(60.0))
    assert words[30].heart_rate_bpm == 130.0
    assert words[30].cadence_spm == 164.0
    assert "watch file" in words[0].source


@pytest.mark.parametrize(("strides", "steps"), [(82.5, 165.0), (55.0, 110.0), (88.75, 177.5), (170.0, 170.0)])
def test_a_fit_files_cadence_of_one_leg_becomes_steps_with_its_fraction(tmp_path, strides, steps):
    made = made_up_watch(60, strides_a_minute=np.full(60, strides))
    words = list(read_watch("fit", write_fit(tmp_path / "run.fit", made)).words(STARTED))
    assert words[30].cadence_spm == pytest.approx(steps)


def test_a_fit_file_that_names_a_barometer_is_trusted_over_shorter_stretches(tmp_path):
    watch = read_watch("fit", write_fit(tmp_path / "run.fit", made_up_watch(barometer=True)))
    assert watch.track.elevation_from == "barometer"
    assert "80 m" in watch.facts["watch_grade"]
    assert "barometer" in watch.facts["watch_grade"]
    up, down = watch.grade[100], watch.grade[300]
    assert up == pytest.approx(0.04, abs=0.005)
    assert down == pytest.approx(-0.04, abs=0.005)


def test_speed_comes_from_distance_and_distance_from_speed_where_one_is_missing(tmp_path):
    only_distance = read_watch("fit", write_fit(tmp_path / "a.fit", made_up_watch(speed=None)))
    np.testing.assert_allclose(only_distance.track.speed_m_s, 3.0, atol=0.01)
    only_speed = read_watch("fit", write_fit(tmp_path / "b.fit", made_up_watch(distance=None)))
    assert only_speed.track.distance_m[-1] == pytest.approx(3.0 * 599.0, rel=1e-6)


def test_smart_recording_and_pauses_neither_lose_nor_invent_distance(tmp_path):
    made = made_up_watch()
    keep = np.sort(np.random.default_rng(3).choice(600, 150, replace=False))
    keep = keep[(keep < 200) | (keep > 320)]  # the watch was paused, the runner went on a way
    for name in (
        "utc_s",
        "speed",
        "distance",
        "elevation",
        "heart",
        "strides_a_minute",
        "latitude",
        "longitude",
    ):
        setattr(made, name, getattr(made, name)[keep])
    gpx = read_watch("gpx", write_gpx(tmp_path / "run.gpx", made)).track
    before, after = gpx.distance_m[keep < 200], gpx.distance_m[keep > 320]
    assert before[-1] == pytest.approx(3.0 * (keep[keep < 200][-1] - keep[0]), abs=3.0)
    assert after[0] == pytest.approx(before[-1], abs=1e-6), "nobody knows what was run in a pause"
    np.testing.assert_allclose(gpx.speed_m_s, 3.0, atol=0.1)


def test_a_jump_of_the_receiver_is_left_out_and_said(tmp_path):
    made = made_up_watch()
    made.latitude[200:203] += 0.01  # 1.1 km away for three seconds
    track = read_watch("gpx", write_gpx(tmp_path / "run.gpx", made)).track
    assert track.distance_m[-1] == pytest.approx(3.0 * 599.0, rel=0.005)
    assert np.nanmax(track.speed_m_s) < 3.2
    assert any("3 positions" in note for note in track.notes)


def test_first_positions_that_were_wrong_do_not_throw_the_rest_away(tmp_path):
    made = made_up_watch()
    made.latitude[:2] += 0.05
    track = read_watch("gpx", write_gpx(tmp_path / "run.gpx", made)).track
    assert np.nanmax(track.distance_m) == pytest.approx(3.0 * 597.0, rel=0.005)


def test_a_jump_of_the_distance_is_taken_out_and_said(tmp_path):
    made = made_up_watch()
    made.distance[300:] += 400.0
    track = read_watch("tcx", write_tcx(tmp_path / "run.tcx", made)).track
    assert track.distance_m[-1] == pytest.approx(3.0 * 599.0, abs=4.0)
    assert any("jump" in note for note in track.notes)


def test_a_time_zone_is_taken_off_and_a_missing_one_said(tmp_path):
    zoned = read_watch("gpx", write_gpx(tmp_path / "a.gpx", made_up_watch(60), zone="+02:00")).track
    assert zoned.utc_s[0] == pytest.approx(STARTED - 7200.0)
    naive = read_watch("gpx", write_gpx(tmp_path / "b.gpx", made_up_watch(60), zone="")).track
    assert naive.utc_s[0] == pytest.approx(STARTED)
    assert any("UTC" in note for note in naive.notes)


def test_points_out_of_order_or_twice_are_mended_and_said(tmp_path):
    made = made_up_watch(60)
    made.utc_s[[10, 11]] = made.utc_s[[11, 10]]
    made.utc_s[30] = made.utc_s[29]
    track = read_watch("tcx", write_tcx(tmp_path / "run.tcx", made)).track
    assert (np.diff(track.utc_s) > 0.0).all()
    assert any("mended" in note for note in track.notes)


BROKEN = {
    "fit cut in the middle": ("fit", lambda data: data[: len(data) // 2], "torn or damaged"),
    "fit with a wrong byte": ("fit", lambda data: data[:500] + b"\x00\x01" + data[502:], "torn or damaged"),
    "fit that is text": ("fit", lambda _data: b"dear diary, today I ran" * 9, "a FIT file"),
    "empty fit": ("fit", lambda _data: b"", "a FIT file"),
    "gpx cut in the middle": ("gpx", lambda data: data[: len(data) // 2], "a whole GPX file"),
    "gpx that is binary": ("gpx", lambda _data: bytes(range(128, 256)) * 9, "not UTF-8"),
    "gpx with a bomb": ("gpx", lambda data: b'<!DOCTYPE g [<!ENTITY a "b">]>' + data, "a document type"),
    "gpx without points": ("gpx", lambda _data: b"<gpx version='1.1'></gpx>", "at least two points"),
    "tcx cut in the middle": ("tcx", lambda data: data[: len(data) // 2], "a whole TCX file"),
    "tcx with a bomb": (
        "tcx",
        lambda data: b'<!DOCTYPE t [<!ENTITY a "b">]>' + data[38:],
        "a whole TCX file",
    ),
    "tcx that is gpx": ("tcx", lambda _data: b"<gpx></gpx>", "a TCX file"),
}


@pytest.mark.parametrize(("name", "spoil", "words"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_is_refused_in_one_line_with_advice(tmp_path, name, spoil, words):
    path = WRITERS[name](tmp_path / f"run.{name}", made_up_watch(60))
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(InputError, match=words) as fault:
        read_watch(name, path)
    assert "\n" not in str(fault.value)
    assert str(fault.value).endswith(".")


def test_a_course_is_not_taken_for_a_run(tmp_path):
    with pytest.raises(InputError, match="kind 'course'"):
        read_watch("fit", write_fit(tmp_path / "a.fit", made_up_watch(60, kind="course")))


def test_a_file_that_says_nothing_of_use_is_refused(tmp_path):
    made = made_up_watch(60, speed=None, distance=None, heart=None)
    with pytest.raises(InputError, match="none of them"):
        read_watch("fit", write_fit(tmp_path / "a.fit", made))


def test_an_unknown_format_and_a_missing_library_are_named(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="fit, gpx, tcx"):
        read_watch("xyz", tmp_path / "a.xyz")

    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(optional, "import_module", absent)
    for name in FORMATS:
        with pytest.raises(EnvironmentMissing, match=r"pip install 'latemiles\[files\]'"):
            read_watch(name, WRITERS[name](tmp_path / f"run.{name}", made_up_watch(20)))


def test_grade_is_the_slope_of_the_ground_within_what_each_source_can_bear():
    distance = np.arange(0.0, 12_000.0, 3.0)
    ground = 20.0 * np.sin(2.0 * np.pi * distance / 3_000.0)
    truth = 20.0 * 2.0 * np.pi / 3_000.0 * np.cos(2.0 * np.pi * distance / 3_000.0)
    rng = np.random.default_rng(5)
    wander = np.zeros(len(distance))
    for k in range(1, len(wander)):
        wander[k] = 0.99 * wander[k - 1] + 0.42 * rng.normal()  # 3 m that change over 100 s
    for source, error, most in (
        ("barometer", rng.normal(0.0, 0.3, len(distance)), 0.005),
        ("not stated", wander, 0.02),
    ):
        found = grade_of(distance, ground + error, STRETCH_M[source])
        known = np.isfinite(found)
        assert known[50:-50].all()
        assert np.sqrt(np.mean((found - truth)[known] ** 2)) < most


def test_grade_is_not_known_where_elevation_is_not_or_nobody_moves():
    distance = np.concatenate([np.arange(0.0, 600.0, 3.0), np.full(200, 597.0)])
    elevation = hill(distance)
    elevation[50:90] = np.nan
    found = grade_of(distance, elevation, 80.0)
    assert np.isnan(found[50:90]).all()
    assert found[120] == pytest.approx(0.04)
    assert np.isnan(grade_of(distance[-200:], elevation[-200:], 80.0)).all()


def test_a_degree_of_latitude_is_as_long_as_it_is():
    metres = metres_between(np.array([48.0, 49.0]), np.array([11.0, 11.0]))
    assert metres[0] == pytest.approx(111_195.0, abs=1.0)


def cadences(seed, seconds, stops=()):
    """Cadence once a second that wanders as a runner's does, and the strides it makes."""
    rng = np.random.default_rng(seed)
    wander = np.zeros(seconds)
    for k in range(1, seconds):
        wander[k] = 0.97 * wander[k - 1] + 0.35 * rng.normal()
    cadence = 166.0 + wander
    moving = np.ones(seconds, dtype=bool)
    for start, end in stops:
        moving[start:end] = False
    t = np.arange(20.0, seconds - 1.0, 0.36)
    t = t[moving[t.astype(int)]]
    of_strides = np.interp(t, np.arange(seconds), cadence) + rng.normal(0.0, 2.2, len(t))
    smooth = np.convolve(np.where(moving, cadence, 0.0), np.ones(5) / 5.0, "same")
    return t, of_strides, 2.0 * np.round(smooth / 2.0)


@pytest.mark.parametrize("stops", [(), ((300, 330), (610, 618))], ids=["steady", "two stops"])
@pytest.mark.parametrize("late_s", [0, 25, 400])
def test_the_offset_is_found_from_cadence_within_a_second_and_a_half(stops, late_s):
    for seed in range(4):
        t, strides, watch = cadences(seed, 1200, stops)
        found = find_offset(t, strides, np.arange(1200.0 - late_s), watch[late_s:])
        assert found is not None
        assert found.is_clear
        assert found.offset_s == pytest.approx(late_s, abs=1.5)
        assert found.residual_spm < 4.5


def test_two_runs_that_have_nothing_to_do_with_each_other_do_not_fit():
    clear = 0
    for seed in range(20):
        t, strides, _ = cadences(seed, 900, ((200, 220),))
        _, _, watch = cadences(seed + 100, 900, ((500, 520),))
        found = find_offset(t, strides, np.arange(900.0), watch)
        clear += found is not None and found.is_clear
    assert clear == 0


def test_what_both_clocks_say_is_believed_with_less_proof():
    t, strides, watch = cadences(3, 330)
    blind = find_offset(t, strides, np.arange(330.0), watch)
    told = find_offset(t, strides, np.arange(330.0), watch, expected_s=5.0)
    assert blind is not None
    assert told is not None
    assert not blind.is_clear
    assert told.is_clear
    assert told.offset_s == pytest.approx(0.0, abs=2.5)


def test_without_running_there_is_no_offset():
    t = np.arange(0.0, 300.0, 0.6)
    assert find_offset(t, np.full(len(t), 90.0), np.arange(300.0), np.full(300, 90.0)) is None
    assert find_offset(np.empty(0), np.empty(0), np.arange(300.0), np.full(300, 166.0)) is None
