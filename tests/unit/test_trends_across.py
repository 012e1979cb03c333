"""Run to run: Student's t, donning, blocks of one runner with a known truth, and which runs count."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from latemiles.trends.across import Block, DayRun, DayStanding, across_runs
from latemiles.trends.donning import donning_of
from latemiles.trends.single_case import compare_blocks
from latemiles.trends.student import mixture_quantile, student_cdf, student_quantile
from reference.made_up_library import Truth, figures

PLANKS = Block("planks", 42.0, math.inf)


def test_students_distribution_is_that_of_scipy():
    for freedom in (1.0, 3.0, 8.0, 21.0, 60.5):
        for t in (-40.0, -3.0, -1.0, -0.1, 0.0, 0.5, 2.0, 8.0):
            assert student_cdf(t, freedom) == pytest.approx(stats.t.cdf(t, freedom), abs=1e-12)
        assert student_quantile(0.975, freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-6)


def test_a_mixture_holds_as_much_as_it_says():
    rng = np.random.default_rng(3)
    parts = rng.choice(2, 200_000, p=[0.3, 0.7])
    drawn = np.array([0.0, 1.0])[parts] + np.array([1.0, 0.2])[parts] * rng.standard_t(9, len(parts))
    value = mixture_quantile(0.9, [0.3, 0.7], [0.0, 1.0], [1.0, 0.2], 9)
    assert np.mean(drawn < value) == pytest.approx(0.9, abs=0.004)


def test_own_repeats_outweigh_what_is_assumed_of_donning():
    rng = np.random.default_rng(4)
    assumed = donning_of([1, 2, 3], [0.0, 9.0, 4.0], 0.7)
    assert (assumed.sd, assumed.repeats) == (0.7, 0)
    days = np.repeat(np.arange(30), 2)
    values = rng.normal(4.0, 2.0, 30)[days] + rng.normal(0.0, 0.2, 60)
    own = donning_of(days, values, 0.7)
    assert own.repeats == 60
    assert 0.15 < own.sd < 0.45
    assert own.half_width < assumed.half_width


def made(rng, n_before, n_during, kind):
    """Days and values without any difference."""
    days = np.sort(rng.uniform(0.0, 3.6 * (n_before + n_during), n_before + n_during))
    if kind == "fading":
        cov = 0.5 * np.exp(-np.abs(days[:, None] - days) / 8.0) + 0.5 * np.eye(len(days))
        return days, 0.5 * np.linalg.cholesky(cov) @ rng.standard_normal(len(days))
    return days, rng.normal(0.0, 0.5, len(days))


@pytest.mark.parametrize(("kind", "least"), [("independent", 0.92), ("fading", 0.84)])
def test_the_interval_covers_the_truth_and_chance_is_seldom_called(kind, least):
    rng = np.random.default_rng(11)
    covered = called = 0
    for _ in range(50):
        days, values = made(rng, 11, 9, kind)
        in_block = np.arange(20) >= 11
        found = compare_blocks(days, values + 0.7 * in_block, in_block)
        null = compare_blocks(days, values, in_block)
        covered += found.interval[0] <= 0.7 <= found.interval[1]
        called += null.is_beyond
    assert covered / 50 >= least
    assert called / 50 <= 0.06


def test_what_can_be_told_apart_is_found_four_times_in_five():
    rng = np.random.default_rng(12)
    in_block = np.arange(24) >= 12
    found = 0
    for _ in range(30):
        days, values = made(rng, 12, 12, "independent")
        needed = compare_blocks(days, values, in_block).detectable
        low, high = compare_blocks(days, values + needed * in_block, in_block).interval
        found += not low <= 0.0 <= high
    assert 0.7 <= found / 30 <= 1.0


def test_a_clear_difference_is_called_and_its_direction_kept():
    rng = np.random.default_rng(13)
    days, values = made(rng, 10, 10, "independent")
    in_block = np.arange(20) >= 10
    found = compare_blocks(days, values - 2.0 * in_block, in_block)
    assert found.verdict == "clear change"
    assert found.interval[1] < 0.0
    assert found.during - found.before == pytest.approx(found.difference)


def test_a_condition_that_moved_with_the_block_is_taken_off():
    rng = np.random.default_rng(14)
    days, values = made(rng, 14, 14, "independent")
    in_block = np.arange(28) >= 14
    speed = 3.0 + 0.3 * in_block + rng.normal(0.0, 0.2, 28)
    plain = compare_blocks(days, 0.3 * values + 2.7 * speed, in_block)
    adjusted = compare_blocks(days, 0.3 * values + 2.7 * speed, in_block, condition=speed)
    assert adjusted.slope == pytest.approx(2.7, abs=0.5)
    assert abs(adjusted.difference) < 0.3 < plain.difference


def test_shifting_all_values_or_the_calendar_changes_no_difference():
    rng = np.random.default_rng(15)
    days, values = made(rng, 8, 8, "independent")
    in_block = np.arange(16) >= 8
    one = compare_blocks(days, values, in_block)
    other = compare_blocks(days + 20_000.0, values + 7.0, in_block)
    assert other.difference == pytest.approx(one.difference, abs=1e-9)
    assert other.detectable == pytest.approx(one.detectable, abs=1e-6)
    assert other.before == pytest.approx(one.before + 7.0)


def test_fewer_than_five_values_give_no_difference():
    assert compare_blocks(np.arange(9.0), np.arange(9.0), np.arange(9) >= 5) is None


def season(n=20, truth=None, seed=2):
    rng = np.random.default_rng(seed)
    truth = truth or Truth()
    return [
        DayRun(f"r{k}", 4.0 * k, figures(rng, truth, in_block=4.0 * k >= 42.0, km=12.0, slipped=False))
        for k in range(n)
    ]


def test_a_season_with_less_drift_in_the_block_says_so_and_nothing_else():
    across = across_runs(season(28, Truth(drift_change=-1.4)), blocks=[PLANKS])
    drift = across.row("drift").difference
    assert drift.is_beyond
    assert drift.interval[0] < -1.4 < drift.interval[1]
    assert [row.key for row in across.rows if row.difference and row.difference.is_beyond] == ["drift"]


def test_before_a_block_five_runs_are_needed_and_without_a_block_nothing_is_compared():
    runs = season(20)
    early = across_runs(runs, blocks=[Block("planks", 14.0, math.inf)])
    assert early.row("drift").difference is None
    assert early.row("drift").needed == "5 needed before the block, 4 so far"
    assert across_runs(runs).row("drift").needed == "no block of exercises yet"


def test_runs_that_cannot_be_used_stay_with_their_reason():
    runs = season(12)
    changes = {
        1: {"pelvis_slips": 1},
        2: {"verdict": "cannot separate"},
        3: {"reference": "baseline"},
        4: {"verdict": "too short", "tilt_start_deg": math.nan, "tilt_change_deg": math.nan},
    }
    runs = [replace(run, figures=replace(run.figures, **changes.get(k, {}))) for k, run in enumerate(runs)]
    across = across_runs(runs, blocks=[PLANKS])
    problems = {row.key: {p.name: p.problem for p in row.points if p.problem} for row in across.rows}
    assert problems["start"] == {"r1": "clip slipped", "r3": "no standing pose"}
    assert problems["drift"] == {"r1": "clip slipped", "r2": "speed and time moved together"}
    assert problems["asymmetry"] == {"r1": "clip slipped", "r4": "too short to compare"}


def test_an_unused_run_changes_no_number():
    runs = season(20)
    outlier = replace(runs[3], figures=replace(runs[3].figures, pelvis_slips=1, tilt_start_deg=40.0))
    one = across_runs([*runs[:3], *runs[4:]], blocks=[PLANKS])
    other = across_runs([*runs[:3], outlier, *runs[4:]], blocks=[PLANKS])
    for key in ("start", "drift", "asymmetry"):
        assert other.row(key).difference == one.row(key).difference


def test_runs_without_distance_are_laid_side_by_side_by_the_hour():
    runs = [
        replace(r, figures=replace(r.figures, distance_m=math.nan, between_m=math.nan)) for r in season(20)
    ]
    across = across_runs(runs, blocks=[PLANKS])
    assert not across.by_distance
    assert across.runs == 20
    assert across.row("drift").difference is not None


def test_after_an_earlier_block_only_what_lies_between_counts_as_before():
    blocks = [Block("bridges", 0.0, 20.0), Block("planks", 44.0, math.inf)]
    across = across_runs(season(20), blocks=blocks)
    assert across.compared == blocks[1]
    assert across.row("drift").difference.n_before == 6
    chosen = across_runs(season(20), blocks=blocks, compared="bridges")
    assert chosen.row("drift").needed == "5 needed before the block, 0 so far"


def test_standing_checks_of_one_day_are_repeats():
    checks = [DayStanding(f"s{k}", 3.0 * (k // 2) + 0.1 * (k % 2), 2.0 + 0.1 * (k % 2)) for k in range(8)]
    checks.append(DayStanding("bad", 30.0, 9.0, "no axes"))
    row = across_runs([], checks).row("standing")
    assert row.donning.repeats == 8
    assert row.donning.sd < 0.8
    assert [p.problem for p in row.points if p.problem] == ["no axes"]
