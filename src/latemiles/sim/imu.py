"""From the motion of a body segment to what a sensor clipped on it would read, ideal or flawed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import ShapeError
from latemiles.signals.frames import GRAVITY_M_S2, quat_conj, quat_multiply, quat_rotate
from latemiles.signals.quality import SampleQuality
from latemiles.sim.spline import UniformSpline
from latemiles.sim.tissue import NO_IMPACTS, Impacts, knocked

__all__ = [
    "ImuErrors",
    "SensorFlaws",
    "apply_errors",
    "draw_flaws",
    "flawed",
    "ideal_imu",
    "quat_from_rotvec",
    "random_quat",
]

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

_STANDARD_G = 9.80665
_UP = np.array([0.0, 0.0, 1.0])


def random_quat(rng: np.random.Generator) -> F8:
    """A rotation (4,) drawn evenly over all rotations: a sensor clipped on any way."""
    q = rng.standard_normal(4)
    return np.asarray(q / np.linalg.norm(q), dtype=np.float64)


def quat_from_rotvec(rotvec: F8) -> F8:
    """Unit quaternions (..., 4) of rotation vectors (..., 3), rad."""
    v = np.asarray(rotvec, dtype=np.float64)
    angle = np.linalg.norm(v, axis=-1, keepdims=True)
    # sin(x / 2) / x through sinc, which has its limit at zero built in.
    return np.concatenate([np.cos(angle / 2.0), 0.5 * np.sinc(angle / (2.0 * np.pi)) * v], axis=-1)


def continuous(quat: F8) -> F8:
    """The same rotations (n, 4) with signs chosen so that neighbours lie on the same side."""
    q = np.array(quat, dtype=np.float64)
    flips = np.sum(q[1:] * q[:-1], axis=1) < 0.0
    q[1:] *= np.where(np.cumsum(flips) % 2 == 1, -1.0, 1.0)[:, None]
    return q


def rates(spline: UniformSpline, t_s: F8) -> tuple[F8, F8, F8]:
    """Orientation, angular rate and angular acceleration of a spline through quaternions.

    Returns
    -------
    quat, rate, acceleration : float64 arrays (m, 4), (m, 3), (m, 3)
        The rates are in the moving frame, rad/s and rad/s^2, and are exact derivatives of ``quat``.
    """
    q, dq, ddq = (spline.at(t_s, order) for order in (0, 1, 2))
    square = np.sum(q * q, axis=1, keepdims=True)
    conj = quat_conj(q)
    # For r = q / |q|: rate = 2 vec(q* dq) / |q|^2, whose derivative needs no third term as vec(dq* dq) = 0.
    rate = 2.0 * quat_multiply(conj, dq)[:, 1:] / square
    growth = 2.0 * np.sum(q * dq, axis=1, keepdims=True) / square
    turn = 2.0 * quat_multiply(conj, ddq)[:, 1:] / square - rate * growth
    return q / np.sqrt(square), rate, turn


def at_lever(quat: F8, rate: F8, turn: F8, acceleration: F8, lever_m: F8) -> F8:
    """Specific force (n, 3), segment frame, of a point at ``lever_m`` (3,) or (n, 3) of a moving segment."""
    up = quat_rotate(quat_conj(quat), acceleration + GRAVITY_M_S2 * _UP)
    lever = np.broadcast_to(lever_m, up.shape)
    return up + np.cross(turn, lever) + np.cross(rate, np.cross(rate, lever))


def ideal_imu(
    t: F8,
    quat_earth_segment: F8,
    position_m: F8,
    rate_hz: float,
    *,
    lever_m: F8 | tuple[float, float, float] = (0.0, 0.0, 0.0),
    quat_segment_sensor: F8 | tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0),
    low_pass_hz: float | None = None,
) -> tuple[F8, F8, F8, F8]:
    """Readings of a perfect sensor on a segment whose pose is known at uniform times.

    Parameters
    ----------
    t : float64 array, shape (n,)
        Times of the poses, s, uniform.
    quat_earth_segment : float64 array, shape (n, 4)
        Takes segment vectors to earth (z up).
    position_m : float64 array, shape (n, 3)
        A point of the segment in earth, m.
    rate_hz : float
        Sample rate wanted, Hz; need not be that of the poses.
    lever_m : float64 array, shape (3,)
        From that point to the sensor, segment frame, m.
    quat_segment_sensor : float64 array, shape (4,)
        Takes sensor vectors to the segment: how the sensor is mounted.
    low_pass_hz : float, optional
        Zero-delay low-pass of the poses first; optical data wants 15 to 20 Hz.

    Returns
    -------
    t : float64 array, shape (m,)
        Sample times, s: ``t[0] + k / rate_hz``.
    acc : float64 array, shape (m, 3)
        Specific force at the sample instant, sensor frame, m/s^2.
    gyr : float64 array, shape (m, 3)
        Angular rate at the sample instant, sensor frame, rad/s.
    quat_earth_sensor : float64 array, shape (m, 4)
        The truth: takes sensor vectors to earth.

    Raises
    ------
    ShapeError
        If the poses do not belong together or are not uniform in time.
    """
    t = np.asarray(t, dtype=np.float64)
    if t.ndim != 1 or np.shape(quat_earth_segment) != (len(t), 4) or np.shape(position_m) != (len(t), 3):
        raise ShapeError(
            "t (n,), quat_earth_segment (n, 4), position_m (n, 3)",
            f"{t.shape}, {np.shape(quat_earth_segment)}, {np.shape(position_m)}",
            "Hand in one pose a row.",
        )
    step = (t[-1] - t[0]) / (len(t) - 1)
    if np.max(np.abs(np.diff(t) - step)) > 0.02 * step:
        raise ShapeError("poses uniform in time", "uneven steps", "Resample the poses first.")
    pose_hz = 1.0 / step
    turns = UniformSpline.through(
        continuous(quat_earth_segment), rate_hz=pose_hz, start_s=float(t[0]), low_pass_hz=low_pass_hz
    )
    path = UniformSpline.through(
        np.asarray(position_m, dtype=np.float64),
        rate_hz=pose_hz,
        start_s=float(t[0]),
        low_pass_hz=low_pass_hz,
    )
    count = int(np.floor((t[-1] - t[0]) * rate_hz + 1e-6)) + 1
    out_t = t[0] + np.arange(count) / rate_hz
    quat, rate, turn = rates(turns, out_t)
    force = at_lever(quat, rate, turn, path.at(out_t, 2), np.asarray(lever_m, dtype=np.float64))
    mounting = np.asarray(quat_segment_sensor, dtype=np.float64)
    to_sensor = quat_conj(mounting)
    return out_t, quat_rotate(to_sensor, force), quat_rotate(to_sensor, rate), quat_multiply(quat, mounting)


@dataclass(frozen=True, slots=True)
class ImuErrors:
    """What is wrong with a sensor of a kind; standard deviations over specimens unless said otherwise.

    Orders of magnitude of current consumer parts (LSM6DSO, BMI270 data sheets): noise density, offsets
    left after factory trim, sensitivity error and its cross-axis part, offset against temperature.
    """

    acc_noise: float = 120e-6 * _STANDARD_G
    """Noise density, m/s^2 per root Hz."""
    gyr_noise: float = float(np.radians(0.005))
    """Noise density, rad/s per root Hz."""
    acc_bias: float = 0.005 * _STANDARD_G
    gyr_bias: float = float(np.radians(0.3))
    acc_bias_per_k: float = 0.1e-3 * _STANDARD_G
    gyr_bias_per_k: float = float(np.radians(0.01))
    warm_up_k: float = 8.0
    """Temperature rise on the body after it is clipped on, K."""
    warm_up_s: float = 600.0
    """Its time constant, s."""
    scale: float = 0.005
    cross_axis: float = 0.003
    acc_range: float = 16.0 * _STANDARD_G
    """Full scale, m/s^2: 32768 steps; readings beyond are clipped."""
    gyr_range: float = float(np.radians(2000.0))
    """Full scale, rad/s."""
    is_quantised: bool = True
    ringing: float = 15.0
    """Peak of the ringing that an initial contact excites in the accelerometer, m/s^2."""
    ringing_hz: float = 30.0
    ringing_decay_s: float = 0.025

    @classmethod
    def none(cls) -> ImuErrors:
        """A perfect sensor: no error at all, not even clipping."""
        return cls(
            0.0,
            0.0,
            0.0,
            0.0,
            0.0,
            0.0,
            0.0,
            600.0,
            0.0,
            0.0,
            np.inf,
            np.inf,
            is_quantised=False,
            ringing=0.0,
        )


@dataclass(frozen=True, slots=True)
class SensorFlaws:
    """The errors of one specimen, drawn once a run."""

    errors: ImuErrors
    acc_bias: F8
    gyr_bias: F8
    acc_per_k: F8
    gyr_per_k: F8
    acc_matrix: F8
    gyr_matrix: F8
    ringing_hz: float
    ringing_axis: F8
    """Earth frame: mostly up."""


def draw_flaws(errors: ImuErrors, rng: np.random.Generator) -> SensorFlaws:
    """Draw one specimen."""
    vectors = rng.standard_normal((4, 3))
    matrices = [
        np.eye(3) + np.diag(errors.scale * rng.standard_normal(3)) + errors.cross_axis * _off_diagonal(rng)
        for _ in range(2)
    ]
    axis = np.array([0.35, 0.25, 0.0]) * rng.standard_normal(3) + _UP
    return SensorFlaws(
        errors=errors,
        acc_bias=errors.acc_bias * vectors[0],
        gyr_bias=errors.gyr_bias * vectors[1],
        acc_per_k=errors.acc_bias_per_k * vectors[2],
        gyr_per_k=errors.gyr_bias_per_k * vectors[3],
        acc_matrix=matrices[0],
        gyr_matrix=matrices[1],
        ringing_hz=errors.ringing_hz + float(rng.uniform(-4.0, 4.0)),
        ringing_axis=axis / np.linalg.norm(axis),
    )


def _off_diagonal(rng: np.random.Generator) -> F8:
    matrix = rng.standard_normal((3, 3))
    np.fill_diagonal(matrix, 0.0)
    return matrix


def _digitise(x: F8, full_scale: float, is_quantised: bool) -> tuple[F8, NDArray[np.bool_]]:
    if not is_quantised:
        return np.clip(x, -full_scale, full_scale), np.any(np.abs(x) >= full_scale, axis=1)
    step = full_scale / 32768.0
    counts = np.clip(np.rint(x / step), -32768.0, 32767.0)
    return counts * step, np.any((counts >= 32767.0) | (counts <= -32768.0), axis=1)


def flawed(
    flaws: SensorFlaws,
    t: F8,
    acc: F8,
    gyr: F8,
    quat_earth_sensor: F8,
    rng: np.random.Generator,
    *,
    rate_hz: float,
    impacts: Impacts = NO_IMPACTS,
) -> tuple[F8, F8, I8]:
    """What this specimen reads where a perfect one reads ``acc`` and ``gyr``.

    Parameters
    ----------
    flaws : SensorFlaws
        The specimen.
    t : float64 array, shape (n,)
        s since it was clipped on: drives the warming up.
    acc, gyr : float64 arrays, shape (n, 3)
        Perfect readings, m/s^2 and rad/s.
    quat_earth_sensor : float64 array, shape (n, 4)
        True orientation, which gives the impacts their direction.
    rng : numpy Generator
        Draws the noise.
    rate_hz : float
        Sample rate: noise density times the root of half of it is the noise of a sample.
    impacts : Impacts
        Initial contacts.

    Returns
    -------
    acc, gyr : float64 arrays, shape (n, 3)
    flags : int64 array, shape (n,)
        SampleQuality bits: clipped.
    """
    e = flaws.errors
    ring = e.ringing * knocked(t, impacts, flaws.ringing_hz, e.ringing_decay_s)
    acc = acc + ring[:, None] * quat_rotate(
        quat_conj(quat_earth_sensor), np.broadcast_to(flaws.ringing_axis, acc.shape)
    )
    warmth = (e.warm_up_k * (1.0 - np.exp(-np.maximum(t, 0.0) / e.warm_up_s)))[:, None]
    sample_noise = np.sqrt(rate_hz / 2.0)
    acc = acc @ flaws.acc_matrix.T + flaws.acc_bias + warmth * flaws.acc_per_k
    gyr = gyr @ flaws.gyr_matrix.T + flaws.gyr_bias + warmth * flaws.gyr_per_k
    acc = acc + e.acc_noise * sample_noise * rng.standard_normal(acc.shape)
    gyr = gyr + e.gyr_noise * sample_noise * rng.standard_normal(gyr.shape)
    acc, acc_clipped = _digitise(acc, e.acc_range, e.is_quantised)
    gyr, gyr_clipped = _digitise(gyr, e.gyr_range, e.is_quantised)
    flags = np.where(acc_clipped, int(SampleQuality.ACC_CLIPPED), 0) | np.where(
        gyr_clipped, int(SampleQuality.GYR_CLIPPED), 0
    )
    return acc, gyr, flags.astype(np.int64)


def apply_errors(
    t: F8,
    acc: F8,
    gyr: F8,
    quat_earth_sensor: F8,
    errors: ImuErrors,
    rng: np.random.Generator,
    *,
    rate_hz: float,
    impacts: Impacts = NO_IMPACTS,
) -> tuple[F8, F8, I8]:
    """Draw a specimen and return what it reads; arguments and result as for ``flawed``."""
    return flawed(
        draw_flaws(errors, rng), t, acc, gyr, quat_earth_sensor, rng, rate_hz=rate_hz, impacts=impacts
    )
