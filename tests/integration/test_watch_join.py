"""A watch's file joined to the recording of the same run: the original untouched, the new one saying more."""

from __future__ import annotations

import asyncio
import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from latemiles.analysis import analyze
from latemiles.cli.main import main
from latemiles.errors import InputError
from latemiles.metrics.catalogue import COLUMN_INDEX
from latemiles.pipeline import Pipeline
from latemiles.recording.reader import Recording
from latemiles.recording.verify import verify
from latemiles.recording.writer import RecordingWriter
from latemiles.report.files import write_outputs
from latemiles.sensors.registry import driver_for
from latemiles.session import join_watch as module
from latemiles.session.home import Home
from latemiles.session.join_watch import join_watch
from latemiles.session.library import delete_run, entries, strangers
from latemiles.session.live import LiveSession
from latemiles.session.pace import paced
from latemiles.signals.events import Stride, event_bytes
from latemiles.signals.records import Mark, Packet, RunHeader, Speed
from latemiles.store import Library, Store
from reference.made_up_angles import with_angles
from reference.watch_files import STARTED, made_up_watch, write_fit

EASY = Path(__file__).resolve().parents[2] / "recordings" / "easy_run.mcap"
OFFSET_S = 30.0


def words_of(path):
    return [record for record in Recording.open(path).records() if isinstance(record, Speed)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An easy run with a watch of 3.2 m/s joined to it, which was started at 30 s."""
    folder = tmp_path_factory.mktemp("joined")
    watch = write_fit(folder / "sunday.fit", made_up_watch(900, speed_m_s=3.2))
    before = EASY.read_bytes()
    told = join_watch("fit", watch, EASY, folder / "both.mcap", offset_s=OFFSET_S)
    assert EASY.read_bytes() == before, "the original is not touched"
    return told


def test_the_new_recording_is_whole_and_holds_every_packet_of_the_old(made):
    assert verify(made.path).ok
    packets = [
        [record for record in Recording.open(path).records() if isinstance(record, Packet)]
        for path in (EASY, made.path)
    ]
    assert packets[0] == packets[1]


def test_one_source_speaks_at_a_time_and_no_longer_than_the_run(made):
    words = words_of(made.path)
    assert {word.source for word in words} == {"watch file sunday.fit"}
    assert words[0].t_s == OFFSET_S
    assert words[-1].t_s <= Recording.open(EASY).duration_s
    assert [word.arrival_ns for word in words] == sorted(word.arrival_ns for word in words)


def test_the_header_keeps_where_the_watch_came_from_and_how_the_clocks_were_matched(made):
    extra = Recording.open(made.path).header.extra
    assert extra["watch_file"] == "sunday.fit"
    assert float(extra["watch_zero_utc_s"]) == pytest.approx(STARTED - OFFSET_S)
    assert extra["watch_offset"].startswith("told")
    assert any("Clock offset" in line for line in made.lines)


def test_speed_grade_and_heart_rate_reach_strides_drift_and_splits(made, tmp_path):
    analysis = analyze(made.path, basis="causal", angles=False)
    late = analysis.strides["t_ic_s"] > OFFSET_S + 5.0
    np.testing.assert_allclose(analysis.strides["speed_m_s"][late], 3.2, atol=1e-6)
    known = np.isfinite(analysis.context.grade)
    assert np.median(analysis.context.grade[known]) == pytest.approx(0.04, abs=0.01)
    split = analysis.splits[0]
    assert split.heart_rate_bpm == pytest.approx(131.0, abs=1.5)
    assert split.climb_m == pytest.approx(0.04 * 3.2 * (split.t_s - OFFSET_S), rel=0.3)
    write_outputs(analysis, tmp_path)
    with (tmp_path / "splits.csv").open() as file:
        row = next(csv.DictReader(file))
    assert float(row["heart_rate_bpm"]) == pytest.approx(split.heart_rate_bpm, abs=0.1)
    assert float(row["climb_m"]) == pytest.approx(split.climb_m, abs=0.1)


def test_what_the_watch_does_not_say_stays_as_it_was(tmp_path):
    watch = write_fit(tmp_path / "a.fit", made_up_watch(100, heart=None))
    words = words_of(join_watch("fit", watch, EASY, tmp_path / "a.mcap", offset_s=0.0).path)
    hearts = [word for word in words if np.isfinite(word.heart_rate_bpm)]
    assert {word.source for word in hearts} == {"simulated watch"}
    assert not any(np.isfinite(word.speed_m_s) for word in hearts)


def test_clocks_that_are_both_right_need_no_cadence(tmp_path):
    recording = Recording.open(EASY)
    timed = tmp_path / "timed.mcap"
    with RecordingWriter(timed, replace(recording.header, started_utc_ns=round(STARTED * 1e9))) as writer:
        for record in recording.records():
            if not isinstance(record, RunHeader):
                writer.append(record)
    late = made_up_watch(100, strides_a_minute=None)
    late.utc_s = late.utc_s + 12.0
    made = join_watch("fit", write_fit(tmp_path / "a.fit", late), timed, tmp_path / "b.mcap")
    assert words_of(made.path)[0].t_s <= 12.0
    assert any(word.t_s == 12.0 for word in words_of(made.path))
    assert "time of day" in made.lines[0]


def test_an_offset_that_cannot_be_known_is_asked_for_and_nothing_is_left(tmp_path):
    watch = write_fit(tmp_path / "a.fit", made_up_watch(100, strides_a_minute=None))
    with pytest.raises(InputError, match="--offset SECONDS"):
        join_watch("fit", watch, EASY, tmp_path / "b.mcap")
    with pytest.raises(InputError, match="while the recording did"):
        join_watch("fit", watch, EASY, tmp_path / "b.mcap", offset_s=5000.0)
    assert not (tmp_path / "b.mcap").exists()


def test_the_offset_from_cadence_is_used_and_stated(tmp_path, monkeypatch):
    analysis = with_angles(seconds=1500.0)
    strides = analysis.strides
    rng = np.random.default_rng(4)
    wander = np.convolve(rng.normal(size=1530), np.ones(30) / np.sqrt(30.0), "same")[:1500]
    column = list(strides.columns).index("cadence_spm") - 1
    strides.values[:, column] = 166.0 + 1.5 * np.interp(strides["t_ic_s"], np.arange(1500.0), wander)
    monkeypatch.setattr(module, "analyze", lambda *_args, **_more: analysis)
    watch = made_up_watch(1400, strides_a_minute=0.5 * (166.0 + 1.5 * wander[100:]))
    made = join_watch("fit", write_fit(tmp_path / "a.fit", watch), EASY, tmp_path / "b.mcap")
    zero = float(Recording.open(made.path).header.extra["watch_zero_utc_s"])
    assert zero == pytest.approx(STARTED - 100.0, abs=1.0)
    assert "from cadence" in made.lines[0]
    assert "steps/min (RMS)" in made.lines[0]


def test_the_command_makes_a_recording_of_a_watch_alone_and_its_report_is_complete(tmp_path, capsys):
    watch = write_fit(tmp_path / "sunday.fit", made_up_watch(200))
    home = ["--home", str(tmp_path)]
    assert main([*home, "import", "fit", str(watch)]) == 0
    made = tmp_path / "recordings" / "sunday.mcap"
    assert str(made) in capsys.readouterr().out
    assert main([*home, "analyze", str(made), "--out", str(tmp_path / "out")]) == 0
    assert "Not a medical device" in (tmp_path / "out" / "report.html").read_text()


def test_a_joined_run_stays_one_run_with_its_name_words_and_marks(tmp_path, capsys):
    home = Home(tmp_path)
    old = home.recordings / "sunday.mcap"
    header = replace(Recording.open(EASY).header, run="sunday", notes="easy")
    with RecordingWriter(old, header) as writer:
        for record in Recording.open(EASY).records():
            if not isinstance(record, RunHeader):
                writer.append(record)
        writer.append(Mark(record.arrival_ns, "gel"))
    with Store(home.store) as store:
        store.begin_run(header, old.resolve())
        store.end_run("sunday")
        Library(store).set_shoes("sunday", "blue")
        store.set_notes("sunday", "windy")
    watch = write_fit(tmp_path / "sunday.fit", made_up_watch(200))
    joined = home.recordings / "sunday.fit.mcap"
    for _ in range(2):
        command = ["--home", str(tmp_path), "import", "fit", str(watch), "--into", "sunday", "--offset", "30"]
        assert main(command) == 0
    assert "Run sunday keeps its name, notes, shoes and marks" in " ".join(capsys.readouterr().out.split())
    assert home.recording_of("sunday") == home.recordings / "sunday.fit-2.mcap"
    assert main(["--home", str(tmp_path), "report", "sunday"]) == 0
    with Store(home.store) as store:
        (entry,) = entries(home, store)
        assert (entry.row.id, entry.row.shoes, entry.row.notes) == ("sunday", "blue", "windy")
        assert entry.recording == (home.recordings / "sunday.fit-2.mcap").resolve()
        with (entry.folder / "strides.csv").open() as file:
            speeds = [float(row["speed_m_s"] or "nan") for row in csv.DictReader(file)]
        assert np.nanmedian(speeds) == pytest.approx(3.0, abs=1e-6), "the report has the watch's words"
        assert strangers(home, [entry]) == [], "what it was before needs no result"
        assert "gel" in entry.report.read_text()
        delete_run(home, store, entry)
    assert list(home.recordings.glob("*.mcap")) == [], "nothing of a deleted run stays"
    assert not joined.exists()


def test_a_joined_recording_says_live_what_replay_and_analysis_say(made, tmp_path):
    with Recording.open(made.path) as recording:
        pipeline = Pipeline(recording.header, driver_for)
        said = [e for record in recording.records() for e in pipeline.push(record)] + pipeline.finish()
    with Recording.open(made.path) as recording:
        pipeline, heard = Pipeline(recording.header, driver_for), []
        recorder = RecordingWriter(tmp_path / "live.mcap", recording.header)

        class Notebook:
            def take(self, events):
                heard.extend(events)

            def finish(self):
                pass

        session = LiveSession(paced(recording.records(), None), pipeline, recorder, [Notebook()])
        asyncio.run(session.run())
    assert event_bytes(heard) == event_bytes(said)
    strides = [e for e in said if isinstance(e, Stride)]
    analysis = analyze(made.path, basis="causal", angles=False)
    assert len(strides) == len(analysis.strides) > 100
    speed = [e.values[COLUMN_INDEX["speed_m_s"]] for e in strides]
    np.testing.assert_array_equal(np.sort(speed), np.sort(analysis.strides["speed_m_s"]))


@pytest.mark.parametrize(
    "arguments",
    [
        ("import", "csv", "{watch}", "--into", str(EASY)),
        ("import", "fit", "{watch}", "--offset", "3"),
        ("import", "fit", "{watch}", "{watch}", "--into", str(EASY)),
    ],
    ids=["samples", "an offset into nothing", "two watches"],
)
def test_wrong_use_is_told(tmp_path, arguments):
    watch = write_fit(tmp_path / "a.fit", made_up_watch(20))
    assert main(["--home", str(tmp_path), *(a.format(watch=watch) for a in arguments)]) == 2
