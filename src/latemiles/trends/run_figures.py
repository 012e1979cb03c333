"""What run-to-run trends keep of one run: a handful of numbers, each with what it may be off by."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

__all__ = ["RunFigures"]

TEN_KM_M: Final = 10_000.0
HOUR_S: Final = 3600.0
NAN = math.nan


@dataclass(frozen=True, slots=True)
class RunFigures:
    """The numbers of one run that are laid beside those of others.

    Angles are deg, signs as in ``signals.frames``; NaN is not known. They are made again from the recording
    at any time (``latemiles runs refresh``).
    """

    software: str
    """Version that made them."""
    basis: str
    """``smoothed`` or ``causal``."""
    reference: str
    """What zero tilt means: ``standing`` or ``baseline``."""
    headline: str
    """The report's first sentence."""
    verdict: str
    """Verdict of the form drift of tilt, one of ``signals.results.VERDICTS``."""
    duration_s: float
    distance_m: float
    """Length by the run's own distance source; NaN without one."""
    strides: int
    strides_used: int
    cadence_spm: float
    """Median of the used strides, steps/min."""
    start_speed_m_s: float
    """Mean speed while the start value was measured; NaN without a source."""
    tilt_start_deg: float
    """Pelvic tilt in the baseline window, against ``reference``."""
    tilt_change_deg: float
    """Late minus start; after speed and grade where ``is_adjusted``."""
    tilt_change_low_deg: float
    """95 % interval of the change."""
    tilt_change_high_deg: float
    is_adjusted: int
    """1: speed and grade are taken off. 0: raw, for want of a source."""
    between_s: float
    """Time from the middle of the start to the middle of the late part, s."""
    between_m: float
    """The same as a distance; NaN without a source."""
    drop_asymmetry_deg: float
    """Drop over the right leg minus over the left, free of the sensor's offset; median of the run."""
    drop_asymmetry_low_deg: float
    """95 % interval, of the strides alone."""
    drop_asymmetry_high_deg: float
    obliquity_offset_deg: float
    """Half of what the offset makes of right minus left: the mean obliquity as the sensor sits."""
    mounting_sd_deg: float
    """One SD of the mean obliquity that the mounting may cause."""
    pelvis_slips: int
    """How often the pelvis sensor moved on the body."""

    @property
    def has_standing(self) -> bool:
        """Whether zero tilt is that day's standing pose."""
        return self.reference == "standing"

    def tilt_drift(self, *, by_distance: bool) -> tuple[float, float, float]:
        """Change of tilt per 10 km, or per hour, with its 95 % interval: value, low, high.

        The late-minus-start change over what lies between the middles of the two parts; NaN where that is
        not known.
        """
        between = self.between_m / TEN_KM_M if by_distance else self.between_s / HOUR_S
        if not between > 0.0:
            return NAN, NAN, NAN
        low, high = self.tilt_change_low_deg, self.tilt_change_high_deg
        return self.tilt_change_deg / between, low / between, high / between
