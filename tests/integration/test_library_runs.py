"""The run library: what is listed and found, what the commands print, what deletion takes and leaves."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from latemiles.cli.main import main
from latemiles.errors import InputError, StoreError
from latemiles.session.figures import figures_of
from latemiles.session.home import Home
from latemiles.session.library import (
    delete_run,
    entries,
    find_entry,
    keep_result,
    recording_of,
    strangers,
)
from latemiles.signals.records import RunHeader
from latemiles.sinks.points import points
from latemiles.store import Library, Store
from reference.made_up_analysis import Plan, made_up
from reference.made_up_library import make_library


@pytest.fixture(scope="module")
def season(tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("season"))
    make_library(home)
    return home


@pytest.fixture
def home(tmp_path):
    small = Home(tmp_path)
    make_library(small, runs=3)
    return small


def listed(home, **how):
    with Store(home.store) as store:
        return entries(home, store, **how)


def command(home, *arguments, status=0):
    assert main(["--home", str(home.root), *arguments]) == status


def test_runs_come_newest_first_and_are_found_by_any_words(season):
    everyone = listed(season)
    assert len(everyone) == 23
    starts = [entry.row.started_utc_ns for entry in everyone]
    assert starts == sorted(starts, reverse=True)
    assert [e.row.id for e in listed(season, search="CLIP loose")] == ["20260911-064000"]
    assert len(listed(season, search="grey september")) == 5
    assert listed(season, search="grey blue") == []
    assert listed(season, athlete="nobody") == []


def test_a_run_is_meant_by_its_name_its_beginning_or_as_the_last(season):
    everyone = listed(season)
    assert find_entry(everyone, "last").row.id == "20261115-064000"
    assert find_entry(everyone, "20260831").row.id == "20260831-064000"
    with pytest.raises(InputError, match="whole name"):
        find_entry(everyone, "202611")
    with pytest.raises(InputError, match="Newest runs"):
        find_entry(everyone, "tuesday")


def test_the_list_names_distance_change_and_verdict(season, capsys):
    command(season, "runs", "--search", "clip")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["run", "started", "km", "time", "tilt", "verdict", "shoes,", "route"]
    assert "20260911-064000" in lines[1]
    assert lines[1].split()[-5:] == ["slip", "grey,", "old,", "river", "loop"]


def test_the_list_as_json_has_a_line_a_run_with_its_figures(season, capsys):
    command(season, "runs", "--json", "--search", "hill")
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert rows
    assert all(row["figures"]["basis"] == "smoothed" and row["route"] == "hill loop" for row in rows)


def test_two_runs_are_compared_with_what_they_may_be_off_by(season, capsys):
    command(season, "runs", "compare", "20260828", "last")
    text = capsys.readouterr().out
    row = next(line for line in text.splitlines() if "drift per 10 km" in line)
    assert row.rstrip().endswith(")")
    assert " to " in row
    assert "not the same" in text


def test_words_about_a_run_are_kept_and_shown(home, capsys):
    command(home, "runs", "note", "last", "tired", "legs")
    command(home, "runs", "shoes", "last", "red")
    command(home, "runs", "route", "last", "forest")
    command(home, "runs", "athlete", "last", "Maya O.")
    capsys.readouterr()
    command(home, "runs", "show")
    text = capsys.readouterr().out
    for words in ("tired legs", "red", "forest", "Maya O."):
        assert words in text


def test_deleting_asks_first_and_then_leaves_nothing_of_the_run(home, capsys):
    (newest, *_) = listed(home)
    recording = Path(newest.row.recording)
    recording.write_bytes(b"raw")
    command(home, "runs", "delete", "last", status=1)
    assert recording.exists()
    command(home, "runs", "delete", "last", "--yes")
    assert str(recording) in capsys.readouterr().out
    assert not recording.exists()
    assert not newest.folder.exists()
    assert newest.row.id not in {entry.row.id for entry in listed(home)}
    assert newest.row.id.encode() not in home.store.read_bytes()


def test_a_recording_can_be_kept_and_one_that_lies_elsewhere_always_is(home, tmp_path):
    elsewhere = tmp_path / "elsewhere.mcap"
    elsewhere.write_bytes(b"raw")
    with Store(home.store) as store:
        store.begin_run(RunHeader("played", started_utc_ns=3), elsewhere)
        store.end_run("played")
        (ours, *_) = (e for e in entries(home, store) if e.row.id != "played")
        Path(ours.row.recording).write_bytes(b"raw")
        for entry in entries(home, store):
            if entry.row.id in ("played", ours.row.id):
                said = delete_run(home, store, entry, keep_recording=entry.row.id != "played")
                assert any(line.startswith("Kept") for line in said)
    assert elsewhere.exists()
    assert Path(ours.row.recording).exists()


def test_a_name_that_points_outside_deletes_nothing_outside(home):
    precious = home.root / "precious"
    precious.mkdir()
    with Store(home.store) as store:
        store.begin_run(RunHeader("../precious", started_utc_ns=3))
        store.end_run("../precious")
        entry = next(e for e in entries(home, store) if e.row.id == "../precious")
        assert entry.folder.parent == home.runs
        delete_run(home, store, entry)
    assert precious.is_dir()


def test_a_run_that_was_analysed_from_elsewhere_is_meant_by_its_name_and_as_the_last(tmp_path):
    home = Home(tmp_path / "home")
    there = tmp_path / "sunday.mcap"
    there.write_bytes(b"raw")
    with Store(home.store) as store:
        store.begin_run(RunHeader("long run", started_utc_ns=9), there)
    assert recording_of(home, "long run") == recording_of(home, "last") == there
    with pytest.raises(InputError, match="none yet"):
        recording_of(home, "another")


def test_a_run_that_is_being_recorded_is_not_deleted(home):
    with Store(home.store) as store:
        path = home.recordings / "now.mcap"
        path.write_bytes(b"raw")
        store.begin_run(RunHeader("now", started_utc_ns=3), path)
        entry = next(e for e in entries(home, store) if e.row.id == "now")
        with pytest.raises(StoreError, match="being recorded"):
            delete_run(home, store, entry)
        # A crash leaves a run that nobody writes to any more.
        os.utime(path, (0, 0))
        delete_run(home, store, entry)
    assert not path.exists()


def test_figures_hold_what_the_report_says():
    figures = figures_of(made_up(Plan()))
    assert figures.headline.startswith("Your pelvis tipped 2.")
    assert figures.verdict == "clear change"
    assert figures.distance_m == pytest.approx(21_100, rel=0.02)
    value, low, high = figures.tilt_drift(by_distance=True)
    assert low < value < high
    assert value == pytest.approx(figures.tilt_change_deg / (figures.between_m / 10_000.0))
    no_speed = figures_of(made_up(Plan(speed=False, adjusted=False)))
    assert no_speed.is_adjusted == 0


def test_one_recording_is_one_run_of_the_library_however_often_it_is_analysed(tmp_path):
    home = Home(tmp_path)
    analysis = made_up(Plan(duration_s=1500.0))
    first = keep_result(home, analysis, tmp_path / "a.mcap")
    assert keep_result(home, analysis, tmp_path / "a.mcap") == first
    other = replace(analysis, header=replace(analysis.header, started_utc_ns=5))
    assert keep_result(home, other, tmp_path / "b.mcap") == f"{first}-2"
    assert len(listed(home)) == 2


def test_a_recording_without_figures_is_a_stranger_until_it_is_analysed(tmp_path):
    home = Home(tmp_path)
    target = home.recordings / "a.mcap"
    target.write_bytes(b"raw")
    with Store(home.store) as store:
        store.begin_run(RunHeader("half-marathon", started_utc_ns=9), target)
    assert strangers(home, listed(home)) == [target]
    assert keep_result(home, made_up(Plan(duration_s=1500.0)), target) == "half-marathon"
    assert strangers(home, listed(home)) == []


def test_trends_are_told_in_words_as_json_and_as_a_page_of_its_own(season, capsys, tmp_path):
    command(season, "trends", "--out", str(tmp_path / "trends.html"))
    words = capsys.readouterr().out
    assert "Two blocks of this length can tell apart" in words
    assert "Not a medical device" in words
    page = (tmp_path / "trends.html").read_text(encoding="utf-8")
    assert "<nav" not in page
    assert "http" not in page
    for part in (
        "side plank, single-leg bridge",
        "clip slipped, not used",
        "new shoes",
        "Not a medical device",
    ):
        assert part in page
    command(season, "trends", "--json")
    told = json.loads(capsys.readouterr().out)
    drift = told["rows"]["drift"]
    assert drift["interval_deg"][0] < drift["difference_deg"] < drift["interval_deg"][1]
    assert sum(not point["used"] for point in drift["points"]) == 1
    assert told["headline"] in words


def marks_of(home):
    """(run, time, label) of every mark, in the order in which a server hears of it."""
    with Store(home.store) as store:
        rows = store.follow("a server")
        return [(r.run, r.event.t_s, r.event.label) for r in rows if r.kind == "mark"]


def test_new_shoes_and_a_block_are_marks_of_the_first_run_they_touch_for_servers(home):
    names = sorted(entry.row.id for entry in listed(home))
    with Store(home.store) as store:
        for name in names:
            Library(store).set_shoes(name, "grey, old")
    assert marks_of(home) == []
    command(home, "runs", "shoes", names[1], "blue")
    assert marks_of(home) == [(names[1], 0.0, "shoes: blue")]
    command(home, "runs", "shoes", names[1], "blue")
    command(home, "exercise", "remove", "block", "1", "--athlete", "Maya")
    command(home, "exercise", "begin", "side", "plank", "--day", "2026-08-29", "--athlete", "Maya")
    assert marks_of(home)[1:] == [(names[2], 0.001, "exercise: side plank")]
    command(home, "runs", "shoes", names[1], "grey, old")
    assert marks_of(home)[2:] == [(names[1], 0.0, "withdrawn")]
    with Store(home.store) as store:
        (last,) = (row for row in store.follow("a server")[-1:])
        (point,) = points(last)
    assert (point.measurement, point.fields["label"]) == ("mark", "withdrawn")
    assert point.time_ns == last.started_utc_ns, "it overwrites what it takes back"


def test_short_runs_and_unknown_blocks_are_told(season, capsys):
    command(season, "trends", "--least-km", "42")
    assert "No run of 42 km or more yet." in capsys.readouterr().out
    command(season, "trends", "--block", "yoga", status=1)
    assert "side plank" in capsys.readouterr().err
