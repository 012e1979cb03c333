"""Small helpers around the Grafana SDK: an InfluxQL query, and panels with words from the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as board_builders
from grafana_foundation_sdk.builders import stat, table, timeseries, trend
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common, dashboard

from latemiles.metrics.catalogue import metric
from latemiles.sinks.points import VERDICTS

INFLUX = "influxdb"
DS = dashboard.DataSourceRef(type_val=INFLUX, uid="${ds}")
UNITS = {
    "deg": "degree",
    "s": "s",
    "m": "lengthm",
    "m/s": "velocityms",
    "m/s^2": "accMS2",
    "steps/min": "suffix: spm",
    "": "none",
}
"""Unit of the catalogue to unit of Grafana."""
PACE_UNIT = "dtdurations"
BLUE, ORANGE, GREY, RED = "#3274D9", "#E0752D", "#8E8E8E", "#C4162A"


@dataclass
class Query(Dataquery, Builder[Dataquery]):
    """One query in InfluxQL; the SDK has no class for it."""

    text: str
    ref_id: str = "A"
    table: bool = False
    alias: str = "$col"

    def build(self) -> Query:
        """Itself."""
        return self

    def to_json(self) -> dict[str, object]:
        """As Grafana's InfluxDB data source wants it."""
        return {
            "refId": self.ref_id,
            "datasource": DS,
            "rawQuery": True,
            "query": self.text,
            "resultFormat": "table" if self.table else "time_series",
            "alias": "" if self.table else self.alias,
        }


@dataclass
class AnnotationTarget:
    """A query of an annotation, in the form that Grafana 11 keeps it."""

    query: str
    text_column: str

    def build(self) -> AnnotationTarget:
        """Itself."""
        return self

    def to_json(self) -> dict[str, object]:
        """As Grafana's InfluxDB data source wants it."""
        return {
            "refId": "Anno",
            "query": self.query,
            "queryType": "tags",
            "fromAnnotations": True,
            "textColumn": self.text_column,
            "tagsColumn": "",
        }


class Grid:
    """Gives out places from left to right and downwards, so that nothing overlaps."""

    def __init__(self) -> None:
        self._x = self._y = self._row = 0

    def place(self, width: int, height: int) -> dashboard.GridPos:
        """The next place."""
        if self._x + width > 24:
            self._x, self._y = 0, self._y + self._row
            self._row = 0
        place = dashboard.GridPos(x=self._x, y=self._y, w=width, h=height)
        self._x, self._row = self._x + width, max(self._row, height)
        return place


def unit_of(column: str) -> str:
    """Grafana's unit of a column of the catalogue."""
    return UNITS[metric(column).unit]


def words_of(column: str) -> tuple[str, str]:
    """Title and description of a column, from the catalogue; an estimate carries that word."""
    entry = metric(column)
    title = entry.label[0].upper() + entry.label[1:] + (" (estimate)" if entry.estimate else "")
    return title, f"{entry.definition} {entry.sign}".strip()


def lines(
    title: str, about: str, unit: str, queries: Sequence[Query], place: dashboard.GridPos
) -> timeseries.Panel:
    """Values over the time of day."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(about)
        .datasource(DS)
        .unit(unit)
        .grid_pos(place)
        .line_width(2)
        .fill_opacity(0)
        .span_nulls(False)
        .show_points(common.VisibilityMode.AUTO)
    )
    for query in queries:
        panel = panel.with_target(query)
    return panel


def against(
    title: str, about: str, unit: str, x_field: str, query: Query, place: dashboard.GridPos
) -> trend.Panel:
    """Values over a field instead of the time of day: the split, or the time into the run."""
    return (
        trend.Panel()
        .title(title)
        .description(about)
        .datasource(DS)
        .unit(unit)
        .grid_pos(place)
        .x_field(x_field)
        .line_width(2)
        .fill_opacity(0)
        .with_target(query)
    )


def figure(title: str, about: str, unit: str, query: Query, place: dashboard.GridPos) -> stat.Panel:
    """One or some numbers, large."""
    return (
        stat.Panel()
        .title(title)
        .description(about)
        .datasource(DS)
        .unit(unit)
        .decimals(1)
        .grid_pos(place)
        .no_value("none yet")
        .graph_mode(common.BigValueGraphMode.NONE)
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
        .with_target(query)
    )


def grid_table(title: str, about: str, query: Query, place: dashboard.GridPos) -> table.Panel:
    """Rows and columns."""
    return (
        table.Panel()
        .title(title)
        .description(about)
        .datasource(DS)
        .unit("none")
        .grid_pos(place)
        .with_target(query)
    )


def with_band(panel: Any) -> Any:
    """Colours of a band: the change as a line, its interval shaded, and grey lines from where it counts."""
    hidden = [_value("custom.lineWidth", 0), _value("custom.fillOpacity", 15), _colour(BLUE)]
    grey = [
        _colour(GREY),
        _value("custom.lineWidth", 1),
        _value("custom.lineStyle", {"dash": [8, 8], "fill": "dash"}),
    ]
    return (
        panel.override_by_name("high", [*hidden, _value("custom.fillBelowTo", "low")])
        .override_by_name("low", [_value("custom.lineWidth", 0), _colour(BLUE)])
        .override_by_name("change", [_colour(BLUE)])
        .override_by_name("counts from", grey)
        .override_by_name("counts to", grey)
        .override_by_name(
            "alarm", [_colour(RED), _value("custom.axisPlacement", "right"), _value("unit", "none")]
        )
    )


def with_sides(panel: Any) -> Any:
    """Left and right in the colours of the live page."""
    return panel.override_by_name("left", [_colour(BLUE)]).override_by_name("right", [_colour(ORANGE)])


def verdict_mapping() -> dashboard.ValueMap:
    """The code of a verdict as its words."""
    return dashboard.ValueMap(
        options={
            str(code): dashboard.ValueMappingResult(text=words, index=code)
            for code, words in enumerate(VERDICTS)
        }
    )


def _value(name: str, value: object) -> dashboard.DynamicConfigValue:
    return dashboard.DynamicConfigValue(id_val=name, value=value)


def _colour(colour: str) -> dashboard.DynamicConfigValue:
    return _value("color", {"mode": "fixed", "fixedColor": colour})


def source_variable() -> Any:
    """Which InfluxDB."""
    return board_builders.DatasourceVariable("ds").label("InfluxDB").type(INFLUX)


def query_variable(name: str, label: str, query: str, *, newest_first: bool = False) -> Any:
    """A variable whose values come from the database."""
    order = (
        dashboard.VariableSort.ALPHABETICAL_DESC if newest_first else dashboard.VariableSort.ALPHABETICAL_ASC
    )
    return (
        board_builders.QueryVariable(name)
        .label(label)
        .datasource(DS)
        .query(query)
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(order)
    )


def metric_variable(columns: Iterable[str], default: str) -> Any:
    """Any column of the catalogue."""
    names = list(columns)
    return (
        board_builders.CustomVariable("metric")
        .label("Metric")
        .values(",".join(names))
        .current(dashboard.VariableOption(selected=True, text=default, value=default))
    )


def annotation(name: str, colour: str, query: str, text_column: str) -> Any:
    """Events drawn over every panel with a time axis."""
    return (
        board_builders.AnnotationQuery()
        .name(name)
        .datasource(DS)
        .enable(True)
        .icon_color(colour)
        .target(AnnotationTarget(query, text_column))
    )


def link(title: str, uid: str) -> Any:
    """To another board, with the same variables."""
    return (
        board_builders.DashboardLink(title)
        .type(dashboard.DashboardLinkType.LINK)
        .url(f"/d/{uid}")
        .include_vars(True)
        .icon("dashboard")
    )
