"""The store of runs: what goes in comes out, whole, in order, and readable by others meanwhile."""

from __future__ import annotations

import json
import math
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from latemiles.errors import StoreError
from latemiles.signals.events import (
    Activity,
    CalibrationFound,
    DriftFound,
    DriftUpdate,
    GaitEvent,
    Gap,
    LinkChanged,
    LiveState,
    Marked,
    RunReplaced,
    Slip,
    Split,
    Stride,
    event_bytes,
)
from latemiles.signals.frames import Segment, Side
from latemiles.signals.records import RunHeader
from latemiles.store import Store
from latemiles.store import schema as schema_module

COLUMNS = ("t_ic_s", "distance_m", "pelvic_tilt_mean_deg")
NAN = float("nan")
UNKNOWN_QUAT = (NAN, NAN, NAN, NAN)

ONE_OF_EACH = [
    Stride(1.0, Side.LEFT, 0, (1.0, NAN, 8.25), 1),
    Stride(1.4, Side.RIGHT, 1, (1.4, 3.5, -0.1), 0),
    Split(300.0, 0, 0.0, 1609.344, 400, 390, (150.0, NAN, 8.5)),
    Marked(301.0, "gel — half"),
    Slip(302.0, Segment.PELVIS, 0.02),
    Gap(303.0, 305.5, Segment.RIGHT_THIGH, "link down"),
    CalibrationFound(
        60.0,
        "standing",
        "movement",
        ((1.0, 0.0, 0.0, 0.0), UNKNOWN_QUAT),
        0.01,
        (0.02, NAN),
        1.0,
        9.0,
        NAN,
        NAN,
    ),
    DriftUpdate(600.0, "pelvic_tilt_mean_deg", 1.25, 0.5, NAN, 0.8, "likely change", 1),
    LinkChanged(601.0, Segment.LEFT_THIGH, "battery", "", 83.0),
    Activity(602.0, "running"),
]


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "home" / "store.sqlite", COLUMNS) as opened:
        yield opened


@pytest.fixture
def run(store):
    return store.begin_run(RunHeader("run-1", athlete="maya", started_utc_ns=7), "run-1.mcap")


def strides(n, start=0):
    return [
        Stride(0.35 * k, Side.RIGHT if k % 2 else Side.LEFT, k, (0.35 * k, 1.1 * k, 8.0), 0)
        for k in range(start, start + n)
    ]


def test_every_kind_of_event_comes_back_as_it_went_in(store, run):
    assert store.commit(run, ONE_OF_EACH) == len(ONE_OF_EACH)
    assert event_bytes(store.history(run)) == event_bytes(ONE_OF_EACH)


def test_passing_events_are_not_kept(store, run):
    still = LiveState(1.0, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    assert store.commit(run, [still, GaitEvent(1.0, "toe_off", Side.LEFT, 1.0)]) == 0
    assert store.history(run) == []


def test_strides_come_as_columns_with_nan_where_missing(store, run):
    store.commit(run, ONE_OF_EACH)
    columns = store.strides(run)
    assert columns["side"].tolist() == ["left", "right"]
    assert columns["index"].dtype == columns["quality"].dtype == np.int64
    assert columns["quality"].tolist() == [1, 0]
    np.testing.assert_array_equal(columns["distance_m"], [NAN, 3.5])
    np.testing.assert_array_equal(columns["pelvic_tilt_mean_deg"], [8.25, -0.1])


def test_a_run_without_strides_has_empty_columns(store, run):
    columns = store.strides(run)
    assert set(columns) == {"side", "index", "quality", *COLUMNS}
    assert {c.shape for c in columns.values()} == {(0,)}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.floats(allow_nan=True, width=64), min_size=3, max_size=3))
def test_a_value_keeps_every_bit(store, values):
    name = store.begin_run(RunHeader("bits"), replace=True)
    store.commit(name, [Stride(0.0, Side.LEFT, 0, tuple(values), 0)])
    (back,) = store.events(name, Stride)
    np.testing.assert_array_equal(back.values, values)


def test_the_newest_form_drift_of_each_metric_is_given(store, run):
    first, second = (DriftUpdate(t, "a", t, 0.0, 1.0, 0.8, "no change", 0) for t in (1.0, 2.0))
    other = DriftUpdate(1.5, "b", 0.0, 0.0, 1.0, 0.8, "no change", 0)
    store.commit(run, [first, other, second])
    assert store.latest_drift(run) == {"a": second, "b": other}


def test_runs_are_listed_newest_first_with_their_strides(store, run):
    later = store.begin_run(RunHeader("run-2", athlete="jonas", started_utc_ns=9), basis="smoothed")
    store.commit(later, strides(3))
    store.end_run(later, summary={"tilt": NAN, "medians": np.array([1.0, NAN]), "n": np.int64(3)})
    newest, oldest = store.runs()
    assert (newest.id, newest.status, newest.basis, newest.strides) == ("run-2", "ended", "smoothed", 3)
    assert newest.last_t_s == pytest.approx(0.7)
    assert newest.summary == {"tilt": None, "medians": [1.0, None], "n": 3}
    assert (oldest.id, oldest.status, oldest.recording, oldest.summary) == (
        "run-1",
        "running",
        "run-1.mcap",
        {},
    )
    assert math.isnan(oldest.last_t_s)
    assert [r.id for r in store.runs(athlete="maya")] == [run]


def test_runs_kept_apart_get_ids_of_their_own_and_keep_them(store):
    def begun(athlete, recording):
        header = RunHeader("run-1", athlete=athlete)
        return store.begin_run(header, recording, replace=True, apart=True)

    recordings = {
        "maya/1": "run-1",
        "jonas/1": "jonas.run-1",
        "maya/2": "maya.run-1",
        "maya/3": "maya.run-1.2",
    }
    for recording, expected in recordings.items():
        name = begun(recording.partition("/")[0], recording)
        assert name == expected
        store.commit(name, strides(3))
    store.delete_run("run-1")
    # A recording that is there already keeps its id, although the short one is free again.
    assert begun("jonas", "jonas/1") == "jonas.run-1"
    assert {run.id: run.strides for run in store.runs()} == {
        "jonas.run-1": 0,
        "maya.run-1": 3,
        "maya.run-1.2": 3,
    }


def test_a_run_is_not_begun_twice_unless_replaced(store, run):
    store.commit(run, strides(4))
    store.set_notes(run, "felt heavy")
    with pytest.raises(StoreError, match="already"):
        store.begin_run(RunHeader("run-1", athlete="maya"))
    with pytest.raises(StoreError, match="maya"):
        store.begin_run(RunHeader("run-1", athlete="jonas"), replace=True)
    store.begin_run(RunHeader("run-1", athlete="maya"), replace=True)
    assert (store.run(run).strides, store.run(run).notes) == (0, "felt heavy")


def test_a_deleted_run_leaves_no_trace_in_the_file(store, run):
    store.begin_run(RunHeader("run-2"))
    store.commit("run-2", strides(2))
    store.commit(run, [*ONE_OF_EACH, Marked(3.0, "a very personal remark")])
    store.delete_run(run)
    assert [r.id for r in store.runs()] == ["run-2"]
    assert len(store.follow("sink")) == 2
    assert b"personal remark" not in b"".join(p.read_bytes() for p in store.path.parent.iterdir())
    for call in (store.delete_run, store.strides, store.history, store.latest_drift, store.end_run):
        with pytest.raises(StoreError, match="No run 'run-1'"):
            call(run)


def test_nothing_of_a_failed_commit_is_kept(store, run):
    with pytest.raises(ValueError, match="one catalogue"):
        store.commit(run, [*strides(2), Stride(9.0, Side.LEFT, 2, (1.0,), 0)])
    assert store.history(run) == []
    assert store.follow("sink") == []
    assert store.commit(run, strides(1)) == 1


def test_a_sink_follows_from_the_oldest_and_only_moves_forward(store, run):
    store.commit(run, ONE_OF_EACH)
    rows = store.follow("mqtt", limit=4)
    assert [r.kind for r in rows] == ["stride", "stride", "split", "mark"]
    assert event_bytes(r.event for r in rows) == event_bytes(ONE_OF_EACH[:4])
    assert {(r.run, r.athlete, r.started_utc_ns) for r in rows} == {("run-1", "maya", 7)}
    store.advance("mqtt", rows[-1].id)
    store.advance("mqtt", rows[0].id)
    assert event_bytes(r.event for r in store.follow("mqtt")) == event_bytes(ONE_OF_EACH[4:])
    assert len(store.follow("influx")) == len(ONE_OF_EACH)


def test_ids_are_not_given_again_after_a_deletion(store, run):
    store.commit(run, strides(5))
    store.advance("mqtt", store.follow("mqtt")[-1].id)
    store.begin_run(RunHeader("run-1", athlete="maya"), replace=True)
    store.commit(run, strides(5))
    told, *rows = store.follow("mqtt")
    assert told.event == RunReplaced(0.0)
    assert [r.event.index for r in rows] == [0, 1, 2, 3, 4]


def test_sinks_hear_of_a_replaced_run_only_if_they_may_have_rows_of_it(store, run):
    store.begin_run(RunHeader("run-1", athlete="maya"), replace=True)
    assert store.follow("influx") == []
    store.commit(run, strides(2))
    for _ in range(2):
        store.begin_run(RunHeader("run-1", athlete="maya"), replace=True)
        assert [row.kind for row in store.follow("influx")] == ["replaced"]


def test_a_conclusion_takes_the_place_of_an_older_one_and_is_told_once(store, run):
    store.commit(run, strides(2))
    first = [DriftFound(0.0, "pelvic_tilt_mean_deg", 1.5, 0.9, 2.1, 0.8, "clear change", 0, 700.0, NAN, NAN)]
    store.conclude(run, first)
    ids = [row.id for row in store.follow("influx")]
    store.conclude(run, first)
    assert [row.id for row in store.follow("influx")] == ids
    second = [replace(first[0], change=1.4, change_point_s=NAN)]
    store.conclude(run, second)
    (kept,) = store.events(run, DriftFound)
    assert event_bytes([kept]) == event_bytes(second)
    *_, row = store.follow("influx")
    assert row.id > max(ids)
    with pytest.raises(StoreError, match="No run"):
        store.conclude("run-9", first)


def test_another_process_reads_while_this_one_writes(store, run):
    store.commit(run, strides(3))
    store._db.execute("BEGIN IMMEDIATE")
    script = (
        "import sqlite3, sys\n"
        "print(sqlite3.connect(sys.argv[1]).execute('select count(*) from strides').fetchone()[0])"
    )
    out = subprocess.run([sys.executable, "-c", script, store.path], capture_output=True, check=True)
    store._db.execute("ROLLBACK")
    assert out.stdout.strip() == b"3"


def test_a_reader_never_sees_half_a_commit(store, run):
    seen, done = [], threading.Event()

    def read():
        with Store(store.path, COLUMNS) as reader:
            while not done.is_set():
                seen.append(len(reader.follow("s", limit=10_000)))

    thread = threading.Thread(target=read)
    thread.start()
    try:
        for k in range(40):
            store.commit(run, strides(7, start=7 * k))
    finally:
        done.set()
        thread.join()
    assert all(n % 7 == 0 for n in seen)


def test_a_locked_store_says_who_holds_it(store, run, monkeypatch):
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store._db.execute("PRAGMA busy_timeout=1")
    with pytest.raises(StoreError, match="another program is writing"):
        store.commit(run, strides(1))
    other.execute("ROLLBACK")
    other.close()
    assert store.commit(run, strides(1)) == 1


def test_a_full_disk_loses_only_the_commit_that_did_not_fit(store, run):
    store.commit(run, strides(3))
    (pages,) = store._db.execute("PRAGMA page_count").fetchone()
    store._db.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StoreError, match="disk is full"):
        store.commit(run, strides(5000))
    store._db.execute("PRAGMA max_page_count=1000000")
    assert store.run(run).strides == 3
    assert store.commit(run, strides(1)) == 1


def test_a_text_file_is_refused_and_not_touched(tmp_path):
    path = tmp_path / "store.sqlite"
    path.write_text("not a database, but long enough to be taken for one by its size " * 20)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="not a database"):
        Store(path, COLUMNS)
    assert path.read_bytes() == before


def test_a_database_of_another_program_is_refused(tmp_path):
    path = tmp_path / "store.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE photos (id)")
    db.close()
    with pytest.raises(StoreError, match="another program"):
        Store(path, COLUMNS)


def test_a_newer_schema_is_refused_with_advice(store):
    store._db.execute(f"PRAGMA user_version = {schema_module.VERSION + 1}")
    with pytest.raises(StoreError, match="Update latemiles"):
        Store(store.path, COLUMNS)


def test_an_older_schema_is_brought_up_step_by_step(store, run, monkeypatch):
    steps = []
    store._db.execute("PRAGMA user_version = 1")
    monkeypatch.setattr(schema_module, "VERSION", 4)
    monkeypatch.setattr("latemiles.store.store.VERSION", 4)
    monkeypatch.setitem(schema_module.MIGRATIONS, 1, lambda db: steps.append(1))
    monkeypatch.setitem(schema_module.MIGRATIONS, 2, lambda db: steps.append(2))
    monkeypatch.setitem(schema_module.MIGRATIONS, 3, lambda db: steps.append(3))
    with Store(store.path, COLUMNS) as again:
        assert [r.id for r in again.runs()] == [run]
    with Store(store.path, COLUMNS):
        pass
    assert steps == [1, 2, 3]


def test_a_new_metric_column_is_added_and_old_rows_read_as_nan(store, run):
    store.commit(run, strides(2))
    with Store(store.path, (*COLUMNS, "hip_flexion_ic_deg")) as newer:
        newer.commit(run, [Stride(5.0, Side.LEFT, 2, (5.0, 6.0, 7.0, 40.0), 0)])
        np.testing.assert_array_equal(newer.strides(run)["hip_flexion_ic_deg"], [NAN, NAN, 40.0])


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="--home"):
        Store(tmp_path / "file" / "store.sqlite", COLUMNS)


def test_the_catalogue_gives_the_columns(tmp_path):
    from latemiles.metrics.catalogue import NUMERIC_COLUMNS

    with Store(tmp_path / "s.sqlite") as opened:
        name = opened.begin_run(RunHeader("r", extra={}))
        values = tuple(float(k) for k in range(len(NUMERIC_COLUMNS)))
        opened.commit(name, [Stride(0.0, Side.LEFT, 0, values, 0), Split(1.0, 0, 0.0, NAN, 1, 1, values)])
        assert opened.splits(name)[0].values == opened.events(name, Stride)[0].values == values
        assert json.dumps(opened.summary(name)) == "{}"
