"""The numbers of the page for machines: JSON-ready, unknown is null, the unit in every name."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from latemiles.metrics.catalogue import NUMERIC_COLUMNS
from latemiles.report.page import DropStory, Page, Shown, build_page, shown_of
from latemiles.report.panels import PANELS, differences
from latemiles.report.splits import split_rows, split_unit
from latemiles.report.views.facts import figures
from latemiles.report.views.footer import CLINICIAN, DISCLAIMER
from latemiles.report.views.trust import particulars
from latemiles.report.words import headline, lead

if TYPE_CHECKING:
    from latemiles.analysis_result import Analysis
    from latemiles.signals.results import Asymmetry, FormDrift

__all__ = ["SCHEMA", "summary_dict"]

SCHEMA: Final = "latemiles/summary/1"
"""Name and version of the layout; the number rises when a key changes its meaning or goes."""


def summary_dict(analysis: Analysis, *, units: str = "metric") -> dict[str, Any]:
    """The numbers of the report, ready for ``json.dumps(..., allow_nan=False)``.

    Parameters
    ----------
    analysis : Analysis
        One run.
    units : str
        ``metric`` or ``mile``: what the sentences count in; numbers are in SI and degrees either way.

    Raises
    ------
    ConfigError
        If the units are neither.
    """
    page = build_page(analysis, units)
    summary = {
        "schema": SCHEMA,
        "run": {**asdict(analysis.header), "duration_s": analysis.quality.duration_s},
        "basis": analysis.basis,
        "reference": analysis.reference,
        "answer": _answer(page),
        "form_drift": {name: _drift(d) for name, d in analysis.form_drift.items()},
        "asymmetry": {name: _asymmetry(a) for name, a in analysis.asymmetry.items()},
        "splits": _splits(page),
        "strides": _strides(page),
        "quality": asdict(analysis.quality) | {"share_used": analysis.quality.share_used},
        "provenance": dict(analysis.provenance),
        "disclaimer": f"{DISCLAIMER} {CLINICIAN}",
    }
    ready: dict[str, Any] = _ready(summary)
    return ready


def _answer(page: Page) -> dict[str, Any]:
    return {
        "headline": "".join(headline(page)),
        "lead": ["".join(sentence) for sentence in lead(page)],
        "verdict": page.verdict,
        "measured": page.measured,
        "pelvic_tilt": _shown(page.shown),
        "pelvic_drop_right_minus_left": _drop(page.drop),
        "speed_start_m_s": page.speed_start,
        "speed_late_m_s": page.speed_late,
        "figures": [{"name": n, "figure": f, "beside": b} for n, f, b in figures(page)],
        "particulars": dict(particulars(page)),
    }


def _shown(shown: Shown | None) -> dict[str, Any] | None:
    if shown is None:
        return None
    return {
        "change_deg": shown.change,
        "interval_deg": [shown.low, shown.high],
        "detectable_change_deg": shown.detectable,
        "verdict": shown.verdict,
        "adjusted": shown.adjusted,
        "raw_change_deg": shown.raw_change,
    }


def _drop(drop: DropStory | None) -> dict[str, Any] | None:
    if drop is None:
        return None
    return {
        "start_deg": drop.start,
        "late_deg": drop.late,
        **(_shown(drop.shown) or {}),
    }


def _drift(drift: FormDrift) -> dict[str, Any]:
    shown = shown_of(drift)
    plain = {k: v for k, v in _fields(drift).items() if k not in ("adjusted", "rivals")}
    return {
        **plain,
        "rivals": [asdict(r) for r in drift.rivals],
        "adjusted": _fields(drift.adjusted) if drift.adjusted is not None else None,
        "stated": {"change": shown.change, "interval": [shown.low, shown.high], "verdict": shown.verdict},
    }


def _asymmetry(asymmetry: Asymmetry) -> dict[str, Any]:
    return _fields(asymmetry)


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}


def _splits(page: Page) -> dict[str, Any]:
    rows = []
    for split, row in zip(page.analysis.splits, split_rows(page), strict=True):
        medians = dict(zip(NUMERIC_COLUMNS, split.values, strict=True))
        rows.append({**asdict(row), "share_used": row.share_used, "medians": medians})
    return {"unit": split_unit(page).one, "rows": rows}


def _strides(page: Page) -> dict[str, Any]:
    """The stride panel: waveforms in degrees over 0 to 100 % of the stride."""
    found = differences(page)
    return {
        "parts": [_fields(part) for part in page.parts],
        "panels": {
            panel.angle: {
                "first_mean_deg": found[panel.angle].first_mean,
                "last_mean_deg": found[panel.angle].last_mean,
                "detectable_change_deg": found[panel.angle].detectable,
                "beyond_share": float(np.mean(found[panel.angle].beyond))
                if found[panel.angle].known
                else None,
            }
            for panel in PANELS
        },
    }


def _ready(value: Any) -> Any:
    """Plain JSON values: arrays to lists, what is not finite to null."""
    if isinstance(value, dict):
        return {str(k): _ready(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        # Finer than any of these numbers is known (0.01 ms, 0.00001 degrees), and half the file.
        return _ready((np.round(value, 5) if value.dtype.kind == "f" else value).tolist())
    if isinstance(value, list | tuple):
        return [_ready(v) for v in value]
    if isinstance(value, np.generic):
        return _ready(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
