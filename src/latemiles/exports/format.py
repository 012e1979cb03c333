"""What an export format is: a name, an ending, and a function that writes one run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from latemiles.analysis_result import Analysis

__all__ = ["ANGLES", "STRIDES", "Format"]

STRIDES: Final = "strides"
ANGLES: Final = "angles"


@dataclass(frozen=True, slots=True)
class Format:
    """One format; docs/exports.md says what each holds and what is lost in it."""

    name: str
    suffix: str
    """Ending of the file; empty where the format is a folder."""
    about: str
    """What it is, in a few words."""
    write: Callable[[Analysis, Path, str], None]
    """Takes the run, a path that is not there yet, and which rows are wanted."""
    rows: tuple[str, ...] = (ANGLES,)
    """What a row may be, the usual one first: ``STRIDES``, ``ANGLES`` (every sample of the grid)."""

    @property
    def is_folder(self) -> bool:
        """Whether the format is a folder of files."""
        return not self.suffix
