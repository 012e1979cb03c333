"""A whole replay with a wrong token: the run is complete here, and a person reads one clear line."""

from __future__ import annotations

import json
import shutil
import urllib.request
from functools import partial
from pathlib import Path

import pytest

from latemiles.cli.main import main
from latemiles.session.followers import Deliveries
from latemiles.signals.events import Stride
from latemiles.store import Store
from latemiles.trends.params import HEADLINE
from reference.servers import influxd, influxql, running

RECORDING = Path(__file__).resolve().parents[2] / "recordings" / "no_standing.mcap"


@pytest.mark.slow
def test_a_wrong_token_from_start_to_end_leaves_a_complete_run_and_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    recording = Path(shutil.copy(RECORDING, tmp_path))
    with running(influxd(tmp_path / "influx", auth=True)) as server:
        influxql(server.url, "CREATE USER coach WITH PASSWORD 'right' WITH ALL PRIVILEGES")
        (tmp_path / "home").mkdir()
        (tmp_path / "home" / "settings.toml").write_text(
            f'[influx]\nurl = "{server.url}"\napi = "v1"\nusername = "coach"\n[jsonl]\nfolder = "lines"\n'
        )
        monkeypatch.setenv("LATEMILES_INFLUX_PASSWORD", "wrong-one")
        monkeypatch.setattr("latemiles.session.play.Deliveries", partial(Deliveries, grace_s=1.0))
        assert main(["--home", str(tmp_path / "home"), "replay", str(recording), "--headless"]) == 0
        told = capfd.readouterr()
        lines = [line for line in (told.out + told.err).splitlines() if "InfluxDB" in line]
        assert len(lines) == 2, lines
        assert "refuses the user name or password (401)" in lines[0]
        assert "latemiles sync" in lines[1]
        assert "wrong-one" not in told.out + told.err
        assert "Traceback" not in told.err
        with Store(tmp_path / "home" / "store.sqlite") as store:
            (run,) = store.runs()
            assert run.status == "ended"
            n = len(store.events(run.id, Stride))
            assert n > 100
        (told_file,) = (tmp_path / "home" / "lines").rglob("*.jsonl")
        kinds = [json.loads(line)["kind"] for line in told_file.read_text().splitlines()]
        assert kinds.count("stride") == n
        # The result of the whole run follows by itself to the sink that has everything else.
        assert kinds[-len(HEADLINE) :] == ["drift_found"] * len(HEADLINE)
        assert kinds.count("drift_found") == len(HEADLINE)
        # Mended: the same command that the line named sends everything.
        monkeypatch.setenv("LATEMILES_INFLUX_PASSWORD", "right")
        assert main(["--home", str(tmp_path / "home"), "doctor"]) == 0
        assert "has no database 'latemiles'" in capfd.readouterr().out
        address = f"{server.url}/query?u=coach&p=right"
        urllib.request.urlopen(address, data=b"q=CREATE DATABASE latemiles").close()
        assert main(["--home", str(tmp_path / "home"), "sync"]) == 0
        assert "rows sent" in capfd.readouterr().out
        query = f"{server.url}/query?u=coach&p=right&db=latemiles&q=SELECT+count(%22index%22)+FROM+stride"
        with urllib.request.urlopen(query) as answer:
            (series,) = json.loads(answer.read())["results"][0]["series"]
        assert series["values"][0][1] == n
        query = query.replace("%22index%22", "%22pelvic_tilt_mean_deg_changed%22").replace(
            "stride", "form_drift"
        )
        with urllib.request.urlopen(query) as answer:
            (series,) = json.loads(answer.read())["results"][0]["series"]
        assert series["values"][0][1] == 1
