"""Every measure, late against start: the evidence for what did not change."""

from __future__ import annotations

import math

from latemiles.metrics.catalogue import COLUMN_INDEX
from latemiles.report.numbers import DASH, count, signed
from latemiles.report.page import Page, shown_of
from latemiles.report.svg import arrow, esc, triangle
from latemiles.report.words import metric_words
from latemiles.signals.results import FormDrift

__all__ = ["render", "tabled"]

_FEATURES = ("_mean_deg", "_excursion_deg", "_harmonic_asymmetry_deg")
"""Of the many features of an angle those always shown; the summary file has them all."""


def render(page: Page) -> str:
    """The table; without a comparison the place is kept and says why."""
    found = tabled(page)
    title = "Every angle, late against start"
    if not found:
        return (
            f'<section><h2>{title}</h2><p class="missing">No angle could be compared. A start and a late part '
            "with the sensors heard fill this.</p></section>"
        )
    total = len(page.analysis.form_drift)
    sub = (
        f"Adjusted for speed where there is a source. With {count(total)} measures compared, a few leave their band "
        "by chance; the headline was chosen before the run. Those not listed stayed inside."
    )
    heads = ("degrees", "change", "95% interval", "detectable", "raw", "reads")
    head = "".join(f'<th scope="col"{" class=w" if h == "reads" else ""}>{h}</th>' for h in heads)
    body = "".join(_row(drift) for drift in found)
    return (
        f'<section><h2>{title}</h2><p class="sub">{esc(sub)}</p><div class="fig" tabindex="0" role="region" '
        f'aria-label="{title}"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></section>'
    )


def tabled(page: Page) -> list[FormDrift]:
    """The measures shown: one a angle and whatever left its band, in the order of the catalogue."""
    every = page.analysis.form_drift.values()
    chosen = [d for d in every if d.metric.endswith(_FEATURES) or shown_of(d).is_change]
    return sorted(chosen, key=lambda d: COLUMN_INDEX.get(d.metric, len(COLUMN_INDEX)))


def _row(drift: FormDrift) -> str:
    shown = shown_of(drift)
    known = math.isfinite(shown.change)
    interval = f"{signed(shown.low)} to {signed(shown.high)}" if known else DASH
    change = f"<b>{signed(shown.change)}</b>" if shown.is_change else signed(shown.change)
    detectable = f"{shown.detectable:.1f}" if math.isfinite(shown.detectable) else DASH
    cells = f"<td>{change}</td><td>{interval}</td><td>{detectable}</td><td>{signed(shown.raw_change)}</td>"
    return f'<tr><th scope="row">{esc(metric_words(drift.metric))}</th>{cells}<td class="w">{_verdict(shown.verdict)}</td></tr>'


def _verdict(verdict: str) -> str:
    if verdict == "clear change":
        return f"{arrow('f-change')} {verdict}"
    if verdict == "likely change":
        return f"{triangle('f-watch')} {verdict}"
    return f'<span class="no-mark"></span> <span class="dim">{esc(verdict)}</span>'
