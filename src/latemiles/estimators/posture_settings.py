"""What the posture stage's parameters come down to for the kernels that run once a second."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from latemiles.estimators.hip_check import EVERY_S, hips_window
from latemiles.estimators.thinned import Thinned
from latemiles.kernels.record import as_state
from latemiles.kernels.seconds import SECOND_SETTINGS, SECOND_STATE

__all__ = ["new_second_state", "second_settings"]

_AT_REST_RAD_S: Final = 0.15
"""Rate below which a sensor's earth frame keeps still, since its gyro bias is then known, rad/s."""
_LOST_PACKETS_S: Final = 0.1
"""Part of a second that may be missing of a sensor that counts as heard, s."""
_LOST_RAD: Final = 0.5
"""Standard deviation of a relative heading that is not worth an angle."""
_GAP_RAD_S2: Final = 1.0
"""How uncertain a relative heading becomes over a gap: rad per second of gap, squared."""
_RESTLESS_RAD_S: Final = 0.3
"""Rms rate about a gap below which it makes less uncertain, rad/s: standing has 0.02 to 0.1, walking 0.5."""
_STRAIGHT: Final = 0.3
"""How far it may turn where the rate was carried on in a straight line, as a share of the rms rate times the
time: 0.2 to 0.37 over 0.1 to 0.3 s of running."""
_FILLED_RAD2_S: Final = float(np.radians(3.0)) ** 2
"""Variance of its turn over a second that was filled from the stride before, rad^2: strides differ."""
_OFFSET_AFTER_S: Final = 300.0
"""Running after which the swing offset is taken for the whole recording, s; later it could be form."""
_HEADING_LOST_S: Final = 10.0
"""How long a gap is seen in the heading: the span of its mean, and of its rate, s."""
_A_BEND_RAD: Final = 1.0
"""Turn that is a bend of the way, rad."""


def second_settings(thinned: Thinned, lag: int, *, has_hips: bool) -> NDArray[np.void]:
    """Settings, shape (1,), see ``kernels.seconds.SECOND_SETTINGS``.

    Parameters
    ----------
    thinned : Thinned
        With its parameters.
    lag : int
        Seconds that samples are held back.
    has_hips : bool
        Whether the hips' second opinion is asked.
    """
    p = thinned.params
    values: dict[str, Any] = {
        "step_s": thinned.step_s,
        "bin_s": thinned.step_s / thinned.second,
        "bin_hz": p.bin_hz,
        "at_rest": _AT_REST_RAD_S,
        "moving_gyr": p.moving_gyr_rad_s,
        "swings_hz": p.swings_hz,
        "moving_force": p.moving_force_m_s2,
        "running_force": p.running_force_m_s2,
        "lost_packets_s": _LOST_PACKETS_S,
        "gap": _GAP_RAD_S2,
        "restless": _RESTLESS_RAD_S,
        "straight": _STRAIGHT,
        "filled": _FILLED_RAD2_S,
        "lost": _LOST_RAD,
        "uncertain": p.uncertain_rad,
        "rate_span_s": thinned.rate_span_s,
        "bend": p.bend_rad_s,
        "a_bend": _A_BEND_RAD,
        "heading_lost_s": _HEADING_LOST_S,
        "hips_every_s": EVERY_S,
        "offset_after_s": _OFFSET_AFTER_S,
        "rate_span": thinned.rate_span,
        "half_span": thinned.half_span,
        "second": thinned.second,
        "per_bin": thinned.per_bin,
        "hips_window": hips_window(p.bin_hz) if has_hips else 0,
        "lag": lag,
    }
    settings = as_state(np.zeros(1, dtype=SECOND_SETTINGS))
    for name, value in values.items():
        settings[name] = value
    return settings


def new_second_state() -> NDArray[np.void]:
    """State before the first second, shape (1,)."""
    state = as_state(np.zeros(1, dtype=SECOND_STATE))
    state["since_s"] = _HEADING_LOST_S
    return state
