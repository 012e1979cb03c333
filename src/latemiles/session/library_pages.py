"""What the library's server shows and does: store and run folders, through the pages of ``report``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from urllib.parse import quote

from latemiles.errors import InputError
from latemiles.report.library import (
    compare_page,
    exercise_page,
    run_page,
    runs_page,
    standing_page,
    trends_page,
)
from latemiles.report.library.shell import page
from latemiles.report.library.shown import ShownRun
from latemiles.report.numbers import plural
from latemiles.report.svg import esc
from latemiles.session.home import Home
from latemiles.session.library import RunEntry, delete_run, entries, find_entry, local_time, strangers
from latemiles.session.season_marks import note_season
from latemiles.session.seasons import season_of
from latemiles.session.sink_settings import load_sinks
from latemiles.store import Library, StandingRow, Store
from latemiles.web.library import Answer, Asked, Handler

__all__ = ["LibraryPages", "problem_page", "sent_to"]


class LibraryPages:
    """Pages and actions by address, as ``web.library.create_library_app`` takes them.

    Parameters
    ----------
    home : Home
        Whose library.
    store : Store
        Open; read at each request, so that a run that has just ended is there.
    units : str
        ``metric`` or ``mile``.
    """

    def __init__(self, home: Home, store: Store, units: str = "metric") -> None:
        self._home, self._store, self._units = home, store, units

    @property
    def pages(self) -> Mapping[str, Handler]:
        """What is shown."""
        return {
            "/": self.runs,
            "/run/{run:path}": self.run,
            "/report/{run:path}": self.report,
            "/delete/{run:path}": self.deletion,
            "/compare": self.compare,
            "/trends": self.trends,
            "/standing": self.standing,
            "/exercise": self.exercise,
        }

    @property
    def actions(self) -> Mapping[str, Handler]:
        """What forms do."""
        return {
            "/run/{run:path}": self.annotate,
            "/delete/{run:path}": self.delete,
            "/exercise/begin": self.begin_block,
            "/exercise/end": self.end_block,
            "/exercise/did": self.note_session,
        }

    def runs(self, asked: Asked) -> Answer:
        """The list."""
        everyone = entries(self._home, self._store)
        athlete, search = asked.one("athlete"), asked.one("search")
        found = [e for e in everyone if athlete in ("", e.row.athlete) and e.matches(search)]
        return Answer(
            runs_page.render(
                [self._shown(entry) for entry in found],
                every=len(everyone),
                search=search,
                athlete=athlete,
                athletes=sorted({entry.row.athlete for entry in everyone}),
                said=asked.one("said"),
                without_result=len(strangers(self._home, everyone)),
            )
        )

    def run(self, asked: Asked) -> Answer:
        """One run."""
        found = entries(self._home, self._store)
        entry = _exactly(found, asked)
        known = run_page.Known(
            shoes=_words(e.row.shoes for e in found),
            routes=_words(e.row.route for e in found),
            athletes=_words(e.row.athlete for e in found),
        )
        said = "Saved." if asked.has("saved") else ""
        return Answer(run_page.render(self._shown(entry), known, said=said, shoes_km=self._way(entry, found)))

    def report(self, asked: Asked) -> Answer:
        """A run's report, as it was made."""
        entry = _exactly(entries(self._home, self._store), asked)
        if entry.report is None:
            raise InputError(
                "a run with a report", entry.row.id, "'latemiles runs refresh' makes the report."
            )
        return Answer(file=entry.report)

    def deletion(self, asked: Asked) -> Answer:
        """Ask once more."""
        entry = _exactly(entries(self._home, self._store), asked)
        servers = sent_to(self._home)
        return Answer(run_page.render_deletion(self._shown(entry), entry.recording is not None, servers))

    def compare(self, asked: Asked) -> Answer:
        """Two runs side by side, the older one first."""
        names = asked.fields.get("run", [])
        if len(names) != 2:
            raise InputError("two runs", plural(len(names), "run"), "Go back and tick exactly two runs.")
        found = entries(self._home, self._store)
        pair = sorted((find_entry(found, name) for name in names), key=lambda e: e.row.started_utc_ns)
        first, second = pair
        shown = (self._shown(first), self._shown(second))
        return Answer(compare_page.render(*shown, (_drift_line(first), _drift_line(second))))

    def trends(self, asked: Asked) -> Answer:
        """Run to run."""
        least = asked.one("least")
        season = season_of(
            self._home,
            self._store,
            self._athlete(asked),
            least_km=float(least) if least.replace(".", "", 1).isdigit() else 8.0,
            block=asked.one("block"),
        )
        return Answer(
            trends_page.render(
                season.across,
                athlete=season.athlete,
                athletes=season.athletes,
                events=season.events,
                log=season.log,
                standing=standing_page.panel(_checks(season.standings)),
            )
        )

    def standing(self, asked: Asked) -> Answer:
        """Standing checks."""
        athlete = self._athlete(asked)
        checks = _checks(Library(self._store).standings(athlete))
        return Answer(standing_page.render(checks, athlete=athlete))

    def exercise(self, asked: Asked) -> Answer:
        """The exercise log."""
        athlete, library = self._athlete(asked), Library(self._store)
        return Answer(
            exercise_page.render(
                library.blocks(athlete),
                library.sessions(athlete),
                athlete=athlete,
                today=date.today().isoformat(),  # noqa: DTZ011 the runner's own calendar
                said=asked.one("said"),
            )
        )

    def begin_block(self, asked: Asked) -> Answer:
        """Begin a block of exercises."""
        if not asked.one("name"):
            raise InputError("the name of the exercises", "nothing", "Go back and say what is done.")
        athlete = asked.one("athlete") or "me"
        Library(self._store).begin_block(
            athlete, asked.one("name"), _date(asked.one("first_day")), asked.one("words")
        )
        note_season(self._store, athlete)
        return _to_exercise(asked, "The block begins.")

    def end_block(self, asked: Asked) -> Answer:
        """End the block that goes on."""
        Library(self._store).end_block(asked.one("athlete") or "me", _date(asked.one("last_day")))
        return _to_exercise(asked, "The block ends.")

    def note_session(self, asked: Asked) -> Answer:
        """Note that exercises were done."""
        Library(self._store).add_session(
            asked.one("athlete") or "me", _date(asked.one("day")), asked.one("did_words")
        )
        return _to_exercise(asked, "Noted.")

    def annotate(self, asked: Asked) -> Answer:
        """Keep what a person says of a run."""
        row = _exactly(entries(self._home, self._store), asked).row
        run, library = row.id, Library(self._store)
        if asked.has("notes"):
            self._store.set_notes(run, asked.one("notes"))
        if asked.has("shoes"):
            library.set_shoes(run, asked.one("shoes"))
        if asked.has("route"):
            library.set_route(run, asked.one("route"))
        if asked.one("athlete"):
            library.set_athlete(run, asked.one("athlete"))
        note_season(self._store, row.athlete, self._store.run(run).athlete)
        return Answer(go_to=f"/run/{quote(run, safe='')}?saved")

    def delete(self, asked: Asked) -> Answer:
        """Delete a run for good."""
        entry = _exactly(entries(self._home, self._store), asked)
        delete_run(self._home, self._store, entry)
        return Answer(go_to=f"/?said={quote(f'{self._shown(entry).title} was deleted.')}")

    def _athlete(self, asked: Asked) -> str:
        """Who is named, else whoever ran last: the page has the others to choose from."""
        if asked.one("athlete") in ("me", *Library(self._store).athletes()):
            return asked.one("athlete")
        runs = self._store.runs()
        return runs[0].athlete if runs else next(iter(Library(self._store).athletes()), "me")

    def _shown(self, entry: RunEntry) -> ShownRun:
        return entry.shown(self._units)

    def _way(self, entry: RunEntry, found: list[RunEntry]) -> str:
        """How far the run's shoes went in all."""
        if not entry.row.shoes:
            return ""
        same = [e for e in found if e.row.shoes == entry.row.shoes and e.row.athlete == entry.row.athlete]
        metres = sum(e.figures.distance_m for e in same if e.figures and e.figures.distance_m > 0.0)
        unit = self._shown(entry).unit
        return f"{metres / unit.size:.0f} {unit.short}" if metres > 0.0 else ""


def problem_page(sentence: str) -> str:
    """A page for what could not be done."""
    back = '<p class="more"><a class="button" href="/">All runs</a></p>'
    return page(
        "not found", f"<h1>That did not work.</h1><p class='lead'>{esc(sentence)}</p>{back}", here="/"
    )


def sent_to(home: Home) -> tuple[str, ...]:
    """Servers that the settings name, as a person would call them; no folders of this machine."""
    sinks = load_sinks(home.settings)
    names = []
    if sinks.influx is not None:
        names.append(f"InfluxDB at {sinks.influx.url}")
    if sinks.mqtt is not None:
        names.append(f"the MQTT broker at {sinks.mqtt.address}")
    return tuple(names)


def _checks(rows: Sequence[StandingRow]) -> list[standing_page.Check]:
    return [(local_time(row.started_utc_ns), row.result) for row in rows]


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise InputError("a date such as 2026-10-05", f"'{text}'", "Go back and choose a day.") from error


def _to_exercise(asked: Asked, said: str) -> Answer:
    return Answer(go_to=f"/exercise?athlete={quote(asked.one('athlete') or 'me')}&said={quote(said)}")


def _exactly(found: list[RunEntry], asked: Asked) -> RunEntry:
    """The run of exactly this name: an address is no place for guesses."""
    name = asked.place["run"]
    for entry in found:
        if entry.row.id == name:
            return entry
    raise InputError("the name of a run in the library", f"'{name}'", "It may have been deleted meanwhile.")


def _words(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({w for w in words if w}))


def _drift_line(entry: RunEntry) -> compare_page.DriftLine | None:
    path = entry.folder / "summary.json"
    if not path.is_file():
        return None
    return compare_page.DriftLine.of_summary(json.loads(path.read_text(encoding="utf-8")))
