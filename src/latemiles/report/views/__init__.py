"""The parts of the page, in order. A new view is one file and one line here.

A view is a function from ``Page`` to markup. It draws from what ``Page`` knows, keeps its place when there
is not enough, and then says in one line what is missing and what would fill it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from latemiles.report.page import Page
from latemiles.report.views import (
    answer,
    asymmetry,
    drift,
    facts,
    footer,
    measures,
    rivals,
    splits,
    stride,
    top,
    trust,
)

__all__ = ["VIEWS", "View"]

View = Callable[[Page], str]

VIEWS: Final[dict[str, View]] = {
    "top": top.render,
    "answer": answer.render,
    "facts": facts.render,
    "drift": drift.render,
    "rivals": rivals.render,
    "splits": splits.render,
    "stride": stride.render,
    "asymmetry": asymmetry.render,
    "measures": measures.render,
    "trust": trust.render,
    "footer": footer.render,
}
"""Name to view, in the order of the page."""
