"""The sinks of a session: they start with it, hear of new rows at once, and outlive it by some seconds."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from latemiles.errors import RecordingError
from latemiles.session.followers import Deliveries, make_sinks
from latemiles.session.home import Home
from latemiles.session.server_check import ask_servers
from latemiles.session.sink_settings import SinkSettings
from latemiles.session.sync import sync
from latemiles.signals.events import LiveState, ThighsDoubted
from latemiles.sinks.jsonl import JsonlSettings
from latemiles.sinks.messages import LiveScreen, RunStatus, message
from latemiles.sinks.outbox import SinkRefused
from latemiles.sinks.points import points
from latemiles.web.broadcast import LiveBroadcast, LivePage
from latemiles.web.view_model import LiveView
from reference.sink_rows import Notebook, filled_store, header, outage, strides

STILL = LiveState(1.0, (0.1, 0.2, 0.3), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))


class Screen(Notebook):
    """A sink that shows the run too."""

    def __init__(self) -> None:
        super().__init__()
        self.live = LiveScreen(header())
        self.ended = False


async def test_the_last_rows_of_a_run_are_delivered_before_it_lets_go(tmp_path: Path):
    with filled_store(tmp_path / "s", 10) as store:
        sink, said = Screen(), []
        deliveries = Deliveries(store, [sink], said.append, lambda: STILL, grace_s=5.0)
        async with asyncio.timeout(5), deliveries.running():
            events = strides(10, 14)
            store.commit("run-1", events)
            deliveries.take(events)
            deliveries.finish()
        assert len(sink.got) == 19
        assert sink.ended
        assert said == []
        assert b'"pelvic_tilt_deg":5.72' in (sink.live.newest() or b"")


async def test_what_cannot_be_delivered_in_time_is_told_and_kept(tmp_path: Path):
    with filled_store(tmp_path / "s", 10) as store:
        sink, said = Notebook(), []
        sink.failures = [outage() for _ in range(1000)]
        async with asyncio.timeout(5), Deliveries(store, [sink], said.append, grace_s=0.05).running():
            pass
        assert len(said) == 1
        assert said[0].startswith("15 rows wait for The notebook. 'latemiles sync'")
        assert store.waiting("notebook") == 15


async def test_a_run_that_fails_still_delivers_what_it_has_and_fails_as_itself(tmp_path: Path):
    with filled_store(tmp_path / "s", 10) as store:
        sink = Notebook()
        with pytest.raises(RecordingError, match="disk"):
            async with Deliveries(store, [sink], print, grace_s=5.0).running():
                raise RecordingError("run.mcap", "The disk is full. Make room.")
        assert len(sink.got) == 15


async def test_sync_goes_on_with_the_other_sinks_when_one_refuses(tmp_path: Path):
    with filled_store(tmp_path / "s", 10) as store:
        bad, good = Notebook(), Notebook()
        bad.name, bad.failures = "bad", [SinkRefused("No. Mend it.")]
        first, second = await sync(store, [bad, good], [], lambda *_: None)
        assert (first.delivered, first.problem) == (0, "No. Mend it.")
        assert (second.delivered, second.problem) == (15, "")
        # A run that is asked for by name is sent whole, wherever the cursor is.
        (again,) = await sync(store, [good], ["run-1"], lambda *_: None)
        assert again.delivered == 15


def test_only_what_is_configured_is_made(tmp_path: Path):
    assert make_sinks(SinkSettings()) == []
    (only,) = make_sinks(SinkSettings(jsonl=JsonlSettings(tmp_path)))
    assert only.name.startswith("jsonl")


def test_a_line_about_a_server_stands_among_the_marks_of_the_live_page():
    page = LivePage(LiveView("run-1", "me"), LiveBroadcast())
    page.notice(12.0, "InfluxDB refuses the token (401). Give another.")
    (entry,) = page.broadcast.log
    assert entry["words"].startswith("InfluxDB refuses")
    assert entry["t"] == 12.0


def test_a_doubt_about_the_thigh_sensors_is_stored_and_reaches_every_server(tmp_path: Path):
    doubt, status = ThighsDoubted(61.0), RunStatus(header())
    assert status.message("running")["thighs_may_be_exchanged"] is False
    assert status.take(doubt)
    assert status.message("running")["thighs_may_be_exchanged"] is True
    with filled_store(tmp_path / "s", 0) as store:
        store.commit("run-1", [doubt])
        (row,) = [row for row in store.run_rows("run-1") if row.kind == "thighs_doubted"]
        assert row.event == doubt
        assert [event for event in store.history("run-1") if isinstance(event, ThighsDoubted)] == [doubt]
    made = [(p.measurement, p.tags["segment"], p.fields) for p in points(row)]
    assert made == [("link", f"{side}_thigh", {"may_be_exchanged": 1.0}) for side in ("left", "right")]
    assert message(row)["schema"] == "latemiles/thighs_doubted/1"


def test_the_doctor_names_each_server_with_what_to_mend(tmp_path: Path):
    (tmp_path / "settings.toml").write_text(
        '[influx]\nurl = "http://127.0.0.1:1"\n[mqtt]\nhost = "127.0.0.1"\nport = 1\n'
        '[jsonl]\nfolder = "lines"\n[grafana]\nurl = "http://127.0.0.1:1"\n'
    )
    answers = {answer.name: answer for answer in ask_servers(Home(tmp_path))}
    assert {name: answer.good for name, answer in answers.items()} == {
        "influx": False,
        "mqtt": False,
        "jsonl": True,
        "grafana": False,
    }
    for answer in answers.values():
        assert "\n" not in answer.words
    assert "Check that it runs" in answers["mqtt"].words
    assert "docker compose up" in answers["grafana"].words
    (tmp_path / "settings.toml").write_text('[mqtt]\npassword = "abc"\n')
    (wrong,) = ask_servers(Home(tmp_path))
    assert "does not belong in the settings" in wrong.words
