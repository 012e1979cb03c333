"""Whose run it was, and when."""

from __future__ import annotations

from datetime import UTC, datetime

from latemiles.report.page import Page
from latemiles.report.svg import esc

__all__ = ["render", "started_words"]


def started_words(started_utc_ns: int) -> str:
    """``Sunday 15 November 2026, 08:02 UTC``; nothing when the time is not known."""
    if started_utc_ns <= 0:
        return ""
    when = datetime.fromtimestamp(started_utc_ns / 1e9, UTC)
    return f"{when:%A} {when.day} {when:%B %Y, %H:%M} UTC"


def render(page: Page) -> str:
    """Name, run, time and source in one line."""
    header = page.analysis.header
    athlete = "" if header.athlete == "me" else header.athlete
    source = "" if header.source == header.run else header.source
    parts = [p for p in (athlete, header.run, started_words(header.started_utc_ns), source) if p]
    line = esc(" \u00b7 ".join(parts))
    return f'<header class="top"><b>latemiles</b><span>{line}</span></header>'
