"""The posture stage on two real people with sensors in unknown mountings, 100 Hz; no truth, but sense."""

from __future__ import annotations

import numpy as np
import pytest

from latemiles.estimators.posture import PostureStage
from latemiles.signals.events import CalibrationFound
from latemiles.signals.frames import SEGMENTS
from reference.posture_streams import drive, stream_of


@pytest.fixture(scope="module")
def smoothed(data_dir):
    def load(name):
        with np.load(data_dir / f"{name}.npz") as d:
            acc, gyr = (np.stack([d[f"{k}_{s}"] for s in SEGMENTS]).astype(float) for k in ("acc", "gyr"))
            t = d["t"].copy()
        first = drive(PostureStage(100.0), stream_of(acc, gyr))
        second = PostureStage(100.0, basis="smoothed", known=first.calibration)
        return t, first, drive(second, stream_of(acc, gyr, "smoothed"))

    return load


def test_jogging_on_the_spot_reads_like_jogging(smoothed):
    t, first, both = smoothed("jogging_on_the_spot")
    found = first.of(CalibrationFound)
    assert [e.reference for e in found] == ["standing"]
    # The person sits from 17 to 39 s, which is still too, but not upright.
    assert found[0].standing_start_s > 40.0
    assert np.isfinite(both.pelvis).all()
    assert np.isfinite(both.hip).all()
    jogging = (t > 58.0) & (t < 74.0)
    left, right = np.degrees(both.hip[:, jogging, 0])
    assert np.corrcoef(left, right)[0, 1] < -0.5
    assert 40.0 < np.ptp(left) < 90.0
    assert 5.0 < left.mean() < 30.0
    assert 5.0 < right.mean() < 30.0
    assert abs(np.degrees(both.pelvis[jogging, :2].mean(axis=0))).max() < 10.0
    sitting = (t > 20.0) & (t < 36.0)
    assert np.degrees(both.hip[:, sitting, 0]).min() > 45.0
    assert np.degrees(both.pelvis[sitting, 0]).max() < -10.0


def test_walking_with_turns_reads_like_walking(smoothed):
    t, first, both = smoothed("walking_with_turns")
    assert [e.reference for e in first.of(CalibrationFound)] == ["standing"]
    assert np.isfinite(both.hip).all()
    walking = t > 8.0
    left, right = np.degrees(both.hip[:, walking])
    assert np.corrcoef(left[:, 0], right[:, 0])[0, 1] < -0.3
    assert 30.0 < np.ptp(left[:, 0]) < 70.0
    # Forward of standing on average: the sign of the axes is right.
    assert 2.0 < left[:, 0].mean() < 20.0
    assert 2.0 < right[:, 0].mean() < 20.0
    assert abs(np.degrees(both.pelvis[walking, :2].mean(axis=0))).max() < 6.0
    standing = (t > 0.5) & (t < 4.0)
    assert abs(np.degrees(both.hip[:, standing].mean(axis=1))).max() < 3.0
