"""One run of the library as a person reads it, in the terminal and on the page."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from latemiles.report.axis import KM, AxisUnit
from latemiles.report.numbers import DASH, clock, count, magnitude, pace, percent, signed
from latemiles.trends.run_figures import RunFigures

__all__ = ["ShownRun", "interval_words"]

NAN = math.nan


def interval_words(low: float, high: float) -> str:
    """``−0.2 to +1.1``; a dash when unknown."""
    return f"{signed(low)} to {signed(high)}" if math.isfinite(low) and math.isfinite(high) else DASH


@dataclass(frozen=True, slots=True)
class ShownRun:
    """One run, ready to be told."""

    id: str
    athlete: str
    started: datetime | None
    """On the reader's clock; None where it is not known."""
    status: str
    notes: str
    shoes: str
    route: str
    figures: RunFigures | None
    has_report: bool
    unit: AxisUnit = KM

    @property
    def when(self) -> str:
        """``Sun 15 Nov 2026, 08:02``; empty where it is not known."""
        if self.started is None:
            return ""
        return f"{self.started:%a} {self.started.day} {self.started:%b %Y, %H:%M}"

    @property
    def title(self) -> str:
        """What tells this run from others in a heading."""
        return self.when or self.id

    @property
    def verdict(self) -> str:
        """The verdict's word, or that there is no result."""
        return self.figures.verdict if self.figures is not None else "no result yet"

    @property
    def is_change(self) -> bool:
        """Whether the tilt changed beyond what can be told from noise."""
        return self.verdict in ("likely change", "clear change")

    @property
    def distance(self) -> str:
        """``21.1 km``; a dash without a source."""
        metres = self.figures.distance_m if self.figures is not None else NAN
        return f"{magnitude(metres / self.unit.size)} {self.unit.short}" if math.isfinite(metres) else DASH

    @property
    def time(self) -> str:
        """``1:46:02``."""
        return clock(self.figures.duration_s if self.figures is not None else NAN)

    @property
    def pace(self) -> str:
        """Pace while the start was measured, ``5:02 /km``."""
        speed = self.figures.start_speed_m_s if self.figures is not None else NAN
        words = pace(speed, self.unit.size)
        return words if words == DASH else f"{words} /{self.unit.short}"

    @property
    def change(self) -> str:
        """Tilt, late against the start: ``+2.1°``."""
        value = self.figures.tilt_change_deg if self.figures is not None else NAN
        return f"{signed(value)}°" if math.isfinite(value) else DASH

    @property
    def asymmetry(self) -> str:
        """Drop, right leg minus left, free of offset."""
        value = self.figures.drop_asymmetry_deg if self.figures is not None else NAN
        return f"{signed(value)}°" if math.isfinite(value) else DASH

    @property
    def start(self) -> str:
        """Tilt at the start, against that day's standing; a dash where there was no standing."""
        f = self.figures
        if f is None or not f.has_standing or not math.isfinite(f.tilt_start_deg):
            return DASH
        return f"{signed(f.tilt_start_deg)}°"

    def _start_words(self, f: RunFigures) -> str:
        if self.start != DASH:
            return f"{self.start} against standing"
        return "too short to measure" if f.has_standing else "no standing pose to measure against"

    def facts(self) -> list[tuple[str, str]]:
        """Name and words of every figure."""
        f = self.figures
        if f is None:
            return []
        change = (
            f"{self.change}, 95% interval {interval_words(f.tilt_change_low_deg, f.tilt_change_high_deg)}"
        )
        drop = interval_words(f.drop_asymmetry_low_deg, f.drop_asymmetry_high_deg)
        used = f"{count(f.strides_used)} of {count(f.strides)} ({percent(share(f))})" if f.strides else "none"
        return [
            ("answer", f.headline),
            ("distance", self.distance),
            ("time", self.time),
            ("pace, start", self.pace),
            ("cadence", f"{magnitude(f.cadence_spm, 0)} steps/min" if f.cadence_spm > 0.0 else ""),
            ("tilt, start", self._start_words(f)),
            ("tilt, late", f"{change}, {kind(f)}" if self.change != DASH else "too short to compare"),
            ("verdict", f.verdict),
            ("drop, R minus L", f"{self.asymmetry}, 95% interval {drop}" if self.asymmetry != DASH else ""),
            ("strides used", used),
            ("made with", f"latemiles {f.software}, {f.basis}"),
        ]


def share(figures: RunFigures) -> float:
    """Share of the strides that were used."""
    return figures.strides_used / figures.strides if figures.strides else NAN


def kind(figures: RunFigures) -> str:
    """``after speed and grade`` or ``raw``."""
    return "after speed and grade" if figures.is_adjusted else "raw"
