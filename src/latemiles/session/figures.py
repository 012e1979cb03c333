"""From an analysis to the few numbers that run-to-run trends keep of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from latemiles import __version__
from latemiles.report.page import DROP, Page, build_page
from latemiles.report.words import headline
from latemiles.signals.events import DriftFound
from latemiles.signals.frames import Segment
from latemiles.trends.asymmetry import alignment_of
from latemiles.trends.params import HEADLINE
from latemiles.trends.run_figures import RunFigures

if TYPE_CHECKING:
    from latemiles.analysis_result import Analysis
    from latemiles.signals.results import FormDrift

__all__ = ["drift_found", "figures_of"]

NAN = math.nan


def figures_of(analysis: Analysis, units: str = "metric") -> RunFigures:
    """The numbers of one run that are laid beside those of others.

    Parameters
    ----------
    analysis : Analysis
        One run; the smoothed basis is the better one.
    units : str
        ``metric`` or ``mile``: what the headline counts in.
    """
    page = build_page(analysis, units)
    shown, quality = page.shown, analysis.quality
    drop = analysis.asymmetry.get(DROP)
    low, high = drop.interval if drop is not None else (NAN, NAN)
    cadence = analysis.strides["cadence_spm"][analysis.strides.used]
    between_s, between_m = _between(page)
    return RunFigures(
        software=__version__,
        basis=analysis.basis,
        reference=analysis.reference,
        headline="".join(headline(page)),
        verdict=page.verdict,
        duration_s=quality.duration_s,
        distance_m=page.axis.end * page.axis.unit.size if page.axis.has_distance else NAN,
        strides=quality.strides,
        strides_used=quality.strides_used,
        cadence_spm=float(np.nanmedian(cadence)) if np.isfinite(cadence).any() else NAN,
        start_speed_m_s=page.speed_start,
        tilt_start_deg=page.tilt.baseline if page.tilt is not None else NAN,
        tilt_change_deg=shown.change if shown is not None else NAN,
        tilt_change_low_deg=shown.low if shown is not None else NAN,
        tilt_change_high_deg=shown.high if shown is not None else NAN,
        is_adjusted=int(shown is not None and shown.adjusted),
        between_s=between_s,
        between_m=between_m,
        drop_asymmetry_deg=drop.right_minus_left if drop is not None else NAN,
        drop_asymmetry_low_deg=low,
        drop_asymmetry_high_deg=high,
        obliquity_offset_deg=_obliquity_offset(analysis),
        mounting_sd_deg=alignment_of(quality.calibration).obliquity_deg,
        pelvis_slips=sum(slip.segment is Segment.PELVIS for slip in quality.slips),
    )


def drift_found(analysis: Analysis) -> list[DriftFound]:
    """Form drift of the headline metrics over the whole run, as sinks are told it."""
    return [_found(key, analysis.form_drift[key]) for key in HEADLINE if key in analysis.form_drift]


def _found(key: str, drift: FormDrift) -> DriftFound:
    shown = drift.adjusted or drift
    began = drift.change_point_s
    between = drift.change_point_interval_s if began is not None else None
    return DriftFound(
        0.0,
        key,
        shown.change,
        *shown.interval,
        shown.detectable_change,
        shown.verdict,
        int(drift.adjusted is not None),
        began if began is not None else NAN,
        *(between or (NAN, NAN)),
    )


def _between(page: Page) -> tuple[float, float]:
    """From the middle of the start to the middle of the late part, s and m."""
    if page.tilt is None:
        return NAN, NAN
    start, late = (0.5 * sum(window) for window in (page.tilt.baseline_window_s, page.tilt.late_window_s))
    if not page.axis.has_distance:
        return late - start, NAN
    return late - start, float(page.axis.at(late) - page.axis.at(start)) * page.axis.unit.size


def _obliquity_offset(analysis: Analysis) -> float:
    """Mean obliquity as the sensor sits: half of right minus left of the mean drop."""
    found = analysis.asymmetry.get("pelvic_drop_stance_peak_deg")
    return 0.5 * found.offset_part if found is not None else NAN
