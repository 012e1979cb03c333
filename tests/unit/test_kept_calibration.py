"""A calibration that was made before the run holds from its first sample on, live and when read again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from latemiles.errors import ConfigError
from latemiles.estimators.mounting import Calibration
from latemiles.estimators.posture import PostureStage
from latemiles.pipeline import GIVEN, Pipeline
from latemiles.recording.reader import Recording
from latemiles.recording.writer import RecordingWriter
from latemiles.sensors.drivers import samples
from latemiles.sensors.registry import driver_for
from latemiles.session.kept_calibration import LONGEST_KEPT_S, KeptCalibration
from latemiles.signals.blocks import ImuStream
from latemiles.signals.events import CalibrationFound
from latemiles.signals.frames import SEGMENTS
from latemiles.signals.records import SensorInfo
from reference.posture_streams import RATE_HZ, drive, session, stream, stream_of
from reference.rbds import has_rbds

SERIALS = {segment: f"A{k}" for k, segment in enumerate(SEGMENTS)}
NAN = float("nan")
MADE_UP = Calibration(
    reference="standing",
    axes_from="movement",
    quat_segment_sensor=((0.8, 0.6, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0)),
    yaw_sd_rad=(0.01, 0.02, 0.03),
    obliquity_uncertainty_rad=0.005,
    residual_rad=(0.01, NAN, 0.02),
    standing_start_s=1.0,
    standing_end_s=9.0,
    movement_start_s=10.0,
    movement_end_s=20.0,
    swing_offset_rad=(0.08, -0.08),
    swing_offset_sd_rad=(0.05, 0.05),
    zero_standing=(1.0, 1.0, 1.0),
)


def infos(**other: str) -> list[SensorInfo]:
    serials = {segment: other.get(segment.value, serial) for segment, serial in SERIALS.items()}
    return [SensorInfo(segment, "latemiles-v1", 208.0, serial) for segment, serial in serials.items()]


def test_it_comes_back_from_its_file_without_the_times_of_its_own_session(tmp_path: Path):
    path = tmp_path / "calibration.json"
    KeptCalibration(1000.0, SERIALS, MADE_UP, "somewhere.mcap").save(path)
    kept = KeptCalibration.load(path)
    assert kept is not None
    timeless = {f"{pose}_{end}_s": NAN for pose in ("standing", "movement") for end in ("start", "end")}
    assert repr(kept.calibration) == repr(replace(MADE_UP, **timeless))
    assert (kept.recording, kept.serials) == ("somewhere.mcap", SERIALS)


def test_it_is_used_for_the_same_sensors_within_half_an_hour_only(tmp_path: Path):
    kept = KeptCalibration(1000.0, SERIALS, MADE_UP)
    assert kept.fits(infos(), 1000.0 + LONGEST_KEPT_S)
    assert not kept.fits(infos(), 1001.0 + LONGEST_KEPT_S)
    assert not kept.fits(infos(), 999.0)
    assert not kept.fits(infos(pelvis="B7"), 1001.0)
    assert not kept.fits(infos()[:2], 1001.0)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"made_utc_s": 1}', "no json", '{"serials": 5}'])
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, text: str):
    path = tmp_path / "calibration.json"
    assert KeptCalibration.load(path) is None
    path.write_text(text)
    assert KeptCalibration.load(path) is None


def test_a_header_with_a_spoilt_calibration_is_refused_with_advice():
    still = {s: ImuStream(np.arange(50) / 100.0, np.ones((50, 3)), np.ones((50, 3))) for s in SEGMENTS}
    header = next(samples.records(still, {"run": "x", "extra": {GIVEN: '{"reference": 1}'}}))
    with pytest.raises(ConfigError, match="latemiles calibrate"):
        Pipeline(header, driver_for)


@pytest.mark.skipif(not has_rbds(), reason="real running poses not found; set LATEMILES_DATA")
def test_angles_are_there_from_the_first_strides_on_and_relative_to_the_standing_before():
    calibration = drive(PostureStage(RATE_HZ), stream()).calibration
    assert calibration is not None
    s = session()
    start = round((s.running[0] + 1.0) * RATE_HZ)
    part = stream().cut(start, len(s.t))[0]
    given = Calibration.from_text(calibration.to_text())
    result = drive(PostureStage(RATE_HZ, given=given), stream_of(part.acc, part.gyr), [333, 1500])
    (found,) = result.of(CalibrationFound)
    assert found.t_s == 0.0
    assert (found.reference, found.axes_from) == ("standing", "movement")
    here = s.is_running[start:] & (np.arange(len(result.pelvis)) > 8.0 * RATE_HZ)
    assert np.isfinite(result.pelvis[here]).all()
    assert np.isfinite(result.hip[:, here]).all()
    for k in (0, 1):
        e = np.degrees(result.pelvis[here, k] - s.pelvis[start:][here, k])
        assert e.std() < 0.6
        assert abs(e.mean()) < 0.8
    flexion = np.degrees(result.hip[:, here, 0] - s.hip[:, start:][:, here, 0])
    assert abs(flexion.mean(axis=1)).max() < 2.0
    # The second pass is told the same.
    assert result.calibration is not None
    assert result.calibration.quat_segment_sensor == given.quat_segment_sensor
    # However the stream is cut, and over a saved state.
    first, second = (PostureStage(RATE_HZ, given=given) for _ in range(2))
    whole = stream_of(part.acc, part.gyr)
    first.push(*whole.cut(0, 700))
    second.load(first.save())
    block, _ = second.push(*whole.cut(700, len(whole)))
    np.testing.assert_array_equal(block.hip, result.hip[:, 700 : 700 + block.hip.shape[1]])


@pytest.mark.skipif(not has_rbds(), reason="real running poses not found; set LATEMILES_DATA")
def test_standing_and_squats_during_the_run_take_the_place_of_the_calibration_before():
    s = session()
    result = drive(PostureStage(RATE_HZ, given=MADE_UP), stream())
    first, last = result.of(CalibrationFound)
    assert first.t_s == 0.0
    assert s.movement[0] < last.movement_end_s <= s.movement[1]
    whole = drive(PostureStage(RATE_HZ), stream())
    later = s.is_running
    np.testing.assert_array_equal(result.pelvis[later], whole.pelvis[later])


def test_a_recording_carries_it(tmp_path: Path):
    rng = np.random.default_rng(1)
    t = np.arange(300) / 100.0
    still = {
        s: ImuStream(t, rng.normal([0.0, 0.0, 9.81], 0.05, (300, 3)), rng.normal(0.0, 0.01, (300, 3)))
        for s in SEGMENTS
    }
    records = list(samples.records(still, {"run": "given", "extra": {GIVEN: MADE_UP.to_text()}}))
    with RecordingWriter(tmp_path / "run.mcap", records[0]) as writer:
        for record in records[1:]:
            writer.append(record)
    with Recording.open(tmp_path / "run.mcap") as recording:
        pipeline = Pipeline(recording.header, driver_for)
        events = [e for record in recording.records() for e in pipeline.push(record)]
    (found,) = [e for e in events if isinstance(e, CalibrationFound)]
    assert found.quat_segment_sensor == MADE_UP.quat_segment_sensor
    assert np.isfinite(pipeline.posture.pelvis[:2]).all()
