"""Settings of the sinks: what is asked for, what is refused, and where secrets may lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from latemiles.errors import ConfigError
from latemiles.session.sink_settings import grafana_url, load_sinks
from latemiles.sinks.secrets import Secret

VARIABLES = ("LATEMILES_INFLUX_TOKEN", "LATEMILES_INFLUX_PASSWORD", "LATEMILES_MQTT_PASSWORD")


@pytest.fixture(autouse=True)
def no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)


def written(folder: Path, text: str) -> Path:
    path = folder / "settings.toml"
    path.write_text(text)
    return path


def test_without_settings_there_are_no_sinks(tmp_path: Path):
    assert not load_sinks(tmp_path / "settings.toml")
    assert not load_sinks(written(tmp_path, "[pipeline]\n"))


def test_all_three_are_read_and_paths_count_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LATEMILES_INFLUX_TOKEN", "t0ken")
    (tmp_path / "mqtt.password").write_text("pass word\n")
    (tmp_path / "mqtt.password").chmod(0o600)
    text = """
[influx]
url = "https://db.example:8086"
org = "team"
timeout_s = 5
[mqtt]
host = "broker.example"
tls = true
ca_file = "ca.crt"
username = "coach"
password_file = "mqtt.password"
home_assistant = true
[jsonl]
folder = "lines"
[grafana]
url = "http://127.0.0.1:3000"
"""
    path = written(tmp_path, text)
    sinks = load_sinks(path)
    assert sinks.influx is not None
    assert sinks.mqtt is not None
    assert sinks.jsonl is not None
    assert sinks.influx.secret.reveal() == "t0ken"
    assert (sinks.influx.api, sinks.influx.bucket, sinks.influx.timeout_s) == ("v2", "latemiles", 5.0)
    assert sinks.mqtt.secret.reveal() == "pass word"
    assert sinks.mqtt.address == "broker.example:8883"
    assert sinks.mqtt.ca_file == str(tmp_path / "ca.crt")
    assert sinks.jsonl.folder == tmp_path / "lines"
    assert grafana_url(path) == "http://127.0.0.1:3000"
    assert "t0ken" not in repr(sinks)
    assert "pass word" not in repr(sinks)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            '[influx]\nurl = "http://h"\ntoken = "abc"',
            r"token.*LATEMILES_INFLUX_TOKEN, or token_file",
        ),
        ('[influx]\nurl = "http://h"\npassword = "abc"', r"LATEMILES_INFLUX_PASSWORD, or password_file"),
        ('[mqtt]\nhost = "h"\npassword = "abc"', r"mqtt\.password.*LATEMILES_MQTT_PASSWORD"),
        ('[influx]\nurl = "http://me:abc@h"', r"holds a user name, password or query"),
        ('[influx]\nurl = "db:8086"', r"expected an address like http"),
        ("[influx]\n", r"influx\.url.*missing"),
        ("[mqtt]\n", r"mqtt\.host.*missing"),
        ('[mqtt]\nhost = "mqtt://h"', r"without mqtt://"),
        ('[mqtt]\nhost = "h"\nport = "1883"', r"mqtt\.port.*type int"),
        ('[mqtt]\nhost = "h"\nlive_hz = 50', r"takes 0 to 10"),
        ('[mqtt]\nhost = "h"\nca_file = "x"', r"without tls = true"),
        ('[mqtt]\nhost = "h"\nsecret = "abc"', r"does not belong"),
        ('[mqtt]\nhost = "h"\nqos = 2', r"mqtt\.qos.*not known.*username"),
        ('[influx]\nurl = "http://h"\napi = "v3"', r"takes v1 or v2"),
        ("influx = 3", r"expected a table"),
        ("[influx", r"cannot be read"),
    ],
)
def test_what_cannot_be_used_is_told_without_the_secret(tmp_path: Path, text: str, words: str):
    with pytest.raises(ConfigError, match=words) as caught:
        load_sinks(written(tmp_path, text))
    assert "abc" not in str(caught.value)


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
def test_a_secret_that_others_may_read_is_refused(tmp_path: Path):
    secret = tmp_path / "influx.token"
    secret.write_text("t0ken")
    secret.chmod(0o640)
    path = written(tmp_path, '[influx]\nurl = "http://h"\ntoken_file = "influx.token"')
    with pytest.raises(ConfigError, match=r"others may read this secret.*chmod 600"):
        load_sinks(path)
    secret.chmod(0o600)
    sinks = load_sinks(path)
    assert sinks.influx is not None
    assert sinks.influx.secret.reveal() == "t0ken"


def test_a_secret_shows_itself_to_nobody():
    secret = Secret("hunter2")
    assert "hunter2" not in f"{secret} {secret!r} {[secret]} {secret!s:>20}"
    assert secret
    assert not Secret("")
