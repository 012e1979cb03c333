"""Alert rules: tilt beyond its band, hip rotation asymmetry beyond its band, a sensor lost.

A runner who has stopped sends nothing: no data is no alarm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from boards import HIP_ASYMMETRY, TILT, key_words
from grafana_foundation_sdk.builders import alerting
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import alerting as models

SOURCE = "latemiles-influx"
"""Alert rules cannot use a variable: the uid of the provisioned data source."""
FOLDER = "latemiles"
INFLUX = "influxdb"
EXPRESSION = "__expr__"
LOOK_BACK_S = 300


@dataclass
class Model(Dataquery, Builder[Dataquery]):
    """The model of one step of a rule, as it is."""

    fields: dict[str, object]

    def build(self) -> Model:
        """Itself."""
        return self

    def to_json(self) -> dict[str, object]:
        """The fields."""
        return self.fields


def rules() -> dict[str, Any]:
    """The content of a provisioning file."""
    made = [
        _beyond("latemiles-tilt", TILT),
        _beyond("latemiles-hip-rotation", HIP_ASYMMETRY),
        _rule(
            "latemiles-sensor-lost",
            "A sensor's link is down",
            'SELECT last("up") FROM "link" WHERE $timeFilter GROUP BY "athlete", "segment"',
            ("lt", 0.5),
            "The link to the sensor on {{ $labels.segment }} of {{ $labels.athlete }} is down.",
        ),
    ]
    return {
        "apiVersion": 1,
        "groups": [
            {"orgId": 1, "name": "latemiles", "folder": FOLDER, "interval": "10s", "rules": made},
        ],
    }


def _beyond(uid: str, key: str) -> dict[str, Any]:
    # The detector's own verdict, in both directions: it knows the runner's usual wander, a fixed limit not.
    squared = f'last("{key}_alarm") * last("{key}_alarm")'
    query = f'SELECT {squared} FROM "form_drift" WHERE $timeFilter GROUP BY "athlete"'
    words = f"{key_words(key)} of {{{{ $labels.athlete }}}} has left its usual range."
    return _rule(uid, f"{key_words(key)} beyond its band", query, ("gt", 0.5), words)


def _rule(uid: str, title: str, query: str, limit: tuple[str, float], words: str) -> dict[str, Any]:
    asked = {"rawQuery": True, "query": query, "resultFormat": "time_series", "alias": ""}
    reduced = {"type": "reduce", "expression": "A", "reducer": "last", "settings": {"mode": "dropNN"}}
    conditions = [{"evaluator": {"type": limit[0], "params": [limit[1]]}}]
    judged = {"type": "threshold", "expression": "B", "conditions": conditions}
    rule = (
        alerting.Rule(title)
        .uid(uid)
        .with_query(_step("A", INFLUX, SOURCE, asked))
        .with_query(_step("B", EXPRESSION, EXPRESSION, reduced))
        .with_query(_step("C", EXPRESSION, EXPRESSION, judged))
        .condition("C")
        .for_val("20s")
        .no_data_state("OK")
        .exec_err_state("Error")
        .annotations({"summary": words})
        .labels({"project": "latemiles"})
    )
    made: dict[str, Any] = rule.build().to_json()
    # Fields of Grafana's own database, which a provisioning file does not have.
    return {k: v for k, v in made.items() if k not in ("folderUID", "orgID", "ruleGroup", "id", "updated")}


def _step(ref_id: str, kind: str, source: str, fields: dict[str, object]) -> alerting.Query:
    model = {"refId": ref_id, "datasource": {"type": kind, "uid": source}, **fields}
    look_back_s = 0 if kind == EXPRESSION else LOOK_BACK_S
    return (
        alerting.Query(ref_id)
        .datasource_uid(source)
        .relative_time_range(models.RelativeTimeRange(from_val=look_back_s, to=0))
        .model(Model(model))
    )
