"""Parameters of the orientation filter and what they come down to at one sample rate."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import ConfigError
from latemiles.kernels.orientation_state import COEFFICIENTS

__all__ = ["OrientationParams", "check_rate", "coefficients", "lowpass_coefficients", "worn"]


@dataclass(frozen=True, slots=True)
class OrientationParams:
    """Settings of the orientation filter, SI units; the defaults of the causal basis are VQF's [1]_.

    References
    ----------
    .. [1] Laidig and Seel, Information Fusion 91:187-204, 2023, arXiv:2203.17024, table 1.
    """

    force_tau: float = 3.0
    """s; time constant of the low-pass of specific force in the inertial frame."""
    rest_tau: float = 0.5
    """s; time constant of the low-pass against which rest is judged."""
    rest_min: float = 1.5
    """s; quiet for so long is rest."""
    rest_gyr: float = math.radians(2.0)
    """rad/s; largest deviation of the rate from its low-pass at rest."""
    rest_acc: float = 0.5
    """m/s^2; largest deviation of the force from its low-pass at rest."""
    bias_sigma_init: float = math.radians(0.5)
    """rad/s; standard deviation of the bias before the first sample, and its ceiling."""
    bias_forgetting: float = 100.0
    """s; in this time the standard deviation of the bias grows from 0 to 0.1 deg/s."""
    bias_sigma_motion: float = math.radians(0.1)
    """rad/s; where the standard deviation converges to in motion."""
    bias_sigma_rest: float = math.radians(0.03)
    """rad/s; where it converges to at rest."""
    bias_vertical_weight: float = 1e-4
    """Weight of the pseudo-measurement "no bias about the vertical", which motion cannot see, against
    that of the horizontal ones."""
    bias_clip: float = math.radians(2.0)
    """rad/s; no bias is larger, and no single disagreement counts for more. See also ``worn``."""
    course_tau: float = 0.1
    """s; time constant of each of the two low-passes of the direction of progression,"""
    course_slow_tau: float = 1.0
    """s; and of the one behind them, which says what they miss by being late: more than a stride."""
    hold: float = 0.1
    """s; a hole up to this long is carried over with the mean rate of its two ends: on a running thigh that
    errs by up to 3 degrees, and by 20 at twice the length. After a longer one gravity is averaged afresh."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (math.isfinite(value) and value > 0.0):
                raise ConfigError(
                    f"orientation.{field.name}",
                    f"must be positive and finite, is {value}. Leave it out for the default.",
                )


def worn() -> OrientationParams:
    """Return the settings for a sensor that a person wears.

    Gyros of small sensors are off by several degrees a second when they are new, more than VQF allows for: it
    takes a larger mean rate for a slow turn and never sees rest. Nobody who wears a sensor turns so evenly.
    """
    return OrientationParams(bias_clip=math.radians(6.0))


def check_rate(rate_hz: float, params: OrientationParams) -> float:
    """Return the rate, Hz, if the filters can work at it.

    Raises
    ------
    ConfigError
        If the rate is not positive and finite or a time constant is shorter than a sample.
    """
    if not (
        isinstance(rate_hz, (int, float, np.integer, np.floating))
        and math.isfinite(rate_hz)
        and rate_hz > 0.0
    ):
        raise ConfigError(
            "rate_hz", f"must be a positive number of samples a second, is {rate_hz!r}. Pass it in Hz."
        )
    if min(params.force_tau, params.rest_tau) * rate_hz < 1.0:
        raise ConfigError(
            "rate_hz",
            f"{rate_hz} Hz is less than one sample a time constant. Pass the rate in Hz, not the interval.",
        )
    return float(rate_hz)


def lowpass_coefficients(tau: float, rate_hz: float) -> tuple[float, float, float]:
    """Coefficients b0, a1, a2 of the bilinear second-order Butterworth low-pass; b1 = 2 b0, b2 = b0.

    ``tau`` in s is the time constant of the envelope of its step response: the cut-off is
    sqrt(2) / (2 pi tau) (Laidig and Seel 2023, section 3.2).
    """
    c = math.tan(math.sqrt(0.5) / (tau * rate_hz))
    d = c * c + math.sqrt(2.0) * c + 1.0
    return c * c / d, 2.0 * (c * c - 1.0) / d, (1.0 - math.sqrt(2.0) * c + c * c) / d


def coefficients(params: OrientationParams, rate_hz: float) -> NDArray[Any]:
    """Coefficients of the kernels: a zero-dimensional array of ``kernels.orientation_state.COEFFICIENTS``."""
    co = np.zeros((), dtype=COEFFICIENTS)
    dt = 1.0 / rate_hz
    co["dt"], co["rate"] = dt, 1.0 / dt
    co["force_tau"], co["rest_tau"] = params.force_tau, params.rest_tau
    co["force_b0"], co["force_a1"], co["force_a2"] = lowpass_coefficients(params.force_tau, rate_hz)
    co["rest_b0"], co["rest_a1"], co["rest_a2"] = lowpass_coefficients(params.rest_tau, rate_hz)
    co["rest_min"] = params.rest_min
    co["rest_gyr_squared"], co["rest_acc_squared"] = params.rest_gyr**2, params.rest_acc**2
    co["cov_init"] = params.bias_sigma_init**2
    step = math.radians(0.1) ** 2 * dt / params.bias_forgetting
    co["cov_step"] = step

    def weight(sigma: float) -> float:
        # Steady state of P = P + V - P^2 / (P + W) at P = sigma^2 (eq. 27), solved for 1 / W.
        return 1.0 / (sigma**4 / step + sigma**2)

    co["weight_motion"] = weight(params.bias_sigma_motion)
    co["weight_vertical"] = weight(params.bias_sigma_motion) * params.bias_vertical_weight
    co["weight_rest"] = weight(params.bias_sigma_rest)
    co["bias_clip"] = params.bias_clip
    gain, slow = (-math.expm1(-dt / tau) for tau in (params.course_tau, params.course_slow_tau))
    co["course_gain"], co["course_slow"] = gain, slow
    # A first-order low-pass of gain g is (1 - g) / g samples late.
    co["course_lead"] = 2.0 * (1.0 - gain) / gain * slow / (1.0 - slow)
    co["hold_samples"] = round(params.hold * rate_hz)
    return co
