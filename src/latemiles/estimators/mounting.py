"""Which way each sensor sits on its segment: vertical from standing, medio-lateral axis from a movement.

All axes are unit vectors in the sensor's own axes; ``left`` is the segment's y axis, ``up`` its z axis.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import ConfigError
from latemiles.estimators.calibration_windows import Movement, Stance, up_in_sensor
from latemiles.estimators.posture_params import PostureParams
from latemiles.signals.events import CalibrationFound
from latemiles.signals.frames import SIDES, quat_conj, quat_from_matrix, quat_rotate

__all__ = [
    "Axis",
    "Calibration",
    "calibration_of",
    "combine",
    "low_pass",
    "movement_axis",
    "segment_axes",
    "segment_quat",
]

F8 = NDArray[np.float64]
T = TypeVar("T")

NOWHERE: Final = (float("nan"),) * 4
_VERTICAL_SD: Final = np.radians(0.25)
"""Sway of a quiet stance, rad: what its mean leaves in the vertical."""
_AGREE_SDS: Final = 3.0
"""Standard deviations within which two axes may be the same."""
_BASELINE_TILT: Final = np.radians(2.0)
"""How far the mean of running may move from its own first minute, rad."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """The way the sensors sit on the body, and what the relative heading needs; told to a second pass."""

    reference: str
    """``standing`` or ``baseline``: what zero tilt and obliquity mean."""
    axes_from: str
    """``movement`` or ``running``."""
    quat_segment_sensor: tuple[tuple[float, ...], ...]
    """One a lane: takes sensor vectors to segment vectors; NaN where unknown."""
    yaw_sd_rad: tuple[float, ...]
    """One a lane: standard deviation of the medio-lateral axis about the vertical; NaN where unknown."""
    obliquity_uncertainty_rad: float
    """One standard deviation of the mean obliquity that the mounting may cause."""
    residual_rad: tuple[float, ...]
    """One a lane: spread of the axis over the repeats, or over the ways to find it; NaN where unknown."""
    standing_start_s: float
    standing_end_s: float
    movement_start_s: float
    movement_end_s: float
    swing_offset_rad: tuple[float, float]
    """Left, right: heading of the pelvis less that of the thigh's swing plane, at equal earth frames."""
    swing_offset_sd_rad: tuple[float, float]
    zero_standing: tuple[float, ...]
    """One a lane: 1 where zero is quiet standing, 0 where it is the mean of walking or running."""

    def axes(self) -> list[Axis | None]:
        """Medio-lateral axis of each lane in sensor axes; None where unknown."""
        found: list[Axis | None] = []
        for lane, quat in enumerate(self.quat_segment_sensor):
            if np.isfinite(quat[0]):
                left = quat_rotate(quat_conj(np.array(quat)), np.array([0.0, 1.0, 0.0]))
                found.append(Axis(left, self.yaw_sd_rad[lane], self.residual_rad[lane]))
            else:
                found.append(None)
        return found

    def event(self, t_s: float) -> CalibrationFound:
        """What the runner is told of it at a session time."""
        lanes = [[float(x) for x in quat] for quat in self.quat_segment_sensor]
        return CalibrationFound(
            t_s=t_s,
            reference=self.reference,
            axes_from=self.axes_from,
            quat_segment_sensor=tuple((q[0], q[1], q[2], q[3]) for q in lanes),
            obliquity_uncertainty_rad=self.obliquity_uncertainty_rad,
            residual_rad=self.residual_rad,
            standing_start_s=self.standing_start_s,
            standing_end_s=self.standing_end_s,
            movement_start_s=self.movement_start_s,
            movement_end_s=self.movement_end_s,
            zero_standing=self.zero_standing,
        )

    def with_lanes(self, other: Calibration, lanes: NDArray[np.bool_]) -> Calibration | None:
        """What ``other`` says of some lanes (a mask), beside what is known of the rest; None if nothing."""
        new = lanes & np.isfinite(np.array(other.quat_segment_sensor)[:, 0])
        if not new.any():
            return None

        def mixed(mine: tuple[T, ...], theirs: tuple[T, ...]) -> tuple[T, ...]:
            return tuple(b if is_new else a for a, b, is_new in zip(mine, theirs, new, strict=True))

        is_pelvis = bool(new[0])
        return replace(
            self,
            quat_segment_sensor=mixed(self.quat_segment_sensor, other.quat_segment_sensor),
            yaw_sd_rad=mixed(self.yaw_sd_rad, other.yaw_sd_rad),
            residual_rad=mixed(self.residual_rad, other.residual_rad),
            zero_standing=mixed(self.zero_standing, other.zero_standing),
            reference=other.reference if is_pelvis else self.reference,
            obliquity_uncertainty_rad=(other if is_pelvis else self).obliquity_uncertainty_rad,
        )

    def with_thighs_swapped(self) -> Calibration:
        """The same of sensors that were taken for each other's."""

        def swapped(lanes: tuple[T, ...]) -> tuple[T, ...]:
            pelvis, left, right, *rest = lanes
            return (pelvis, right, left, *rest)

        return replace(
            self,
            quat_segment_sensor=swapped(self.quat_segment_sensor),
            yaw_sd_rad=swapped(self.yaw_sd_rad),
            residual_rad=swapped(self.residual_rad),
            zero_standing=swapped(self.zero_standing),
            swing_offset_rad=self.swing_offset_rad[::-1],
            swing_offset_sd_rad=self.swing_offset_sd_rad[::-1],
        )

    def to_text(self) -> str:
        """As text for the header of another run, in whose time the poses were not held."""
        nan = float("nan")
        moved = replace(
            self, standing_start_s=nan, standing_end_s=nan, movement_start_s=nan, movement_end_s=nan
        )
        return json.dumps(asdict(moved))

    @classmethod
    def from_text(cls, text: str) -> Calibration:
        """What ``to_text`` wrote.

        Raises
        ------
        ConfigError
            If it is something else.
        """
        try:
            return cls.from_dict(json.loads(text))
        except (ValueError, TypeError, KeyError) as error:
            raise ConfigError(
                "calibration",
                f"no calibration can be read from {text!r:.40}. Run 'latemiles calibrate' again.",
            ) from error

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> Calibration:
        """Return the calibration that ``dataclasses.asdict`` took apart, lists allowed for tuples."""
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in state.items()}
        fields["quat_segment_sensor"] = tuple(tuple(q) for q in state["quat_segment_sensor"])
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class Axis:
    """A medio-lateral axis and how well it is known."""

    left: F8
    """(3,) unit, sensor axes, normal to the up direction."""
    sd_rad: float
    """Standard deviation about the vertical."""
    residual_rad: float
    """Spread over repeats or methods; NaN with only one."""


def segment_axes(up: F8, left: F8) -> F8:
    """Segment axes (3, 3) in sensor axes, one a row: forward, left, up, from up and a vector near left."""
    z = up / np.linalg.norm(up)
    y = left - (left @ z) * z
    y /= np.linalg.norm(y)
    return np.stack([np.cross(y, z), y, z])


def segment_quat(up: F8, left: F8) -> F8:
    """``quat_segment_sensor`` (4,) from the up direction and a vector near left, sensor axes."""
    quat: F8 = quat_from_matrix(segment_axes(up, left)[None])[0]
    return quat


def low_pass(rows: F8, params: PostureParams) -> F8:
    """Rates (n, 3) of one lane's bins (n, 10) below ``movement_hz``, without delay; a NaN counts as zero."""
    half = round(0.4 * params.bin_hz)
    t = np.arange(-half, half + 1) / params.bin_hz
    kernel = np.sinc(2.0 * params.movement_hz * t) * np.hamming(len(t))
    kernel /= kernel.sum()
    rates = np.nan_to_num(rows[:, 4:7])
    return np.stack([np.convolve(rates[:, j], kernel, mode="same") for j in range(3)], axis=1)


def principal_axis(vectors: F8) -> F8:
    """Unit vector (3,) along which (n, 3) vectors spread most about zero; its sign is arbitrary."""
    axis: F8 = np.linalg.eigh(vectors.T @ vectors)[1][:, -1]
    return axis


def movement_axis(
    rows: F8, start: int, lane: int, stance: Stance, movement: Movement, params: PostureParams
) -> Axis:
    """Medio-lateral axis of one lane from the calibration movement.

    Parameters
    ----------
    rows : float64 array, shape (n, lanes, 10)
        Bins that hold the movement.
    start : int
        Bin of ``rows[0]``.
    lane : int
        0 pelvis, which tips forward; 1 and 2 thighs, which flex.
    stance : Stance
        Gives the vertical and the gyro bias, which is taken off first: left in, it turns the axis by
        several degrees.
    movement : Movement
    params : PostureParams
        What counts as certain.

    Returns
    -------
    Axis
        Principal axis of the level part of the rates over the movement, made normal to the vertical.
    """
    up = np.array(stance.up[lane])
    axes = np.array(
        [
            _axis(rows[a - start : b - start, lane], up, np.array(stance.gyr[lane]), lane, params)
            for a, b in ((movement.start, movement.end), *movement.repeats)
        ]
    )
    whole, single = axes[0], axes[1:]
    spread = float(np.nan)
    if len(single) > 1:
        turn = np.arctan2(np.cross(whole, single) @ up, single @ whole)
        spread = float(np.std(turn, ddof=1))
    floor = params.pelvis_movement_sd_rad if lane == 0 else params.thigh_movement_sd_rad
    scatter = 0.0 if np.isnan(spread) else spread / np.sqrt(len(single))
    return Axis(whole, float(np.hypot(floor, scatter)), spread)


def _axis(rows: F8, up: F8, bias: F8, lane: int, params: PostureParams) -> F8:
    now = up_in_sensor(rows)
    heard = np.isfinite(now[:, 0])
    rates = (low_pass(rows, params) - bias)[heard]
    now = now[heard]
    # The axis stays level however far the segment tips, so turning about the vertical is only clumsiness.
    rates = rates - (rates * now).sum(axis=1, keepdims=True) * now
    left = segment_axes(up, principal_axis(rates))[1]
    # The up direction moves about the axis: forward tipping turns it one way, flexion of a thigh the other.
    turned = np.cross(now, up).sum(axis=0)
    forward = 1.0 if lane == 0 else -1.0
    signed: F8 = left if forward * (turned @ left) > 0.0 else -left
    return signed


def combine(first: Axis, second: Axis, up: F8) -> Axis:
    """Mean of two independent axes by their variances, about the up direction.

    ``first`` says which end is left; ``second`` counts as a line. Where the two are further apart than their
    uncertainties can make them, ``second`` was misled and ``first`` stays alone.
    """
    turn = float(np.arctan2(np.cross(first.left, second.left) @ up, first.left @ second.left))
    turn -= np.pi * round(turn / np.pi)
    a, b = first.sd_rad**2, second.sd_rad**2
    if turn**2 > _AGREE_SDS**2 * (a + b):
        return first
    angle = turn * a / (a + b)
    left = np.cos(angle) * first.left + np.sin(angle) * np.cross(up, first.left)
    return Axis(left, float(np.sqrt(a * b / (a + b))), first.residual_rad)


def calibration_of(
    axes: list[Axis | None],
    ups: F8,
    stance: Stance | None,
    movement: Movement | None,
    running_up: F8 | None,
    params: PostureParams,
) -> Calibration:
    """Put axes and verticals (lanes, 3) together; a sensor that was silent in standing has zero elsewhere.

    Parameters
    ----------
    axes : list of Axis or None
        One a lane.
    ups : float64 array, shape (lanes, 3)
        What is upright, in sensor axes.
    stance : Stance or None
        Where ``ups`` come from; None if they are the mean of running.
    movement : Movement or None
        Where the axes come from, if from one.
    running_up : float64 array, shape (3,), optional
        Mean up direction of the pelvis in running, which gives the change of tilt that a wrong axis turns
        into obliquity.
    params : PostureParams
        Uncertainties that are assumed.
    """
    quats, yaw_sd, residual = [], [], []
    for axis, up in zip(axes, ups, strict=True):
        known = axis is not None and bool(np.isfinite(up).all())
        quats.append(tuple(float(x) for x in segment_quat(up, axis.left)) if known and axis else NOWHERE)
        yaw_sd.append(axis.sd_rad if known and axis else float("nan"))
        residual.append(axis.residual_rad if known and axis else float("nan"))
    stood = np.isfinite(np.array(stance.up)[:, 0]) if stance is not None else np.zeros(len(axes), dtype=bool)
    if not stood[0]:
        change = _BASELINE_TILT
    elif running_up is None:
        change = params.expected_tilt_rad
    else:
        change = float(np.arccos(np.clip(ups[0] @ running_up, -1.0, 1.0)))
    hz = params.bin_hz
    nan = float("nan")
    return Calibration(
        reference="standing" if stood[0] else "baseline",
        axes_from="running" if movement is None else "movement",
        quat_segment_sensor=tuple(quats),
        yaw_sd_rad=tuple(yaw_sd),
        obliquity_uncertainty_rad=float(np.hypot(np.sin(change) * yaw_sd[0], _VERTICAL_SD)),
        residual_rad=tuple(residual),
        standing_start_s=nan if stance is None else stance.start / hz,
        standing_end_s=nan if stance is None else stance.end / hz,
        movement_start_s=nan if movement is None else movement.start / hz,
        movement_end_s=nan if movement is None else movement.end / hz,
        swing_offset_rad=(params.swing_offset_rad * SIDES[0].sign, params.swing_offset_rad * SIDES[1].sign),
        swing_offset_sd_rad=(params.swing_offset_sd_rad, params.swing_offset_sd_rad),
        zero_standing=tuple(stood.astype(float).tolist()),
    )
