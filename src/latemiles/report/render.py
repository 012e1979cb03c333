"""One run as one file: no script, no outside request, readable and printable as it is."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from latemiles.report.page import build_page
from latemiles.report.svg import esc
from latemiles.report.views import VIEWS
from latemiles.report.words import headline

if TYPE_CHECKING:
    from latemiles.analysis_result import Analysis

__all__ = ["render_report"]

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""A browser may fetch nothing for this page, not even by mistake."""


def render_report(analysis: Analysis, *, units: str = "metric") -> str:
    """The report of one run, a self-contained HTML page.

    Parameters
    ----------
    analysis : Analysis
        One run. Angles on the grid (``t``, ``pelvis`` ...) are not needed.
    units : str
        ``metric`` (kilometres) or ``mile``. Without a distance source places are in minutes.

    Returns
    -------
    str
        HTML, UTF-8, with its style inside.

    Raises
    ------
    ConfigError
        If the units are neither.
    """
    page = build_page(analysis, units)
    style = files("latemiles.report").joinpath("static", "report.css").read_text(encoding="utf-8")
    title = esc("".join(headline(page)))
    parts = [f"<!-- {name} -->\n{view(page)}" for name, view in VIEWS.items()]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n<link rel="icon" href="data:,">\n'
        f"<title>latemiles: {title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(parts)
        + "\n</main>\n</body>\n</html>\n"
    )
