"""The exercise log: blocks and sessions, and the lines to write new ones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Protocol

from latemiles.report.library.shell import field, page
from latemiles.report.markup import table
from latemiles.report.numbers import plural
from latemiles.report.svg import esc

__all__ = ["render"]


class _Block(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def first_day(self) -> str: ...
    @property
    def last_day(self) -> str: ...
    @property
    def words(self) -> str: ...


class _Session(Protocol):
    @property
    def day(self) -> str: ...
    @property
    def words(self) -> str: ...


def render(
    blocks: Sequence[_Block], sessions: Sequence[_Session], *, athlete: str, today: str, said: str = ""
) -> str:
    """The page.

    Parameters
    ----------
    blocks, sessions : sequence
        As the library keeps them, oldest first.
    athlete : str
        Whose.
    today : str
        ISO date that the forms begin with.
    said : str
        What the last action did.
    """
    going = next((b for b in reversed(blocks) if not b.last_day), None)
    told = f'<p class="said" role="status">{esc(said)}</p>' if said else ""
    body = f"{told}<h1>{esc(_headline(going, sessions))}</h1>"
    body += (
        '<p class="lead">Five runs or more without a block, then five or more in it: '
        "less cannot be compared. This log keeps what you do; it recommends nothing.</p>"
    )
    body += (
        f"<section><h2>Done today?</h2>{_form('did', athlete, today, 'Note it', 'What, how much')}</section>"
    )
    if going is not None:
        end = f'<input type="hidden" name="athlete" value="{esc(athlete)}">'
        end += field("last_day", "Last day", today, kind="date")
        body += (
            f"<section><h2>End the block: {esc(going.name)}</h2>"
            f'<form class="form" action="/exercise/end" method="post">{end}'
            '<p class="do"><button>End it</button></p></form></section>'
        )
    begin = _form("begin", athlete, today, "Begin", "How often", name=True)
    body += f"<section><h2>Begin a block</h2>{begin}</section>"
    body += f"<section><h2>Log</h2>{_tables(blocks, sessions)}</section>"
    return page("exercises", body, here="/exercise", top=athlete)


def _headline(going: _Block | None, sessions: Sequence[_Session]) -> str:
    if going is None:
        return "No block of exercises goes on."
    done = sum(s.day >= going.first_day for s in sessions)
    name = going.name[:1].upper() + going.name[1:]
    return (
        f"{name}: since {_day(going.first_day)}, {plural(done, 'session') if done else 'no session'} noted."
    )


def _day(iso: str) -> str:
    when = date.fromisoformat(iso)
    return f"{when.day} {when:%B %Y}"


def _form(what: str, athlete: str, today: str, button: str, words: str, *, name: bool = False) -> str:
    named = field("name", "Exercises", "", kind="text") if name else ""
    day = ("first_day", "First day") if name else ("day", "Day")
    prefix = "" if name else "did_"
    return (
        f'<form class="form" action="/exercise/{what}" method="post">'
        f'<input type="hidden" name="athlete" value="{esc(athlete)}">{named}'
        + field(day[0], day[1], today, kind="date")
        + field(f"{prefix}words", words, "")
        + f'<p class="do"><button class="strong">{button}</button></p></form>'
    )


def _tables(blocks: Sequence[_Block], sessions: Sequence[_Session]) -> str:
    if not blocks and not sessions:
        return '<p class="missing">Nothing yet.</p>'
    rows = [
        [esc(b.name), _day(b.first_day), _day(b.last_day) if b.last_day else "goes on", esc(b.words)]
        for b in reversed(blocks)
    ]
    made = (
        table("Blocks", [("block", ""), ("from", ""), ("to", ""), ("how often", "w")], rows, wraps=True)
        if rows
        else ""
    )
    if sessions:
        done = [[_day(s.day), esc(s.words)] for s in reversed(sessions)]
        made += f'<p class="sub"></p>{table("Sessions", [("session", ""), ("what", "w")], done)}'
    return made
