"""What all pages of the library share: head, way between the pages, and the line that closes each."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from latemiles.report.svg import esc
from latemiles.report.views.footer import CLINICIAN, DISCLAIMER

__all__ = ["PAGES", "field", "page", "style"]

PAGES: Final = (("/", "Runs"), ("/trends", "Trends"), ("/standing", "Standing"), ("/exercise", "Exercises"))
"""Address and name of the pages between which one goes."""


def style() -> str:
    """Style of the library's pages: that of the report, and what it lacks."""
    folder = files("latemiles.report").joinpath("static")
    return "".join(
        folder.joinpath(name).read_text(encoding="utf-8") for name in ("report.css", "library.css")
    )


def page(title: str, body: str, *, here: str = "", top: str = "", foot: str = "", alone: bool = False) -> str:
    """A whole page.

    Parameters
    ----------
    title : str
        Plain words for the window's title.
    body : str
        Markup.
    here : str
        Address of the page in ``PAGES`` that this one belongs to.
    top : str
        Plain words at the right of the first line: whose, and when.
    foot : str
        Plain words under the closing line: what the numbers rest on.
    alone : bool
        The page is a file of its own: no way to other pages.
    """
    links = "".join(
        f'<a href="{address}"{" aria-current=page" if address == here else ""}>{name}</a>'
        for address, name in PAGES
    )
    way = "" if alone else f'<nav aria-label="Pages">{links}</nav>'
    below = f"<br>{esc(foot)}" if foot else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<link rel="icon" href="data:,">\n<title>latemiles: {esc(title)}</title>\n'
        f"<style>\n{style()}</style>\n</head>\n<body>\n"
        f'<header class="bar"><b>latemiles</b>{way}<span>{esc(top)}</span></header>\n'
        f"<main>\n{body}\n"
        f"<footer><b>{DISCLAIMER}</b> {CLINICIAN}{below}</footer>\n</main>\n</body>\n</html>\n"
    )


def field(name: str, label: str, value: str, *, known: tuple[str, ...] = (), kind: str = "text") -> str:
    """A labelled line to fill in, with what was written there before as suggestions."""
    names = f' list="{name}-known"' if known else ""
    options = "".join(f'<option value="{esc(word)}">' for word in known)
    below = f'<datalist id="{name}-known">{options}</datalist>' if known else ""
    return (
        f'<label for="{name}">{esc(label)}</label>'
        f'<input id="{name}" name="{name}" type="{kind}" value="{esc(value)}" maxlength="200" '
        f'autocomplete="off"{names}>{below}'
    )
