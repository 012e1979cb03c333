"""The generated boards are up to date and sound, and what starts them holds no secret."""

from __future__ import annotations

import contextlib
import copy
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from latemiles.metrics.catalogue import NUMERIC_COLUMNS
from latemiles.sinks.mqtt import MqttSettings
from latemiles.sinks.mqtt_sink import MqttSink
from latemiles.sinks.outbox import SinkRefused
from latemiles.sinks.secrets import Secret
from reference.servers import binary, mosquitto, running

ROOT = Path(__file__).resolve().parents[2] / "dashboards"
BOARDS = {path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "boards").glob("*.json"))}


def linter() -> ModuleType:
    """The module dashboards/lint.py."""
    spec = importlib.util.spec_from_file_location("dashboard_lint", ROOT / "lint.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def panel(board: dict[str, Any], number: int) -> dict[str, Any]:
    return board["panels"][number]


SPOIL = {
    "overlap": lambda b: panel(b, 1)["gridPos"].update(panel(b, 0)["gridPos"]),
    "width": lambda b: panel(b, 0)["gridPos"].update(x=20),
    "ids": lambda b: panel(b, 0).update(id=panel(b, 1)["id"]),
    "unit": lambda b: panel(b, 0)["fieldConfig"]["defaults"].update(unit="degrees"),
    "variable": lambda b: panel(b, 0)["targets"][0].update(query='SELECT "used" FROM "stride" WHERE $runner'),
    "field": lambda b: panel(b, 0)["targets"][0].update(query='SELECT "tilt" FROM "stride"'),
    "source": lambda b: panel(b, 0)["targets"][0]["datasource"].update(uid="abc"),
    "language": lambda b: panel(b, 0)["targets"][0].update(query='from(bucket: "latemiles")'),
    "time": lambda b: b["time"].update({"from": "2026-01-01"}),
}


def test_generating_again_changes_nothing():
    command = [sys.executable, str(ROOT / "generate.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_the_committed_boards_pass_the_lint(name: str):
    assert linter().problems(BOARDS[name]) == []


@pytest.mark.parametrize("fault", sorted(SPOIL))
def test_the_lint_finds_each_fault(fault: str):
    board = copy.deepcopy(BOARDS["live"])
    SPOIL[fault](board)
    assert linter().problems(board)


def test_there_are_three_boards_that_know_each_other_and_only_live_refreshes():
    assert {board["uid"] for board in BOARDS.values()} == {
        "latemiles-live",
        "latemiles-run",
        "latemiles-season",
    }
    for board in BOARDS.values():
        assert len(board["links"]) == 2
    assert {name: board.get("refresh") or "" for name, board in BOARDS.items()} == {
        "live": "5s",
        "run": "",
        "season": "",
    }


def test_every_metric_of_the_catalogue_can_be_chosen():
    offered = next(v for v in BOARDS["run"]["templating"]["list"] if v["name"] == "metric")["query"].split(
        ","
    )
    assert set(NUMERIC_COLUMNS) - set(offered) == {"index", "t_ic_s", "t_to_s", "distance_m", "speed_m_s"}


def test_alert_rules_take_no_data_for_no_alarm_and_ask_the_provisioned_source():
    (group,) = json.loads((ROOT / "provisioning/alerting/rules.json").read_text())["groups"]
    source = yaml.safe_load((ROOT / "provisioning/datasources/influxdb.yaml").read_text())["datasources"][0]
    assert len(group["rules"]) == 3
    for rule in group["rules"]:
        assert rule["noDataState"] == "OK"
        assert rule["data"][0]["datasourceUid"] == source["uid"]
        assert [step["refId"] for step in rule["data"]] == ["A", "B", "C"]
        assert rule["condition"] == "C"


async def test_the_broker_of_the_compose_file_starts_and_wants_its_password(tmp_path: Path):
    # What the container does at each start, with its folders here.
    command = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["mosquitto"]["command"][-1]
    assert command.startswith("mosquitto_passwd -b -c /mosquitto/data/passwords")
    server = mosquitto(tmp_path / "mqtt")
    passwords = tmp_path / "mqtt" / "passwords"
    subprocess.run([binary("mosquitto_passwd"), "-b", "-c", passwords, "coach", "right"], check=True)
    passwords.chmod(0o644)
    text = (ROOT / "mosquitto.conf").read_text().replace("/mosquitto/data", str(tmp_path / "mqtt"))
    kept = (tmp_path / "mqtt" / "mosquitto.conf").read_text().splitlines()[0]
    text = text.replace("listener 1883", f"{kept}\nlistener {server.port} 127.0.0.1")
    (tmp_path / "mqtt" / "mosquitto.conf").write_text(text)
    with running(server):
        for password, good in (("right", True), ("wrong", False)):
            settings = MqttSettings("127.0.0.1", server.port, username="coach", secret=Secret(password))
            with (
                contextlib.nullcontext()
                if good
                else pytest.raises(SinkRefused, match="does not let this user in")
            ):
                await MqttSink(settings).check()


def test_what_the_compose_file_mounts_is_where_grafana_looks_for_it():
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    mounts = {}
    for service in services.values():
        for volume in service["volumes"]:
            source, target, *_ = volume.split(":")
            if source.startswith("./"):
                assert (ROOT / source).exists(), source
                mounts[target] = ROOT / source
    (provider,) = yaml.safe_load((ROOT / "provisioning/dashboards/latemiles.yaml").read_text())["providers"]
    boards = mounts[provider["options"]["path"]]
    assert {path.name for path in boards.glob("*.json")} == {f"{name}.json" for name in BOARDS}
    home = Path(services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (mounts[str(home.parent)] / home.name).exists()
    assert {path.name for path in mounts["/etc/grafana/provisioning"].iterdir()} == {
        "alerting",
        "dashboards",
        "datasources",
    }
    (source,) = yaml.safe_load((ROOT / "provisioning/datasources/influxdb.yaml").read_text())["datasources"]
    influx = services["influxdb"]["environment"]
    assert source["jsonData"]["dbName"] == influx["DOCKER_INFLUXDB_INIT_BUCKET"]
    token = re.fullmatch(r"Token \$\{(\w+)\}", source["secureJsonData"]["httpHeaderValue1"])
    assert token is not None
    assert services["grafana"]["environment"][token[1]] == influx["DOCKER_INFLUXDB_INIT_ADMIN_TOKEN"]


def test_the_compose_file_pins_versions_and_holds_no_password():
    text = (ROOT / "compose.yaml").read_text()
    services = yaml.safe_load(text)["services"]
    assert set(services) == {"influxdb", "grafana", "mosquitto"}
    for service in services.values():
        assert re.search(r":\d+\.\d+\.\d+$", service["image"])
        assert all(port.startswith("${LISTEN:-127.0.0.1}:") for port in service["ports"])
        for name, value in service["environment"].items():
            if re.search("PASSWORD|TOKEN", name):
                assert re.fullmatch(r"\$\{\w+:\?fill in \.env\}", value)
    asked = set(re.findall(r"\$\{(\w+)", text))
    offered = set(re.findall(r"^(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert asked == offered
