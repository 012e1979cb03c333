"""The parts of a section: title, explanation, table; and the form it takes when there is not enough."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from latemiles.report.svg import esc

__all__ = ["missing", "section", "table"]


def section(title: str, sub: str, body: str) -> str:
    """A section with its explanation; ``body`` is markup, the rest plain words."""
    return f'<section><h2>{esc(title)}</h2><p class="sub">{esc(sub)}</p>{body}</section>'


def missing(title: str, words: str) -> str:
    """A section that keeps its place and says in one line what is missing and what would fill it."""
    return f'<section><h2>{esc(title)}</h2><p class="missing">{esc(words)}</p></section>'


def table(
    label: str,
    head: Sequence[tuple[str, str]],
    rows: Iterable[Sequence[str]],
    caption: str = "",
    *,
    wraps: bool = False,
) -> str:
    """A table in its own frame, which may scroll sideways where the page may not.

    Parameters
    ----------
    label : str
        What the frame is, for who cannot see it.
    head : sequence of (markup, class)
        One a column; the class is the cells' too.
    rows : iterable of sequence of str
        Markup of the cells; the first is the row's header.
    caption : str
        Plain words above the table.
    wraps : bool
        On a narrow page cells break, so that every column is seen at once.
    """
    rows = list(rows)
    # Rows named in several words may break their name on a narrow page; numbers never do.
    is_named = any(" " in row[0] and len(row[0]) > 10 for row in rows)
    named = _cls(" ".join(["named"] * is_named + ["wraps"] * wraps))
    heads = "".join(_head(words, cls) for words, cls in head)
    body = "".join(_row(row, [cls for _, cls in head]) for row in rows)
    above = f"<caption>{esc(caption)}</caption>" if caption else ""
    return (
        f'<div class="fig" tabindex="0" role="region" aria-label="{esc(label)}"><table{named}>{above}'
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _head(words: str, cls: str) -> str:
    # A header without words is announced as an empty one.
    return f'<th scope="col"{_cls(cls)}>{words}</th>' if words else f"<td{_cls(cls)}></td>"


def _row(cells: Sequence[str], classes: Sequence[str]) -> str:
    rest = "".join(f"<td{_cls(cls)}>{cell}</td>" for cell, cls in zip(cells[1:], classes[1:], strict=True))
    return f'<tr><th scope="row">{cells[0]}</th>{rest}</tr>'


def _cls(cls: str) -> str:
    return f' class="{cls}"' if cls else ""
