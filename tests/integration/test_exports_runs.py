"""Recorded runs exported as a person does it: from the name of a run to a file, or to one line of advice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from latemiles import optional
from latemiles.analysis import analyze
from latemiles.cli.main import main
from latemiles.errors import ConfigError, EnvironmentMissing, InputError
from latemiles.exports import FORMATS
from latemiles.recording.reader import Recording
from latemiles.session import export as export_module
from latemiles.session.export import ExportPlan, export_run
from latemiles.session.home import Home

RECORDINGS = Path(__file__).resolve().parents[2] / "recordings"
ROUGH = RECORDINGS / "rough_radio.mcap"


@pytest.fixture(scope="module")
def analysed():
    """The causal analysis of a run with holes, its angles kept in memory."""
    return analyze(ROUGH, basis="causal")


def test_a_run_is_found_by_name_and_its_angles_are_those_of_analyze(tmp_path, analysed):
    home = Home(tmp_path)
    (home.recordings / "sunday.mcap").write_bytes(ROUGH.read_bytes())
    plan = ExportPlan(home, "parquet", rows="angles", basis="causal")
    made = export_run(home.recording_of("sunday"), plan)
    assert made == home.runs / "rough_radio" / "rough_radio.angles.parquet"
    back = pd.read_parquet(made).to_numpy()
    kept = np.column_stack([analysed.pelvis, analysed.hip_left, analysed.hip_right])
    np.testing.assert_array_equal(back, np.column_stack([analysed.t, np.degrees(kept)]))
    assert np.isnan(back).any(), "the run has holes"


def test_exported_strides_are_those_of_analyze(tmp_path, analysed, capsys):
    arguments = ["--home", str(tmp_path), "export", str(ROUGH), "--format", "csv", "--basis", "causal"]
    assert main([*arguments, "--out", str(tmp_path / "s.csv")]) == 0
    assert str(tmp_path / "s.csv") in capsys.readouterr().out
    assert (tmp_path / "s.csv").read_text() == "".join(analysed.strides.csv_lines())
    assert not list(tmp_path.glob(".*")), "nothing is left beside it"


def test_a_run_that_is_not_there_is_answered_with_those_that_are(tmp_path):
    home = Home(tmp_path)
    (home.recordings / "sunday.mcap").touch()
    assert home.recording_of("last").stem == "sunday"
    with pytest.raises(InputError, match="Recorded runs: sunday"):
        home.recording_of("monday")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format_name": "xls"}, "Known are: csv"),
        ({"format_name": "mot", "rows": "strides"}, "mot holds angles"),
    ],
)
def test_what_a_format_cannot_do_is_refused_before_the_work(tmp_path, changes, words):
    with pytest.raises(ConfigError, match=words):
        export_run(ROUGH, ExportPlan(Home(tmp_path), **changes))


def test_a_missing_library_is_named_with_the_command_that_installs_it(monkeypatch):
    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(optional, "import_module", absent)
    with pytest.raises(EnvironmentMissing, match=r"pip install 'latemiles\[files\]'"):
        optional.needed("pyarrow", "pyarrow", "Parquet")


def test_a_place_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    (tmp_path / "file").touch()
    arguments = ["--home", str(tmp_path), "export", str(ROUGH), "-f", "csv", "--basis", "causal"]
    assert main([*arguments, "--out", str(tmp_path / "file" / "s.csv")]) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_folder_is_replaced_only_where_an_earlier_export_made_it(tmp_path):
    plan = ExportPlan(Home(tmp_path), "bids", tmp_path / "set", basis="causal")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "thesis.txt").touch()
    with pytest.raises(InputError, match="something else"):
        export_run(ROUGH, plan)
    assert (tmp_path / "set" / "thesis.txt").exists()
    (tmp_path / "set" / "thesis.txt").unlink()
    for _ in range(2):
        made = export_run(ROUGH, plan)
        assert sorted(p.name for p in made.iterdir())[:2] == ["README.md", "dataset_description.json"]


def test_a_run_whose_name_leads_elsewhere_stays_in_its_folder(tmp_path, analysed, monkeypatch):
    away = replace(Recording.open(ROUGH).header, run="../../etc/run")
    monkeypatch.setattr(Recording, "open", lambda path: Recording(str(path), away, ROUGH.stat().st_size))
    monkeypatch.setattr(export_module, "analyze", lambda *_args, **_more: analysed)
    made = export_run(ROUGH, ExportPlan(Home(tmp_path), "csv", basis="causal"))
    assert made.is_relative_to(tmp_path / "runs")
    assert made.parent.parent == tmp_path / "runs"


def test_every_format_says_what_it_is():
    assert all(f.about and f.rows and (f.suffix or f.is_folder) for f in FORMATS.values())
