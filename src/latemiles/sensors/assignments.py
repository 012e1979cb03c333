"""Which sensor sits on which segment, kept by serial number in a small TOML file."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from latemiles.errors import ConfigError
from latemiles.sensors.outlet import Wanted
from latemiles.sensors.pods import KINDS, Pod
from latemiles.sensors.recipes import RECIPES
from latemiles.signals.frames import SEGMENTS, Segment

__all__ = ["Assignments"]

_HEAD = "# Which sensor sits where, by serial number; written by 'latemiles assign'.\n"


@dataclass(frozen=True, slots=True)
class Assignments:
    """The runner's sensors.

    Attributes
    ----------
    serials : mapping of Segment to str
        Serial number of the sensor on each segment; of another maker's, ``driver:serial``.
    pods : tuple of Pod
        Heart rate strap, foot pod, treadmill.
    """

    serials: Mapping[Segment, str] = field(default_factory=dict)
    pods: tuple[Pod, ...] = ()

    @classmethod
    def load(cls, path: Path) -> Assignments:
        """Read the file; no assignments where there is none.

        Raises
        ------
        ConfigError
            If it is not TOML, names an unknown segment or kind, or one sensor twice.
        """
        try:
            tables = tomllib.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            return cls()
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(str(path), f"cannot be read ({error}). Mend it or remove it.") from error
        serials: dict[Segment, str] = {}
        for name, serial in tables.get("sensors", {}).items():
            segment = segment_named(name)
            if not isinstance(serial, str) or serial in serials.values():
                raise ConfigError(name, f"expected a serial number of its own, got {serial!r}.")
            serials[segment] = serial
        pods = tuple(_pod(kind, name) for kind, name in tables.get("pods", {}).items())
        return cls(serials, pods)

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        lines = [_HEAD, "[sensors]\n"]
        lines += [f"{s.value} = {json.dumps(self.serials[s])}\n" for s in Segment if s in self.serials]
        if self.pods:
            lines += ["\n[pods]\n"]
            lines += [f"{pod.kind} = {json.dumps(pod.name)}\n" for pod in self.pods]
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".new")
        beside.write_text("".join(lines), "utf-8")
        os.replace(beside, path)

    def with_sensor(self, segment: Segment, serial: str) -> Assignments:
        """The same with one sensor moved; it sits in one place only."""
        others = {s: n for s, n in self.serials.items() if n != serial and s is not segment}
        return replace(self, serials={**others, segment: serial})

    def segment_of(self, serial: str) -> Segment | None:
        """Where a sensor sits."""
        return next((s for s, n in self.serials.items() if n == serial), None)

    @property
    def wanted(self) -> tuple[Wanted, ...]:
        """The sensors of a run, in lane order."""
        return tuple(_wanted(s, self.serials[s]) for s in SEGMENTS if s in self.serials)


def segment_named(name: str) -> Segment:
    """Segment of a name as people write it: ``left thigh``, ``left_thigh``, ``L``.

    Raises
    ------
    ConfigError
        If it is none.
    """
    plain = name.strip().lower().replace(" ", "_").replace("-", "_")
    short = {"p": Segment.PELVIS, "l": Segment.LEFT_THIGH, "r": Segment.RIGHT_THIGH, "t": Segment.TRUNK}
    if plain in short:
        return short[plain]
    try:
        return Segment(plain)
    except ValueError as error:
        raise ConfigError(
            "segment", f"'{name}' is none of {', '.join(s.value for s in Segment)}. Use one of them."
        ) from error


def _wanted(segment: Segment, text: str) -> Wanted:
    """A sensor of a serial number; one of another maker has its driver before a colon."""
    driver, colon, serial = text.partition(":")
    if colon and driver in RECIPES:
        return Wanted(segment, serial, driver)
    return Wanted(segment, text)


def _pod(kind: str, name: object) -> Pod:
    if kind not in KINDS or not isinstance(name, str):
        raise ConfigError("pods", f"expected one of {', '.join(KINDS)} with a name, got {kind} = {name!r}.")
    return Pod(kind, name)
