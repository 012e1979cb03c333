"""The three boards: Live, Run review and Season."""

from __future__ import annotations

from typing import Any

import build as b
import queries as q
from grafana_foundation_sdk.builders import dashboard as board_builders

from latemiles.metrics.catalogue import CATALOGUE, metric
from latemiles.trends.params import HEADLINE, key_parts

TILT = "pelvic_tilt_mean_deg"
DROP = "pelvic_drop_excursion_deg"
HIP_ROTATION = "hip_internal_rotation_mean_deg"
HIP_ASYMMETRY = f"{HIP_ROTATION}_right_minus_left"
UIDS = {"live": "latemiles-live", "run": "latemiles-run", "season": "latemiles-season"}
TITLES = {"live": "latemiles: Live", "run": "latemiles: Run review", "season": "latemiles: Season"}
OF_A_BODY = tuple(m.name for m in CATALOGUE if m.owner != "run")
"""Columns that say something about the runner, and not where a stride is."""
DISCLAIMER = "Measures movement for training; no medical device."


def key_words(key: str) -> str:
    """A form-drift key as a title."""
    column, side = key_parts(key)
    ending = {"both": "", "left": ", left", "right": ", right", "right_minus_left": ", right minus left"}[
        side
    ]
    return b.words_of(column)[0] + ending


def boards() -> dict[str, Any]:
    """File name to board."""
    return {"live": live(), "run": run_review(), "season": season()}


def _board(name: str, about: str) -> Any:
    board = (
        board_builders.Dashboard(TITLES[name])
        .uid(UIDS[name])
        .description(f"{about} {DISCLAIMER}")
        .tags(["latemiles"])
        .timezone("browser")
        .editable()
        .with_variable(b.source_variable())
        .with_variable(
            b.query_variable("athlete", "Runner", 'SHOW TAG VALUES FROM "stride" WITH KEY = "athlete"')
        )
    )
    for other in UIDS:
        if other != name:
            board = board.link(b.link(TITLES[other], UIDS[other]))
    return board


def _add(board: Any, panels: list[Any]) -> Any:
    for number, panel in enumerate(panels, start=1):
        board = board.with_panel(panel.id(number))
    return board


def live() -> Any:
    """What a coach watches during the run."""
    board = _board("live", "The run that goes on.").time("now-15m", "now").refresh("5s")
    board = (
        board.annotation(b.annotation("Marks", b.BLUE, f'SELECT "label" FROM "mark" WHERE {q.NOW}', "label"))
        .annotation(b.annotation("Tilt alarm", b.RED, q.alarms(TILT), "alarm"))
        .annotation(
            b.annotation("Clip moved", b.ORANGE, f'SELECT "slip_deg" FROM "link" WHERE {q.NOW}', "slip_deg")
        )
    )
    grid = b.Grid()
    drift = (
        "Change against the runner's own start, with its 95 % interval. "
        "Outside the grey lines it is more than usual wander."
    )
    verdict = b.figure(
        "Verdict",
        "What the change amounts to.",
        "none",
        b.Query(q.newest(f"{TILT}_verdict")),
        grid.place(4, 4),
    ).mappings([b.verdict_mapping()])
    panels = [
        verdict,
        b.figure("Tilt change", drift, "degree", b.Query(q.newest(TILT)), grid.place(4, 4)),
        b.figure(
            "Drop, right minus left",
            drift,
            "degree",
            b.Query(q.newest(f"{DROP}_right_minus_left")),
            grid.place(4, 4),
        ),
        b.figure(
            "Hip rotation, right minus left",
            drift,
            "degree",
            b.Query(q.newest(HIP_ASYMMETRY)),
            grid.place(4, 4),
        ),
        b.figure(
            "Cadence",
            b.words_of("cadence_spm")[1],
            b.unit_of("cadence_spm"),
            b.Query(q.newest("cadence_spm", "stride")),
            grid.place(4, 4),
        ).decimals(0),
        b.figure(
            "Pace, a kilometre", "From the speed source.", b.PACE_UNIT, b.Query(q.pace()), grid.place(4, 4)
        ).decimals(0),
        b.with_band(
            b.lines(
                f"{key_words(TILT)}: change",
                drift,
                "degree",
                [b.Query(q.band(TILT, where=q.NOW, group=q.EVERY))],
                grid.place(24, 9),
            )
        ),
        b.with_sides(
            b.lines(
                *b.words_of(DROP),
                "degree",
                [b.Query(q.over_time(DROP, by_side=True), alias="$tag_side")],
                grid.place(12, 8),
            )
        ),
        b.with_band(
            b.lines(
                f"{key_words(HIP_ASYMMETRY)}: change",
                drift,
                "degree",
                [b.Query(q.band(HIP_ASYMMETRY, where=q.NOW, group=q.EVERY))],
                grid.place(12, 8),
            )
        ),
        b.lines(
            *b.words_of("cadence_spm"),
            b.unit_of("cadence_spm"),
            [b.Query(q.over_time("cadence_spm"), alias="cadence")],
            grid.place(12, 7),
        ),
        b.lines(
            "Pace, a kilometre",
            "From the speed source.",
            b.PACE_UNIT,
            [b.Query(q.pace(), alias="pace")],
            grid.place(12, 7),
        ),
        _links(grid),
        b.grid_table(
            "Sensors",
            "Battery in percent; seconds not heard.",
            b.Query(
                'SELECT last("battery_percent") AS "battery, %", sum("gap_s") AS "not heard, s" '
                f'FROM "link" WHERE {q.LATELY} GROUP BY "segment"',
                table=True,
            ),
            grid.place(12, 6),
        ),
    ]
    return _add(board, panels)


def _links(grid: b.Grid) -> Any:
    query = f'SELECT last("up") AS "up" FROM "link" WHERE {q.LATELY} GROUP BY "segment"'
    about = "1: the sensor is connected; 0: its link is down."
    return b.figure("Links", about, "bool_on_off", b.Query(query, alias="$tag_segment"), grid.place(12, 6))


def run_review() -> Any:
    """One run, looked back on. Nothing here hangs on the time that is chosen: a run has its own."""
    runs = f'SHOW TAG VALUES FROM "stride" WITH KEY = "run" WHERE {q.WHO}'
    board = (
        _board("run", "One run, split by split.")
        .time("now-30d", "now")
        .with_variable(b.query_variable("run", "Run", runs, newest_first=True))
        .with_variable(b.metric_variable(OF_A_BODY, TILT))
    )
    grid = b.Grid()
    about = "First and last full split of the run, and last minus first."
    panels = []
    for key in (TILT, DROP, HIP_ROTATION, "cadence_spm"):
        title, _ = b.words_of(key)
        query = b.Query(q.first_and_last(key), table=True)
        panels.append(b.figure(f"First and last: {title}", about, b.unit_of(key), query, grid.place(6, 5)))
    band = "Change against the start with its 95 % interval; grey: from where it counts; red: alarm."
    for key in HEADLINE:
        query = b.Query(q.band(key, where=q.RUN), table=True)
        wide = 24 if key == TILT else 12
        panel = b.against(
            f"{key_words(key)}: change", band, "degree", "time into the run", query, grid.place(wide, 9)
        )
        panels.append(b.with_band(panel))
        if key == TILT:
            panels += _whole_run_panels(grid)
    panels += _split_panels(grid)
    return _add(board, panels)


def _whole_run_panels(grid: b.Grid) -> list[Any]:
    """The answer of the analysis; empty until the run is over and analysed."""
    change = "Late part against start, over the whole run, speed and grade taken off where they are known."
    began = "Time into the run at which the change began, by the analysis; empty where there was none."
    noticed = f'SELECT first("t_s") AS "noticed" FROM "form_drift" WHERE {q.RUN} AND "{TILT}_alarm" != 0'
    live = "Time into the run at which the live change detector went off; the change began before."
    return [
        b.figure(
            f"{key_words(TILT)}: whole run",
            change,
            "degree",
            b.Query(q.whole_run(TILT), table=True),
            grid.place(8, 5),
        ),
        b.figure(
            "Change point",
            began,
            "dthms",
            b.Query(q.change_point(TILT), table=True),
            grid.place(8, 5),
        ).decimals(0),
        b.figure(
            "Change noticed live", live, "dthms", b.Query(noticed, table=True), grid.place(8, 5)
        ).decimals(0),
    ]


def _split_panels(grid: b.Grid) -> list[Any]:
    harmonic = [m.name for m in CATALOGUE if m.family == "harmonic"]
    any_metric = b.against(
        "$metric, split by split",
        "Any column of the catalogue; choose it above.",
        "none",
        "split",
        b.Query(q.splits("$metric"), table=True),
        grid.place(12, 8),
    )
    asymmetry = b.against(
        "Asymmetry between steps, split by split",
        "From the pelvis alone; free of mounting offsets.",
        "degree",
        "split",
        b.Query(q.splits(*harmonic), table=True),
        grid.place(12, 8),
    )
    shown = ("length_m", "strides_used", "speed_m_s", "cadence_spm", TILT, DROP, HIP_ROTATION)
    splits = b.grid_table(
        "Splits",
        "Medians of the strides of each split.",
        b.Query(q.splits(*shown), table=True),
        grid.place(24, 8),
    )
    return [any_metric, asymmetry, splits]


def season() -> Any:
    """Run to run."""
    about = "Mean from three to ten minutes into the run. Absolute angles move with how the sensors sit."
    marks = f'SELECT "label" FROM "mark" WHERE {q.NOW} AND "label" =~ /^(?i)(shoes|exercise|injury|note)/'
    board = (
        _board("season", "Run to run: where the runner starts, and how far she drifts.")
        .time("now-1y", "now")
        .with_variable(b.metric_variable(OF_A_BODY, TILT))
        .annotation(b.annotation("Shoes and exercises", b.BLUE, marks, "label"))
    )
    grid = b.Grid()
    start = f"{q.USED} AND {q.START}"
    difference = "Right minus left, mean of each day's strides."
    panels = [
        b.lines(
            f"Start value: {key_words(TILT)}",
            about,
            "degree",
            [b.Query(q.by_day(TILT, where=start), alias="start")],
            grid.place(12, 8),
        ),
        b.lines(
            f"{key_words(TILT)}: change per 10 km",
            "Change at the end of the run, over its distance.",
            "degree",
            [b.Query(q.drift_per_10_km(TILT), alias="per 10 km")],
            grid.place(12, 8),
        ),
        b.lines(
            f"{key_words(DROP)}, right minus left",
            difference,
            "degree",
            [b.Query(q.side_difference(DROP), alias="right minus left")],
            grid.place(8, 8),
        ),
        b.lines(
            f"{key_words(HIP_ROTATION)}, right minus left",
            difference,
            "degree",
            [b.Query(q.side_difference(HIP_ROTATION), alias="right minus left")],
            grid.place(8, 8),
        ),
        b.lines(
            *b.words_of("pelvic_obliquity_harmonic_asymmetry_deg"),
            "degree",
            [b.Query(q.by_day("pelvic_obliquity_harmonic_asymmetry_deg"), alias="asymmetry")],
            grid.place(8, 8),
        ),
        b.lines(
            "Donning uncertainty",
            "How far the mean obliquity of a run may be off by the way the sensors sit.",
            "degree",
            [
                b.Query(
                    q.by_day("donning_uncertainty_deg", aggregate="last", where="", measurement="link"),
                    alias="uncertainty",
                )
            ],
            grid.place(8, 8),
        ),
        b.lines(
            "$metric: start value",
            "Any column of the catalogue; choose it above.",
            "none",
            [b.Query(q.by_day("$metric", where=start), alias="start")],
            grid.place(8, 8),
        ),
        b.lines(
            "$metric: whole run",
            "Any column of the catalogue; choose it above.",
            "none",
            [b.Query(q.by_day("$metric"), alias="run")],
            grid.place(8, 8),
        ),
        b.grid_table(
            "Runs",
            "Distance in metres, strides, cadence and speed of each run.",
            b.Query(
                'SELECT max("distance_m") AS "distance, m", count("index") AS "strides", '
                'mean("cadence_spm") AS "cadence, spm", mean("speed_m_s") AS "speed, m/s" '
                f'FROM "stride" WHERE {q.NOW} GROUP BY "run"',
                table=True,
            ),
            grid.place(24, 9),
        ),
    ]
    return _add(board, panels)


def headline_columns() -> set[str]:
    """Columns behind the headline, for the lint."""
    return {metric(key_parts(key)[0]).name for key in HEADLINE}
