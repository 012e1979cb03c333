"""Six features of each angle of a stride: mean, range, three instants and the peak in stance.

Instants are read between samples, at the time of the event. The peak is the extreme that matters for the
angle in question, not always the maximum: see ``PEAK``.
"""

from __future__ import annotations

from typing import Final

from latemiles.metrics.metric import Metric
from latemiles.metrics.needs import Need

__all__ = ["ANGLE_NAMES", "FEATURES", "METRICS", "PEAK"]

FEATURES: Final = ("mean", "rom", "ic", "midstance", "to", "stance_peak")

ANGLE_NAMES: Final = (
    "pelvic_tilt",
    "pelvic_obliquity",
    "pelvic_rotation",
    "pelvic_drop",
    "hip_flexion",
    "hip_adduction",
    "hip_internal_rotation",
)

SIGN: Final = {
    "pelvic_tilt": "Positive when the pelvis tips forward (anterior).",
    "pelvic_obliquity": "Positive when the right side is up.",
    "pelvic_rotation": "Positive when the right side is forward.",
    "pelvic_drop": "Positive when the side opposite to the stance leg is down.",
    "hip_flexion": "Positive when the thigh is forward of the pelvis.",
    "hip_adduction": "Positive when the thigh leans towards the midline.",
    "hip_internal_rotation": "Positive when the front of the thigh turns inwards.",
}

PEAK: Final = {
    "pelvic_tilt": "maximum: most anterior",
    "pelvic_obliquity": "value where the opposite side is lowest: maximum of right, minimum of left",
    "pelvic_rotation": "value where the stance side is furthest back: minimum of right, maximum of left",
    "pelvic_drop": "maximum: opposite side lowest",
    "hip_flexion": "minimum: most extended",
    "hip_adduction": "maximum: most adducted",
    "hip_internal_rotation": "maximum: most internally rotated",
}
"""Which extreme in stance (initial contact to toe-off) is called the peak."""

MEAN_SD_DEG: Final = {
    "pelvic_tilt": 0.70,
    "pelvic_obliquity": 0.38,
    "pelvic_rotation": 0.82,
    "pelvic_drop": 0.38,
    "hip_flexion": 1.02,
    "hip_adduction": 0.47,
    "hip_internal_rotation": 0.48,
}
"""SD of the stride mean from stride to stride, deg, measured on 30 s treadmill trials of real runners."""

INSTANT_SD_FACTOR: Final = 1.4
"""SD of a single instant or a range over that of the mean; an assumption, used only as a starting value."""

SPEED_SLOPE: Final = {
    ("pelvic_tilt", "mean"): (2.5, 1.0),
    ("pelvic_tilt", "rom"): (-0.8, 1.0),
    ("pelvic_obliquity", "rom"): (1.6, 1.0),
    ("pelvic_drop", "rom"): (1.6, 1.0),
    ("pelvic_drop", "stance_peak"): (0.5, 0.7),
    ("pelvic_rotation", "rom"): (3.9, 1.5),
    ("hip_flexion", "rom"): (14.0, 4.0),
    ("hip_flexion", "mean"): (1.0, 2.0),
    ("hip_flexion", "ic"): (3.0, 2.5),
    ("hip_adduction", "rom"): (3.0, 1.5),
}
"""deg per m/s, mean and SD over runners: three runners at 2.5, 3.5 and 4.5 m/s (tilt: 1.6 to 4)."""


def _slope(angle: str, feature: str) -> tuple[float, float]:
    if feature in ("ic", "midstance", "to", "stance_peak") and angle == "pelvic_tilt":
        return SPEED_SLOPE[angle, "mean"]
    # Unknown: centred on none, as wide as one and a half strides' SD per m/s.
    return SPEED_SLOPE.get((angle, feature), (0.0, 1.5 * MEAN_SD_DEG[angle]))


LABEL: Final = {
    "mean": "mean over the stride",
    "rom": "range over the stride",
    "ic": "at initial contact",
    "midstance": "at mid-stance",
    "to": "at toe-off",
    "stance_peak": "peak in stance",
}

DEFINITION: Final = {
    "mean": "Time mean from initial contact to the next, by the trapezoid rule.",
    "rom": "Largest minus smallest value from initial contact to the next.",
    "ic": "Value at initial contact, read between samples.",
    "midstance": "Value half way from initial contact to toe-off.",
    "to": "Value at toe-off.",
}


def _needs(angle: str, feature: str) -> Need:
    """What a feature rests on besides the angle itself.

    Events come from all three sensors, so an instant needs one clock for all. A hip angle is the difference
    of two sensors; its mean is the difference of their means, which no clock changes, and the range of
    flexion is the thigh's but for a few degrees.
    """
    needs = Need.NOTHING
    if feature == "to":
        needs |= Need.RATE
    if feature in ("ic", "midstance", "to"):
        needs |= Need.CLOCK
    if angle.startswith("hip") and feature != "mean" and (angle, feature) != ("hip_flexion", "rom"):
        needs |= Need.CLOCK
    return needs


def _metric(angle: str, feature: str) -> Metric:
    words = angle.replace("_", " ")
    definition = DEFINITION.get(feature, f"Extreme between initial contact and toe-off ({PEAK[angle]}).")
    if angle == "pelvic_rotation" and feature == "mean":
        definition += " Near zero by construction: the direction of progression is taken off."
    is_mirrored = angle in ("pelvic_obliquity", "pelvic_rotation") and feature != "rom"
    is_pelvis = angle in ("pelvic_tilt", "pelvic_obliquity", "pelvic_rotation") and feature in ("mean", "rom")
    return Metric(
        name=f"{angle}_{feature}_deg",
        unit="deg",
        label=f"{words} {LABEL[feature]}",
        family="angles",
        definition=definition,
        sign="" if feature == "rom" else SIGN[angle],
        owner="pelvis" if is_pelvis else "leg",
        stride_sd=MEAN_SD_DEG[angle] * (1.0 if feature == "mean" else INSTANT_SD_FACTOR),
        offset_free=feature == "rom",
        mirror=-1 if is_mirrored else 1,
        speed_slope=_slope(angle, feature),
        angle=angle,
        feature=feature,
        needs=_needs(angle, feature),
    )


METRICS = tuple(_metric(angle, feature) for angle in ANGLE_NAMES for feature in FEATURES)
