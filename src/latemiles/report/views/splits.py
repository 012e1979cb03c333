"""One row a mile, a kilometre, or a few minutes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from latemiles.report.markup import missing, section, table
from latemiles.report.numbers import DASH, MINUS, pace, percent, signed
from latemiles.report.page import Page
from latemiles.report.splits import SplitRow, split_rows, split_unit
from latemiles.report.svg import Scale, arrow, esc, rect, svg, vline

__all__ = ["render"]

_BAR = 54.0


@dataclass(frozen=True, slots=True)
class _Column:
    head: str
    cell: Callable[[SplitRow], str]
    cls: str = ""


def render(page: Page) -> str:
    """The table; without a split the place is kept and says why."""
    unit, rows = split_unit(page), split_rows(page)
    title = {"mile": "Mile by mile", "kilometre": "Kilometre by kilometre"}.get(unit.one, "Minute by minute")
    if not rows:
        return missing(title, "No split was finished. A longer recording fills this.")
    columns = _columns(page, rows)
    cells = [[c.cell(row) for c in columns] for row in rows]
    return section(title, _explained(page), table(title, [(c.head, c.cls) for c in columns], cells))


def _explained(page: Page) -> str:
    if not page.measured or page.shown is None:
        if page.analysis.quality.calibration is None:
            return "Tilt and drop are not known. Contact is an estimate."
        zero = f"Tilt is relative to {page.reference_words}"
        tilt = f"{zero}; no start was measured, so there is no change to show. "
    elif page.shown.adjusted:
        tilt = (
            "Tilt is the change from your start, after speed and grade. Grey is what this run cannot detect. "
        )
    else:
        tilt = "Tilt is the raw change from your start. Grey is what this run cannot detect. "
    missing = [name for name, has in (("speed", page.has_speed), ("grade", page.has_grade)) if not has]
    absent = f" No {' and no '.join(missing)} source was heard." if missing else ""
    return (
        tilt
        + "Drop is the fall from landing to its lowest point, by standing leg, free of how the sensor sits. "
        "Contact is an estimate." + absent
    )


def _columns(page: Page, rows: list[SplitRow]) -> list[_Column]:
    unit = split_unit(page)
    metres = unit.size if page.axis.has_distance else 1000.0
    columns = [_Column(unit.one, lambda r: esc(r.label))]
    if any(math.isfinite(r.speed_m_s) for r in rows):
        columns.append(_Column("pace<br>min", lambda r: pace(r.speed_m_s, metres)))
    if any(math.isfinite(r.climb_m) for r in rows):
        columns.append(_Column("climb<br>net m", lambda r: signed(r.climb_m, 0)))
    if any(math.isfinite(r.heart_rate_bpm) for r in rows):
        columns.append(_Column("heart<br>rate", lambda r: _plain(r.heart_rate_bpm, 0)))
    columns.append(_Column("cadence<br>steps/min", lambda r: _plain(r.cadence_spm, 0)))
    columns += _tilt_columns(page, rows) + _drop_columns(page, rows)
    columns.append(_Column("contact, ms<br>estimate", lambda r: _plain(1000.0 * r.contact_time_s, 0)))
    columns.append(_Column("used<br>%", lambda r: _used(r)))
    if page.measured:
        columns.append(_Column("tilt<br>reads", lambda r: _reading(page, r), "w"))
    return columns


def _plain(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}" if math.isfinite(value) else DASH


def _used(row: SplitRow) -> str:
    words = percent(row.share_used).removesuffix("%")
    return words if row.share_used < 0.9 else f'<span class="dim">{words}</span>'


def _tilt_columns(page: Page, rows: list[SplitRow]) -> list[_Column]:
    shown = page.shown
    if shown is None or not page.measured:
        return [_Column("tilt<br>deg", lambda r: signed(r.tilt_level_deg))]
    band = shown.detectable
    tone = "f-change" if shown.is_change else "f-ink-2"
    x = _bar_scale([r.tilt_change_deg for r in rows], band)

    def bar(row: SplitRow) -> str:
        return _bar(
            row.tilt_change_deg, (-band, band), x, tone, f"tilt {signed(row.tilt_change_deg)} degrees"
        )

    return [
        _Column("tilt, deg<br>back \u2190 \u2192 forward", bar, "w"),
        _Column("", lambda r: _weighed(r.tilt_change_deg, abs(r.tilt_change_deg) > band)),
    ]


def _drop_columns(page: Page, rows: list[SplitRow]) -> list[_Column]:
    columns = [
        _Column("drop, deg<br>left", lambda r: _plain(r.drop_left_deg, 1)),
        _Column("<br>right", lambda r: _plain(r.drop_right_deg, 1)),
    ]
    drop = page.drop
    if drop is None:
        return columns
    usual = (-drop.shown.detectable, drop.shown.detectable)
    x = _bar_scale([r.drop_change_deg for r in rows], usual[1], least=2.0)

    def bar(row: SplitRow) -> str:
        tone = "f-right" if row.drop_change_deg > 0.0 else "f-left"
        words = f"right minus left {signed(row.drop_change_deg)} degrees since start"
        return _bar(row.drop_change_deg, usual, x, tone if drop.beyond else "f-ink-2", words, 45.0)

    def value(row: SplitRow) -> str:
        return _weighed(row.drop_change_deg, not usual[0] <= row.drop_change_deg <= usual[1])

    return [*columns, _Column(f"right {MINUS} left<br>since start", bar, "w"), _Column("", value)]


def _weighed(value: float, beyond: bool) -> str:
    return f"<b>{signed(value)}</b>" if beyond and math.isfinite(value) else signed(value)


def _bar_scale(values: list[float], band: float, least: float = 3.0) -> Scale:
    known = [v for v in values if math.isfinite(v)]
    around = band if math.isfinite(band) else 0.0
    low, high = min([-around, *known]), max([around, *known])
    # One small change must not fill its cell.
    stretch = max(1.0, least / max(high - low, 1e-9))
    return Scale(1.05 * stretch * low, 1.05 * stretch * high, 0.0, 1.0)


def _bar(
    value: float, band: tuple[float, float], unit: Scale, tone: str, words: str, width: float = _BAR
) -> str:
    x = Scale(unit.d0, unit.d1, 0.0, width)
    body = rect(x(band[0]), 0.0, x(band[1]), 18.0, "c-band") if math.isfinite(band[0]) else ""
    if math.isfinite(value):
        beyond = not band[0] <= value <= band[1]
        body += rect(x(0.0), 5.0, x(value), 13.0, tone if beyond else "f-ink-3")
    return svg(width, 18.0, body + vline(x(0.0), 0.0, 18.0, "c-zero"), words)


def _reading(page: Page, row: SplitRow) -> str:
    shown = page.shown
    if shown is None or not math.isfinite(row.tilt_change_deg):
        return f'<span class="no-mark"></span> <span class="dim">{DASH}</span>'
    if abs(row.tilt_change_deg) <= shown.detectable:
        return '<span class="no-mark"></span> <span class="dim">inside</span>'
    return f"{arrow('f-change' if shown.is_change else 'f-ink-2')} beyond"
