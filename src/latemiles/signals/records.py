"""What a run hears, exactly as it is written down: the input of ``Pipeline.push``.

Every record carries ``arrival_ns``: host time of arrival, integer ns since the run started (monotonic). A
record holds bytes or plain numbers and is never interpreted here; docs/recording-format.md gives the
bytes of each.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from latemiles.signals.frames import Segment

__all__ = [
    "Gone",
    "Link",
    "Mark",
    "Packet",
    "Pose",
    "Record",
    "RunHeader",
    "SensorInfo",
    "Speed",
]


@dataclass(frozen=True, slots=True)
class SensorInfo:
    """What is known of one sensor when the run starts."""

    segment: Segment
    driver: str
    """Name in the driver registry, such as ``latemiles-v1`` or ``samples``."""
    rate_hz: float
    """Nominal sample rate, Hz; the true one is estimated."""
    serial: str = ""
    acc_range_m_s2: float = float("nan")
    """Full scale of the accelerometer, m/s^2; NaN where unknown."""
    gyr_range_rad_s: float = float("nan")
    """Full scale of the gyroscope, rad/s; NaN where unknown."""
    firmware: str = ""


@dataclass(frozen=True, slots=True)
class RunHeader:
    """The first record of a run."""

    run: str
    """Run id, unique for this athlete."""
    athlete: str = "me"
    started_utc_ns: int = 0
    """Wall-clock time of session time zero, ns since 1970 UTC; 0 where unknown. Used for labels only."""
    sensors: tuple[SensorInfo, ...] = ()
    source: str = ""
    """Where the samples come from, in words: ``simulated``, ``imported from ...``, ``live``."""
    software: str = ""
    notes: str = ""
    extra: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Packet:
    """One notification of one sensor, bytes as heard."""

    arrival_ns: int
    segment: Segment
    payload: bytes


@dataclass(frozen=True, slots=True)
class Gone:
    """Packets that were refused or known to be lost before they could be recorded."""

    arrival_ns: int
    segment: Segment
    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class Link:
    """The radio link to one sensor came up or went down."""

    arrival_ns: int
    segment: Segment
    state: str
    """``up``, ``down`` or ``battery``."""
    detail: str = ""
    battery_percent: float = float("nan")


@dataclass(frozen=True, slots=True)
class Mark:
    """Somebody marked this moment."""

    arrival_ns: int
    label: str


@dataclass(frozen=True, slots=True)
class Pose:
    """A calibration pose that was held on request, in session seconds."""

    arrival_ns: int
    kind: str
    """``standing`` or ``movement``."""
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Speed:
    """What a watch, foot pod or treadmill said; NaN where it did not say."""

    arrival_ns: int
    t_s: float
    """Session time the values belong to, s."""
    speed_m_s: float = float("nan")
    grade: float = float("nan")
    """Rise over run, a fraction."""
    distance_m: float = float("nan")
    heart_rate_bpm: float = float("nan")
    source: str = ""
    elevation_m: float = float("nan")
    """As the source gives it; grade is what the analysis uses."""
    cadence_spm: float = float("nan")
    """Steps of both feet a minute, as the source counts them."""


Record = RunHeader | Packet | Gone | Link | Mark | Pose | Speed
