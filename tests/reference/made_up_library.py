"""A made-up library: twelve weeks of runs with a known truth, an exercise block, standing checks.

Every number is invented; no estimator is involved. Reports are one line, for who opens them.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from latemiles.session.home import Home
from latemiles.signals.records import RunHeader
from latemiles.store import Library, StandingRow, Store
from latemiles.trends.run_figures import RunFigures

NAN = math.nan
DAYS = (0, 4, 7, 11, 14, 18, 20, 25, 28, 32, 35, 39, 42.6, 46, 49, 53, 57, 60, 64, 68, 71, 76, 83)
FIRST = datetime(2026, 8, 24, 6, 40, tzinfo=UTC)
BLOCK_FROM = "2026-10-05"
SLIPPED = 5


@dataclass(frozen=True)
class Truth:
    """What the season is made of, deg."""

    start: float = 4.4
    drift: float = 1.7
    drift_change: float = 0.0
    """What the block adds to the drift per 10 km."""
    asymmetry: float = 1.5
    start_sd: float = 0.7
    drift_sd: float = 0.35
    asymmetry_sd: float = 0.25
    seed: int = 5


def figures(
    rng: np.random.Generator, truth: Truth, *, in_block: bool, km: float, slipped: bool
) -> RunFigures:
    """Figures of one run."""
    between_km = 0.62 * km
    half = 0.45 + 0.1 * float(rng.uniform())
    per_10_km = truth.drift + truth.drift_change * in_block + truth.drift_sd * float(rng.standard_normal())
    change = per_10_km * between_km / 10.0
    detectable = 0.8
    called = "clear change" if change > 1.2 else "likely change" if change > detectable else "no change"
    verdict = "slip" if slipped else called
    headline = (
        f"Your pelvis tipped {change:.1f} degrees further forward from kilometre {0.55 * km:.1f}."
        if called != "no change"
        else f"No change beyond {detectable} degrees in {km:.1f} kilometres."
    )
    asymmetry = truth.asymmetry + truth.asymmetry_sd * float(rng.standard_normal())
    return RunFigures(
        software="0.1.0",
        basis="smoothed",
        reference="standing",
        headline="The pelvis sensor moved at kilometre 7.9; this run cannot tell that from a change of tilt."
        if slipped
        else headline,
        verdict=verdict,
        duration_s=km * 318.0,
        distance_m=1000.0 * km,
        strides=round(km * 445),
        strides_used=round(km * 431),
        cadence_spm=172.0 + float(rng.standard_normal()),
        start_speed_m_s=3.15 + 0.08 * float(rng.standard_normal()),
        tilt_start_deg=truth.start + truth.start_sd * float(rng.standard_normal()),
        tilt_change_deg=change,
        tilt_change_low_deg=change - half,
        tilt_change_high_deg=change + half,
        is_adjusted=1,
        between_s=between_km * 318.0,
        between_m=1000.0 * between_km,
        drop_asymmetry_deg=asymmetry,
        drop_asymmetry_low_deg=asymmetry - 0.2,
        drop_asymmetry_high_deg=asymmetry + 0.2,
        obliquity_offset_deg=float(rng.standard_normal()),
        mounting_sd_deg=0.4,
        pelvis_slips=int(slipped),
    )


def summary(found: RunFigures, rng: np.random.Generator) -> dict[str, object]:
    """As much of ``summary.json`` as the pages read."""
    t_s = np.arange(200.0, found.duration_s, 18.0)
    share = np.clip((t_s / found.duration_s - 0.5) / 0.3, 0.0, 1.0)
    medians = found.tilt_start_deg + share * found.tilt_change_deg + 0.25 * rng.standard_normal(len(t_s))
    drift = {
        "change": found.tilt_change_deg,
        "baseline": found.tilt_start_deg,
        "medians_t_s": t_s.tolist(),
        "medians": medians.tolist(),
        "detectable_change": 0.8,
        "change_point_s": 0.55 * found.duration_s if found.verdict.endswith("y change") else None,
        "adjusted": None,
    }
    return {"form_drift": {"pelvic_tilt_mean_deg": drift}}


def _standing(rng: np.random.Generator, athlete: str, number: int, day: float) -> StandingRow:
    """A standing check of a person whose right side stands 2.2 degrees higher."""

    def measure(truth: float, sd: float, half: float) -> dict[str, object]:
        values = truth + sd * rng.standard_normal(3)
        return {
            "values_deg": values.tolist(),
            "mean_deg": float(values.mean()),
            "repeat_sd_deg": float(values.std(ddof=1)),
            "half_width_deg": half,
            "detectable_deg": 1.41 * half,
        }

    obliquity = measure(2.2 + 0.4 * float(rng.standard_normal()), 0.5, 2.2)
    started = FIRST + timedelta(days=day, minutes=-15)
    result = {
        "schema": "latemiles/standing/1",
        "conditions": ["eyes open", "eyes closed", "after a march"],
        "obliquity_deg": obliquity["mean_deg"],
        "obliquity": obliquity,
        "thigh_difference": measure(4.0 + float(rng.standard_normal()), 1.5, 4.4),
        "tilt_deg": None,
        "sensor_offset_deg": None,
        "tilt_change_deg": [0.0, 0.3, -0.2],
        "sway_deg": [0.21, 0.33, 0.27],
        "problem": "",
    }
    return StandingRow(f"standing-{number:02d}", athlete, round(started.timestamp() * 1e9), "", "", result)


def make_library(home: Home, truth: Truth | None = None, *, athlete: str = "Maya", runs: int = 23) -> None:
    """Fill a home folder."""
    truth = truth or Truth()
    rng = np.random.default_rng(truth.seed)
    with Store(home.store) as store:
        library = Library(store)
        for number, day in enumerate(DAYS[:runs]):
            started = FIRST + timedelta(days=day)
            km = 21.1 if number == 22 else 8.0 + round(8.0 * float(rng.uniform()), 1)
            found = figures(rng, truth, in_block=day >= 42, km=km, slipped=number == SLIPPED)
            name = f"{started:%Y%m%d-%H%M%S}"
            header = RunHeader(name, athlete, started_utc_ns=round(started.timestamp() * 1e9), source="live")
            store.begin_run(header, home.recordings / f"{name}.mcap", basis="smoothed")
            store.end_run(name)
            library.keep_figures(name, found)
            library.set_shoes(name, "grey, old" if day < 27 else "blue, new")
            library.set_route(name, "river loop" if number % 3 else "hill loop")
            if number == SLIPPED:
                store.set_notes(name, "clip came loose on the stairs")
            folder = home.run_folder(name)
            folder.mkdir(parents=True)
            (folder / "report.html").write_text(
                f"<!doctype html><html lang=en><title>report of {name}</title><main><h1>{found.headline}</h1>"
            )
            (folder / "summary.json").write_text(json.dumps(summary(found, rng)))
        for number, day in enumerate(DAYS[:runs]):
            library.keep_standing(_standing(rng, athlete, number, day))
        library.begin_block(athlete, "side plank, single-leg bridge", BLOCK_FROM, "3 a week")
