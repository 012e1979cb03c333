"""What must hold for a board, beyond what Grafana's own types check."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from latemiles.metrics.catalogue import NUMERIC_COLUMNS
from latemiles.sinks.points import MEASUREMENTS, TAGS
from latemiles.trends.params import HEADLINE

BUILT_IN = {"timeFilter", "__interval", "tag_side", "tag_segment", "col"}
ENDINGS = ("", "_low", "_high", "_detectable", "_alarm", "_verdict")
FINAL = (
    *("_final", "_final_low", "_final_high", "_final_detectable", "_final_verdict", "_final_adjusted"),
    *("_changed", "_change_point_s", "_change_point_low_s", "_change_point_high_s"),
)
FIELDS = (
    {*NUMERIC_COLUMNS, "quality", "used", "t_s", "label"}
    | {"split_index", "start_s", "end_s", "length_m", "strides", "strides_used", "heart_rate_bpm", "climb_m"}
    | {"up", "battery_percent", "gap_s", "slip_deg", "calibration_residual_deg", "donning_uncertainty_deg"}
    | {f"{key}{ending}" for key in HEADLINE for ending in (*ENDINGS, *FINAL)}
)
UNITS = {
    "degree",
    "s",
    "lengthm",
    "velocityms",
    "accMS2",
    "suffix: spm",
    "none",
    "dtdurations",
    "dthms",
    "bool_on_off",
}


def problems(board: dict[str, Any]) -> list[str]:
    """What is wrong with one board, a line each."""
    return [
        *_places(board),
        *_panels(board),
        *_variables(board),
        *(f"{where}: {what}" for where, text in queries(board) for what in _query(text)),
    ]


def queries(board: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Where each query stands, and its text."""
    for panel in board["panels"]:
        for target in panel["targets"]:
            yield f"panel '{panel['title']}'", target["query"]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            yield f"variable '{variable['name']}'", variable["query"]
    for annotation in board["annotations"].get("list", []):
        yield f"annotation '{annotation['name']}'", annotation["target"]["query"]


def _places(board: dict[str, Any]) -> Iterator[str]:
    taken: dict[tuple[int, int], str] = {}
    for panel in board["panels"]:
        at, title = panel["gridPos"], panel["title"]
        x, y = at.get("x", 0), at.get("y", 0)
        if x + at["w"] > 24 or at["w"] < 3 or at["h"] < 3:
            yield f"panel '{title}' leaves the 24 columns or is too small"
        for cell in ((i, j) for i in range(x, x + at["w"]) for j in range(y, y + at["h"])):
            if cell in taken:
                yield f"panel '{title}' lies over '{taken[cell]}'"
                break
            taken[cell] = title


def _panels(board: dict[str, Any]) -> Iterator[str]:
    ids = [panel["id"] for panel in board["panels"]]
    if len(set(ids)) != len(ids) or 0 in ids:
        yield "ids of panels are not unique"
    for panel in board["panels"]:
        title = panel["title"]
        unit = panel["fieldConfig"]["defaults"].get("unit")
        if unit not in UNITS:
            yield f"panel '{title}' has the unit {unit!r}"
        if not panel.get("description") or not panel.get("targets"):
            yield f"panel '{title}' lacks a description or a query"
        sources = [panel["datasource"], *(target["datasource"] for target in panel.get("targets", []))]
        if any(source != {"type": "influxdb", "uid": "${ds}"} for source in sources):
            yield f"panel '{title}' does not use the data source variable"
    refs = [(p["id"], t["refId"]) for p in board["panels"] for t in p["targets"]]
    if len(set(refs)) != len(refs):
        yield "two queries of a panel have one name"


def _variables(board: dict[str, Any]) -> Iterator[str]:
    known = {variable["name"] for variable in board["templating"]["list"]} | BUILT_IN
    for where, text in queries(board):
        for name in re.findall(r"\$\{?(\w+)", text):
            if name not in known:
                yield f"{where} uses the unknown variable ${name}"
    for end in ("from", "to"):
        if not str(board["time"][end]).startswith("now"):
            yield "the time range is absolute"


def _query(text: str) -> Iterator[str]:
    if re.search(r"from\(bucket|\|>|SELECT \*", text):
        yield "is not InfluxQL by name"
    known = FIELDS | set(MEASUREMENTS) | set(TAGS) | {"$metric"} | set(re.findall(r'AS "([^"]+)"', text))
    for name in re.findall(r'"([^"]+)"', text):
        if name not in known:
            yield f"names '{name}', which nothing writes"
