"""One run: what came of it, what a person says of it, and its deletion, which is asked for twice."""

from __future__ import annotations

from dataclasses import dataclass

from latemiles.report.library.runs_page import address, verdict_mark
from latemiles.report.library.shell import field, page
from latemiles.report.library.shown import ShownRun
from latemiles.report.svg import esc

__all__ = ["Known", "render", "render_deletion"]


@dataclass(frozen=True, slots=True)
class Known:
    """What was written before, to choose from."""

    shoes: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    athletes: tuple[str, ...] = ()


def render(run: ShownRun, known: Known, *, said: str = "", shoes_km: str = "") -> str:
    """The page of one run.

    Parameters
    ----------
    run : ShownRun
        Which.
    known : Known
        Shoes, routes and athletes of other runs.
    said : str
        What the last action did.
    shoes_km : str
        How far these shoes went in all runs of the library; empty where that is not known.
    """
    answer = run.figures.headline if run.figures is not None else "No result yet."
    open_report = (
        f'<p class="more"><a class="button" href="{address(run, "report")}">Open the report</a></p>'
        if run.has_report
        else '<p class="missing">No report yet: <code>latemiles runs refresh</code> makes it.</p>'
    )
    told = f'<p class="said" role="status">{esc(said)}</p>' if said else ""
    body = f"{told}<h1>{esc(answer)}</h1>{open_report}<section>{_facts(run)}</section>"
    body += f"<section><h2>What you say of it</h2>{_form(run, known, shoes_km)}</section>"
    body += (
        "<section><h2>Delete this run</h2>"
        '<p class="sub">Its rows, its report and its recording. You are asked once more.</p>'
        f'<p><a class="button" href="{address(run, "delete")}">Delete …</a></p></section>'
    )
    return page(run.title, body, here="/", top=f"{run.athlete} · {run.title}")


def _facts(run: ShownRun) -> str:
    facts = [(name, esc(words)) for name, words in run.facts() if words and name not in ("answer", "verdict")]
    facts.insert(0, ("verdict", verdict_mark(run)))
    facts.append(("run", esc(run.id)))
    return '<dl class="list">' + "".join(f"<dt>{n}</dt><dd>{w}</dd>" for n, w in facts) + "</dl>"


def _form(run: ShownRun, known: Known, shoes_km: str) -> str:
    shoes_label = f"Shoes ({shoes_km} in them)" if shoes_km else "Shoes"
    return (
        f'<form class="form" action="{address(run)}" method="post">'
        + field("shoes", shoes_label, run.shoes, known=known.shoes)
        + field("route", "Route", run.route, known=known.routes)
        + field("notes", "Notes", run.notes)
        + field("athlete", "Whose run", run.athlete, known=known.athletes)
        + '<p class="do"><button class="strong">Save</button></p></form>'
    )


def render_deletion(run: ShownRun, has_recording: bool, sent_to: tuple[str, ...]) -> str:
    """The page that asks once more.

    Parameters
    ----------
    run : ShownRun
        Which.
    has_recording : bool
        Whether its recording is there and would go too.
    sent_to : tuple of str
        Servers that were sent its numbers, which stay there.
    """
    gone = "its recording, its report and its rows" if has_recording else "its report and its rows"
    sent = ""
    if sent_to:
        sent = (
            f'<p class="sub">Sent to {esc(", ".join(sent_to))} before: what is there cannot be deleted '
            "from here.</p>"
        )
    body = (
        f"<h1>Delete {esc(run.title)}?</h1>"
        f'<p class="lead">This deletes {gone} from this machine for good.</p>{sent}'
        f'<form class="more" action="{address(run, "delete")}" method="post">'
        f'<button class="strong">Delete for good</button>'
        f'<a class="button" href="{address(run)}">Keep it</a></form>'
    )
    return page(f"delete {run.title}", body, here="/", top=f"{run.athlete} · {run.title}")
