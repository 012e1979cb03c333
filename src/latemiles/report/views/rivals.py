"""What else could explain the change, each on the same scale as the change itself."""

from __future__ import annotations

import math

from latemiles.report.numbers import signed, true_minus
from latemiles.report.page import Page, Shown
from latemiles.report.svg import Scale, esc, rect, segment, vline
from latemiles.report.words import filler
from latemiles.trends.rivals import NOTABLE

__all__ = ["render"]

_WIDTH, _HEIGHT = 230.0, 18.0


def render(page: Page) -> str:
    """A bar a rival, grey band behind it; without a comparison the place is kept and says why."""
    if page.tilt is None or page.shown is None or not page.measured:
        return (
            "<section><h2>What else could explain it</h2>"
            f'<p class="missing">Nothing to explain: no change was measured. {filler(page)}</p></section>'
        )
    shown = page.shown
    shares = [r.share for r in page.tilt.rivals if math.isfinite(r.share)]
    ends = (0.5, -0.5, shown.detectable, -shown.detectable, shown.low, shown.high, *shares)
    drawn = [v for v in ends if math.isfinite(v)]
    x = Scale(1.05 * min(drawn), 1.05 * max(drawn), 0.0, _WIDTH)
    kind = "Adjusted" if shown.adjusted else "Raw"
    words = f"{kind}, {signed(shown.change)}\u00b0; 95% interval {signed(shown.low)} to {signed(shown.high)}."
    rows = [_row("measured change", _measured_bar(shown, x), words)]
    rows += [
        _row(r.name, _rival_bar(r.share, shown.detectable, x), true_minus(r.words)) for r in page.tilt.rivals
    ]
    rows += [_row(name, _rival_bar(math.nan, shown.detectable, x), words) for name, words in _quiet(page)]
    is_quiet = shown.verdict in ("no change", "small, inside noise")
    title = "What else was at work" if is_quiet else "What else could explain it"
    sub = (
        "Degrees of tilt each may have made; back is to the left, forward to the right. "
        "Grey is what this run cannot detect. The parts need not add up."
    )
    return (
        f'<section><h2>{title}</h2><p class="sub">{sub}</p><ul class="rivals">{"".join(rows)}</ul></section>'
    )


def _quiet(page: Page) -> list[tuple[str, str]]:
    """The usual suspects that were looked at and made too little to draw, and what cannot be one."""
    if page.tilt is None or page.shown is None:
        return []
    told = {r.name for r in page.tilt.rivals}
    least = NOTABLE * max(abs(page.shown.raw_change), page.shown.detectable)
    known = page.tilt.adjusted.covariates if page.tilt.adjusted is not None else ()
    rows = [(name, f"Made under {least:.1f}\u00b0. Taken off.") for name in known if name not in told]
    if "speed" not in known and "speed" not in told:
        rows.append(("speed", "No source was heard; what another pace made is not known."))
    if "grade" not in known and "grade" not in told:
        rows.append(("grade", "No source was heard; what hills made is not known."))
    if "slip" not in told:
        rows.append(("slip", "No slip of the pelvis sensor was found."))
    rows.append(("camber", "A sloping road tips the pelvis sideways: it can make an offset, not a tilt."))
    return rows


def _row(name: str, bar: str, words: str) -> str:
    return f"<li><span>{esc(name)}</span>{bar}<span>{esc(words)}</span></li>"


def _frame(body: str, detectable: float, x: Scale) -> str:
    y = Scale(0.0, 1.0, 0.0, _HEIGHT)
    ground = (
        rect(x(-detectable), y(0.0), x(detectable), y(1.0), "c-band") if math.isfinite(detectable) else ""
    )
    zero = vline(x(0.0), 0.0, _HEIGHT, "c-zero")
    return (
        f'<svg width="{_WIDTH:.0f}" height="{_HEIGHT:.0f}" viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" '
        f'aria-hidden="true">{ground}{body}{zero}</svg>'
    )


def _measured_bar(shown: Shown, x: Scale) -> str:
    cls = "f-change" if shown.is_change else "f-ink-2"
    body = rect(x(0.0), 4.0, x(shown.change), 14.0, cls)
    body += segment(x(shown.low), 9.0, x(shown.high), 9.0, "c-whisker")
    body += vline(x(shown.low), 5.0, 13.0, "c-whisker") + vline(x(shown.high), 5.0, 13.0, "c-whisker")
    return _frame(body, shown.detectable, x)


def _rival_bar(share: float, detectable: float, x: Scale) -> str:
    body = rect(x(0.0), 4.0, x(share), 14.0, "f-ink-2") if math.isfinite(share) else ""
    return _frame(body, detectable, x)
