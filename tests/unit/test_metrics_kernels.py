"""Kernels of strides and trends against their slow twins."""

from __future__ import annotations

import numpy as np
import pytest

from latemiles.kernels import strides as kernel
from latemiles.kernels import trends
from latemiles.kernels.stride_events import WAITING, follow_events, new_stride_state
from latemiles.kernels.stride_rows import BITS
from latemiles.kernels.stride_waves import add_strides
from latemiles.metrics.features import COLUMNS, FIRST, FeatureMaker, _plan
from latemiles.metrics.pelvis_motion import SHOCK_WINDOW_S
from latemiles.metrics.speed import SpeedTrack
from latemiles.metrics.strides import StrideParams, _settings
from latemiles.metrics.table import EXCLUDING
from latemiles.signals.frames import SIDES
from latemiles.signals.quality import SampleQuality, StrideQuality
from latemiles.signals.records import Speed
from reference import slow_strides as slow

RNG = np.random.default_rng(11)
TRIG = kernel.trig_table(8)


@pytest.mark.parametrize("factor", [57.3, -57.3])
@pytest.mark.parametrize("peak_sign", [1.0, -1.0])
@pytest.mark.parametrize(
    ("begin", "toe_off", "end"), [(0.3, 40.7, 119.2), (0.0, 41.0, 120.0), (0.9, np.nan, 99.5)]
)
def test_angle_features_match_the_slow_twin(
    factor: float, peak_sign: float, begin: float, toe_off: float, end: float
) -> None:
    window = np.cumsum(RNG.normal(size=(9, 130)), axis=1)
    out = np.empty(6)
    kernel.angle_features(window, 4, begin, toe_off, end, factor, peak_sign, out)
    want = slow.features(window[4], begin, toe_off, end, factor, peak_sign)
    np.testing.assert_allclose(out, want, rtol=1e-12, atol=1e-9)


def test_all_angles_and_waves_of_a_stride_match_the_slow_twins() -> None:
    window = np.cumsum(RNG.normal(size=(9, 130)), axis=1)
    places = np.array([[3, 1], [0, 7], [3, 14]])
    signs = np.array([[57.3, 1.0], [-57.3, -1.0], [1.0, -1.0]])
    row, waves = np.full(20, -7.0), np.empty((6, kernel.N_PHASES))
    kernel.all_angle_features(window, places, signs, 0.3, 40.7, 119.2, row)
    for (source, at), (factor, peak) in zip(places, signs, strict=True):
        want = slow.features(window[source], 0.3, 40.7, 119.2, factor, peak)
        np.testing.assert_allclose(row[at : at + 6], want, rtol=1e-12, atol=1e-9)
    assert (row[[0, 13]] == -7.0).all()
    kernel.all_waves(window, 0.3, 119.2, 57.3, waves)
    phases = np.linspace(0.3, 119.2, kernel.N_PHASES)
    for wave, source in zip(waves, window, strict=False):
        np.testing.assert_allclose(wave, 57.3 * np.interp(phases, np.arange(130), source), atol=1e-9)


def test_one_nan_in_the_stride_makes_all_features_nan_and_one_outside_does_not() -> None:
    window = np.ones((9, 130))
    window[0, 125] = window[1, 60] = np.nan
    out = np.empty(6)
    kernel.angle_features(window, 0, 0.5, 40.5, 120.5, 1.0, 1.0, out)
    np.testing.assert_allclose(out, [1, 0, 1, 1, 1, 1])
    kernel.angle_features(window, 1, 0.5, 40.5, 120.5, 1.0, 1.0, out)
    assert np.isnan(out).all()


@pytest.mark.parametrize("first", [1, 2])
def test_harmonic_score_matches_the_fourier_transform(first: int) -> None:
    wave = np.cumsum(RNG.normal(size=101))
    assert kernel.harmonic_rms(wave, first, TRIG) == pytest.approx(
        slow.harmonic_rms(wave, first, 8), rel=1e-9
    )


def test_oscillation_matches_the_fourier_transform_and_a_known_height() -> None:
    wave = np.cumsum(RNG.normal(size=101))
    height = np.empty(101)
    got = kernel.vertical_oscillation(wave, 0.7, TRIG, height)
    assert got == pytest.approx(slow.vertical_oscillation(wave, 0.7, 8), rel=1e-9)
    omega = 2 * 2 * np.pi / 0.7
    wave = -0.04 * omega**2 * np.cos(2 * 2 * np.pi * np.linspace(0, 1, 101)) + 9.81
    assert kernel.vertical_oscillation(wave, 0.7, TRIG, height) == pytest.approx(0.08, rel=2e-3)


def test_a_nan_makes_oscillation_score_and_shock_nan() -> None:
    wave = np.ones(101)
    wave[30] = np.nan
    assert np.isnan(kernel.vertical_oscillation(wave, 0.7, TRIG, np.empty(101)))
    assert np.isnan(kernel.harmonic_rms(wave, 1, TRIG))
    window = np.full((9, 40), 9.81)
    window[7, 10] = np.nan
    assert np.isnan(kernel.peak_dynamic_force(window, 6, 0.5, 20.5, 9.81))


def test_whitening_is_the_cholesky_factor_of_the_covariance() -> None:
    t = np.sort(RNG.uniform(0, 3000, 60))
    columns = RNG.normal(size=(3, 60))
    covariance = slow.wander_covariance(t, 0.3, 250.0, 0.05)
    out = np.empty_like(columns)
    log_det = trends.ou_whiten(t, columns, 0.3, 250.0, 0.05, out)
    want = np.linalg.solve(np.linalg.cholesky(covariance), columns.T).T
    np.testing.assert_allclose(out, want, rtol=1e-8, atol=1e-9)
    assert log_det == pytest.approx(np.linalg.slogdet(covariance)[1])
    weights = RNG.normal(size=60)
    unit = slow.wander_covariance(t, 1.0, 250.0, 0.0)
    assert trends.ou_quadratic(t, weights, 250.0) == pytest.approx(weights @ unit @ weights)


def test_half_width_of_a_mixture_holds_its_level() -> None:
    weights, sds = np.array([0.3, 0.5, 0.2]), np.array([0.5, 1.0, 3.0])
    half = trends.mixture_half_width(weights, sds, 0.95)
    drawn = RNG.normal(size=400_000) * RNG.choice(sds, 400_000, p=weights)
    assert np.mean(np.abs(drawn) < half) == pytest.approx(0.95, abs=0.003)
    assert trends.mixture_half_width(np.ones(1), np.ones(1), 0.95) == pytest.approx(1.959964, abs=1e-5)


def test_block_medians_match_numpy_and_pass_over_nan() -> None:
    values = RNG.normal(size=90)
    values[RNG.integers(0, 90, 25)] = np.nan
    starts, ends = np.array([0, 24, 55, 80]), np.array([24, 55, 80, 81])
    out = np.empty(4)
    trends.block_medians(values, starts, ends, 5, np.empty(40), out)
    want = [np.nanmedian(values[a:b]) for a, b in zip(starts[:3], ends[:3], strict=True)]
    np.testing.assert_allclose(out[:3], want)
    assert np.isnan(out[3])


def test_theil_sen_slopes_are_those_of_all_pairs() -> None:
    t, y = np.array([0.0, 1.0, 3.0]), np.array([0.0, 2.0, 3.0])
    out = np.empty(3)
    trends.theil_sen_slopes(t, y, out)
    assert sorted(out) == [0.5, 1.0, 2.0]


@pytest.mark.interpreted
def test_strides_are_measured_from_the_ring_as_the_slow_twin_measures_them() -> None:
    rate, capacity = 200.0, 640
    maker = FeatureMaker(rate, 2.2)
    samples = np.cumsum(RNG.normal(size=(12, 1000)), axis=1) * 0.01
    samples[9] += 9.8
    bits = 1 << RNG.integers(0, 9, size=(3, 1000))
    ring, quality = np.empty((12, capacity)), np.empty((3, capacity), dtype=np.int64)
    for k in range(1000):
        ring[:, k % capacity], quality[:, k % capacity] = samples[:, k], bits[:, k]
    quality[:, :] &= ~int(SampleQuality.GAP)
    bits &= ~int(SampleQuality.GAP)
    bits[:, 500:600] = 0
    waiting = np.array(
        [
            [0, 1.903, 2.15, 2.6, 2.3, np.nan, np.nan, 128],
            [1, 2.2512, 2.5, 2.96, 2.4, 10.0, 3.0, 0],
            [0, 2.502, 2.7, 2.99, 2.75, 11.0, 3.1, 0],
            [0, 2.6, np.nan, 3.3, np.nan, 12.0, 3.2, 256],
            [1, 1.0, 1.2, 1.7, 1.4, 5.0, 2.0, 0],
        ]
    )
    for k in range(500, 600):
        quality[:, k % capacity] = 0
    none = np.empty((0, 3)), np.empty((2, 0, 3)), np.empty((3, 0)), np.empty((0, 2)), bits[:, :0]
    batch, steady, waves = maker.take((ring, quality), 0, 1000, none, 7, waiting)
    assert batch.first == 7
    for k, (lane, t_ic, t_to, t_end, t_other, way, speed, said) in enumerate(waiting):
        row, stride, contact = batch.values[k], t_end - t_ic, t_to - t_ic
        flight = t_other - t_to
        times = [7 + k, t_ic, t_to, stride, 120.0 / stride, contact]
        times += [flight if flight >= 0.0 else np.nan, contact / stride, way, speed]
        np.testing.assert_allclose(row[:10], times, atol=1e-12)
        first, stop = int(np.floor(t_ic * rate)), int(np.ceil(t_end * rate)) + 1
        if first < 360:
            assert batch.quality[k] & StrideQuality.GAP
            assert np.isnan(row[10:]).all()
            continue
        pelvis, thigh = (int(np.bitwise_or.reduce(bits[line, first:stop])) for line in (0, 1 + int(lane)))
        seen = pelvis | (thigh & ~int(SampleQuality.BEND))
        want = int(said)
        for sample_bit, stride_bit in BITS:
            want |= stride_bit if seen & sample_bit else 0
        assert batch.quality[k] == want
        line, wave = slow.stride(
            samples,
            rate,
            int(lane),
            np.array([t_ic, t_to, t_end]),
            _plan(SIDES[int(lane)]),
            COLUMNS,
            FIRST,
            8,
            SHOCK_WINDOW_S * rate,
        )
        np.testing.assert_allclose(row[10 : len(line)], line[10:], rtol=1e-9, atol=1e-9)
        assert (k in steady) == (not want & int(EXCLUDING))
        if k in steady:
            np.testing.assert_allclose(waves[list(steady).index(k)], wave, atol=1e-9)
    assert steady.tolist() == [2]


@pytest.mark.interpreted
@pytest.mark.parametrize("seed", range(6))
def test_events_make_the_strides_that_the_slow_twin_makes_of_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    params, track, rows, t = StrideParams(neighbours=5), SpeedTrack(), [], 0.0
    twin = slow.Events(params)
    state, waiting, count = new_stride_state(5), np.full((900, WAITING), np.nan), 0
    for k in range(700):
        t += 0.35 * rng.choice(
            [0.6, 1.0, 1.0, 1.0, 1.05, 1.7, 2.2, 9.0], p=[0.02, 0.3, 0.3, 0.3, 0.02, 0.03, 0.02, 0.01]
        )
        chance = rng.random()
        if chance < 0.05:
            track.tell(Speed(0, t, speed_m_s=rng.uniform(2.0, 4.0)))
        row = (0, t, k % 2 if chance < 0.97 else rng.integers(2), rng.uniform(0.45, 1.0))
        rows.append(row)
        if rng.random() < 0.9:
            rows.append((1, t + 0.2 * rng.uniform(0.9, 1.1), row[2], 0.7))
        if chance > 0.96:
            rows.append((2 + rng.integers(2), t - rng.uniform(0.0, 0.5), rng.integers(3), 1.0))
        if chance < 0.3 or k == 699:
            for what, at, which, confidence in rows:
                twin.hear(what, at, which, confidence, track.at)
            count = follow_events(state, _settings(params), np.array(rows), track.words, waiting, count)
            rows = []
    assert count == len(twin.waiting) > 150
    np.testing.assert_array_equal(waiting[:count], np.array(twin.waiting))


def test_waveforms_are_added_up_as_the_slow_twin_adds_them() -> None:
    waves, lanes = RNG.normal(size=(40, 6, kernel.N_PHASES)), RNG.integers(0, 2, 40)
    waves[5, 4, 17] = np.nan
    count, mean, squares = np.zeros(9), np.zeros((9, kernel.N_PHASES)), np.zeros((9, kernel.N_PHASES))
    toe_off, sums, counts = np.where(RNG.random(40) < 0.8, RNG.uniform(30, 45, 40), np.nan), *np.zeros((2, 2))
    for part in (slice(0, 11), slice(11, None)):
        add_strides(count, mean, squares, sums, counts, waves[part], lanes[part], toe_off[part])
    for lane in (0, 1):
        told = toe_off[(lanes == lane) & np.isfinite(toe_off)]
        assert counts[lane] == len(told)
        assert sums[lane] == pytest.approx(told.sum())
    want = slow.ensemble(waves, lanes)
    for row, found in enumerate(want):
        assert count[row] == len(found)
        np.testing.assert_allclose(mean[row], found.mean(axis=0), atol=1e-12)
        np.testing.assert_allclose(squares[row], ((found - found.mean(axis=0)) ** 2).sum(axis=0), rtol=1e-9)
