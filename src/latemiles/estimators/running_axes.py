"""Medio-lateral axes from running or walking alone, for a runner who held no pose or made no movement.

Runs on the thinned streams of ``kernels.posture_bins``, levelled: each bin's rate and force are turned into
a frame with z up that follows the sensor's own slow heading, so that turns of the runner drop out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.estimators.calibration_windows import up_in_sensor
from latemiles.estimators.mounting import Axis, low_pass, principal_axis, segment_axes
from latemiles.estimators.posture_params import PostureParams
from latemiles.signals.frames import quat_multiply, quat_rotate

__all__ = ["Gait", "gait_harmonics", "mean_up", "pelvis_running_axis", "thigh_running_axis"]

F8 = NDArray[np.float64]
C16 = NDArray[np.complex128]

_BLOCK_S: Final = 5.0
"""Length of a Hann block for the harmonics: three strides of a slow walk."""
_HARMONICS: Final = (1, 2, 3, 4)
_LOUDEST: Final = 0.3
"""Most that the side of standing on which a thigh swings may say; the other two witnesses make 0.45 to 1.5
together in walking, jogging and running people and in the mean curves of two groups."""
_STRIDES_HZ: Final = np.arange(0.55, 1.95, 0.01)
"""Stride rates of walking and running, Hz."""


@dataclass(frozen=True, slots=True)
class Gait:
    """Complex stride harmonics 1 to 4 of every block, phases relative to a common signal of the block."""

    rate: C16
    """(blocks, 4, 3) rates of the pelvis, levelled, rad/s."""
    force: C16
    """(blocks, 4, 3) specific force of the pelvis, levelled, m/s^2."""
    up: F8
    """(3,) up direction of the pelvis sensor to which its levelled frame belongs."""
    left: F8
    """(3,) its provisional left axis."""
    flexion: C16
    """(blocks, 2) first harmonic of the left and the right thigh's flexion angle, rad; NaN if unknown."""
    stride_hz: F8
    """(blocks,) stride rate."""


def mean_up(rows: F8, lane: int) -> F8:
    """Mean earth-up direction (3,) of one lane over bins (n, lanes, 10), unit; NaN if it was not heard."""
    heard = np.isfinite(rows[:, lane, 0])
    if not heard.any():
        return np.full(3, np.nan)
    up = up_in_sensor(rows[heard, lane]).mean(axis=0)
    unit: F8 = up / np.linalg.norm(up)
    return unit


def thigh_running_axis(
    rows: F8, lane: int, up: F8, bias: F8, params: PostureParams, *, is_standing: bool
) -> Axis | None:
    """Flexion axis of a thigh: principal axis of its rates over bins of running (n, lanes, 10).

    Three witnesses tell forward from backward, in running, in walking and on the spot: a thigh comes forward
    faster than it goes back; it lingers more in front of its mean than behind it; and it goes further forward
    than backward of standing (left out if ``up`` is the mean of running, not standing). The third speaks
    loudest but for somebody whose whole pelvis tips far as soon as he runs, which takes the thighs along: it
    may not outvote the other two.
    """
    heard = np.isfinite(rows[:, lane, 0])
    if heard.sum() < 2.0 * params.bin_hz:
        return None
    here = rows[heard, lane]
    now = up_in_sensor(here)
    rates = here[:, 4:7] - bias
    # Only the level part: in turns the whole body's turning would draw the axis towards the vertical.
    rates = rates - (rates * now).sum(axis=1, keepdims=True) * now
    left = segment_axes(up, principal_axis(rates))[1]
    # Flexion turns the up direction the negative way about left.
    flexion = -np.cross(now, up) @ left
    rate = -(low_pass(rows[:, lane], params)[heard] - bias) @ left
    witness = _third(rate - rate.mean()) - _third(flexion - flexion.mean())
    if is_standing:
        witness += float(np.clip(_third(flexion), -_LOUDEST, _LOUDEST))
    return Axis(left if witness >= 0.0 else -left, params.thigh_running_sd_rad, float("nan"))


def _third(x: F8) -> float:
    """Third moment over the cube of the rms; 0 for no motion."""
    size = float(np.mean(x**2)) ** 1.5
    return float(np.mean(x**3)) / size if size > 0.0 else 0.0


def gait_harmonics(
    rows: F8, ups: F8, biases: F8, thighs: tuple[Axis | None, Axis | None], params: PostureParams
) -> Gait | None:
    """Stride harmonics of the pelvis and the phases of the thighs over bins of steady running or walking.

    Parameters
    ----------
    rows : float64 array, shape (n, lanes, 10)
        Consecutive bins.
    ups : float64 array, shape (lanes, 3)
        Up direction of standing, or of the mean of running, in sensor axes.
    biases : float64 array, shape (lanes, 3)
        Gyro bias, rad/s.
    thighs : pair of Axis or None
        Flexion axes of the left and the right thigh.
    params : PostureParams
        Rates and limits.
    """
    length = round(_BLOCK_S * params.bin_hz)
    known = [lane for lane in (1, 2) if thighs[lane - 1] is not None]
    if len(rows) < length or not known or not np.isfinite(ups[0]).all():
        return None
    seed = np.eye(3)[np.argmin(np.abs(ups[0]))]
    axes = segment_axes(ups[0], seed)
    rate, force = _levelled(rows[:, 0], axes, biases[0], params)
    swing = np.full((len(rows), 2), np.nan)
    for lane in known:
        axis = thighs[lane - 1]
        if axis is not None:
            swing[:, lane - 1] = -np.cross(up_in_sensor(rows[:, lane]), ups[lane]) @ axis.left
    parts = []
    for start in range(0, len(rows) - length + 1, length // 2):
        block = slice(start, start + length)
        if np.isfinite(rate[block]).all() and np.isfinite(swing[block][:, [k - 1 for k in known]]).all():
            parts.append(_block(rate[block], force[block], swing[block], params))
    if not parts:
        return None
    return Gait(
        np.stack([p[0] for p in parts]),
        np.stack([p[1] for p in parts]),
        axes[2],
        axes[1],
        np.stack([p[2] for p in parts]),
        np.array([p[3] for p in parts]),
    )


def _levelled(rows: F8, axes: F8, bias: F8, params: PostureParams) -> tuple[F8, F8]:
    """Rate and force (n, 3) of one lane in a frame with z up whose x follows the slow heading of axes[0]."""
    quat = rows[:, :4]
    ahead = quat_rotate(quat, axes[0])
    heading = np.full(len(rows), np.nan)
    heard = np.isfinite(quat[:, 0])
    if heard.sum() < 2:
        return np.full((len(rows), 3), np.nan), np.full((len(rows), 3), np.nan)
    heading[heard] = np.unwrap(np.arctan2(ahead[heard, 1], ahead[heard, 0]))
    filled = np.interp(np.arange(len(rows)), np.flatnonzero(heard), heading[heard])
    half = round(0.5 * params.heading_span_s * params.bin_hz)
    hann = np.hanning(2 * half + 3)[1:-1]
    slow = np.convolve(filled, hann, mode="same") / np.convolve(np.ones(len(rows)), hann, mode="same")
    level = quat_multiply(
        np.stack([np.cos(slow / 2), 0.0 * slow, 0.0 * slow, -np.sin(slow / 2)], axis=1), quat
    )
    return quat_rotate(level, rows[:, 4:7] - bias), quat_rotate(level, rows[:, 7:10])


def _block(rate: F8, force: F8, swing: F8, params: PostureParams) -> tuple[C16, C16, C16, float]:
    """Harmonics of one block at the stride rate at which the thighs swing most."""
    t, hann, tried = _trials(len(rate), params.bin_hz)
    heard = np.nan_to_num(swing - swing.mean(axis=0))
    spectrum = np.abs(tried @ heard) ** 2
    stride_hz = float(_STRIDES_HZ[np.argmax(spectrum.sum(axis=1))])
    waves = 2.0 * hann * np.exp(-2j * np.pi * stride_hz * np.outer(_HARMONICS, t))
    return waves @ rate, waves @ force, waves[0] @ swing, stride_hz


@cache
def _trials(n: int, bin_hz: float) -> tuple[F8, F8, C16]:
    """Times and Hann weights (n,) of a block of bins, and its waves at the stride rates that are tried."""
    t = np.arange(n) / bin_hz
    hann = np.hanning(n + 2)[1:-1]
    hann /= hann.sum()
    return t, hann, hann * np.exp(-2j * np.pi * _STRIDES_HZ[:, None] * t)


def pelvis_running_axis(gait: Gait, is_running: bool, params: PostureParams) -> Axis | None:
    """Medio-lateral axis of the pelvis from the symmetry of its stride harmonics.

    Tilting repeats with every step, so the even harmonics of the level rate lie along the medio-lateral
    axis; list changes side, so the odd ones lie along the fore-aft axis, as do the even harmonics of the
    level force. Each is off by 6 to 9 degrees in a given runner, in different ways; their mean by 5.

    Parameters
    ----------
    gait : Gait
        From ``gait_harmonics``.
    is_running : bool
        Running (a flight phase) or walking: the forward force comes after mid-stance in the one and around
        the change of feet in the other, which decides the sign.
    params : PostureParams
        Uncertainties that are assumed.

    Returns
    -------
    Axis or None
        None if the sign cannot be told.
    """
    even, odd = [1, 3], [0, 2]
    across = [
        _direction(gait.rate[:, even, :2]),
        1j**2 * _direction(gait.rate[:, odd, :2]),
        1j**2 * _direction(gait.force[:, even, :2]),
    ]
    # Doubled angles: an axis and its opposite are one, and a quarter turn is a change of sign.
    weights = np.array([1.0 / 9.4**2, 1.0 / 7.1**2, 1.0 / 6.3**2])
    total = complex(np.sum(weights * np.array(across)))
    if abs(total) == 0.0:
        return None
    angle = 0.5 * np.angle(total)
    turns = np.angle(np.array(across) * np.conj(total)) / 2.0
    spread = float(np.sqrt(np.sum(weights * np.abs(across) * turns**2) / np.sum(weights * np.abs(across))))
    forward = np.cross(gait.left, gait.up)
    left = np.cos(angle) * forward + np.sin(angle) * gait.left
    sign = forward_sign(gait, float(angle), is_running)
    if sign == 0.0:
        return None
    return Axis(sign * left, float(np.hypot(params.pelvis_running_sd_rad, 0.5 * spread)), spread)


def _direction(parts: C16) -> complex:
    """Doubled-angle direction of the main axis of (blocks, harmonics, 2) planar vectors; size 0 to 1."""
    x, y = parts[..., 0].ravel(), parts[..., 1].ravel()
    xx, yy = float(np.sum(np.abs(x) ** 2)), float(np.sum(np.abs(y) ** 2))
    xy = float(np.real(np.sum(x * np.conj(y))))
    total = xx + yy
    return complex(xx - yy, 2.0 * xy) / total if total > 0.0 else 0j


def forward_sign(gait: Gait, angle: float, is_running: bool) -> float:
    """+1 if ``angle`` of the levelled frame points to the runner's left, -1 if to the right, 0 if unknown.

    Two witnesses. The forward force at step rate follows the vertical force by a quarter of a step in
    running (braking, then push) and leads it in walking. In running the pelvis is highest on the side of
    the leg that stands, in the first half of its stance: after that thigh's foremost point by 50 to 150
    degrees of the stride (groups and single runners of RBDS and RIC).
    """
    # If the axis points left, forward is a quarter turn to its right.
    ahead = np.array([np.sin(angle), -np.cos(angle)])
    step_force = gait.force[:, 1, :2] @ ahead
    vertical = gait.force[:, 1, 2]
    quarter = np.imag(step_force * np.conj(vertical))
    size = np.abs(step_force) * np.abs(vertical)
    push = float(-np.sum(quarter) / (np.sum(size) + 1e-12)) * (1.0 if is_running else -1.0)
    push *= float(min(1.0, np.mean(np.abs(step_force)) / 0.5))
    if not is_running:
        return float(np.sign(push))
    # Right side up is a negative turn about the forward axis; the first harmonic of its angle.
    turned = -(gait.rate[:, 0, :2] @ ahead) / (2j * np.pi * gait.stride_hz)
    list_sign = 0.0
    for side, mirror in ((0, -1.0), (1, 1.0)):
        swing = gait.flexion[:, side]
        if np.isfinite(swing).all():
            size = np.abs(turned) * np.abs(swing)
            list_sign -= mirror * float(np.sum(np.imag(turned * np.conj(swing))) / (np.sum(size) + 1e-12))
    return float(np.sign(push + list_sign))
