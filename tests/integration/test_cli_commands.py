"""The command line as a person meets it: statuses, one clear line for each fault, files where they belong."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import latemiles as lm
from latemiles.cli.doctor import Finding, told
from latemiles.signals.events import Stride
from latemiles.store import Store

RECORDINGS = Path(__file__).resolve().parents[2] / "recordings"


def latemiles(*arguments: object, home: Path) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "latemiles", "--home", str(home), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def fault(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of a failure."""
    assert done.returncode in {1, 2}
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].rstrip().endswith((".", "'"))
    return lines[0]


def npz(path: Path, *, without: str = "", n: int = 2000, **changes: object) -> Path:
    """A file of three resting sensors, with changes."""
    t = np.arange(n) / 100.0
    arrays: dict[str, object] = {"t": t}
    for segment in ("pelvis", "left_thigh", "right_thigh"):
        if segment != without:
            arrays[f"acc_{segment}"] = np.tile([0.0, 0.0, 9.81], (n, 1))
            arrays[f"gyr_{segment}"] = np.zeros((n, 3))
    np.savez(path, **{**arrays, **changes})
    return path


def test_thigh_sensors_that_were_taken_for_each_other_are_noticed_and_can_be_swapped(tmp_path):
    sides = {}
    for name, options in (("right", ()), ("wrong", ("--swap-thighs",))):
        out = tmp_path / name
        done = latemiles("analyze", RECORDINGS / "easy_run.mcap", "--out", out, *options, home=tmp_path)
        assert done.returncode == 0, done.stderr
        with (out / "strides.csv").open() as file:
            sides[name] = [row["side"] for row in csv.DictReader(file)]
        said = "The thigh sensors may be on each other" in (out / "report.html").read_text()
        # The recording is sound: told that it is not, the run looks exchanged.
        assert said == (name == "wrong")
    assert sides["wrong"] == [{"left": "right", "right": "left"}[side] for side in sides["right"]]


def test_swapped_thigh_sensors_are_kept_with_the_run_until_they_are_taken_back(tmp_path):
    recording = tmp_path / "recordings" / "easy_run.mcap"
    recording.parent.mkdir()
    shutil.copy(RECORDINGS / "easy_run.mcap", recording)
    heard = recording.read_bytes()

    def did(*words):
        done = latemiles(*words, home=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def sides(*words):
        out = tmp_path / "out"
        did(*words, "--out", out)
        with (out / "strides.csv").open() as file:
            return [row["side"] for row in csv.DictReader(file)]

    def stored_sides():
        with Store(tmp_path / "store.sqlite") as store:
            return [event.side for event in store.history(store.runs()[0].id) if isinstance(event, Stride)]

    as_worn = sides("analyze", recording)
    did("replay", recording, "--headless")
    replayed = stored_sides()
    crossed = [{"left": "right", "right": "left"}[side] for side in as_worn]
    # Somewhere else, for once: the library is told nothing.
    assert sides("analyze", recording, "--swap-thighs") == crossed
    assert sides("report", "last") == as_worn
    assert "taken for each other's" in did("runs", "swap-thighs", "last")
    assert "on each other's legs" in did("runs", "show")
    assert sides("report", "last") == crossed
    assert sides("analyze", recording) == crossed
    did("runs", "refresh", "--all")
    did("runs", "note", "last", "windy")
    assert sides("report", "last") == crossed
    exported = tmp_path / "strides.table.csv"
    did("export", "last", "--format", "csv", "--out", exported)
    with exported.open() as file:
        assert [row["side"] for row in csv.DictReader(file)] == crossed
    did("replay", recording, "--headless")
    assert stored_sides() == [{"left": "right", "right": "left"}[side] for side in replayed]
    assert sides("report", "last") == crossed
    did("runs", "swap-thighs", "last", "--undo")
    assert sides("report", "last") == as_worn
    did("analyze", recording, "--swap-thighs")
    assert sides("report", "last") == crossed
    did("analyze", recording, "--no-swap-thighs")
    assert sides("report", "last") == as_worn
    assert recording.read_bytes() == heard


def test_analyze_writes_strides_splits_summary_and_report(tmp_path):
    done = latemiles("analyze", RECORDINGS / "easy_run.mcap", "--out", tmp_path / "out", home=tmp_path)
    assert done.returncode == 0, done.stderr
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert names >= {"strides.csv", "splits.csv", "summary.json", "report.html"}
    with (tmp_path / "out" / "strides.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 250
    assert {row["side"] for row in rows} == {"left", "right"}
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["reference"] == "standing"
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Not a medical device" in page


def test_a_missing_input_is_wrong_use(tmp_path):
    done = latemiles("analyze", tmp_path / "nothing.mcap", home=tmp_path)
    assert done.returncode == 2
    assert "nothing.mcap" in fault(done)


def test_no_command_shows_the_help_and_is_wrong_use(tmp_path):
    assert latemiles(home=tmp_path).returncode == 2


def test_the_version_is_printed_for_a_report_of_a_fault(tmp_path):
    done = latemiles("--version", home=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"latemiles {lm.__version__}\n", "")


def test_an_unknown_option_is_wrong_use(tmp_path):
    assert latemiles("analyze", "--speeed", "3", home=tmp_path).returncode == 2


def test_a_text_file_named_mcap_is_refused_with_advice(tmp_path):
    path = tmp_path / "notes.mcap"
    path.write_text("dear diary, today I ran\n" * 20)
    assert "text file" in fault(latemiles("analyze", path, home=tmp_path))


def test_an_empty_file_is_refused_with_advice(tmp_path):
    (tmp_path / "empty.mcap").touch()
    assert "empty" in fault(latemiles("analyze", tmp_path / "empty.mcap", home=tmp_path))


def test_a_torn_recording_is_refused_then_recovered_then_analysed(tmp_path):
    torn = tmp_path / "torn.mcap"
    torn.write_bytes((RECORDINGS / "easy_run.mcap").read_bytes()[:400_000])
    assert "recover" in fault(latemiles("analyze", torn, home=tmp_path))
    assert latemiles("verify", torn, home=tmp_path).returncode == 1
    saved = tmp_path / "saved.mcap"
    done = latemiles("recover", torn, "--out", saved, home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert latemiles("verify", saved, home=tmp_path).returncode == 0
    done = latemiles("analyze", saved, "--out", tmp_path / "out", home=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"acc_pelvis": np.zeros((5, 3))}, "shape"),
        ({"t": np.arange(2000)[::-1] / 100.0}, "increas"),
        ({"acc_pelvis": np.tile([0.0, 0.0, 1.0], (2000, 1))}, "m/s^2"),
        ({"gyr_pelvis": np.full((2000, 3), 90.0)}, "rad/s"),
    ],
    ids=["wrong shape", "unsorted time", "g instead of m/s^2", "deg/s instead of rad/s"],
)
def test_samples_that_cannot_be_right_are_refused_in_one_line(tmp_path, changes, word):
    path = npz(tmp_path / "bad.npz", **changes)
    assert word in fault(latemiles("import", "npz", path, home=tmp_path))
    assert not list((tmp_path / "recordings").glob("*.mcap"))


def test_a_missing_sensor_is_said_in_the_report_and_does_not_stop_the_analysis(tmp_path):
    path = npz(tmp_path / "two.npz", without="left_thigh")
    done = latemiles("analyze", path, home=tmp_path)
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "runs" / "two" / "summary.json").read_text())
    assert any("left thigh" in note for note in summary["quality"]["notes"])
    # What is analysed without --out joins the library.
    (entry,) = latemiles("runs", "--json", home=tmp_path).stdout.splitlines()
    assert json.loads(entry)["figures"]["verdict"] == "too short"


def test_import_names_the_recording_and_verify_accepts_it(tmp_path):
    done = latemiles("import", "npz", npz(tmp_path / "rest.npz"), home=tmp_path)
    assert done.returncode == 0, done.stderr
    made = tmp_path / "recordings" / "rest.mcap"
    assert str(made) in done.stdout.replace("\n", "")
    assert latemiles("verify", made, home=tmp_path).returncode == 0


def test_an_unknown_format_is_wrong_use_with_the_known_ones_named(tmp_path):
    done = latemiles("import", "xls", npz(tmp_path / "rest.npz"), home=tmp_path)
    assert done.returncode == 2
    assert "csv" in fault(done)


def test_one_bad_file_among_several_does_not_stop_the_others(tmp_path):
    (tmp_path / "empty.mcap").touch()
    good = RECORDINGS / "no_standing.mcap"
    done = latemiles("analyze", tmp_path / "empty.mcap", good, "--out", tmp_path / "out", home=tmp_path)
    assert done.returncode == 1
    assert (tmp_path / "out" / "no_standing" / "report.html").exists()


def test_help_answers_without_loading_the_numeric_core():
    code = (
        "import sys; from latemiles.cli.main import main; main(['--help']);"
        "heavy = {'numba', 'starlette', 'bleak', 'influxdb_client'} & set(sys.modules); sys.exit(len(heavy))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_the_doctors_words_go_on_under_themselves_in_a_narrow_terminal():
    finding = Finding(
        "LM-A001", True, "firmware 1.0.0, battery 97 % (4.17 V), clock right to 0.1 %, answers."
    )
    lines = told(finding, 60).splitlines()
    assert len(lines) > 1
    assert all(len(line) <= 60 for line in lines)
    under = lines[0].index("firmware")
    assert all(line[:under].isspace() for line in lines[1:])
    assert " ".join(line[under:] for line in lines) == finding.words
    assert told(finding) == f"ok    LM-A001            {finding.words}"
