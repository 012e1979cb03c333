"""How far the pelvis falls over the stance leg, free of how crooked the sensor was clipped on."""

from __future__ import annotations

from latemiles.metrics.metric import Metric
from latemiles.metrics.needs import Need

__all__ = ["METRICS", "drop_sign"]


def drop_sign(side_sign: int) -> int:
    """Factor from obliquity (right side up +) to drop of the stance leg (opposite side down +).

    On the right leg the left side drops, which is obliquity +; on the left leg it is obliquity -.
    """
    return side_sign


METRICS = (
    Metric(
        name="pelvic_drop_excursion_deg",
        unit="deg",
        label="pelvic drop, contact to peak",
        family="drop",
        definition="Peak of pelvic drop in stance minus pelvic drop at initial contact.",
        sign="Positive when the side opposite to the stance leg falls after contact.",
        owner="leg",
        stride_sd=0.6,
        offset_free=True,
        speed_slope=(0.7, 0.7),
        angle="pelvic_drop",
        feature="excursion",
        needs=Need.CLOCK,
    ),
)
