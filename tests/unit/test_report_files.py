"""The files of one run."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from latemiles.errors import StoreError
from latemiles.metrics.catalogue import COLUMNS
from latemiles.report import write_outputs
from latemiles.report.files import ANGLE_COLUMNS, SPLIT_COLUMNS
from reference.made_up_analysis import made_up_run


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_becomes_four_files_and_no_scraps(tmp_path: Path) -> None:
    run = made_up_run("short_run")
    written = write_outputs(run, tmp_path / "new" / "folder")
    names = sorted(p.name for p in (tmp_path / "new" / "folder").iterdir())
    assert names == ["report.html", "splits.csv", "strides.csv", "summary.json"]
    assert sorted(written) == names
    strides = rows_of(written["strides.csv"])
    assert tuple(strides[0]) == COLUMNS
    assert len(strides) == len(run.strides)
    splits = rows_of(written["splits.csv"])
    assert tuple(splits[0]) == SPLIT_COLUMNS
    assert len(set(SPLIT_COLUMNS)) == len(SPLIT_COLUMNS)
    assert float(splits[0]["pelvic_tilt_mean_deg"]) == pytest.approx(
        run.splits[0].values[list(COLUMNS[1:-1]).index("pelvic_tilt_mean_deg")], abs=1e-3
    )
    assert splits[0]["hip_flexion_mean_deg"] == "", "missing is empty, never 0"
    assert json.loads(written["summary.json"].read_text(encoding="utf-8"))["schema"] == "latemiles/summary/1"
    assert written["report.html"].read_text(encoding="utf-8").startswith("<!doctype html>")


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    run = made_up_run("short_run")
    first = {k: p.read_bytes() for k, p in write_outputs(run, tmp_path).items()}
    again = {k: p.read_bytes() for k, p in write_outputs(run, tmp_path).items()}
    assert first == again


def test_angles_are_written_on_request_in_degrees(tmp_path: Path) -> None:
    n = 5
    pelvis = np.radians(np.tile([10.0, -2.0, 3.5], (n, 1)))
    pelvis[2] = np.nan
    hip = np.radians(np.tile([30.0, 1.0, -4.0], (n, 1)))
    run = replace(
        made_up_run("short_run"), t=np.arange(n) / 200.0, pelvis=pelvis, hip_left=hip, hip_right=-hip
    )
    rows = rows_of(write_outputs(run, tmp_path, angles=True)["angles.csv"])
    assert tuple(rows[0]) == ANGLE_COLUMNS
    assert rows[1]["t_s"] == "0.0050"
    assert rows[0]["pelvic_tilt_deg"] == "10.000"
    assert rows[0]["right_hip_flexion_deg"] == "-30.000"
    assert rows[2]["pelvic_tilt_deg"] == ""


def test_angles_that_were_not_kept_are_asked_for_in_vain(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="ask for angles"):
        write_outputs(made_up_run("short_run"), tmp_path, angles=True)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_an_error_with_advice(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("not a folder")
    with pytest.raises(StoreError, match="Choose a folder"):
        write_outputs(made_up_run("short_run"), blocker / "out")
