"""The answer: one sentence that is true on its own, and two or three that say how sure it is."""

from __future__ import annotations

from latemiles.report.page import Page
from latemiles.report.svg import esc
from latemiles.report.words import headline, lead

__all__ = ["render"]


def render(page: Page) -> str:
    """Headline and lead; where nothing can be compared, what is missing and what would fill it."""
    before, change, after = (esc(part) for part in headline(page))
    middle = f"<em>{change}</em>" if change else ""
    sentences = []
    for start, verdict, end in lead(page):
        bold = f"<b>{esc(verdict)}</b>" if verdict else ""
        sentences.append(esc(start) + bold + esc(end))
    return f'<h1>{before}{middle}{after}</h1><p class="lead">{" ".join(sentences)}</p>'
