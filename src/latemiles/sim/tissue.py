"""What an initial contact does to a sensor: ringing, and the skin and strap that move it on its segment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["NO_IMPACTS", "Impacts", "SoftTissue", "damped", "knocked", "soft_tissue_motion"]

F8 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Impacts:
    """Initial contacts as one sensor feels them."""

    t_s: F8
    """(k,) times, s."""
    gain: F8
    """(k,) strength: 1 for the leg that lands, less for the other thigh."""


NO_IMPACTS = Impacts(np.empty(0), np.empty(0))


@dataclass(frozen=True, slots=True)
class SoftTissue:
    """How skin and strap move a sensor on its segment.

    Sizes follow the simulation behind the estimator's design: ringing of 7-9 Hz after each contact and, on
    thighs, a wobble locked to the stride. Published thigh artefacts reach further (Fiorentino et al. 2017).
    """

    ringing_rad: float = float(np.radians(1.0))
    ringing_hz: float = 8.0
    ringing_decay_s: float = 0.08
    displacement_m: float = 0.003
    wobble_rad: float = 0.0
    """Peak of the first two stride harmonics."""


def damped(t: F8, impacts: Impacts, hz: float, decay_s: float) -> F8:
    """Sum (n,) of decaying oscillations that start smoothly at each impact; peak of each near its gain."""

    def wave(since: F8) -> F8:
        # The ramp lets the motion begin with zero rate: no jump in the gyroscope at the contact.
        ramp = 1.0 - np.exp(-((since * hz * 4.0) ** 2))
        return np.asarray(ramp * np.exp(-since / decay_s) * np.sin(2.0 * np.pi * hz * since))

    return _after_each(t, impacts, decay_s, wave)


def knocked(t: F8, impacts: Impacts, hz: float, decay_s: float) -> F8:
    """Sum (n,) of the accelerations of something that rings at each impact; peak of each near its gain.

    What was knocked is at rest before and after: the acceleration is the derivative of the velocity
    ``exp(-t / decay) (1 - cos(w t)) / w`` and its integral is zero. A ringing that left a velocity behind
    would be a mean force, which no filter can tell from a lean.
    """
    w = 2.0 * np.pi * hz

    def wave(since: F8) -> F8:
        left = (1.0 - np.cos(w * since)) / (w * decay_s)
        return np.asarray(np.exp(-since / decay_s) * (np.sin(w * since) - left))

    return _after_each(t, impacts, decay_s, wave)


def _after_each(t: F8, impacts: Impacts, decay_s: float, wave: Callable[[F8], F8]) -> F8:
    """Sum (n,) over the impacts of their gains times what ``wave`` says of the time since, s."""
    total = np.zeros(len(t))
    if len(impacts.t_s) == 0 or len(t) < 2:
        return total
    reach = int(np.ceil(8.0 * decay_s * (len(t) - 1) / (t[-1] - t[0])))
    first = np.searchsorted(t, impacts.t_s)
    index = first[:, None] + np.arange(reach)[None, :]
    inside = index < len(t)
    since = t[np.minimum(index, len(t) - 1)] - impacts.t_s[:, None]
    waves = impacts.gain[:, None] * wave(since)
    np.add.at(total, index[inside], waves[inside])
    return total


def soft_tissue_motion(
    t: F8, impacts: Impacts, phase: F8, vigour: F8, tissue: SoftTissue, rng: np.random.Generator
) -> tuple[F8, F8]:
    """Rotation vector (n, 3), rad, and shift (n, 3), m, of a sensor on its segment, segment frame.

    Parameters
    ----------
    t : float64 array, shape (n,)
        Times, s, uniform.
    impacts : Impacts
        What makes it ring.
    phase : float64 array, shape (n,)
        Stride phase in strides.
    vigour : float64 array, shape (n,)
        Size of the wobble: 0 standing, 1 running; smooth.
    tissue : SoftTissue
        Sizes.
    rng : numpy Generator
        Draws the axes, once a call.
    """
    axes = [v / np.linalg.norm(v) for v in rng.standard_normal((4, 3))]
    offsets = rng.uniform(0.0, 2.0 * np.pi, 2)
    ring = damped(t, impacts, tissue.ringing_hz, tissue.ringing_decay_s)
    angle = 2.0 * np.pi * phase
    one = 0.7 * vigour * np.sin(angle + offsets[0])
    two = 0.3 * vigour * np.sin(2.0 * angle + offsets[1])
    rotvec = tissue.ringing_rad * ring[:, None] * axes[0]
    rotvec = rotvec + tissue.wobble_rad * (one[:, None] * axes[1] + two[:, None] * axes[2])
    return rotvec, tissue.displacement_m * ring[:, None] * axes[3]
