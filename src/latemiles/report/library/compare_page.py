"""Two runs side by side: the drift of both on one scale, and every figure with its difference."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latemiles.report.library.compared import compared_rows
from latemiles.report.library.runs_page import address
from latemiles.report.library.shell import page
from latemiles.report.library.shown import ShownRun
from latemiles.report.markup import table
from latemiles.report.numbers import MINUS, signed
from latemiles.report.svg import Scale, band, dots, esc, hline, path, pieces, smooth, svg, text, vline

__all__ = ["DriftLine", "render"]

F8 = NDArray[np.float64]

_RANGE = (-1.6, 3.1)
_SMOOTHER_MIN = 4.0


@dataclass(frozen=True, slots=True)
class DriftLine:
    """Tilt over one run against its start, as its summary holds it."""

    minutes: F8
    """(m,) middle of each 25-stride median."""
    change_deg: F8
    """(m,) against the start; adjusted where the run was."""
    detectable_deg: float
    since_min: float
    """When a change began; NaN if none did."""

    @classmethod
    def of_summary(cls, summary: dict[str, Any]) -> DriftLine | None:
        """From ``summary.json``; None where the tilt was not measured."""
        drift = summary.get("form_drift", {}).get("pelvic_tilt_mean_deg")
        if not drift or drift.get("change") is None:
            return None
        adjusted = drift.get("adjusted") or {}
        medians = adjusted.get("adjusted_medians") or drift["medians"]
        since = drift.get("change_point_s")
        return cls(
            minutes=np.array(drift["medians_t_s"], dtype=np.float64) / 60.0,
            change_deg=np.array(medians, dtype=np.float64) - drift["baseline"],
            detectable_deg=float(adjusted.get("detectable_change") or drift["detectable_change"] or math.nan),
            since_min=since / 60.0 if since is not None else math.nan,
        )


def render(first: ShownRun, second: ShownRun, lines: tuple[DriftLine | None, DriftLine | None]) -> str:
    """The page.

    Parameters
    ----------
    first, second : ShownRun
        The runs.
    lines : tuple of DriftLine or None
        Their tilt over the run; None where it was not measured.
    """
    rows = compared_rows(first, second)
    beyond = [row.name for row in rows if row.is_beyond]
    headline = "Nothing differs beyond what the two runs can tell apart."
    if beyond:
        headline = f"Beyond what the two runs can tell apart: {'; '.join(beyond)}."
    elif first.figures is None or second.figures is None:
        headline = "One of the two runs has no result yet."
    end = max(
        (float(line.minutes[-1]) for line in lines if line is not None and len(line.minutes)), default=30.0
    )
    span = _span(lines)
    sides = "".join(
        f"<div><h2>{_link(run)}</h2>"
        f'<p class="sub">{esc(run.figures.headline if run.figures else "No result yet.")}</p>'
        f'<figure class="fig">{_chart(run, line, end, span)}</figure></div>'
        for run, line in zip((first, second), lines, strict=True)
    )
    cells = [[esc(row.name), esc(row.first), esc(row.second), _difference(row)] for row in rows]
    head = [("figure", ""), (esc(first.title), ""), (esc(second.title), ""), ("second minus first", "")]
    body = (
        f"<h1>{esc(headline)}</h1>"
        '<p class="lead">Two runs differ by chance, pace, road and how the sensors sit. '
        "One pair of runs shows no cause.</p>"
        f'<div class="sides">{sides}</div>'
        f"<section><h2>Side by side</h2>"
        '<p class="sub">Brackets hold 95% intervals. Start and drop carry what clipping on again does.</p>'
        f"{table('Two runs side by side', head, cells, wraps=True)}</section>"
    )
    return page("two runs", body, here="/", top=f"{first.title} and {second.title}")


def _link(run: ShownRun) -> str:
    where = address(run, "report") if run.has_report else address(run)
    return f'<a href="{where}">{esc(run.title)}</a>'


def _difference(row: Any) -> str:
    return f"<b>{esc(row.difference)}</b>" if row.is_beyond else esc(row.difference)


def _span(lines: tuple[DriftLine | None, DriftLine | None]) -> tuple[float, float]:
    low, high = _RANGE
    for line in lines:
        if line is not None and np.isfinite(line.change_deg).any():
            lowest, highest = np.nanpercentile(line.change_deg, [1.0, 99.0])
            low = min(low, math.floor(float(lowest)))
            high = max(high, math.ceil(float(highest)))
    return low, high


def _quiet_and_loud(run: ShownRun, line: DriftLine, smoothed: F8) -> tuple[F8, F8]:
    """The line before and after the change; colour is for what lies beyond the band, and only in a change."""
    nothing = np.full(len(smoothed), np.nan)
    if not run.is_change:
        return smoothed, nothing
    inside = np.flatnonzero(np.abs(smoothed) <= line.detectable_deg)
    since = int(inside[-1]) if len(inside) else 0
    if math.isfinite(line.since_min):
        since = max(0, int(np.searchsorted(line.minutes, line.since_min)) - 1)
    place = np.arange(len(smoothed))
    return np.where(place <= since, smoothed, nothing), np.where(place >= since, smoothed, nothing)


def _chart(run: ShownRun, line: DriftLine | None, end: float, span: tuple[float, float]) -> str:
    """Tilt against the start, both runs on one scale of degrees and of minutes."""
    width, left, right, top, bottom = 520.0, 34.0, 510.0, 14.0, 190.0
    x, y = Scale(0.0, end, left, right), Scale(*span, bottom, top)
    step = next((s for s in (1.0, 2.0, 5.0, 10.0, 20.0, 30.0) if end / s <= 7.0), 60.0)
    ticks = np.arange(0.0, end + 1e-9, step)
    body = "".join(vline(x(float(t)), top, bottom, "c-mile") for t in ticks)
    for k, t in enumerate(ticks):
        body += text(x(float(t)), bottom + 17.0, "0 min" if k == 0 else f"{t:g}", "t-2", "middle")
    if line is not None and math.isfinite(line.detectable_deg):
        body += band(left, right, y, -line.detectable_deg, line.detectable_deg)
    body += hline(left, right, y(0.0), "c-zero")
    for v in range(math.ceil(span[0]), math.floor(span[1]) + 1):
        words = "0" if v == 0 else f"+{v}" if v > 0 else f"{MINUS}{abs(v)}"
        body += text(left - 7.0, y(v) + 4.0, words + ("°" if v == math.floor(span[1]) else ""), "", "end")
    if line is None:
        body += text(
            0.5 * (left + right), y(0.0) - 12.0, "not measured; too short or no pelvis", "t-2", "middle"
        )
        return svg(width, bottom + 26.0, body, f"Tilt over {run.title}: not measured.")
    shown = np.where((line.change_deg > span[0]) & (line.change_deg < span[1]), line.change_deg, np.nan)
    piece = pieces(60.0 * line.minutes, [])
    smoothed = smooth(line.minutes, line.change_deg, min(_SMOOTHER_MIN, 0.1 * end), piece)
    body += dots(x.many(line.minutes), y.many(shown))
    quiet, loud = _quiet_and_loud(run, line, smoothed)
    body += path(x.many(line.minutes), y.many(quiet), "c-line", piece)
    body += path(x.many(line.minutes), y.many(loud), "c-change", piece)
    if math.isfinite(line.since_min):
        body += vline(x(line.since_min), top, bottom, "c-since")
    label = f"Tilt against the start over {run.title}, by minute: {run.change} late, {run.verdict}."
    if run.figures is not None:
        label += f" Start {signed(run.figures.tilt_start_deg)} degrees."
    return svg(width, bottom + 26.0, body, label)
