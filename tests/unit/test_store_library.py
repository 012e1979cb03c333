"""The library inside the store: figures of runs, words about them, exercise blocks, standing checks."""

from __future__ import annotations

import math
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from latemiles.errors import StoreError
from latemiles.signals.records import RunHeader
from latemiles.store import Library, StandingRow, Store
from latemiles.store.schema import VERSION
from reference.made_up_library import Truth, figures

OLD = Path(__file__).resolve().parents[1] / "reference" / "store_v1.sql"
COLUMNS = ("t_ic_s", "pelvic_tilt_mean_deg")
FIGURES = figures(np.random.default_rng(1), Truth(), in_block=False, km=12.0, slipped=False)


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "store.sqlite", COLUMNS) as opened:
        opened.begin_run(RunHeader("run-1", athlete="maya", started_utc_ns=7, notes="first"), "run-1.mcap")
        yield opened


def test_a_store_of_schema_1_is_opened_with_all_it_held(tmp_path):
    path = tmp_path / "store.sqlite"
    with sqlite3.connect(path) as db:
        db.executescript(OLD.read_text())
    db.close()
    with Store(path, COLUMNS) as opened:
        (run,) = opened.runs()
        assert (run.id, run.athlete, run.notes, run.status) == ("run-1", "maya", "first", "ended")
        assert (run.shoes, run.route, run.thighs) == ("", "", "")
        assert run.summary == {"answer": 1}
        np.testing.assert_array_equal(opened.strides("run-1")["pelvic_tilt_mean_deg"], [4.5, math.nan])
        assert [mark.label for mark in opened.marks("run-1")] == ["gel"]
        assert opened.waiting("mqtt x") == 1
        library = Library(opened)
        library.set_shoes("run-1", "grey")
        library.keep_figures("run-1", FIGURES)
    with Store(path, COLUMNS) as again:
        assert again.run("run-1").shoes == "grey"
        assert Library(again).figures() == {"run-1": FIGURES}
        assert again._db.execute("PRAGMA user_version").fetchone() == (VERSION,)


def test_what_is_not_known_of_a_run_comes_back_as_nan(store):
    library = Library(store)
    library.keep_figures("run-1", replace(FIGURES, tilt_start_deg=math.nan, distance_m=math.nan))
    back = library.figures()["run-1"]
    assert math.isnan(back.tilt_start_deg)
    assert math.isnan(back.distance_m)
    assert back.tilt_change_deg == FIGURES.tilt_change_deg
    library.keep_figures("run-1", FIGURES)
    assert library.figures()["run-1"] == FIGURES


def test_figures_go_with_their_run_and_words_outlive_a_new_analysis(store):
    library = Library(store)
    library.keep_figures("run-1", FIGURES)
    library.set_shoes("run-1", "blue")
    library.set_route("run-1", "river")
    store.set_word("run-1", "thighs", "swapped")
    store.begin_run(RunHeader("run-1", athlete="maya"), replace=True)
    run = store.run("run-1")
    assert (run.notes, run.shoes, run.route, run.thighs) == ("first", "blue", "river", "swapped")
    assert library.figures() == {}
    library.keep_figures("run-1", FIGURES)
    store.delete_run("run-1")
    assert library.figures() == {}


def test_figures_of_an_unknown_run_are_refused(store):
    with pytest.raises(StoreError, match="run-9"):
        Library(store).keep_figures("run-9", FIGURES)


def test_a_new_block_ends_the_one_that_goes_on(store):
    library = Library(store)
    library.begin_block("maya", "bridges", "2026-09-01")
    library.begin_block("maya", "planks", "2026-10-05", "3 a week")
    library.begin_block("jonas", "squats", "2026-10-01")
    first, second = library.blocks("maya")
    assert (first.first_day, first.last_day) == ("2026-09-01", "2026-10-04")
    assert (second.name, second.last_day, second.words) == ("planks", "", "3 a week")
    assert library.end_block("maya", "2026-11-01").last_day == "2026-11-01"
    with pytest.raises(StoreError, match="exercise begin"):
        library.end_block("maya", "2026-11-02")


@pytest.mark.parametrize("day", ["2026-10-05", "2026-09-30"])
def test_a_block_that_begins_before_a_later_one_is_refused(store, day):
    library = Library(store)
    library.begin_block("maya", "planks", "2026-10-05")
    with pytest.raises(StoreError, match="planks"):
        library.begin_block("maya", "bridges", day)


def test_a_block_cannot_end_before_it_begins(store):
    library = Library(store)
    library.begin_block("maya", "planks", "2026-10-05")
    with pytest.raises(StoreError, match="later day"):
        library.end_block("maya", "2026-10-04")


def test_sessions_and_blocks_are_deleted_by_number_and_only_by_their_owner(store):
    library = Library(store)
    library.add_session("maya", "2026-10-06", "3 x 12")
    (session,) = library.sessions("maya")
    with pytest.raises(StoreError, match="jonas"):
        library.delete_session("jonas", session.id)
    library.delete_session("maya", session.id)
    assert library.sessions("maya") == []
    block = library.begin_block("maya", "planks", "2026-10-05")
    library.delete_block("maya", block.id)
    assert library.blocks("maya") == []


def test_everyone_of_whom_something_is_kept_is_an_athlete(store):
    library = Library(store)
    library.add_session("jonas", "2026-10-06")
    library.keep_standing(StandingRow("s1", "anna", 5, "", "", {"tilt_deg": math.nan, "repeats": [1.0]}))
    assert library.athletes() == ["anna", "jonas", "maya"]
    (check,) = library.standings("anna")
    assert check.result == {"tilt_deg": None, "repeats": [1.0]}
    library.delete_athlete("anna")
    library.delete_athlete("jonas")
    assert library.athletes() == ["maya"]
    with pytest.raises(StoreError, match="s1"):
        library.delete_standing("s1")
