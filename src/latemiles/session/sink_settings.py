"""Tables ``[influx]``, ``[mqtt]`` and ``[jsonl]`` of ``settings.toml``: which sinks a runner has asked for.

Secrets are never in the settings themselves: the environment holds them, or a file that only its owner may
read. A table that is not there is a sink that is not there.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from latemiles.errors import ConfigError

if TYPE_CHECKING:
    from latemiles.sinks.influx import InfluxSettings
    from latemiles.sinks.jsonl import JsonlSettings
    from latemiles.sinks.mqtt import MqttSettings

__all__ = ["SinkSettings", "grafana_url", "load_sinks"]

T = TypeVar("T")

_FORBIDDEN: Final = {"token", "password", "secret"}
_SECRETS: Final = {
    "influx": (("LATEMILES_INFLUX_TOKEN", "token_file"), ("LATEMILES_INFLUX_PASSWORD", "password_file")),
    "mqtt": (("LATEMILES_MQTT_PASSWORD", "password_file"),),
}


@dataclass(frozen=True, slots=True)
class SinkSettings:
    """What is configured; None for a sink that is not."""

    influx: InfluxSettings | None = None
    mqtt: MqttSettings | None = None
    jsonl: JsonlSettings | None = None

    def __bool__(self) -> bool:
        return any((self.influx, self.mqtt, self.jsonl))


def load_sinks(path: Path) -> SinkSettings:
    """Read the sinks of a settings file; none where there is no file.

    Parameters
    ----------
    path : Path
        ``settings.toml``; relative paths inside count from its folder.

    Raises
    ------
    ConfigError
        If the file or a table cannot be used, or a secret lies where others may read it.
    """
    tables = _tables(path)
    influx = mqtt = jsonl = None
    if "influx" in tables:
        # A second's work to import, so only for those who use it.
        from latemiles.sinks.influx import InfluxSettings

        influx = _read("influx", tables["influx"], InfluxSettings, path.parent)
    if "mqtt" in tables:
        from latemiles.sinks.mqtt import MqttSettings

        mqtt = _read("mqtt", tables["mqtt"], MqttSettings, path.parent)
    if "jsonl" in tables:
        from latemiles.sinks.jsonl import JsonlSettings

        folder = _table("jsonl", tables["jsonl"]).get("folder", "jsonl")
        jsonl = JsonlSettings(path.parent / Path(str(folder)).expanduser())
    return SinkSettings(influx, mqtt, jsonl)


def grafana_url(path: Path) -> str:
    """Address of Grafana in ``[grafana]``, which only ``doctor`` uses; empty where it is not told.

    Raises
    ------
    ConfigError
        If the file cannot be read, or it is no address.
    """
    url = _table("grafana", _tables(path).get("grafana", {})).get("url", "")
    if url and not str(url).startswith(("http://", "https://")):
        raise ConfigError("grafana.url", f"expected an address like http://127.0.0.1:3000, got {url!r:.60}.")
    return str(url)


def _tables(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(str(path), f"cannot be read ({error}). Mend or remove the file.") from error


def _table(name: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(name, f"expected a table, got {value!r:.40}. Write [{name}] and a line a setting.")
    return value


def _read(name: str, value: object, kind: type[T], folder: Path) -> T:
    """One table as its settings, with the secret found where it lies."""
    from latemiles.sinks.secrets import find_secret

    table = dict(_table(name, value))
    for word in _FORBIDDEN & set(table):
        variable, file = _SECRETS[name][-1 if word == "password" else 0]
        # The value itself must not be in the message.
        raise ConfigError(
            f"{name}.{word}", f"a secret does not belong in the settings. Set {variable}, or {file} = a file."
        )
    found = []
    for variable, key in _SECRETS[name]:
        file = table.pop(key, None)
        found.append(find_secret(variable, folder / Path(str(file)).expanduser() if file else None))
    known = {f.name: f for f in fields(kind) if f.name != "secret"}  # type: ignore[arg-type]
    for key, setting in table.items():
        if key not in known:
            raise ConfigError(f"{name}.{key}", f"is not known. Known here: {', '.join(sorted(known))}.")
        table[key] = _typed(f"{name}.{key}", setting, str(known[key].type))
    if table.get("ca_file"):
        table["ca_file"] = os.fspath(folder / Path(table["ca_file"]).expanduser())
    table["secret"] = next((secret for secret in found if secret), found[0])
    try:
        return kind(**table)
    except TypeError as error:
        needed = "url" if name == "influx" else "host"
        raise ConfigError(f"{name}.{needed}", "is missing. Say where the server is.") from error


def _typed(name: str, value: object, kind: str) -> object:
    """The value if it is of the kind that the setting's annotation names."""
    if kind == "float" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value).__name__ != kind:
        raise ConfigError(name, f"expected a value of type {kind}, got {value!r:.40}. Change it.")
    return value
