"""Every query in InfluxQL: the one language that InfluxDB 1, 2 and 3 and Grafana share.

`$athlete`, `$run` and `$metric` are variables of a board, `$timeFilter` and `$__interval` are Grafana's.
"""

from __future__ import annotations

WHO = "\"athlete\" = '$athlete'"
RUN = f"{WHO} AND \"run\" = '$run'"
NOW = f"{WHO} AND $timeFilter"
USED = '"used" = 1'
START = '"t_ic_s" >= 180 AND "t_ic_s" < 600'
"""The runner's own start, as form drift has it: three to ten minutes of running."""
LATELY = f"{WHO} AND time > now() - 12h"
"""The run that goes on, however short the time that is shown: a link says only when it changes."""
EVERY = "GROUP BY time($__interval)"
DAILY = "GROUP BY time(1d) fill(none)"


def band(key: str, *, where: str, group: str = "") -> str:
    """Change of a metric against the start, with its interval and the smallest change that counts."""
    names = {
        "change": f'"{key}"',
        "low": f'"{key}_low"',
        "high": f'"{key}_high"',
        "counts from": f'"{key}_detectable"',
        "counts to": f'-1 * "{key}_detectable"',
    }
    if group:
        names = {
            name: f'-1 * last("{key}_detectable")' if name == "counts to" else f"last({field})"
            for name, field in names.items()
        }
        columns = ", ".join(f'{field} AS "{name}"' for name, field in names.items())
        return f'SELECT {columns} FROM "form_drift" WHERE {where} {group} fill(none)'
    columns = ", ".join(f'{field} AS "{name}"' for name, field in names.items())
    columns = f'"t_s" AS "time into the run", {columns}, "{key}_alarm" AS "alarm"'
    return f'SELECT {columns} FROM "form_drift" WHERE {where}'


def over_time(column: str, *, by_side: bool = False) -> str:
    """Mean of one column while the run goes on."""
    side = ', "side"' if by_side else ""
    return f'SELECT mean("{column}") AS "mean" FROM "stride" WHERE {NOW} AND {USED} {EVERY}{side} fill(none)'


def pace() -> str:
    """Seconds a kilometre."""
    return f'SELECT 1000 / mean("speed_m_s") AS "pace" FROM "stride" WHERE {NOW} {EVERY} fill(none)'


def newest(field: str, measurement: str = "form_drift", where: str = NOW) -> str:
    """The last value of one field."""
    return f'SELECT last("{field}") AS "now" FROM "{measurement}" WHERE {where}'


def splits(*columns: str) -> str:
    """Columns of the splits of a run, by the number of the split."""
    wanted = ", ".join(f'"{column}"' for column in columns)
    return f'SELECT "split_index" + 1 AS "split", {wanted} FROM "split" WHERE {RUN}'


def first_and_last(column: str) -> str:
    """First against last split; a last one that is only a rest is left out."""
    first, last = f'first("{column}")', f'last("{column}")'
    return (
        f'SELECT {first} AS "first", {last} AS "last", {last} - {first} AS "change" '
        f'FROM "split" WHERE {RUN} AND "strides_used" >= 100'
    )


def by_day(column: str, *, aggregate: str = "mean", where: str = USED, measurement: str = "stride") -> str:
    """One number a day of running."""
    also = f" AND {where}" if where else ""
    return f'SELECT {aggregate}("{column}") AS "{aggregate}" FROM "{measurement}" WHERE {NOW}{also} {DAILY}'


def side_difference(column: str, *, where: str = USED) -> str:
    """Right minus left, one number a day."""
    legs = ", ".join(
        f'(SELECT "{column}" AS "{side}" FROM "stride" WHERE {NOW} AND {where} AND "side" = \'{side}\')'
        for side in ("right", "left")
    )
    return f'SELECT mean("right") - mean("left") AS "right minus left" FROM {legs} WHERE $timeFilter {DAILY}'


def drift_per_10_km(key: str) -> str:
    """Change at the end of each run, over its distance, for ten kilometres."""
    slope = f'last("{key}") / last("distance_m") * 10000 AS "per 10 km"'
    return f'SELECT {slope} FROM "form_drift" WHERE {NOW} {DAILY}'


def whole_run(key: str) -> str:
    """What the analysis of the whole run found: change against the start, its interval."""
    names = {
        "change": "_final",
        "low": "_final_low",
        "high": "_final_high",
        "counts from": "_final_detectable",
    }
    columns = ", ".join(f'last("{key}{ending}") AS "{name}"' for name, ending in names.items())
    return f'SELECT {columns} FROM "form_drift" WHERE {RUN}'


def change_point(key: str) -> str:
    """When the change began, with the interval of that moment; no row where none was found."""
    names = {"began": "_change_point_s", "at the earliest": "_change_point_low_s"}
    names["at the latest"] = "_change_point_high_s"
    columns = ", ".join(f'"{key}{ending}" AS "{name}"' for name, ending in names.items())
    return f'SELECT {columns} FROM "form_drift" WHERE {RUN} AND "{key}_changed" = 1'


def alarms(key: str) -> str:
    """Moments at which the change detector went off or came back."""
    steps = f'SELECT difference("{key}_alarm") AS "alarm" FROM "form_drift" WHERE {NOW}'
    return f'SELECT "alarm" FROM ({steps}) WHERE "alarm" != 0 AND $timeFilter'
