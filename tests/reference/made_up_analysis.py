"""Made-up runs, as ``Analysis`` objects, for the tests of the report. No estimator is involved."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from latemiles.analysis_result import Analysis, ContextTrack, GaitEvents
from latemiles.metrics.catalogue import COLUMN_INDEX, NUMERIC_COLUMNS
from latemiles.metrics.table import StrideTable
from latemiles.signals.events import Activity, CalibrationFound, Gap, Marked, Slip, Split
from latemiles.signals.frames import SEGMENTS, Segment
from latemiles.signals.quality import StrideQuality
from latemiles.signals.records import RunHeader
from latemiles.signals.results import (
    AdjustedChange,
    Asymmetry,
    Ensemble,
    FormDrift,
    QualityReport,
    Rival,
    SensorQuality,
)
from latemiles.trends.form_drift import DRIFT_METRICS

NAN = math.nan
MILE_M = 1609.344


@dataclass(frozen=True)
class Plan:
    """What the made-up run is like."""

    duration_s: float = 6360.0
    tilt_change: float = 2.1
    change_at_s: float | None = 3540.0
    verdict: str = "clear change"
    speed: bool = True
    grade: bool = True
    adjusted: bool = True
    heart: bool = True
    standing: bool = True
    walking: bool = False
    no_thigh: Segment | None = None
    no_pelvis: bool = False
    slip_at_s: float | None = None
    gap_s: tuple[float, float] | None = None
    side_change: float = 0.0
    late_speed_loss: float = 0.04
    split_m: float = MILE_M
    seed: int = 7


def made_up(plan: Plan) -> Analysis:
    """One run after the plan."""
    rng = np.random.default_rng(plan.seed)
    t, side = _stride_times(plan)
    speed = _speed(plan, t)
    distance = np.cumsum(np.concatenate([[0.0], speed[:-1] * np.diff(t)])) if len(t) else t
    wander = _wander(rng, len(t))
    tilt_adjusted = 4.0 + _rise(plan, t) * plan.tilt_change + wander
    tilt = tilt_adjusted + 2.7 * (speed - (speed[0] if len(speed) else 0.0)) * plan.speed
    quality = _quality(plan, t)
    table = _table(plan, rng, t, side, speed, distance, tilt, quality)
    drift = _tilt_drift(plan, table, tilt_adjusted)
    return Analysis(
        header=_header(plan),
        basis="smoothed",
        reference="standing" if plan.standing else "baseline",
        t=np.zeros(0),
        pelvis=np.zeros((0, 3)),
        hip_left=np.zeros((0, 3)),
        hip_right=np.zeros((0, 3)),
        orientation={},
        events=GaitEvents(np.zeros(0), np.zeros(0, dtype="U15"), np.zeros(0, dtype="U5"), np.zeros(0)),
        strides=table,
        splits=_splits(plan, table, t, distance),
        form_drift=_form_drift(plan, drift, table),
        asymmetry=_asymmetry(plan, table),
        ensembles=_ensembles(plan),
        context=_context(plan, t, speed, distance, rng),
        quality=_report(plan, table),
        provenance={"latemiles": "0.1.0", "method": "made up"},
    )


def _header(plan: Plan) -> RunHeader:
    return RunHeader(
        run="half-marathon",
        athlete="Maya <O.>",
        started_utc_ns=1_763_193_720_000_000_000,
        source="made-up numbers",
    )


def _stride_times(plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    step = 0.62 if plan.walking else 0.347
    t = np.arange(12.0, plan.duration_s - 2.0, step)
    return t, np.arange(len(t)) % 2


def _late(plan: Plan, t: np.ndarray) -> np.ndarray:
    since = plan.change_at_s if plan.change_at_s is not None else 0.55 * plan.duration_s
    u = np.clip((t - since + 60.0) / 1100.0, 0.0, 1.0)
    return u * u * (3.0 - 2.0 * u)


def _rise(plan: Plan, t: np.ndarray) -> np.ndarray:
    return _late(plan, t)


def _hill(t: np.ndarray) -> np.ndarray:
    return 0.04 * np.exp(-(((t - 2400.0) / 130.0) ** 2)) - 0.035 * np.exp(-(((t - 2750.0) / 140.0) ** 2))


def _speed(plan: Plan, t: np.ndarray) -> np.ndarray:
    base = 1.4 if plan.walking else 3.33
    drop = plan.late_speed_loss * np.clip((t - 0.45 * plan.duration_s) / (0.3 * plan.duration_s), 0.0, 1.0)
    return base * (1.0 - drop - (2.0 * _hill(t) if plan.grade else 0.0))


def _wander(rng: np.random.Generator, n: int) -> np.ndarray:
    slow = np.zeros(n)
    kicks = rng.normal(size=n)
    for k in range(1, n):
        slow[k] = 0.997 * slow[k - 1] + 0.011 * kicks[k]
    return slow + 0.75 * rng.normal(size=n)


def _quality(plan: Plan, t: np.ndarray) -> np.ndarray:
    bits = np.zeros(len(t), dtype=np.int64)
    bits[t < 180.0] |= int(StrideQuality.WARM_UP)
    if plan.walking:
        bits |= int(StrideQuality.NOT_RUNNING)
    for turn in np.arange(700.0, plan.duration_s, 900.0):
        bits[(t > turn) & (t < turn + 6.0)] |= int(StrideQuality.TURN)
    if plan.gap_s:
        bits[(t > plan.gap_s[0]) & (t < plan.gap_s[1])] |= int(StrideQuality.GAP)
    if plan.slip_at_s:
        bits[np.abs(t - plan.slip_at_s - 10.0) < 12.0] |= int(StrideQuality.SLIPPED)
    return bits


def _table(plan, rng, t, side, speed, distance, tilt, quality) -> StrideTable:
    values = np.full((len(t), len(NUMERIC_COLUMNS)), NAN)

    def put(name: str, column: np.ndarray | float) -> None:
        values[:, COLUMN_INDEX[name]] = column

    late = _late(plan, t)
    put("index", np.arange(len(t)))
    put("t_ic_s", t)
    put("stride_time_s", 1.24 if plan.walking else 0.694)
    put("cadence_spm", (97.0 if plan.walking else 173.0) - 1.6 * late + 0.6 * rng.normal(size=len(t)))
    contact = (0.76 if plan.walking else 0.235) + 0.006 * late + 0.004 * rng.normal(size=len(t))
    put("contact_time_s", contact)
    put("t_to_s", t + contact)
    if plan.speed:
        put("speed_m_s", speed)
        put("distance_m", distance)
    right = side == 1
    drop = np.where(right, 5.4 + plan.side_change * late, 5.0) + 0.6 * rng.normal(size=len(t))
    put("pelvic_drop_excursion_deg", drop)
    put("pelvic_tilt_mean_deg", tilt)
    put("pelvic_obliquity_mean_deg", 1.5 + 0.3 * rng.normal(size=len(t)))
    if plan.gap_s:
        inside = (t > plan.gap_s[0]) & (t < plan.gap_s[1])
        values[inside, COLUMN_INDEX["pelvic_tilt_mean_deg"]] = NAN
        values[inside, COLUMN_INDEX["pelvic_drop_excursion_deg"]] = NAN
    if plan.no_pelvis:
        for name in NUMERIC_COLUMNS:
            if name.endswith("_deg"):
                put(name, NAN)
    return StrideTable(side.astype(np.int64), values, quality)


def _medians(table: StrideTable, name: str, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    t, v = table["t_ic_s"][keep], table[name][keep]
    n = len(t) // 25
    return (
        np.median(t[: n * 25].reshape(n, 25), axis=1) if n else np.zeros(0),
        np.median(v[: n * 25].reshape(n, 25), axis=1) if n else np.zeros(0),
    )


def _windows(plan: Plan) -> tuple[tuple[float, float], tuple[float, float]]:
    return (180.0, 600.0), (0.78 * plan.duration_s, plan.duration_s)


def _tilt_drift(plan: Plan, table: StrideTable, adjusted: np.ndarray) -> FormDrift:
    name = "pelvic_tilt_mean_deg"
    keep = table.used_for(name)
    times, medians = _medians(table, name, keep)
    base, late = _windows(plan)
    in_base = (times >= base[0]) & (times < base[1])
    in_late = times >= late[0]
    strides = table["t_ic_s"][keep]
    n_base = int(np.count_nonzero((strides >= base[0]) & (strides < base[1])))
    n_late = int(np.count_nonzero(strides >= late[0]))
    short = n_base < 300 or n_late < 300
    start = float(np.mean(medians[in_base])) if in_base.any() and not short else NAN
    raw = float(np.mean(medians[in_late])) - start if in_late.any() else NAN
    t = table["t_ic_s"][keep]
    n = len(t) // 25
    fixed = np.median(adjusted[keep][: n * 25].reshape(n, 25), axis=1) if n else np.zeros(0)
    change = float(np.mean(fixed[in_late]) - np.mean(fixed[in_base])) if not short else NAN
    verdict = "too short" if short else plan.verdict
    has_adjusted = plan.adjusted and plan.speed and not short
    is_change = verdict in ("clear change", "likely change")
    since = plan.change_at_s if is_change else None
    return FormDrift(
        metric=name,
        unit="deg",
        change=raw,
        interval=(raw - 0.6, raw + 0.6),
        detectable_change=NAN if short else 0.8,
        slope_per_hour=raw / 1.7,
        slope_interval=((raw - 0.6) / 1.7, (raw + 0.6) / 1.7),
        change_point_s=since,
        change_point_interval_s=(since - 240.0, since + 230.0) if since else None,
        adjusted=AdjustedChange(
            change=change,
            interval=(change - 0.5, change + 0.5),
            detectable_change=0.8,
            verdict=verdict,
            covariates=("speed", "grade", "cadence") if plan.grade else ("speed",),
            coefficients=(2.7, 9.0, 0.0) if plan.grade else (2.7,),
            adjusted_medians=fixed,
        )
        if has_adjusted
        else None,
        verdict=verdict,
        rivals=_rivals(plan, raw, change) if not short else (),
        baseline=start,
        baseline_window_s=base if not short else (NAN, NAN),
        late_window_s=late if not short else (NAN, NAN),
        strides_baseline=n_base,
        strides_late=n_late,
        medians_t_s=times,
        medians=medians,
        medians_side="both",
    )


def _rivals(plan: Plan, raw: float, change: float) -> tuple[Rival, ...]:
    rivals = []
    if plan.speed:
        rivals.append(
            Rival("speed", raw - change, f"Slowing hid {abs(raw - change):.1f} degrees. Taken off.")
        )
    if plan.grade:
        rivals.append(Rival("grade", 0.1, "Under 0.1 degrees over the late miles. Taken off."))
    if plan.slip_at_s:
        rivals.append(Rival("slip", 0.6, "A step of 1.2 degrees; re-zeroed within 0.6."))
    rivals.append(Rival("temperature", NAN, "The sensors do not report a temperature."))
    return tuple(rivals)


def _form_drift(plan: Plan, tilt: FormDrift, table: StrideTable) -> dict[str, FormDrift]:
    if plan.no_pelvis:
        return {}
    drifts = {tilt.metric: tilt}
    difference = _difference_drift(plan, tilt, table)
    if difference is not None:
        drifts[difference.metric] = difference
    rng = np.random.default_rng(plan.seed + 1)
    for name in DRIFT_METRICS:
        if name in drifts:
            continue
        change = float(rng.normal(0.0, 0.15))
        dead = tilt.verdict == "too short" or (plan.no_thigh is not None and name.startswith("hip"))
        change = NAN if dead else change
        drifts[name] = replace(
            tilt,
            metric=name,
            change=change,
            interval=(change - 0.4, change + 0.4),
            detectable_change=NAN if dead else 0.7,
            adjusted=None,
            change_point_s=None,
            change_point_interval_s=None,
            verdict="too short" if dead else "no change",
            rivals=(),
        )
    return drifts


def _leg_medians(table: StrideTable) -> tuple[np.ndarray, np.ndarray]:
    """Times and right minus left of the drop excursion."""
    name = "pelvic_drop_excursion_deg"
    keep = table.used_for(name)
    is_right = table["side"] == "right"
    t_right, right = _medians(table, name, keep & is_right)
    _, left = _medians(table, name, keep & ~is_right)
    n = min(len(right), len(left))
    return t_right[:n], right[:n] - left[:n]


def _difference_drift(plan: Plan, tilt: FormDrift, table: StrideTable) -> FormDrift | None:
    times, gap = _leg_medians(table)
    if len(gap) == 0:
        return None
    base, late = _windows(plan)
    inside = (times >= base[0]) & (times < base[1])
    short = tilt.verdict == "too short"
    start = NAN if short else float(np.mean(gap[inside]))
    change = NAN if short else float(np.mean(gap[times >= late[0]])) - start
    beyond = "clear change" if abs(change) > 0.7 else "no change"
    return replace(
        tilt,
        metric="pelvic_drop_excursion_deg_right_minus_left",
        change=change,
        interval=(change - 0.3, change + 0.3),
        detectable_change=NAN if short else 0.6,
        adjusted=None,
        change_point_s=None,
        change_point_interval_s=None,
        verdict="too short" if short else beyond,
        rivals=(),
        baseline=start,
        medians_t_s=times,
        medians=gap,
        medians_side="right_minus_left",
    )


def _asymmetry(plan: Plan, table: StrideTable) -> dict[str, Asymmetry]:
    name = "pelvic_drop_excursion_deg"
    t_right, gap = _leg_medians(table)
    n = len(gap)
    if n == 0 or plan.no_pelvis:
        return {}
    offset = np.full(n, 3.1)
    if plan.slip_at_s:
        offset[t_right[:n] > plan.slip_at_s] = 4.0
    middle = float(np.median(gap))
    free = Asymmetry(
        name, "deg", middle, (middle - 0.2, middle + 0.2), 0.0, middle, 0.0, t_right[:n], gap, offset * NAN
    )
    peak = Asymmetry(
        "pelvic_drop_stance_peak_deg",
        "deg",
        middle + 3.1,
        (middle + 2.9, middle + 3.3),
        3.1,
        middle,
        1.4,
        t_right[:n],
        gap + offset,
        offset,
    )
    return {free.metric: free, peak.metric: peak}


_SHAPES = {
    "pelvic_tilt": [2.7, 0.2, 1.7, 4.3, 5.3, 2.8, 0.3, 1.5, 4.2, 5.4],
    "pelvic_obliquity": [-2.1, 1.4, 2.9, 1.1, 0.3, 2.1, -1.2, -2.9, -1.1, -0.3],
    "pelvic_rotation": [-1.4, -2.9, -2.7, -2.0, 0.2, 1.4, 2.9, 2.7, 2.1, -0.1],
    "hip_flexion": [22.3, 24.2, 15.9, -1.1, -13.2, -11.2, 1.9, 23.1, 36.0, 29.8],
    "hip_adduction": [-1.6, 4.1, 6.6, 5.8, 3.3, 4.5, -0.6, -4.8, -4.6, -3.0],
    "hip_internal_rotation": [8.8, 8.7, 5.7, 3.5, -3.0, -5.0, -6.3, 0.2, 4.1, 9.6],
}
_SD = {"pelvic_tilt": 1.1, "pelvic_obliquity": 0.9, "pelvic_rotation": 1.4}


def _wave(points: list[float]) -> np.ndarray:
    spectrum = np.fft.rfft(points)[:5]
    phase = np.linspace(0.0, 1.0, 101)
    wave = np.full(101, spectrum[0].real / 10.0)
    for k in range(1, 5):
        wave += 0.2 * np.real(spectrum[k] * np.exp(2j * np.pi * k * phase))
    return wave


def _ensembles(plan: Plan) -> tuple[Ensemble, ...]:
    if plan.walking or plan.duration_s < 200.0:
        return ()
    shapes: dict[str, np.ndarray] = {}
    spreads: dict[str, np.ndarray] = {}
    for angle, points in _SHAPES.items():
        for prefix in ("",) if angle.startswith("pelvic") else ("left_", "right_"):
            name = prefix + angle
            silent = plan.no_pelvis or (
                plan.no_thigh is not None and plan.no_thigh.value.startswith(prefix[:-1] or "-")
            )
            shapes[name] = np.full(101, NAN) if silent else _wave(points)
            spreads[name] = np.full(101, _SD.get(angle, 1.8))
    toe_off = {"left": 34.0, "right": 34.5}
    late = dict(shapes)
    late["pelvic_tilt"] = shapes["pelvic_tilt"] + plan.tilt_change
    bump = np.exp(-(((np.linspace(0, 1, 101) - 0.2) / 0.1) ** 2))
    late["pelvic_obliquity"] = shapes["pelvic_obliquity"] + plan.side_change * bump
    end = plan.duration_s
    first = Ensemble("first mile", 180.0, 660.0, 1370, shapes, spreads, toe_off)
    last = Ensemble("last mile", end - 480.0, end, 1340, late, spreads, toe_off)
    return (first, last)


def _splits(plan: Plan, table: StrideTable, t: np.ndarray, distance: np.ndarray) -> tuple[Split, ...]:
    if plan.speed:
        last = int(distance[-1] // plan.split_m) if len(distance) else 0
        edges = list(np.interp(np.arange(last + 1) * plan.split_m, distance, t)) if len(t) else []
        if len(t) and distance[-1] - last * plan.split_m > 100.0:
            edges.append(float(t[-1]))
    else:
        edges = list(np.arange(0.0, plan.duration_s, 300.0))
    out = []
    for k in range(len(edges) - 1):
        inside = (t >= edges[k]) & (t < edges[k + 1])
        used = inside & table.used
        chosen = used if used.any() else inside
        values = [NAN] * len(NUMERIC_COLUMNS)
        for j in range(len(NUMERIC_COLUMNS)):
            column = table.values[chosen, j]
            if np.isfinite(column).any():
                values[j] = float(np.nanmedian(column))
        length = NAN
        if plan.speed:
            length = float(np.interp(edges[k + 1], t, distance) - np.interp(edges[k], t, distance))
        out.append(
            Split(
                float(edges[k + 1]),
                k,
                float(edges[k]),
                length,
                int(inside.sum()),
                int(used.sum()),
                tuple(values),
            )
        )
    return tuple(out)


def _context(plan, t, speed, distance, rng) -> ContextTrack:
    if not plan.speed or len(t) == 0:
        nothing = np.zeros(0)
        return ContextTrack(nothing, nothing, nothing, nothing, nothing)
    s = np.arange(0.0, plan.duration_s)
    heart = 146.0 + 14.0 * (1.0 - np.exp(-s / 380.0)) + s / 900.0 + rng.normal(size=len(s))
    return ContextTrack(
        s,
        np.interp(s, t, speed),
        _hill(s) if plan.grade else np.full(len(s), NAN),
        np.interp(s, t, distance) + np.minimum(s, 12.0) * 0.0,
        heart if plan.heart else np.full(len(s), NAN),
    )


def _report(plan: Plan, table: StrideTable) -> QualityReport:
    sensors = []
    for segment in SEGMENTS:
        expected = int(200 * plan.duration_s)
        silent = segment == plan.no_thigh or (plan.no_pelvis and segment == Segment.PELVIS)
        lost = 15200 if plan.gap_s and segment == Segment.PELVIS else 900
        heard = 0 if silent else expected - min(lost, expected // 3)
        missing = plan.duration_s if silent else lost / 200.0
        sensors.append(SensorQuality(segment, heard, expected, NAN if silent else 200.03, missing, 12, 1.3))
    gaps = [Gap(plan.gap_s[0], plan.gap_s[1], Segment.PELVIS, "radio")] if plan.gap_s else []
    if not plan.no_thigh and plan.duration_s > 3000.0:
        gaps.append(Gap(1600.0, 1604.5, Segment.RIGHT_THIGH, "radio"))
    nan4 = (NAN, NAN, NAN, NAN)
    calibration = CalibrationFound(
        t_s=12.0,
        reference="standing" if plan.standing else "baseline",
        axes_from="movement" if plan.standing else "running",
        quat_segment_sensor=((1.0, 0.0, 0.0, 0.0), nan4, nan4),
        obliquity_uncertainty_rad=math.radians(1.0 if plan.standing else 2.5),
        residual_rad=(math.radians(0.4), math.radians(1.9), math.radians(2.1)),
        standing_start_s=2.0 if plan.standing else NAN,
        standing_end_s=8.2 if plan.standing else NAN,
        movement_start_s=9.0 if plan.standing else NAN,
        movement_end_s=14.0 if plan.standing else NAN,
    )
    notes = []
    if not plan.standing:
        notes.append("No standing pose was found. Zero is the mean of the first minutes of running.")
    if plan.no_thigh:
        notes.append(f"The {plan.no_thigh.label} sensor was not heard; that hip's angles are not known.")
    if plan.no_pelvis:
        notes.append("The pelvis sensor was not heard; no angle is known.")
    return QualityReport(
        duration_s=plan.duration_s,
        basis="smoothed",
        reference="standing" if plan.standing else "baseline",
        sensors=tuple(sensors),
        calibration=None if plan.no_pelvis else calibration,
        gaps=tuple(gaps),
        slips=(Slip(plan.slip_at_s, Segment.PELVIS, math.radians(1.2)),) if plan.slip_at_s else (),
        activities=(Activity(0.0, "still"), Activity(10.0, "walking" if plan.walking else "running")),
        marks=(Marked(1800.0, "gel & water"),) if plan.duration_s > 3000.0 else (),
        strides=len(table),
        strides_used=int(table.used.sum()),
        left_out=table.left_out(),
        notes=tuple(notes),
    )


STEADY = Plan(tilt_change=0.15, change_at_s=None, verdict="no change", late_speed_loss=0.005)

PLANS: dict[str, Plan] = {
    "half_marathon": Plan(slip_at_s=5150.0, gap_s=(4190.0, 4266.0), side_change=1.2),
    "no_change": STEADY,
    "likely": Plan(tilt_change=1.15, verdict="likely change", late_speed_loss=0.0, grade=False),
    "backwards": Plan(tilt_change=-1.9, late_speed_loss=0.05, split_m=1000.0),
    "small": replace(STEADY, verdict="small, inside noise", tilt_change=0.5),
    "too_short": Plan(duration_s=25.0),
    "short_run": Plan(duration_s=280.0),
    "walk": Plan(duration_s=1860.0, walking=True, tilt_change=0.0),
    "no_standing": replace(STEADY, standing=False),
    "no_thigh": Plan(no_thigh=Segment.LEFT_THIGH),
    "no_pelvis": Plan(no_pelvis=True),
    "slip": Plan(slip_at_s=3500.0, verdict="slip", tilt_change=1.2),
    "cannot_separate": Plan(verdict="cannot separate", adjusted=False, tilt_change=2.0, change_at_s=None),
    "on_the_spot": replace(STEADY, speed=False, grade=False, heart=False, adjusted=False, duration_s=1860.0),
    "raw_change": Plan(
        speed=False, grade=False, heart=False, adjusted=False, duration_s=4000.0, change_at_s=2000.0
    ),
    "four_hours": Plan(duration_s=14400.0, change_at_s=9000.0),
}
"""Name to plan of each made-up run."""


@cache
def made_up_run(name: str) -> Analysis:
    """One of ``PLANS``."""
    return made_up(PLANS[name])


def empty_run() -> Analysis:
    """Nothing was heard at all."""
    run = made_up(Plan(duration_s=25.0, no_pelvis=True))
    nothing = run.strides.select(np.zeros(0, dtype=np.int64))
    return replace(
        run,
        strides=nothing,
        splits=(),
        quality=replace(run.quality, strides=0, strides_used=0, left_out={}, sensors=(), activities=()),
    )
