"""How far the pelvis moves up and down, and how hard it is shaken at contact."""

from __future__ import annotations

from typing import Final

from latemiles.metrics.metric import Metric
from latemiles.metrics.needs import Need

__all__ = ["METRICS", "SHOCK_WINDOW_S", "VO_HARMONICS"]

SHOCK_WINDOW_S: Final = 0.100
"""The shock is looked for this long after initial contact, s."""

VO_HARMONICS: Final = 8
"""Stride harmonics of vertical acceleration that are integrated twice; the second carries nearly all."""

METRICS = (
    Metric(
        name="pelvis_vo_m",
        unit="m",
        label="pelvis vertical oscillation",
        family="pelvis_motion",
        definition="Peak-to-peak height of the pelvis sensor over the stride: vertical acceleration "
        "integrated twice harmonic by harmonic. The pelvis, not the centre of mass.",
        sign="",
        owner="pelvis",
        stride_sd=0.004,
        offset_free=True,
        speed_slope=(-0.005, 0.008),
    ),
    Metric(
        name="pelvis_shock_m_s2",
        unit="m/s^2",
        label="pelvis shock",
        family="pelvis_motion",
        definition="Peak size of the pelvis sensor's acceleration (specific force without gravity) in the "
        "100 ms after initial contact. Not the shock at the shin.",
        sign="",
        owner="leg",
        stride_sd=4.0,
        offset_free=True,
        speed_slope=(8.0, 5.0),
        needs=Need.RATE | Need.CLOCK,
    ),
)
