"""Passwords and tokens: from the environment or from a file that only its owner may read, never shown."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from latemiles.errors import ConfigError

__all__ = ["Secret", "find_secret"]


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that no log, message or traceback shows."""

    _text: str

    def reveal(self) -> str:
        """The text itself, for the call that needs it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__

    def __bool__(self) -> bool:
        return bool(self._text)


def find_secret(variable: str, file: Path | None) -> Secret:
    """Look for a secret in the environment, then in a file.

    Parameters
    ----------
    variable : str
        Environment variable; it wins where it is set.
    file : Path or None
        A file whose first line is the secret.

    Returns
    -------
    Secret
        Empty where there is neither.

    Raises
    ------
    ConfigError
        If the file cannot be read, or others may read it too.
    """
    text = os.environ.get(variable, "")
    if text or file is None:
        return Secret(text.strip())
    try:
        mode = file.stat().st_mode
        # Windows has no such bits; its user folders are private by themselves.
        if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ConfigError(
                str(file), f"others may read this secret (mode {mode & 0o777:o}). Run: chmod 600 '{file}'"
            )
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            str(file), f"the secret cannot be read ({error}). Write it there, or set {variable}."
        ) from error
    return Secret(lines[0].strip() if lines else "")
