"""Rows and states as JSON messages, and the MQTT topics they go to; docs/data-plane.md lists both.

Missing numbers are null. Every message names its ``schema``; keys are only ever added within a version.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from latemiles.metrics.catalogue import COLUMN_INDEX, NUMERIC_COLUMNS, metric
from latemiles.signals.events import (
    CalibrationFound,
    DriftUpdate,
    Event,
    LinkChanged,
    LiveState,
    Split,
    Stride,
    ThighsDoubted,
)
from latemiles.signals.frames import ANGLES, SEGMENTS, SIDES
from latemiles.signals.records import RunHeader
from latemiles.sinks.outbox import Row
from latemiles.sinks.points import DECIMALS

__all__ = [
    "LiveScreen",
    "RunStatus",
    "discovery",
    "encoded",
    "message",
    "row_topic",
    "safe_name",
    "topic",
]

_UNSAFE: Final = frozenset('/+#%\\:*?"<>|')
_OWN_TOPIC: Final = frozenset({"stride", "split", "mark"})
_SHOWN_COLUMNS: Final = ("cadence_spm", "speed_m_s", "distance_m")


def safe_name(text: str) -> str:
    """The text as one level of a topic or path: what has a meaning there is percent-encoded."""
    bare = "".join(c if c not in _UNSAFE and c.isprintable() else f"%{ord(c):02X}" for c in text)
    return bare if bare.strip(".") else bare.replace(".", "%2E") or "-"


def topic(athlete: str, run: str, leaf: str) -> str:
    """Topic of one kind of message of a run."""
    return f"latemiles/v1/{safe_name(athlete)}/{safe_name(run)}/{leaf}"


def encoded(value: dict[str, Any]) -> bytes:
    """JSON bytes, numbers to a millionth of their unit; NaN and infinities become null."""
    return json.dumps(_finite(value), separators=(",", ":"), allow_nan=False).encode()


def message(row: Row) -> dict[str, Any]:
    """One row as a message; numbers may still be NaN.

    Parameters
    ----------
    row : Row
        From the outbox.
    """
    event = row.event
    head = {
        "schema": f"latemiles/{row.kind}/1",
        "id": row.id,
        "athlete": row.athlete,
        "run": row.run,
        "time_ns": row.started_utc_ns + round(event.t_s * 1e9),
        "t_s": event.t_s,
    }
    match event:
        case Stride():
            values = dict(zip(NUMERIC_COLUMNS, event.values, strict=True))
            own = {"side": str(event.side), **values, "index": event.index, "quality": event.quality}
        case Split():
            medians = dict(zip(NUMERIC_COLUMNS, event.values, strict=True))
            facts = {k: v for k, v in asdict(event).items() if k not in ("values", "distance_m", "index")}
            own = {"split_index": event.index, "length_m": event.distance_m, **facts, "medians": medians}
        case _:
            own = asdict(event)
    return {**head, **own}


def row_topic(row: Row) -> str | None:
    """Topic of a row; None for kinds that only change the status."""
    return topic(row.athlete, row.run, row.kind) if row.kind in _OWN_TOPIC else None


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    if isinstance(value, float):
        return round(value, DECIMALS) if math.isfinite(value) else None
    return value


class RunStatus:
    """What the retained status of a run says: its state, the sensors, and form drift as it stands.

    Parameters
    ----------
    header : RunHeader
        Of the run.
    """

    def __init__(self, header: RunHeader) -> None:
        self.header = header
        self._sensors: dict[str, dict[str, Any]] = {
            str(info.segment): {"state": "unknown", "battery_percent": math.nan} for info in header.sensors
        }
        self._drift: dict[str, dict[str, Any]] = {}
        self._reference = ""
        self._thighs_doubted = False

    def take(self, event: Event) -> bool:
        """Take an event; True if the status says something else now."""
        match event:
            case LinkChanged():
                sensor = self._sensors.setdefault(str(event.segment), {})
                before = dict(sensor)
                if event.state in ("up", "down", "stuck"):
                    sensor["state"] = event.state
                if math.isfinite(event.battery_percent):
                    sensor["battery_percent"] = event.battery_percent
                return sensor != before
            case DriftUpdate():
                facts = asdict(event)
                self._drift[facts.pop("metric")] = facts
                return True
            case CalibrationFound():
                self._reference = event.reference
                return True
            case ThighsDoubted():
                self._thighs_doubted = True
                return True
            case _:
                return False

    def message(self, state: str) -> dict[str, Any]:
        """The status with one of the states ``running``, ``ended`` and ``lost``."""
        return {
            "schema": "latemiles/status/1",
            "athlete": self.header.athlete,
            "run": self.header.run,
            "state": state,
            "started_utc_ns": self.header.started_utc_ns,
            "source": self.header.source,
            "software": self.header.software,
            "reference": self._reference,
            "thighs_may_be_exchanged": self._thighs_doubted,
            "sensors": self._sensors,
            "form_drift": self._drift,
        }

    def topic(self) -> str:
        """Where it is published."""
        return topic(self.header.athlete, self.header.run, "status")


class LiveScreen:
    """The newest of everything for other screens; lossy by design, and it says so.

    Parameters
    ----------
    header : RunHeader
        Of the run.
    """

    def __init__(self, header: RunHeader) -> None:
        self.topic = topic(header.athlete, header.run, "live")
        self.dropped = 0
        """States that a newer one overtook before they were sent."""
        self._facts: dict[str, Any] = {
            "schema": "latemiles/live/1",
            "lossy": True,
            "athlete": header.athlete,
            "run": header.run,
        }
        self._sent = 0
        self._is_new = False

    def take(self, events: Sequence[Event], still: LiveState | None = None) -> None:
        """Take events as they come, and a still of the posture where there is a new one."""
        for event in events:
            if isinstance(event, Stride):
                self._facts |= {name: event.values[COLUMN_INDEX[name]] for name in _SHOWN_COLUMNS}
                drop = event.values[COLUMN_INDEX["pelvic_drop_excursion_deg"]]
                self._facts[f"pelvic_drop_excursion_deg_{event.side}"] = drop
            elif isinstance(event, DriftUpdate):
                self._facts[f"{event.metric}_change"] = event.change
                self._facts[f"{event.metric}_verdict"] = event.verdict
        if still is not None:
            self._facts["t_s"] = still.t_s
            self._facts |= _degrees(still)
            self.dropped += self._is_new
            self._is_new = True

    def newest(self) -> bytes | None:
        """The newest state as a message; None where it has been sent already."""
        if not self._is_new:
            return None
        self._is_new = False
        self._sent += 1
        return encoded({**self._facts, "seq": self._sent, "dropped": self.dropped})


def _degrees(still: LiveState) -> dict[str, float]:
    out = {f"{name}_deg": math.degrees(v) for name, v in zip(ANGLES[:3], still.pelvis, strict=True)}
    for side, angles in zip(SIDES, (still.hip_left, still.hip_right), strict=True):
        for name, value in zip(("flexion", "adduction", "internal_rotation"), angles, strict=True):
            out[f"hip_{name}_{side}_deg"] = math.degrees(value)
    return out


def discovery(header: RunHeader) -> dict[str, dict[str, Any]]:
    """Home Assistant's discovery messages of a run, by topic; a new run of the athlete replaces them.

    Parameters
    ----------
    header : RunHeader
        Of the run.
    """
    status = topic(header.athlete, header.run, "status")
    stride = topic(header.athlete, header.run, "stride")
    tilt, cadence = metric("pelvic_tilt_mean_deg"), metric("cadence_spm")
    wanted = {
        "tilt_change": ("Pelvic tilt change", f"form_drift.{tilt.name}.change", "°", status),
        "cadence": ("Cadence", cadence.name, cadence.unit, stride),
        "speed": ("Speed", "speed_m_s", "m/s", stride),
    }
    for segment in SEGMENTS:
        name = f"Battery {segment.label}"
        wanted[f"battery_{segment}"] = (name, f"sensors.{segment}.battery_percent", "%", status)
    who = "".join(c if c.isascii() and c.isalnum() else "_" for c in header.athlete) or "me"
    return {
        f"homeassistant/sensor/latemiles_{who}/{key}/config": {
            "name": name,
            "unique_id": f"latemiles_{who}_{key}",
            "state_topic": where,
            "value_template": "{{ value_json." + path + " | default(none) }}",
            "unit_of_measurement": unit,
            "state_class": "measurement",
            "availability_topic": status,
            "availability_template": "{{ 'online' if value_json.state == 'running' else 'offline' }}",
            "device": {"identifiers": [f"latemiles_{who}"], "name": f"latemiles {header.athlete}"},
        }
        for key, (name, path, unit, where) in wanted.items()
    }
