"""What the catalogue says about one column of a stride row."""

from __future__ import annotations

from dataclasses import dataclass

from latemiles.metrics.needs import Need

__all__ = ["Metric"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One column of a stride row: its name, meaning, sign and how far it can be trusted."""

    name: str
    """Column name with its unit as suffix, as in interfaces.md."""
    unit: str
    """Unit as shown: ``deg``, ``s``, ``m``, ``m/s``, ``m/s^2``, ``steps/min`` or empty."""
    label: str
    """Words for people, without the unit."""
    family: str
    """``temporal``, ``angles``, ``drop``, ``harmonic`` or ``pelvis_motion``: the module that makes it."""
    definition: str
    """What is computed, in one sentence."""
    sign: str
    """Which way is positive, in one sentence; empty where the value cannot be negative."""
    owner: str
    """``run`` (bookkeeping), ``leg`` (of the stance leg) or ``pelvis`` (same body part on both sides)."""
    stride_sd: float
    """Usual SD from one stride to the next, in ``unit``; NaN where it means nothing."""
    offset_free: bool = False
    """True where a constant offset of a sensor leaves the value alone."""
    estimate: bool = False
    """True for contact, flight and duty, which carry that word wherever they are shown."""
    mirror: int = 1
    """Factor on the value when left and right of the runner are swapped (the row's side swaps as well)."""
    speed_slope: tuple[float, float] = (0.0, 0.0)
    """What running faster does to it: population mean and SD over runners, ``unit`` per m/s."""
    angle: str = ""
    """The angle it is a feature of; empty for others."""
    feature: str = ""
    """``mean``, ``rom``, ``ic``, ``midstance``, ``to``, ``stance_peak`` or empty."""
    needs: Need = Need.NOTHING
    """What the sensors must give; where they do not, the column is left blank and the run says why."""

    @property
    def full_label(self) -> str:
        """Label with the word that an estimate carries, and the unit."""
        words = f"{self.label} (estimate)" if self.estimate else self.label
        return f"{words}, {self.unit}" if self.unit else words
