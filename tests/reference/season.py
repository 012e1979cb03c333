"""A made-up season: forty runs of a runner whose tilt grows by two degrees in each, as rows of an outbox.

Every number is invented. One stride in `every` is kept, so that a test need not wait.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from latemiles.metrics.catalogue import CATALOGUE, COLUMN_INDEX, NUMERIC_COLUMNS
from latemiles.signals.events import (
    CalibrationFound,
    DriftFound,
    DriftUpdate,
    Event,
    Gap,
    LinkChanged,
    Marked,
    Slip,
    Split,
    Stride,
)
from latemiles.signals.frames import SEGMENTS, Segment, Side
from latemiles.store import OutboxRow
from latemiles.trends.params import HEADLINE

DAY_NS = 86_400 * 10**9
STRIDE_S = 0.7
NAN = float("nan")
MILE_M = 1609.344


def season(
    last_started_ns: int, *, runs: int = 40, minutes: float = 45.0, every: int = 5, athlete: str = "anna"
) -> Iterator[OutboxRow]:
    """Rows of all runs, oldest first; one run every other day.

    Parameters
    ----------
    last_started_ns : int
        Start of the newest run, ns since 1970.
    runs : int
        Number of runs.
    minutes : float
        Length of each.
    every : int
        One stride in so many is kept.
    athlete : str
        Whose season it is.
    """
    row_id = 0
    for number in range(runs):
        started = last_started_ns - 2 * (runs - 1 - number) * DAY_NS
        for event in _run(number, minutes, every):
            row_id += 1
            kind = _KINDS[type(event)]
            yield OutboxRow(row_id, f"{athlete}-{number:03d}", athlete, started, kind, event)


_KINDS = {
    Stride: "stride",
    Split: "split",
    Marked: "mark",
    DriftUpdate: "form_drift",
    DriftFound: "drift_found",
    LinkChanged: "link",
    Gap: "gap",
    Slip: "slip",
    CalibrationFound: "calibration",
}


def _run(number: int, minutes: float, every: int) -> Iterator[Event]:
    rng = np.random.default_rng([7, number])
    for segment in SEGMENTS:
        yield LinkChanged(0.1, segment, "up", "", 95.0 - number % 10)
    quats = ((1.0, 0.0, 0.0, 0.0),) * 3
    residual = tuple(np.abs(rng.normal(0.01, 0.004, 3)).tolist())
    yield CalibrationFound(15.0, "standing", "movement", quats, 0.015, residual, 2.0, 12.0, 13.0, 15.0)
    if number % 8 == 0:
        yield Marked(1.0, f"shoes: pair {number // 8}")
    if number % 5 == 0:
        yield Marked(2.0, "exercise: hip hikes")
    strides = list(_strides(rng, number, minutes, every))
    events: list[Event] = [*strides, *_splits(strides, minutes), *_drifts(rng, minutes)]
    yield from sorted(events, key=lambda event: event.t_s)
    yield Marked(900.0, "gel")
    yield Marked(2200.0, "water")
    yield Slip(2250.0, Segment.PELVIS, 0.02)
    yield LinkChanged(2300.0, Segment.PELVIS, "down", "", NAN)
    yield LinkChanged(2304.0, Segment.PELVIS, "up", "", 80.0)
    yield Gap(1000.0, 1003.5, Segment.LEFT_THIGH, "link lost")
    for key in HEADLINE:
        yield DriftFound(0.0, key, 1.9, 1.3, 2.5, 0.8, "clear change", 1, 640.0, 580.0, 730.0)


def _drifts(rng: np.random.Generator, minutes: float) -> Iterator[DriftUpdate]:
    for k, t in enumerate(np.arange(620.0, 60.0 * minutes, 20.0).tolist()):
        late = min(1.0, k / 90.0)
        for key in HEADLINE:
            change = 2.0 * late + 0.2 * float(rng.standard_normal())
            verdict = "likely change" if change > 1.2 else "no change"
            yield DriftUpdate(t, key, change, change - 0.5, change + 0.5, 0.8, verdict, int(change > 1.2))


def _strides(rng: np.random.Generator, number: int, minutes: float, every: int) -> Iterator[Stride]:
    t = np.arange(30.0, 60.0 * minutes, STRIDE_S / 2.0 * every)
    centre = np.array([5.0 + k % 7 for k in range(len(CATALOGUE))])
    values = centre + rng.standard_normal((t.size, centre.size)) + 0.02 * number
    late = np.clip((t - 600.0) / 1800.0, 0.0, 1.0)
    values[:, COLUMN_INDEX["pelvic_tilt_mean_deg"]] += 2.0 * late
    values[:, COLUMN_INDEX["index"]] = np.arange(t.size) * every
    values[:, COLUMN_INDEX["t_ic_s"]] = t
    values[:, COLUMN_INDEX["distance_m"]] = 3.2 * (t - 30.0)
    values[:, COLUMN_INDEX["speed_m_s"]] = 3.2 + 0.02 * rng.standard_normal(t.size)
    values[:, COLUMN_INDEX["cadence_spm"]] = 172.0 + 1.5 * rng.standard_normal(t.size)
    for k, row in enumerate(values.tolist()):
        side = Side.LEFT if k % 2 == 0 else Side.RIGHT
        yield Stride(float(t[k]), side, k * every, tuple(row), 0 if k % 50 else 1)


def _splits(strides: list[Stride], minutes: float) -> Iterator[Split]:
    values = np.array([s.values for s in strides])
    distance = values[:, COLUMN_INDEX["distance_m"]]
    for index in range(int(distance[-1] // MILE_M)):
        inside = (distance >= index * MILE_M) & (distance < (index + 1) * MILE_M)
        medians = np.median(values[inside], axis=0)
        assert medians.size == len(NUMERIC_COLUMNS)
        end_s = 30.0 + (index + 1) * MILE_M / 3.2
        yield Split(end_s, index, end_s - MILE_M / 3.2, MILE_M, 1400, 1300, tuple(medians.tolist()))
