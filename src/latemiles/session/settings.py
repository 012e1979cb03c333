"""Settings of a runner: ``settings.toml`` in the home folder, absent by default."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final

from latemiles.config import Config
from latemiles.errors import ConfigError
from latemiles.trends.splits import KILOMETRE_M, MILE_M

__all__ = ["UNITS", "chosen_units", "load_config"]

UNITS: Final = ("metric", "mile")


def chosen_units(path: Path, asked: str | None) -> str:
    """What distances are counted in: as asked, else ``units`` of the settings file, else ``metric``.

    Parameters
    ----------
    path : Path
        The settings file; need not exist.
    asked : str or None
        ``metric`` or ``mile``.

    Raises
    ------
    ConfigError
        If they are neither, or the file cannot be read.
    """
    units = asked if asked is not None else _tables(path).get("units", UNITS[0])
    if units not in UNITS:
        raise ConfigError("units", f"{units!r} is not known. Choose {' or '.join(UNITS)}.")
    return str(units)


def load_config(path: Path, units: str) -> Config:
    """Read the settings of the pipeline; the defaults where there is no file.

    Parameters
    ----------
    path : Path
        The settings file; need not exist.
    units : str
        ``metric`` or ``mile``: what a split is long.

    Raises
    ------
    ConfigError
        If the units are neither, the file is not TOML or names a setting that is not known.
    """
    length_m = MILE_M if chosen_units(path, units) == "mile" else KILOMETRE_M
    told = _tables(path).get("pipeline", {})
    if not isinstance(told, dict):
        raise ConfigError("pipeline", f"expected a table of settings, got {told!r}. Write [pipeline].")
    # What the file says goes before what the units ask for.
    return Config.from_mapping(_over({"monitor": {"splits": {"length_m": length_m}}}, told))


def _over(usual: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """Tables with what was told in place of what is usual, setting by setting."""
    both = usual | told
    for name, value in usual.items():
        if isinstance(value, dict) and isinstance(told.get(name), dict):
            both[name] = _over(value, told[name])
    return both


def _tables(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(path), f"is not TOML ({error}). Mend or remove the file.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), f"cannot be read ({error}). Mend or remove the file.") from error
