"""The causal filter: equal to the published one, and what it does with holes and wrong input."""

from __future__ import annotations

import numpy as np
import pytest
import vqf

from latemiles.errors import ConfigError, InputError, ShapeError, TimeOrderError, UnitError
from latemiles.estimators.orientation import (
    OrientationFilter,
    OrientationParams,
    OrientationStage,
    orientation,
)
from latemiles.estimators.units import check_units
from latemiles.signals.blocks import GridBlock
from latemiles.signals.quality import SampleQuality
from reference.broad import TRIALS, broad_trial
from reference.orientation import causal, inclination_rmse_deg

RATE_HZ = 100.0


def still(seconds: float, *, rate_hz: float = RATE_HZ, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """A sensor that lies still, 30 degrees off level, with a bias of 0.5 deg/s about x."""
    rng = np.random.default_rng(seed)
    n = round(seconds * rate_hz)
    gyr = 0.001 * rng.standard_normal((n, 3)) + np.radians([0.5, 0.0, 0.0])
    acc = 0.01 * rng.standard_normal((n, 3)) + 9.81 * np.array([0.5, 0.0, np.sqrt(0.75)])
    return gyr, acc


def moving(seconds: float, *, rate_hz: float = RATE_HZ, seed: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """A sensor that swings and shakes somewhat like a thigh."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    phase = 2.0 * np.pi * 1.4 * t[:, None] + rng.uniform(0.0, 6.0, 3)
    gyr = np.array([1.0, 4.0, 0.7]) * np.sin(phase) + 0.02 * rng.standard_normal((t.size, 3))
    acc = np.array([5.0, 2.0, 9.0]) * np.sin(2.0 * phase) + np.array([0.5, 0.3, 9.7])
    return gyr, acc + 0.2 * rng.standard_normal(acc.shape)


def angle_deg(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return np.degrees(2.0 * np.arccos(np.clip(np.abs(np.sum(p * q, axis=1)), 0.0, 1.0)))


@pytest.mark.parametrize("name", TRIALS)
def test_equals_vqf_over_a_whole_broad_trial(data_dir, name):
    trial = broad_trial(data_dir, name)
    ours = orientation(trial.gyr, trial.acc, trial.rate_hz)
    theirs = vqf.VQF(1.0 / trial.rate_hz).updateBatch(trial.gyr, trial.acc)
    sign = np.sign(np.sum(ours.quat * theirs["quat6D"], axis=1))[:, None]
    # Half the angle is the distance of unit quaternions, for small angles.
    apart_deg = np.degrees(2.0 * np.linalg.norm(ours.quat - sign * theirs["quat6D"], axis=1))
    assert apart_deg.max() < 1e-9
    assert np.abs(ours.gyr_bias - theirs["bias"]).max() < 1e-12
    assert np.array_equal(ours.rest, theirs["restDetected"])


def test_inclination_on_broad_stays_where_it_was_measured(data_dir):
    for name, bound in zip(TRIALS, (0.4289, 0.5396, 0.6074), strict=True):
        trial = broad_trial(data_dir, name)
        quat = orientation(trial.gyr, trial.acc, trial.rate_hz).quat
        assert inclination_rmse_deg(quat, trial.truth, trial.moves) < bound


@pytest.mark.interpreted
@pytest.mark.parametrize("stream", [still, moving])
def test_equals_the_slow_twin(stream):
    gyr, acc = stream(12.0, rate_hz=50.0)
    quat, bias = causal(gyr, acc, 50.0)
    ours = orientation(gyr, acc, 50.0)
    assert angle_deg(ours.quat, quat).max() < 1e-5
    assert np.abs(ours.quat * np.sign(np.sum(ours.quat * quat, axis=1))[:, None] - quat).max() < 1e-11
    assert np.abs(ours.gyr_bias - bias).max() < 1e-12


@pytest.mark.interpreted
def test_a_still_sensor_shows_its_tilt_and_its_bias():
    gyr, acc = still(20.0)
    got = orientation(gyr, acc, RATE_HZ)
    w, x, y, z = got.quat[-1]
    up = np.array([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)])
    assert up == pytest.approx([0.5, 0.0, np.sqrt(0.75)], abs=1e-3)
    assert got.rest[-1]
    assert got.gyr_bias[-1] == pytest.approx(np.radians([0.5, 0.0, 0.0]), abs=np.radians(0.02))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30, -1e300])
@pytest.mark.parametrize("which", ["gyr", "acc"])
@pytest.mark.parametrize("basis", ["causal", "smoothed"])
def test_a_bad_number_spoils_its_own_sample_and_no_other(bad, which, basis):
    gyr, acc = moving(10.0)
    clean = orientation(gyr, acc, RATE_HZ, basis=basis)
    {"gyr": gyr, "acc": acc}[which][400, 1] = bad
    got = orientation(gyr, acc, RATE_HZ, basis=basis)
    missing = np.isnan(got.quat).any(axis=1)
    assert np.flatnonzero(missing).tolist() == [400]
    assert np.isfinite(got.gyr_bias[~missing]).all()
    # One bridged sample of a swinging thigh: a fraction of a degree, not more.
    assert angle_deg(got.quat[~missing], clean.quat[~missing]).max() < 0.5


@pytest.mark.interpreted
@pytest.mark.parametrize("basis", ["causal", "smoothed"])
def test_nothing_but_holes_gives_nothing_but_nan(basis):
    for gyr, acc in [(np.full((300, 3), np.nan),) * 2, (np.zeros((300, 3)), np.zeros((300, 3)))]:
        got = orientation(gyr, acc, RATE_HZ, basis=basis)
        assert np.isnan(got.quat).all()
        assert not got.rest.any()


@pytest.mark.parametrize("basis", ["causal", "smoothed"])
def test_no_samples_give_no_samples(basis):
    got = orientation(np.empty((0, 3)), np.empty((0, 3)), RATE_HZ, basis=basis)
    assert got.quat.shape == (0, 4)
    assert got.gyr_bias.shape == (0, 3)
    assert got.rest.shape == (0,)


def test_an_accelerometer_of_zeros_is_a_hole_not_free_fall():
    gyr, acc = moving(8.0)
    acc[300:305] = 0.0
    got = orientation(gyr, acc, RATE_HZ)
    assert np.flatnonzero(np.isnan(got.quat[:, 0])).tolist() == [300, 301, 302, 303, 304]


@pytest.mark.interpreted
def test_after_a_long_hole_gravity_is_found_again_and_the_bias_kept():
    gyr, acc = still(40.0)
    gyr[2000:2400] = np.nan
    # The sensor was turned over in the hole.
    acc[2400:] = acc[2400:] * np.array([1.0, -1.0, -1.0])
    got = orientation(gyr, acc, RATE_HZ)
    w, x, y, z = got.quat[2410]
    up = np.array([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)])
    assert up == pytest.approx([0.5, 0.0, -np.sqrt(0.75)], abs=0.01)
    assert got.gyr_bias[2400] == pytest.approx(got.gyr_bias[1999], abs=1e-5)


@pytest.mark.interpreted
@pytest.mark.parametrize("basis", ["causal", "smoothed"])
def test_settling_is_flagged_after_a_long_hole_and_gaps_are_flagged_as_such(basis):
    gyr, acc = moving(30.0)
    gyr[1000:1100] = np.nan
    gyr[1200:1300] = np.nan
    stage = OrientationStage(RATE_HZ, lanes=1, basis=basis)
    quality = np.zeros((1, 3000), dtype=np.int64)
    quality[0, 50] = SampleQuality.ACC_CLIPPED
    blocks = [stage.push(GridBlock(7, RATE_HZ, acc[None], gyr[None], quality))[1], stage.finish()[1]]
    flags = np.concatenate([b.quality[0] for b in blocks])
    assert flags[50] & SampleQuality.ACC_CLIPPED
    gap = (flags & SampleQuality.GAP) != 0
    assert np.array_equal(gap, np.isnan(gyr[:, 0]))
    settling = (flags & SampleQuality.SETTLING) != 0
    assert settling[1100:1200].all()
    if basis == "causal":
        assert settling[:299].all()
        assert settling[1300:1599].all()
        assert not settling[1600:].any()
    else:
        assert not settling[1300:].any()
        assert not settling[:1000].any()


@pytest.mark.parametrize("shape", [(10,), (10, 2), (3, 10, 3), ()])
def test_wrong_shapes_are_refused(shape):
    with pytest.raises(ShapeError, match="columns"):
        orientation(np.zeros(shape), np.zeros(shape), RATE_HZ)
    with pytest.raises(ShapeError):
        orientation(np.zeros((10, 3)), np.zeros((9, 3)), RATE_HZ)
    with pytest.raises(ShapeError):
        orientation("gyr", "acc", RATE_HZ)


def test_acceleration_in_g_and_rates_in_degrees_are_refused():
    gyr, acc = moving(5.0)
    with pytest.raises(UnitError, match=r"9\.81"):
        orientation(gyr, acc / 9.81, RATE_HZ)
    with pytest.raises(UnitError, match="pi / 180"):
        orientation(np.degrees(gyr), acc, RATE_HZ)
    gyr, acc = still(10.0)
    with pytest.raises(UnitError, match="rest"):
        orientation(gyr, acc * 1.5, RATE_HZ)


def test_units_are_seen_in_the_one_second_of_a_long_stream_that_can_be_used():
    gyr, acc = moving(300.0)
    acc[: -int(RATE_HZ) - 5] = np.nan
    with pytest.raises(UnitError, match=r"9\.81"):
        check_units(gyr, acc / 9.81, RATE_HZ)
    check_units(gyr, acc, RATE_HZ)


def test_units_of_a_long_stream_are_judged_all_over_it():
    gyr, acc = moving(300.0)
    # In degrees it moves too fast only here, and at neither end.
    part = slice(12_000, 18_000)
    gyr[part] = np.degrees(gyr[part])
    with pytest.raises(UnitError, match="pi / 180"):
        check_units(gyr, acc, RATE_HZ)


def test_running_hard_is_not_taken_for_wrong_units():
    gyr, acc = moving(20.0)
    gyr[::7] *= 8.0
    acc[::9] = 157.0
    assert np.isfinite(orientation(gyr, acc, RATE_HZ).quat).all()
    # A thigh at 5.6 m/s, nothing but running in the recording.
    check_units(gyr, acc * 42.0 / np.median(np.linalg.norm(acc, axis=1)), RATE_HZ)


def test_unknown_bases_rates_and_parameters_are_refused():
    gyr, acc = still(1.0)
    with pytest.raises(InputError, match="smoothed"):
        orientation(gyr, acc, RATE_HZ, basis="offline")
    for rate in (0.0, -1.0, np.nan, np.inf, 0.01, "fast"):
        with pytest.raises(ConfigError, match="rate_hz"):
            orientation(gyr, acc, rate)
    with pytest.raises(ConfigError, match="force_tau"):
        OrientationParams(force_tau=-1.0)


@pytest.mark.interpreted
def test_a_filter_takes_single_samples_and_tells_bias_and_rest():
    gyr, acc = still(6.0)
    whole = orientation(gyr, acc, RATE_HZ)
    f = OrientationFilter(RATE_HZ)
    one_by_one = np.concatenate([f.update(g, a) for g, a in zip(gyr, acc, strict=True)])
    assert one_by_one.tobytes() == whole.quat.tobytes()
    assert f.gyr_bias.tobytes() == whole.gyr_bias[-1].tobytes()
    assert f.rest is True


def test_a_state_of_something_else_is_refused():
    f = OrientationFilter(RATE_HZ)
    with pytest.raises(ShapeError, match="same version"):
        f.state = b"nonsense"
    for basis in ("causal", "smoothed"):
        stage = OrientationStage(RATE_HZ, basis=basis)
        good = stage.save()
        for bad in (b"", good[:-1], good + b"x", good[:40]):
            with pytest.raises(ShapeError):
                stage.load(bad)


def test_a_stage_refuses_blocks_that_do_not_follow_or_fit():
    stage = OrientationStage(RATE_HZ, lanes=1)
    gyr, acc = still(0.1)
    block = GridBlock(0, RATE_HZ, acc[None], gyr[None], np.zeros((1, 10), dtype=np.int64))
    stage.push(block)
    with pytest.raises(TimeOrderError, match="grid"):
        stage.push(block)
    with pytest.raises(ShapeError, match="lane order"):
        OrientationStage(RATE_HZ, lanes=3).push(block)


@pytest.mark.interpreted
def test_clipped_samples_do_not_move_the_bias_in_motion():
    gyr, acc = moving(10.0)
    biases = []
    for clipped in (False, True):
        stage = OrientationStage(RATE_HZ, lanes=1)
        flags = np.full((1, 1000), SampleQuality.ACC_CLIPPED if clipped else 0, dtype=np.int64)
        biases.append(stage.push(GridBlock(0, RATE_HZ, acc[None], gyr[None], flags))[1].gyr_bias[0])
    assert np.abs(biases[0]).max() > 0.0
    assert np.abs(biases[1]).max() == 0.0
