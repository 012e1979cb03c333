"""What a simulated run shall be: the runner, the route, the sensors, the radio, and what goes wrong."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import inf, nan, radians

from latemiles.errors import ConfigError
from latemiles.signals.frames import ANGLES, Segment, Side
from latemiles.sim.imu import ImuErrors
from latemiles.sim.tissue import SoftTissue
from latemiles.sim.waveforms import RUNNING

__all__ = [
    "KINDS",
    "AngleOffset",
    "Bend",
    "FormDrift",
    "Outage",
    "Phase",
    "Radio",
    "Reboot",
    "RunnerPlan",
    "Sensors",
    "SlippingClip",
    "Variability",
    "easy_run",
]

KINDS = ("standing", "squats", "walking", "running")


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of the run."""

    kind: str
    """``standing``, ``squats`` (three seconds each), ``walking`` or ``running``."""
    duration_s: float
    speed_m_s: float = nan
    """Walking or running: speed at the start."""
    end_speed_m_s: float = nan
    """Speed at the end; NaN: the same."""
    turn_rad: float = 0.0
    """Turn on the way, spread over the middle 3 s, + to the left."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError("phase.kind", f"'{self.kind}' is none of {', '.join(KINDS)}.")
        if self.kind in ("walking", "running") and not self.speed_m_s > 0.0:
            raise ConfigError("phase.speed_m_s", f"a {self.kind} phase needs a speed above zero.")


@dataclass(frozen=True, slots=True)
class Bend:
    """A piece of the route; the pieces are run through in turn, again and again."""

    length_m: float
    radius_m: float = inf
    """+ bends to the left, - to the right."""
    grade: float = 0.0
    """Rise over run."""


@dataclass(frozen=True, slots=True)
class FormDrift:
    """A change of form that is put in: the truth that a trend must find."""

    angle: str
    """One of ``signals.frames.ANGLES``, or ``pelvic_drop``."""
    change_rad: float
    start_s: float = nan
    end_s: float = nan
    """Linear from start to end, constant after; equal times make a step."""
    side: Side | None = None
    """Of a hip angle or of the stance leg of a drop; None: both."""
    start_m: float = nan
    end_m: float = nan
    """The same by the way run, where no times are given: from a mile on."""

    def __post_init__(self) -> None:
        if not (self.start_s <= self.end_s or self.start_m <= self.end_m):
            raise ConfigError("form_drift", "give start_s <= end_s, or start_m <= end_m.")


@dataclass(frozen=True, slots=True)
class AngleOffset:
    """A constant asymmetry or habit while running: added to one angle of one side (None: both)."""

    angle: str
    value_rad: float
    side: Side | None = None


@dataclass(frozen=True, slots=True)
class Variability:
    """How much strides differ.

    Stride-to-stride standard deviations of stride means over 30 s on a treadmill (RBDS, Fukuchi et al. 2017):
    tilt 0.70, obliquity 0.38, rotation 0.82, hip flexion 1.02, adduction 0.47, internal rotation 0.48 deg,
    lag-1 correlation 0.03 to 0.28.
    """

    stride_sd_rad: tuple[float, ...] = tuple(radians(x) for x in (0.70, 0.38, 0.82, 1.02, 0.47, 0.48))
    lag_one: float = 0.15
    amplitude_sd: float = 0.03
    stride_time_sd: float = 0.010
    contact_time_sd: float = 0.015
    wander_sd_rad: float = radians(0.25)
    """Slow wander of every angle's mean, as an Ornstein-Uhlenbeck process."""
    wander_s: float = 120.0
    """Its time constant, s."""
    pace_sd: float = 0.015
    """Slow wander of speed, a share."""


@dataclass(frozen=True, slots=True)
class SlippingClip:
    """A sensor that moves on its segment."""

    segment: Segment
    t_s: float
    rotvec_rad: tuple[float, float, float]
    """Segment axes (x anterior, y left, z up)."""
    duration_s: float = 0.3
    """A knock takes a fraction of a second, a creep minutes."""


def _thigh() -> SoftTissue:
    return SoftTissue(ringing_rad=radians(2.0), displacement_m=0.006, wobble_rad=radians(2.0))


@dataclass(frozen=True, slots=True)
class Sensors:
    """The three sensors."""

    rate_hz: float = 208.0
    errors: ImuErrors = field(default_factory=ImuErrors)
    pelvis_tissue: SoftTissue = field(default_factory=SoftTissue)
    thigh_tissue: SoftTissue = field(default_factory=_thigh)
    rate_error: float = 0.01
    """Standard deviation of the sample clock's error, a share."""
    skew: float = 20e-6
    """Standard deviation of the crystal's error, a share."""
    mounting: tuple[tuple[float, float, float, float], ...] | None = None
    """quat_segment_sensor, one a lane; None: drawn at random."""


@dataclass(frozen=True, slots=True)
class Outage:
    """The link to one sensor is down; what it measures meanwhile is lost."""

    segment: Segment
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Reboot:
    """A sensor starts over: index and tick from zero, the epoch one up, two seconds lost."""

    segment: Segment
    t_s: float


@dataclass(frozen=True, slots=True)
class Radio:
    """How packets reach the host."""

    samples_per_packet: int = 12
    interval_s: float = 0.015
    """Connection interval: packets leave at its multiples."""
    delay_s: float = 0.003
    """Least time from the last sample to the host."""
    retry_share: float = 0.05
    """Share of packets that need another connection event, once and again."""
    stall_share: float = 0.002
    """Share of packets before which the host sleeps up to 0.2 s."""
    loss_share: float = 0.0
    """Share of packets that never come."""
    outages: tuple[Outage, ...] = ()
    reboots: tuple[Reboot, ...] = ()


@dataclass(frozen=True, slots=True)
class RunnerPlan:
    """A run to simulate; angles are relative to the runner's own standing."""

    phases: tuple[Phase, ...]
    waveforms: str = "rbds"
    """Group whose mean curves are worn: ``rbds`` or ``ric``."""
    route: tuple[Bend, ...] = (Bend(1000.0),)
    drifts: tuple[FormDrift, ...] = ()
    offsets: tuple[AngleOffset, ...] = ()
    step_asymmetry: float = 0.0
    """Share of the stride by which the right step (left to right contact) is longer than half."""
    variability: Variability = field(default_factory=Variability)
    sensors: Sensors = field(default_factory=Sensors)
    slips: tuple[SlippingClip, ...] = ()
    radio: Radio = field(default_factory=Radio)
    has_watch: bool = True
    """Speed, distance, grade and heart rate once a second, as a watch gives them."""

    def __post_init__(self) -> None:
        if self.waveforms not in RUNNING:
            raise ConfigError("waveforms", f"'{self.waveforms}' is none of {', '.join(RUNNING)}.")
        for angle in [drift.angle for drift in self.drifts] + [offset.angle for offset in self.offsets]:
            if angle not in (*ANGLES, "pelvic_drop"):
                raise ConfigError("angle", f"'{angle}' is none of {', '.join(ANGLES)}, pelvic_drop.")

    @property
    def duration_s(self) -> float:
        """Length of the run, s."""
        return sum(phase.duration_s for phase in self.phases)

    def without_errors(self) -> RunnerPlan:
        """The same run with perfect sensors on rigid segments, exact clocks and a perfect radio."""
        still = SoftTissue(ringing_rad=0.0, displacement_m=0.0, wobble_rad=0.0)
        sensors = replace(
            self.sensors,
            errors=ImuErrors.none(),
            pelvis_tissue=still,
            thigh_tissue=still,
            rate_error=0.0,
            skew=0.0,
        )
        return replace(self, sensors=sensors, radio=Radio(retry_share=0.0, stall_share=0.0))


def easy_run(minutes: float, speed_m_s: float = 3.0, **changes: object) -> RunnerPlan:
    """An everyday run: 10 s standing, three squats, a walk, so many minutes of running, a stand.

    Parameters
    ----------
    minutes : float
        Length of the running part.
    speed_m_s : float
        Its speed.
    **changes
        Other fields of ``RunnerPlan``.
    """
    phases = (
        Phase("standing", 10.0),
        Phase("squats", 10.0),
        Phase("standing", 4.0),
        Phase("walking", 10.0, 1.4),
        Phase("running", 60.0 * minutes, speed_m_s),
        Phase("standing", 5.0),
    )
    return replace(RunnerPlan(phases), **changes)  # type: ignore[arg-type]
