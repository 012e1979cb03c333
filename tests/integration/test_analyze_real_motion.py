"""The main job on real motion and on a simulated hour: what a runner would be told is true."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import latemiles as lm
from latemiles.signals.frames import Side
from reference.rbds import has_rbds, rbds_session

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

SEGMENT_NAMES = ("pelvis", "left_thigh", "right_thigh")


def streams(path: Path) -> dict[str, lm.ImuStream]:
    """The three sensors of one npz of the shared data."""
    with np.load(path) as data:
        return {s: lm.ImuStream(data["t"], data[f"acc_{s}"], data[f"gyr_{s}"]) for s in SEGMENT_NAMES}


def contacts(analysis: lm.Analysis, side: str) -> np.ndarray:
    """Initial contacts of one side, s."""
    e = analysis.events
    return e.t_s[(e.kind == "initial_contact") & (e.side == side)]


@pytest.fixture(scope="module")
def jogging(data_dir) -> lm.Analysis:
    """One person jogging on the spot from about 56 s on; sensors mounted anyhow."""
    return lm.analyze(streams(data_dir / "jogging_on_the_spot.npz"))


@pytest.fixture(scope="module")
def walking(data_dir) -> lm.Analysis:
    """One person who stands, then walks with turns."""
    return lm.analyze(streams(data_dir / "walking_with_turns.npz"))


def test_jogging_gives_strides_of_both_legs_near_a_second_and_in_antiphase(jogging):
    left, right = (contacts(jogging, s) for s in ("left", "right"))
    left, right = left[left > 57.0], right[right > 57.0]
    assert min(len(left), len(right)) >= 36
    for side in (left, right):
        assert np.median(np.diff(side)) == pytest.approx(0.96, abs=0.06)
    after = np.searchsorted(right, left[:-1])
    steps = (right[np.minimum(after, len(right) - 1)] - left[:-1]) / np.diff(left)
    assert np.median(steps) == pytest.approx(0.5, abs=0.04)


def test_jogging_has_no_missing_angle_where_the_data_has_none(jogging):
    for angles in (jogging.pelvis, jogging.hip_left, jogging.hip_right):
        assert np.isfinite(angles).all()


def test_jogging_lifts_the_knees_forward_and_says_how_zero_was_found(jogging):
    running = jogging.t > 60.0
    for hip in (jogging.hip_left, jogging.hip_right):
        assert np.degrees(np.percentile(hip[running, 0], 97)) > 25.0
    assert jogging.reference in {"standing", "baseline"}
    assert jogging.quality.notes


def test_walking_gives_strides_and_none_while_standing(walking):
    still = [a.t_s for a in walking.quality.activities if a.activity == "walking"]
    assert still
    times = walking.strides["t_ic_s"]
    assert len(times) >= 12
    assert times.min() > still[0] - 1.0
    assert not any(
        walking.quality.activities[k].activity == "running" for k in range(len(walking.quality.activities))
    )


@pytest.mark.parametrize(("trial", "seed"), [("2.5ms", 21), ("3.5ms", 22)])
@pytest.mark.skipif(not has_rbds(), reason="the shared running kinematics are not here; set LATEMILES_DATA")
def test_angles_of_real_running_kinematics_are_near_the_truth(trial, seed):
    session = rbds_session(trial, seed=seed)
    analysis = lm.analyze(session.by_name, standing=session.standing, movement=session.movement)
    inside = (analysis.t >= session.running[0] + 1.0) & (analysis.t <= session.running[1] - 0.5)
    t = analysis.t[inside]
    pelvis = np.degrees(analysis.pelvis[inside] - session.pelvis_at(t))
    rmse = np.sqrt(np.mean(pelvis**2, axis=0))
    assert rmse[0] < 1.5
    assert rmse[1] < 1.5
    for side, hip in ((Side.LEFT, analysis.hip_left), (Side.RIGHT, analysis.hip_right)):
        error = np.degrees(hip[inside, 0] - session.hip_at(t)[side.lane][:, 0])
        assert np.sqrt(np.mean(error**2)) < 3.0
        true, found = session.contacts_s[side], contacts(analysis, side.value)
        nearest = np.array([found[np.argmin(np.abs(found - x))] - x for x in true])
        assert np.percentile(np.abs(nearest), 95) < 0.015


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("change_deg", "verdicts"), [(2.0, {"likely change", "clear change"}), (0.0, {"no change"})]
)
def test_a_simulated_hour_is_judged_as_it_was_made(change_deg, verdicts):
    from simulated_hour import hour

    true, _, low, high, verdict, slips = hour(5, change_deg=change_deg)
    assert verdict in verdicts
    assert low <= true <= high
    assert slips == 0


def test_a_missing_thigh_leaves_its_angles_missing_and_says_so(data_dir):
    two = streams(data_dir / "jogging_on_the_spot.npz")
    del two["left_thigh"]
    analysis = lm.analyze(two)
    assert np.isnan(analysis.hip_left).all()
    assert np.isfinite(analysis.pelvis[analysis.t > 75.0]).all()
    assert any("left thigh" in note for note in analysis.quality.notes)
    assert len(analysis.strides) > 30


@pytest.mark.parametrize(
    ("scale_acc", "scale_gyr", "word"), [(1 / 9.81, 1.0, "m/s"), (1.0, 180 / np.pi, "rad/s")]
)
def test_wrong_units_are_refused_with_advice(data_dir, scale_acc, scale_gyr, word):
    wrong = {
        name: lm.ImuStream(s.t, s.acc * scale_acc, s.gyr * scale_gyr)
        for name, s in streams(data_dir / "jogging_on_the_spot.npz").items()
    }
    with pytest.raises(lm.InputError, match=word):
        lm.analyze(wrong)


def test_names_and_shapes_that_cannot_be_used_are_refused():
    t = np.arange(100) / 100.0
    good = lm.ImuStream(t, np.tile([0, 0, 9.81], (100, 1)), np.zeros((100, 3)))
    with pytest.raises(lm.InputError, match="segments named"):
        lm.analyze({"hips": good})
    with pytest.raises(lm.InputError, match="at least one"):
        lm.analyze({})
    with pytest.raises(lm.InputError, match="ImuStream"):
        lm.analyze({"pelvis": (t, good.acc, good.gyr)})  # type: ignore[dict-item]
    with pytest.raises(lm.InputError, match="increasing"):
        lm.ImuStream(t[::-1], good.acc, good.gyr)
    with pytest.raises(lm.InputError, match="start before end"):
        lm.analyze({"pelvis": good}, standing=(3.0, 1.0))
    with pytest.raises(lm.InputError, match="basis"):
        lm.analyze({"pelvis": good}, basis="guessed")
