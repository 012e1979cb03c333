"""Asymmetry from one sensor: the harmonics of the stride that a symmetric gait does not have.

With equal left and right steps tilt repeats twice a stride, so it has even stride harmonics only;
obliquity and rotation change sign from step to step, so they have odd ones only. What is left in the
forbidden ones, as an RMS in degrees with the mean excluded, is free of a constant offset and, to first
order, of alignment. Healthy runners at 2.5 m/s, median (95th percentile): tilt 0.5-0.7 (0.9-1.4),
obliquity 0.3-0.4 (0.7-0.9), rotation 0.35-0.43 (0.6-0.9).
"""

from __future__ import annotations

from typing import Final

from latemiles.metrics.metric import Metric

__all__ = ["METRICS", "N_HARMONICS"]

N_HARMONICS: Final = 8
"""Highest stride harmonic looked at: about 11 Hz, above which soft tissue and impacts dominate."""


def _metric(angle: str, forbidden: str) -> Metric:
    return Metric(
        name=f"{angle}_harmonic_asymmetry_deg",
        unit="deg",
        label=f"{angle.replace('_', ' ')} asymmetry between steps",
        family="harmonic",
        definition=f"RMS of the {forbidden} stride harmonics up to the {N_HARMONICS}th of the waveform after "
        "its end-to-end trend is taken off.",
        sign="",
        owner="pelvis",
        stride_sd=0.25,
        offset_free=True,
        speed_slope=(0.0, 0.3),
        angle=angle,
        feature="harmonic_asymmetry",
    )


METRICS = (
    _metric("pelvic_tilt", "odd"),
    _metric("pelvic_obliquity", "even"),
    _metric("pelvic_rotation", "even"),
)
