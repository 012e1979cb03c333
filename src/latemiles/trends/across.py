"""Run to run: four rows over the days, what each value may be off by, and a block against what was before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.trends.donning import PRIOR_SD_DEG, Donning, donning_of
from latemiles.trends.run_figures import RunFigures
from latemiles.trends.single_case import LEAST_VALUES, BlockDifference, compare_blocks

__all__ = ["Across", "Block", "DayRun", "DayStanding", "Point", "Row", "across_runs"]

F8 = NDArray[np.float64]
NAN = math.nan

ROWS: Final = ("start", "drift", "asymmetry", "standing")
"""Start value, form drift, offset-free asymmetry, standing check."""

FLOOR_DEG: Final = 0.4
"""Smallest difference of two blocks that is ever called, deg: no mean of three sensors is better for sure."""

LEAST_FOR_SPEED: Final = 10
"""Start values from which on the part of pace is taken off."""

LEAST_SPEED_SD_M_S: Final = 0.03
"""Less spread of pace says nothing of its part, m/s."""


@dataclass(frozen=True, slots=True)
class Block:
    """Days in which a runner does something on purpose."""

    name: str
    first_day: float
    """Day number of its first midnight."""
    end_day: float
    """Midnight after its last day; infinite while it goes on."""

    def holds(self, day: float) -> bool:
        """Whether a moment is in it."""
        return self.first_day <= day < self.end_day


@dataclass(frozen=True, slots=True)
class DayRun:
    """One run, with when it was."""

    run: str
    day: float
    """Days since 1970 on the runner's clock, with its fraction."""
    figures: RunFigures
    shoes: str = ""


@dataclass(frozen=True, slots=True)
class DayStanding:
    """One standing check, with when it was."""

    check: str
    day: float
    obliquity_deg: float
    """Right side up +; NaN where it is not known."""
    problem: str = ""
    """Why it is not used; empty where it is."""


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a row."""

    name: str
    """The run or the check."""
    day: float
    value: float
    """Deg, after the part of pace where the row says so."""
    low: float
    high: float
    """What it may be off by, 95 %."""
    problem: str
    """Why it is not used; empty where it is."""

    @property
    def is_used(self) -> bool:
        """Whether it counts."""
        return not self.problem


@dataclass(frozen=True, slots=True)
class Row:
    """One of the four rows."""

    key: str
    points: tuple[Point, ...]
    """In order of days; unused ones stay, values that are not known do not."""
    donning: Donning | None
    """None where each value has an interval of its own."""
    difference: BlockDifference | None
    needed: str
    """Why there is no difference; empty where there is one."""

    @property
    def used(self) -> list[Point]:
        """Points that count."""
        return [point for point in self.points if point.is_used]


@dataclass(frozen=True, slots=True)
class Across:
    """What the trends page draws."""

    rows: tuple[Row, ...]
    blocks: tuple[Block, ...]
    compared: Block | None
    """The block that is set against what was before it; None without one."""
    before_from: float
    """First day that counts as before: the end of an earlier block, or minus infinity."""
    by_distance: bool
    """Drift per 10 km; False: per hour, for want of distances."""
    runs: int
    """Long enough to be shown."""
    shorter: int
    """Left out as too short."""
    least_km: float

    def row(self, key: str) -> Row:
        """One row by its key."""
        return self.rows[ROWS.index(key)]


def across_runs(
    runs: Sequence[DayRun],
    standings: Sequence[DayStanding] = (),
    blocks: Sequence[Block] = (),
    *,
    least_km: float = 8.0,
    compared: str = "",
) -> Across:
    """Lay runs beside each other.

    Parameters
    ----------
    runs : sequence of DayRun
        In any order.
    standings : sequence of DayStanding
        Standing checks.
    blocks : sequence of Block
        Of exercises.
    least_km : float
        Shorter runs are left out; where no distance is known, 5 minutes stand for a kilometre.
    compared : str
        Name of the block that is compared; empty: the last one.
    """
    shown = sorted((r for r in runs if _length_km(r.figures) >= least_km), key=lambda r: r.day)
    blocks = sorted(blocks, key=lambda b: b.first_day)
    chosen = next((b for b in reversed(blocks) if compared in ("", b.name)), None)
    earlier = [b.end_day for b in blocks if chosen is not None and b.first_day < chosen.first_day]
    before_from = max(earlier, default=-math.inf)
    with_distance = sum(math.isfinite(r.figures.between_m) for r in shown)
    by_distance = 2 * with_distance >= len(shown)
    compare = _Comparer(chosen, before_from)
    return Across(
        rows=(
            _start_row(shown, compare),
            _drift_row(shown, compare, by_distance=by_distance),
            _asymmetry_row(shown, compare),
            _standing_row(standings, compare),
        ),
        blocks=tuple(blocks),
        compared=chosen,
        before_from=before_from,
        by_distance=by_distance,
        runs=len(shown),
        shorter=len(runs) - len(shown),
        least_km=least_km,
    )


def _length_km(figures: RunFigures) -> float:
    km = figures.distance_m / 1000.0
    return km if math.isfinite(km) else figures.duration_s / 300.0


@dataclass(frozen=True, slots=True)
class _Comparer:
    """Sets the values of a row against each other."""

    block: Block | None
    before_from: float

    def counts(self, day: float) -> bool:
        """Whether a day is in the block or before it."""
        if self.block is None:
            return False
        return self.block.holds(day) or self.before_from <= day < self.block.first_day

    def __call__(
        self,
        points: Sequence[Point],
        *,
        own_sd: Sequence[float] | None = None,
        condition: Sequence[float] | None = None,
        headline: bool = False,
    ) -> tuple[BlockDifference | None, str]:
        """The difference of the points that are used, or what it would need."""
        keep = [k for k, p in enumerate(points) if p.is_used and self.counts(p.day)]
        if self.block is None:
            return None, "no block of exercises yet"
        days = np.array([points[k].day for k in keep])
        in_block = days >= self.block.first_day
        for part, words in ((~in_block, "before the block"), (in_block, "in the block")):
            found = int(np.count_nonzero(part))
            if found < LEAST_VALUES:
                return None, f"{LEAST_VALUES} needed {words}, {found} so far"
        difference = compare_blocks(
            days,
            np.array([points[k].value for k in keep]),
            in_block,
            own_sd=None if own_sd is None else np.array([own_sd[k] for k in keep]),
            condition=None if condition is None else np.array([condition[k] for k in keep]),
            # One row was named beforehand, three are looked at beside it: they share the risk of chance.
            level=0.95 if headline else 1.0 - 0.05 / (len(ROWS) - 1),
            floor=FLOOR_DEG,
        )
        return difference, ""


def _whole_run_problem(figures: RunFigures) -> str:
    if figures.verdict == "slip" or figures.pelvis_slips:
        return "clip slipped"
    if figures.verdict == "too short":
        return "too short to compare"
    return ""


def _points(
    values: Sequence[tuple[str, float, float, str]], half_widths: Sequence[tuple[float, float]]
) -> tuple[Point, ...]:
    """Points of (name, day, value, problem) with the reach of each to both sides."""
    return tuple(
        Point(name, day, value, value - down, value + up, problem)
        for (name, day, value, problem), (down, up) in zip(values, half_widths, strict=True)
        if math.isfinite(value)
    )


def _start_row(runs: Sequence[DayRun], compare: _Comparer) -> Row:
    problems = [
        _whole_run_problem(r.figures) or ("" if r.figures.has_standing else "no standing pose") for r in runs
    ]
    values = [
        (r.run, r.day, r.figures.tilt_start_deg, problem) for r, problem in zip(runs, problems, strict=True)
    ]
    days = [math.floor(day) for _, day, _, _ in values]
    good = [value if not problem else NAN for _, _, value, problem in values]
    donning = donning_of(days, good, PRIOR_SD_DEG["start"])
    points = _points(values, [(donning.half_width, donning.half_width)] * len(values))
    speeds = {r.run: r.figures.start_speed_m_s for r in runs}
    condition = _speeds(points, speeds, compare)
    difference, needed = compare(points, condition=condition)
    if condition is not None and difference is not None and math.isfinite(difference.slope):
        used = [v for p, v in zip(points, condition, strict=True) if p.is_used and compare.counts(p.day)]
        middle = float(np.mean(used))
        points = tuple(
            _moved(p, -difference.slope * (v - middle)) if math.isfinite(v) else p
            for p, v in zip(points, condition, strict=True)
        )
    return Row("start", points, donning, difference, needed)


def _speeds(points: Sequence[Point], speeds: dict[str, float], compare: _Comparer) -> list[float] | None:
    """Pace of each point where its part can be taken off: known everywhere, different, and often enough."""
    used = [speeds[p.name] for p in points if p.is_used and compare.counts(p.day)]
    if len(used) < LEAST_FOR_SPEED or not np.isfinite(used).all() or np.std(used) < LEAST_SPEED_SD_M_S:
        return None
    return [speeds[p.name] for p in points]


def _moved(point: Point, by: float) -> Point:
    return Point(point.name, point.day, point.value + by, point.low + by, point.high + by, point.problem)


def _drift_row(runs: Sequence[DayRun], compare: _Comparer, *, by_distance: bool) -> Row:
    values, reach = [], []
    for r in runs:
        value, low, high = r.figures.tilt_drift(by_distance=by_distance)
        problem = _whole_run_problem(r.figures)
        if not problem and r.figures.verdict == "cannot separate":
            problem = "speed and time moved together"
        if not problem and not low < high:
            problem = "no interval"
        values.append((r.run, r.day, value, problem))
        reach.append((value - low, high - value))
    points = _points(values, reach)
    own = [(p.high - p.low) / 3.92 for p in points]
    difference, needed = compare(points, own_sd=own, headline=True)
    return Row("drift", points, None, difference, needed)


def _asymmetry_row(runs: Sequence[DayRun], compare: _Comparer) -> Row:
    values = [(r.run, r.day, r.figures.drop_asymmetry_deg, _whole_run_problem(r.figures)) for r in runs]
    good = [value if not problem else NAN for _, _, value, problem in values]
    days = [math.floor(day) for _, day, _, _ in values]
    donning = donning_of(days, good, PRIOR_SD_DEG["asymmetry"])
    points = _points(values, [(donning.half_width, donning.half_width)] * len(values))
    difference, needed = compare(points)
    return Row("asymmetry", points, donning, difference, needed)


def _standing_row(standings: Sequence[DayStanding], compare: _Comparer) -> Row:
    checks = sorted(standings, key=lambda s: s.day)
    values = [(s.check, s.day, s.obliquity_deg, s.problem) for s in checks]
    good = [s.obliquity_deg if not s.problem else NAN for s in checks]
    donning = donning_of([math.floor(s.day) for s in checks], good, PRIOR_SD_DEG["standing"])
    points = _points(values, [(donning.half_width, donning.half_width)] * len(values))
    difference, needed = compare(points)
    if not points:
        needed = "no standing check yet"
    return Row("standing", points, donning, difference, needed)
