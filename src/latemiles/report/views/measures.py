"""Every measure, late against start: the evidence for what did not change."""

from __future__ import annotations

import math

from latemiles.report.markup import missing, section, table
from latemiles.report.numbers import DASH, count, listed, magnitude, signed
from latemiles.report.page import Page, shown_of
from latemiles.report.svg import arrow, esc, triangle
from latemiles.report.words import MOSTLY_HEARD, filler, metric_words
from latemiles.signals.frames import SEGMENTS, Segment
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
    known = [d for d in found if math.isfinite(shown_of(d).change)]
    heads = ("degrees, or as named", "change", "95% interval", "detectable", "raw", "reads")
    head = [(h, "w" if h == "reads" else "") for h in heads]
    body = table(title, head, [_row(drift) for drift in known])
    return section(title, sub, body + _not_compared(page, [d for d in found if d not in known]))


def _not_compared(page: Page, unknown: list[FormDrift]) -> str:
    """The measures without a number, and the sensor that was missing for them, below the table."""
    weak = [s for s in SEGMENTS if page.heard_share(s) < MOSTLY_HEARD]
    silent = [s for s in weak if not page.heard(s)]
    words = ""
    if unknown:
        why = listed([f"the {s.label} sensor" for s in weak])
        why = f" {why[:1].upper()}{why[1:]} was not heard for long enough." if weak else ""
        words = f"Not compared: {listed([metric_words(d.metric) for d in unknown])}.{why}"
    legs = [s.label.split()[0] for s in silent if s is not Segment.PELVIS]
    if len(legs) == 1:
        other = "right" if legs[0] == "left" else "left"
        words += f" Hip measures without a side rest on the {other} leg alone."
    return f'<p class="missing">{esc(words.strip())}</p>' if words else ""


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

    interval = f"{show(shown.low)} to {show(shown.high)}" if math.isfinite(shown.low) else DASH
    change = f"<b>{show(shown.change)}</b>" if shown.is_change else show(shown.change)
    name = metric_words(drift.metric) + ("" if unit == "deg" else f", {unit}")
    return [
        esc(name),
        change,
        interval,
        magnitude(scale * shown.detectable, decimals),
        show(shown.raw_change),
        _verdict(shown.verdict),
    ]


def _verdict(verdict: str) -> str:
    if verdict == "clear change":
        return f"{arrow('f-change')} {verdict}"
    if verdict == "likely change":
        return f"{triangle('f-watch')} {verdict}"
    return f'<span class="no-mark"></span> <span class="dim">{esc(verdict)}</span>'
