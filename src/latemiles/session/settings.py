"""Settings of a runner: ``settings.toml`` in the home folder, absent by default."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final

from latemiles.config import Config
from latemiles.errors import ConfigError
from latemiles.trends.splits import KILOMETRE_M, MILE_M

__all__ = ["UNITS", "load_config"]

UNITS: Final = ("metric", "mile")


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
    if units not in UNITS:
        raise ConfigError("units", f"'{units}' is not known. Choose {' or '.join(UNITS)}.")
    split = {"monitor": {"splits": {"length_m": MILE_M if units == "mile" else KILOMETRE_M}}}
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return Config.from_mapping(split)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), f"cannot be read ({error}). Mend or remove the file.") from error
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(path), f"is not TOML ({error}). Mend or remove the file.") from error
    # What the file says goes before what the units ask for.
    return Config.from_mapping(split | tables.get("pipeline", {}))
