"""Would the configured servers take a run: asked one by one, nothing is written."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol, cast

from latemiles.errors import LatemilesError
from latemiles.session.followers import make_sinks
from latemiles.session.home import Home
from latemiles.session.sink_settings import grafana_url, load_sinks
from latemiles.sinks.outbox import SinkError
from latemiles.store import Store

__all__ = ["ServerAnswer", "ask_servers"]

_GRAFANA_TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class ServerAnswer:
    """What one server said."""

    name: str
    good: bool
    words: str


class _Checked(Protocol):
    name: str
    label: str

    async def check(self) -> None:
        """Raise SinkError with what to mend."""


def ask_servers(home: Home) -> Iterator[ServerAnswer]:
    """Ask every server of the settings; a settings file that cannot be used is one answer too.

    Parameters
    ----------
    home : Home
        Whose settings and store.

    Yields
    ------
    ServerAnswer
        One a server.
    """
    try:
        sinks = make_sinks(load_sinks(home.settings))
        grafana = grafana_url(home.settings)
    except LatemilesError as error:
        yield ServerAnswer("settings", False, str(error))
        return
    for sink in sinks:
        yield _ask(cast(_Checked, sink), home)
    if grafana:
        yield _ask_grafana(grafana)


def _ask(sink: _Checked, home: Home) -> ServerAnswer:
    kind = sink.name.partition(" ")[0]
    try:
        asyncio.run(sink.check())
    except SinkError as error:
        return ServerAnswer(kind, False, str(error))
    with Store(home.store) as store:
        waiting, aside = store.waiting(sink.name), len(store.rows_set_aside(sink.name))
    words = f"{sink.label} would take rows; {waiting} wait"
    words += " ('latemiles sync' sends them)" if waiting else ""
    words += f", {aside} were refused and set aside" if aside else ""
    return ServerAnswer(kind, True, f"{words}.")


def _ask_grafana(url: str) -> ServerAnswer:
    advice = "Check that it runs: docker compose up in dashboards/."
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/api/health", timeout=_GRAFANA_TIMEOUT_S) as answer:
            health = json.loads(answer.read())
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return ServerAnswer("grafana", False, f"Grafana at {url} does not answer ({reason}). {advice}")
    if not isinstance(health, dict) or health.get("database") != "ok":
        return ServerAnswer("grafana", False, f"Grafana at {url} is not healthy. Look at its log.")
    return ServerAnswer("grafana", True, f"version {health.get('version', 'unknown')} at {url}.")
