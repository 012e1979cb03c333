"""The contract with the outside, as programs that have never seen this project would call it."""

from __future__ import annotations

import csv
import json
import pickle
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import latemiles as lm
from latemiles.errors import ConfigError, TornRecording

RECORDINGS = Path(__file__).resolve().parents[2] / "recordings"
SEGMENTS = ("pelvis", "left_thigh", "right_thigh")
ANGLES = (
    "pelvic_tilt",
    "pelvic_obliquity",
    "pelvic_rotation",
    "pelvic_drop",
    "hip_flexion",
    "hip_adduction",
    "hip_internal_rotation",
)
COLUMNS = (
    *["side", "index", "t_ic_s", "t_to_s", "stride_time_s", "cadence_spm", "contact_time_s", "flight_time_s"],
    *["duty_factor", "distance_m", "speed_m_s"],
    *(f"{a}_{what}_deg" for a in ANGLES for what in ["mean", "rom", "ic", "midstance", "to", "stance_peak"]),
    "pelvic_drop_excursion_deg",
    *(f"{a}_harmonic_asymmetry_deg" for a in ANGLES[:3]),
    *["pelvis_vo_m", "pelvis_shock_m_s2", "quality"],
)
VERDICTS = {
    "no change",
    "small, inside noise",
    "likely change",
    "clear change",
    "cannot separate",
    "slip",
    "too short",
}


@pytest.fixture(scope="module")
def streams() -> dict[str, lm.ImuStream]:
    """A minute of simulated running, each sensor whole."""
    found = lm.Recording.open(RECORDINGS / "no_standing.mcap").streams()
    return {segment.value: stream for segment, stream in found.items()}


@pytest.fixture(scope="module")
def analysis(streams) -> lm.Analysis:
    """What is found in it."""
    return lm.analyze(streams)


def changed(streams, how, only=SEGMENTS) -> dict[str, lm.ImuStream]:
    """The streams with ``how(t, acc, gyr)`` done to some."""
    return {name: lm.ImuStream(*how(s.t, s.acc, s.gyr)) if name in only else s for name, s in streams.items()}


def still(n: int = 600, rate_hz: float = 100.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A sensor that hangs still."""
    rng = np.random.default_rng(1)
    acc = np.array([0.0, 0.0, 9.81]) + 0.02 * rng.standard_normal((n, 3))
    return np.arange(n) / rate_hz, acc, 0.002 * rng.standard_normal((n, 3))


# lm.orientation and lm.OrientationFilter


@pytest.mark.parametrize("n", [0, 1, 2, 600])
@pytest.mark.parametrize("basis", ["causal", "smoothed"])
def test_orientation_takes_any_number_of_samples(n, basis):
    _, acc, gyr = still()
    found = lm.orientation(gyr[:n], acc[:n], 100.0, basis=basis)
    assert found.quat.shape == (n, 4)
    assert found.gyr_bias.shape == (n, 3)
    assert found.rest.shape == (n,)
    assert found.rest.dtype == bool
    assert np.allclose(np.linalg.norm(found.quat, axis=1), 1.0)


def test_orientation_takes_lists_float32_and_strided_arrays():
    _, acc, gyr = still()
    whole = lm.orientation(gyr, acc, 100)
    assert np.array_equal(lm.orientation(gyr.tolist(), acc.tolist(), 100).quat, whole.quat)
    strided = lm.orientation(np.asfortranarray(gyr), np.repeat(acc, 2, axis=0)[::2], 100)
    assert np.array_equal(strided.quat, whole.quat)
    single = lm.orientation(gyr.astype(np.float32), acc.astype(np.float32), 100)
    assert single.quat.dtype == np.float64
    assert np.allclose(single.quat, whole.quat, atol=1e-5)


def test_orientation_is_nan_exactly_where_samples_are():
    _, acc, gyr = still()
    acc[100:120] = np.nan
    gyr[300] = np.inf
    holes = np.isnan(lm.orientation(gyr, acc, 100.0).quat).any(axis=1)
    assert np.array_equal(np.flatnonzero(holes), [*range(100, 120), 300])


def test_a_filter_gives_the_same_bytes_in_any_cut_and_from_its_saved_state():
    _, acc, gyr = still()
    whole = lm.orientation(gyr, acc, 100.0).quat
    first = lm.OrientationFilter(100.0)
    parts = [first.update(gyr[k : k + 1], acc[k : k + 1]) for k in range(150)]
    second = lm.OrientationFilter(100.0)
    second.state = first.state
    parts.append(second.update(gyr[150:], acc[150:]))
    assert np.concatenate(parts).tobytes() == whole.tobytes()


@pytest.mark.parametrize(
    ("gyr_scale", "acc_scale", "word"),
    [(1.0, 1 / 9.81, "m/s"), (1.0, 1000 / 9.81, "m/s"), (3e4, 1.0, "rad/s")],
)
def test_orientation_refuses_units_that_cannot_be_right(gyr_scale, acc_scale, word):
    _, acc, gyr = still()
    with pytest.raises(lm.InputError, match=word):
        lm.orientation(gyr * gyr_scale, acc * acc_scale, 100.0)


# lm.ImuStream


@pytest.mark.parametrize(
    ("t", "acc", "gyr"),
    [
        (np.arange(5.0), np.ones((4, 3)), np.ones((5, 3))),
        (np.arange(5.0), np.ones((3, 5)), np.ones((3, 5))),
        (np.ones((5, 1)), np.ones((5, 3)), np.ones((5, 3))),
        ([0.0, 1.0, 1.0], np.ones((3, 3)), np.ones((3, 3))),
        ([0.0, 2.0, 1.0], np.ones((3, 3)), np.ones((3, 3))),
        ([0.0, np.nan, 1.0], np.ones((3, 3)), np.ones((3, 3))),
        (np.arange(5.0), "acc", np.ones((5, 3))),
        (np.arange(5.0), None, np.ones((5, 3))),
        (np.arange(5.0), [[1, 2, 3], [1, 2]], np.ones((5, 3))),
    ],
)
def test_streams_that_do_not_fit_together_are_refused(t, acc, gyr):
    with pytest.raises(lm.InputError):
        lm.ImuStream(t, acc, gyr)


def test_unix_time_in_float32_is_refused_and_the_reason_named():
    t, acc, gyr = still()
    with pytest.raises(lm.InputError, match="float64"):
        lm.ImuStream((t + 1.7e9).astype(np.float32), acc, gyr)


# lm.analyze: what it returns


def test_an_analysis_has_all_that_the_contract_names(analysis):
    n = len(analysis.t)
    assert n > 5000
    assert np.allclose(np.diff(analysis.t), analysis.t[1] - analysis.t[0])
    for angles in (analysis.pelvis, analysis.hip_left, analysis.hip_right):
        assert angles.shape == (n, 3)
        assert np.nanmax(np.abs(angles)) < np.pi
    assert set(SEGMENTS) <= set(analysis.orientation)
    for quat in analysis.orientation.values():
        assert quat.shape == (n, 4)
    assert analysis.basis == "smoothed"
    assert analysis.reference in {"absolute", "standing", "baseline"}
    assert 0.0 < analysis.quality.share_used <= 1.0
    assert len(analysis.quality.sensors) == 3
    assert analysis.quality.calibration is not None


def test_events_say_when_what_which_side_and_how_sure(analysis):
    events = analysis.events
    m = len(events.t_s)
    assert m > 200
    assert np.all(np.diff(events.t_s) >= 0.0)
    assert set(events.kind) == {"initial_contact", "toe_off"}
    assert set(events.side) == {"left", "right"}
    assert np.all((events.confidence >= 0.0) & (events.confidence <= 1.0))
    assert events.kind.shape == events.side.shape == events.confidence.shape == (m,)
    assert np.array_equal(events.initial_contact, events.kind == "initial_contact")
    assert np.array_equal(events.toe_off, ~events.initial_contact)


def test_strides_have_the_columns_of_the_contract_in_order(analysis):
    strides = analysis.strides
    assert tuple(strides.columns) == COLUMNS
    k = len(strides)
    assert all(strides[name].shape == (k,) for name in COLUMNS)
    frame = strides.to_pandas()
    assert tuple(frame.columns) == COLUMNS
    assert set(frame["side"]) == {"left", "right"}
    with pytest.raises(lm.InputError, match="columns"):
        strides["pelvic_tilt_mean"]


def test_form_drift_and_asymmetry_have_their_fields(analysis):
    d = analysis.form_drift["pelvic_tilt_mean_deg"]
    assert len(d.interval) == 2
    assert d.verdict in VERDICTS
    for name in ("change", "detectable_change", "slope_per_hour"):
        assert isinstance(getattr(d, name), float)
    assert d.change_point_s is None
    assert d.adjusted is None
    assert all(r.words for r in d.rivals)
    found = analysis.asymmetry["hip_flexion_rom_deg"]
    assert np.isfinite(found.right_minus_left)
    assert {"offset_part", "offset_free"} <= {n for n in dir(found) if not n.startswith("_")}


@pytest.mark.parametrize("what", ["strides", "form_drift", "asymmetry"])
def test_what_is_asked_for_by_name_behaves_as_a_mapping(analysis, what):
    found = getattr(analysis, what)
    assert "pelvic_drop_excursion_deg" in found
    assert "pelvic_drop" not in found
    with pytest.raises(KeyError):
        found["pelvic_drop"]
    with pytest.raises(lm.InputError, match=r"^Expected .+, got 'pelvic_drop'\. "):
        found["pelvic_drop"]


def test_every_column_has_a_form_drift_or_is_refused_as_a_condition_of_the_run(analysis):
    refused = {name for name in COLUMNS[1:-1] if name not in analysis.form_drift}
    assert refused == {"index", "t_ic_s", "t_to_s", "distance_m", "speed_m_s"}
    with pytest.raises(lm.InputError, match="not its form"):
        analysis.form_drift["speed_m_s"]


def test_a_recording_has_streams_header_and_marks_and_can_be_analysed(analysis):
    recording = lm.Recording.open(RECORDINGS / "no_standing.mcap")
    assert recording.header.run
    assert recording.marks == ()
    assert set(recording.streams()) == set(SEGMENTS)
    direct = lm.analyze(recording)
    assert len(direct.strides) == len(analysis.strides)


# lm.analyze: what it is handed


@pytest.mark.parametrize("origin_s", [100.0, 1.7e9, -500.0])
def test_time_may_be_counted_from_anywhere(streams, analysis, origin_s):
    moved = lm.analyze(changed(streams, lambda t, a, g: (t + origin_s, a, g)))
    assert np.allclose(moved.t - origin_s, analysis.t, atol=1e-6)
    assert np.allclose(moved.pelvis, analysis.pelvis, atol=1e-4, equal_nan=True)
    assert np.allclose(moved.strides["t_ic_s"] - origin_s, analysis.strides["t_ic_s"], atol=1e-3)
    assert np.allclose(moved.events.t_s - origin_s, analysis.events.t_s, atol=1e-3)
    assert moved.quality.duration_s == pytest.approx(analysis.quality.duration_s, abs=1.0)
    assert moved.splits[0].start_s - origin_s == pytest.approx(analysis.splits[0].start_s, abs=1e-3)


def test_speed_may_be_told_on_the_time_axis_of_the_samples(streams):
    t = 1.7e9 + np.arange(60.0)
    moved = changed(streams, lambda t, a, g: (t + 1.7e9, a, g))
    told = lm.analyze(
        moved, speed=(t, np.full(60, 2.5)), grade=(t, np.zeros(60)), distance=(t, 2.5 * np.arange(60))
    )
    assert np.nanmedian(told.strides["speed_m_s"]) == pytest.approx(2.5)
    assert np.nanmin(told.strides["distance_m"]) >= 0.0
    assert told.context.t_s[0] == t[0]


def test_float32_and_uneven_samples_change_little(streams, analysis):
    rng = np.random.default_rng(0)

    def rough(t, acc, gyr):
        keep = rng.random(len(t)) > 0.02
        return tuple(x[keep].astype(np.float32) for x in (t, acc, gyr))

    found = lm.analyze(changed(streams, rough))
    assert len(found.strides) == pytest.approx(len(analysis.strides), abs=4)
    rom = [np.nanmedian(a.strides["hip_flexion_rom_deg"]) for a in (found, analysis)]
    assert rom[0] == pytest.approx(rom[1], abs=1.0)


@pytest.mark.parametrize("segment", SEGMENTS)
@pytest.mark.parametrize(
    "how",
    [
        None,
        lambda t, a, g: (t, a * np.nan, g * np.nan),
        lambda t, a, g: (t, a * 0.0, g * 0.0),
        lambda t, a, g: (t[:0], a[:0], g[:0]),
    ],
    ids=["missing", "all gaps", "all zero", "empty"],
)
def test_a_sensor_that_gave_nothing_leaves_its_angles_missing_and_is_named(streams, segment, how):
    if how is None:
        given = {name: s for name, s in streams.items() if name != segment}
    else:
        given = changed(streams, how, only=(segment,))
    found = lm.analyze(given)
    hips = {"left_thigh": found.hip_left, "right_thigh": found.hip_right}
    assert np.isnan(hips.get(segment, found.pelvis)).all()
    assert any(segment.replace("_", " ") in note for note in found.quality.notes)
    if segment != "pelvis":
        assert np.isfinite(found.pelvis).mean() > 0.9


def test_a_sensor_that_dies_leaves_its_angles_missing_from_then_on(streams):
    half = changed(streams, lambda t, a, g: (t[t < 40], a[t < 40], g[t < 40]), only=("left_thigh",))
    found = lm.analyze(half)
    assert np.isnan(found.hip_left[found.t > 40.1]).all()
    assert np.isfinite(found.hip_right[found.t > 40.1]).all()
    assert any(g.segment == "left_thigh" and g.end_s > 58.0 for g in found.quality.gaps)


def test_a_fourth_sensor_on_the_trunk_changes_nothing(streams, analysis):
    found = lm.analyze({**streams, "trunk": streams["pelvis"]})
    assert np.array_equal(found.pelvis, analysis.pelvis, equal_nan=True)


@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.02, 2.0])
def test_streams_of_no_length_are_analysed_to_nothing(streams, seconds):
    t0 = streams["pelvis"].t[0]
    found = lm.analyze(changed(streams, lambda t, a, g: tuple(x[t < t0 + seconds] for x in (t, a, g))))
    assert len(found.strides) <= 4
    assert np.isnan(found.pelvis).all()


@pytest.mark.parametrize("rate_hz", [50.0, 60.0, 500.0, 1000.0])
def test_other_sample_rates_give_the_same_strides(streams, analysis, rate_hz):
    def at(t, acc, gyr):
        new = np.arange(t[0], t[-1], 1.0 / rate_hz)
        return new, *(np.stack([np.interp(new, t, x[:, j]) for j in range(3)], axis=1) for x in (acc, gyr))

    found = lm.analyze(changed(streams, at))
    assert len(found.strides) == pytest.approx(len(analysis.strides), rel=0.05)
    rom = [np.nanmedian(a.strides["hip_flexion_rom_deg"]) for a in (found, analysis)]
    assert rom[0] == pytest.approx(rom[1], abs=4.0)


def test_clipping_is_counted_though_nobody_said_what_the_sensor_can_measure(streams, analysis):
    found = lm.analyze(changed(streams, lambda t, a, g: (t, np.clip(a, -19.6, 19.6), g)))
    assert all(s.clipped_samples > 50 for s in found.quality.sensors)
    assert all(s.clipped_samples == 0 for s in analysis.quality.sensors)


def test_infinity_is_a_hole(streams):
    def holes(t, acc, gyr):
        acc = acc.copy()
        acc[500:700] = np.inf
        return t, acc, gyr

    found = lm.analyze(changed(streams, holes, only=("pelvis",)))
    assert any(g.segment == "pelvis" for g in found.quality.gaps)
    assert not np.isinf(found.pelvis).any()


SECONDS = np.arange(60.0)


@pytest.mark.parametrize(
    "options",
    [
        {"standing": (5000.0, 5010.0)},
        {"standing": (3.0, 1.0)},
        {"standing": 5.0},
        {"standing": (1.0, 2.0, 3.0)},
        {"standing": "1:5"},
        {"movement": (float("nan"), 4.0)},
        {"speed": 2.5},
        {"speed": (SECONDS, SECONDS[:5])},
        {"speed": (SECONDS[::-1], SECONDS)},
        {"speed": (SECONDS * np.nan, SECONDS)},
        {"speed": (SECONDS + 1.7e9, SECONDS * 0 + 2.5)},
        {"speed": (SECONDS, SECONDS * 0 + 14.0)},
        {"grade": (SECONDS, SECONDS * 0 + 3.0)},
        {"basis": "guessed"},
    ],
)
def test_options_that_cannot_be_meant_are_refused_with_advice(streams, options):
    with pytest.raises(lm.InputError, match=r"^Expected .+, got .+\. .+\.$"):
        lm.analyze(streams, **options)


@pytest.mark.parametrize(
    "how",
    [
        lambda t, a, g: (t * 1000.0, a, g),
        lambda t, a, g: (t, a / 9.81, g),
        lambda t, a, g: (t, a, np.degrees(g)),
        lambda t, a, g: (np.where(t > 30.0, t + 1e7, t), a, g),
    ],
    ids=["ms", "g", "deg/s", "two runs in one"],
)
def test_numbers_that_cannot_be_right_are_refused_at_once(streams, how):
    began = time.monotonic()
    with pytest.raises(lm.InputError, match=r"^Expected .+, got .+\. .+\.$"):
        lm.analyze(changed(streams, how))
    assert time.monotonic() - began < 2.0


def test_sensors_on_different_clocks_are_refused(streams):
    with pytest.raises(lm.InputError, match="one time axis"):
        lm.analyze(changed(streams, lambda t, a, g: (t + 1.7e9, a, g), only=("pelvis",)))


@pytest.mark.parametrize(
    "error",
    [
        lm.InputError("a", "b", "Do c."),
        lm.LatemilesError("a"),
        ConfigError("a", "is b."),
        TornRecording("a", "b"),
    ],
)
def test_errors_travel_between_processes_with_their_facts(error):
    same = pickle.loads(pickle.dumps(error))
    assert type(same) is type(error)
    assert (str(same), vars(same)) == (str(error), vars(error))


# The command line


def latemiles(*arguments: object, home: Path, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the command as a shell would."""
    command = [sys.executable, "-m", "latemiles", "--home", str(home), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, **options)


@pytest.fixture(scope="module")
def analysed(tmp_path_factory) -> Path:
    """Results of two recordings, analysed side by side into a folder with a difficult name."""
    place = tmp_path_factory.mktemp("läufe und mehr")
    inputs = [RECORDINGS / f"{name}.mcap" for name in ("no_standing", "stop_and_turn")]
    done = latemiles("analyze", *inputs, "--out", place / "out", "--jobs", 2, home=place / "home")
    assert done.returncode == 0, done.stderr
    return place / "out"


def test_each_input_has_its_files(analysed):
    for run in ("no_standing", "stop_and_turn"):
        names = {p.name for p in (analysed / run).iterdir()}
        assert names == {"strides.csv", "splits.csv", "summary.json", "report.html"}


def test_strides_csv_has_the_columns_of_the_contract(analysed):
    with (analysed / "no_standing" / "strides.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert tuple(rows[0]) == COLUMNS
    assert {row[0] for row in rows[1:]} == {"left", "right"}
    assert all(len(row) == len(COLUMNS) for row in rows)


def test_summary_json_is_strict_json_of_one_run(analysed):
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    text = (analysed / "no_standing" / "summary.json").read_text("utf-8")
    summary = json.loads(text, parse_constant=refuse)
    assert summary["basis"] == "smoothed"
    assert summary["reference"] in {"standing", "baseline"}
    assert "pelvic_tilt_mean_deg" in summary["form_drift"]


def test_report_html_needs_nothing_from_outside(analysed):
    page = (analysed / "no_standing" / "report.html").read_text("utf-8")
    assert "Not a medical device" in page
    assert not re.findall(r"""(?:src|href|action)\s*=\s*["']?(?!#|data:)[^"'>\s]+""", page)
    assert "@import" not in page
    assert not re.findall(r"url\((?!['\"]?(?:data:|#))", page)


CSV_HEADER = "segment,t_s,acc_x_m_s2,acc_y_m_s2,acc_z_m_s2,gyr_x_rad_s,gyr_y_rad_s,gyr_z_rad_s"


def csv_text(
    eol: str = "\n", quote: str = "", bom: str = "", order: tuple[int, ...] = tuple(range(8))
) -> str:
    """Three sensors that hang still, in the canonical form."""
    rows = [CSV_HEADER.split(",")]
    for segment in SEGMENTS:
        rows += [[segment, f"{k / 100}", "0.1", "0.2", "9.8", "0", "0", "0.01"] for k in range(300)]
    lines = [",".join(quote + row[k] + quote for k in order) + eol for row in rows]
    return bom + "".join(lines)


@pytest.mark.parametrize(
    "form",
    [
        {"eol": "\r\n"},
        {"bom": "\ufeff"},
        {"quote": '"'},
        {"order": (3, 0, 7, 1, 2, 4, 6, 5)},
        {"bom": "\ufeff", "eol": "\r\n", "quote": '"'},
    ],
)
def test_every_form_of_the_canonical_csv_is_the_same_samples(tmp_path, form):
    from latemiles.recording.importers import import_file

    plain, other = tmp_path / "a.csv", tmp_path / "b.csv"
    plain.write_text(csv_text(), "utf-8", newline="")
    other.write_text(csv_text(**form), "utf-8", newline="")
    expected, found = (import_file("csv", path)[0] for path in (plain, other))
    assert set(found) == set(SEGMENTS)
    for segment, stream in expected.items():
        for name in ("t", "acc", "gyr"):
            assert np.array_equal(getattr(stream, name), getattr(found[segment], name))


def test_a_csv_of_the_name_of_a_recorded_run_does_not_replace_it(tmp_path):
    recordings = tmp_path / "home" / "recordings"
    recordings.mkdir(parents=True)
    kept = recordings / "tuesday.mcap"
    kept.write_bytes((RECORDINGS / "no_standing.mcap").read_bytes())
    path = tmp_path / "tuesday.csv"
    path.write_text(csv_text())
    done = latemiles("analyze", path, home=tmp_path / "home")
    assert done.returncode == 1
    assert "Rename" in done.stderr
    assert kept.read_bytes() == (RECORDINGS / "no_standing.mcap").read_bytes()


def test_bad_inputs_among_good_ones_cost_one_line_each_side_by_side_too(tmp_path):
    torn, wrong = tmp_path / "torn.mcap", tmp_path / "wrong.csv"
    torn.write_bytes((RECORDINGS / "no_standing.mcap").read_bytes()[:5000])
    wrong.write_text(csv_text().replace(",9.8,", ",1.0,"))
    good = RECORDINGS / "no_standing.mcap"
    done = latemiles("analyze", torn, wrong, good, "--jobs", 2, "--out", tmp_path / "out", home=tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 2
    assert "recover" in done.stderr
    assert "9.81" in done.stderr
    assert (tmp_path / "out" / "no_standing" / "report.html").exists()


def test_two_inputs_of_one_name_are_refused_before_one_replaces_the_other(tmp_path):
    other = tmp_path / "no_standing.mcap"
    other.write_bytes((RECORDINGS / "no_standing.mcap").read_bytes())
    done = latemiles("analyze", RECORDINGS / "no_standing.mcap", other, home=tmp_path)
    assert done.returncode == 2
    assert "no_standing" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("analyze",),
        ("analyze", "nowhere.mcap"),
        ("analyze", RECORDINGS / "easy_run.mcap", "--jobs", "0"),
        ("analyze", RECORDINGS / "easy_run.mcap", "--standing", "3-5"),
        ("demo", "--headless", "--duration", "0"),
        ("demo", "--headless", "--units", "furlong"),
        ("replay", "nowhere.mcap"),
        ("report",),
        ("import", "xls", RECORDINGS / "easy_run.toml"),
    ],
)
def test_wrong_use_is_one_line_that_ends_in_advice(tmp_path, arguments):
    done = latemiles(*arguments, home=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stderr.startswith("latemiles: ")
    assert re.search(r"[.?!] .+\.$", done.stderr.strip())


def test_a_traceback_is_shown_only_when_asked_for(tmp_path):
    path = tmp_path / "diary.mcap"
    path.write_text("dear diary\n" * 50)
    plain = latemiles("analyze", path, home=tmp_path)
    command = [sys.executable, "-m", "latemiles", "--home", tmp_path, "--debug", "analyze", path]
    debug = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert plain.returncode == debug.returncode == 1
    assert "Traceback" not in plain.stderr
    assert "Traceback" in debug.stderr


@pytest.mark.timeout(300)
def test_ctrl_c_ends_an_analysis_with_one_line(tmp_path):
    command = [sys.executable, "-m", "latemiles", "--home", tmp_path, "analyze"]
    command += [*sorted(RECORDINGS.glob("*.mcap")), "--out", tmp_path / "out"]
    with subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as analysis:
        assert analysis.stdout is not None
        first = analysis.stdout.readline()
        analysis.send_signal(signal.SIGINT)
        _, err = analysis.communicate(timeout=60)
    assert first.startswith("easy_run.mcap: ")
    assert analysis.returncode == 130
    assert err.startswith("latemiles: Interrupted.")
    assert len(err.splitlines()) == 1
    assert (tmp_path / "out" / "easy_run" / "report.html").exists()


def test_ctrl_c_ends_a_demo_with_a_usable_recording_and_a_report(tmp_path):
    command = [sys.executable, "-m", "latemiles", "--home", tmp_path, "demo", "--no-radio", "--port", "0"]
    with subprocess.Popen(
        [*map(str, command), "--speed", "60"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as demo:
        recording: list[Path] = []
        limit = time.monotonic() + 60.0
        while time.monotonic() < limit and not (recording and recording[0].stat().st_size > 100_000):
            recording = list((tmp_path / "recordings").glob("*.mcap"))
            time.sleep(0.1)
        demo.send_signal(signal.SIGINT)
        out, err = demo.communicate(timeout=60)
    assert demo.returncode == 0, err
    assert "Traceback" not in err
    assert "report.html" in out
    assert lm.Recording.open(recording[0]).duration_s > 5.0
