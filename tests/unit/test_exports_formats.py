"""FIT, C3D and Motion-BIDS are read back by the field's own readers."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import ezc3d
import numpy as np
import pytest
from garmin_fit_sdk import Decoder, Stream

from latemiles.errors import InputError
from latemiles.exports import ANGLES, FORMATS, STRIDES, c3d
from latemiles.exports.c3d import ANGLE_POINTS
from latemiles.exports.fit import FIELDS, WINDOW_S
from latemiles.recording.watches import read_watch
from latemiles.report.files import ANGLE_COLUMNS
from reference.made_up_analysis import Plan
from reference.made_up_angles import GAP, RATE_HZ, with_angles

RUN = with_angles()
LONG = with_angles(
    Plan(duration_s=900.0, change_at_s=None, verdict="too short", split_m=1000.0), seconds=60.0
)
WITHOUT_SPEED = with_angles(Plan(duration_s=60.0, speed=False, grade=False, heart=False, verdict="too short"))
WATCHED = replace(LONG, header=replace(LONG.header, extra={"watch_zero_utc_s": "1763193700.250"}))


def written(tmp_path, name, run, rows=ANGLES):
    path = tmp_path / f"run{FORMATS[name].suffix or '.bids'}"
    FORMATS[name].write(run, path, rows)
    return path


def decoded(path):
    """What Garmin's own reader finds, after it found the file whole."""
    data = bytearray(path.read_bytes())
    assert Decoder(Stream.from_byte_array(bytearray(data))).check_integrity()
    messages, errors = Decoder(Stream.from_byte_array(data)).read(convert_datetimes_to_dates=False)
    assert errors == []
    return messages


def test_garmins_reader_finds_the_form_of_the_strides_around_each_record(tmp_path):
    messages = decoded(written(tmp_path, "fit", LONG, STRIDES))
    names = {d["field_definition_number"]: d["field_name"] for d in messages["field_description_mesgs"]}
    assert list(names.values()) == [field.name for field in FIELDS]
    assert all(d["units"] in {"deg", "s", "m"} for d in messages["field_description_mesgs"])
    records = messages["record_mesgs"]
    start = records[0]["timestamp"] - np.ceil(LONG.strides["t_ic_s"][0])
    strides = LONG.strides
    for record in records[300:800:50]:
        t = record["timestamp"] - start
        for field, column, side in (
            (0, "pelvic_tilt_mean_deg", ""),
            (4, "pelvic_drop_excursion_deg", "left"),
        ):
            near = strides.used_for(column) & (np.abs(strides["t_ic_s"] - t) <= 0.5 * WINDOW_S)
            near &= (strides["side"] == side) | (side == "")
            want = float(np.mean(strides[column][near]))
            assert record["developer_fields"][field] == pytest.approx(want, abs=1e-4)
        assert 2.0 * (record["cadence"] + record["fractional_cadence"]) == pytest.approx(172.9, abs=3.0)


def test_the_records_of_a_joined_watch_keep_its_own_times(tmp_path):
    records = decoded(written(tmp_path, "fit", WATCHED, STRIDES))["record_mesgs"]
    told = np.floor(WATCHED.context.t_s + 1_763_193_700.25 - 631_065_600.0 + 0.5)
    np.testing.assert_array_equal([r["timestamp"] for r in records], np.unique(told))


def test_our_own_importer_and_laps_agree_with_what_was_written(tmp_path):
    path = written(tmp_path, "fit", LONG, STRIDES)
    track = read_watch("fit", path).track
    known = np.isfinite(LONG.context.distance_m)
    assert track.distance_m[-1] == pytest.approx(LONG.context.distance_m[known][-1], abs=10.0)
    messages = decoded(path)
    assert len(messages["lap_mesgs"]) == len(LONG.splits) == messages["session_mesgs"][0]["num_laps"]
    assert messages["lap_mesgs"][0]["total_distance"] == pytest.approx(1000.0, abs=3.0)
    assert messages["session_mesgs"][0]["sport"] == "running"
    assert {m["event_type"] for m in messages["event_mesgs"]} == {"start", "stop_all"}


def test_what_is_not_known_is_not_in_a_record(tmp_path):
    records = decoded(written(tmp_path, "fit", WITHOUT_SPEED, STRIDES))["record_mesgs"]
    assert not any({"enhanced_speed", "distance", "heart_rate"} & set(record) for record in records)
    assert not any("developer_fields" in record for record in records), "all of it is warm-up"


def test_an_activity_of_a_run_without_strides_is_refused(tmp_path):
    run = replace(RUN, strides=RUN.strides.select(np.zeros(len(RUN.strides), dtype=bool)))
    with pytest.raises(InputError, match="strides"):
        written(tmp_path, "fit", run, STRIDES)


def test_ezc3d_reads_angles_units_and_gaps(tmp_path):
    file = ezc3d.c3d(str(written(tmp_path, "c3d", RUN)))
    point = file["parameters"]["POINT"]
    assert tuple(point["LABELS"]["value"]) == tuple(point["ANGLES"]["value"]) == ANGLE_POINTS
    assert point["ANGLE_UNITS"]["value"] == ["deg"]
    assert point["RATE"]["value"] == pytest.approx([RATE_HZ])
    points = file["data"]["points"]
    first = 30  # the run begins unknown
    assert points.shape[2] == len(RUN.t) - first
    for k, angles in enumerate((RUN.pelvis * [1, -1, -1], RUN.pelvis, RUN.hip_left, RUN.hip_right)):
        np.testing.assert_allclose(points[:3, k], np.degrees(angles[first:]).T, atol=1e-4)
    residuals = file["data"]["meta_points"]["residuals"][0]
    assert (residuals[:2, GAP.start - first : GAP.stop - first] == -1.0).all()
    assert (residuals[2:] >= 0.0).all()
    about = file["parameters"]["LATEMILES"]
    assert (about["BASIS"]["value"], about["REFERENCE"]["value"]) == (["smoothed"], ["standing"])


def c3d_events(path):
    """Context, label and time in s of every event, over all the parameters that hold them."""
    group = ezc3d.c3d(str(path))["parameters"]["EVENT"]
    found = []
    for more in ("", *map(str, range(2, 20))):
        if f"TIMES{more}" in group:
            times = np.array([60.0, 1.0]) @ group[f"TIMES{more}"]["value"]
            found += zip(
                group[f"CONTEXTS{more}"]["value"], group[f"LABELS{more}"]["value"], times, strict=True
            )
    assert group["USED"]["value"] == [len(found)]
    return found


def test_ezc3d_reads_every_gait_event_of_a_run_with_more_than_255(tmp_path):
    found = c3d_events(written(tmp_path, "c3d", RUN))
    want = RUN.events
    assert len(found) == len(want.t_s) > 255
    names = {"Foot Strike": "initial_contact", "Foot Off": "toe_off"}
    assert [names[label] for _, label, _ in found] == list(want.kind)
    assert [context.lower() for context, _, _ in found] == list(want.side)
    np.testing.assert_allclose([t for _, _, t in found], want.t_s - 0.3, atol=1e-4)


def test_a_run_longer_than_a_c3d_can_be_goes_on_in_further_files(tmp_path, monkeypatch):
    assert c3d.MOST_FRAMES == 65_535
    monkeypatch.setattr(c3d, "MOST_FRAMES", 4000)
    path = written(tmp_path, "c3d", RUN)
    parts = [path, path.with_name("run.2.c3d")]
    frames = [ezc3d.c3d(str(part))["data"]["points"].shape[2] for part in parts]
    assert frames == [4000, len(RUN.t) - 30 - 4000]
    assert len(c3d_events(parts[0])) + len(c3d_events(parts[1])) == len(RUN.events.t_s)
    assert ezc3d.c3d(str(parts[1]))["parameters"]["LATEMILES"]["START_S"]["value"] == pytest.approx([40.3])


def test_the_bids_validator_finds_no_error(tmp_path):
    validator = shutil.which("bids-validator-deno", path=str(Path(sys.executable).parent))
    if validator is None:
        pytest.skip("bids-validator-deno is not there for this machine")
    folder = written(tmp_path, "bids", RUN)
    done = subprocess.run(
        [validator, str(folder), "--format", "json"], capture_output=True, text=True, timeout=90, check=False
    )
    report = json.loads(done.stdout)
    assert [issue for issue in report["issues"]["issues"] if issue["severity"] == "error"] == []
    assert report["summary"]["modalities"] == ["motion"]
    (tmp_path / "run.bids" / "dataset_description.json").unlink()
    again = subprocess.run([validator, str(folder)], capture_output=True, timeout=90, check=False)
    assert again.returncode != 0, "the validator can fail"


def test_motion_bids_holds_the_angles_in_the_order_of_its_channels(tmp_path):
    place = next(written(tmp_path, "bids", RUN).glob("sub-*/ses-*/motion"))
    with next(place.glob("*_channels.tsv")).open() as file:
        channels = list(csv.DictReader(file, delimiter="\t"))
    assert [channel["name"] for channel in channels] == [
        name.removesuffix("_deg") for name in ANGLE_COLUMNS[1:]
    ]
    assert {channel["type"] for channel in channels} == {"JNTANG"}
    back = np.genfromtxt(next(place.glob("*_motion.tsv")), delimiter="\t", missing_values="n/a")
    want = np.degrees(np.column_stack([RUN.pelvis, RUN.hip_left, RUN.hip_right]))[30:]
    np.testing.assert_allclose(back, want, atol=1e-4)
    facts = json.loads(next(place.glob("*_motion.json")).read_text())
    assert facts["SamplingFrequency"] == pytest.approx(RATE_HZ)
    assert (facts["Basis"], facts["Reference"]) == ("smoothed", "standing")
    with next(place.glob("*_events.tsv")).open() as file:
        assert len(list(csv.DictReader(file, delimiter="\t"))) == len(RUN.events.t_s)
