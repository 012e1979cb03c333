"""The nine angles of the stride panel and where first and last differ."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latemiles.report.page import Page

__all__ = ["PANELS", "Difference", "Panel", "differences"]

F8 = NDArray[np.float64]
B = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Panel:
    """One of the nine: place, name, sign, fixed range in degrees."""

    angle: str
    """Key of the waveforms."""
    row: int
    column: int
    name: str
    sign: str
    low: float
    high: float

    @property
    def of(self) -> str:
        """``pelvis``, ``left`` or ``right``."""
        return ("pelvis", "left", "right")[self.row]

    @property
    def side(self) -> str:
        """The side whose stride it is drawn over."""
        return "left" if self.row == 1 else "right"

    @property
    def tone(self) -> str:
        """Colour of its line: a side's own, ink for the pelvis."""
        return ("ink", "left", "right")[self.row]

    @property
    def metrics(self) -> tuple[str, ...]:
        """Columns whose detectable changes are the measure of the panel."""
        angle = self.angle.removeprefix("left_").removeprefix("right_")
        return tuple(f"{angle}_{feature}_deg" for feature in ("ic", "midstance", "to"))

    @property
    def words(self) -> str:
        """``left hip flexion``."""
        return self.angle.replace("_", " ")


PANELS = (
    Panel("pelvic_tilt", 0, 0, "tilt", "forward +", -4.0, 12.0),
    Panel("pelvic_obliquity", 0, 1, "obliquity", "right up +", -8.0, 8.0),
    Panel("pelvic_rotation", 0, 2, "rotation", "right forward +", -8.0, 8.0),
    Panel("left_hip_flexion", 1, 0, "flexion", "+", -24.0, 44.0),
    Panel("left_hip_adduction", 1, 1, "adduction", "+", -12.0, 12.0),
    Panel("left_hip_internal_rotation", 1, 2, "internal rotation", "+", -14.0, 18.0),
    Panel("right_hip_flexion", 2, 0, "flexion", "+", -24.0, 44.0),
    Panel("right_hip_adduction", 2, 1, "adduction", "+", -12.0, 12.0),
    Panel("right_hip_internal_rotation", 2, 2, "internal rotation", "+", -14.0, 18.0),
)


@dataclass(frozen=True, slots=True)
class Difference:
    """First and last waveform of one angle, deg; all NaN where not known."""

    first: F8
    first_sd: F8
    last: F8
    last_sd: F8
    detectable: float
    beyond: B
    """Where the two differ by more than the detectable change."""

    @property
    def known(self) -> bool:
        """Whether there is anything to draw."""
        return bool(np.isfinite(self.first).any() or np.isfinite(self.last).any())

    @property
    def first_mean(self) -> float:
        """Mean over the stride, first part; NaN unless all of it is known."""
        return float(np.mean(self.first))

    @property
    def last_mean(self) -> float:
        """Mean over the stride, last part."""
        return float(np.mean(self.last))


def differences(page: Page) -> dict[str, Difference]:
    """First against last for each panel."""
    return {panel.angle: _difference(page, panel) for panel in PANELS}


def _difference(page: Page, panel: Panel) -> Difference:
    parts = page.parts
    nothing = np.full(101, np.nan)

    def of(k: int, what: str) -> F8:
        if not -len(parts) <= k < len(parts) or (k == -1 and len(parts) < 2):
            return nothing
        curves: dict[str, F8] = getattr(parts[k], what)
        return curves.get(panel.angle, nothing)

    first, last = of(0, "mean_deg"), of(-1, "mean_deg")
    detectable = _detectable(page, panel)
    beyond = np.abs(last - first) > detectable
    return Difference(first, of(0, "sd_deg"), last, of(-1, "sd_deg"), detectable, beyond)


def _detectable(page: Page, panel: Panel) -> float:
    """What can be detected at a moment of the stride: the largest of the moments that are measured.

    A mean over the stride can be told apart more finely than any of its moments; to hold each point of a
    waveform against it would mark noise.
    """
    drifts = [page.analysis.form_drift[m] for m in panel.metrics if m in page.analysis.form_drift]
    known = [d.detectable_change for d in drifts if math.isfinite(d.detectable_change)]
    return max(known, default=math.nan)
