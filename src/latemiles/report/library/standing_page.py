"""The standing check as a chart of its repeats against the usual range, and the page of all checks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from latemiles.report.library.shell import page
from latemiles.report.library.standing_words import LIMITS, lines, number, sentence, usual
from latemiles.report.markup import table
from latemiles.report.numbers import DASH, MINUS, magnitude, signed
from latemiles.report.svg import Scale, disc, esc, hline, rect, svg, text, vline

__all__ = ["panel", "render"]

_ROWS: Final = (
    ("obliquity", "obliquity", "right side up +", (-6.0, 6.0)),
    ("thigh_difference", "thigh turn, R minus L", "outward +", (-14.0, 14.0)),
)
Check = tuple[datetime | None, Mapping[str, Any]]


def panel(checks: Sequence[Check], title: str = "Standing check, the last") -> str:
    """The last check as a panel of the trends page; nothing without one."""
    if not checks:
        return ""
    when, result = checks[-1]
    day = f", {when.day} {when:%B}" if when is not None else ""
    earlier = [r for _, r in checks[:-1]]
    words = (
        "Three times 30 seconds. Filled: eyes open; hollow: eyes closed; cross: after a march. "
        "The bar is the 95% interval of the mean."
    )
    charts = "".join(_chart(result, earlier, narrow=narrow) for narrow in (False, True))
    return f'<h2>{esc(title)}{esc(day)}</h2><p class="sub">{words}</p><figure class="fig">{charts}</figure>'


def render(checks: Sequence[Check], *, athlete: str) -> str:
    """The page of standing checks, the last one first.

    Parameters
    ----------
    checks : sequence of (when, result)
        Oldest first.
    athlete : str
        Whose.
    """
    if not checks:
        body = (
            "<h1>No standing check yet.</h1>"
            '<p class="lead">Clip the sensors on and run <code>latemiles standing</code>: three stances of '
            "30 seconds, each with some hip hinges and a march. It takes four minutes.</p>"
        )
        return page("standing", body, here="/standing", top=athlete)
    when, result = checks[-1]
    rows = [[esc(n), esc(v), esc(beside)] for n, v, beside in lines(result)]
    limits = "".join(f'<p class="sub">{esc(words)}</p>' for words in LIMITS)
    values = table("Values", [("", ""), ("value", ""), ("", "w told")], rows)
    body = (
        f"<h1>{esc(sentence(result))}</h1>"
        '<p class="lead">A single check says how you stood then. Looking for a change takes several, '
        "before and during a block of exercises.</p>"
        f"<section>{panel(checks)}{values}</section>"
        f"<section><h2>What this can and cannot tell</h2>{limits}</section>"
        f"<section><h2>All checks</h2>{_all(checks)}</section>"
    )
    day = f" · {when.day} {when:%B %Y, %H:%M}" if when is not None else ""
    return page("standing", body, here="/standing", top=f"{athlete}{day}")


def _all(checks: Sequence[Check]) -> str:
    head = [("when", ""), ("obliquity", ""), (f"thigh turn, R{MINUS}L", "")]
    has_problems = any(result.get("problem") for _, result in checks)
    if has_problems:
        head.append(("not used", "w told"))
    rows = []
    for when, result in reversed(checks):
        cells = [f"{when.day} {when:%b %Y, %H:%M}" if when is not None else DASH]
        for key, *_ in _ROWS:
            value, half = number(result, key, "mean_deg"), number(result, key, "half_width_deg")
            cells.append(f"{signed(value)}° ± {magnitude(half)}" if math.isfinite(value) else DASH)
        if has_problems:
            cells.append(esc(str(result.get("problem") or "")))
        rows.append(cells)
    return table("All standing checks", head, rows)


def _chart(result: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]], *, narrow: bool) -> str:
    width, x0, x1 = (358.0, 16.0, 256.0) if narrow else (800.0, 196.0, 560.0)
    step, top = (84.0, 62.0) if narrow else (58.0, 40.0)
    body, has_usual = "", False
    for k, (key, name, about, span) in enumerate(_ROWS):
        y = top + k * step
        x = Scale(*_span(result, key, span), x0, x1)
        if narrow:
            body += text(0.0, y - 24.0, f"{name}, {about}", "t-ink b s14")
        else:
            body += text(0.0, y - 1.0, name, "t-ink b s14") + text(0.0, y + 16.0, about)
        middle, reach = usual(earlier, key)
        if math.isfinite(middle):
            has_usual = True
            low, high = x(max(middle - reach, x.d0)), x(min(middle + reach, x.d1))
            body += rect(low, y - 14.0, high, y + 14.0, "c-band")
            body += vline(low, y - 14.0, y + 14.0, "c-side") + vline(high, y - 14.0, y + 14.0, "c-side")
        body += hline(x0, x1, y + 14.0, "c-side") + vline(x(0.0), y - 14.0, y + 14.0, "c-zero")
        body += _values(result, key, x, y) + _ticks(x, y + 28.0)
        value = number(result, key, "mean_deg")
        at = (x1 + 16.0) if narrow else (x1 + 24.0)
        body += text(at, y + 6.0, f"{signed(value)}°" if math.isfinite(value) else DASH, "t-ink s19")
        if not narrow and math.isfinite(value):
            body += text(at + 60.0, y + 5.0, _against_usual(value, middle, reach), "t-2 s13")
    if has_usual:
        body += text(x0, top - 24.0 if not narrow else top - 46.0, "grey: your usual range")
    height = top + (len(_ROWS) - 1) * step + 34.0
    label = f"Standing check. {sentence(result)}"
    return svg(width, height, body, label, "narrow" if narrow else "wide")


def _span(result: Mapping[str, Any], key: str, span: tuple[float, float]) -> tuple[float, float]:
    value, half = number(result, key, "mean_deg"), number(result, key, "half_width_deg")
    if not math.isfinite(value):
        return span
    reach = max(span[1], 2.0 * math.ceil(0.5 * (abs(value) + half)))
    return -reach, reach


def _against_usual(value: float, middle: float, reach: float) -> str:
    if not math.isfinite(middle):
        return "usual range after 5 checks"
    return "as usual" if abs(value - middle) <= reach else "outside your usual range"


def _values(result: Mapping[str, Any], key: str, x: Scale, y: float) -> str:
    mean, half = number(result, key, "mean_deg"), number(result, key, "half_width_deg")
    if not math.isfinite(mean):
        return text(0.5 * (x.r0 + x.r1), y + 4.0, "not measured", "t-2 s13 halo", "middle")
    body = f'<path d="M{x(mean - half):.1f} {y:.1f}H{x(mean + half):.1f}" class="c-bar"/>'
    values = (result.get(key) or {}).get("values_deg") or []
    for k, value in enumerate(values):
        if value is None or not math.isfinite(value):
            continue
        at = x(value)
        if k == 0:
            body += disc(at, y, 5.5, "f-ink")
        elif k == 1:
            body += disc(at, y, 5.0, "f-open")
        else:
            body += f'<path d="M{at - 5:.1f} {y - 5:.1f}l10 10m0 -10l-10 10" class="c-cross"/>'
    return body


def _ticks(x: Scale, y: float) -> str:
    step = 5 if x.d1 > 8.0 else 2
    top = int(x.d1 // step) * step
    ticks = range(-top, top + 1, step)
    words = [
        ("0" if v == 0 else f"+{v}" if v > 0 else f"{MINUS}{-v}") + ("°" if v == top else "") for v in ticks
    ]
    return "".join(text(x(v), y, w, "", "middle") for v, w in zip(ticks, words, strict=True))
