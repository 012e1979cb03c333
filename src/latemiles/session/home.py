"""Where runs, recordings and settings live: platformdirs' user folder, ``LATEMILES_HOME`` or ``--home``."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Final

import platformdirs

from latemiles.errors import ConfigError, InputError

__all__ = ["Home", "base_name"]

_JOINED: Final = re.compile(r"(.+)\.(?:fit|gpx|tcx)(?:-\d+)?")


def base_name(recording: Path) -> str:
    """Name of a recording without what a joined watch's file added to it."""
    found = _JOINED.fullmatch(recording.stem)
    return found[1] if found else recording.stem


@dataclass(frozen=True, slots=True)
class Home:
    """The one folder that holds everything a runner keeps.

    Attributes
    ----------
    root : Path
        The folder; made when first written to.
    """

    root: Path

    @classmethod
    def find(cls, given: Path | None = None) -> Home:
        """Take ``given``, else ``LATEMILES_HOME``, else the platform's folder for user data."""
        chosen = (
            given
            or os.environ.get("LATEMILES_HOME")
            or platformdirs.user_data_dir("latemiles", appauthor=False)
        )
        return cls(Path(chosen).expanduser())

    @property
    def recordings(self) -> Path:
        """Folder of recordings, one MCAP file a run."""
        return self._made("recordings")

    @property
    def runs(self) -> Path:
        """Folder of outputs, one folder a run."""
        return self._made("runs")

    def run_folder(self, run: str) -> Path:
        """Folder of one run's outputs; a name that would lead elsewhere is written as one level."""
        # Not at the top: every command needs a home, and few need this.
        from latemiles.sinks.messages import safe_name

        return self.runs / safe_name(run)

    @property
    def store(self) -> Path:
        """The SQLite store."""
        return self._made("") / "store.sqlite"

    @property
    def has_store(self) -> bool:
        """Whether anything was ever kept; nothing is made to find out."""
        return (self.root / "store.sqlite").is_file()

    @property
    def sensors(self) -> Path:
        """Which sensor sits where; need not exist."""
        return self.root / "sensors.toml"

    @property
    def calibration(self) -> Path:
        """The newest calibration; need not exist."""
        return self.root / "calibration.json"

    @property
    def calibrations(self) -> Path:
        """Folder of what was heard while calibrating, one MCAP file each."""
        return self._made("calibrations")

    @property
    def settings(self) -> Path:
        """Settings file; need not exist."""
        return self.root / "settings.toml"

    @property
    def numba_cache(self) -> Path:
        """Folder of compiled kernels."""
        return Path(platformdirs.user_cache_dir("latemiles", appauthor=False)) / "numba"

    def recording_of(self, run: str) -> Path:
        """The recording that is meant: a path, the name of a recorded run, or ``last``.

        Of a run that a watch's file was joined to it is the newest of both: the one that says more.

        Raises
        ------
        InputError
            If there is none, with the names there are.
        """
        if Path(run).is_file():
            return Path(run)
        known = sorted(self.recordings.glob("*.mcap"), key=lambda p: p.stat().st_mtime)
        if run == "last" and known:
            return known[-1]
        versions = [path for path in known if base_name(path) == run or path.stem == run]
        if versions:
            return versions[-1]
        names = ", ".join(p.stem for p in known[-5:]) or "none yet"
        raise InputError(
            "the name of a recorded run",
            f"'{run}'",
            f"Recorded runs: {names}. Name one of them, or give a recording's path.",
        )

    def joined_path(self, recording: Path, format_name: str) -> Path:
        """Where a recording goes when a watch's file joins it: beside the others, under the run's name."""
        base = base_name(recording)
        names = chain((f"{base}.{format_name}",), (f"{base}.{format_name}-{n}" for n in count(2)))
        paths = (self.recordings / f"{name}.mcap" for name in names)
        return next(path for path in paths if not path.exists())

    def versions_of(self, recording: Path) -> list[Path]:
        """Recordings in the home folder that are one run with this one: itself, and with a watch's words."""
        base = base_name(recording)
        return sorted(path for path in self.recordings.glob("*.mcap") if base_name(path) == base)

    def _made(self, name: str) -> Path:
        folder = self.root / name if name else self.root
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                "home", f"{folder} cannot be made ({error.strerror}). Choose another folder with --home."
            ) from error
        return folder
