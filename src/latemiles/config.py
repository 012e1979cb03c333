"""Settings of the pipeline: one frozen value that holds those of every stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, TypeVar

from latemiles.errors import ConfigError
from latemiles.estimators.align import AlignParams
from latemiles.estimators.orientation_params import OrientationParams
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
    orientation: OrientationParams = field(default_factory=OrientationParams)
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
        """Settings that are not the default, as ``stage.name`` to text, for provenance."""
        out: dict[str, str] = {}
        for stage in fields(self):
            mine, usual = getattr(self, stage.name), getattr(Config(), stage.name)
            for entry in fields(mine):
                value = getattr(mine, entry.name)
                if value != getattr(usual, entry.name):
                    out[f"{stage.name}.{entry.name}"] = repr(value)
        return out


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
        elif isinstance(value, bool) != isinstance(current, bool) or not isinstance(value, int | float | str):
            raise ConfigError(where, f"expected a value like {current!r}, got {value!r}. Change it.")
        else:
            changes[name] = type(current)(value)
    return replace(default, **changes)  # type: ignore[type-var]
