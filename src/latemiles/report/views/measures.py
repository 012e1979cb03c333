"""Every measure, late against start: the evidence for what did not change."""

from __future__ import annotations

import math

from latemiles.report.markup import missing, section, table
from latemiles.report.numbers import DASH, count, magnitude, signed
from latemiles.report.page import Page, shown_of
from latemiles.report.svg import arrow, esc, triangle
from latemiles.report.words import filler, metric_words
from latemiles.signals.results import FormDrift
from latemiles.trends.params import is_headline

__all__ = ["render", "tabled"]

_FEATURES = ("_mean_deg", "_harmonic_asymmetry_deg")
"""Of the many features of an angle those always shown; the summary file has them all."""


def render(page: Page) -> str:
    """The table; without a comparison the place is kept and says why."""
    found = tabled(page)
    title = "Every measure, late against start"
    if not any(math.isfinite(shown_of(d).change) for d in found):
        return missing(title, f"Nothing could be compared. {filler(page)}")
    total = count(len(page.analysis.form_drift))
    sub = (
        f"Adjusted where there is a speed source. {total} measures were compared, so a few may leave their "
        "band by chance. Those named before any run come first; the others must pass a stricter rule. "
        "Those not listed read no likely or clear change."
    )
    heads = ("degrees, or as named", "change", "95% interval", "detectable", "raw", "reads")
    head = [(h, "w" if h == "reads" else "") for h in heads]
    return section(title, sub, table(title, head, [_row(drift) for drift in found]))


def tabled(page: Page) -> list[FormDrift]:
    """The measures shown: one a angle and whatever left its band, headline first."""
    every = page.analysis.form_drift.values()
    return [d for d in every if _is_listed(d) or shown_of(d).is_change]


def _is_listed(drift: FormDrift) -> bool:
    return is_headline(drift.metric) or drift.metric.endswith(_FEATURES)


def _row(drift: FormDrift) -> list[str]:
    shown = shown_of(drift)
    # Times are read in milliseconds; an angle needs no unit in a table of degrees.
    scale, unit = (1000.0, "ms") if drift.unit == "s" else (1.0, drift.unit)
    decimals = 2 if unit not in ("deg", "ms", "steps/min") else 0 if unit == "ms" else 1

    def show(value: float) -> str:
        return signed(scale * value, decimals)

    interval = f"{show(shown.low)} to {show(shown.high)}" if math.isfinite(shown.change) else DASH
    change = f"<b>{show(shown.change)}</b>" if shown.is_change else show(shown.change)
    name = metric_words(drift.metric) + ("" if unit == "deg" else f", {unit}")
    return [
        esc(name),
        change,
        interval,
        magnitude(scale * shown.detectable, decimals),
        show(shown.raw_change),
        # Without a number there is no verdict either: the sensor that feeds it was not heard enough.
        _verdict(shown.verdict if math.isfinite(shown.change) else DASH),
    ]


def _verdict(verdict: str) -> str:
    if verdict == "clear change":
        return f"{arrow('f-change')} {verdict}"
    if verdict == "likely change":
        return f"{triangle('f-watch')} {verdict}"
    return f'<span class="no-mark"></span> <span class="dim">{esc(verdict)}</span>'
