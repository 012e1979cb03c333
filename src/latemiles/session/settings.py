"""Settings of a runner: ``settings.toml`` in the home folder, absent by default."""

from __future__ import annotations

import tomllib
from pathlib import Path

from latemiles.config import Config
from latemiles.errors import ConfigError

__all__ = ["load_config"]


def load_config(path: Path) -> Config:
    """Read the settings of the pipeline; the defaults where there is no file.

    Raises
    ------
    ConfigError
        If the file is not TOML or names a setting that is not known.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return Config()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), f"cannot be read ({error}). Mend or remove the file.") from error
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(path), f"is not TOML ({error}). Mend or remove the file.") from error
    return Config.from_mapping(tables.get("pipeline", {}))
