"""Joint angles of running over one stride, as published means: the shapes that the synthetic runner wears.

Running: group means at 2.5 m/s on a treadmill, relative to each runner's own standing, as the first eight
harmonics. ``rbds``: 21 runners of R. K. Fukuchi, C. A. Fukuchi, M. Duarte, A public dataset of running
biomechanics and the effects of running speed on lower extremity kinematics and kinetics, PeerJ 5 (2017)
e3298, CC BY 4.0. ``ric``: 25 runners of the Running Injury Clinic data set, R. Ferber et al., CC BY 4.0.
Angles are those of the data sets' markers, sides averaged.

Walking: hand-drawn to the size and timing that textbooks give; no data set behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.signals.frames import ANGLES

__all__ = ["HARMONICS", "RUNNING", "WALKING", "Curve", "table"]

HARMONICS: Final = 8


@dataclass(frozen=True, slots=True)
class Curve:
    """``mean + sum_k cosine[k-1] cos(2 pi k phase) + sine[k-1] sin(2 pi k phase)``, degrees.

    Phase 0 is the initial contact of the side meant (the right one for the pelvis); obliquity is that side
    up, rotation that side forward, so that for the right side both are the angles of ``signals.frames``.
    """

    mean: float
    cosine: tuple[float, ...]
    sine: tuple[float, ...]


RUNNING: Final[dict[str, dict[str, Curve]]] = {
    "rbds": {
        "pelvic_tilt": Curve(
            4.238,
            (-0.033, 0.962, 0.004, 0.211, -0.008, 0.155, 0.007, 0.004),
            (0.043, -2.843, -0.061, -0.559, -0.049, -0.011, -0.004, 0.04),
        ),
        "pelvic_obliquity": Curve(
            -0.014,
            (2.941, 0.077, -1.476, -0.036, -0.158, -0.023, 0.09, 0.005),
            (1.505, 0.031, -0.17, 0.014, -0.007, -0.011, 0.003, 0.001),
        ),
        "pelvic_rotation": Curve(
            0.007,
            (-0.729, -0.014, 0.033, -0.024, 0.247, 0.027, -0.112, 0.0),
            (-3.134, -0.024, -0.257, -0.01, -0.054, -0.036, -0.013, -0.004),
        ),
        "hip_flexion": Curve(
            12.324,
            (18.477, -4.637, -1.996, 0.017, -0.224, 0.176, -0.007, 0.041),
            (-11.654, 2.145, 1.235, -0.266, 0.035, -0.056, -0.154, 0.014),
        ),
        "hip_adduction": Curve(
            0.708,
            (2.237, 0.698, -1.31, 0.207, -0.276, 0.028, 0.153, 0.029),
            (3.794, 0.566, -0.371, -0.006, -0.151, -0.258, -0.116, -0.022),
        ),
        "hip_internal_rotation": Curve(
            3.116,
            (5.092, -0.968, -1.048, 0.213, -0.647, -0.032, -0.021, 0.057),
            (1.545, -0.423, 0.062, 0.108, 0.634, 0.366, 0.208, 0.131),
        ),
    },
    "ric": {
        "pelvic_tilt": Curve(
            2.852,
            (0.0, -0.057, -0.006, 0.092, 0.004, -0.072, -0.002, -0.027),
            (0.026, -2.568, -0.038, -0.139, -0.021, 0.057, -0.007, -0.009),
        ),
        "pelvic_obliquity": Curve(
            0.015,
            (-0.341, 0.038, -1.578, -0.02, -0.25, -0.017, 0.019, -0.007),
            (1.914, 0.027, -0.424, 0.003, -0.117, 0.001, -0.087, -0.005),
        ),
        "pelvic_rotation": Curve(
            0.007,
            (-1.627, -0.013, 0.008, -0.009, 0.189, 0.003, 0.02, 0.002),
            (-2.446, -0.019, 0.149, -0.006, -0.003, -0.008, 0.044, -0.003),
        ),
        "hip_flexion": Curve(
            12.763,
            (19.12, -7.131, -2.132, -0.048, -0.185, -0.035, -0.013, 0.015),
            (-10.884, 2.23, 1.149, 0.291, -0.027, -0.037, -0.123, -0.063),
        ),
        "hip_adduction": Curve(
            0.972,
            (-1.463, 0.339, -1.309, 0.054, -0.34, 0.079, 0.016, -0.011),
            (5.439, 0.716, -0.607, 0.105, -0.137, -0.142, -0.13, 0.03),
        ),
        "hip_internal_rotation": Curve(
            2.608,
            (7.535, -0.889, 0.126, 0.126, -0.764, 0.017, -0.065, -0.016),
            (1.179, -1.019, -0.14, -0.086, 0.253, 0.083, -0.034, -0.014),
        ),
    },
}

WALKING: Final[dict[str, Curve]] = {
    "pelvic_tilt": Curve(1.0, (0.0, 0.3), (0.0, -1.2)),
    "pelvic_obliquity": Curve(0.0, (1.9, 0.0, -0.6), (2.6, 0.0, 0.2)),
    "pelvic_rotation": Curve(0.0, (3.6,), (-1.0,)),
    "hip_flexion": Curve(9.0, (20.0, -1.5, 0.5), (-5.0, -2.5, -0.5)),
    "hip_adduction": Curve(0.5, (1.5, 0.5), (4.5, 1.5)),
    "hip_internal_rotation": Curve(0.0, (2.0, -1.0), (3.0, 0.5)),
}


def table(curves: dict[str, Curve]) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
    """Means (6,) and complex coefficients (8, 6), both rad, so that ``x = mean + Re(E @ c)``.

    ``E`` holds ``exp(2 pi i k phase)`` for k = 1..8; columns are in the order of ``ANGLES``.
    """
    means = np.radians([curves[name].mean for name in ANGLES])
    coefficients = np.zeros((HARMONICS, len(ANGLES)), dtype=np.complex128)
    for j, name in enumerate(ANGLES):
        cosine, sine = np.array(curves[name].cosine), np.array(curves[name].sine)
        coefficients[: len(cosine), j] = np.radians(cosine) - 1j * np.radians(sine)
    return means, coefficients
