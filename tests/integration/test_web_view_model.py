"""From events to what the live page shows: words, numbers, and how slowly they change."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latemiles.signals.events import (
    DriftUpdate,
    Gap,
    LinkChanged,
    LiveState,
    Marked,
    Slip,
    Stride,
    ThighsDoubted,
)
from latemiles.signals.frames import SEGMENTS, Segment
from latemiles.signals.records import RunHeader, Speed
from latemiles.store import Store
from latemiles.web import LiveBoard, LiveView
from latemiles.web.state_word import WordKeeper, wanted_word
from reference.made_up_run import BAND_DEG, STANDING_S, STATES, MadeUpRun, made_up_events, shown_to

NAN = math.nan


def update(change, *, half=0.3, band=BAND_DEG, verdict="", t_s=0.0):
    return DriftUpdate(t_s, "pelvic_tilt_mean_deg", change, change - half, change + half, band, verdict, 0)


@cache
def events_of(run):
    return tuple(made_up_events(run))


@cache
def seen(run, unit="mile"):
    view = LiveView("r", "Maya", unit=unit)
    view.push(events_of(run))
    return view


def words_of(run):
    """(time, word) at each change of the word."""
    view, words = LiveView(), [(0.0, "learning")]
    for event in events_of(run):
        if view.push([event]) and view.state()["word"] != words[-1][1]:
            words.append((view.state()["t"], view.state()["word"]))
    return words


@pytest.mark.parametrize(
    ("name", "word", "words"),
    [
        ("learning", "learning", "measuring your start"),
        ("steady", "steady", "no clear change"),
        ("watch", "watch", "forward?"),
        ("drifting", "drifting", "forward"),
        ("sensor", "sensor", "clip moved"),
        ("not_heard", "sensor", "pelvis not heard"),
        ("thigh", "drifting", "forward"),
        ("no_speed", "steady", "no clear change"),
    ],
)
def test_each_state_is_reached_and_is_plain_json(name, word, words):
    view = seen(STATES[name])
    state = view.state()
    assert (state["word"], state["tilt"]["words"]) == (word, words)
    json.dumps([state, view.log], allow_nan=False)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 1200), max_size=12))
def test_cutting_the_events_anywhere_changes_nothing(cuts):
    events = list(made_up_events(MadeUpRun(minutes=3.0, gap=(60.0, 75.0), slip_s=120.0)))
    whole, cut = LiveView(), LiveView()
    whole.push(events)
    edges = [0, *sorted(min(c, len(events)) for c in cuts), len(events)]
    for a, b in pairwise(edges):
        cut.push(events[a:b])
    assert (cut.state(), cut.log) == (whole.state(), whole.log)


@pytest.mark.parametrize(
    ("drift", "band", "word"),
    [
        (None, NAN, "learning"),
        (update(NAN), NAN, "learning"),
        (update(0.7, verdict="small, inside noise"), 0.8, "steady"),
        (update(-0.9, verdict="likely change"), 0.8, "watch"),
        (update(1.3, verdict="clear change"), 0.8, "drifting"),
        (update(-1.3, verdict="clear change"), 0.8, "drifting"),
        (update(1.2, verdict="likely change"), 0.8, "drifting"),
        (update(2.0, verdict="cannot separate"), 0.8, "watch"),
        (update(2.0, verdict="slip"), 0.8, "sensor"),
        (update(1.3, verdict="clear change"), 1.4, "steady"),
    ],
)
def test_the_word_follows_the_verdict_and_the_band(drift, band, word):
    assert wanted_word(drift, band) == word


def keep(looks):
    keeper, out = WordKeeper(), []
    for k, wanted in enumerate(looks):
        keeper.look(2.0 * k, wanted)
        out.append(keeper.word)
    return out


def test_one_look_alone_changes_no_word():
    assert keep(["steady", "steady", "watch", "steady", "watch", "steady"] * 5)[2:] == ["steady"] * 28


def test_a_word_stands_for_twenty_seconds():
    words = keep(["steady"] * 2 + ["watch"] * 3 + ["drifting"] * 20)
    assert words[2:11] == ["steady"] * 9
    assert words[11] == "drifting"


def test_drifting_comes_back_to_steady_only_through_watch():
    words = keep(["drifting"] * 2 + ["steady"] * 40)
    order = list(dict.fromkeys(words))
    assert order == ["learning", "drifting", "watch", "steady"]
    assert words.index("steady") - words.index("watch") == 10


def test_sensor_comes_at_once_and_goes_after_two_looks():
    words = keep(["steady"] * 2 + ["sensor"] + ["steady"] * 3)
    assert words[1:] == ["steady", "sensor", "sensor", "steady", "steady"]


def test_drifting_before_a_sensor_fault_still_passes_through_watch():
    words = keep(["drifting"] * 2 + ["sensor"] * 3 + ["steady"] * 30)
    assert list(dict.fromkeys(words)) == ["learning", "drifting", "sensor", "watch", "steady"]


def test_a_run_that_drifts_says_so_in_order_and_seldom():
    words = words_of(replace(STATES["drifting"], minutes=40.0, gap=(2200.0, 2260.0)))
    assert [w for _, w in words] == ["learning", "steady", "watch", "drifting", "sensor", "drifting"]
    times = [t for t, w in words if w != "sensor"]
    assert min(b - a for a, b in pairwise(times[1:4])) >= 20.0
    onset = next(t for t, w in words if w == "drifting")
    assert 1200.0 < onset < 1800.0


def test_the_number_moves_only_past_its_dead_band():
    view, shown = LiveView(), set()
    view.push([LinkChanged(0.0, Segment.PELVIS, "up", "", NAN)])
    for k in range(200):
        t = 2.0 * k
        view.push([update(0.09 * math.sin(k), t_s=t, verdict="no change")])
        shown.add(view.state()["tilt"]["value"])
    assert len(shown - {None}) == 1


def test_after_a_slip_the_band_never_shrinks():
    view = LiveView()
    view.push([update(0.1, band=0.8, t_s=0.0), Slip(10.0, Segment.PELVIS, 0.02)])
    view.push(
        [update(0.1, band=1.0, t_s=30.0), update(0.1, band=0.6, t_s=60.0), update(0.1, band=0.6, t_s=70.0)]
    )
    tilt = view.state()["tilt"]
    assert (tilt["band"], tilt["band_before_slip"]) == (0.8, 0.8)


def test_a_slip_is_told_until_form_drift_speaks_for_the_new_seat():
    words = words_of(MadeUpRun(minutes=20.0, slip_s=900.0))
    assert [w for _, w in words] == ["learning", "steady", "sensor", "steady"]
    steady, sensor, back = (t for t, _ in words[1:])
    assert sensor < 905.0
    assert 908.0 < back < 930.0
    assert steady == pytest.approx(STANDING_S + 602.0, abs=6.0)


def test_a_lost_pelvis_leaves_the_last_good_number_with_its_age():
    state = seen(STATES["not_heard"]).state()
    tilt = state["tilt"]
    assert tilt["value"] is None
    assert tilt["last_good"]["value"] == pytest.approx(2.1, abs=0.2)
    assert 30.0 < tilt["last_good"]["age_s"] < 50.0
    assert state["drop"]["left"]["now"] is None
    assert state["drop"]["words"] == "no pelvis signal"
    assert [s["status"] for s in state["sensors"]] == ["good", "lost", "good"]


def test_no_row_of_angles_has_a_value_while_the_pelvis_is_not_heard():
    rows = seen(STATES["not_heard"]).state()["rows"]
    angles = {name: row for name, row in rows.items() if name not in ("cadence", "speed")}
    assert all((row["now"], row["change"], row["beyond"]) == (None, None, False) for row in angles.values())
    assert {row["missing"] for row in angles.values()} == {"not heard"}
    assert rows["cadence"]["now"] is not None
    slipped = seen(STATES["sensor"]).state()["rows"]
    assert slipped["tilt"]["missing"] == "clip moved"


def test_a_lost_thigh_stops_its_rows_and_nothing_else():
    state = seen(STATES["thigh"]).state()
    assert [s["status"] for s in state["sensors"]] == ["lost", "good", "good"]
    assert state["rows"]["flexion_left"]["now"] is None
    assert state["rows"]["flexion_left"]["missing"] == "not heard"
    assert state["rows"]["flexion_right"]["now"] is not None
    assert state["tilt"]["value"] == pytest.approx(2.1, abs=0.2)


def test_a_link_that_goes_down_is_told_at_the_next_look():
    view = LiveView()
    down = LinkChanged(20.0, Segment.RIGHT_THIGH, "down", "", NAN)
    view.push([LinkChanged(0.0, Segment.RIGHT_THIGH, "up", "", 55.0), down])
    unknown = (NAN, NAN, NAN)
    view.push([LiveState(26.0, unknown, unknown, unknown)])
    right = view.state()["sensors"][2]
    assert (right["status"], right["words"], right["battery"]) == ("lost", "lost 6 s", 0.55)
    view.push(
        [LinkChanged(27.0, Segment.RIGHT_THIGH, "up", "", NAN), LiveState(30.0, unknown, unknown, unknown)]
    )
    assert view.state()["sensors"][2]["words"] == "good"


def test_without_a_speed_source_there_is_time_and_no_pace():
    view = seen(STATES["no_speed"])
    clock = view.state()["clock"]
    assert (clock["pace_s"], clock["distance"]) == (None, None)
    assert clock["run_s"] == pytest.approx(20 * 60 - STANDING_S, abs=3.0)
    assert "raw, no speed source" in view.state()["headline"][1]
    assert all(e["d"] is None for e in view.log if e["k"] == "point")


@pytest.mark.parametrize(("unit", "metres"), [("mile", 1609.344), ("km", 1000.0)])
def test_the_split_begins_where_the_distance_crosses(unit, metres):
    state = seen(STATES["steady"], unit=unit).state()
    clock = state["clock"]
    speed = 3.4
    assert clock["distance"] == pytest.approx(clock["run_s"] * speed / metres, rel=0.01)
    assert clock["split"]["number"] == int(clock["distance"]) + 1
    since = (clock["distance"] % 1.0) * metres / speed
    assert clock["split"]["elapsed_s"] == pytest.approx(since, abs=6.0)
    assert clock["pace_s"] == pytest.approx(metres / speed, abs=6.0)


def test_the_drop_is_read_against_each_sides_own_start():
    drop = seen(STATES["drifting"]).state()["drop"]
    assert not drop["left"]["beyond"]
    assert drop["right"]["beyond"]
    assert drop["right"]["now"] - drop["right"]["start"] == pytest.approx(1.15, abs=0.4)


def test_a_band_that_form_drift_gives_replaces_the_estimated_one():
    view = LiveView()
    view.push(events_of(STATES["steady"]))
    key = "pelvic_drop_excursion_deg_left"
    t_s = view.state()["t"] + 1.0
    view.push(
        [replace(update(0.0, band=1.7, t_s=t_s), metric=key), replace(update(0.0, t_s=t_s + 4.0), metric="x")]
    )
    rows = view.state()["rows"]
    assert rows["drop_left"]["band"] == rows["drop_right"]["band"] == 1.7


def test_points_are_medians_of_twenty_five_and_none_spans_a_gap():
    run = MadeUpRun(minutes=20.0, gap=(600.0, 660.0))
    points = [e for e in seen(run).log if e["k"] == "point" and e["row"] == "tilt"]
    assert not [p for p in points if 600.0 <= p["t"] < 660.0]
    strides = sum(isinstance(e, Stride) for e in events_of(run))
    assert len(points) == pytest.approx(strides * 19 / 20 / 25, abs=3)


def test_the_log_tells_what_happened_where():
    log = seen(STATES["half_marathon"]).log
    told = {e["k"]: e for e in log if e.get("words")}
    assert set(told) == {"start", "mark", "change", "gap", "slip"}
    assert told["gap"]["words"] == "Pelvis not heard, 76 s"
    assert told["slip"]["words"] == "Pelvis clip moved 1.2°"
    assert told["gap"]["d"] < told["gap"]["end_d"] < told["slip"]["d"]


def test_thigh_sensors_that_may_be_exchanged_are_told_at_the_sensors_the_drop_and_the_marks():
    view = LiveView()
    view.push([LinkChanged(0.0, segment, "up", "", 80.0) for segment in SEGMENTS])
    view.push([ThighsDoubted(60.0), replace(update(0.0, t_s=64.0))])
    state = view.state()
    assert [s["words"] for s in state["sensors"]] == ["swapped?", "good", "swapped?"]
    assert state["drop"]["doubted"]
    (entry,) = [e for e in view.log if e["k"] == "sides"]
    assert "may be on each other's legs" in entry["words"]
    assert "begin a new run" in entry["words"]
    # A lost or slipped sensor is the greater trouble.
    view.push([LinkChanged(65.0, Segment.LEFT_THIGH, "down", "", NAN), update(0.0, t_s=70.0)])
    assert view.state()["sensors"][0]["status"] == "lost"


def test_a_stored_run_is_shown_as_it_was_seen_live(tmp_path):
    run = STATES["drifting"]
    with Store(tmp_path / "s.sqlite") as store:
        name = store.begin_run(RunHeader("r", athlete="Maya"))
        store.commit(name, events_of(run))
        again = LiveView("r", "Maya")
        again.push(store.history(name))
    live = seen(run)
    assert again.log == live.log
    assert again.state()["word"] == live.state()["word"]
    assert again.state()["headline"] == live.state()["headline"]


def test_a_still_without_a_time_is_passed_over():
    view = LiveView()
    view.push([LiveState(NAN, (NAN,) * 3, (NAN,) * 3, (NAN,) * 3)])
    assert view.state()["t"] == 0.0


def test_a_slipped_thigh_is_good_again_when_form_drift_has_tied_its_level():
    view = LiveView()
    key = "hip_internal_rotation_mean_deg_right_minus_left"
    view.push([LinkChanged(0.0, Segment.LEFT_THIGH, "up", "", NAN), Slip(10.0, Segment.LEFT_THIGH, 0.03)])
    view.push([replace(update(NAN, t_s=20.0, verdict="slip"), metric=key), update(0.0, t_s=40.0)])
    assert view.state()["sensors"][0]["status"] == "slipped"
    assert view.state()["word"] != "sensor"
    view.push([replace(update(0.0, t_s=80.0, verdict="no change"), metric=key), update(0.0, t_s=84.0)])
    assert view.state()["sensors"][0]["status"] == "good"


def test_grade_and_heart_rate_are_drawn_as_they_are_told_and_not_once_they_are_old():
    view = LiveView("r")
    shown_to(view, replace(STATES["learning"], minutes=4.0))
    points = [e for e in view.log if e["k"] == "point" and e["row"] == "heart_rate"]
    assert 8 <= len(points) <= 12
    assert all(140.0 < p["v"] < 175.0 for p in points)
    conditions = view.state()["conditions"]
    assert 140.0 < conditions["heart_rate"] < 175.0
    assert abs(conditions["grade"]) < 1.0
    view.push([Marked(400.0, "")])
    assert view.state()["conditions"] == {"grade": None, "heart_rate": None}


def test_what_a_source_does_not_tell_stays_unknown():
    view = LiveView("r")
    view.push([Marked(1.0, "")])
    view.hear(Speed(0, 1.0, speed_m_s=3.0))
    view.push([Marked(9.0, "")])
    assert view.state()["conditions"] == {"grade": None, "heart_rate": None}


def test_loss_is_told_piece_by_piece():
    view = LiveView("r")
    still = LiveState(0.0, (0.1, 0.0, 0.0), (0.1, 0.0, 0.0), (0.1, 0.0, 0.0))
    view.push([replace(still, t_s=float(t)) for t in range(100)])
    view.push([Gap(62.0, 67.0, Segment.PELVIS, "radio"), replace(still, t_s=100.0)])
    pelvis = next(s for s in view.state()["sensors"] if s["name"] == "pelvis")
    known = [v for v in pelvis["lately"] if v is not None]
    assert len(pelvis["lately"]) == 30
    assert len(known) in (10, 11)
    assert max(known) == 0.5
    assert sum(v > 0.0 for v in known) == 1


def test_the_posture_is_the_newest_still_and_none_once_it_is_old():
    view = LiveView("r")
    still = LiveState(5.0, (math.radians(10.0), 0.0, 0.0), (math.nan,) * 3, (math.radians(20.0), 0.0, 0.0))
    view.push([*(replace(still, t_s=float(t)) for t in range(1, 6)), Marked(6.0, "")])
    posture = view.state()["posture"]
    assert posture["tilt"] == 10.0
    assert posture["flexion_left"] is None
    assert posture["flexion_right"] == 20.0
    view.push([Marked(30.0, "")])
    assert view.state()["posture"] is None


def test_a_board_keeps_the_order_of_the_runs_and_lets_old_ones_go():
    board = LiveBoard()
    assert board.find(None) is None
    for k in range(16):
        view = LiveView(f"r{k}", f"athlete {k}")
        if k != 3:
            view.finish()
        board.open().offer(view.state() | {"ended": k != 3}, view.log)
    names = [tab["run"] for tab in board.tabs()]
    assert names == ["r3", *(f"r{k}" for k in range(4, 16))]
    assert board.find(None).latest["run"] == "r3"
    assert board.find("r15").latest["ended"]
    assert board.find("gone") is None
