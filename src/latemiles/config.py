"""Settings of the pipeline: one frozen value that holds those of every stage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, TypeVar

from latemiles.errors import ConfigError
from latemiles.estimators.align import AlignParams
from latemiles.estimators.orientation_params import OrientationParams, worn
from latemiles.estimators.posture_params import PostureParams
from latemiles.metrics.strides import StrideParams
from latemiles.trends.monitor import MonitorParams
from latemiles.trends.params import DriftParams

__all__ = ["Config"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Config:
    """Settings of every stage; the defaults are documented where each stage defines them."""

    align: AlignParams = field(default_factory=AlignParams)
    orientation: OrientationParams = field(default_factory=worn)
    posture: PostureParams = field(default_factory=PostureParams)
    strides: StrideParams = field(default_factory=StrideParams)
    monitor: MonitorParams = field(default_factory=MonitorParams)
    drift: DriftParams = field(default_factory=DriftParams)

    @classmethod
    def from_mapping(cls, tables: Mapping[str, Any]) -> Config:
        """Take settings as TOML gives them: a table a stage, a key a setting.

        Raises
        ------
        ConfigError
            If a table or a key is not known, or a value cannot be used.
        """
        return _filled(cls(), tables, "")

    def changed(self) -> dict[str, str]:
        """Settings that are not the default, as ``stage.name`` to text: what a result's provenance says."""
        return dict(_differences(self, Config(), ""))


def _differences(mine: object, usual: object, path: str) -> Iterator[tuple[str, str]]:
    """Settings of ``mine`` that are not those of ``usual``, table by table."""
    for entry in fields(mine):  # type: ignore[arg-type]
        value, default = getattr(mine, entry.name), getattr(usual, entry.name)
        if is_dataclass(value):
            yield from _differences(value, default, f"{path}{entry.name}.")
        elif value != default:
            yield f"{path}{entry.name}", repr(value)


def _filled(default: T, table: Mapping[str, Any], path: str) -> T:
    known = {entry.name for entry in fields(default)}  # type: ignore[arg-type]
    changes: dict[str, Any] = {}
    for name, value in table.items():
        where = f"{path}{name}"
        if name not in known:
            raise ConfigError(where, f"is not known. Known here: {', '.join(sorted(known))}.")
        current = getattr(default, name)
        if is_dataclass(current):
            if not isinstance(value, Mapping):
                raise ConfigError(where, f"expected a table of settings, got {value!r}. Write [{where}].")
            changes[name] = _filled(current, value, f"{where}.")
        elif type(value) is type(current):
            changes[name] = value
        elif isinstance(current, float) and type(value) is int:
            changes[name] = float(value)
        else:
            raise ConfigError(where, f"expected a value like {current!r}, got {value!r}. Change it.")
    return replace(default, **changes)  # type: ignore[type-var]
