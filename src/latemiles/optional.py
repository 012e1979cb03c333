"""Libraries that only some commands need: imported when they are, named when they are missing."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from latemiles.errors import EnvironmentMissing

__all__ = ["needed"]


def needed(module: str, package: str, what: str) -> ModuleType:
    """Import an optional library.

    Parameters
    ----------
    module : str
        Name to import.
    package : str
        Its name in the package index.
    what : str
        What it is needed for.

    Raises
    ------
    EnvironmentMissing
        If it is not installed, with the command that installs it.
    """
    try:
        return import_module(module)
    except ImportError as problem:
        raise EnvironmentMissing(
            f"{what} needs {package}, which is not installed. Install it with: pip install 'latemiles[files]'"
        ) from problem
