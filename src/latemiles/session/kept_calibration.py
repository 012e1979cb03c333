"""A calibration that was made just before a run, kept until the run begins."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from latemiles.errors import ConfigError
from latemiles.estimators.mounting import Calibration
from latemiles.pipeline import GIVEN
from latemiles.signals.frames import Segment
from latemiles.signals.records import SensorInfo

__all__ = ["LONGEST_KEPT_S", "KeptCalibration"]

LONGEST_KEPT_S: Final = 1800.0
"""A calibration older than this is asked for again: sensors are taken off and turned between runs, s."""


@dataclass(frozen=True, slots=True)
class KeptCalibration:
    """How the sensors sat, and which they were."""

    made_utc_s: float
    serials: Mapping[Segment, str]
    calibration: Calibration
    recording: str = ""
    """Where the raw bytes of it are."""

    def save(self, path: Path) -> None:
        """Write it, in place of an earlier one.

        Raises
        ------
        ConfigError
            If the file cannot be written.
        """
        facts = {
            "made_utc_s": self.made_utc_s,
            "serials": {segment.value: serial for segment, serial in self.serials.items()},
            "recording": self.recording,
            GIVEN: json.loads(self.calibration.to_text()),
        }
        try:
            path.write_text(json.dumps(facts, indent=1), encoding="utf-8")
        except OSError as error:
            raise ConfigError(
                "calibration",
                f"{path} cannot be written ({error.strerror}). Choose another folder with --home.",
            ) from error

    @classmethod
    def load(cls, path: Path) -> KeptCalibration | None:
        """Read it; None where there is none, or the file is of something else."""
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            serials = {Segment(name): str(serial) for name, serial in facts["serials"].items()}
            calibration = Calibration.from_text(json.dumps(facts[GIVEN]))
            return cls(float(facts["made_utc_s"]), serials, calibration, str(facts["recording"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ConfigError):
            # A calibration can be made again in half a minute.
            return None

    def age_s(self, now_utc_s: float) -> float:
        """How long ago it was made, s."""
        return now_utc_s - self.made_utc_s

    def fits(self, sensors: Iterable[SensorInfo], now_utc_s: float) -> bool:
        """Whether it is young enough and of exactly these sensors in these places."""
        same = {info.segment: info.serial for info in sensors} == dict(self.serials)
        return same and 0.0 <= self.age_s(now_utc_s) <= LONGEST_KEPT_S
